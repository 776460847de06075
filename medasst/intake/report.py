"""What an import came to: `report.json`, and `report.html` for the shop's owner, in Chinese, in one page without a network."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from jinja2 import Environment, PackageLoader, StrictUndefined

from medasst.catalogue import Product
from medasst.disk import write_json, write_text
from medasst.intake import cells
from medasst.intake.rows import Problem

LISTED = 200  # of each list in the report; all stand in the files beside it
_LONGEST = 200  # characters of a cell that are shown


@dataclass
class Report:
    """Counts of an import, and the first of each list.

    Attributes:
        read, taken, refused: rows; `problems["no_medicine"]` of the refused weren't meant to come in.
        offered: products of those taken that may be shown.
        problems: rows by what is wrong, refused and not: `[problem]` of words.toml.
        whys: products that came in and aren't offered, by why. stricter: products by whose word counted.
        shown_by_label: products sold both ways that their label shows to be free.
        rejected: what is wrong, row by row; noted: the same of rows that came in.
        kept_back: products that came in and aren't offered, but for plain prescription.
        products: what products were resolved to. untold: products whose leaflet lacks sections.
        served: whether the version may be served.
    """

    version: str
    rulebook: str
    files: list[dict[str, str]]
    read: int = 0
    taken: int = 0
    refused: int = 0
    offered: int = 0
    untold: int = 0
    shown_by_label: int = 0
    served: bool = False
    problems: Counter[str] = field(default_factory=Counter)
    whys: Counter[str] = field(default_factory=Counter)
    stricter: Counter[str] = field(default_factory=Counter)
    rejected: list[dict[str, Any]] = field(default_factory=list)
    noted: list[dict[str, Any]] = field(default_factory=list)
    kept_back: list[dict[str, Any]] = field(default_factory=list)
    products: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def load(cls, path: Path) -> Self:
        """A report that was written."""
        told = json.loads(path.read_text("utf-8"))
        return cls(**{**told, **{name: Counter(told[name]) for name in ("problems", "whys", "stricter")}})

    def row(self, problems: list[Problem], *, taken: bool) -> None:
        """Count a row."""
        self.read, self.taken, self.refused = self.read + 1, self.taken + taken, self.refused + (not taken)
        self.problems.update({problem.code for problem in problems})

    def problem(self, file: str, part: str, line: int, sku: str, problem: Problem) -> dict[str, Any]:
        """What is wrong, as `rejected.jsonl` tells it."""
        said = cells.words()["problem"][problem.code]
        shown = problem.value[:_LONGEST]
        told = {
            "file": file,
            "sheet": part,
            "line": line,
            "sku": sku,
            "field": problem.field,
            "code": problem.code,
            "refused": problem.refused,
            "value": shown,
            "reason": said["title"],
            "remedy": said["remedy"].format(value=shown, other=problem.other),
        }
        listed = self.rejected if problem.refused else self.noted
        if len(listed) < LISTED:
            listed.append(told)
        return told

    def product(self, product: Product) -> dict[str, Any]:
        """What became of a product, as `resolved.jsonl` tells it."""
        sale = product.sale
        told = {
            "sku": product.sku,
            "name": product.name,
            "substances": [one.name for one in sale.contents.substances],
            "unknown": list(sale.contents.unknown),
            "formulary": sale.formulary or "",
            "shop": sale.shop,
            "status": sale.status,
            "stricter": sale.stricter,
            "shown_by": sale.shown_by,
            "offered": product.offered,
            "why": sale.why,
            "control": sale.contents.control,
            "untold": list(product.untold),
        }
        self.offered += product.offered
        self.untold += bool(product.untold)
        self.shown_by_label += bool(sale.shown_by)
        self.stricter[sale.stricter] += 1
        if sale.why:
            self.whys[sale.why] += 1
        if sale.why not in ("", "prescription") and len(self.kept_back) < LISTED:
            self.kept_back.append(told)
        if len(self.products) < LISTED:
            self.products.append(told)
        return told


def write_report(folder: Path, report: Report) -> None:
    """`report.json` and `report.html` beside the version's other files."""
    environment = Environment(
        loader=PackageLoader("medasst", "intake"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("report.html").render(report=report, words=cells.words(), listed=LISTED)
    write_text(folder / "report.html", page)
    write_json(folder / "report.json", vars(report))
