"""What the shop sells, found by SKU, by name, by complaint, by wording. Knows nothing of models or rules."""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import tempfile
import time
import weakref
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache, partial
from itertools import islice
from pathlib import Path

from rapidfuzz import fuzz

from medasst.cache import building, cache_dir
from medasst.catalogue import index
from medasst.catalogue.index import Index, made_by
from medasst.catalogue.products import Match, Product, read_product
from medasst.catalogue.selling import decide
from medasst.catalogue.signing import Offered
from medasst.catalogue.versions import FILE, current
from medasst.catalogue.words import name_key, sound_pairs, sounds, tokens, warm_up
from medasst.disk import file_sha256, package_file
from medasst.errors import DataError
from medasst.formulary import Formulary
from medasst.lexicon import Finder, Lexicon, Medicine, Mention, Reading
from medasst.rulebook import Person

SAMPLES = package_file("samples/products.jsonl")
_FAR = 0.5  # share of the best symptom score below which a product covers too little of the complaint
_LIKE = 85.0  # of 100: how like a name must sound to be meant
_KINDS = 30  # of products that one complaint brings
_HOLDING = 6  # kinds of products that hold one substance
_SAME_NAME = 5  # kinds of products that one name brings
_PACKS = 24  # products of one name that are looked at
_BEARERS = 200  # products of one name that are looked through for their kinds
_LOOKED_AT = 60  # products by wording or by sound that are looked through for their kinds
_FOUND = 15  # of these kinds
_POSTINGS = 4_000  # places that a search may touch: rare words first, what is everywhere tells nothing
_KEPT = 30 * 24 * 3600  # seconds that an index stays in the cache without being opened
_DECODED = 2_000  # products kept in memory, and names with those that bear them


