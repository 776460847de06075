"""Files as rows with their place: which there are, what kind each is, and what is wrong with it.

What a row means is the layouts' business. Bad data never stops a file: it comes out as a `Row` with an error, and only
what is wrong with the settings (no such file, an unknown kind of file) is raised. Text is read as a stream: no more than
one record, at most `rows.LONGEST` characters of it, is held at a time.
"""

from __future__ import annotations

import glob
import io
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import IO, Any

from medasst.data import documents, json_text, rows, tables
from medasst.data.encodings import sniffed
from medasst.data.packed import DAMAGED, PACKED, Part, inner_suffix, is_archive, is_junk, parts, told_by_disk
from medasst.data.rows import TURN, Knows, Lines, Row, Skip, too_long
from medasst.errors import DataError

_TEXT_SUFFIXES = {".json", ".jsonl", ".ndjson", ".txt", ".csv", ".tsv"}
_TABLES: dict[str, Callable[[Path], Iterator[Row]]] = {".parquet": tables.parquet_rows, ".xlsx": tables.excel_rows}
_KINDS = ", ".join(sorted([*_TEXT_SUFFIXES, *_TABLES]))
_CONSULTATION = re.compile(r"id\s*=\s*\d+\s*$")
_REMEDIES = {
    ".xls": "save it as .xlsx",
    ".doc": "save its table as .xlsx or its text as .txt",
    ".docx": "save its table as .xlsx or its text as .txt",
    ".7z": "unpack it, or pack it as .zip",
    ".rar": "unpack it, or pack it as .zip",
    ".zst": "unpack it, or pack it as .gz",
}
_MAGIC = {
    b"PK\x03\x04": "a zip archive or an Excel workbook; name it .zip or .xlsx",
    b"\x1f\x8b": "packed by gzip; name it .gz",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save it as .xlsx",
    b"PAR1": "a Parquet file; name it .parquet",
}


def matching(pattern: str, remedy: str = "check the path and the pattern") -> list[tuple[str, Path]]:
    """The files of a glob pattern with their names relative to its fixed part, sorted by name.

    What systems leave beside files (Thumbs.db, ~$sheet.xlsx) is passed over.

    Args:
        remedy: what to do if there are none.

    Raises:
        DataError: no file matches, or one is of a kind that can't be read.
    """
    fixed = re.split(r"[*?\[]", pattern, maxsplit=1)[0]
    root = Path(fixed) if fixed.endswith(os.sep) else Path(fixed).parent
    found = [Path(p) for p in glob.glob(pattern, recursive=True) if Path(p).is_file()]  # noqa: PTH207 - absolute patterns
    found = [path for path in found if not is_junk(path.name)]
    if not found:
        folder = " (a folder: add /* for the files in it)" if Path(pattern).is_dir() else ""
        raise DataError(f"no file matches{folder}; {remedy}", pattern)
    for path in found:
        _check_kind(path)
    return sorted((p.relative_to(root).as_posix(), p) for p in found)


def _check_kind(path: Path) -> None:
    suffix = inner_suffix(path.name)
    if is_archive(path.name) or suffix in _TEXT_SUFFIXES or suffix in _TABLES:
        return
    remedy = _REMEDIES.get(suffix, f"use {_KINDS}, or those packed as {', '.join(PACKED)}")
    raise DataError(f"unknown kind of file {suffix!r}; {remedy}", path)


def _nothing_known(_: Iterable[str]) -> bool:
    return False


def read_rows(
    path: Path, columns: Sequence[str] = (), knows: Knows = _nothing_known, skip: Skip | None = None
) -> Iterator[Row]:
    """The file's records in order, those of an archive file by file; a file without any gives one `Row` that says so.

    Args:
        path: the file; its kind is told from its suffixes, its encoding and form from its first bytes.
        columns: the headings of a CSV, TSV or tab-separated text file that has none.
        knows: whether fields of these names make a record: how one object alone is told from one around many.
        skip: rows at the beginning to leave out.

    Raises:
        DataError: the file's kind can't be read; what is wrong in it is a `Row` with an error.
        OSError: the file is gone or may not be read, or there is no room to unpack it.
    """
    skip = skip or Skip()
    _check_kind(path)
    with tempfile.TemporaryDirectory(prefix="medasst-") as folder:
        for row in _rows(path, Path(folder), columns, knows, skip):
            if skip.left:
                skip.left, skip.line = skip.left - 1, row.line
            else:
                yield row


def _rows(path: Path, scratch: Path, columns: Sequence[str], knows: Knows, skip: Skip) -> Iterator[Row]:
    try:
        found = False
        for part in parts(path, scratch):
            found = True
            for row in _part_rows(part, scratch, columns, knows, skip):
                yield row._replace(part="/".join(filter(None, (part.name, row.part)))) if part.name else row
        if not found:
            yield _empty()
    except DAMAGED as error:
        yield _damaged(0, error)


