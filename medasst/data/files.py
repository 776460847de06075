"""Containers: JSON, JSONL, CSV/TSV, Parquet, XLSX and plain text, each also .gz or .zip, as rows with their place.

What a row means is the layouts' business. Bad data never stops a file: it comes out as a `Row` with an error, and only
what is wrong with the settings (no such file, an unknown kind of file) is raised. Text is read as a stream: no more than
one record, at most `LONGEST` characters of it, is held at a time.
"""

from __future__ import annotations

import codecs
import csv
import glob
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import polars as pl
import polars.selectors as cs

from medasst.conversation import JSON
from medasst.errors import DataError

LONGEST = 1_000_000  # characters of one record; a longer one is set aside, not loaded
_HEAD = 65_536  # bytes by which the form of a text file is told
_BATCH = 20_000  # table rows held at once
_TEXT_SUFFIXES = {".json", ".jsonl", ".ndjson", ".txt", ".csv", ".tsv"}
_ASCII = re.compile(r"[\x00-\x7f]+")
_DAMAGED = (EOFError, OSError, zlib.error, zipfile.BadZipFile)
_NEXT_OBJECT = re.compile(r"\}\s*,?\s*(?=\{)")
_ARRAY = re.compile(r'\[(?!\s*")')  # a list of texts is one record: the turns of a dialogue
_BLANK = re.compile(r"[ \t\r\n,]*")
_HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]")
_CONSULTATION = re.compile(r"id\s*=\s*\d+\s*$")

# A turn of a written-down dialogue begins so. Who speaks is the layouts' business.
TURN = re.compile(
    r"^\s*(病人|患者|用户|顾客|医生|医师|药师|客服|助手|问|答|[Pp]atient|[Dd]octor|[Uu]ser|[Aa]ssistant|Human|Q|A)\s*[:：]\s*",
    re.MULTILINE,
)


class Row(NamedTuple):
    """One record as it stands in a file. `error` says why there is no value; `raw` is then what could be read of it."""

    line: int
    value: JSON = None
    error: str = ""
    raw: str = ""


def matching(pattern: str, remedy: str = "check the path and the pattern") -> list[tuple[str, Path]]:
    """The files of a glob pattern with their names relative to its fixed part, sorted by name.

    Args:
        remedy: what to do if there are none.

    Raises:
        DataError: no file matches, or one is of a kind that can't be read.
    """
    fixed = re.split(r"[*?\[]", pattern, maxsplit=1)[0]
    root = Path(fixed) if fixed.endswith(os.sep) else Path(fixed).parent
    found = [Path(p) for p in glob.glob(pattern, recursive=True) if Path(p).is_file()]  # noqa: PTH207 - absolute patterns
    if not found:
        raise DataError(f"no file matches; {remedy}", pattern)
    for path in found:
        with suppress(*_DAMAGED):  # damage is told when the file is read
            _kind(path)
    return sorted((p.relative_to(root).as_posix(), p) for p in found)


