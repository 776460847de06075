"""Raw files → clean, masked, identified records in chunks on disk, and what was set aside on the way."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import shutil
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import polars as pl

from medasst.data import stages
from medasst.data.job import FORMAT, Input, Job
from medasst.data.layouts import Record
from medasst.data.recipes import Bad, Reader, read_records
from medasst.data.settings import PrepareConfig, Source
from medasst.data.store import Chunks, write_parquet
from medasst.data.workers import in_order_by_processes
from medasst.progress import Progress

BATCH = 20_000  # records of a chunk, and held as Python objects at once by each worker
UNIT = 64_000_000  # bytes of small files that are read as one
SMALL = 20_000_000  # bytes in all that are cleaned before other processes would have started

Row = tuple[str, int, Record] | Bad


class Unit(NamedTuple):
    """Files that are read in one go. `folder` names everything that their result depends on."""

    source: Source
    how: Reader
    inputs: list[Input]
    folder: str


class Cleaned(NamedTuple):
    """A chunk: what goes on, what was dropped and why (in the order of the files), and examples of what cleaning changed."""

    kept: pl.DataFrame
    rejected: pl.DataFrame
    changed: pl.DataFrame


def read(job: Job, work: Path, progress: Progress) -> Chunks:
    """Every source as chunks, in order of source, file and line. What was finished before is not done again."""
    folders = []
    done = 0
    size = sum(item.path.stat().st_size for _, _, inputs in job.sources for item in inputs)
    workers = job.config.threads if size > SMALL else 1
    for unit in _units(job):
        folder = work / unit.folder
        if not folder.exists():
            part = folder.with_name(folder.name + ".part")
            part.mkdir(parents=True, exist_ok=True)
            for count in _chunks(job.config, unit, part, workers):
                done += count
                progress("read and clean", done)
            part.rename(folder)
        folders.append(folder)
    return Chunks(folders)


def _units(job: Job) -> Iterator[Unit]:
    config = job.config
    for source, how, inputs in job.sources:
        groups: list[list[Input]] = []
        size = UNIT
        for item in inputs:
            size += item.path.stat().st_size
            if size >= UNIT:
                groups.append([])
                size = item.path.stat().st_size
            groups[-1].append(item)
        for group in groups:
            depends = {
                "format": FORMAT,
                "source": source.model_dump(mode="json", exclude={"path", "cap", "weight"}),
                "recipe": how.recipe.model_dump(mode="json"),
                "clean": [config.clean.model_dump(mode="json"), config.privacy, config.texts],
                "split": config.split.model_dump(mode="json"),
                "files": [(item.name, item.sha256) for item in group],
            }
            key = hashlib.sha256(json.dumps(depends, ensure_ascii=False, sort_keys=True).encode()).hexdigest()[:16]
            yield Unit(source, how, group, f"{source.name}-{key}")


def _chunks(config: PrepareConfig, unit: Unit, part: Path, workers: int) -> Iterator[int]:
    """Write the chunks of a unit; yields how many records each took. Chunks that a killed run left are kept."""
    clean = functools.partial(cleaned, config, unit.source, unit.source.licence or unit.how.recipe.licence)
    missing: deque[tuple[Path, int]] = deque()

    def batches() -> Iterator[list[Row]]:
        for n, rows in enumerate(_batches(unit)):
            folder = part / f"{n:06d}"
            if not folder.exists():
                missing.append((folder, len(rows)))
                yield rows

    for frames in in_order_by_processes(clean, batches(), workers):
        folder, count = missing.popleft()
        made = folder.with_name(folder.name + ".part")
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir()
        for name, frame in frames._asdict().items():
            write_parquet(frame, made / f"{name}.parquet")
        made.rename(folder)
        yield count


def _batches(unit: Unit) -> Iterator[list[Row]]:
    rows = (
        row if isinstance(row, Bad) else (item.name, *row)
        for item in unit.inputs
        for row in read_records(item.path, item.name, unit.how.parse)
    )
    while batch := list(itertools.islice(rows, BATCH)):
        yield batch


def cleaned(config: PrepareConfig, source: Source, licence: str, rows: list[Row]) -> Cleaned:
    """A chunk's rows tidied, masked, judged and identified."""
    raw = stages.to_frame(row for row in rows if not isinstance(row, Bad))
    frame = stages.cleaned(raw, config.clean, config.privacy)
    frame = stages.identified(frame, source, licence, config.split)
    bad = stages.bad_rows(source.name, [row for row in rows if isinstance(row, Bad)])
    dropped = stages.as_rejected(frame.filter(pl.col("reason").is_not_null()), "clean")
    return Cleaned(
        frame.filter(pl.col("reason").is_null()).drop("reason", "answer", "key", "stem"),
        pl.concat([bad, dropped]).sort("file", "line", maintain_order=True),
        stages.changed(raw, frame) if config.texts else stages.changed(raw.clear(), frame.clear()),
    )
