"""One import: a shop's files → a version of its catalogue, whole or not at all; the same again changes nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, NamedTuple

from medasst.cache import building
from medasst.catalogue.index import Writer, made_by
from medasst.catalogue.versions import FILE, place, use
from medasst.conversation import JSON
from medasst.data.files import matching, read_rows
from medasst.data.rows import Row
from medasst.data.tables import sheet_names
from medasst.disk import file_sha256, package_file
from medasst.errors import ConfigError, DataError
from medasst.formulary import Formulary
from medasst.intake.mapping import CatalogueMapping, nearest
from medasst.intake.report import Report, write_report
from medasst.intake.rows import NO_MEDICINE, Problem, Reading, RowReader
from medasst.lexicon import Lexicon
from medasst.progress import Progress, silent
from medasst.rulebook import Rulebook

_FORMAT = 2  # of a version's folder; a change makes every import new
_HEAD = 1_000  # rows by which a file's columns are told
_TOLD = 500  # rows between two words to `progress`
_READERS = ("mapping.py", "codes.py", "cells.py", "rows.py", "words.toml")


class Intake(NamedTuple):
    """What an import came to.

    Attributes:
        folder: the version's folder, with `report.html` and what it speaks of.
        version: its name; unchanged: whether it was there already.
    """

    folder: Path
    version: str
    report: Report
    unchanged: bool

    def summary(self) -> str:
        """One line for the command line."""
        told = self.report
        counts = f"{told.read:,} rows read: {told.taken:,} in ({told.offered:,} offered), {told.refused:,} refused"
        return f"{counts}; version {self.version}{', which was there already' if self.unchanged else ''}"


class _File(NamedTuple):
    """One of the shop's files. `content` is a hash of its rows: a workbook that was saved again has other bytes."""

    name: str
    path: Path
    sha256: str
    content: str

    @classmethod
    def of(cls, name: str, path: Path, mapping: CatalogueMapping) -> _File:
        sha256 = file_sha256(path)
        if path.suffix != ".xlsx":
            return cls(name, path, sha256, sha256)
        digest = hashlib.sha256()
        for row in _rows(mapping, cls(name, path, sha256, "")):
            digest.update(json.dumps([row.part, row.line, row.value, row.error], ensure_ascii=False, default=str).encode())
        return cls(name, path, sha256, digest.hexdigest())


class _Place(NamedTuple):
    """Where a row stands, for whoever has to mend it."""

    file: str
    part: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}{f'[{self.part}]' if self.part else ''}:{self.line}"


class _Job(NamedTuple):
    """Everything that a version is made from, and its name."""

    mapping: CatalogueMapping
    files: list[_File]
    lexicon: Lexicon
    version: str

    @classmethod
    def of(cls, mapping: CatalogueMapping, lexicon: Lexicon | None) -> _Job:
        """Raises DataError: no such file, or no row in one. ConfigError: a workbook lacks a column or a sheet that is named."""
        found = dict(file for pattern in mapping.files for file in matching(pattern, "check `files` in the mapping"))
        files = [_File.of(name, path, mapping) for name, path in found.items()]
        lexicon = lexicon or Lexicon(Rulebook.load(mapping.rulebook, mapping.overlay))
        settings = mapping.model_dump(mode="json", exclude={"files", "rulebook", "overlay"})
        program = [file_sha256(package_file(f"intake/{name}")) for name in _READERS]
        made_of = [_FORMAT, settings, [(file.name, file.content) for file in files], made_by(lexicon.book), program]
        key = json.dumps(made_of, ensure_ascii=False, sort_keys=True)
        return cls(mapping, files, lexicon, hashlib.sha256(key.encode()).hexdigest()[:12])


def bring_in(mapping: CatalogueMapping, out: Path, progress: Progress = silent, lexicon: Lexicon | None = None) -> Intake:
    """Read a shop's files into a new version of the catalogue in `out`, and serve it from now on.

    The version's name is a hash of all that it is made from: files, mapping, rulebook, program. One that is there already is
    only taken into use again. A version of which too many rows were refused is kept beside with its report, and isn't served.

    Args:
        lexicon: reads by the tables that the mapping names; None: they are loaded.

    Raises:
        ConfigError: the mapping names a column or a sheet that isn't there; names those that are.
        DataError: no such file, no row in it, more rows refused than `refuse_above`, or it changed while it was read.
    """
    job = _Job.of(mapping, lexicon)
    folder = place(out, job.version)
    with building(folder) as unfinished:
        if unfinished is not None:
            _make(job, unfinished, progress)
    report = Report.load(folder / "report.json")
    if not report.served:
        raise DataError(
            f"{report.refused:,} of {report.read:,} rows are refused, more than refuse_above = {mapping.refuse_above:g} "
            f"allows; what was served before still is. Why, and what to do: {folder / 'report.html'}",
            job.files[0].path,
        )
    use(out, job.version)
    return Intake(folder, job.version, report, unchanged=unfinished is None)


