"""A signed sheet → signatures, whole or not at all: what can't be read is named with its sheet and line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from medasst.catalogue import Catalogue
from medasst.conversation import JSON
from medasst.data.files import read_rows
from medasst.errors import DataError
from medasst.registry import did_you_mean
from medasst.rulebook import Rulebook
from medasst.rulebook.signatures import Key, Kind, Signature
from medasst.signoff.kept import keep, signatures_in
from medasst.signoff.sentences import words
from medasst.signoff.sheet import lines

_TOLD = 20  # problems that are named at once
_DATE = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?(?:[ T]+0{1,2}:00(?::00(?:\.0+)?)?)?")
_SERIAL = re.compile(r"(\d{5})(?:\.0+)?")  # days as Excel counts them
_EXCEL_ZERO = date(1899, 12, 30)


class _Unreadable(ValueError):
    """A cell that says nothing, with what to do."""


class SignedImport(NamedTuple):
    """What came of a sheet.

    Attributes:
        version, folder: of the signatures; unchanged: whether they were in use already.
        approved, refused, checked: lines that say so. undecided: lines with nothing filled in.
        changed: places of lines whose row isn't any more what was signed: not taken.
    """

    version: str
    folder: Path
    unchanged: bool
    approved: int
    refused: int
    checked: int
    undecided: int
    changed: tuple[str, ...]

    def summary(self) -> str:
        """Some lines for the command line."""
        counts = f"{self.approved:,} approved, {self.refused:,} refused, {self.undecided:,} not decided"
        head = f"{counts}; version {self.version}{', which was in use already' if self.unchanged else ''}"
        return "\n".join([head, *(f"not taken: {place}" for place in self.changed)])


def bring_back(sheet: Path, book: Rulebook, catalogue: Catalogue | None, out: Path) -> SignedImport:
    """Take the decisions of a sheet as signatures into `out`, over those that are there.

    Args:
        sheet: as `export` wrote it, filled in; a workbook or CSV.
        book, catalogue: as for the export.

    Raises:
        DataError: the sheet can't be read, or a line of it: a row that isn't there, no name, no date, a word that is no answer.
    """
    known = {line.place: line.content for line in lines(book, catalogue)}
    reader = _Reader(sheet, known)
    try:
        found = list(reader.answers())
    except OSError as error:
        raise DataError(f"can't be read: {error.strerror}; give the sheet that was filled in", sheet) from None
    if reader.problems:
        more = len(reader.problems) - _TOLD
        told = [*reader.problems[:_TOLD], *([f"… and {more:,} more"] if more > 0 else [])]
        raise DataError("nothing was taken:\n" + "\n".join(told), sheet)
    if not found:
        raise DataError("no line of a sheet in it; write one with: medasst rulebook export --out SHEET.xlsx", sheet)
    taken = [answer.signature for answer in found if answer.signature is not None and not answer.changed]
    signatures: dict[Key, Signature] = {**signatures_in(out).signatures}
    signatures.update({(one.table, one.key): one for one in taken})
    kept = keep(signatures.values(), out)
    return SignedImport(
        kept.name,
        kept.folder,
        kept.unchanged,
        approved=sum(not one.refused for one in taken),
        refused=sum(one.refused for one in taken),
        checked=sum(one.checked for one in taken),
        undecided=sum(answer.signature is None for answer in found),
        changed=tuple(answer.changed for answer in found if answer.changed),
    )


class _Answer(NamedTuple):
    """A line as it was filled in: None where it wasn't; `changed`: where it stands, if its row is another now."""

    signature: Signature | None
    changed: str


