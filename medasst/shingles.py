"""Near texts as numbers: character n-grams hashed to 44 bits, their MinHash, and exact Jaccard similarity.

Everything works on many texts at once: their n-grams lie in one flat array with offsets, so that numpy does the loops.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

U32 = NDArray[np.uint32]
U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]

N = 5  # characters per shingle
BITS = 44  # of a hash; the other 20 of a 64-bit word hold the text's number while sorting
PERMUTATIONS = 64
SEED = 20261122
BLOCK = 1 << 15  # numbers worked on at once: they stay in the processor's cache
_BASE = np.uint64(0x9E3779B97F4A7C15)


class Shingles(NamedTuple):
    """The n-gram hashes of many texts: text i owns `values[offsets[i]:offsets[i + 1]]`. From `shingles` distinct and sorted."""

    values: U64
    offsets: I64

    def __len__(self) -> int:
        # The number of texts, not of fields.
        return len(self.offsets) - 1

    def of(self, i: int) -> U64:
        """The hashes of text i."""
        return self.values[self.offsets[i] : self.offsets[i + 1]]

    @property
    def sizes(self) -> I64:
        """How many hashes each text has."""
        return np.diff(self.offsets)

    @property
    def owners(self) -> I64:
        """For each value the text that it belongs to."""
        return np.repeat(np.arange(len(self)), self.sizes)


def _mix(x: U64) -> None:
    """The finaliser of splitmix64 (Steele, Lea, Flood 2014), in place: spreads every input bit over all output bits."""
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)


def ngrams(texts: Sequence[str], n: int = N) -> Shingles:
    """The character n-grams of each text, hashed, in order and with repeats: enough for `minhash`, and cheaper than `shingles`.

    A shorter text is one n-gram, an empty one has none. Give comparison keys (`text.comparison_key`) where punctuation and
    case should not count.
    """
    # A missing character counts as 0, a real one as its code point + 1.
    lengths = np.fromiter((len(text) for text in texts), np.int64, len(texts))
    short = np.flatnonzero((lengths > 0) & (lengths < n))
    if len(short):
        texts = [text.ljust(n) if 0 < len(text) < n else text for text in texts]
    padded = np.maximum(lengths, n * (lengths > 0))
    ends = np.cumsum(padded)
    points = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32) + np.uint32(1)
    for i in short:
        points[ends[i] - (n - lengths[i]) : ends[i]] = 0
    hashed = np.empty(max(len(points) - n + 1, 0), np.uint64)
    for begin in range(0, len(hashed), BLOCK):
        part = hashed[begin : begin + BLOCK]
        wide = points[begin : begin + len(part) + n - 1].astype(np.uint64)
        part[:] = wide[: len(part)]
        for k in range(1, n):
            part *= _BASE
            part += wide[k : k + len(part)]
        _mix(part)
    counts = np.maximum(padded - n + 1, 0)
    # An n-gram that begins among the last n - 1 characters of a text would reach into the next one.
    inside = np.ones(len(hashed), bool)
    for k in range(1, n):
        inside[(ends[padded > 0] - k)[:-1]] = False
    return Shingles(hashed[inside] >> np.uint64(64 - BITS), np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))


def shingles(texts: Sequence[str], n: int = N) -> Shingles:
    """`ngrams`, each once and sorted: the sets that Jaccard similarity is about."""
    if len(texts) > 2 ** (64 - BITS):
        raise ValueError(f"at most {2 ** (64 - BITS)} texts at once")
    grams = ngrams(texts, n)
    # One integer sort of (owner, hash) is several times faster than a lexsort.
    keys = np.sort((grams.owners.astype(np.uint64) << np.uint64(BITS)) | grams.values)
    first = np.ones(len(keys), bool)
    first[1:] = keys[1:] != keys[:-1]
    keys = keys[first]
    counts = np.bincount((keys >> np.uint64(BITS)).astype(np.int64), minlength=len(texts))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Shingles(keys & np.uint64(2**BITS - 1), offsets)


def minhash(sets: Shingles, permutations: int = PERMUTATIONS, seed: int = SEED, block: int = BLOCK) -> U32:
    """One row of `permutations` 32-bit minima per text (Broder 1997); equal places estimate the Jaccard similarity.

    The permutations are `(a·x + b) mod 2^64`, upper half, with odd `a` (Dietzfelbinger's multiply-shift). A text without
    shingles has all ones in every place and is equal to nothing of interest: leave it out. Repeats change nothing.

    Args:
        block: shingles worked on at once; speed, not the result, depends on it.
    """
    random = np.random.Generator(np.random.PCG64(seed))
    a = random.integers(0, 2**64, permutations, dtype=np.uint64) | np.uint64(1)
    b = random.integers(0, 2**64, permutations, dtype=np.uint64)
    result = np.full((len(sets), permutations), np.uint32(0xFFFFFFFF))
    filled = np.flatnonzero(sets.sizes)
    begin = 0
    while begin < len(filled):
        limit = sets.offsets[filled[begin]] + block
        end = max(begin + 1, int(np.searchsorted(sets.offsets[filled + 1], limit, side="right")))
        rows = filled[begin:end]
        low, high = sets.offsets[rows[0]], sets.offsets[rows[-1] + 1]
        values, starts = sets.values[low:high], sets.offsets[rows] - low
        permuted = np.empty_like(values)
        # The upper halves of little-endian words, without a copy.
        upper = permuted.view(np.uint32)[1::2] if sys.byteorder == "little" else permuted.view(np.uint32)[::2]
        for p in range(permutations):
            np.multiply(values, a[p], out=permuted)
            permuted += b[p]
            result[rows, p] = np.minimum.reduceat(upper, starts)
        begin = end
    return result


def jaccard(left: U64, right: U64) -> float:
    """Exact Jaccard similarity of two sorted sets of hashes; 0 where both are empty."""
    common = len(np.intersect1d(left, right, assume_unique=True))
    union = len(left) + len(right) - common
    return common / union if union else 0.0
