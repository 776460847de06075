"""`prepare`: a declared mix of sources → the prepared set on disk."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from medasst.conversation import JSON
from medasst.data import duplicates, stages
from medasst.data.contamination import Match, QuestionIndex
from medasst.data.exam import with_options
from medasst.data.job import Input, Job, chance, changed_inputs, check
from medasst.data.manifest import PrepareReport, load_manifest, write_run
from medasst.data.notices import little, nothing
from medasst.data.questions import CORE, cores_asked
from medasst.data.raw import read, units_of
from medasst.data.recipes import read_conversations, read_exam, recipe
from medasst.data.result import Writer
from medasst.data.settings import Decontaminate, PrepareConfig
from medasst.data.store import Chunks, once
from medasst.data.workers import in_order
from medasst.data.workplace import alone, discard, in_words, keep_only
from medasst.disk import written_whole
from medasst.errors import DataError
from medasst.progress import Progress, silent
from medasst.shingles import PERMUTATIONS, Shingles, minhash, ngrams, shingles

DROPPED = {"row": pl.UInt32, "matched_id": pl.String, "reason": pl.String, "stage": pl.String}
BATCH = 20_000  # train records whose questions are looked for at once: each search goes through all test questions


def prepare(config: PrepareConfig, out: Path | str, progress: Progress = silent) -> PrepareReport:
    """Read, clean, mask, deduplicate, split and decontaminate the sources into `out`.

    A finished result for the same settings and files is reused; an interrupted run leaves `<out>.work` and goes on from it.

    Args:
        config: what goes in and how.
        out: the folder of the prepared set; what an earlier run left there is replaced.
        progress: told of records as they are read, and of stages.

    Raises:
        ConfigError: unknown recipe or layout.
        DataError: a file is missing, can't be opened or changed while it was read, nothing is left to train on, `out` holds
            something else or can't be written.
        Busy: another run writes to `out`.
        OSError: the disk is full; finished stages stay in `<out>.work`.
    """
    started, out = time.time(), Path(out)
    job = check(config, progress)
    for name, named, inputs in job.named:
        _some_question(name, named, inputs)
    with in_words(out):
        if (found := _finished(job, out)) is not None:
            discard(out)
            return PrepareReport(out, found, reused=True)
        with alone(out) as work:
            if (found := _finished(job, out)) is not None:  # by the run that held the lock until now
                return PrepareReport(out, found, reused=True)
            return _prepared(job, out, work, started, progress)


def _finished(job: Job, out: Path) -> dict[str, JSON] | None:
    """The manifest of what stands in `out`, if it is the result of this job. Raises DataError: something else stands there."""
    if not out.exists():
        return None
    if not out.is_dir():
        raise DataError("this is a file; give another --out", out)
    found: dict[str, JSON] | None = load_manifest(out, missing_ok=True)
    if found is None and any(out.iterdir()):
        raise DataError("this folder exists and is no prepared set; give another --out or remove it", out)
    return found if found and found["fingerprint"] == job.fingerprint else None


def _prepared(job: Job, out: Path, work: Path, started: float, progress: Progress) -> PrepareReport:
    stage = work / f"stages-{job.fingerprint[:16]}"
    keep_only(work, {stage.name, *(unit.folder for unit in units_of(job))})
    notes = changed_inputs(job, work)
    chunks = read(job, work, progress)
    if not len(chunks):
        raise DataError(nothing(job, chunks), job.sources[0][0].path)
    dropped = _drops(job, chunks, stage, progress)
    result, runs = stage / "result", stage / "runs"
    for folder in (result, runs):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    manifest = Writer(job, chunks, dropped, result, runs, progress).write()
    write_run(job.config, result, started)
    if not manifest["splits"]["train"]["records"]:
        raise DataError(
            "nothing is left to train on; see the rejected files' reasons: " + json.dumps(manifest["dropped"]),
            job.sources[0][0].path,
        )
    notes += little(job, chunks)
    if out.exists():
        shutil.rmtree(out)
    result.rename(out)
    return PrepareReport(out, manifest, reused=False, notes=notes)


# ---- duplicates, contamination, mix ----------------------------------------------------------------------------------


def _drops(job: Job, chunks: Chunks, stage: Path, progress: Progress) -> pl.DataFrame:
    """`row, matched_id, reason, stage` of every record that a later stage drops; each stage's result is kept on disk."""
    light = pl.concat([chunks.kept(chunk, [*duplicates.ORDER, "split"]) for chunk in range(len(chunks.folders))])
    dropped = pl.DataFrame(schema=DROPPED)

    def left() -> pl.DataFrame:
        return light.join(dropped, on="row", how="anti").sort("row")

    exact = once(stage / "exact.parquet", lambda: duplicates.exact(light))
    dropped = _with(dropped, exact, "duplicate", "exact")
    light = light.drop("tie", "file", "line")
    if job.config.near_duplicates.enabled:
        near = once(stage / "near.parquet", lambda: _near(job, left(), chunks, stage / "minhash", progress))
        dropped = _with(dropped, near, "duplicate", "near")
    contaminated = once(stage / "contaminated.parquet", lambda: _contaminated(job, left(), chunks, progress))
    dropped = pl.concat([dropped, contaminated.with_columns(pl.lit("decontaminate").alias("stage")).select(list(DROPPED))])
    dropped = pl.concat([dropped, _over_cap(job, left())])
    return pl.concat([dropped, _too_general(job, left())]).sort("row")


