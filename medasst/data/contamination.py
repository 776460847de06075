"""Contamination: which train questions are test questions, or nearly. What counts as a match stands in docs/data.md.

Two questions are compared by their cores (`questions.py`), in five ways. Exact: the cores are equal. Near: the Jaccard
similarity of their character 5-grams reaches a threshold. Edited: a few letters differ, and the difference is a slip
(`slips.py`). Contained: the test question stands in a longer train question. Part: the train question stands in a longer test
question.

Near pairs share one of their rarest few 5-grams (the prefix filter of set-similarity joins: Chaudhuri, Ganti, Kaushik 2006),
so nothing is missed and few pairs are looked at. A text inside another is looked for by its rarest windows of letters, one
from each third.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import polars as pl

from medasst.data.questions import content_of, manners
from medasst.data.settings import Contamination
from medasst.data.slips import SlipIndex, distinct, is_slip
from medasst.shingles import BITS, I64, U64, N, Shingles, ngrams, shingles

BITMAP = 4  # 64-bit words of a bitmap: longer ones tell more pairs apart
_ROUNDING = 1e-9
LONG = 16  # letters from which a text may stand inside another with a few letters changed
WINDOW = 12  # letters of a long text that are looked for
SHORT = 6  # letters from which a text may stand, word for word, inside one that says more
TELLING = 3  # letters of content that such a text needs, one more below MIDDLE letters
MIDDLE = 8
ASKING = 2  # letters of words in which things are asked that it needs, unless it has SENTENCE letters
SENTENCE = 10
TELLING_LATER = 6  # the same of a later turn, which must also be LONG
LEAST = 2  # letters of content that any match needs
LEAST_LETTERS = 5  # letters that a later turn needs to be looked at
BESIDE = 2  # letters of content that may stand around a short text: then nothing is asked besides
UNKNOWN = 6  # letters beside known words of courtesy that may be courtesy too
COMMON = 200  # test questions that hold a 5-gram: of more it is a phrase
KINDS = ("exact", "near", "edited", "contained", "part")


class Match(NamedTuple):
    """A train record and the test item that it repeats."""

    row: int
    item: str
    kind: str  # one of KINDS
    similarity: float


class _Pair(NamedTuple):
    """A text (its place) and a test question (its place) that match."""

    place: int
    item: int
    kind: str
    similarity: float


class QuestionIndex:
    """Test questions, to be looked for in train questions.

    Args:
        items: what to call each in a match.
        questions: their texts as `questions.cores` gives them; `row` is a place in `items`.
        settings: when two questions match.
    """

    def __init__(self, items: list[str], questions: pl.DataFrame, settings: Contamination | None = None) -> None:
        self.settings = settings or Contamination()
        known = questions.with_columns(item=pl.col("row").replace_strict(dict(enumerate(items)), return_dtype=pl.String))
        telling = ~pl.col("later") | (pl.col("letters") >= LONG) & (pl.col("content") >= TELLING_LATER)
        # The lowest name speaks for several equal questions, whatever order they came in.
        known = (
            known.filter(telling)
            .sort("core", "later", "item", "stem", "sentences")
            .unique("core", keep="first", maintain_order=True)
        )
        self.items, self.cores, self.sentences = (known[name].to_list() for name in ("item", "core", "sentences"))
        self.letters, self.content, self.stems = (known[name].to_numpy() for name in ("letters", "content", "stem"))
        self._exact = {core: place for place, core in enumerate(self.cores)}
        sets = shingles(self.cores)
        self._sizes, self._bits = sets.sizes, _bitmaps(sets)
        self._all = _grams(sets, "item")
        self._frequency = self._all.group_by("hash").len("df")
        ranked = _ranked(self._all, self._frequency, "item")
        self._near = _prefix(ranked, pl.DataFrame({"item": np.arange(len(sets)), "size": self._sizes}), self.settings.threshold)
        self._slips = SlipIndex(self.cores, self.settings.edits)
        short = pl.col("item").is_in(np.flatnonzero(self.letters < LONG))
        self._telling = self._frequency.filter(pl.col("df") <= COMMON)
        self._rarest = ranked.filter((pl.col("rank") == 0) & short).join(self._telling, on="hash").select("item", "hash")
        self._windows = _windows(self.cores, self.letters, "item")
        self._often = self._windows.group_by("hash").len("df")
        self._anchors = _anchors(self._windows, self._often, "item")

    def find(self, texts: pl.DataFrame) -> list[Match]:
        """The best match of each record that has one.

        Args:
            texts: the records' texts as `questions.cores` gives them.
        """
        texts = _telling(texts)
        best: dict[int, Match] = {}
        rows = texts["row"].to_list()
        for pair in self._pairs(_Texts.of(texts)):
            match = Match(rows[pair.place], self.items[pair.item], pair.kind, round(pair.similarity, 4))
            if match.row not in best or _order(match) < _order(best[match.row]):
                best[match.row] = match
        return [best[row] for row in sorted(best)]

    def repeated(self, texts: pl.DataFrame) -> set[str]:
        """Every item that one of these texts repeats, where `find` names one item a record."""
        return {self.items[pair.item] for pair in self._pairs(_Texts.of(_telling(texts)))}

    def _pairs(self, texts: _Texts) -> Iterable[_Pair]:
        for place, core in enumerate(texts.cores):
            telling = texts.content[place] >= LEAST or (not texts.later[place] and len(core) >= SHORT)  # 怎么办 tells nothing
            if telling and (item := self._exact.get(core)) is not None:
                yield _Pair(place, item, "exact", 1.0)
        grams = _grams(texts.sets, "place")
        yield from self._near_pairs(texts, grams)
        for place, item, edits in self._slips.find(texts.cores):
            if min(texts.content[place], self.content[item]) >= LEAST and self._same_stem(texts, place, item):
                yield _Pair(place, item, "edited", 1 - edits / max(texts.letters[place], self.letters[item]))
        yield from self._short_pairs(texts, grams)

    def _near_pairs(self, texts: _Texts, grams: pl.DataFrame) -> Iterable[_Pair]:
        """Near, and long texts inside others: all go by how many 5-grams two texts share."""
        sizes = pl.DataFrame({"place": np.arange(len(texts.sets)), "size": texts.sets.sizes})
        near = _prefix(_ranked(grams, self._frequency, "place"), sizes, self.settings.threshold)
        windows = _windows(texts.cores, texts.letters, "place")
        pairs = _sharing(
            (near, self._near),
            (windows, self._anchors),
            (_anchors(windows, self._often, "place"), self._windows),
        )
        pairs = pairs.filter(self._possible(texts, pairs["place"].to_numpy(), pairs["item"].to_numpy()))
        shared = grams.join(pairs, on="place").join(self._all, on=["item", "hash"]).group_by("place", "item").len("common")
        for place, item, common in shared.sort("place", "item").iter_rows():
            ours, theirs = int(texts.sets.sizes[place]), int(self._sizes[item])
            similarity = common / (ours + theirs - common)
            if not self._same_stem(texts, place, item):
                continue
            if similarity >= self.settings.threshold:
                if min(texts.content[place], self.content[item]) >= LEAST:
                    yield _Pair(place, item, "near", similarity)
            elif common >= self.settings.contained * theirs and self._long_enough(item):
                yield _Pair(place, item, "contained", similarity)
            elif common >= self.settings.contained * ours and texts.long_enough(place):
                yield _Pair(place, item, "part", similarity)

    def _possible(self, texts: _Texts, places: I64, items: I64) -> pl.Series:
        """Whether the pairs can share enough: a bit that only one has stands for a 5-gram that only one has."""
        ours, theirs = texts.sets.sizes[places], self._sizes[items]
        left, right = _bitmaps(texts.sets)[places], self._bits[items]
        most = np.minimum(
            ours - np.bitwise_count(left & ~right).sum(axis=1, dtype=np.int64),
            theirs - np.bitwise_count(right & ~left).sum(axis=1, dtype=np.int64),
        )
        near = most * (1 + self.settings.threshold) >= self.settings.threshold * (ours + theirs) - _ROUNDING
        return pl.Series(near | (most >= self.settings.contained * np.minimum(ours, theirs) - _ROUNDING))

    def _short_pairs(self, texts: _Texts, grams: pl.DataFrame) -> Iterable[_Pair]:
        """Short texts that stand word for word inside others."""
        short = pl.Series((texts.letters < LONG) & ~np.array(texts.later, bool))
        known = grams.filter(short.gather(grams["place"])).join(self._telling, on="hash")
        inside, around = _sharing((grams, self._rarest)), _sharing((_rarest(known, "place"), self._all))
        for place, item in inside.iter_rows():
            ours, theirs = texts.cores[place], self.cores[item]
            if _stands(theirs, int(self.content[item]), ours, texts.sentences[place]):
                yield _Pair(place, item, "contained", len(theirs) / len(ours))
        for place, item in around.iter_rows():
            ours, theirs = texts.cores[place], self.cores[item]
            if _stands(ours, int(texts.content[place]), theirs, self.sentences[item]):
                yield _Pair(place, item, "part", len(ours) / len(theirs))

    def _same_stem(self, texts: _Texts, place: int, item: int) -> bool:
        """Whether two texts ask the same of the same options: several questions of an exam share theirs."""
        ours, theirs = texts.cores[place][: texts.stems[place]], self.cores[item][: self.stems[item]]
        if not ours or not theirs or ours.endswith(theirs) or theirs.endswith(ours):
            return True
        return is_slip(ours, theirs, self.settings.edits)

    def _long_enough(self, item: int) -> bool:
        return bool(self.letters[item] >= LONG and self.content[item] >= TELLING)


class _Texts(NamedTuple):
    cores: list[str]
    sentences: list[str]
    later: list[bool]
    letters: I64
    content: I64
    stems: I64
    sets: Shingles

    @classmethod
    def of(cls, texts: pl.DataFrame) -> _Texts:
        cores, sentences = texts["core"].to_list(), texts["sentences"].to_list()
        letters, content, stems = (texts[name].to_numpy() for name in ("letters", "content", "stem"))
        return cls(cores, sentences, texts["later"].to_list(), letters, content, stems, shingles(cores))

    def long_enough(self, place: int) -> bool:
        """Whether a text may stand inside a longer test question with a few letters changed."""
        return bool(self.letters[place] >= LONG and self.content[place] >= (TELLING_LATER if self.later[place] else TELLING))


def _telling(texts: pl.DataFrame) -> pl.DataFrame:
    """The texts without later turns that say next to nothing."""
    return texts.filter(~pl.col("later") | (pl.col("letters") >= LEAST_LETTERS) & (pl.col("content") >= LEAST))


def _order(match: Match) -> tuple[int, float, str]:
    return KINDS.index(match.kind), -match.similarity, match.item


def _stands(short: str, content: int, long: str, sentences: str) -> bool:
    """Whether a text stands inside another, as a question of its own or as all that is asked."""
    if len(short) >= len(long) or short not in long:
        return False
    asks = len(short) - content >= ASKING or len(short) >= SENTENCE  # 系统性红斑狼疮 is a word, not a question
    if asks and len(short) >= SHORT and content >= TELLING + (len(short) < MIDDLE):
        return True
    if content < LEAST:
        return False
    return content_of(long.replace(short, "", 1)) <= (BESIDE if asks else 0) or _amid_courtesy(short, sentences)


def _amid_courtesy(short: str, sentences: str) -> bool:
    """Whether a text is whole sentences of a longer one, and what stands around them is courtesy, known words of it or not."""
    found = re.search(" ?".join(map(re.escape, short)), sentences)
    if not found:
        return False
    before, after = sentences[: found.start()], sentences[found.end() :]
    if manners(before.rpartition(" ")[2]).other or manners(after.partition(" ")[0]).other:
        return False
    around = manners(before + after)
    return around.other <= min(UNKNOWN, around.courteous)


def _bitmaps(sets: Shingles) -> U64:
    """BITMAP 64-bit words a text, in which each 5-gram sets one bit (the bitmap filter: Sandes, Teodoro, Melo 2017)."""
    bits = np.zeros((len(sets), BITMAP), np.uint64)
    filled = np.flatnonzero(sets.sizes)
    if len(filled):
        place = sets.values % np.uint64(64 * BITMAP)
        bit = np.uint64(1) << (place & np.uint64(63))
        for word in range(BITMAP):
            mine = np.where(place >> np.uint64(6) == word, bit, np.uint64(0))
            bits[filled, word] = np.bitwise_or.reduceat(mine, sets.offsets[filled])
    return bits


def _windows(cores: list[str], letters: I64, name: str) -> pl.DataFrame:
    """The windows of WINDOW letters of the long texts, and in which third of its text each stands."""
    windows = ngrams([core if long else "" for core, long in zip(cores, letters >= LONG, strict=True)], WINDOW)
    owners = windows.owners
    thirds = 3 * (np.arange(len(owners)) - windows.offsets[owners]) // np.maximum(windows.sizes[owners], 1)
    return _grams(windows, name).with_columns(third=pl.Series(thirds, dtype=pl.Int64))


def _anchors(windows: pl.DataFrame, often: pl.DataFrame, name: str) -> pl.DataFrame:
    """The window of each third of a text that is rarest among the test questions: who holds a text almost whole holds one."""
    return _rarest(windows.join(often, on="hash"), name, "third").unique()


def _rarest(known: pl.DataFrame, *by: str) -> pl.DataFrame:
    """Of `hash` and its frequency `df` the rarest for each of `by`, the lowest of equals; the first of `by` and `hash`."""
    packed = pl.min_horizontal("df", pl.lit(2**19)).cast(pl.UInt64) * 2**BITS + pl.col("hash")
    return known.group_by(by).agg(packed.min().alias("packed")).select(by[0], hash=pl.col("packed") % 2**BITS)


def _grams(sets: Shingles, name: str) -> pl.DataFrame:
    return pl.DataFrame({name: sets.owners, "hash": sets.values}, schema={name: pl.Int64, "hash": pl.UInt64})


def _ranked(grams: pl.DataFrame, frequency: pl.DataFrame, owner: str) -> pl.DataFrame:
    """Each text's 5-grams from the rarest among the test questions on; the order is the same for every text."""
    known = grams.join(frequency, on="hash", how="left").with_columns(pl.col("df").fill_null(0)).sort(owner, "df", "hash")
    return known.with_columns(rank=pl.int_range(pl.len()).over(owner)).select(owner, "hash", "rank")


def _prefix(ranked: pl.DataFrame, sizes: pl.DataFrame, share: float) -> pl.DataFrame:
    """So many of each text's rarest 5-grams that a text with `share` of all of them has one of these."""
    limits = sizes.with_columns(first=pl.col("size") - (pl.col("size") * share - _ROUNDING).ceil().cast(pl.Int64) + 1)
    return ranked.join(limits.drop("size"), on=ranked.columns[0]).filter(pl.col("rank") < pl.col("first")).drop("rank", "first")


def _sharing(*sides: tuple[pl.DataFrame, pl.DataFrame]) -> pl.DataFrame:
    """`place, item` of the pairs that share a hash in one of these, in order."""
    packed = [
        left.select("place", "hash")
        .join(right.select("item", "hash"), on="hash")
        .select(pl.col("place") * 2**32 + pl.col("item"))
        for left, right in sides
    ]
    pairs = distinct(pl.concat(packed).to_series().to_numpy().astype(np.uint64)).astype(np.int64)
    return pl.DataFrame({"place": pairs >> 32, "item": pairs & (2**32 - 1)})


assert LONG - N + 1 >= WINDOW  # a text long enough has a window
