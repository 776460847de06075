"""The prepared set on disk: writing its files, and reading them again."""

from __future__ import annotations

import hashlib
import json
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from medasst import __version__
from medasst.conversation import JSON, Conversation
from medasst.data import stages
from medasst.data.card import write_card
from medasst.data.files import sha256
from medasst.data.job import Job, chance, settings
from medasst.data.settings import PrepareConfig, Split
from medasst.data.store import Chunks, write_parquet
from medasst.errors import DataError
from medasst.shingles import BITS, PERMUTATIONS, SEED, N, minhash, shingles
from medasst.text import comparison_key

SHARD = 100_000  # records of a train or rejected file, about
COLUMNS = ["id", "source", "department", "licence", "messages", "meta"]


@dataclass(frozen=True)
class PrepareReport:
    """What a run left: the folder, its manifest, and whether it had been finished before."""

    folder: Path
    manifest: dict[str, JSON]
    reused: bool

    def counts(self) -> dict[str, int]:
        """Records read, dropped, and in each split."""
        splits = {name: split["records"] for name, split in self.manifest["splits"].items()}
        return {"read": self.manifest["read"], "dropped": sum(self.manifest["dropped"].values()), **splits}

    def summary(self) -> str:
        """A few lines for a person."""
        counts = self.counts()
        lines = [
            f"{counts['read']:,} records read, {counts['dropped']:,} dropped"
            + (" (finished before, reused)" if self.reused else "")
        ]
        lines += [f"  {reason}: {count:,}" for reason, count in self.manifest["dropped"].items()]
        lines.append(", ".join(f"{name} {counts[name]:,}" for name in ("train", "validation", "test")))
        return "\n".join(lines + [f"licence: {warning}" for warning in self.manifest["warnings"]])


def load_manifest(folder: Path | str, missing_ok: bool = False) -> Any:
    """The manifest of a prepared set; None if there is none and that is all right.

    Raises:
        DataError: no prepared set, or one of a format that this version doesn't know.
    """
    path = Path(folder) / "manifest.json"
    if not path.is_file():
        if missing_ok:
            return None
        raise DataError("no prepared set here (no manifest.json); make one with: medasst prepare CONFIG.toml", folder)
    try:
        manifest = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise DataError(f"not readable: {error}; prepare the set again", path) from error
    if manifest.get("schema_version") != 1:
        raise DataError(f"schema_version {manifest.get('schema_version')!r}, this version reads 1; prepare the set again", path)
    return manifest


def load_split(folder: Path | str, split: Split) -> list[Conversation]:
    """The conversations of one split, sorted by id.

    Raises:
        DataError: no prepared set in the folder.
    """
    return list(iterate_split(folder, split))


def iterate_split(folder: Path | str, split: Split) -> Iterator[Conversation]:
    """`load_split`, one file in memory at a time."""
    load_manifest(folder)
    pattern = "train-*.parquet" if split == "train" else f"{split}.parquet"
    for path in sorted(Path(folder).glob(pattern)):
        for row in pl.read_parquet(path).iter_rows(named=True):
            yield Conversation.from_json(row)


def write_result(job: Job, chunks: Chunks, dropped: pl.DataFrame, rejected: list[Path], folder: Path) -> dict[str, JSON]:
    """Write every file of the prepared set into an empty folder; returns the manifest."""
    light = pl.concat(list(chunks.frames(["id", "source", "split"]))).join(
        dropped.select("row", "reason", "stage"), on="row", how="left"
    )
    kept = light.filter(pl.col("stage").is_null())
    counts = _rejected(chunks, dropped, rejected, folder)
    splits = {}
    for split in ("train", "validation", "test"):
        splits[split] = _write_split(job, chunks, kept.filter(pl.col("split") == split).sort("id"), split, folder)
    manifest = _manifest(job, counts, kept, splits, folder)
    (folder / "manifest.json").write_text(json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=False) + "\n", "utf-8")
    write_card(folder, manifest, texts=job.config.texts)
    return manifest


def _rejected(chunks: Chunks, dropped: pl.DataFrame, early: list[Path], folder: Path) -> pl.DataFrame:
    """Write rejected-*.parquet, sorted by source, file, line; returns the counts by source, stage and reason."""
    parts = [pl.read_parquet(path) for path in early]
    columns = ["id", "source", "file", "line", "roles", "texts"]
    for frame in chunks.gather(dropped["row"].to_numpy(), columns):
        with_reason = frame.join(dropped, on="row", how="left", maintain_order="left")
        parts += [
            stages.as_rejected(group, str(stage)) for (stage,), group in with_reason.group_by("stage", maintain_order=True)
        ]
    everything = (
        pl.concat(parts).sort("source", "file", "line", "stage", "reason", "id")
        if parts
        else pl.DataFrame(schema=stages.REJECTED)
    )
    for n, start in enumerate(range(0, max(len(everything), 1), SHARD)):
        write_parquet(everything[start : start + SHARD], folder / f"rejected-{n:05d}.parquet")
    return everything.group_by("source", "stage", "reason").len().sort("source", "stage", "reason")


