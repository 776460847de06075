"""Nearest texts: the retrieval baseline, the vetted answers and the catalogue's symptom search stand on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from medasst.text import comparison_key


class Hit(NamedTuple):
    """A place in the indexed texts and how near it is (cosine, 0-1)."""

    place: int
    score: float


class TextIndex:
    """Cosine over TF-IDF of character 1- to 3-grams: no segmentation, so two-character words are found.

    Args:
        texts: what is searched; each is reduced to its comparison key first.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self.size = len(texts)
        self._vectorizer = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True, preprocessor=comparison_key)
        # An all-empty corpus has no vocabulary; one odd character keeps the vectorizer valid and matches nothing.
        self._matrix = self._vectorizer.fit_transform([*texts, "\u5f41"])[: self.size]

    def nearest(self, query: str, k: int = 1) -> list[Hit]:
        """The `k` nearest texts, best first, those that share nothing left out; ties go to the lower index."""
        return self.nearest_many([query], k)[0]

    def nearest_many(self, queries: Sequence[str], k: int = 1, block: int = 256) -> list[list[Hit]]:
        """`nearest` for each query, `block` queries at a time so that memory stays bounded."""
        found: list[list[Hit]] = []
        for start in range(0, len(queries), block):
            scores = (self._vectorizer.transform(queries[start : start + block]) @ self._matrix.T).toarray()
            for row in scores:
                order = np.argsort(-row, kind="stable")[:k]
                found.append([Hit(int(i), float(row[i])) for i in order if row[i] > 0])
        return found
