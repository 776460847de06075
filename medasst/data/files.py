"""Containers: JSON, JSONL, CSV/TSV, Parquet, XLSX, each also .gz or .zip, as rows with their place.

What a row means is the layouts' business. A bad row never stops a file: it comes out as a `Row` with an error.
"""

from __future__ import annotations

import codecs
import csv
import glob
import gzip
import hashlib
import io
import itertools
import json
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import polars as pl

from medasst.conversation import JSON
from medasst.errors import DataError

LONGEST = 16_000_000  # characters of one record; a longer one is set aside, not loaded
_TEXT_SUFFIXES = {".json", ".jsonl", ".ndjson", ".txt", ".csv", ".tsv"}
_ENCODINGS = ("utf-8-sig", "gb18030")
_NEXT_OBJECT = re.compile(r"\}\s*,\s*(?=\{)")


class Row(NamedTuple):
    """One record as it stands in a file. `error` says why there is no value; `raw` is then what could be read of it."""

    line: int
    value: JSON = None
    error: str = ""
    raw: str = ""


def matching(pattern: str) -> list[tuple[str, Path]]:
    """The files of a glob pattern with their names relative to its fixed part, sorted by name.

    Raises:
        DataError: no file matches.
    """
    fixed = re.split(r"[*?\[]", pattern, maxsplit=1)[0]
    root = Path(fixed) if fixed.endswith(os.sep) else Path(fixed).parent
    found = [Path(p) for p in glob.glob(pattern, recursive=True) if Path(p).is_file()]  # noqa: PTH207 - absolute patterns
    if not found:
        raise DataError("no file matches; check the path and the pattern", pattern)
    return sorted((p.relative_to(root).as_posix(), p) for p in found)


