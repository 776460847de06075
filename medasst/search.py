"""The nearest text of very many: the retrieval baseline stands on it."""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from medasst.shingles import ngrams
from medasst.text import comparison_key

T = TypeVar("T")

_LENGTHS = (1, 2, 3)  # of n-grams, in characters
_BITS = 24  # of an n-gram's number; a few rare ones share one
_BLOCK = 8192  # texts worked on at a time
_QUERIES = 256  # queries at a time
_MOST = 255  # as often as an n-gram counts in one text

Ints = NDArray[np.int32]
Floats = NDArray[np.float32]


class Hit(NamedTuple):
    """A place in the indexed texts and how near it is (cosine, 0-1)."""

    place: int
    score: float


class _Terms(NamedTuple):
    """The n-grams of some texts: `counts[i]` of text i, in order, each once with how often it is there."""

    grams: Ints
    often: NDArray[np.uint8]
    counts: Ints


class TextIndex:
    """Cosine over TF-IDF of character 1- to 3-grams: no segmentation, so two-character words are found.

    The texts' n-grams lie in temporary files of some 5 bytes each, read block by block for each lot of queries: memory is
    the same for a thousand texts and for millions, but for 8 bytes a text.

    Args:
        texts: what is searched, read once; each is reduced to its comparison key first.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._grams, self._often = (tempfile.TemporaryFile() for _ in range(2))  # noqa: SIM115 - open as long as the index is
        self._counts, self._norms = array("i"), array("f")
        seen = np.zeros(1 << _BITS, np.int32)
        for block in _batches(texts, _BLOCK):
            terms = _terms(block)
            terms.grams.tofile(self._grams)
            terms.often.tofile(self._often)
            self._counts.frombytes(terms.counts.tobytes())
            distinct, texts_with = np.unique(terms.grams, return_counts=True)
            seen[distinct] += texts_with.astype(np.int32)
        # As scikit-learn has it: smooth, so that a query's unknown n-gram has a weight too.
        self._idf = (np.log((1 + self.size) / (1 + seen.astype(np.float32))) + 1).astype(np.float32)
        for _, terms in self._blocks():
            self._norms.frombytes(_norms(terms, self._weights(terms)).tobytes())

    @property
    def size(self) -> int:
        """How many texts."""
        return len(self._counts)

    def nearest(self, query: str) -> Hit | None:
        """The nearest text, of equally near ones the first; None where none shares anything."""
        return self.nearest_many([query])[0]

    def nearest_many(self, queries: Sequence[str]) -> list[Hit | None]:
        """`nearest` for each query. All texts are gone through once for each few hundred queries: give many at a time."""
        return [hit for part in _batches(queries, _QUERIES) for hit in self._nearest(part)]

    def _nearest(self, queries: list[str]) -> Iterator[Hit | None]:
        asked = _terms(queries)
        weights = self._weights(asked)
        weights /= np.maximum(np.repeat(_norms(asked, weights), asked.counts), np.float32(1e-9))
        # Only the n-grams of queries count; each gets a row of what it weighs in each query.
        known = np.unique(asked.grams)
        column = np.full(1 << _BITS, -1, np.int32)
        column[known] = np.arange(len(known), dtype=np.int32)
        wanted = np.zeros((len(known), len(queries)), np.float32)
        wanted[column[asked.grams], _owners(asked)] = weights
        best, place = np.zeros(len(queries), np.float32), np.full(len(queries), -1)
        for start, terms in self._blocks():
            found = self._scores(start, terms, column, wanted)
            nearest = found.argmax(axis=0)
            score = found[nearest, np.arange(len(queries))]
            better = score > best
            best[better], place[better] = score[better], start + nearest[better]
        for where, near in zip(place.tolist(), best.tolist(), strict=True):
            yield Hit(where, min(1.0, near)) if where >= 0 else None

    def _scores(self, start: int, terms: _Terms, column: Ints, wanted: Floats) -> Floats:
        """How near each of these texts is to each query: a row a text."""
        columns = column[terms.grams]
        shared = columns >= 0
        ends = np.zeros(len(terms.counts) + 1, np.int32)
        np.cumsum(np.bincount(_owners(terms)[shared], minlength=len(terms.counts)), out=ends[1:])
        shape = (len(terms.counts), len(wanted))
        norms = np.frombuffer(self._norms, np.float32)[start : start + len(terms.counts)]
        found = csr_array((self._weights(terms)[shared], columns[shared], ends), shape=shape) @ wanted
        return np.asarray(found / np.maximum(norms, np.float32(1e-9))[:, None], np.float32)

    def _weights(self, terms: _Terms) -> Floats:
        return (1 + np.log(terms.often.astype(np.float32))) * self._idf[terms.grams]

    def _blocks(self) -> Iterator[tuple[int, _Terms]]:
        """All texts' n-grams, some texts at a time, and the place of the first of them."""
        counts = np.frombuffer(self._counts, np.int32)
        self._grams.seek(0)
        self._often.seek(0)
        for start in range(0, len(counts), _BLOCK):
            part = counts[start : start + _BLOCK]
            size = int(part.sum())
            yield start, _Terms(np.fromfile(self._grams, np.int32, size), np.fromfile(self._often, np.uint8, size), part)


def _terms(texts: Sequence[str]) -> _Terms:
    keys = [comparison_key(text) for text in texts]
    found = [ngrams([key if len(key) >= n else "" for key in keys], n) for n in _LENGTHS]
    # A text's number and an n-gram's in one word: one sort of integers brings equal ones together.
    words = [(part.owners.astype(np.int64) << _BITS) | (part.values.astype(np.int64) & ((1 << _BITS) - 1)) for part in found]
    distinct, often = np.unique(np.concatenate(words), return_counts=True)
    grams = (distinct & ((1 << _BITS) - 1)).astype(np.int32)
    counts = np.bincount(distinct >> _BITS, minlength=len(texts)).astype(np.int32)
    return _Terms(grams, np.minimum(often, _MOST).astype(np.uint8), counts)


def _owners(terms: _Terms) -> NDArray[np.int64]:
    return np.repeat(np.arange(len(terms.counts)), terms.counts)


def _norms(terms: _Terms, weights: Floats) -> Floats:
    squares = np.bincount(_owners(terms), weights=weights.astype(np.float64) ** 2, minlength=len(terms.counts))
    return np.sqrt(squares).astype(np.float32)


def _batches(things: Iterable[T], size: int) -> Iterator[list[T]]:
    left = iter(things)
    while batch := list(islice(left, size)):
        yield batch