def sha256(path: Path) -> str:
    """The file's sha256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_rows(path: Path, columns: Sequence[str] = ()) -> Iterator[Row]:
    """The file's records in order; a file without any gives one `Row` that says so.

    Args:
        path: the file; its kind is told from its suffixes, its encoding and form from its first bytes.
        columns: the headings of a CSV, TSV or tab-separated text file that has none.

    Raises:
        DataError: the file's kind can't be read; what is wrong in it is a `Row` with an error.
        OSError: the file is gone or may not be read, or there is no room to unpack it.
    """
    line = 0
    try:
        suffix, packed = _kind(path)
        with tempfile.TemporaryDirectory(prefix="medasst-") as folder:
            opened = _Opened(path, packed, folder)
            rows = _TABLES[suffix](opened.path()) if suffix in _TABLES else _text_rows(opened, suffix, columns)
            for row in rows:
                line = row.line
                yield row
    except _DAMAGED as error:
        if getattr(error, "errno", None) is not None:
            raise  # the disk is full or the file is gone: nothing the file itself could tell
        yield Row(line + 1, error=f"unreadable: damaged or truncated from here on ({error}); fetch the file again")
    else:
        if not line:
            yield Row(1, error="empty_file: no record in it; fetch the file again or take it out of the pattern")


class _Opened(NamedTuple):
    """A file that may be packed: as bytes, as often as wanted, or as a plain file."""

    file: Path
    packed: str
    folder: str

    def bytes(self) -> IO[bytes]:
        if self.packed == ".zip":
            archive = zipfile.ZipFile(self.file)
            try:
                return archive.open(_member(self.file, archive))
            except RuntimeError as error:  # encrypted, or packed in a way that isn't known
                raise OSError(str(error)) from error
        return cast("IO[bytes]", gzip.open(self.file, "rb")) if self.packed else self.file.open("rb")

    def path(self) -> Path:
        """Tables are read from a place on disk: a packed one is unpacked into a temporary folder, not into memory."""
        if not self.packed:
            return self.file
        target = Path(self.folder) / "table"
        with self.bytes() as packed, target.open("wb") as plain:
            shutil.copyfileobj(packed, plain)
        return target


def _kind(path: Path) -> tuple[str, str]:
    """The suffix of what is in the file, and how it is packed. Raises DataError where that can't be read."""
    suffixes = [s.lower() for s in path.suffixes]
    packed = suffixes.pop() if suffixes and suffixes[-1] in {".gz", ".zip"} else ""
    suffix = suffixes[-1] if suffixes else ""
    if packed == ".zip":
        with zipfile.ZipFile(path) as archive:
            suffix = Path(_member(path, archive)).suffix.lower()
    if suffix not in _TEXT_SUFFIXES and suffix not in _TABLES:
        kinds = ", ".join(sorted([*_TEXT_SUFFIXES, *_TABLES]))
        raise DataError(f"unknown kind of file {suffix!r}; use {kinds}, or those as .gz or .zip", path)
    return suffix, packed


def _member(path: Path, archive: zipfile.ZipFile) -> str:
    names = [n for n in archive.namelist() if not n.endswith("/") and not n.startswith("__MACOSX")]
    if len(names) != 1:
        raise DataError(f"the zip holds {len(names)} files; it must hold one (unpack it and give a pattern)", path)
    return names[0]


# ---- text ------------------------------------------------------------------------------------------------------------


def _text_rows(opened: _Opened, suffix: str, columns: Sequence[str]) -> Iterator[Row]:
    encoding, head = _sniffed(opened)
    if not encoding:
        yield Row(1, error="wrong_encoding: neither UTF-8 nor GB18030; save the file as UTF-8", raw=head[:200])
        return
    table = suffix in {".csv", ".tsv"} or bool(columns)
    ends = "" if table else None if suffix == ".txt" else "\n"  # csv and people know several ends of a line, JSON lines one
    with opened.bytes() as raw:
        # A stray byte becomes U+FFFD, which the cleaning counts as a broken encoding; it must not end the file.
        text = io.TextIOWrapper(raw, encoding=encoding, errors="replace", newline=ends)
        if table:
            # Plain text has no quoting: a lone quotation mark in it must not swallow the lines below.
            yield from _csv_rows(_Lines(text), "," if suffix == ".csv" else "\t", suffix != ".txt", list(columns))
        else:
            yield from _form(head, suffix)(text)


def _sniffed(opened: _Opened) -> tuple[str, str]:
    """The encoding ("" if it is none of ours) and the beginning of the text."""
    head = sample = b""
    with opened.bytes() as file:
        try:
            # Escaped JSON may begin with megabytes of ASCII: judge by what isn't.
            while len(sample) < 1_000_000 and (part := file.read(_HEAD)):
                head = head or part
                if sample or not part.isascii():
                    sample += part
        except _DAMAGED:
            pass  # judge by what there is; reading it reports the damage
    encoding = _encoding(sample)
    return encoding, head.decode(encoding or "utf-8", "replace").lstrip("\ufeff")


def _encoding(sample: bytes) -> str:
    if sample[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}:
        return "utf-16"
    text = codecs.getincrementaldecoder("utf-8-sig")("replace").decode(sample, final=False)
    lost = text.count("\ufffd")
    if not lost or lost < 0.1 * len(_beyond_ascii(text)):  # a few stray bytes are broken records, not another encoding
        return "utf-8-sig"
    if _is_chinese(sample.decode("gb18030", "replace")):
        return "gb18030"
    return "utf-8-sig" if lost < 20 else ""


def _is_chinese(text: str) -> bool:
    """Whether most characters are common ones: almost any bytes decode as GB18030, Big5 and Shift-JIS too."""
    seen = _beyond_ascii(text)[:20_000]
    common = seen.encode("gb2312", "ignore")[::2]  # first bytes: those below D8 are punctuation and the 3,755 commonest
    return sum(byte < 0xD8 for byte in common) > 0.55 * len(seen)


