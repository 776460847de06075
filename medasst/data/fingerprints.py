"""What a prepared set says of its train questions to those who must not ask them: `fingerprints.parquet`.

Whoever asks a model questions can tell here which of them it was trained on, without reading the set again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from medasst.data.contamination import Match, QuestionIndex
from medasst.data.questions import CORE, cores_asked
from medasst.data.settings import Contamination
from medasst.data.store import ROW_GROUP
from medasst.errors import DataError

VERSION = 2  # 1 held a hash and the MinHash of the first question alone
FILE = "fingerprints.parquet"


class Trained(NamedTuple):
    """A train record and the question that it repeats."""

    id: str
    match: Match


def fingerprints(ids: pl.Series, cores: pl.Series) -> pl.DataFrame:
    """`id` and the columns of CORE: the cores of all user turns (`questions.cores_of`) of records."""
    frame = pl.DataFrame({"id": ids, "cores": cores}, schema={"id": pl.String, "cores": pl.List(pl.Struct(CORE))})
    return frame.explode("cores").unnest("cores").drop_nulls("core")


def trained_on(folder: Path | str, index: QuestionIndex) -> Iterator[Trained]:
    """The train records of a prepared set that repeat a question of the index, in order of their ids.

    Args:
        folder: of the prepared set.

    Raises:
        DataError: the set has no fingerprints, or those of another version.
    """
    for frame in _parts(Path(folder) / FILE):
        numbered = frame.with_columns(row=pl.col("id").rle_id())
        ids = frame["id"].unique(maintain_order=True)
        yield from (Trained(ids[match.row], match) for match in index.find(numbered))


def trained_items(path: Path, asked: Mapping[str, Sequence[str]], settings: Contamination, *, simplify: bool) -> set[str]:
    """Which items a training set holds.

    Args:
        path: its fingerprints.
        asked: the user turns of each item.
        settings: when two questions match.
        simplify: whether that set was made simplified Chinese.

    Raises:
        DataError: no fingerprints there, or those of another version.
    """
    names = list(asked)
    frame = cores_asked(asked.values(), simplify=simplify)
    owners: dict[str, list[str]] = {}
    for row, core in frame.select("row", "core").iter_rows():
        owners.setdefault(core, []).append(names[row])
    cores = frame.sort("core", "later", "stem").unique("core", keep="first", maintain_order=True).drop("row")
    index = QuestionIndex(cores["core"].to_list(), cores.with_row_index("row"), settings)
    found = set[str]().union(*(index.repeated(part.with_columns(row=pl.col("id").rle_id())) for part in _parts(path)))
    return {name for core in found for name in owners[core]}


def _parts(path: Path) -> Iterator[pl.DataFrame]:
    if not path.is_file():
        raise DataError("no fingerprints of train questions here; make the set with: medasst prepare CONFIG.toml", path)
    if list(pl.read_parquet_schema(path)) != ["id", *CORE]:
        raise DataError(
            f"fingerprints of another version than {VERSION}; make the set again with: medasst prepare CONFIG.toml",
            path,
        )
    rows = pl.scan_parquet(path)
    total = int(rows.select(pl.len()).collect().item())
    for start in range(0, total, ROW_GROUP):
        yield rows.slice(start, ROW_GROUP).collect()