def _with(dropped: pl.DataFrame, more: pl.DataFrame, stage: str, reason: str) -> pl.DataFrame:
    return pl.concat(
        [dropped, more.with_columns(pl.lit(reason).alias("reason"), pl.lit(stage).alias("stage")).select(list(DROPPED))]
    )


def _near(job: Job, records: pl.DataFrame, chunks: Chunks, folder: Path, progress: Progress) -> pl.DataFrame:
    rows, workers = records["row"].to_numpy(), job.config.threads
    minima = np.empty((len(rows), PERMUTATIONS), np.uint32)
    done = 0
    texts = chunks.gather(rows, ["texts"])
    folder.mkdir(parents=True, exist_ok=True)

    def hashed(frame: pl.DataFrame) -> NDArray[np.uint32]:
        path = folder / f"{frame['row'][0]:010d}"  # kept, so that a killed run goes on from here
        if not path.exists():
            with written_whole(path) as unfinished:
                unfinished.write_bytes(minhash(ngrams(stages.comparison_texts(frame))).tobytes())
        return np.fromfile(path, np.uint32).reshape(-1, PERMUTATIONS)

    for part in in_order(hashed, texts, workers):
        minima[done : done + len(part)] = part
        done += len(part)
        progress("minhash", done, len(rows))

    def sets(wanted: NDArray[np.uint32]) -> Shingles:
        texts = chunks.gather(wanted, ["texts"])
        parts = list(in_order(lambda frame: shingles(stages.comparison_texts(frame)), texts, workers))
        sizes = np.concatenate([part.sizes for part in parts])
        return Shingles(np.concatenate([part.values for part in parts]), np.concatenate([[0], np.cumsum(sizes)]))

    return duplicates.near(records, minima, sets, job.config.near_duplicates.threshold, progress)


def _contaminated(job: Job, left: pl.DataFrame, chunks: Chunks, progress: Progress) -> pl.DataFrame:
    index = QuestionIndex(*_held_out(job, left, chunks), job.config.contamination)
    train = left.filter(pl.col("split") == "train")["row"].to_numpy()
    found: list[tuple[int, str, str]] = []
    done = 0

    def matched(frame: pl.DataFrame) -> tuple[pl.DataFrame, list[Match]]:
        return frame, index.find(frame.explode("cores").unnest("cores").drop_nulls("core"))

    for frame, matches in in_order(matched, _joined(chunks.gather(train, ["cores"]), BATCH), job.config.threads):
        found += [(m.row, m.item, f"{m.kind}:{m.item.partition('/')[0]}") for m in matches]
        done += len(frame)
        progress("decontaminate", done, len(train))
    return pl.DataFrame(found, schema={"row": pl.UInt32, "matched_id": pl.String, "reason": pl.String}, orient="row")


def _joined(frames: Iterator[pl.DataFrame], least: int) -> Iterator[pl.DataFrame]:
    """The frames again, so many together that each has `least` rows, the last apart."""
    waiting: list[pl.DataFrame] = []
    for frame in frames:
        waiting.append(frame)
        if sum(map(len, waiting)) >= least:
            yield pl.concat(waiting)
            waiting = []
    if waiting:
        yield pl.concat(waiting)


