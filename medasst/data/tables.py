"""Tables as people save them: text with separators, workbooks, Parquet.

Headings lose the blanks around them, title rows above them are passed over, and what of a table can't be read is set aside
row by row: a quotation mark that isn't closed must not swallow the rows below it.
"""

from __future__ import annotations

import csv
import re
import zipfile
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import polars as pl
import polars.selectors as cs

from medasst.conversation import JSON
from medasst.data import rows
from medasst.data.rows import TURN, Lines, Row, too_long
from medasst.errors import DataError

BATCH = 20_000  # table rows held at once
_SEPARATORS = (",", "\t", ";", "|")
_SAMPLE = 60  # lines by which a table is told
_TITLES = 10  # rows above the headings, at the most
_BLANK = ' \t\r\n\ufeff\u200b\u00a0\u3000"'


class Dialect(NamedTuple):
    """How a table in text is written: what separates its cells, how many there are in most rows and in what share of them, and
    whether cells of several lines are usual."""

    separator: str
    width: int
    share: float
    lines_in_cells: bool = False
    spaced: bool = False  # a blank follows each separator


def dialect(head: str, preferred: str) -> Dialect:
    """What a text that begins so looks like as a table; `preferred` where several separators do as well."""
    lines = head.splitlines(keepends=True)[:_SAMPLE]
    lines = lines[:-1] if len(lines) > 2 and len(head) > 60_000 else lines
    found = [_tried(lines, separator) for separator in (preferred, *_SEPARATORS)]
    best = max(found, key=lambda d: d.share)
    best = best if best.share > 0 else Dialect(preferred, 1, 0.0)
    spaced = f'{best.separator} "' in head and f'{best.separator}"' not in head
    return best._replace(lines_in_cells=sum(line.count('"') % 2 for line in lines) > 2, spaced=spaced)


def _tried(lines: list[str], separator: str) -> Dialect:
    csv.field_size_limit(rows.LONGEST)
    try:
        widths = Counter(len(cells) for cells in csv.reader(lines, delimiter=separator) if cells)
    except csv.Error:
        widths = Counter(len(line.split(separator)) for line in lines)
    total = widths.total()
    widths.pop(1, None)
    if not widths:
        return Dialect(separator, 1, 0.0)
    width, count = widths.most_common(1)[0]
    return Dialect(separator, width, count / total)


def is_table(head: str) -> bool:
    """Whether a plain text that begins so is a table with headings: equal rows, and a short name in each cell of the first."""
    first = head.partition("\n")[0]
    if TURN.match(first) or "\n" not in head:
        return False
    found = dialect(head, "\t")
    if found.separator == "\t":
        return found.share >= 0.5
    names = [name.strip(_BLANK) for name in first.split(found.separator)]
    return found.share >= 0.9 and len(names) == found.width and all(0 < len(name) <= 20 for name in names)


def headings(cells: Sequence[object]) -> list[str]:
    """The names of the columns: blanks off, none empty, no name twice."""
    names = [str(cell or "").strip(_BLANK) for cell in cells]
    seen: Counter[str] = Counter()
    for i, name in enumerate(names):
        seen[name] += 1
        names[i] = f"column {i + 1}" if not name else f"{name}.{seen[name]}" if seen[name] > 1 else name
    return names


def _is_title(cells: Sequence[object], width: int) -> bool:
    """Whether a row above the headings is a title: one cell is filled where a table of several columns follows."""
    return width > 1 and sum(bool(str(cell or "").strip(_BLANK)) for cell in cells) <= 1


# ---- text with separators --------------------------------------------------------------------------------------------


