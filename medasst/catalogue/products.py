"""Records: what a product is, as the shop tells it, and what was decided about selling it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from medasst.formulary import Contents
from medasst.rulebook import Status

SECTIONS = (
    "indications",
    "dosage",
    "contraindications",
    "cautions",
    "adverse_reactions",
    "interactions",
    "pregnancy",
    "children",
    "elderly",
    "storage",
)
Label = Literal["otc-a", "otc-b", "rx"]
# Why a product isn't offered; "" where it is.
Why = Literal["", "prescription", "dual", "banned_online", "controlled", "unresolved", "two_ways", "refused"]
_BRACKETS = re.compile(r"[(（]")


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Section(_Record):
    """One section of a leaflet, with where it comes from. `checked`: its author opened that document."""

    text: str = Field(min_length=1)
    document: str = Field(min_length=1)
    section: str = Field(min_length=1)
    checked: bool = False


class Codes(_Record):
    """Numbers by which others know a product; empty where the shop tells none.

    Attributes:
        approval: 批准文号; national: 本位码; insurance: 医保药品代码; trace: what stands for the product in its 追溯码.
    """

    approval: str = ""
    national: str = ""
    insurance: str = ""
    trace: str = ""
    gtin: str = ""
    atc: str = ""


@dataclass(frozen=True, slots=True)
class Sale:
    """How a product may be sold, and on which ground. `selling.decide` makes it.

    Attributes:
        contents: what it is made of.
        status: the stricter of what the shop and the formulary say.
        shop: what the shop says; `formulary`: what the tables say, None: nothing.
        shown_by: what shows that this product of a medicine that is sold both ways is free ("label"), or empty.
        why: why it isn't offered, or empty.
    """

    contents: Contents
    status: Label
    shop: Label
    formulary: Status | None = None
    shown_by: Literal["", "label"] = ""
    why: Why = ""

    @property
    def stricter(self) -> Literal["", "shop", "formulary"]:
        """Whose word counted; empty where both say the same, or the tables nothing."""
        if self.shop == "rx":
            return "shop" if self.formulary in ("otc", "dual") else ""
        return "formulary" if self.status == "rx" or self.formulary == "banned_online" else ""


class Product(_Record):
    """A product of the shop; fields as in `medasst/samples/README.md`.

    Attributes:
        status: how it is sold; in a catalogue the stricter of the shop's word and the formulary's.
        label: the mark on this product's package, where the shop tells it apart from `status`.
        price: in yuan. stock: pieces; None: not told.
        leaflet: sections by their keys in `SECTIONS`. One that is missing isn't told: what needs it asks the pharmacist.
    """

    sku: str = Field(min_length=1)
    name: str = Field(min_length=2)
    brand: str = ""
    aliases: tuple[str, ...] = ()
    status: Label
    label: Label | Literal[""] = ""
    form: str = ""
    strength: str = ""
    pack: str = ""
    price: float = Field(ge=0, allow_inf_nan=False)
    maker: str = ""
    ingredients: tuple[str, ...] = ()
    symptoms: tuple[str, ...] = ()
    stock: int | None = Field(default=None, ge=0)
    codes: Codes = Codes()
    leaflet: Mapping[str, Section] = Field(default_factory=dict)
    _sale: Sale | None = PrivateAttr(default=None)

    @property
    def sale(self) -> Sale:
        """How it may be sold. What nobody decided about is unresolved."""
        return self._sale or Sale(Contents(self.name, unknown=(self.name,)), self.status, self.status, why="unresolved")

    @property
    def contents(self) -> Contents:
        """What it is made of."""
        return self.sale.contents

    @property
    def offered(self) -> bool:
        """Whether it may be shown and found."""
        return not self.sale.why

    @property
    def prescription(self) -> bool:
        """May be sold on a prescription only."""
        return self.status == "rx"

    @property
    def names(self) -> tuple[str, ...]:
        """What people call it: its name and its aliases."""
        return (self.name, *self.aliases)

    @property
    def for_children(self) -> bool:
        """Made for children: its name says so."""
        return any(word in self.name for word in ("儿童", "小儿", "婴", "健儿", "养儿", "丁桂儿"))

    @property
    def short_name(self) -> str:
        """Its name without what stands in brackets (strength, for whom): a strength in a sentence reads as a dose."""
        return _BRACKETS.split(self.name)[0]

    @property
    def untold(self) -> tuple[str, ...]:
        """The leaflet sections that the shop doesn't tell."""
        return tuple(key for key in SECTIONS if key not in self.leaflet)

    def section(self, key: str) -> Section | None:
        """A leaflet section by its key in `SECTIONS`, or None where the record lacks it."""
        return self.leaflet.get(key)

    def decided(self, sale: Sale) -> Product:
        """The same product with what was decided about selling it."""
        product = self.model_copy(update={"status": sale.status})
        product._sale = sale
        return product


class Match(NamedTuple):
    """A product that was found, how, and by which words. Scores compare only within one `how`."""

    product: Product
    how: Literal["name", "symptom", "spelling", "text"]
    words: str
    score: float


def read_product(row: str) -> Product:
    """A product from a JSON line. Raises ValueError with a message for a person."""
    try:
        product = Product.model_validate(json.loads(row))
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error}; write one product per line") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(
            f"{'.'.join(map(str, first['loc'])) or 'row'}: {first['msg']}; see medasst/samples/README.md"
        ) from None
    if strange := [key for key in product.leaflet if key not in SECTIONS]:
        raise ValueError(f"{product.sku}: no such leaflet section: {', '.join(strange)}; they are {', '.join(SECTIONS)}")
    # In this format `status` is the mark on the package.
    return product if product.label else product.model_copy(update={"label": product.status})