def _held_out(job: Job, left: pl.DataFrame, chunks: Chunks) -> tuple[list[str], pl.DataFrame]:
    """`set/id` and the questions' cores of everything that must not stand in train: test, validation, every named set."""
    items: list[str] = []
    asked: list[list[str]] = []
    split = dict(left.filter(pl.col("split") != "train").select("row", "split").iter_rows())
    known = [pl.DataFrame(schema={"row": pl.UInt32, **CORE})]
    for frame in chunks.gather(np.array(sorted(split), np.uint32), ["id", "cores"]):
        numbered = frame.select(pl.int_range(len(items), len(items) + pl.len(), dtype=pl.UInt32).alias("row"), "cores")
        known.append(numbered.explode("cores").unnest("cores").drop_nulls("core"))
        items += [f"{split[row]}/{id_}" for row, id_ in zip(frame["row"], frame["id"], strict=True)]
    first = len(items)
    for name, named, inputs in job.named:
        for question in _named_questions(named, [item.path for item in inputs]):
            if named.split == "all" or job.config.split.of(question.stem) == "test":
                items.append(f"{name}/{question.id}")
                asked.append(question.texts)
        for item in inputs:
            item.check_unchanged()
    return items, pl.concat([*known, cores_asked(asked, first, simplify=job.config.clean.simplify)])


def _some_question(name: str, named: Decontaminate, inputs: list[Input]) -> None:
    """Raises DataError: a named set holds no question, so the settings are wrong; better known before the work than after."""
    if next(_named_questions(named, [item.path for item in inputs]), None) is None:
        raise DataError(f"decontaminate: no question in it (set {name}); check the recipe or layout", named.path)


class _Asked(NamedTuple):
    """A question of a named set: `stem` is what its split goes by; `texts` are the user turns, or the stem with its options."""

    id: str
    stem: str
    texts: list[str]


def _named_questions(named: Decontaminate, paths: list[Path]) -> Iterator[_Asked]:
    exam = named.layout == "exam" or (bool(named.recipe) and recipe(named.recipe).kind != "conversations")
    for path in paths:
        if exam:
            for question in read_exam(str(path), named.recipe):
                yield _Asked(question.id, question.question, [with_options(question)])
        else:
            for conversation in read_conversations(str(path), named.recipe, named.layout):
                turns = [message.content for message in conversation.messages if message.role == "user"]
                yield _Asked(conversation.id, conversation.first_user, turns)


def _over_cap(job: Job, left: pl.DataFrame) -> pl.DataFrame:
    """Train records over their source's cap or left out by a weight below 1: by hash, so that the choice is stable."""
    parts = [pl.DataFrame(schema=DROPPED)]
    for source, _, _ in job.sources:
        if source.cap is None and source.weight >= 1:
            continue
        mine = left.filter((pl.col("source") == source.name) & (pl.col("split") == "train"))
        share = pl.Series([chance(job.config.seed, id_) for id_ in mine["id"]], dtype=pl.Float64)
        mine = mine.select("row", "id").with_columns(share.alias("chance")).sort("chance", "id")
        capped = pl.int_range(pl.len()) >= (len(mine) if source.cap is None else source.cap)
        reason = pl.when(capped).then(pl.lit("cap")).when(pl.col("chance") >= source.weight).then(pl.lit("weight"))
        over = mine.with_columns(reason.alias("reason")).filter(pl.col("reason").is_not_null())
        parts.append(over.select("row", matched_id=pl.lit(""), reason="reason", stage=pl.lit("mix")))
    return pl.concat(parts)


def _too_general(job: Job, left: pl.DataFrame) -> pl.DataFrame:
    """Train records of general sources beyond their share, chosen by hash."""
    share, weights = job.config.general_share, {source.name: max(source.weight, 1.0) for source, _, _ in job.sources}
    general = [source.name for source, _, _ in job.sources if source.general]
    if share is None or not general:
        return pl.DataFrame(schema=DROPPED)
    train = left.filter(pl.col("split") == "train").select("row", "id", "source")
    train = train.with_columns(copies=pl.col("source").replace_strict(weights, return_dtype=pl.Float64))
    mine = train.filter(pl.col("source").is_in(general))
    allowed = share / (1 - share) * (float(train["copies"].sum()) - float(mine["copies"].sum()))
    mine = mine.with_columns(chance=pl.Series([chance(job.config.seed, id_) for id_ in mine["id"]], dtype=pl.Float64))
    over = mine.sort("chance", "id").filter(pl.col("copies").cum_sum() > allowed)
    return over.select("row", matched_id=pl.lit(""), reason=pl.lit("general_share"), stage=pl.lit("mix"))