def _beyond_ascii(text: str) -> str:
    return "".join(_ASCII.split(text))


def _form(head: str, suffix: str) -> Callable[[IO[str]], Iterator[Row]]:
    """The reader for a text file that begins so."""
    first, _, more = head.lstrip().partition("\n")
    second = more.lstrip().partition("\n")[0]
    if first.startswith("{"):
        lines = suffix in {".jsonl", ".ndjson"} or _is_json(first) or _is_json(second)
        return _line_rows if lines else _value_rows
    if first.startswith("["):
        # A whole list on the first line and more below it: each line is a record.
        return _line_rows if second and _is_json(first) else _value_rows
    if suffix == ".txt" and _CONSULTATION.match(first):
        return _consultations
    return _whole if suffix == ".txt" and TURN.match(first) else _line_rows


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


class _Lines:
    """Lines of bounded length. What a line has beyond `LONGEST` characters is passed over; `cut` then says so."""

    def __init__(self, text: IO[str]) -> None:
        self._text, self.cut = text, False

    def __iter__(self) -> Iterator[str]:
        while line := self._text.readline(LONGEST):
            if len(line) == LONGEST and not line.endswith("\n"):
                self.cut = True
                while (part := self._text.readline(LONGEST)) and not part.endswith("\n"):
                    pass
                # Without quotation marks a table's cut row ends here.
                line = line.replace('"', "") + "\n"
            yield line


def _too_long(line: int, raw: str) -> Row:
    return Row(line, error=f"too_long: one record of more than {LONGEST:,} characters; split it or leave it out", raw=raw[:200])


def _line_rows(text: IO[str]) -> Iterator[Row]:
    lines = _Lines(text)
    for number, line in enumerate(lines, 1):
        if lines.cut:
            lines.cut = False
            yield _too_long(number, line)
        elif not line.isspace():
            try:
                yield _checked(number, json.loads(line), line)
            except (ValueError, RecursionError) as error:
                problem = f"not_json: {error}; a line must hold one whole JSON value"
                yield Row(number, error=problem, raw=line.strip()[:2000])


def _checked(line: int, value: JSON, text: str) -> Row:
    """The row, unless its text can't be written: JSON may hold one half of an escaped surrogate pair."""
    if _HALF_PAIR.search(text):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            return Row(line, error="broken_encoding: half of a \\ud… pair; the character was cut in two", raw=text[:2000])
    return Row(line, value)


def _value_rows(text: IO[str]) -> Iterator[Row]:
    """The elements of one JSON array, or values that follow each other over many lines, one at a time."""
    buffer = _Buffer(text)
    buffer.skip()
    array = bool(_ARRAY.match(buffer.held, buffer.at))
    buffer.at += array
    while True:
        buffer.skip()
        if buffer.at == len(buffer.held):
            if array:
                yield Row(buffer.line, error="not_json: the array is not closed; the file is truncated, fetch it again")
            return
        if array and buffer.held[buffer.at] == "]":
            buffer.at += 1
            buffer.skip()
            if buffer.at < len(buffer.held):
                problem = "not_json: text after the end of the array; put one value on each line"
                yield Row(buffer.line, error=problem, raw=buffer.held[buffer.at :][:2000])
            return
        row, known = buffer.value()
        yield row
        if not known:
            return


