"""Contamination: which train questions are test questions, or nearly.

Exact: the comparison keys are equal. Near: the Jaccard similarity of their character 5-grams reaches a threshold, or a test
question stands almost whole inside a longer train question. Both need a large share of the test question's 5-grams, so a
match must hit one of its rarest few (the prefix filter of set-similarity joins: Chaudhuri, Ganti, Kaushik 2006): nothing is
missed, and few pairs are looked at.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from medasst.data.keys import comparison_keys
from medasst.shingles import shingles

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
        frame = pl.DataFrame({"item": sets.owners, "hash": sets.values}, schema={"item": pl.Int64, "hash": pl.UInt64})
        share = min(threshold, contained)
        prefix = pl.DataFrame(
            {"item": np.arange(len(sets)), "prefix": [n - math.ceil(share * n) + 1 for n in self._sizes.tolist()]},
            schema={"item": pl.Int64, "prefix": pl.Int64},
        )
        rarest = frame.with_columns(pl.len().over("hash").alias("df")).sort("item", "df", "hash")
        rarest = rarest.with_columns(pl.int_range(pl.len()).over("item").alias("rank")).join(prefix, on="item")
        self._prefix = rarest.filter(pl.col("rank") < pl.col("prefix")).select("item", "hash")
        self._all = frame

    def find(self, questions: Sequence[str] | pl.Series) -> list[Match]:
        """The best match of each question that has one, by place."""
        keys = comparison_keys(pl.Series(questions, dtype=pl.String))
        found = {
            i: Match(i, self.items[place], "exact", 1.0)
            for i, key in enumerate(keys)
            if (place := self._exact.get(key)) is not None
        }
        sets = shingles(keys)
        frame = pl.DataFrame({"place": sets.owners, "hash": sets.values}, schema={"place": pl.Int64, "hash": pl.UInt64})
        pairs = frame.join(self._prefix, on="hash").select("place", "item").unique()
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