def _make(job: _Job, folder: Path, progress: Progress) -> None:
    """Fill the folder of a version."""
    formulary = Formulary(job.lexicon.book)
    writer = Writer(folder / FILE, job.lexicon, formulary)
    files = [{"name": file.name, "sha256": file.sha256} for file in job.files]
    report = Report(version=job.version, rulebook=job.lexicon.book.fingerprint, files=files)
    try:
        with (
            (folder / "rejected.jsonl").open("w", encoding="utf-8") as bad,
            (folder / "resolved.jsonl").open("w", encoding="utf-8") as good,
        ):
            books, reader = _Books(writer, report, bad, good), RowReader(job.mapping, formulary)
            for file in job.files:
                for row in _rows(job.mapping, file):
                    books.enter(_Place(file.name, row.part, row.line), _read(reader, row))
                    if report.read % _TOLD == 0:
                        progress("read the catalogue", report.read)
        for file in job.files:
            if file_sha256(file.path) != file.sha256:
                raise DataError("changed while it was read; import it again", file.path)
        writer.finish(job.version)
    finally:
        writer.close()
    others = report.problems[NO_MEDICINE]  # a whole shop's file may hold many; that they stay out is no sign of a wrong mapping
    report.served = bool(report.taken) and report.refused - others <= job.mapping.refuse_above * (report.read - others)
    write_report(folder, report)


class _Books:
    """Enters each row: the product into the index, what became of it into the lists and the report."""

    def __init__(self, writer: Writer, report: Report, bad: IO[str], good: IO[str]) -> None:
        self._writer, self._report, self._bad, self._good = writer, report, bad, good
        self._first: dict[str, _Place] = {}

    def enter(self, place: _Place, found: Reading) -> None:
        """A row in the order of the files; of two with one SKU the later is refused."""
        before = self._first.get(found.sku) if found.product else None
        again = [Problem("sku", "duplicate_sku", found.sku, other=str(before))] if before else []
        problems = [*found.problems, *again]
        product = None if before else found.product
        for problem in problems:
            _line(self._bad, self._report.problem(*place, found.sku, problem))
        self._report.row(problems, taken=product is not None)
        if product is not None:
            self._first[found.sku] = place
            _line(self._good, self._report.product(self._writer.add(product)))


def _line(file: IO[str], value: dict[str, Any]) -> None:
    file.write(json.dumps(value, ensure_ascii=False) + "\n")


def _read(reader: RowReader, row: Row) -> Reading:
    if row.error or not isinstance(row.value, dict):
        told = row.error or "no row of named columns"
        return Reading(None, "", [Problem("row", "row_unreadable", told)])
    return reader.read(row.value)


def _rows(mapping: CatalogueMapping, file: _File) -> Iterator[Row]:
    """The rows of a file, of the sheet that is meant; its columns are checked before the first is handed on."""
    _check_sheet(mapping, file)
    wanted = {mapping.columns.sku, mapping.columns.name}

    def knows(names: Any) -> bool:
        return wanted <= set(names)

    rows = (row for row in read_rows(file.path, mapping.headings, knows) if _is_meant(mapping, file, row))
    head = list(islice(rows, _HEAD))
    if any(row.error.startswith("empty_file") for row in head):
        raise DataError("no product in it; check the file, its sheet and its headings", file.path)
    named = [name for row in head if isinstance(row.value, dict) for name in _names(row.value)]
    if named:
        mapping.check(named, file.name)
    return chain(head, rows)


def _names(value: dict[str, JSON]) -> Iterator[str]:
    return iter(value)


def _is_meant(mapping: CatalogueMapping, file: _File, row: Row) -> bool:
    return not mapping.sheet or file.path.suffix != ".xlsx" or row.part in ("", mapping.sheet)


def _check_sheet(mapping: CatalogueMapping, file: _File) -> None:
    """Raises ConfigError: no such sheet, or several and none is named."""
    if file.path.suffix != ".xlsx":
        return
    sheets = sheet_names(file.path)
    if mapping.sheet and mapping.sheet not in sheets:
        raise ConfigError(f"sheet = {mapping.sheet!r}: {file.name} has no such sheet; it has {nearest(mapping.sheet, sheets)}")
    if not mapping.sheet and len(sheets) > 1:
        raise ConfigError(f"{file.name} has several sheets; name the one to read: sheet = one of {', '.join(sheets)}")
