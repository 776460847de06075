"""Tables of a rulebook as they stand in files: each row with its place, files and overlays laid over one another."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import ValidationError

from medasst.config import Config
from medasst.errors import ConfigError
from medasst.rulebook.loosening import loosens
from medasst.rulebook.rows import ClassRow, DrugRow, FindingRow, Row
from medasst.rulebook.signatures import Ledger, Signature

R = TypeVar("R", bound=Row)
C = TypeVar("C", bound=Config)
SIGNED = "signed.toml"
_HEADER = re.compile(r"^\s*\[\[(\w+)\]\]", re.MULTILINE)


class Place(NamedTuple):
    """Where a row stands, for whoever has to mend it."""

    file: Path
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Table(Generic[R]):
    """The rows of one kind by their key, and where each stands."""

    rows: Mapping[str, R]
    places: Mapping[str, Place]

    def __iter__(self) -> Iterator[R]:
        return iter(self.rows.values())

    def __len__(self) -> int:
        return len(self.rows)


class Folder:
    """A folder of tables; each file is read once.

    Raises:
        ConfigError: there is no such folder.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise ConfigError(f"{folder}: no such folder; a rulebook is a folder of tables like those in medasst/rulebook")
        self.folder = folder
        self._read: dict[str, tuple[dict[str, Any], str]] = {}

    def read(self, name: str) -> dict[str, Any]:
        """What a file holds; nothing where there is none. Raises ConfigError if it is no TOML."""
        return self._load(name)[0]

    def text(self, name: str) -> str:
        """A file as it is written."""
        return self._load(name)[1]

    def _load(self, name: str) -> tuple[dict[str, Any], str]:
        if name not in self._read:
            path = self.folder / name
            text = path.read_text("utf-8") if path.is_file() else ""
            try:
                self._read[name] = tomllib.loads(text), text
            except tomllib.TOMLDecodeError as error:
                raise ConfigError(f"{path}: {error}") from None
        return self._read[name]

    def digest(self) -> str:
        """Of every file that was read."""
        return "".join(hashlib.sha256(self._read[name][1].encode()).hexdigest() for name in sorted(self._read))


class _Found(NamedTuple):
    """A row as it stands in its file."""

    values: dict[str, Any]
    place: Place


def table_rows(name: str, files: Sequence[tuple[Folder, str]]) -> list[_Found]:
    """The rows `[[name]]` of files, each with its place."""
    found: list[_Found] = []
    for folder, file in files:
        text = folder.text(file)
        lines = [line for line, kind in _headers(text) if kind == name]
        rows = folder.read(file).get(name, [])
        if not isinstance(rows, list) or len(rows) != len(lines):
            raise ConfigError(f"{folder.folder / file}: {name} must be written as [[{name}]], one block a row")
        found += [_Found(row, Place(folder.folder / file, line)) for row, line in zip(rows, lines, strict=True)]
    return found


def _headers(text: str) -> Iterator[tuple[int, str]]:
    """The line and the name of every [[name]]."""
    line, last = 1, 0
    for match in _HEADER.finditer(text):
        line, last = line + text.count("\n", last, match.start(1)), match.start(1)
        yield line, match[1]


def _row(kind: type[C], values: Mapping[str, Any], place: Place) -> C:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        column = ".".join(map(str, first["loc"]))
        raise ConfigError(f"{place}: {column}: {first['msg']}") from None


@dataclass(frozen=True, slots=True)
class Source:
    """The folders that tables are read from.

    Attributes:
        base: the tables; over: the overlay's, or None.
        ledger: what a pharmacist signed of the rows.
        loosened: what the overlay allows that the tables don't; grows as tables are read.
    """

    base: Folder
    over: Folder | None
    ledger: Ledger = field(default_factory=Ledger)
    loosened: list[str] = field(default_factory=list)

    def table(self, kind: type[R], name: str, key: str, files: Sequence[str]) -> Table[R]:
        """The rows `[[name]]` of all files by their column `key` (empty: by their number), the overlay's laid over them.

        What a later file tells of a finding or medicine adds to the row of that name. What was signed of a row comes last.

        Raises:
            ConfigError: a row is not as it should be, stands twice, or loosens without approval; names file and line.
        """
        rows: dict[str, R] = {}
        places: dict[str, Place] = {}
        for number, (values, place) in enumerate(table_rows(name, [(self.base, file) for file in files])):
            row = _row(kind, values, place)
            own = str(getattr(row, key)) if key else f"{name} {number}"
            if own in rows and issubclass(kind, FindingRow | DrugRow | ClassRow) and places[own].file != place.file:
                rows[own] = _row(
                    kind, _merged(rows[own], {key: value for key, value in values.items() if key != "kind"}), place
                )
                continue
            if own in rows:
                raise ConfigError(f"{place}: {name} {own!r} stands in line {places[own].line} of {places[own].file.name} too")
            rows[own], places[own] = row, place
        if self.over is not None:
            self._lay_over(rows, places, table_rows(name, [(self.over, file) for file in files]), kind, key)
        return Table(self.ledger.over(name, rows), places)

    def _lay_over(self, rows: dict[str, R], places: dict[str, Place], found: Sequence[_Found], kind: type[R], key: str) -> None:
        for number, (values, place) in enumerate(found):
            name = str(values.get(key, "")) if key else f"overlay {number}"
            before = rows.get(name)
            row = _row(kind, _merged(before, values) if before is not None else values, place)
            if what := loosens(before, row):
                if not (row.approved_by and row.approved_on):
                    raise ConfigError(
                        f"{place}: {name} {what}; what loosens a rule needs approved_by (a pharmacist) and approved_on (a date)"
                    )
                self.loosened.append(f"{name} {what} ({row.approved_by}, {row.approved_on}; {place})")
            rows[name], places[name] = row, place


def read_ledger(folder: Folder) -> Ledger:
    """The signatures in a folder's `signed.toml`. Raises ConfigError: one isn't as it should be; names file and line."""
    return Ledger.of(_row(Signature, values, place) for values, place in table_rows("signed", [(folder, SIGNED)]))


def _merged(before: Row, values: Mapping[str, Any]) -> dict[str, Any]:
    """The row with the overlay's columns: lists add, other columns replace."""
    given = before.model_dump(by_alias=True)
    for column, value in values.items():
        both = isinstance(value, list) and isinstance(given.get(column), tuple)
        given[column] = [*given[column], *(item for item in value if item not in given[column])] if both else value
    return given