class _Again:
    """Lines that may be put back to be read in another way."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines, self._back = iter(lines), deque[str]()
        self.number = 0
        self.taken: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._back.popleft() if self._back else next(self._lines)
        self.number += 1
        self.taken.append(line)
        return line

    def put_back(self, lines: Sequence[str]) -> None:
        """The last lines taken are read again."""
        self._back.extendleft(reversed(lines))
        self.number -= len(lines)

    def drop(self, count: int) -> None:
        """Lines that were put back are taken after all."""
        for _ in range(count):
            next(self)


class _Table:
    """The records of a table in text, each as its first line and its cells, or as what was wrong with it.

    Args:
        lines: the text's lines; `cut` says of one that it was too long to be held.
        known: how it is written.
        quoted: whether cells may stand in quotation marks.
    """

    def __init__(self, lines: Lines, known: Dialect, *, quoted: bool) -> None:
        csv.field_size_limit(rows.LONGEST)
        self.width = self.needed = 0  # how many cells a row should have, and at least, once that is known
        separator = known.separator
        self._lines, self._separator, self._quoted, self._lines_in_cells = lines, separator, quoted, known.lines_in_cells
        self._source = _Again(lines)
        how: dict[str, Any] = {
            "delimiter": separator,
            "quoting": csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
            "strict": quoted,
            "skipinitialspace": known.spaced,
        }
        self._plain = csv.reader(self._source, **how)
        kept = re.compile(rf'\\(?!["\\{re.escape(separator)}])')  # these marks are what a backslash escapes
        unescaped = map(lambda line: kept.sub(r"\\\\", line), self._source)  # noqa: C417 - a generator would not go on after the end
        self._escaped = csv.reader(unescaped, escapechar="\\", **how)

    def __iter__(self) -> Iterator[tuple[int, list[str]] | Row]:
        while True:
            start, cells, problem = self._next(self._plain)
            taken = self._source.taken
            if not taken:
                return
            if self._lines.cut:
                self._lines.cut = False
                for number, line in enumerate(taken[:-1], start):
                    yield self._bad(number, line, "a quoted cell that ends in a line over the limit")
                yield too_long(start + len(taken) - 1, taken[-1])
            elif cells is not None and self._fits(cells) and not self._ran_together(taken):
                if cells:
                    yield start, ([c.replace('\\"', '"') for c in cells] if any("\\" in line for line in taken) else cells)
            elif (escaped := self._by_escapes(taken)) is not None:
                yield start, escaped
            else:
                yield from self._damaged(start, taken, cells, problem)

    def _next(self, reader: Iterator[list[str]]) -> tuple[int, list[str] | None, str]:
        self._source.taken = []
        start = self._source.number + 1
        try:
            return start, next(reader, None), ""
        except csv.Error as error:
            return start, None, str(error)

    def _fits(self, cells: list[str]) -> bool:
        return (
            not self.width
            or len(cells) == self.width
            or not cells
            or (not any(cells[self.width :]) and len(cells) > self.width)
        )

    def _ran_together(self, taken: list[str]) -> bool:
        """Whether a record over several lines looks like rows that a stray quotation mark joined."""
        enough = 2 if self._separator == "\t" else 3
        return self.width > 1 and len(taken) >= enough and all(line.count(self._separator) == self.width - 1 for line in taken)

    def _by_escapes(self, taken: list[str]) -> list[str] | None:
        """The record read with backslashes as escapes; None where that makes no better sense."""
        if not self._quoted or not any("\\" in line for line in taken):
            return None
        before = list(taken)
        self._source.put_back(before)
        _, cells, _ = self._next(self._escaped)
        if cells is not None and self._fits(cells) and not self._ran_together(self._source.taken):
            return cells
        self._source.put_back(self._source.taken)
        self._source.drop(len(before))
        return None

    def _damaged(
        self, start: int, taken: list[str], cells: list[str] | None, problem: str
    ) -> Iterator[tuple[int, list[str]] | Row]:
        """The first line of a broken record, read if it can be; what else it swallowed is read again, if those are rows."""
        literal = taken[0].rstrip("\r\n").split(self._separator)
        told = problem or f"{len(cells or literal)} cells under {self.width} headings"
        joined = cells is not None and (self._separator != "\t" or len(taken) == 2)  # a stray mark ended it: nobody knows where
        if self._separator == "\t" and len(literal) == self.width and not joined:
            yield start, literal  # a tab hardly ever stands inside a cell, so the mark is one of the text
        else:
            yield self._bad(start, taken[0], told)
        again = [] if joined else self._rows_again(taken[1:])
        self._source.put_back(again)
        for number, line in enumerate(taken[1 : len(taken) - len(again)], start + 1):
            if not line.isspace():
                yield self._bad(number, line, f"part of the broken record of line {start}")

    def _rows_again(self, swallowed: list[str]) -> list[str]:
        """Of the lines that a broken record swallowed the last ones that are rows of their own."""
        if not swallowed:
            return []
        *middle, last = swallowed
        rows_of_own = sum(line.count(self._separator) == self.width - 1 for line in middle)
        whole = not self._lines_in_cells and rows_of_own >= 0.8 * sum(not line.isspace() for line in middle)
        mark = last.find('"')
        begins = mark == 0 or last[mark - 1 : mark] == self._separator
        if mark < 0:  # nothing closed the record up to the end
            begins = whole and last.count(self._separator) == self.width - 1
        if whole and (begins or mark < 0):
            return swallowed
        return [last] if begins else []

    def _bad(self, line: int, raw: str, told: str) -> Row:
        remedy = f"look for a quotation mark that is not closed, and quote cells that hold {self._separator!r}"
        return Row(line, error=f"bad_csv: {told}; {remedy}", raw=raw.rstrip("\r\n")[:2000])


def text_rows(text: IO[str], known: Dialect, columns: Sequence[str], *, quoted: bool) -> Iterator[Row]:
    """The rows of a table in text; `columns` are the headings of one that has none."""
    named = _named_rows(text, known, columns, quoted=quoted)
    return _whole_rows(named, known) if known.lines_in_cells else named


def _named_rows(text: IO[str], known: Dialect, columns: Sequence[str], *, quoted: bool) -> Iterator[Row]:
    lines = Lines(text)
    table = _Table(lines, known, quoted=quoted)
    header, titles = list(columns), 0
    table.width = table.needed = len(header)
    for found in table:
        if isinstance(found, Row):
            yield found
        elif header:
            yield Row(found[0], dict(zip(header, found[1], strict=False)))
        elif _is_title(found[1], known.width) and titles < _TITLES:
            titles += 1
        else:
            header = headings(found[1])
            table.width, table.needed = len(header), max(i for i, cell in enumerate(found[1], 1) if cell.strip() or i == 1)


def _whole_rows(found: Iterator[Row], known: Dialect) -> Iterator[Row]:
    """The rows of a table with lines in its cells; one of which the lines below are the rest is set aside with them.

    That is what is left of a record whose first quotation mark is missing.
    """
    held: Row | None = None
    for row in found:
        if held is not None:
            rest = row.error.startswith("bad_csv") and row.line == held.line + 1 and known.separator not in row.raw
            told = "bad_csv: the lines below seem to belong to it; look for a quotation mark that is missing"
            yield Row(held.line, error=told, raw=known.separator.join(held.value.values())[:2000]) if rest else held
            held = None
        if row.error:
            yield row
        else:
            held = row
    if held is not None:
        yield held


# ---- workbooks and Parquet -------------------------------------------------------------------------------------------


def parquet_rows(path: Path) -> Iterator[Row]:
    """Rows numbered from 1. Raises OSError: the file is damaged."""
    try:
        table = pl.scan_parquet(path, glob=False)
        total = table.select(pl.len()).collect().item()
        for start in range(0, total, BATCH):
            frame = table.slice(start, BATCH).collect()
            frame = frame.with_columns((cs.temporal() | cs.decimal()).cast(pl.String))  # they are no JSON
            odd = any(dtype.is_nested() or dtype == pl.Binary for dtype in frame.dtypes)
            for number, value in enumerate(frame.iter_rows(named=True), start + 1):
                yield Row(number, _plain(value) if odd else value)
    except pl.exceptions.PolarsError as error:
        raise OSError(str(error)) from error


def _plain(value: Any) -> JSON:
    """A value of a nested column as JSON has it."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, bytes):  # text that some writers don't mark as such; of anything else nothing is kept
        try:
            return value.decode()
        except UnicodeDecodeError:
            return None
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def sheet_names(path: Path) -> list[str]:
    """The sheets of a workbook. Raises OSError: it is damaged or locked."""
    return list(_workbook(path).sheet_names)