class Catalogue:
    """The shop's products, found by name or alias first, then by complaint, then by likeness of wording.

    Args:
        found: the products, with what finds them.
        lexicon: reads by the shop's rulebook. formulary: what products are made of, by the same rulebook.
        offered_only: leave out what isn't offered.
    """

    def __init__(self, found: Index, lexicon: Lexicon, formulary: Formulary, *, offered_only: bool = False) -> None:
        self.lexicon, self.formulary, self._index, self._offered_only = lexicon, formulary, found, offered_only
        self._least = int(offered_only)
        # A name that only products bear which aren't offered must not hide one in it that is.
        self._by_name: Finder[tuple[int, int]] = Finder(
            ((key, (number, offered)) for number, key, offered in found.rows("SELECT id, key, offered FROM name")),
            overlapping=True,
        )
        warm_up()
        self._weights = self._weigh()
        self._product = lru_cache(_DECODED)(self._load)
        self._bearers = lru_cache(_DECODED)(self._find_bearers)  # every sentence of a reply names the same few

    @classmethod
    def open(cls, path: Path | str, lexicon: Lexicon) -> Catalogue:
        """The catalogue of a JSON-lines file of products or of a folder that `medasst catalogue import` made.

        What finds the products is kept in the cache and made anew where the products or the rulebook changed. Of a JSON-lines
        file a bad row refuses the whole: it might be a prescription drug that the gate must know.

        Raises:
            DataError: no such file, or bad rows and repeated SKUs, each with its line (the first ten are named).
        """
        path, formulary = Path(path), Formulary(lexicon.book)
        if path.is_dir():
            made = Index(current(path) / FILE)
            if made.about["made_by"] == made_by(lexicon.book):
                return cls(made, lexicon, formulary)
            source, read = str(made.about["version"]), partial(_records, made)
        else:
            source, read = _digest(path), partial(read_lines, path)
        folder = cache_dir() / "catalogue" / hashlib.sha256(f"{source} {made_by(lexicon.book)}".encode()).hexdigest()[:32]
        with building(folder) as unfinished:
            if unfinished is not None:
                index.write(unfinished / FILE, read(), lexicon, formulary, source)
                _forget(folder.parent)
        os.utime(folder)
        return cls(Index(folder / FILE), lexicon, formulary)

    @classmethod
    def of(cls, products: Iterable[Product], lexicon: Lexicon) -> Catalogue:
        """A catalogue of these products, in a place that goes with it. Raises DataError: two share a SKU."""
        folder, formulary = tempfile.TemporaryDirectory(prefix="medasst-catalogue-"), Formulary(lexicon.book)
        path = Path(folder.name) / FILE
        index.write(path, products, lexicon, formulary, "")
        catalogue = cls(Index(path), lexicon, formulary)
        weakref.finalize(catalogue._index, folder.cleanup)
        return catalogue

    @classmethod
    def from_samples(cls, lexicon: Lexicon) -> Catalogue:
        """The imaginary pharmacy of `medasst/samples`."""
        return cls.open(SAMPLES, lexicon)

    @cached_property
    def over_the_counter(self) -> Catalogue:
        """The part of the catalogue that may be shown and found: what is offered (`Product.offered`)."""
        shelf = Catalogue.__new__(Catalogue)
        shelf.__dict__.update(self.__dict__)
        shelf._offered_only, shelf._least = True, 1
        shelf._weights = shelf._weigh()
        return shelf

    @property
    def version(self) -> str:
        """What tells these products from any others."""
        return str(self._index.about["version"])

    @property
    def products(self) -> tuple[Product, ...]:
        """All of them, in the shop's order; as many objects as there are products."""
        return tuple(self)

    def __iter__(self) -> Iterator[Product]:
        numbers = self._index.rows("SELECT id FROM product WHERE offered >= ? ORDER BY id", self._least)
        return (self._load(number) for (number,) in numbers)

    def __len__(self) -> int:
        count = self._index.one("SELECT count(*) FROM product WHERE offered >= ?", self._least)
        return int(count[0]) if count else 0

    def __getitem__(self, sku: str) -> Product:
        return self._product(self._number(sku))

    def __contains__(self, sku: object) -> bool:
        return self._index.one("SELECT 1 FROM product WHERE sku = ? AND offered >= ?", sku, self._least) is not None

    def offers(self) -> Iterator[Offered]:
        """What is offered, by what a pharmacist answers for; no record is read for it."""
        rows = self._index.rows("SELECT sku, content, imaginary FROM offered ORDER BY sku")
        return (Offered(sku, content, bool(imaginary)) for sku, content, imaginary in rows)

    def product_names(self) -> Iterator[str]:
        """The products' names, each once."""
        names = self._index.rows("SELECT DISTINCT name FROM product WHERE offered >= ?", self._least)
        return (str(name) for (name,) in names)

    def sold(self, key: str) -> set[bool]:
        """Whether products of this name, or of this medicine alone, need a prescription: both, where some do and some don't."""
        return {bool(one) for (one,) in self._index.rows("SELECT prescription FROM sold WHERE key = ?", key)}

    # By name

    def named(self, text: str) -> list[Match]:
        """Products called by name or alias in `text`, in order, blind to blanks, marks and case; the longest name counts.

        Of products of one kind (same contents, form and strength) the one comes that is shown first. A name that is part of
        another medicine's (钙片 in 瑞舒伐他汀钙片) calls nothing.
        """
        found: dict[str, Match] = {}
        key = name_key(text)
        medicines = self.lexicon.medicines(key)
        for start, end, name, words in self._longest(key):
            around = tuple(m.concept for m in medicines if m.start <= start and end <= m.end and m.words != words)
            for product in map(self._product, self._bearers(name, around, self._least)):
                found.setdefault(product.sku, Match(product, "name", words, float(len(words))))
        return list(found.values()) or self._of_other_brands(medicines)

    def _longest(self, key: str) -> Iterator[tuple[int, int, int, str]]:
        """The names in a text without overlaps, leftmost and longest first: start, end, number, words."""
        hits = [hit for hit in self._by_name.find(key) if hit.value[1] >= self._least]
        reach = 0
        for hit in sorted(hits, key=lambda hit: (hit.start, -hit.end)):
            if hit.start >= reach:
                reach = hit.end
                yield hit.start, hit.end, hit.value[0], hit.name

    def _find_bearers(self, name: int, around: tuple[str, ...], least: int) -> list[int]:
        """The products of a name, one of a kind. `around`: medicines whose name it stands in; then only products of these."""
        rows = self._index.rows(
            "SELECT product, kind FROM named WHERE name = ? AND offered >= ? ORDER BY offered DESC, rank, product LIMIT ?",
            name,
            least,
            _BEARERS,
        )
        kinds: dict[int, int] = {}
        for number, kind in rows:
            kinds.setdefault(kind, number)
        return [number for kind, number in kinds.items() if not around or self._is_of(kind, around)][:_SAME_NAME]

    def _is_of(self, kind: int, concepts: Sequence[str]) -> bool:
        marks = ",".join("?" * len(concepts))
        found = self._index.one(f"SELECT 1 FROM medicine WHERE kind = ? AND concept IN ({marks})", kind, *concepts)
        return found is not None

    def _of_other_brands(self, medicines: Iterable[Medicine]) -> list[Match]:
        """What this shop has of a medicine that is called by a name that no product bears (芬必得), for adults first."""
        found: dict[str, Match] = {}
        for medicine in medicines:
            for product in self.of_medicine(medicine.concept, most=1):
                found.setdefault(product.sku, Match(product, "name", medicine.words, float(len(medicine.words))))
        return list(found.values())

    def of_medicine(self, concept: str, most: int = _SAME_NAME) -> list[Product]:
        """What this shop has of a medicine, as the lexicon names it: one of a kind, for adults first."""
        rows = self._index.rows(
            "SELECT best FROM medicine JOIN kind ON kind.id = kind WHERE concept = ? AND offered >= ?"
            " ORDER BY sold_out, children, best LIMIT ?",
            concept,
            self._least,
            most,
        )
        return [self._product(number) for (number,) in rows]

    def of_name(self, name: str) -> list[Product]:
        """The products of exactly this name, in all its packs and of all makers, in stock first."""
        key = name_key(name)
        number = next((number for start, end, number, _ in self._longest(key) if end - start == len(key)), None)
        if number is None:
            return []
        rows = self._index.rows(
            "SELECT product FROM named WHERE name = ? AND offered >= ? ORDER BY offered DESC, rank, product LIMIT ?",
            number,
            self._least,
            _PACKS,
        )
        found = [self._product(number) for (number,) in rows]
        return [product for product in found if product.name == name]

    # By complaint

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
                if concept in self._weights:
                    told.setdefault(concept, mention.words if mention.kind == "finding" else concept)
        return told

    def suited(self, complaints: Mapping[str, str]) -> list[Match]:
        """Products in stock for complaints (see `complaints`), one of a kind; first those that cover more, or rarer ones."""
        covers: dict[int, list[str]] = defaultdict(list)
        for concept in complaints:
            rows = self._index.rows(
                "SELECT best FROM treats JOIN kind ON kind.id = kind WHERE concept = ? AND offered >= ? AND NOT sold_out",
                concept,
                self._least,
            )
            for (number,) in rows:
                covers[number].append(concept)
        scores = {number: sum(self._weights[concept] for concept in concepts) for number, concepts in covers.items()}
        best = max(scores.values(), default=0.0)
        near = sorted((number for number, score in scores.items() if score > _FAR * best), key=lambda n: (-scores[n], n))
        return [
            Match(self._product(number), "symptom", "、".join(complaints[one] for one in covers[number]), scores[number])
            for number in near[:_KINDS]
        ]

    def holding(self, name: str, *, for_children: bool, sold_out: bool = False) -> list[Product]:
        """Offered products that hold a substance or one of a group, one of a kind: of few substances first, then the cheap.

        Args:
            name: as the formulary's rows have it (布洛芬, 双氯芬酸/外用, 抗酸药).
            for_children: only those made for children, or only the others.
            sold_out: only those that are out of stock, or only the others.
        """
        rows = self._index.rows(
            "SELECT best FROM holds WHERE name = ? AND children = ? AND sold_out = ? ORDER BY parts, price, best LIMIT ?",
            name,
            for_children,
            sold_out,
            _HOLDING,
        )
        return [self._product(number) for (number,) in rows]

    def only_prescribed(self, complaints: Iterable[str]) -> bool:
        """Whether all that the shop has for complaints, and it has something, needs a prescription."""
        sql = "SELECT DISTINCT prescription FROM treats JOIN kind ON kind.id = kind WHERE concept = ?"
        return {free for concept in complaints for (free,) in self._index.rows(sql, concept)} == {1}

    def _weigh(self) -> dict[str, float]:
        """What each complaint that products are for weighs: one that few kinds list says more than one that many do."""
        rows = self._index.rows(
            "SELECT concept, count(*) FROM treats JOIN kind ON kind.id = kind WHERE offered >= ? GROUP BY concept", self._least
        )
        return {concept: len(concept) / math.sqrt(count) for concept, count in rows}

    def _treated(self, mention: Mention) -> tuple[str, ...]:
        """What somebody has who speaks of such a medicine: 退烧药 is asked for a fever, 过敏药 is named by what it is for."""
        named_for = mention.concept.removesuffix("药")
        if named_for in self._weights and mention.assertion not in ("absent", "someone_else"):
            return (named_for,)
        kind = self.lexicon.book.classes.rows.get(mention.concept)
        return kind.treats if kind is not None and mention.assertion == "hypothetical" else ()

    def _listed(self, mention: Mention) -> tuple[str, ...]:
        """The concept of a complaint that is there, or else the nearest broader ones, that products are for."""
        if not mention.current:
            return ()
        if mention.concept in self._weights:
            return (mention.concept,)
        listed = [name for name in sorted(mention.broader) if name in self._weights]
        wider = {name for other in listed for name in self.lexicon.broader(other) if name != other}
        return tuple(name for name in listed if name not in wider)

    # By anything

    def find(self, query: str, k: int = 5) -> list[Match]:
        """The `k` best products for a question: by name, by complaint, by a name that sounds like it, by wording."""
        found: dict[str, Match] = {}
        for way in (self.named, self._for_complaints, self._sounding, self._worded):
            for match in islice(way(query), k):
                found.setdefault(match.product.sku, match)
            if len(found) >= k:
                break
        return list(found.values())[:k]

    def _for_complaints(self, query: str) -> list[Match]:
        return self.suited(self.complaints(self.lexicon.read(query)))

    def _sounding(self, query: str) -> list[Match]:
        """Products with a name that sounds like part of the query: 布洛分, buluofen."""
        said = " ".join(sounds(query))
        found = []
        for number, _ in self._searched("sounds", sound_pairs(query)):
            product = self._product(number)
            names = [(fuzz.partial_ratio(" ".join(sounds(name)), said), name) for name in product.names if len(name) > 2]
            likeness, name = max(names, default=(0.0, ""))
            if likeness >= _LIKE:
                found.append(Match(product, "spelling", name, likeness))
        return sorted(found, key=lambda match: -match.score)

    def _worded(self, query: str) -> Iterator[Match]:
        found = self._searched("names texts", tokens(query))
        return (Match(self._product(number), "text", "", score) for number, score in found)

    def _searched(self, columns: str, wanted: Sequence[str]) -> list[tuple[int, float]]:
        """The numbers of products that hold some of these tokens, best first, one of a kind, with their BM25."""
        counted = [
            (self._index.one("SELECT products FROM token WHERE text = ?", token), token) for token in dict.fromkeys(wanted)
        ]
        known = sorted((count[0], token) for count, token in counted if count is not None)
        rare: list[str] = []
        left = _POSTINGS
        for count, token in known:
            left -= count
            if left >= 0:
                rare.append(token)
        ranked = " ORDER BY bm25(search, 4.0, 1.0, 1.0)" if rare else ""
        chosen = rare or [token for _, token in known[:1]]
        if not chosen:
            return []
        match = f"{{{columns}}} : ({' OR '.join(f'{chr(34)}{token}{chr(34)}' for token in chosen)})"
        rows = self._index.rows(
            "SELECT product.id, kind, bm25(search, 4.0, 1.0, 1.0) FROM search JOIN product ON product.id = search.rowid"
            f" WHERE search MATCH ? AND offered >= ?{ranked} LIMIT ?",
            match,
            self._least,
            _LOOKED_AT,
        )
        kinds: dict[int, tuple[int, float]] = {}
        for number, kind, score in rows:
            kinds.setdefault(kind, (number, -score))
        return list(kinds.values())[:_FOUND]

    # Records

    def _number(self, sku: str) -> int:
        found = self._index.one("SELECT id FROM product WHERE sku = ? AND offered >= ?", sku, self._least)
        if found is None:
            raise KeyError(sku)
        return int(found[0])

    def _load(self, number: int) -> Product:
        row = self._index.one("SELECT json FROM record WHERE product = ?", number)
        assert row is not None, f"the index names a product {number} that it doesn't hold"
        product = Product.model_validate_json(row[0])
        return product.decided(decide(product, self.formulary))


