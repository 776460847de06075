"""The catalogue on disk: one SQLite file that is written once, whole, and then only read.

Products of the same contents, form and strength are of one *kind*: of forty makers' ibuprofen a shopper is shown one. Names
and complaints lead to kinds, each with the product that is shown first: one in stock, with a leaflet, the cheapest.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from medasst.catalogue.products import Product
from medasst.catalogue.selling import decide
from medasst.catalogue.signing import Offered
from medasst.catalogue.words import name_key, sound_pairs, tokens
from medasst.disk import file_sha256, package_file
from medasst.errors import DataError
from medasst.formulary import Formulary
from medasst.lexicon import Lexicon
from medasst.rulebook import Rulebook
from medasst.text import comparison_key

SCHEMA = 3  # of the tables below
_PROGRAM = ("index.py", "products.py", "selling.py", "signing.py", "words.py")  # on which it depends what an index holds
_TABLES = """
CREATE TABLE about(key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE product(id INTEGER PRIMARY KEY, sku TEXT UNIQUE, kind INTEGER, offered INTEGER, name TEXT);
CREATE TABLE offered(sku TEXT PRIMARY KEY, content TEXT, imaginary INTEGER) WITHOUT ROWID;
CREATE TABLE record(product INTEGER PRIMARY KEY, json TEXT);
CREATE TABLE kind(id INTEGER PRIMARY KEY, best INTEGER, offered INTEGER, children INTEGER, prescription INTEGER,
  sold_out INTEGER);
CREATE TABLE name(id INTEGER PRIMARY KEY, key TEXT, offered INTEGER);
CREATE TABLE named(name INTEGER, offered INTEGER, rank INTEGER, product INTEGER, kind INTEGER,
  PRIMARY KEY(name, offered, rank, product)) WITHOUT ROWID;
CREATE TABLE medicine(concept TEXT, kind INTEGER, PRIMARY KEY(concept, kind)) WITHOUT ROWID;
CREATE TABLE treats(concept TEXT, kind INTEGER, PRIMARY KEY(concept, kind)) WITHOUT ROWID;
CREATE TABLE holds(name TEXT, children INTEGER, sold_out INTEGER, parts INTEGER, price REAL, best INTEGER,
  PRIMARY KEY(name, children, sold_out, parts, price, best)) WITHOUT ROWID;
CREATE TABLE sold(key TEXT, prescription INTEGER, PRIMARY KEY(key, prescription)) WITHOUT ROWID;
CREATE TABLE token(text TEXT PRIMARY KEY, products INTEGER) WITHOUT ROWID;
CREATE VIRTUAL TABLE search USING fts5(names, sounds, texts, content='', columnsize=1, detail=column);
"""
_BATCH = 2_000


@dataclass(slots=True)
class _Kind:
    id: int
    offered: bool
    children: bool
    prescription: bool
    holds: frozenset[str]
    parts: int
    best: tuple[float, ...] = ()
    concepts: set[str] = field(default_factory=set)
    complaints: set[str] = field(default_factory=set)


class Writer:
    """Writes an index product by product; the products carry what was decided about them afterwards.

    Args:
        path: a file that doesn't exist yet. It is whole only after `finish`.
        lexicon: reads names and complaints. formulary: what products are made of.
    """

    def __init__(self, path: Path, lexicon: Lexicon, formulary: Formulary) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA page_size=8192;" + _TABLES)
        self._db.execute("BEGIN")
        self._lexicon, self._formulary = lexicon, formulary
        self._kinds: dict[tuple[object, ...], _Kind] = {}
        self._names: dict[str, int] = {}
        self._offered_names: set[int] = set()
        self._counts: Counter[str] = Counter()
        self._sold: set[tuple[str, bool]] = set()
        self._read: dict[str, tuple[str, ...]] = {}
        self._medicines: dict[str, tuple[str, ...]] = {}
        self._skus: set[str] = set()
        self._rows: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)

    def __len__(self) -> int:
        return len(self._skus)

    def add(self, product: Product) -> Product:
        """Take a product in, and return it with what was decided. Raises DataError: its SKU is there already."""
        if product.sku in self._skus:
            raise DataError(f"two products share the SKU {product.sku}; give each its own")
        self._skus.add(product.sku)
        record = product.model_dump_json(exclude_defaults=True)
        product = product.decided(decide(product, self._formulary))
        number, kind = len(self._skus), self._kind(product)
        rank = self._rank(product)
        kind.best = min(kind.best or (*rank, number), (*rank, number))
        place = rank[0] * 2 + rank[1]
        self._rows["product"].append((number, product.sku, kind.id, product.offered, product.name))
        self._rows["record"].append((number, record))
        if product.offered:
            self._rows["offered"].append(tuple(Offered.of(product)))
        self._add_names(product, number, kind, place)
        self._add_words(product, number)
        kind.complaints.update(concept for symptom in product.symptoms for concept in self._complaints(symptom))
        if len(self._rows["product"]) >= _BATCH:
            self._flush()
        return product

    def finish(self, version: str) -> None:
        """Write what belongs to all products, and close. `version`: what tells these products from any others."""
        self._flush()
        kinds = list(self._kinds.values())
        shown = ((k.id, int(k.best[-1]), k.offered, k.children, k.prescription, k.best[0]) for k in kinds)
        self._db.executemany("INSERT INTO kind VALUES(?,?,?,?,?,?)", shown)
        self._db.executemany("INSERT INTO treats VALUES(?,?)", ((c, k.id) for k in kinds for c in sorted(k.complaints)))
        self._db.executemany("INSERT INTO medicine VALUES(?,?)", ((c, k.id) for k in kinds for c in sorted(k.concepts)))
        offered = ((k, (k.children, k.best[0], k.parts, k.best[2], int(k.best[-1]))) for k in kinds if k.offered)
        holds = sorted((name, *facts) for k, facts in offered for name in k.holds)
        self._db.executemany("INSERT INTO holds VALUES(?,?,?,?,?,?)", holds)
        names = ((number, key, number in self._offered_names) for key, number in self._names.items())
        self._db.executemany("INSERT INTO name VALUES(?,?,?)", names)
        self._db.executemany("INSERT INTO sold VALUES(?,?)", sorted(self._sold))
        self._db.executemany("INSERT INTO token VALUES(?,?)", sorted(self._counts.items()))
        told = {"schema": SCHEMA, "made_by": made_by(self._lexicon.book), "version": version}
        self._db.executemany("INSERT INTO about VALUES(?,?)", ((key, json.dumps(value)) for key, value in told.items()))
        self._db.execute("INSERT INTO search(search) VALUES('optimize')")
        self._db.execute("COMMIT")
        self.close()

    def close(self) -> None:
        """Let the file go."""
        self._db.close()

    def _flush(self) -> None:
        for table, rows in self._rows.items():
            marks = ",".join("?" * len(rows[0])) if rows else ""
            into = "search(rowid, names, sounds, texts)" if table == "search" else table
            self._db.executemany(f"INSERT INTO {into} VALUES({marks})", rows) if rows else None
            rows.clear()

    def _kind(self, product: Product) -> _Kind:
        made_of = product.contents
        what = tuple(sorted(one.name for one in made_of.substances)) if made_of.resolved else name_key(product.short_name)
        key = (what, product.form, product.strength, product.for_children, product.offered, product.prescription)
        if key not in self._kinds:
            flags = (product.offered, product.for_children, product.prescription)
            self._kinds[key] = _Kind(len(self._kinds) + 1, *flags, made_of.names, len(made_of.substances))
        return self._kinds[key]

    @staticmethod
    def _rank(product: Product) -> tuple[int, int, float]:
        """Lower is shown first: in stock, with a leaflet, cheap."""
        return int(product.stock == 0), int(bool(product.untold)), product.price

    def _add_names(self, product: Product, number: int, kind: _Kind, place: int) -> None:
        for key in dict.fromkeys(map(name_key, product.names)):
            if not key:
                continue
            name = self._names.setdefault(key, len(self._names) + 1)
            if product.offered:
                self._offered_names.add(name)
            self._rows["named"].append((name, product.offered, place, number, kind.id))
        medicines = [concept for name in product.names for concept in self._concepts(name)]
        kind.concepts.update(medicines)
        concepts = [*medicines, *(concept for one in product.ingredients for concept in self._concepts(one))]
        alone = concepts if product.prescription or len(product.ingredients) < 2 else []
        self._sold.update((key, product.prescription) for key in (*map(comparison_key, product.names), *alone))

    def _add_words(self, product: Product, number: int) -> None:
        section = product.section("indications")
        names = _tokens_of([*product.names, product.brand, product.maker, product.form])
        texts = _tokens_of([*product.symptoms, *product.ingredients, section.text if section else ""])
        heard = dict.fromkeys(pair for name in product.names for pair in sound_pairs(name))
        self._counts.update({*names, *texts, *heard})
        self._rows["search"].append((number, " ".join(names), " ".join(heard), " ".join(texts)))

    def _concepts(self, name: str) -> tuple[str, ...]:
        if name not in self._medicines:
            self._medicines[name] = tuple(dict.fromkeys(one.concept for one in self._lexicon.medicines(name)))
        return self._medicines[name]

    def _complaints(self, symptom: str) -> tuple[str, ...]:
        if symptom not in self._read:
            self._read[symptom] = tuple(dict.fromkeys(one.concept for one in self._lexicon.read(symptom).findings()))
        return self._read[symptom]


class Index:
    """An index that is read. Every thread has a connection of its own, so that none waits for another's search.

    Raises:
        DataError: the file is no index, or one of another schema.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._own = path, threading.local()
        try:
            self.about = {key: json.loads(value) for key, value in self.rows("SELECT key, value FROM about")}
        except sqlite3.DatabaseError as error:
            raise DataError(f"no catalogue ({error}); make one with: medasst catalogue import MAPPING.toml", path) from error
        if self.about.get("schema") != SCHEMA:
            raise DataError("made by another version of MedAsst; import the shop's file again", path)

    def rows(self, sql: str, *values: object) -> Iterator[tuple[Any, ...]]:
        """The rows of a query."""
        return self._connection().execute(sql, values)

    def one(self, sql: str, *values: object) -> tuple[Any, ...] | None:
        """The first row of a query."""
        found: tuple[Any, ...] | None = self._connection().execute(sql, values).fetchone()
        return found

    def _connection(self) -> sqlite3.Connection:
        if (db := getattr(self._own, "db", None)) is None:
            db = self._own.db = sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
            db.execute("PRAGMA cache_size=-3000")  # kilobytes
        return db


def write(path: Path, products: Iterable[Product], lexicon: Lexicon, formulary: Formulary, version: str) -> None:
    """An index of these products. Raises DataError: two share a SKU."""
    writer = Writer(path, lexicon, formulary)
    try:
        for product in products:
            writer.add(product)
        writer.finish(version)
    finally:
        writer.close()


@cache
def _program() -> str:
    return "".join(file_sha256(package_file(f"catalogue/{name}")) for name in _PROGRAM)


def made_by(book: Rulebook) -> str:
    """What an index is made by: a change of it makes another of the same products."""
    return hashlib.sha256(f"{_program()}{book.fingerprint}".encode()).hexdigest()


def _tokens_of(texts: Iterable[str]) -> dict[str, None]:
    return dict.fromkeys(token for text in texts if text for token in tokens(text))
