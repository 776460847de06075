"""Contamination: which train questions are test questions, or nearly.

Exact: the comparison keys are equal. Near: the Jaccard similarity of their character 5-grams reaches a threshold, or a test
question stands almost whole inside a longer train question. Both need a large share of a question's 5-grams, so a match
must share one of its rarest few (the prefix filter of set-similarity joins: Chaudhuri, Ganti, Kaushik 2006; for Jaccard on
both sides): nothing is missed, and few pairs are looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from medasst.data.keys import comparison_keys
from medasst.shingles import I64, U64, Shingles, shingles

WORDS = 4  # of a bitmap: longer ones tell more pairs apart
_ROUNDING = 1e-9
LONG_ENOUGH = 12  # 5-grams: a shorter test question inside a longer one proves nothing


class Match(NamedTuple):
    """A train question (its place) and the test item that it repeats."""

    place: int
    item: str
    kind: str  # exact, near, contained
    similarity: float


class QuestionIndex:
    """Test questions, to be looked for in train questions.

    Args:
        items: what to call each in a match.
        questions: their texts.
        threshold: least Jaccard similarity of a near match.
        contained: least share of a test question inside a longer train question.
    """

    def __init__(self, items: Sequence[str], questions: Sequence[str], threshold: float = 0.8, contained: float = 0.9) -> None:
        self.threshold, self.contained = threshold, contained
        keys = comparison_keys(pl.Series(questions, dtype=pl.String))
        # The lowest name speaks for several equal questions, whatever order they came in.
        unique = sorted({key: item for key, item in sorted(zip(keys, items, strict=True), reverse=True) if key}.items())
        self.items = [item for _, item in unique]
        self._exact = {key: place for place, (key, _) in enumerate(unique)}
        sets = shingles([key for key, _ in unique])
        self._sizes = sets.sizes
        self._all = _grams(sets, "item")
        self._frequency = self._all.group_by("hash").len("df")
        ranked = _ranked(self._all, self._frequency, "item")
        sizes = pl.DataFrame({"item": np.arange(len(sets)), "size": self._sizes})
        self._near = _prefix(ranked, sizes, threshold)
        self._inside = _prefix(ranked, sizes.filter(pl.col("size") >= LONG_ENOUGH), contained)
        self._bits = _bitmaps(sets)

    def find(self, questions: Sequence[str] | pl.Series) -> list[Match]:
        """The best match of each question that has one, by place."""
        keys = comparison_keys(pl.Series(questions, dtype=pl.String))
        found = {
            i: Match(i, self.items[place], "exact", 1.0)
            for i, key in enumerate(keys)
            if (place := self._exact.get(key)) is not None
        }
        sets = shingles(keys)
        frame = _grams(sets, "place")
        own = pl.DataFrame({"place": np.arange(len(sets)), "size": sets.sizes})
        near = _prefix(_ranked(frame, self._frequency, "place"), own, self.threshold)
        pairs = pl.concat([_sharing(near, self._near), _sharing(frame, self._inside)]).unique()
        pairs = pairs.filter(self._possible(sets, pairs["place"].to_numpy(), pairs["item"].to_numpy()))
        common = frame.join(pairs, on="place").join(self._all, on=["item", "hash"]).group_by("place", "item").len("common")
        sizes = sets.sizes
        for place, item, n in common.sort("place", "item").iter_rows():
            ours, theirs = int(sizes[place]), int(self._sizes[item])
            similarity = n / (ours + theirs - n)
            inside = n / theirs if theirs >= LONG_ENOUGH else 0.0
            if similarity < self.threshold and inside < self.contained:
                continue
            kind = "near" if similarity >= self.threshold else "contained"
            if place not in found or similarity > found[place].similarity:
                found[place] = Match(place, self.items[item], kind, round(similarity, 4))
        return [found[place] for place in sorted(found)]

    def _possible(self, sets: Shingles, places: I64, items: I64) -> pl.Series:
        """Whether the pairs can share enough: a bit that only one has stands for a 5-gram that only one has."""
        ours, theirs = sets.sizes[places], self._sizes[items]
        left, right = _bitmaps(sets)[places], self._bits[items]
        most = np.minimum(
            ours - np.bitwise_count(left & ~right).sum(axis=1, dtype=np.int64),
            theirs - np.bitwise_count(right & ~left).sum(axis=1, dtype=np.int64),
        )
        near = most * (1 + self.threshold) >= self.threshold * (ours + theirs) - _ROUNDING
        inside = (most >= self.contained * theirs - _ROUNDING) & (theirs >= LONG_ENOUGH)
        return pl.Series(near | inside)


def _bitmaps(sets: Shingles) -> U64:
    """WORDS 64-bit words a text, in which each 5-gram sets one bit (the bitmap filter: Sandes, Teodoro, Melo 2017)."""
    bits = np.zeros((len(sets), WORDS), np.uint64)
    filled = np.flatnonzero(sets.sizes)
    if len(filled):
        place = sets.values % np.uint64(64 * WORDS)
        bit = np.uint64(1) << (place & np.uint64(63))
        for word in range(WORDS):
            mine = np.where(place >> np.uint64(6) == word, bit, np.uint64(0))
            bits[filled, word] = np.bitwise_or.reduceat(mine, sets.offsets[filled])
    return bits


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


def _sharing(grams: pl.DataFrame, prefix: pl.DataFrame) -> pl.DataFrame:
    """`place, item` of the pairs that share one of these 5-grams."""
    return grams.join(prefix, on="hash").select("place", "item").unique()
