"""The working files of one run: chunks of records in Parquet, and stage results that are written once.

Everything is written beside its name and renamed, so a killed run leaves only whole files and the next one goes on from them.
"""

from __future__ import annotations

import os
import re
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
    except (OSError, pl.exceptions.PolarsError) as error:
        # Polars tells what a disk refuses in words alone.
        if getattr(error, "errno", None) is None and (number := re.search(r"os error (\d+)", str(error))):
            raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error
        raise
    finally:
        part.unlink(missing_ok=True)


def once(path: Path, make: Callable[[], pl.DataFrame]) -> pl.DataFrame:
    """The frame in the file if it is there, else what `make` makes, kept for the next run."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_parquet(make(), path)
    return pl.read_parquet(path)


class Chunks:
    """Records in chunk folders (`kept`, beside it `rejected`, `changed`, `left_out` and `mended`). `row` is a record's place
    in all."""

    def __init__(self, units: Sequence[Path]) -> None:
        self.folders = [folder for unit in units for folder in sorted(unit.iterdir()) if folder.is_dir()]
        counts = [pl.scan_parquet(folder / "kept.parquet").select(pl.len()).collect().item() for folder in self.folders]
        self.starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64)

    def __len__(self) -> int:
        return int(self.starts[-1])

    def kept(self, chunk: int, columns: Sequence[str]) -> pl.DataFrame:
        """Some columns of a chunk's records, with `row`."""
        path = self.folders[chunk] / "kept.parquet"
        return pl.read_parquet(path, columns=list(columns)).with_row_index("row", int(self.starts[chunk]))

    def beside(self, chunk: int, name: str) -> pl.DataFrame:
        """What else the chunk holds: "rejected", "changed", "left_out" or "mended"."""
        return pl.read_parquet(self.folders[chunk] / f"{name}.parquet")

    def gather(self, rows: NDArray[np.uint32], columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """The columns of some rows (ascending), chunk by chunk, with `row`."""
        for chunk, (start, end) in enumerate(zip(self.starts, self.starts[1:], strict=False)):
            low, high = np.searchsorted(rows, [start, end])
            if low < high:
                yield self.kept(chunk, columns)[(rows[low:high] - start).astype(np.int64)]
