"""`prepare`: a declared mix of sources → the prepared set on disk."""

from __future__ import annotations

import itertools
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from medasst.data import duplicates, stages
from medasst.data.contamination import QuestionIndex
from medasst.data.job import Input, Job, chance, check
from medasst.data.layouts import Record
from medasst.data.manifest import PrepareReport, load_manifest, write_result, write_run
from medasst.data.recipes import Bad, Reader, read_conversations, read_exam, read_records, recipe
from medasst.data.settings import Decontaminate, PrepareConfig, Source
from medasst.data.store import Chunks, once, write_parquet
from medasst.errors import DataError
from medasst.progress import Progress, silent
from medasst.shingles import Shingles, shingles

BATCH = 20_000  # records held as Python objects at once
DROPPED = {"row": pl.UInt32, "matched_id": pl.String, "reason": pl.String, "stage": pl.String}


def prepare(config: PrepareConfig, out: Path | str, progress: Progress = silent) -> PrepareReport:
    """Read, clean, mask, deduplicate, split and decontaminate the sources into `out`.

    A finished result for the same settings and files is reused; an interrupted run leaves `<out>.work` and goes on from it.

    Args:
        config: what goes in and how.
        out: the folder of the prepared set; what an earlier run left there is replaced.
        progress: told of records as they are read, and of stages.

    Raises:
        ConfigError: unknown recipe or layout.
        DataError: a file is missing or can't be opened, nothing is left to train on, or `out` holds something else.
        OSError: the disk is full; finished stages stay in `<out>.work`.
    """
    started, out = time.time(), Path(out)
    job = check(config, progress)
    if out.exists():
        found = load_manifest(out, missing_ok=True)
        if found is None and any(out.iterdir()):
            raise DataError("this folder exists and is no prepared set; give another --out or remove it", out)
        if found and found["fingerprint"] == job.fingerprint:
            return PrepareReport(out, found, reused=True)
    work = out.with_name(out.name + ".work") / job.fingerprint[:16]
    work.mkdir(parents=True, exist_ok=True)
    chunks, rejected = _read(job, work, progress)
    if not len(chunks):
        raise DataError(_nothing(rejected, "no usable record"), config.sources[0].path)
    dropped = _drops(job, chunks, work, progress)
    result = work / "result"
    shutil.rmtree(result, ignore_errors=True)
    result.mkdir()
    progress("write", 0, 1)
    manifest = write_result(job, chunks, dropped, rejected, result)
    write_run(config, result, started)
    if not manifest["splits"]["train"]["records"]:
        raise DataError(
            "nothing is left to train on; see the rejected files' reasons: " + json.dumps(manifest["dropped"]),
            config.sources[0].path,
        )
    if out.exists():
        shutil.rmtree(out)
    result.rename(out)
    shutil.rmtree(work.parent, ignore_errors=True)
    progress("write", 1, 1)
    return PrepareReport(out, manifest, reused=False)


def _nothing(rejected: list[Path], what: str) -> str:
    reasons = pl.concat([pl.read_parquet(path, columns=["reason"]) for path in rejected])["reason"].value_counts(sort=True)
    told = ", ".join(f"{reason} {count}" for reason, count in reasons.iter_rows()) or "the files are empty"
    return f"{what} in the sources ({told}); check the recipe or layout"


# ---- read, clean, mask -----------------------------------------------------------------------------------------------


def _read(job: Job, work: Path, progress: Progress) -> tuple[Chunks, list[Path]]:
    """Every file as chunks of clean records and of rejected ones; a file that was finished before is not read again."""
    records: list[Path] = []
    rejected: list[Path] = []
    done = 0
    for s, (source, how, inputs) in enumerate(job.sources):
        for f, item in enumerate(inputs):
            folder = work / f"read-{s:03d}-{f:05d}"
            if not folder.exists():
                part = folder.with_name(folder.name + ".part")
                shutil.rmtree(part, ignore_errors=True)
                part.mkdir()
                for n, (kept, bad) in enumerate(_cleaned_batches(job.config, source, how, item)):
                    write_parquet(kept, part / f"records-{n:05d}.parquet")
                    write_parquet(bad, part / f"rejected-{n:05d}.parquet")
                    done += len(kept) + len(bad)
                    progress("read and clean", done)
                part.rename(folder)
            records += sorted(folder.glob("records-*.parquet"))
            rejected += sorted(folder.glob("rejected-*.parquet"))
    return Chunks(records), rejected


