"""Drug records: what a product is, and how it is found by name, symptom or wording. Knows nothing of models or rules."""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medasst.catalogue.lay import LayWords, symptoms_said
from medasst.catalogue.names import NameFinder
from medasst.disk import package_file
from medasst.errors import DataError
from medasst.search import TextIndex

SAMPLES = package_file("samples/products.jsonl")
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
_FAR = 0.5  # share of the best symptom score below which a product covers too little of the complaint
_NEAR = 0.12  # cosine of TF-IDF below which a product's wording says nothing about the question


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Section(_Record):
    """One section of a leaflet, with where it comes from. `checked`: its author opened that document."""

    text: str = Field(min_length=1)
    document: str = Field(min_length=1)
    section: str = Field(min_length=1)
    checked: bool = False


class Product(_Record):
    """A product of the shop; fields as in `medasst/samples/README.md`. `price` in yuan."""

    sku: str = Field(min_length=1)
    name: str = Field(min_length=2)
    brand: str = ""
    aliases: tuple[str, ...] = ()
    status: Literal["otc-a", "otc-b", "rx"]
    form: str = ""
    strength: str = ""
    pack: str = ""
    price: float = Field(ge=0)
    maker: str = ""
    ingredients: tuple[str, ...] = ()
    symptoms: tuple[str, ...] = ()
    leaflet: Mapping[str, Section]

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
        return any(word in self.name for word in ("儿童", "小儿", "婴"))

    @property
    def short_name(self) -> str:
        """Its name without what stands in brackets (strength, for whom): a strength in a sentence reads as a dose."""
        return re.split(r"[(（]", self.name)[0]

    def section(self, key: str) -> Section | None:
        """A leaflet section by its key in `SECTIONS`, or None where the record lacks it."""
        return self.leaflet.get(key)


class Match(NamedTuple):
    """A product that was found, how, and by which words. Scores compare only within one `how`."""

    product: Product
    how: Literal["name", "symptom", "text"]
    words: str
    score: float


class Catalogue:
    """The shop's products, found by name or alias first, then by lay symptom, then by likeness of wording.

    Args:
        products: with distinct SKUs. Raises DataError otherwise.
    """

    def __init__(self, products: Iterable[Product]) -> None:
        self.products = tuple(products)
        self._by_sku = {product.sku: product for product in self.products}
        if len(self._by_sku) < len(self.products):
            raise DataError("two products share a SKU; give each its own")
        lay = LayWords.load()
        self._by_name: NameFinder[Product] = NameFinder((name, product) for product in self.products for name in product.names)
        self._by_symptom: dict[str, list[Product]] = defaultdict(list)
        for product in self.products:
            for symptom in dict.fromkeys(map(lay.canonical, product.symptoms)):
                self._by_symptom[symptom].append(product)
        self._wordings = lay.finder(self._by_symptom)
        self._texts = TextIndex([_wording(product) for product in self.products])

    @classmethod
    def load(cls, path: Path | str) -> Catalogue:
        """Read products from JSON lines.

        A catalogue with a bad row is refused as a whole: that row might be a prescription drug that the gate must know.

        Raises:
            DataError: no such file, or bad rows and repeated SKUs, each with its line (the first ten are named).
        """
        path = Path(path)
        try:
            rows = path.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"can't be read: {error}; give a JSON-lines file of products", path) from error
        products: list[Product] = []
        seen: dict[str, int] = {}
        problems: list[tuple[int, str]] = []
        for line, row in enumerate(rows, 1):
            if not row.strip():
                continue
            try:
                product = _parse(row)
            except ValueError as error:
                problems.append((line, str(error)))
                continue
            if product.sku in seen:
                problems.append((line, f"the SKU {product.sku} is already that of line {seen[product.sku]}; give each its own"))
            seen.setdefault(product.sku, line)
            products.append(product)
        if problems:
            more = "".join(f"\n{path}:{line}: {what}" for line, what in problems[1:10])
            raise DataError(problems[0][1] + more, path, problems[0][0])
        if not products:
            raise DataError("holds no product; add at least one JSON line", path)
        return cls(products)

    @classmethod
    def from_samples(cls) -> Catalogue:
        """The imaginary pharmacy of `medasst/samples`."""
        return cls.load(SAMPLES)

    @cached_property
    def over_the_counter(self) -> Catalogue:
        """The part of the catalogue that may be shown and found."""
        return Catalogue(product for product in self.products if not product.prescription)

    def __getitem__(self, sku: str) -> Product:
        return self._by_sku[sku]

    def __contains__(self, sku: object) -> bool:
        return sku in self._by_sku

    def named(self, text: str) -> list[Match]:
        """Products called by name or alias in `text`, in order; of overlapping names the longest counts."""
        found: dict[str, Match] = {}
        for span in self._by_name.find(text):
            for product in span.values:
                found.setdefault(product.sku, Match(product, "name", span.name, float(len(span.name))))
        return list(found.values())

    def symptoms(self, text: str) -> list[str]:
        """The symptoms that `text` affirms and some product lists, one wording for each."""
        return symptoms_said(text, self._wordings)

    def find(self, query: str, k: int = 5) -> list[Match]:
        """The `k` best products for a question, best first: by name, else by lay symptom, else by likeness of wording."""
        return (self.named(query) or self._symptomatic(query) or self._alike(query, k))[:k]

    def _symptomatic(self, query: str) -> list[Match]:
        """Products of the affirmed symptoms, those first that cover more and more special ones."""
        covers: dict[str, list[str]] = defaultdict(list)
        for symptom in self.symptoms(query):
            for product in self._by_symptom[symptom]:
                covers[product.sku].append(symptom)
        matches = [Match(self[sku], "symptom", "、".join(words), self._weight(words)) for sku, words in covers.items()]
        best = max((match.score for match in matches), default=0.0)
        return sorted((m for m in matches if m.score > _FAR * best), key=lambda match: (-match.score, match.product.sku))

    def _weight(self, symptoms: list[str]) -> float:
        """A symptom that few products list says more than one that many list."""
        return sum(len(symptom) / math.sqrt(len(self._by_symptom[symptom])) for symptom in symptoms)

    def _alike(self, query: str, k: int) -> list[Match]:
        hits = self._texts.nearest(query, k)
        return [Match(self.products[hit.place], "text", "", hit.score) for hit in hits if hit.score >= _NEAR]


def _wording(product: Product) -> str:
    indications = product.section("indications")
    return " ".join([*product.names, *product.symptoms, indications.text if indications else ""])


def _parse(row: str) -> Product:
    """Raises ValueError with a message for a person."""
    try:
        product = Product.model_validate(json.loads(row))
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error}; write one product per line") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(
            f"{'.'.join(map(str, first['loc'])) or 'row'}: {first['msg']}; see medasst/samples/README.md"
        ) from None
    missing = [key for key in SECTIONS if key not in product.leaflet]
    if missing:
        raise ValueError(f"{product.sku}: the leaflet lacks {', '.join(missing)}; what a leaflet leaves open must say so")
    return product
