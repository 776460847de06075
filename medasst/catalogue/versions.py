"""The versions of a shop's catalogue in a folder: which there are, which is served, and the way back."""

from __future__ import annotations

from pathlib import Path

import medasst.versions as kept
from medasst.errors import DataError
from medasst.versions import Version, place, use

__all__ = ["FILE", "Version", "current", "place", "switch", "use", "versions"]

FILE = "catalogue.sqlite"
_NOTHING = "no catalogue in it; make one with: medasst catalogue import MAPPING.toml"


def current(folder: Path) -> Path:
    """The version that is served. Raises DataError: the folder holds no catalogue."""
    return kept.current(folder, _NOTHING)


def versions(folder: Path) -> list[Version]:
    """Every version, the newest first. Raises DataError: the folder holds none."""
    return kept.versions(folder, _NOTHING)


def switch(folder: Path, name: str) -> Version:
    """Serve a version from now on; the beginning of its name will do.

    Raises:
        DataError: there is none of that name, or several, or it may not be served.
    """
    meant = kept.named(folder, name, _NOTHING)
    if not meant.counts["served"]:
        raise DataError(f"{meant.name} was refused as a whole; see {meant.folder / 'report.html'}", folder)
    use(folder, meant.name)
    return meant._replace(current=True)