def _part_rows(part: Part, scratch: Path, columns: Sequence[str], knows: Knows, skip: Skip) -> Iterator[Row]:
    if part.problem:
        yield Row(1, error=part.problem)
        return
    skip.line = line = 0
    try:
        if part.suffix in _TABLES:
            found = _TABLES[part.suffix](part.path(scratch))
        elif part.suffix in _TEXT_SUFFIXES:
            found = _text_rows(part, columns, knows, skip)
        else:
            found = iter([Row(1, error=f"unknown_kind: a file in the archive is none of {_KINDS}; it is passed over")])
        for row in found:
            line = row.line
            yield row
    except DAMAGED as error:
        yield _damaged(max(line, skip.line), error)
    else:
        if not line and not skip.line:
            yield _empty()


def _damaged(line: int, error: Exception) -> Row:
    if told_by_disk(error):
        raise error  # the disk is full or the file is gone: nothing the file itself could tell
    remedy = "" if "password" in str(error) else "; fetch the file again"
    return Row(line + 1, error=f"unreadable: damaged, truncated or locked from here on ({error}){remedy}")


def _empty() -> Row:
    return Row(1, error="empty_file: no record in it; fetch the file again or take it out of the pattern")


# ---- text ------------------------------------------------------------------------------------------------------------


def _text_rows(part: Part, columns: Sequence[str], knows: Knows, skip: Skip) -> Iterator[Row]:
    with closing(part.open()) as file:
        beginning = file.read(4)
    for magic, told in _MAGIC.items():
        if beginning.startswith(magic):
            yield Row(1, error=f"unreadable: not text but {told}")
            return
    encoding, head = sniffed(part.open)
    if not encoding:
        yield Row(1, error="wrong_encoding: neither UTF-8 nor GB18030; save the file as UTF-8", raw=head[:200])
        return
    damages: list[Exception] = []
    opened = partial(_opened, part, encoding, damages)
    table = part.suffix in {".csv", ".tsv"}
    if not table and head.lstrip("\ufeff \t\r\n").startswith(("{", "[")):
        yield from documents.read(partial(opened, "\n"), head, part.suffix in {".jsonl", ".ndjson"}, knows, skip)
    elif table or columns or (part.suffix == ".txt" and tables.is_table(head)):
        with closing(opened("")) as text:
            known = tables.dialect(head, "," if part.suffix == ".csv" else "\t")
            # Plain text without headings has no quoting: a lone quotation mark in it must not swallow the lines below.
            yield from tables.text_rows(text, known, columns, quoted=part.suffix != ".txt" or not columns)
    else:
        with closing(opened(None if part.suffix == ".txt" else "\n")) as text:
            yield from _prose(head, part.suffix)(text, skip)
    if damages:
        raise damages[0]


def _opened(part: Part, encoding: str, damages: list[Exception], newline: str | None) -> IO[str]:
    """The text of a part. csv and people know several ends of a line, JSON lines one."""
    file = part.open() if part.file else io.BufferedReader(_UpToDamage(part.open(), damages), 1 << 16)
    # A stray byte becomes U+FFFD, which the cleaning counts as a broken encoding; it must not end the file.
    return io.TextIOWrapper(file, encoding=encoding, errors="replace", newline=newline)


class _UpToDamage(io.RawIOBase):
    """Packed bytes that end where the damage begins, which is noted, so that all that came before can be read."""

    def __init__(self, file: Any, damages: list[Exception]) -> None:
        self._file, self._damages = file, damages

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._file.read1(len(buffer))
        except DAMAGED as error:
            if told_by_disk(error):
                raise
            self._damages.append(error)
            return 0
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def _prose(head: str, suffix: str) -> Callable[[IO[str], Skip], Iterator[Row]]:
    """The reader for a text file that begins so and is neither JSON nor a table."""
    first = head.lstrip().partition("\n")[0]
    if suffix == ".txt" and _CONSULTATION.match(first):
        return _consultations
    return _whole if suffix == ".txt" and TURN.match(first) else json_text.lines


def _whole(text: IO[str], _: Skip) -> Iterator[Row]:
    """A file that is one dialogue, its turns marked."""
    held = text.read(rows.LONGEST + 1)
    yield too_long(1, held) if len(held) > rows.LONGEST else Row(1, {"transcript": held})


def _consultations(text: IO[str], _: Skip) -> Iterator[Row]:
    """Blocks that each begin with a line `id=…`."""
    block: list[str] = []
    start = size = 0
    for number, line in enumerate(Lines(text), 1):
        if _CONSULTATION.match(line):
            if block:
                yield _block(start, size, block)
            block, start, size = [], number, 0
        size += len(line)
        if size <= rows.LONGEST:
            block.append(line)
    if block:
        yield _block(start, size, block)


def _block(start: int, size: int, block: list[str]) -> Row:
    return too_long(start, block[0]) if size > rows.LONGEST else Row(start, {"consultation": "".join(block)})