class _Buffer:
    """What is held of a stream of JSON values: `held[at:]` is yet to be read, and begins on `line`."""

    def __init__(self, text: IO[str]) -> None:
        self._text, self.held, self.at, self.line, self._ended = text, "", 0, 1, False
        self._scan = json.JSONDecoder().raw_decode

    def _more(self) -> None:
        # Double what is held, so that a long element costs linear time.
        rest = self.held[self.at :]
        part = self._text.read(max(1 << 18, len(rest)))
        self._ended = not part
        self.held, self.at = rest + part, 0

    def _pass(self, end: int) -> None:
        self.line += self.held.count("\n", self.at, end)
        self.at = end

    def skip(self) -> None:
        """Go to the next value or bracket."""
        while True:
            match = _BLANK.match(self.held, self.at)
            self._pass(match.end() if match else self.at)
            if self.at < len(self.held) or self._ended:
                return
            self._more()

    def value(self) -> tuple[Row, bool]:
        """The next value, and whether it is known where the one after it begins."""
        while True:
            try:
                value, end = self._scan(self.held, self.at)
            except (ValueError, RecursionError):
                end = 0
            if end and (end < len(self.held) or self._ended):
                row = _checked(self.line, value, self.held[self.at : end])
                self._pass(end)
                return row, True
            if self._ended or len(self.held) - self.at > LONGEST:
                return self._broken()
            self._more()

    def _broken(self) -> tuple[Row, bool]:
        after = _NEXT_OBJECT.search(self.held, self.at)
        if not after and not self._ended:
            row = _too_long(self.line, self.held[self.at : self.at + 200])
            while not after and not self._ended:
                self._pass(max(self.at, len(self.held) - 100))  # the brackets may stand across two parts
                self._more()
                after = _NEXT_OBJECT.search(self.held, self.at)
        else:
            end = after.end() if after else self.at + 2000
            problem = "not_json: this element is not valid JSON"
            row = Row(
                self.line, error=problem + ("" if after else "; what follows it is lost"), raw=self.held[self.at : end][:2000]
            )
        if after:
            self._pass(after.end())
        return row, bool(after)


def _csv_rows(lines: _Lines, delimiter: str, quoted: bool, header: list[str]) -> Iterator[Row]:
    csv.field_size_limit(LONGEST)
    reader = csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE)
    while True:
        start = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row(start, error=f"bad_csv: {error}; look for a quotation mark that is not closed")
            continue
        if lines.cut:
            lines.cut = False
            yield _too_long(start, delimiter.join(cells))
        elif not cells:
            continue
        elif not header:
            header = [name.strip() for name in cells]
        elif len(cells) != len(header):
            problem = f"bad_csv: {len(cells)} cells under {len(header)} headings; quote cells that hold {delimiter!r}"
            yield Row(start, error=problem, raw=delimiter.join(cells)[:2000])
        else:
            yield Row(start, dict(zip(header, cells, strict=True)))


def _whole(text: IO[str]) -> Iterator[Row]:
    """A file that is one dialogue, its turns marked."""
    held = text.read(LONGEST + 1)
    yield _too_long(1, held) if len(held) > LONGEST else Row(1, {"transcript": held})


def _consultations(text: IO[str]) -> Iterator[Row]:
    """Blocks that each begin with a line `id=…`."""
    block: list[str] = []
    start = size = 0
    for number, line in enumerate(_Lines(text), 1):
        if _CONSULTATION.match(line):
            if block:
                yield _too_long(start, block[0]) if size > LONGEST else Row(start, {"consultation": "".join(block)})
            block, start, size = [], number, 0
        size += len(line)
        if size <= LONGEST:
            block.append(line)
    if block:
        yield _too_long(start, block[0]) if size > LONGEST else Row(start, {"consultation": "".join(block)})


# ---- tables ----------------------------------------------------------------------------------------------------------


def _parquet_rows(path: Path) -> Iterator[Row]:
    try:
        table = pl.scan_parquet(path, glob=False)
        total = table.select(pl.len()).collect().item()
        for start in range(0, total, _BATCH):
            yield from _frame_rows(table.slice(start, _BATCH).collect(), start + 1)
    except pl.exceptions.PolarsError as error:
        raise OSError(str(error)) from error


def _excel_rows(path: Path) -> Iterator[Row]:
    """The first sheet; its first row holds the headings."""
    try:
        frame: Any = pl.read_excel(path, infer_schema_length=0, drop_empty_rows=False, drop_empty_cols=False)
    except ModuleNotFoundError as error:
        raise DataError("reading .xlsx needs fastexcel: pip install fastexcel, or save the sheet as CSV", path) from error
    except pl.exceptions.NoDataError:
        return
    except Exception as error:  # fastexcel has exceptions of its own
        raise OSError(str(error)) from error
    for row in _frame_rows(frame, 2):
        if any(value is not None for value in row.value.values()):
            yield row


def _frame_rows(frame: pl.DataFrame, first: int) -> Iterator[Row]:
    # Dates, times and decimals are no JSON; bytes are no text.
    frame = frame.drop(cs.binary()).with_columns((cs.temporal() | cs.decimal()).cast(pl.String))
    for number, value in enumerate(frame.iter_rows(named=True), first):
        yield Row(number, value)


_TABLES: dict[str, Callable[[Path], Iterator[Row]]] = {".parquet": _parquet_rows, ".xlsx": _excel_rows}
