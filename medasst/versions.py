"""Versions of something in a folder: which there are, which is in use, and the way back. Catalogues and signatures lie so.

`versions/<name>/` holds one, with a `report.json`; `current.txt` names the one in use.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from medasst.disk import write_text
from medasst.errors import DataError
from medasst.registry import did_you_mean

REPORT = "report.json"
_CURRENT = "current.txt"


class Version(NamedTuple):
    """One of them: its name (a hash of all that it was made from), when it was made, what its report counts."""

    name: str
    folder: Path
    made: datetime
    counts: dict[str, Any]
    current: bool


def place(folder: Path, name: str) -> Path:
    """Where a version of this name lies, whether it is there or not."""
    return folder / "versions" / name


def current(folder: Path, nothing: str) -> Path:
    """The version in use. Raises DataError: there is none; `nothing` says what to do."""
    name = _in_use(folder)
    if not name or not place(folder, name).is_dir():
        raise DataError(nothing, folder)
    return place(folder, name)


def versions(folder: Path, nothing: str) -> list[Version]:
    """Every version, the newest first. Raises DataError: there is none; `nothing` says what to do."""
    found = sorted(_found(folder), key=lambda version: version.made, reverse=True)
    if not found:
        raise DataError(nothing, folder)
    return found


def named(folder: Path, name: str, nothing: str) -> Version:
    """The version of a name, or of its beginning. Raises DataError: there is none, or several begin so."""
    known = versions(folder, nothing)
    meant = [version for version in known if version.name.startswith(name)] if name else []
    if len(meant) != 1:
        what = "several versions begin so; give more of the name" if meant else "no such version"
        raise DataError(f"{name!r}: {what}{did_you_mean(name, [version.name for version in known])}", folder)
    return meant[0]


def use(folder: Path, name: str) -> None:
    """Make a version the one in use, in one step."""
    write_text(folder / _CURRENT, name + "\n")


def _in_use(folder: Path) -> str:
    return (folder / _CURRENT).read_text("utf-8").strip() if (folder / _CURRENT).is_file() else ""


def _found(folder: Path) -> Iterator[Version]:
    used = _in_use(folder)
    for report in (folder / "versions").glob(f"*/{REPORT}"):
        made = datetime.fromtimestamp(report.stat().st_mtime, UTC)
        counts = json.loads(report.read_text("utf-8"))
        yield Version(report.parent.name, report.parent, made, counts, report.parent.name == used)
