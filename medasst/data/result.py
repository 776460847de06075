"""Writing the prepared set: its splits sorted by id, what was rejected, the fingerprints, the manifest and the card."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from medasst.conversation import JSON
from medasst.data import stages
from medasst.data.card import write_card
from medasst.data.fingerprints import FILE, fingerprints
from medasst.data.job import Job, chance
from medasst.data.manifest import Counts, build_manifest
from medasst.data.privacy import mask_name
from medasst.data.settings import Split
from medasst.data.store import Chunks, write_parquet
from medasst.data.workers import in_order
from medasst.disk import write_json
from medasst.progress import Progress

SHARD = 100_000  # records of a train or rejected file, about
RUN = 40  # chunks that are sorted together
COLUMNS = ["id", "source", "department", "licence", "messages", "meta"]


@dataclass(frozen=True)
class Writer:
    """What writing a prepared set needs.

    Args:
        chunks: the records.
        dropped: `row, matched_id, reason, stage` of those that a stage after cleaning dropped.
        folder: where the set is written, empty.
        runs: an empty folder for sorted runs.
    """

    job: Job
    chunks: Chunks
    dropped: pl.DataFrame
    folder: Path
    runs: Path
    progress: Progress

    def write(self) -> dict[str, JSON]:
        """Write every file of the prepared set; returns the manifest."""
        kept, counts = self._sorted_runs()
        splits: dict[str, JSON] = {}
        for split in ("train", "validation", "test"):
            splits[split] = self._split(kept.filter(pl.col("split") == split).sort("id"), split)
        left_out, mended = self._beside("left_out"), self._beside("mended")
        manifest = build_manifest(self.job, Counts(counts, left_out, mended), kept, splits, self.folder)
        write_json(self.folder / "manifest.json", manifest, indent=1)
        write_card(self.folder, manifest, self._beside("changed"), texts=self.job.config.texts)
        return manifest

    def _beside(self, name: str) -> pl.DataFrame:
        return pl.concat([self.chunks.beside(chunk, name) for chunk in range(len(self.chunks.folders))])

    def _sorted_runs(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """One pass over the chunks: rejected-*.parquet are written, kept records go to runs that are sorted by id.

        Returns `id, source, split` of the kept and the counts of the rejected by source, stage and reason.
        """
        rejected = _Shards(self.folder, "rejected")
        counts: list[pl.DataFrame] = []
        light: list[pl.DataFrame] = []
        run: list[pl.DataFrame] = []
        total = len(self.chunks.folders)
        parted = in_order(lambda chunk: _parted(self.chunks, chunk, self.dropped), range(total), self.job.config.threads)
        for chunk, (kept, lost) in enumerate(parted):
            rejected.add(lost)
            counts.append(lost.group_by("source", "stage", "reason").len())
            light.append(kept.select("id", "source", "split"))
            run.append(kept)
            if len(run) == RUN or chunk + 1 == total:
                write_parquet(pl.concat(run).sort("id"), self.runs / f"{chunk:06d}.parquet")
                run = []
            self.progress("sort", chunk + 1, total)
        rejected.close()
        by = ["source", "stage", "reason"]
        return pl.concat(light), pl.concat(counts).group_by(by).agg(pl.col("len").sum()).sort(by)

    def _split(self, kept: pl.DataFrame, split: Split) -> dict[str, JSON]:
        """Write one split (`kept`: its ids and sources, sorted by id), and for train its fingerprints."""
        train = split == "train"
        size = SHARD if train else max(len(kept), 1)
        starts = range(0, max(len(kept), 1), size)
        weights = {source.name: source.weight for source, _, _ in self.job.sources}

        def shard(numbered: tuple[int, int]) -> tuple[pl.Series, pl.DataFrame]:
            n, start = numbered
            frame = self._between(split, kept["id"][start : start + size])
            prints = fingerprints(frame["id"], frame["cores"]) if train else pl.DataFrame()
            if train:
                pairs = frame.select("id", "source").iter_rows()
                copies = [_copies(weights[source], self.job.config.seed, id_) for id_, source in pairs]
                frame = frame[np.repeat(np.arange(len(frame)), copies)]
            write_parquet(frame.select(COLUMNS), self.folder / (f"train-{n:05d}.parquet" if train else f"{split}.parquet"))
            return frame["source"], prints

        copies = Counter(dict.fromkeys(sorted(weights), 0))
        prints = []
        for sources, part in in_order(shard, enumerate(starts), self.job.config.threads):
            copies.update(dict(sources.value_counts().iter_rows()))
            prints.append(part)
            self.progress(f"write {split}", len(prints), len(starts))
        if train:
            write_parquet(pl.concat(prints), self.folder / FILE)
        distinct = dict(sorted(kept["source"].value_counts().iter_rows()))
        return {"records": copies.total(), "distinct": len(kept), "sources": distinct, "copies": dict(copies)}

    def _between(self, split: Split, ids: pl.Series) -> pl.DataFrame:
        """The records of a range of ids, from all runs; a run is sorted, so only the row groups of the range are read."""
        low, high = (ids[0], ids[-1]) if len(ids) else ("", "")
        runs = pl.scan_parquet(self.runs / "*.parquet").filter(
            pl.col("id").is_between(pl.lit(low), pl.lit(high)), pl.col("split") == split
        )
        return runs.collect().sort("id")


def _parted(chunks: Chunks, chunk: int, dropped: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A chunk's records that are kept, as they will be written, and all that it lost, in the order of the files."""
    columns = ["id", "source", "department", "licence", "roles", "texts", "meta", "cores", "split", "file", "line"]
    frame = chunks.kept(chunk, columns).join(dropped, on="row", how="left", maintain_order="left")
    gone = frame.filter(pl.col("stage").is_not_null())
    late = [stages.as_rejected(group, str(stage)) for (stage,), group in gone.group_by("stage", maintain_order=True)]
    lost = pl.concat([chunks.beside(chunk, "rejected"), *late]).sort("file", "line", "stage", "reason", "id")
    lost = lost.with_columns(
        pl.col("file").replace_strict({name: mask_name(name) for name in lost["file"].unique()}, return_dtype=pl.String)
    )
    kept = frame.filter(pl.col("stage").is_null())
    return _with_messages(kept).select([*COLUMNS, "cores", "split"]), lost


