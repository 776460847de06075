"""The working files of one run: Parquet chunks of records, and stage results that are written once.

Everything is written beside its name and renamed, so a killed run leaves only whole files and the next one goes on from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

ROW_GROUP = 20_000


def write_parquet(frame: pl.DataFrame, path: Path) -> None:
    """Write whole or not at all, with fixed settings, so that equal frames give equal bytes."""
    part = path.with_name(path.name + ".part")
    try:
        frame.write_parquet(part, compression="zstd", compression_level=3, row_group_size=ROW_GROUP, statistics=True)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def once(path: Path, make: Callable[[], pl.DataFrame]) -> pl.DataFrame:
    """The frame in the file if it is there, else what `make` makes, kept for the next run."""
    if not path.exists():
        write_parquet(make(), path)
    return pl.read_parquet(path)


class Chunks:
    """Records in Parquet files; a record's `row` is its place over all files in order."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = list(files)
        counts = [pl.scan_parquet(file).select(pl.len()).collect().item() for file in self.files]
        self.starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64)

    def __len__(self) -> int:
        return int(self.starts[-1])

    def frames(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Each file's columns, with `row`."""
        for file, start in zip(self.files, self.starts, strict=False):
            yield pl.read_parquet(file, columns=list(columns)).with_row_index("row", int(start))

    def gather(self, rows: NDArray[np.uint32], columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """The columns of some rows (ascending), file by file, with `row`."""
        for file, start, end in zip(self.files, self.starts, self.starts[1:], strict=False):
            low, high = np.searchsorted(rows, [start, end])
            if low < high:
                frame = pl.read_parquet(file, columns=list(columns)).with_row_index("row", int(start))
                yield frame[(rows[low:high] - start).astype(np.int64)]
