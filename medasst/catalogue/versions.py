"""The versions of a shop's catalogue in a folder: which there are, which is served, and the way back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from medasst.disk import write_text
from medasst.errors import DataError
from medasst.registry import did_you_mean

FILE = "catalogue.sqlite"
_CURRENT = "current.txt"


class Version(NamedTuple):
    """One import: its name (a hash of all that it was made from), when it was made, what its report counts."""

    name: str
    folder: Path
    made: datetime
    counts: dict[str, Any]
    current: bool


def place(folder: Path, name: str) -> Path:
    """Where a version of this name lies, whether it is there or not."""
    return folder / "versions" / name


def current(folder: Path) -> Path:
    """The version that is served. Raises DataError: the folder holds no catalogue."""
    if not (folder / _CURRENT).is_file():
        raise DataError("no catalogue in it; make one with: medasst catalogue import MAPPING.toml", folder)
    return place(folder, (folder / _CURRENT).read_text("utf-8").strip())


def versions(folder: Path) -> list[Version]:
    """Every version, the newest first. Raises DataError: the folder holds none."""
    served = (folder / _CURRENT).read_text("utf-8").strip() if (folder / _CURRENT).is_file() else ""
    found = sorted(_found(folder, served), key=lambda version: version.made, reverse=True)
    if not found:
        raise DataError("no catalogue in it; make one with: medasst catalogue import MAPPING.toml", folder)
    return found


def switch(folder: Path, name: str) -> Version:
    """Serve a version from now on; the beginning of its name will do.

    Raises:
        DataError: there is none of that name, or several, or it may not be served.
    """
    known = versions(folder)
    meant = [version for version in known if version.name.startswith(name)] if name else []
    if len(meant) != 1:
        what = "several versions begin so; give more of the name" if meant else "no such version"
        raise DataError(f"{name!r}: {what}{did_you_mean(name, [version.name for version in known])}", folder)
    if not meant[0].counts["served"]:
        raise DataError(f"{meant[0].name} was refused as a whole; see {meant[0].folder / 'report.html'}", folder)
    use(folder, meant[0].name)
    return meant[0]._replace(current=True)


def use(folder: Path, name: str) -> None:
    """Make a version the one that is served, in one step."""
    write_text(folder / _CURRENT, name + "\n")


def _found(folder: Path, served: str) -> Iterator[Version]:
    for report in (folder / "versions").glob("*/report.json"):
        made = datetime.fromtimestamp(report.stat().st_mtime, UTC)
        counts = json.loads(report.read_text("utf-8"))
        yield Version(report.parent.name, report.parent, made, counts, report.parent.name == served)
