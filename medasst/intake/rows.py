"""A row of the shop's file → a product, or what is wrong with it. Nothing is raised for a bad row: it is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from medasst.catalogue import Codes, Label, Product, Section
from medasst.conversation import JSON
from medasst.formulary import Formulary
from medasst.intake import cells, codes
from medasst.intake.mapping import CODES, CatalogueMapping

NO_MEDICINE = "no_medicine"
_LONGEST = {"sku": 100, "name": 200, "price": 50}  # characters; of other cells:
_LONGEST_TEXT = 20_000


class Problem(NamedTuple):
    """Something wrong with a cell.

    Attributes:
        field: the setting's name for it (price, leaflet.dosage); `value`: what stands there.
        code: what is wrong, a key of `[problem]` in words.toml.
        refused: whether the row is refused for it; otherwise the cell is taken as empty, and the row comes in.
        other: where the other row stands that it quarrels with.
    """

    field: str
    code: str
    value: str
    refused: bool = True
    other: str = ""


@dataclass(slots=True)
class Reading:
    """A row as it was read; `product` is None where the row is refused."""

    product: Product | None
    sku: str
    problems: list[Problem] = field(default_factory=list)


class RowReader:
    """Reads the rows of one import by its mapping; `formulary` tells where an ingredient is named twice."""

    def __init__(self, mapping: CatalogueMapping, formulary: Formulary) -> None:
        self._mapping, self._formulary = mapping, formulary
        self._own = {cells.key(word): kind for word, kind in mapping.words.items()}

    def read(self, row: Mapping[str, JSON]) -> Reading:
        """A product of a row, with what is wrong with the row."""
        columns, problems = self._mapping.columns, list[Problem]()
        said = {name: cells.text(row.get(column)) for name in type(columns).model_fields if (column := getattr(columns, name))}
        sections = {key: cells.text(row.get(column)) for key, column in self._mapping.sections()}
        problems += _required(said)
        problems += _too_long(said, sections)
        if other := self._no_medicine(said):
            return Reading(None, said["sku"], [Problem("status", NO_MEDICINE, other)])
        status, label = self._sold(said, problems)
        yuan = cells.price(said["price"])
        if yuan is None and said["price"]:
            problems.append(Problem("price", "bad_price", said["price"]))
        if yuan is not None and (unit := cells.price_unit(said["price"], said.get("pack", ""))):
            problems.append(Problem("price", "price_unit", f"{said['price']}（每{unit}）", refused=False))
        stock = cells.count(said.get("stock", ""))
        if stock is None and said.get("stock"):
            problems.append(Problem("stock", "bad_stock", said["stock"], refused=False))
        if status is None or yuan is None or any(problem.refused for problem in problems):
            return Reading(None, said["sku"], problems)
        made_of = self._items(said, "ingredients")
        problems += self._named_twice(made_of)
        product = Product(
            sku=said["sku"],
            name=said["name"],
            brand=said.get("brand", ""),
            aliases=tuple(alias for alias in self._items(said, "aliases") if alias != said["name"]),
            status=status,
            label=label,
            form=said.get("form", ""),
            strength=said.get("strength", ""),
            pack=said.get("pack", ""),
            price=yuan,
            maker=said.get("maker", ""),
            ingredients=made_of,
            symptoms=self._items(said, "symptoms"),
            stock=stock,
            codes=_codes(said, problems),
            leaflet=self._leaflet(said["name"], row, sections),
        )
        return Reading(product, product.sku, problems)

    def _no_medicine(self, said: Mapping[str, str]) -> str:
        """By what a row tells that it is no medicine; a word that the mapping explains is one of a medicine."""
        status = said.get("status", "")
        return cells.no_medicine("" if cells.key(status) in self._own else status, said.get("approval", ""))

    def _items(self, said: Mapping[str, str], name: str) -> tuple[str, ...]:
        return cells.items(said.get(name, ""), self._mapping.separators)

    def _sold(self, said: Mapping[str, str], problems: list[Problem]) -> tuple[Label | None, Label | str]:
        """How the shop sells it and the mark on its package; dual with no mark is told as prescription."""
        label = cells.status(said["label"], self._own) if said.get("label") else ""
        if label is None or label == "dual":
            if label is None:
                problems.append(Problem("label", "bad_label", said["label"], refused=False))
            label = ""
        if "status" not in said:
            return self._mapping.status_of_all, label
        status = cells.status(said["status"], self._own)
        if status is None:
            problems.append(Problem("status", "bad_status" if said["status"] else "no_status", said["status"]))
        return (label or "rx") if status == "dual" else status, label  # type: ignore[return-value]

    def _named_twice(self, ingredients: tuple[str, ...]) -> Iterator[Problem]:
        seen: dict[str, str] = {}
        for one in ingredients:
            for substance in self._formulary.contents(one).substances:
                before = seen.setdefault(substance.substance, one)
                # Of strains or salts that the tables take together none bears the name itself.
                if before != one and substance.substance in (before, one):
                    yield Problem("ingredients", "named_twice", f"{before}、{one}", refused=False)

    def _leaflet(self, name: str, row: Mapping[str, JSON], sections: Mapping[str, str]) -> dict[str, Section]:
        document = cells.text(row.get(self._mapping.leaflet.document)) or f"{name}说明书"
        called = cells.words()["section"]
        return {key: Section(text=said, document=document, section=called[key]) for key, said in sections.items() if said}


def _required(said: Mapping[str, str]) -> Iterator[Problem]:
    for name in ("sku", "name", "price"):
        if not said[name]:
            yield Problem(name, f"no_{name}", "")
    if len(said["name"]) == 1:
        yield Problem("name", "short_name", said["name"])


def _too_long(said: Mapping[str, str], sections: Mapping[str, str]) -> Iterator[Problem]:
    leaflet = {f"leaflet.{key}": value for key, value in sections.items()}
    for name, value in {**said, **leaflet}.items():
        if len(value) > (most := _LONGEST.get(name, _LONGEST_TEXT)):
            yield Problem(name, "too_long", str(most))


def _codes(said: Mapping[str, str], problems: list[Problem]) -> Codes:
    given: dict[str, str] = {}
    for kind in CODES:
        if not (value := said.get(kind, "")):
            continue
        code = codes.checked(kind, value)
        if code is None:
            problems.append(Problem(kind, f"bad_{kind}", value, refused=False))
        else:
            given[kind] = code
    return Codes(**given)