class _Reader:
    """Reads lines and gathers what is wrong with them. `known`: what may be signed, with its fingerprint."""

    def __init__(self, sheet: Path, known: Mapping[Key, str]) -> None:
        self._sheet, self._known = sheet, known
        self._columns: dict[str, str] = words()["columns"]
        self._tables: dict[str, Kind] = {said: kind for kind, said in words()["tables"].items()}
        self._first: dict[Key, str] = {}
        self.problems: list[str] = []

    def answers(self) -> Iterator[_Answer]:
        """The lines in order, without those that have a problem."""
        for row in read_rows(self._sheet):
            place = f"{self._sheet.name}{f'[{row.part}]' if row.part else ''}:{row.line}"
            if row.part == words()["guide"]:
                continue
            try:
                if row.error or not isinstance(row.value, dict):
                    raise _Unreadable(row.error or "no line of the sheet")
                answer = self._answer(row.value, place)
            except _Unreadable as error:
                self.problems.append(f"{place}: {error}")
            else:
                yield answer

    def _answer(self, row: Mapping[str, JSON], place: str) -> _Answer:
        cells = self._cells(row)
        key = self._key(cells, place)
        agreed = self._yes_or_no(cells, "agree")
        if agreed is None:
            return _Answer(None, "")
        if not cells["by"]:
            raise _Unreadable(f"{self._columns['by']}: nobody is named; who decided?")
        signature = Signature(
            table=key[0],
            key=key[1],
            content=cells["content"],
            approved_by=cells["by"],
            approved_on=self._date(cells["on"]),
            refused=not agreed,
            checked=agreed and bool(self._yes_or_no(cells, "opened")),
            note=cells["note"],
        )
        changed = "" if cells["content"] == self._known[key] else f"{place}: {'/'.join(key)} has changed since; export it again"
        return _Answer(signature, changed)

    def _cells(self, row: Mapping[str, JSON]) -> dict[str, str]:
        needed = ("table", "key", "content", "agree", "by", "on", "note", "opened")
        if missing := [self._columns[name] for name in needed if self._columns[name] not in row]:
            raise _Unreadable(f"the column {missing[0]} isn't there{did_you_mean(missing[0], list(row))}")
        return {name: str(row[self._columns[name]] or "").strip() for name in needed}

    def _key(self, cells: Mapping[str, str], place: str) -> tuple[Kind, str]:
        kind = self._tables.get(cells["table"])
        if kind is None:
            raise _Unreadable(f"{self._columns['table']}: no such table{did_you_mean(cells['table'], list(self._tables))}")
        key = kind, cells["key"]
        if key not in self._known:
            raise _Unreadable(
                f"{cells['key']!r}: no such row; give the --overlay and --catalogue that the sheet was written with"
            )
        if not cells["content"]:
            raise _Unreadable(f"{self._columns['content']}: empty; it says what was read, so leave it as it was exported")
        if (before := self._first.setdefault(key, place)) != place:
            raise _Unreadable(f"{cells['key']!r} stands in {before}, too; leave one")
        return key

    def _yes_or_no(self, cells: Mapping[str, str], name: str) -> bool | None:
        said, answers = cells[name].lower(), words()["word"]["agree"]
        if not said:
            return None
        if said not in (*answers["yes"], *answers["no"]):
            yes, no = words()["sheet"]["yes"], words()["sheet"]["no"]
            raise _Unreadable(f"{self._columns[name]}: {cells[name]!r} is no answer; write {yes} or {no}, or nothing")
        return said in answers["yes"]

    def _date(self, said: str) -> date:
        found = _read_date(said)
        if found is None:
            raise _Unreadable(f"{self._columns['on']}: {said!r} is no date; write it as 2026-11-30")
        if found > datetime.now().date():
            raise _Unreadable(f"{self._columns['on']}: {found} is yet to come")
        return found


def _read_date(said: str) -> date | None:
    """2026-11-30, 2026/11/30, 2026年11月30日, with midnight behind it, or the days that Excel counts."""
    if serial := _SERIAL.fullmatch(said):
        return _EXCEL_ZERO + timedelta(days=int(serial[1]))
    if not (match := _DATE.fullmatch(said)):
        return None
    try:
        return date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None
