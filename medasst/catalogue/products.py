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

from medasst.disk import package_file
from medasst.errors import DataError
from medasst.lexicon import Finder, Lexicon, Medicine, Mention, Reading, plain
from medasst.rulebook import Person
from medasst.search import TextIndex
from medasst.text import comparison_key

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
    """The shop's products, found by name or alias first, then by complaint, then by likeness of wording.

    Args:
        products: with distinct SKUs. Raises DataError otherwise.
        lexicon: reads what each product is for.
    """

    def __init__(self, products: Iterable[Product], lexicon: Lexicon) -> None:
        self.products, self.lexicon = tuple(products), lexicon
        self._by_sku = {product.sku: product for product in self.products}
        if len(self._by_sku) < len(self.products):
            raise DataError("two products share a SKU; give each its own")
        named: dict[str, list[Product]] = defaultdict(list)
        self._concepts = {
            product.sku: {medicine.concept for name in product.names for medicine in lexicon.medicines(name)}
            for product in self.products
        }
        self._for: dict[str, list[Product]] = defaultdict(list)
        for product in self.products:
            for name in dict.fromkeys(map(_key, product.names)):
                named[name].append(product)
            told = [mention for symptom in product.symptoms for mention in lexicon.read(symptom).findings()]
            for concept in dict.fromkeys(mention.concept for mention in told):
                self._for[concept].append(product)
        self._by_name = Finder(named)
        self._texts = TextIndex([_wording(product) for product in self.products])

    @classmethod
    def load(cls, path: Path | str, lexicon: Lexicon) -> Catalogue:
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
        return cls(products, lexicon)

    @classmethod
    def from_samples(cls, lexicon: Lexicon) -> Catalogue:
        """The imaginary pharmacy of `medasst/samples`."""
        return cls.load(SAMPLES, lexicon)

    @cached_property
    def over_the_counter(self) -> Catalogue:
        """The part of the catalogue that may be shown and found."""
        return Catalogue((product for product in self.products if not product.prescription), self.lexicon)

    def __getitem__(self, sku: str) -> Product:
        return self._by_sku[sku]

    def __contains__(self, sku: object) -> bool:
        return sku in self._by_sku

    def named(self, text: str) -> list[Match]:
        """Products called by name or alias in `text`, in order, blind to blanks, marks and case; the longest name counts.

        A name that is part of another medicine's (钙片 in 瑞舒伐他汀钙片) calls nothing.
        """
        found: dict[str, Match] = {}
        key = _key(text)
        medicines = self.lexicon.medicines(key)
        for hit in self._by_name.find(key):
            around = [m.concept for m in medicines if m.start <= hit.start and hit.end <= m.end and m.words != hit.name]
            for product in hit.value:
                if not around or self._concepts[product.sku].intersection(around):
                    found.setdefault(product.sku, Match(product, "name", hit.name, float(len(hit.name))))
        return list(found.values()) or self._of_other_brands(medicines)

    def _of_other_brands(self, medicines: Iterable[Medicine]) -> list[Match]:
        """What this shop has of a medicine that is called by a name that no product bears (芬必得), for adults first."""
        found: dict[str, Match] = {}
        for medicine in medicines:
            same = [product for product in self.products if medicine.concept in self._concepts[product.sku]]
            for product in sorted(same, key=lambda product: product.for_children)[:1]:
                found.setdefault(product.sku, Match(product, "name", medicine.words, float(len(medicine.words))))
        return list(found.values())

    def complaints(self, reading: Reading, person: Person | None = None) -> dict[str, str]:
        """The complaints that a reading tells as present and some product is for: the concept, and the shopper's words.

        Args:
            person: whose; None: anybody's.
        """
        told: dict[str, str] = {}
        for mention in reading.mentions:
            if person not in (None, mention.person):
                continue
            wanted = self._treated(mention) if mention.kind == "drug" else self._listed(mention)
            for concept in wanted:
                if concept in self._for:
                    told.setdefault(concept, mention.words if mention.kind == "finding" else concept)
        return told

    def find(self, query: str, k: int = 5) -> list[Match]:
        """The `k` best products for a question, best first: by name, else by complaint, else by likeness of wording."""
        return (self.named(query) or self.suited(self.complaints(self.lexicon.read(query))) or self._alike(query, k))[:k]

    def suited(self, complaints: Mapping[str, str]) -> list[Match]:
        """Products for complaints (see `complaints`), those first that cover more and more special ones."""
        covers: dict[str, list[str]] = defaultdict(list)
        for concept in complaints:
            for product in self._for[concept]:
                covers[product.sku].append(concept)
        matches = [
            Match(self[sku], "symptom", "、".join(complaints[concept] for concept in concepts), self._weight(concepts))
            for sku, concepts in covers.items()
        ]
        best = max((match.score for match in matches), default=0.0)
        return sorted((m for m in matches if m.score > _FAR * best), key=lambda match: (-match.score, match.product.sku))

    def _treated(self, mention: Mention) -> tuple[str, ...]:
        """What somebody has who speaks of such a medicine: 退烧药 is asked for a fever, 过敏药 is named by what it is for."""
        named_for = mention.concept.removesuffix("药")
        if named_for in self._for and mention.assertion not in ("absent", "someone_else"):
            return (named_for,)
        kind = self.lexicon.book.classes.rows.get(mention.concept)
        return kind.treats if kind is not None and mention.assertion == "hypothetical" else ()

    def _listed(self, mention: Mention) -> tuple[str, ...]:
        """The concept of a complaint that is there, or else the nearest broader ones, that products are for."""
        if not mention.current:
            return ()
        if mention.concept in self._for:
            return (mention.concept,)
        listed = [name for name in sorted(mention.broader) if name in self._for]
        wider = {name for other in listed for name in self.lexicon.broader(other) if name != other}
        return tuple(name for name in listed if name not in wider)

    def _weight(self, symptoms: list[str]) -> float:
        """A symptom that few products list says more than one that many list."""
        return sum(len(symptom) / math.sqrt(len(self._for[symptom])) for symptom in symptoms)

    def _alike(self, query: str, k: int) -> list[Match]:
        hits = self._texts.nearest(query, k)
        return [Match(self.products[hit.place], "text", "", hit.score) for hit in hits if hit.score >= _NEAR]


def _key(text: str) -> str:
    return plain(comparison_key(text)).text


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