def sha256(path: Path) -> str:
    """The file's sha256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_rows(path: Path) -> Iterator[Row]:
    """The file's records in order.

    Raises:
        DataError: the file can't be opened or its kind is unknown; everything later is a `Row` with an error.
    """
    suffix, packed = _kinds(path)
    if suffix == ".parquet":
        yield from _from_table(path, pl.read_parquet)
    elif suffix == ".xlsx":
        yield from _from_table(path, _read_excel)
    elif suffix not in _TEXT_SUFFIXES:
        raise DataError(
            f"unknown kind of file {suffix!r}; use {', '.join(sorted(_TEXT_SUFFIXES))}, .parquet, .xlsx, or those as .gz, .zip",
            path,
        )
    else:
        with _open_text(path, packed) as text:
            yield from _guarded(_text_rows(text, suffix))


def _kinds(path: Path) -> tuple[str, str]:
    suffixes = [s.lower() for s in path.suffixes]
    packed = suffixes.pop() if suffixes and suffixes[-1] in {".gz", ".zip"} else ""
    if packed == ".zip" and not (suffixes and suffixes[-1] in _TEXT_SUFFIXES):
        with _opening(path), zipfile.ZipFile(path) as archive:
            suffixes = [Path(_member(path, archive)).suffix.lower()]
    return (suffixes[-1] if suffixes else ""), packed


def _member(path: Path, archive: zipfile.ZipFile) -> str:
    names = [n for n in archive.namelist() if not n.endswith("/") and not n.startswith("__MACOSX")]
    if len(names) != 1:
        raise DataError(f"the zip holds {len(names)} files; it must hold one (unpack it and give a pattern)", path)
    return names[0]


@contextmanager
def _opening(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"can't be opened: {error}", path) from error


def _binary(path: Path, packed: str) -> IO[bytes]:
    with _opening(path):
        if packed == ".zip":
            archive = zipfile.ZipFile(path)
            return archive.open(_member(path, archive))
        if packed == ".gz":
            return cast("IO[bytes]", gzip.open(path, "rb"))
        return path.open("rb")


@contextmanager
def _open_text(path: Path, packed: str) -> Iterator[IO[str]]:
    with _binary(path, packed) as sample:
        encoding = _encoding(sample)
    with _binary(path, packed) as raw:
        # A stray byte becomes U+FFFD, which the cleaning counts as a broken encoding; it must not end the file.
        yield io.TextIOWrapper(raw, encoding=encoding, errors="replace", newline="")


def _encoding(sample: IO[bytes]) -> str:
    head = b""
    try:
        while len(head) < 1_000_000 and (part := sample.read(65536)):
            head += part
    except (EOFError, OSError, zlib.error):
        pass  # a truncated archive: judge by what there is; reading it reports the truncation
    for encoding in _ENCODINGS:
        try:
            codecs.getincrementaldecoder(encoding)("strict").decode(head, final=False)
            return encoding
        except UnicodeDecodeError:
            continue
    return _ENCODINGS[0]


def _guarded(rows: Iterator[Row]) -> Iterator[Row]:
    """Damage of the container becomes one last bad row."""
    line = 0
    try:
        for row in rows:
            line = row.line
            yield row
    except (EOFError, OSError, zlib.error, zipfile.BadZipFile) as error:
        yield Row(line + 1, error=f"unreadable: the file is damaged or truncated from here on ({error}); fetch it again")


def _text_rows(text: IO[str], suffix: str) -> Iterator[Row]:
    if suffix in {".csv", ".tsv"}:
        return _csv_rows(text, "\t" if suffix == ".tsv" else ",")
    head = ""
    while not head.strip() and (part := text.read(4096)):
        head += part
    if head.lstrip().startswith("["):
        return _array_rows(text, head)
    return _line_rows(text, head)


def _line_rows(text: IO[str], head: str) -> Iterator[Row]:
    # `head` ends anywhere: its last line goes on in the file.
    rest = head + text.readline(LONGEST) if head else ""
    lines = itertools.chain(rest.splitlines(keepends=True) if "\r" not in rest else io.StringIO(rest), _long_lines(text))
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _parsed(number, line)


def _long_lines(text: IO[str]) -> Iterator[str]:
    while line := text.readline(LONGEST):
        if len(line) == LONGEST and not line.endswith("\n"):
            while (part := text.readline(LONGEST)) and not part.endswith("\n"):
                pass
        yield line


def _parsed(number: int, line: str) -> Row:
    if len(line) >= LONGEST:
        return Row(number, error=f"too_long: one record of more than {LONGEST:,} characters", raw=line[:200])
    try:
        return Row(number, json.loads(line))
    except (ValueError, RecursionError) as error:
        return Row(number, error=f"not_json: {error}", raw=line.strip()[:2000])


def _array_rows(text: IO[str], head: str) -> Iterator[Row]:
    """The elements of one JSON array, one at a time."""
    decoder = json.JSONDecoder()
    line = 1 + head[: head.index("[") + 1].count("\n")
    buffer = head[head.index("[") + 1 :]
    ended = False
    while True:
        stripped = buffer.lstrip(" \t\r\n,")
        line += buffer[: len(buffer) - len(stripped)].count("\n")
        buffer = stripped
        if buffer.startswith("]"):
            return
        try:
            value, end = decoder.raw_decode(buffer) if buffer else (None, 0)
            complete = bool(buffer) and (end < len(buffer) or ended)
        except (ValueError, RecursionError):
            complete, end = False, 0
        if complete:
            yield Row(line, value)
            line += buffer.count("\n", 0, end)
            buffer = buffer[end:]
            continue
        # Double what is held, so that a long element costs linear time.
        part = "" if len(buffer) >= LONGEST else text.read(max(1 << 16, len(buffer)))
        if part:
            buffer += part
            continue
        ended = len(buffer) < LONGEST
        if not buffer:
            yield Row(line, error="not_json: the array is not closed; the file is truncated")
            return
        skip = _NEXT_OBJECT.search(buffer)
        yield Row(
            line,
            error="not_json: this element of the array is not valid JSON",
            raw=buffer[: skip.end() if skip else 2000][:2000],
        )
        if not skip:
            return
        line += buffer.count("\n", 0, skip.end())
        buffer = buffer[skip.end() :]


def _csv_rows(text: IO[str], delimiter: str) -> Iterator[Row]:
    csv.field_size_limit(LONGEST)
    reader = csv.reader((line.replace("\0", "") for line in text), delimiter=delimiter)
    header: list[str] | None = None
    while True:
        start = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row(start, error=f"bad_csv: {error}")
            continue
        if not cells:
            continue
        if header is None:
            header = [name.strip() for name in cells]
        elif len(cells) != len(header):
            yield Row(
                start, error=f"bad_csv: {len(cells)} cells under {len(header)} headings", raw=delimiter.join(cells)[:2000]
            )
        else:
            yield Row(start, dict(zip(header, cells, strict=True)))


def _from_table(path: Path, read: Callable[[Path], pl.DataFrame]) -> Iterator[Row]:
    try:
        frame = read(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"can't be read: {error}", path) from error
    for number, value in enumerate(frame.iter_rows(named=True), 2 if path.suffix == ".xlsx" else 1):
        yield Row(number, value)


def _read_excel(path: Path) -> pl.DataFrame:
    try:
        frame: Any = pl.read_excel(path, infer_schema_length=0)
    except ModuleNotFoundError as error:
        raise DataError("reading .xlsx needs fastexcel: pip install fastexcel, or save the sheet as CSV", path) from error
    return frame if isinstance(frame, pl.DataFrame) else pl.DataFrame()
