"""What a turn asks, by the table `asks.toml`: several things in its order. Whom and what it is about isn't decided here."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from medasst.catalogue import Match, Product
from medasst.lexicon import Lexicon, Reading, plain
from medasst.lexicon.script import Script
from medasst.rulebook import AskKind, AskRow, Rulebook, Trait, TraitRow
from medasst.rulebook.asks import NAME

_CLAUSE = re.compile(r"[^,。;?!\n]+")
_HAD = "疫苗"  # what is had once and asked of by its name, no medicine that one takes
_LONGEST = 600  # characters of a turn, from its end, in which something is asked


@dataclass(frozen=True, slots=True)
class Asked:
    """One thing that is asked.

    Attributes:
        key: the leaflet section, the shop matter, or what of `spec` and `another`; "" without.
        words: how it was asked, in the plain text. row: the row of `asks.toml` that read it; "" where none did.
    """

    kind: AskKind
    key: str = ""
    words: str = ""
    row: str = ""


@dataclass(frozen=True, slots=True)
class _Compiled:
    row: AskRow
    pattern: re.Pattern[str]
    unless: re.Pattern[str] | None


class AskReader:
    """Reads what is asked by the tables of one rulebook; see `reader`."""

    def __init__(self, book: Rulebook) -> None:
        table = book.asks
        self.rows = {row.id: row for row in table.ask}
        self._asks = [
            _Compiled(row, re.compile(row.pattern, re.VERBOSE), re.compile(row.unless, re.VERBOSE) if row.unless else None)
            for row in table.ask
        ]
        self._question = re.compile(table.question, re.VERBOSE)
        self._things = re.compile(table.things, re.VERBOSE)
        self._apart = re.compile(table.apart, re.VERBOSE)
        self._traits = [(row, re.compile(row.pattern, re.VERBOSE), re.compile(row.form)) for row in table.trait]

    def read(self, bare: str) -> list[Asked]:
        """What a text asks, see `without_names`, in its order; of rows whose words overlap the first of the table counts."""
        text = bare[-_LONGEST:]
        clauses = [match.span() for match in _CLAUSE.finditer(text)]
        taken: list[tuple[int, int]] = []
        found: list[tuple[int, Asked]] = []
        for one in self._asks:
            hidden = [clause for clause in clauses if one.unless and one.unless.search(text[slice(*clause)])]
            match = one.pattern.search(text)
            while match is not None:
                if _meets(match.span(), hidden) or _meets(match.span(), taken):
                    match = one.pattern.search(text, match.start() + 1)  # 怎么吃，能和钙片一起: the second may begin later
                    continue
                taken.append(match.span())
                if all(other.row != one.row.id for _, other in found):
                    found.append((match.start(), Asked(one.row.kind, one.row.key, match[0], one.row.id)))
                match = one.pattern.search(text, max(match.end(), match.start() + 1))
        return [asked for _, asked in sorted(found, key=lambda pair: pair[0])]

    def asks_something(self, bare: str) -> bool:
        """Whether a text is a question at all."""
        return self._question.search(bare[-_LONGEST:]) is not None

    def names_a_thing(self, bare: str) -> bool:
        """Whether a text names something that is no medicine and of which the shop has no record."""
        return self._things.search(bare) is not None

    def set_apart_by(self, text: str) -> frozenset[str]:
        """The words of a text that make its question another one than the same question without them."""
        return frozenset(self._apart.findall(text))

    def forms(self, bare: str) -> list[tuple[re.Match[str], re.Pattern[str]]]:
        """The forms that a text names (喷的, 贴的), each with what a record of it holds."""
        found = [
            (match, form) for row, pattern, form in self._traits if row.trait == "form" and (match := pattern.search(bare))
        ]
        return sorted(found, key=lambda one: one[0].start())

    def trait(self, bare: str) -> tuple[TraitRow, re.Pattern[str]] | None:
        """The trait by which a text picks a product, with what a record of it holds where it is a form."""
        return next(((row, form) for row, pattern, form in self._traits if pattern.search(bare)), None)


@lru_cache(maxsize=8)
def reader(lexicon: Lexicon) -> AskReader:
    """The reader of a lexicon's rulebook; it is kept."""
    return AskReader(lexicon.book)


def without_names(reading: Reading, named: Iterable[Match], classes: Collection[str]) -> str:
    """The plain text of a turn with a mark for every medicine's name: 左炔诺孕酮 asks nothing about 孕.

    Args:
        named: what the catalogue finds in it. classes: kinds of medicines (退烧药), which are no names.
    """
    script = plain(reading.text)
    spans: list[tuple[int, int]] = []
    for match in named:
        place = script.text.find(match.words)
        if place >= 0:
            spans.append((place, place + len(match.words)))
    for drug in reading.drugs():
        span = (bisect_left(script.at, drug.start), bisect_left(script.at, drug.end))
        if drug.concept not in classes and _HAD not in drug.words and not _meets(span, spans):
            spans.append(span)
    pieces: list[str] = []
    last = 0
    for start, end in sorted(spans):
        if start >= last:
            between = _parted(script, last, start)
            apart = "," if pieces and not between and start in script.blank_before else ""
            pieces += [between or apart, NAME]
        last = max(last, end)
    return "".join([*pieces, _parted(script, last, len(script.text))])


def _parted(script: Script, start: int, end: int) -> str:
    """A stretch of a text with commas for its blanks, by which many part their clauses."""
    return "".join(
        f",{script.text[place]}" if place in script.blank_before and place else script.text[place]
        for place in range(start, end)
    )


def picked(products: Sequence[Product], trait: Trait, form: re.Pattern[str]) -> list[Product]:
    """Those of some products that have a trait: the cheapest, those for children, those of a form."""
    if trait in ("cheap", "dear"):
        best = (min if trait == "cheap" else max)((one.price for one in products), default=0.0)
        return [one for one in products if one.price == best]
    if trait in ("children", "adults"):
        return [one for one in products if one.for_children == (trait == "children")]
    if trait == "form":
        return [one for one in products if form.search(one.form) or form.search(one.name)]
    return []


def _meets(span: tuple[int, int], others: Iterable[tuple[int, int]]) -> bool:
    return any(start < span[1] and span[0] < end for start, end in others)