def _with_messages(frame: pl.DataFrame) -> pl.DataFrame:
    """`roles` and `texts` as one list of structs."""
    turns = frame.select(n=pl.int_range(pl.len()), role="roles", content="texts").explode("role", "content")
    packed = turns.group_by("n", maintain_order=True).agg(pl.struct("role", "content").alias("messages"))["messages"]
    if not len(frame):
        packed = pl.Series("messages", [], pl.List(pl.Struct({"role": pl.String, "content": pl.String})))
    return frame.with_columns(packed)


class _Shards:
    """Rows in files of SHARD, each written as soon as it is full."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.waiting: list[pl.DataFrame] = []
        self.written = 0

    def add(self, frame: pl.DataFrame) -> None:
        self.waiting.append(frame)
        while sum(map(len, self.waiting)) >= SHARD:
            rows = pl.concat(self.waiting)
            self._write(rows[:SHARD])
            self.waiting = [rows[SHARD:]]

    def close(self) -> None:
        rows = pl.concat(self.waiting)
        if len(rows) or not self.written:
            self._write(rows)

    def _write(self, rows: pl.DataFrame) -> None:
        write_parquet(rows, self.folder / f"{self.name}-{self.written:05d}.parquet")
        self.written += 1


def _copies(weight: float, seed: int, id_: str) -> int:
    """How often a record stands in train; a weight below 1 has chosen already."""
    return max(int(weight) + (weight % 1 > 0 and chance(seed, id_) < weight % 1), 1)
