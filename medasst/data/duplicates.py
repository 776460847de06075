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

from medasst.shingles import U64, Shingles, jaccard, minhash

BANDS = 16  # of 4 minima each: a pair of Jaccard 0.8 shares a band with probability 0.9998
Pairs = NDArray[np.int64]
Rows = NDArray[np.uint32]
DROPPED = {"row": pl.UInt32, "matched_id": pl.String}

# Equal records: trust, id, source name, then the rest of the row; file and line only tell which of two equal rows is named.
ORDER = ["trust", "id", "source", "tie", "file", "line"]
_DESCENDING = [True, False, False, False, False, False]


def exact(records: pl.DataFrame) -> pl.DataFrame:
    """`row, matched_id` of the records to drop because another of the same id is kept. Reads `row` and the columns of ORDER."""
    ranked = records.sort(ORDER, descending=_DESCENDING)
    return ranked.filter(pl.col("id").is_duplicated() & ~pl.col("id").is_first_distinct()).select("row", matched_id="id")


def near(records: pl.DataFrame, bands: U64, sets: Callable[[Rows], Shingles], threshold: float) -> pl.DataFrame:
    """`row, matched_id` of the records to drop because a near duplicate is kept.

    Args:
        records: `row` and the columns of ORDER, one record per id.
        bands: `band_keys` of each record, in the order of `records`.
        sets: the shingles of the rows (ascending) that it is given.
        threshold: least Jaccard similarity.
    """
    ranked = records.with_row_index("place").sort(ORDER, descending=_DESCENDING)
    rows = ranked["row"].to_numpy()
    pairs = _verified(candidates(bands[ranked["place"].to_numpy()]), rows, sets, threshold)
    n = len(rows)
    graph = coo_matrix((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    _, label = connected_components(graph, directed=False)
    # Ranked order: the first place of a component is the record that is kept.
    _, first = np.unique(label, return_index=True)
    kept = first[label]
    dropped = np.flatnonzero(kept != np.arange(n))
    return pl.DataFrame({"row": rows[dropped], "matched_id": ranked["id"].gather(kept[dropped])}, schema=DROPPED)


def band_keys(sets: Shingles, bands: int = BANDS) -> U64:
    """One 64-bit key per band of a text's MinHash; 0 where the text has no shingles."""
    signatures = minhash(sets).astype(np.uint64).reshape(len(sets), bands, -1)
    keys = np.zeros((len(sets), bands), np.uint64)
    for part in range(signatures.shape[2]):
        keys = (keys + signatures[:, :, part] + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        keys ^= keys >> np.uint64(29)
    keys[sets.sizes == 0] = 0
    return keys


def candidates(bands: U64) -> Pairs:
    """Pairs of places (lower first) that share a band key, each once."""
    found = np.zeros(0, np.uint64)
    for band in range(bands.shape[1]):
        found = np.union1d(found, _pairs_of_equals(bands[:, band]))
    return np.stack([found >> np.uint64(32), found & np.uint64(0xFFFFFFFF)], axis=1).astype(np.int64)


def _pairs_of_equals(keys: U64) -> U64:
    """All pairs of places with the same key other than 0, packed as low << 32 | high."""
    order = np.argsort(keys, kind="stable").astype(np.uint64)
    ordered = keys[order]
    parts = [np.zeros(0, np.uint64)]
    alive = np.flatnonzero(ordered)
    distance = 1
    while len(alive):  # pairs at distance 1, 2, … within a run: as many steps as the largest run has members
        alive = alive[alive + distance < len(order)]
        alive = alive[ordered[alive] == ordered[alive + distance]]
        # The sort is stable: within a run places ascend.
        parts.append((order[alive] << np.uint64(32)) | order[alive + distance])
        distance += 1
    return np.concatenate(parts)


def _verified(pairs: Pairs, rows: NDArray[np.uint32], sets: Callable[[Rows], Shingles], threshold: float) -> Pairs:
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