def _write_split(job: Job, chunks: Chunks, kept: pl.DataFrame, split: str, folder: Path) -> dict[str, JSON]:
    """Write one split, sorted by id, and for train its fingerprints."""
    size = SHARD if split == "train" else max(len(kept), 1)
    weights = {source.name: source.weight for source, _, _ in job.sources}
    records, prints = 0, []
    for n, start in enumerate(range(0, max(len(kept), 1), size)):
        part = kept[start : start + size]
        columns = ["id", "source", "department", "licence", "roles", "texts", "meta", "question"]
        frames = list(chunks.gather(part["row"].sort().to_numpy(), columns))
        frame = (
            pl.concat(frames).sort("id")
            if frames
            else pl.DataFrame(
                schema={name: pl.List(pl.String) if name in {"roles", "texts"} else pl.String for name in columns}
            )
        )
        if split == "train":
            prints.append(fingerprints(frame["id"].to_list(), frame["question"].to_list()))
            copies = [
                int(weights[s]) + (chance(job.config.seed, i) < weights[s] % 1)
                for i, s in zip(frame["id"], frame["source"], strict=True)
            ]
            frame = frame[np.repeat(np.arange(len(frame)), [max(c, 1) for c in copies])]
        records += len(frame)
        write_parquet(_as_messages(frame), folder / (f"train-{n:05d}.parquet" if split == "train" else f"{split}.parquet"))
    if split == "train":
        write_parquet(pl.concat(prints), folder / "fingerprints.parquet")
    sources = dict(sorted(kept["source"].value_counts().iter_rows()))
    return {"records": records, "distinct": len(kept), "sources": sources}


def _as_messages(frame: pl.DataFrame) -> pl.DataFrame:
    """`roles` and `texts` as one list of structs, in the column order of the prepared set."""
    turns = frame.with_row_index("n").select("n", role="roles", content="texts").explode("role", "content")
    packed = turns.group_by("n", maintain_order=True).agg(pl.struct("role", "content").alias("messages"))
    if not len(packed):
        packed = pl.DataFrame(
            schema={"n": pl.UInt32, "messages": pl.List(pl.Struct({"role": pl.String, "content": pl.String}))}
        )
    return frame.with_columns(packed["messages"]).select(COLUMNS)


def fingerprints(ids: list[str], questions: list[str]) -> pl.DataFrame:
    """`id, question_hash, minhash`: what a contamination check compares without the texts."""
    keys = [comparison_key(question) for question in questions]
    hashes = [hashlib.sha256(key.encode()).hexdigest()[:16] for key in keys]
    return pl.DataFrame(
        {"id": ids, "question_hash": hashes, "minhash": minhash(shingles(keys))},
        schema={"id": pl.String, "question_hash": pl.String, "minhash": pl.Array(pl.UInt32, PERMUTATIONS)},
    )


def _manifest(job: Job, counts: pl.DataFrame, kept: pl.DataFrame, splits: dict[str, Any], folder: Path) -> dict[str, JSON]:
    def reasons(frame: pl.DataFrame) -> dict[str, int]:
        totals = frame.group_by("stage", "reason").agg(pl.col("len").sum()).sort("stage", "reason")
        order = {"read": 0, "clean": 1, "duplicate": 2, "decontaminate": 3, "mix": 4}
        return {f"{s}: {r}": int(n) for s, r, n in sorted(totals.iter_rows(), key=lambda row: (order[row[0]], row[1]))}

    sources = []
    for source, how, inputs in job.sources:
        lost = counts.filter(pl.col("source") == source.name)
        mine = kept.filter(pl.col("source") == source.name)
        sources.append(
            {
                "name": source.name,
                "recipe": source.recipe,
                "licence": source.licence or how.recipe.licence or "none stated",
                "commercial": how.recipe.commercial,
                "origin": how.recipe.origin,
                "files": [{"name": i.name, "sha256": i.sha256, "bytes": i.path.stat().st_size} for i in inputs],
                "read": int(lost["len"].sum()) + len(mine),
                "dropped": reasons(lost),
                "kept": {split: int((mine["split"] == split).sum()) for split in ("train", "validation", "test")},
            }
        )
    named = [
        {"name": name, "split": n.split, "files": [{"name": i.name, "sha256": i.sha256} for i in inputs]}
        for name, n, inputs in job.named
    ]
    return {
        "schema_version": 1,
        "fingerprint": job.fingerprint,
        "settings": settings(job.config),
        "read": sum(s["read"] for s in sources),
        "dropped": reasons(counts),
        "splits": splits,
        "sources": sources,
        "decontaminated_against": named,
        "minhash": {"n": N, "bits": BITS, "permutations": PERMUTATIONS, "seed": SEED},
        "warnings": job.warnings,
        "files": {path.name: sha256(path) for path in sorted(folder.glob("*.parquet"))},
    }


def write_run(config: PrepareConfig, folder: Path, started: float) -> None:
    """run.json: what may differ between two runs of the same input."""
    run = {
        "medasst": __version__,
        "python": platform.python_version(),
        "polars": pl.__version__,
        "numpy": np.__version__,
        "command": sys.argv[:1],
        "started": round(started, 3),
        "seconds": round(time.time() - started, 3),
        "config": config.model_dump(mode="json"),
    }
    (folder / "run.json").write_text(json.dumps(run, ensure_ascii=False, indent=1) + "\n", "utf-8")