def read_lines(path: Path) -> Iterator[Product]:
    """Products from JSON lines, handed on only after every row was found good, so that they needn't be held.

    Raises:
        DataError: no such file, no product, bad rows and repeated SKUs; names the lines of the first ten.
    """
    seen: dict[str, int] = {}
    problems: list[tuple[int, str]] = []
    for line, row in _rows(path):
        try:
            sku = read_product(row).sku
        except ValueError as error:
            problems.append((line, str(error)))
            continue
        if sku in seen:
            problems.append((line, f"the SKU {sku} is already that of line {seen[sku]}; give each its own"))
        seen.setdefault(sku, line)
    if problems:
        more = "".join(f"\n{path}:{line}: {what}" for line, what in problems[1:10])
        raise DataError(problems[0][1] + more, path, problems[0][0])
    if not seen:
        raise DataError("holds no product; add at least one JSON line", path)
    for _, row in _rows(path):
        yield read_product(row)


def _rows(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.open(encoding="utf-8") as file:
            yield from ((line, row) for line, row in enumerate(file, 1) if row.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"can't be read: {error}; give a JSON-lines file of products", path) from error


def _forget(folder: Path) -> None:
    """Remove what was made for products or tables that nobody has opened for long."""
    for old in folder.iterdir():
        if old.is_dir() and time.time() - old.stat().st_mtime > _KEPT:
            shutil.rmtree(old, ignore_errors=True)


def _digest(path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError as error:
        raise DataError(f"can't be read: {error}; give a JSON-lines file of products", path) from error


def _records(made: Index) -> Iterator[Product]:
    return (Product.model_validate_json(record) for (record,) in made.rows("SELECT json FROM record ORDER BY product"))