def _cleaned_batches(
    config: PrepareConfig, source: Source, how: Reader, item: Input
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    rows = read_records(item.path, item.name, how.parse)
    while batch := list(itertools.islice(rows, BATCH)):
        bad = [row for row in batch if isinstance(row, Bad)]
        good: list[tuple[str, int, Record]] = [(item.name, *row) for row in batch if not isinstance(row, Bad)]
        frame = stages.cleaned(stages.to_frame(good), config.clean, config.privacy)
        frame = stages.identified(frame, source, source.licence or how.recipe.licence, config.split)
        dropped = stages.as_rejected(frame.filter(pl.col("reason").is_not_null()), "clean")
        kept = frame.filter(pl.col("reason").is_null()).drop("reason", "answer", "key", "stem")
        yield kept, pl.concat([stages.bad_rows(source.name, bad), dropped])


# ---- duplicates, contamination, mix ----------------------------------------------------------------------------------


def _drops(job: Job, chunks: Chunks, work: Path, progress: Progress) -> pl.DataFrame:
    """`row, matched_id, reason, stage` of every record that a later stage drops; each stage's result is kept on disk."""
    light = pl.concat(list(chunks.frames([*duplicates.ORDER, "split"])))
    dropped = pl.DataFrame(schema=DROPPED)

    def left() -> pl.DataFrame:
        return light.join(dropped, on="row", how="anti").sort("row")

    progress("duplicates", 0, 3)
    exact = once(work / "exact.parquet", lambda: duplicates.exact(light))
    dropped = _with(dropped, exact, "duplicate", "exact")
    progress("duplicates", 1, 3)
    if job.config.near_duplicates.enabled:
        near = once(work / "near.parquet", lambda: _near(left(), chunks, job.config.near_duplicates.threshold))
        dropped = _with(dropped, near, "duplicate", "near")
    progress("duplicates", 3, 3)
    contaminated = once(work / "contaminated.parquet", lambda: _contaminated(job, left(), chunks, progress))
    dropped = pl.concat([dropped, contaminated.with_columns(pl.lit("decontaminate").alias("stage")).select(list(DROPPED))])
    return pl.concat([dropped, _over_cap(job, left())]).sort("row")


def _with(dropped: pl.DataFrame, more: pl.DataFrame, stage: str, reason: str) -> pl.DataFrame:
    return pl.concat(
        [dropped, more.with_columns(pl.lit(reason).alias("reason"), pl.lit(stage).alias("stage")).select(list(DROPPED))]
    )


def _near(records: pl.DataFrame, chunks: Chunks, threshold: float) -> pl.DataFrame:
    rows = records["row"].to_numpy()
    keys = [duplicates.band_keys(shingles(stages.comparison_texts(frame))) for frame in chunks.gather(rows, ["texts"])]

    def sets(wanted: NDArray[np.uint32]) -> Shingles:
        parts = [shingles(stages.comparison_texts(frame)) for frame in chunks.gather(wanted, ["texts"])]
        sizes = np.concatenate([part.sizes for part in parts])
        return Shingles(np.concatenate([part.values for part in parts]), np.concatenate([[0], np.cumsum(sizes)]))

    return duplicates.near(records, np.concatenate(keys), sets, threshold)


def _contaminated(job: Job, left: pl.DataFrame, chunks: Chunks, progress: Progress) -> pl.DataFrame:
    items, questions = _held_out(job, left, chunks)
    index = QuestionIndex(items, questions, job.config.contamination.threshold, job.config.contamination.contained)
    train = left.filter(pl.col("split") == "train")["row"].to_numpy()
    found: list[tuple[int, str, str]] = []
    done = 0
    for frame in chunks.gather(train, ["question"]):
        matches = index.find(frame["question"].to_list())
        found += [(int(frame["row"][m.place]), m.item, f"{m.kind}:{m.item.partition('/')[0]}") for m in matches]
        done += len(frame)
        progress("decontaminate", done, len(train))
    return pl.DataFrame(found, schema={"row": pl.UInt32, "matched_id": pl.String, "reason": pl.String}, orient="row")


def _held_out(job: Job, left: pl.DataFrame, chunks: Chunks) -> tuple[list[str], list[str]]:
    """`set/id` and question of everything that must not stand in train: test, validation, every named set."""
    items: list[str] = []
    questions: list[str] = []
    split = dict(left.filter(pl.col("split") != "train").select("row", "split").iter_rows())
    for frame in chunks.gather(np.array(sorted(split), np.uint32), ["id", "question"]):
        items += [f"{split[row]}/{id_}" for row, id_ in zip(frame["row"], frame["id"], strict=True)]
        questions += frame["question"].to_list()
    for name, named, inputs in job.named:
        before = len(items)
        for id_, question in _named_questions(named, [item.path for item in inputs]):
            if named.split == "all" or job.config.split.of(question) == "test":
                items.append(f"{name}/{id_}")
                questions.append(question)
        if len(items) == before:
            raise DataError(f"decontaminate: no question in it (set {name}); check the recipe or layout", named.path)
    return items, questions


def _named_questions(named: Decontaminate, paths: list[Path]) -> Iterator[tuple[str, str]]:
    exam = named.layout == "exam" or (bool(named.recipe) and recipe(named.recipe).kind != "conversations")
    for path in paths:
        if exam:
            for question in read_exam(str(path), named.recipe):
                yield question.id, question.question
        else:
            for conversation in read_conversations(str(path), named.recipe, named.layout):
                yield conversation.id, conversation.first_user


def _over_cap(job: Job, left: pl.DataFrame) -> pl.DataFrame:
    """Train records over their source's cap or left out by a weight below 1: by hash, so that the choice is stable."""
    parts = [pl.DataFrame(schema=DROPPED)]
    for source, _, _ in job.sources:
        mine = left.filter((pl.col("source") == source.name) & (pl.col("split") == "train"))
        share = pl.Series([chance(job.config.seed, id_) for id_ in mine["id"]], dtype=pl.Float64)
        mine = mine.select("row", "id").with_columns(share.alias("chance")).sort("chance", "id")
        capped = pl.int_range(pl.len()) >= (len(mine) if source.cap is None else source.cap)
        reason = pl.when(capped).then(pl.lit("cap")).when(pl.col("chance") >= source.weight).then(pl.lit("weight"))
        over = mine.with_columns(reason.alias("reason")).filter(pl.col("reason").is_not_null())
        parts.append(over.select("row", matched_id=pl.lit(""), reason="reason", stage=pl.lit("mix")))
    return pl.concat(parts)
