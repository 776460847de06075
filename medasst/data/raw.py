"""Raw files → clean, masked, identified records in chunks on disk, and what was set aside on the way."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import shutil
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import polars as pl

from medasst.data import stages
from medasst.data.job import FORMAT, Input, Job
from medasst.data.markers import unmarked
from medasst.data.recipes import Bad, Good, Reader, read_records
from medasst.data.settings import PrepareConfig, Source
from medasst.data.store import Chunks, write_parquet
from medasst.data.workers import in_order_by_processes
from medasst.disk import write_json, written_whole
from medasst.errors import DataError
from medasst.progress import Progress

# Of a chunk, and held as Python objects at once by each worker; a killed run loses so many. Polars has a cost
# for every column and pattern: with half as many records cleaning one costs a seventh more.
BATCH = 10_000
UNIT = 64_000_000  # bytes of small files that are read as one
SMALL = 20_000_000  # bytes in all that are cleaned before other processes would have started

COUNTED = {"source": pl.String, "what": pl.String, "len": pl.UInt32}
Row = Good | Bad


class Unit(NamedTuple):
    """Files that are read in one go. `folder` names everything that their result depends on."""

    source: Source
    how: Reader
    inputs: list[Input]
    folder: str


class Cleaned(NamedTuple):
    """A chunk: what goes on, what was dropped and why (in the order of the files), examples of what cleaning changed, how
    much of the records' conversations was left out, how many records each step of cleaning changed (`source, what, len`)."""

    kept: pl.DataFrame
    rejected: pl.DataFrame
    changed: pl.DataFrame
    left_out: pl.DataFrame
    mended: pl.DataFrame


class Place(NamedTuple):
    """How far a unit is read: so many rows of the file of that number."""

    file: int = 0
    row: int = 0


def read(job: Job, work: Path, progress: Progress) -> Chunks:
    """Every source as chunks, in order of source, file and line. What was finished before is not done again.

    Raises:
        DataError: a file changed while it was read, or is gone.
    """
    folders = []
    done = 0
    workers = job.config.threads if sum(i.size for _, _, inputs in job.sources for i in inputs) > SMALL else 1
    units = list(units_of(job))
    for unit in units:
        folder = work / unit.folder
        if not folder.exists():
            part = folder.with_name(folder.name + ".part")
            _same_files(unit, part)
            for count in _chunks(job.config, unit, part, workers):
                done += count
                progress("read and clean", done)
            try:
                for item in unit.inputs:
                    item.check_unchanged()
            except DataError:
                shutil.rmtree(part)
                raise
            part.rename(folder)
        folders.append(folder)
    return Chunks(folders)


def _same_files(unit: Unit, part: Path) -> None:
    """Begin a unit, or go on with what a killed run left of it, unless somebody wrote to its files in between."""
    now = [[(stat := item.path.stat()).st_size, stat.st_mtime_ns] for item in unit.inputs]
    note = part / "files.json"
    if note.exists() and json.loads(note.read_text("utf-8")) != now:
        shutil.rmtree(part)
    part.mkdir(parents=True, exist_ok=True)
    write_json(note, now)


def units_of(job: Job) -> Iterator[Unit]:
    """What is read in one go each: a large file, or small ones of a source together."""
    config = job.config
    for source, how, inputs in job.sources:
        groups: list[list[Input]] = []
        size = UNIT
        for item in inputs:
            size += item.size
            if size >= UNIT:
                groups.append([])
                size = item.size
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
    done = sorted(path for path in part.iterdir() if path.is_dir() and not path.suffix)
    start = Place(*json.loads((done[-1] / "place.json").read_text("utf-8"))) if done else Place()
    waiting: deque[tuple[Place, int]] = deque()

    def batches() -> Iterator[list[Row]]:
        for place, rows in _batches(unit, start):
            waiting.append((place, len(rows)))
            yield rows

    for n, frames in enumerate(in_order_by_processes(clean, batches(), workers), len(done)):
        place, count = waiting.popleft()
        with written_whole(part / f"{n:06d}") as made:
            made.mkdir()
            for name, frame in frames._asdict().items():
                write_parquet(frame, made / f"{name}.parquet")
            (made / "place.json").write_text(json.dumps(place))
        yield count


def _batches(unit: Unit, start: Place) -> Iterator[tuple[Place, list[Row]]]:
    """The rows from a place on, in lots, each with the place behind it."""
    rows = _rows(unit, start)
    while batch := list(itertools.islice(rows, BATCH)):
        yield Place(*batch[-1][:2]), [row for _, _, row in batch]


def _rows(unit: Unit, start: Place) -> Iterator[tuple[int, int, Row]]:
    for file, item in enumerate(unit.inputs[start.file :], start.file):
        skip = start.row if file == start.file else 0
        for row, read in enumerate(read_records(item.path, item.name, unit.how.parse, skip), skip + 1):
            yield file, row, read


def cleaned(config: PrepareConfig, source: Source, licence: str, rows: list[Row]) -> Cleaned:
    """A chunk's rows tidied, masked, judged and identified."""
    if "chat_markers" not in config.clean.off:
        rows = [row if isinstance(row, Bad) else row._replace(record=unmarked(row.record)) for row in rows]
    raw = stages.to_frame(row for row in rows if not isinstance(row, Bad))
    frame = stages.cleaned(raw, config.clean, config.privacy, source.strict)
    frame = stages.identified(frame, source, licence, config.split)
    bad = stages.bad_rows(source.name, [row for row in rows if isinstance(row, Bad)])
    dropped = stages.as_rejected(stages.detailed(frame.filter(pl.col("reason").is_not_null())), "clean")
    left_out = Counter(what for row in rows if isinstance(row, Good) for what in row.record.left_out)
    mended = Counter(frame["mended"].explode().drop_nulls().to_list())
    return Cleaned(
        frame.filter(pl.col("reason").is_null()).drop("reason", "question", "answer", "mended", "key", "stem"),
        pl.concat([bad, dropped]).sort("file", "line", maintain_order=True),
        stages.changed(raw, frame) if config.texts else stages.changed(raw.clear(), frame.clear()),
        _counted(source.name, left_out),
        _counted(source.name, mended),
    )


def _counted(source: str, counts: Counter[str]) -> pl.DataFrame:
    return pl.DataFrame([(source, *pair) for pair in sorted(counts.items())], schema=COUNTED, orient="row")