def _workbook(path: Path) -> Any:
    try:
        import fastexcel
    except ModuleNotFoundError as error:
        raise DataError("reading .xlsx needs fastexcel: pip install fastexcel, or save the sheet as CSV", path) from error
    with path.open("rb") as file:
        if file.read(4) == b"\xd0\xcf\x11\xe0":
            raise OSError("it has a password or is an old .xls; save it as .xlsx without a password")
    try:
        return fastexcel.read_excel(path)
    except Exception as error:  # fastexcel has exceptions of its own
        raise OSError(str(error)) from error


def excel_rows(path: Path) -> Iterator[Row]:
    """The rows of every sheet, numbered as the sheet numbers them. Raises OSError: the workbook is damaged or locked."""
    book = _workbook(path)
    try:
        merged = _merged(path)
        for place, name in enumerate(book.sheet_names):
            sheet = book.load_sheet(place, header_row=None, skip_rows=0, dtypes="string").to_polars()
            part = name if len(book.sheet_names) > 1 else ""
            for row in _sheet_rows(sheet, merged[place] if place < len(merged) else []):
                yield row._replace(part=part)
    except DataError:
        raise
    except Exception as error:  # fastexcel has exceptions of its own
        raise OSError(str(error)) from error


class _Span(NamedTuple):
    """Cells of one column that are merged: they show the value of the first. Rows from 0."""

    column: int
    first: int
    last: int


