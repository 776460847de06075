"""The sheet: its lines, and how they are written as a workbook or as CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import xlsxwriter

from medasst.catalogue import Catalogue
from medasst.catalogue.signing import Offered
from medasst.disk import written_whole
from medasst.rulebook import Rulebook
from medasst.rulebook.decisive import decisive
from medasst.rulebook.signatures import PRODUCT, Key, Signature
from medasst.signoff.sentences import again, differs, product_sentence, sentence, words

_LONGEST = 32_000  # characters of a cell; Excel takes 32,767
_WIDTHS = {
    "table": 12, "key": 26, "content": 18, "version": 6, "says": 90, "source": 40, "checked": 11, "again": 24, "differ": 9,
    "agree": 12, "by": 12, "on": 12, "note": 30, "opened": 16,
}  # fmt: skip
_TO_FILL = ("agree", "by", "on", "note", "opened")


class Line(NamedTuple):
    """One line of the sheet, without what is to be filled in.

    Attributes:
        place: the kind of what is signed, and its key.
        content: the fingerprint. differ: whether two hands saw it differently; None: there was one hand only.
    """

    place: Key
    content: str
    says: str
    version: str = ""
    source: str = ""
    checked: bool = False
    again: str = ""
    differ: bool | None = None


def lines(book: Rulebook, catalogue: Catalogue | None) -> Iterator[Line]:
    """All that decides something for a shopper, a line each: the rows of a rulebook without signatures, offered products."""
    for one in decisive(book):
        row = one.row
        yield Line(
            one.place,
            one.fingerprint,
            sentence(row),
            version=row.version,
            source=row.source,
            checked=row.checked,
            again=again(row),
            differ=differs(row),
        )
    for product in catalogue.over_the_counter if catalogue is not None else ():
        sections = product.leaflet.values()
        yield Line(
            (PRODUCT, product.sku),
            Offered.of(product).content,
            product_sentence(product),
            source="；".join(dict.fromkeys(section.document for section in sections)),
            checked=bool(sections) and all(section.checked for section in sections),
        )


def write(found: Iterable[Line], signed: Mapping[Key, Signature], path: Path) -> None:
    """The sheet at `path`, whole or not at all: CSV by its ending, else a workbook with a page for each kind."""
    rows = (_cells(line, signed.get(line.place)) for line in found)
    with written_whole(path) as unfinished:
        if path.suffix == ".csv":
            _write_csv(rows, unfinished)
        else:
            _write_workbook(rows, unfinished)


def _cells(line: Line, signature: Signature | None) -> list[str]:
    told = words()
    yes_no = {True: told["sheet"]["yes"], False: told["sheet"]["no"], None: ""}
    filled = [""] * len(_TO_FILL)
    if signature is not None and signature.content == line.content:
        opened = yes_no[True] if signature.checked else ""
        filled = [yes_no[not signature.refused], signature.approved_by, str(signature.approved_on), signature.note, opened]
    kind, key = line.place
    known = [told["tables"][kind], key, line.content, line.version, _short(line.says), _short(line.source)]
    return [*known, yes_no[line.checked], line.again, yes_no[line.differ], *filled]


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + words()["sheet"]["cut"].format(count=len(text))


def _write_csv(rows: Iterable[list[str]], path: Path) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:  # the mark tells Excel that it is UTF-8
        writer = csv.writer(file)
        writer.writerow(words()["columns"].values())
        writer.writerows(
            [" ".join(cell.splitlines()) for cell in cells] for cells in rows
        )  # some programs can't read cells of lines


def _write_workbook(rows: Iterable[list[str]], path: Path) -> None:
    with xlsxwriter.Workbook(str(path), {"constant_memory": True}) as book:
        forms = {
            "text": book.add_format({"text_wrap": True, "valign": "top"}),
            "fill": book.add_format({"text_wrap": True, "valign": "top", "bg_color": "#FFF8E1", "num_format": "@"}),
            "head": book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bg_color": "#E3F2FD", "bottom": 1}),
        }
        _guide(book.add_worksheet(words()["guide"]), forms)
        for table, page in groupby(rows, key=lambda cells: cells[0]):
            _page(book.add_worksheet(table), page, forms)


def _guide(page: Any, forms: Mapping[str, Any]) -> None:
    said = words()["sheet"]
    page.set_column(0, 0, 110)
    for number, text in enumerate((said["title"], *said["lines"])):
        page.write_string(number, 0, text, forms["text" if number else "head"])


def _page(page: Any, rows: Iterable[Sequence[str]], forms: Mapping[str, Any]) -> None:
    columns = words()["columns"]
    for number, name in enumerate(columns):
        page.set_column(number, number, _WIDTHS[name], forms["fill" if name in _TO_FILL else "text"])
        page.write_string(0, number, columns[name], forms["head"])
    page.freeze_panes(1, 2)
    last, to_fill = 0, len(columns) - len(_TO_FILL)
    for last, cells in enumerate(rows, 1):
        for number, text in enumerate(cells):
            form = forms["fill" if number >= to_fill else "text"]
            if text:
                page.write_string(last, number, text, form)
            else:
                page.write_blank(last, number, None, form)
    page.autofilter(0, 0, last, len(columns) - 1)
    answers = {"validate": "list", "source": [words()["sheet"]["yes"], words()["sheet"]["no"]], "ignore_blank": True}
    for name in ("agree", "opened"):
        place = list(columns).index(name)
        page.data_validation(1, place, max(last, 1), place, answers)
