"""Near texts as numbers: character n-grams hashed to 44 bits, their MinHash, and exact Jaccard similarity.

Everything works on many texts at once: their n-grams lie in one flat array with offsets, so that numpy does the loops.
"""

from __future__ import annotations

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
_BASE = np.uint64(0x9E3779B97F4A7C15)


class Shingles(NamedTuple):
    """The distinct n-gram hashes of many texts: text i owns `values[offsets[i]:offsets[i + 1]]`, sorted."""

    values: U64
    offsets: I64

    def __len__(self) -> int:
        # The number of texts, not of fields.
        return len(self.offsets) - 1

    def of(self, i: int) -> U64:
        """The sorted distinct hashes of text i."""
        return self.values[self.offsets[i] : self.offsets[i + 1]]

    @property
    def sizes(self) -> I64:
        """How many distinct hashes each text has."""
        return np.diff(self.offsets)

    @property
    def owners(self) -> I64:
        """For each value the text that it belongs to."""
        return np.repeat(np.arange(len(self)), self.sizes)


def _mix(x: U64) -> U64:
    """The finaliser of splitmix64 (Steele, Lea, Flood 2014): spreads every input bit over all output bits."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def shingles(texts: Sequence[str], n: int = N) -> Shingles:
    """The distinct character n-grams of each text, hashed. A shorter text is one shingle, an empty one has none.

    Give comparison keys (`text.comparison_key`) where punctuation and case should not count.
    """
    if len(texts) > 2 ** (64 - BITS):
        raise ValueError(f"at most {2 ** (64 - BITS)} texts at once")
    lengths = np.fromiter((len(t) for t in texts), np.int64, len(texts))
    points = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    padded = np.concatenate([points, np.zeros(n, np.uint64)])
    place = np.arange(len(points))
    owner = np.repeat(np.arange(len(texts)), lengths)
    left = starts[owner + 1] - place if len(points) else place  # characters from here to the end of the text
    whole = (left >= n) | (place == starts[owner]) if len(points) else place.astype(bool)
    hashed = np.zeros(len(points), np.uint64)
    for k in range(n):
        # +1 tells a missing character (0) from a NUL.
        hashed = hashed * _BASE + np.where(left > k, padded[k : k + len(points)] + np.uint64(1), np.uint64(0))
    # One integer sort of (owner, hash) is several times faster than a lexsort.
    keys = np.sort((owner[whole].astype(np.uint64) << np.uint64(BITS)) | (_mix(hashed[whole]) >> np.uint64(64 - BITS)))
    first = np.ones(len(keys), bool)
    first[1:] = keys[1:] != keys[:-1]
    keys = keys[first]
    hashed, owner = keys & np.uint64(2**BITS - 1), (keys >> np.uint64(BITS)).astype(np.int64)
    counts = np.bincount(owner, minlength=len(texts)) if len(texts) else np.zeros(0, np.int64)
    return Shingles(hashed, np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))


def minhash(sets: Shingles, permutations: int = PERMUTATIONS, seed: int = SEED, block: int = 500_000) -> U32:
    """One row of `permutations` 32-bit minima per text (Broder 1997); equal places estimate the Jaccard similarity.

    The permutations are `(a·x + b) mod 2^64`, upper half, with odd `a` (Dietzfelbinger's multiply-shift). A text without
    shingles has all ones in every place and is equal to nothing of interest: leave it out.

    Args:
        block: shingles held at once; memory, not the result, depends on it.
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
        for p in range(permutations):
            hashed = ((values * a[p] + b[p]) >> np.uint64(32)).astype(np.uint32)
            result[rows, p] = np.minimum.reduceat(hashed, starts)
        begin = end
    return result


def jaccard(left: U64, right: U64) -> float:
    """Exact Jaccard similarity of two sorted sets of hashes; 0 where both are empty."""
    common = len(np.intersect1d(left, right, assume_unique=True))
    union = len(left) + len(right) - common
    return common / union if union else 0.0