def _sheet_rows(sheet: pl.DataFrame, merged: list[_Span]) -> Iterator[Row]:
    width = max((sum(cell is not None for cell in row) for row in sheet.head(_SAMPLE).iter_rows()), default=0)
    shown = {(row, span.column): (span.first, span.column) for span in merged for row in range(span.first + 1, span.last + 1)}
    first: dict[tuple[int, int], str | None] = dict.fromkeys(shown.values())
    header: list[str] = []
    for number, cells in enumerate(sheet.iter_rows()):
        values = list(cells)
        for column in range(len(values)) if shown else ():
            if (number, column) in first:
                first[number, column] = values[column]
            elif (place := shown.get((number, column))) is not None:
                values[column] = first[place]
        if not any(value is not None and value.strip() for value in cells):
            continue
        if header:
            yield _sheet_row(number + 1, header, values)
        elif not _is_title(values, width):
            header = headings(values)


def _sheet_row(line: int, header: list[str], values: list[str | None]) -> Row:
    if any(values[len(header) :]):
        return Row(
            line, error=f"bad_csv: {len(values)} cells under {len(header)} headings; name the columns", raw=str(values)[:2000]
        )
    return Row(line, dict(zip(header, values, strict=False)))


_SHEET_FILE = re.compile(rb'<sheet [^>]*?r:id="([^"]+)"')
_TARGET = re.compile(rb"<Relationship [^>]*>")
_ATTRIBUTE = re.compile(rb'(Id|Target)="([^"]+)"')
_MERGED = re.compile(rb'<mergeCell ref="([A-Z]+)(\d+):[A-Z]+(\d+)"')
_FILLED = re.compile(rb'<c r="([A-Z]+)\d+"[^>/]*>')


def _merged(path: Path) -> list[list[_Span]]:
    """The merged cells of each sheet, in the order of the workbook; their columns as the sheet's reader counts them."""
    with zipfile.ZipFile(path) as book:
        names = [match[1] for match in _SHEET_FILE.finditer(book.read("xl/workbook.xml"))]
        targets: dict[bytes, bytes] = {}
        for found in _TARGET.findall(book.read("xl/_rels/workbook.xml.rels")):
            attributes = dict(_ATTRIBUTE.findall(found))
            targets[attributes[b"Id"]] = attributes[b"Target"]
        places = [targets[name].decode().lstrip("/") for name in names]
        return [_spans(book.read(place if place.startswith("xl/") else f"xl/{place}")) for place in places]


def _spans(sheet: bytes) -> list[_Span]:
    found = _MERGED.findall(sheet)
    if not found:
        return []
    left = min((_column(name) for name in set(_FILLED.findall(sheet))), default=0)  # columns before are empty and not read
    return [_Span(_column(name) - left, int(first) - 1, int(last) - 1) for name, first, last in found if first != last]


def _column(name: bytes) -> int:
    number = 0
    for letter in name:
        number = number * 26 + letter - 64
    return number - 1
