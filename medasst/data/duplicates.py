"""Duplicates: exact (same id) and near (exact Jaccard of character 5-grams, candidates by MinHash-LSH).

Of equal records the one of highest trust is kept, then the lowest id; a cluster is a connected component.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.special import comb
from scipy.stats import binom

from medasst.progress import Progress, silent
from medasst.shingles import SEED, U32, U64, Shingles, jaccard

BANDS = 48  # sets of minima; records that agree in all of one are looked at
MISSED = 1e-3  # share of the pairs at the very threshold that may be missed; of nearer ones far fewer are
REACH = 32  # neighbours of equal band keys looked at in the first round; each later round looks as many times as far
COMPARED = 100_000  # pairs whose n-grams are held at once
Pairs = NDArray[np.int64]
Rows = NDArray[np.uint32]
DROPPED = {"row": pl.UInt32, "matched_id": pl.String}

# Equal records: trust, id, source name, then the rest of the row; file and line only tell which of two equal rows is named.
ORDER = ["trust", "id", "source", "tie", "file", "line"]
_DESCENDING = [True, False, False, False, False, False]


def exact(records: pl.DataFrame) -> pl.DataFrame:
    """`row, matched_id` of the records to drop because another of the same id is kept. Reads `row` and the columns of ORDER."""
    ranked = records.filter(pl.col("id").is_duplicated()).sort(ORDER, descending=_DESCENDING)
    return ranked.filter(~pl.col("id").is_first_distinct()).select("row", matched_id="id")


def near(
    records: pl.DataFrame, minima: U32, sets: Callable[[Rows], Shingles], threshold: float, progress: Progress = silent
) -> pl.DataFrame:
    """`row, matched_id` of the records to drop because a near duplicate is kept.

    Candidates share a band of their minima and agree in about as many minima as `threshold` lets expect; each is then compared
    exactly. Records that are connected already are not compared again, so a large cluster costs little more than its size.

    Args:
        records: `row` (ascending), `trust` and `id`, one record per id.
        minima: `shingles.minhash` of each record, in the order of `records`.
        sets: the shingles of the rows (ascending) that it is given.
        threshold: least Jaccard similarity.
        progress: told of the pairs compared.
    """
    rows, n = records["row"].to_numpy(), len(records)
    label = np.arange(n)
    compared, first, further = 0, 1, True
    while further:
        last = first * REACH - 1
        pairs, further = _candidates(minima, label, first, last, threshold)
        for start in range(0, len(pairs), COMPARED):
            block = pairs[start : start + COMPARED]
            block = block[label[block[:, 0]] != label[block[:, 1]]]
            label = _joined(label, _verified(block, rows, sets, threshold))
            compared += len(block)
            progress("near duplicates", compared)
        first = last + 1
    rank = np.empty(n, np.int64)
    order = records.with_row_index("place").sort("trust", "id", descending=[True, False])["place"].to_numpy()
    rank[order] = np.arange(n)
    kept_rank = np.full(n, n)
    np.minimum.at(kept_rank, label, rank)
    kept = order[kept_rank[label]] if n else label
    dropped = np.flatnonzero(kept != np.arange(n))
    return pl.DataFrame({"row": rows[dropped], "matched_id": records["id"].gather(kept[dropped])}, schema=DROPPED)


def _candidates(minima: U32, label: NDArray[np.int64], first: int, last: int, threshold: float) -> tuple[Pairs, bool]:
    """Unconnected pairs of places (lower first), `first` to `last` apart among the equals of a band, that are probably near;
    and whether some equals lie further apart."""
    least = int(binom.ppf(MISSED / 10, minima.shape[1], threshold))
    found: list[U64] = [np.zeros(0, np.uint64)]
    further = False
    for columns in bands(minima.shape[1], threshold):
        places, keys = _sorted_band(minima, columns)
        alive = np.arange(len(keys))
        for distance in range(first, last + 2):  # the last turn only looks whether there is more
            alive = alive[alive + distance < len(keys)]
            alive = alive[keys[alive] == keys[alive + distance]]
            if distance > last:
                further |= bool(len(alive))
                break
            pairs = np.stack([places[alive], places[alive + distance]], axis=1)
            pairs = pairs[label[pairs[:, 0]] != label[pairs[:, 1]]]
            for start in range(0, len(pairs), COMPARED):
                block = pairs[start : start + COMPARED]
                alike = (minima[block[:, 0]] == minima[block[:, 1]]).sum(axis=1) >= least
                found.append((block[alike, 0].astype(np.uint64) << np.uint64(32)) | block[alike, 1].astype(np.uint64))
    packed = np.unique(np.concatenate(found))
    return np.stack([packed >> np.uint64(32), packed & np.uint64(0xFFFFFFFF)], axis=1).astype(np.int64), further


def bands(permutations: int, threshold: float) -> NDArray[np.int64]:
    """BANDS sets of columns of the minima, as large as MISSED allows: large sets bring few pairs together by chance.

    A pair of Jaccard t agrees in a of n minima with the binomial probability of (n, t), and then in all r of a set with
    probability C(a, r) / C(n, r); the sets are drawn at random, with a fixed seed, and taken as independent.
    """
    agreed = np.arange(permutations + 1)
    weight = binom.pmf(agreed, permutations, threshold)

    def missed(size: int) -> float:
        return float((weight * (1 - comb(agreed, size) / comb(permutations, size)) ** BANDS).sum())

    size = next((size for size in range(8, 1, -1) if missed(size) <= MISSED), 1)
    random = np.random.Generator(np.random.PCG64(SEED))
    return np.stack([random.choice(permutations, size, replace=False) for _ in range(BANDS)])


def _sorted_band(minima: U32, columns: NDArray[np.int64]) -> tuple[NDArray[np.int64], U64]:
    """Places by their key in a band, ascending among equals, and the keys; texts without shingles are left out."""
    keys = np.zeros(len(minima), np.uint64)
    for column in columns:
        keys = (keys + minima[:, column] + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        keys ^= keys >> np.uint64(29)
    places = np.flatnonzero(minima[:, 0] != 0xFFFFFFFF)
    # Key and place in one word: its sort is many times faster than one that has to carry places along.
    bits = np.uint64(max(len(minima) - 1, 1).bit_length())
    packed = np.sort((keys[places] >> bits << bits) | places.astype(np.uint64))
    return (packed & (np.uint64(1) << bits) - np.uint64(1)).astype(np.int64), packed >> bits


def _verified(pairs: Pairs, rows: Rows, sets: Callable[[Rows], Shingles], threshold: float) -> Pairs:
    """The pairs whose exact Jaccard similarity reaches the threshold."""
    if not len(pairs):
        return pairs
    wanted = np.unique(rows[pairs])
    found = sets(wanted)
    left, right = np.searchsorted(wanted, rows[pairs[:, 0]]), np.searchsorted(wanted, rows[pairs[:, 1]])
    sizes = found.sizes
    smaller, larger = np.minimum(sizes[left], sizes[right]), np.maximum(sizes[left], sizes[right])
    good = smaller >= threshold * larger  # else the sizes alone rule it out
    for i in np.flatnonzero(good):
        good[i] = jaccard(found.of(left[i]), found.of(right[i])) >= threshold
    return pairs[good]


def _joined(label: NDArray[np.int64], pairs: Pairs) -> NDArray[np.int64]:
    """Component labels once the pairs are connected too."""
    if not len(pairs):
        return label
    size = len(label)
    graph = coo_matrix((np.ones(len(pairs), np.int8), (label[pairs[:, 0]], label[pairs[:, 1]])), shape=(size, size))
    joined: NDArray[np.int64] = connected_components(graph, directed=False)[1].astype(np.int64)
    return joined[label]
