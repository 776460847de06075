"""What a prepared set says of itself (`manifest.json`, `run.json`), and reading it again."""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from medasst import __version__
from medasst.conversation import JSON, Conversation
from medasst.data.fingerprints import VERSION
from medasst.data.job import Job, settings
from medasst.data.privacy import mask_name
from medasst.data.settings import PrepareConfig, Split
from medasst.data.store import ROW_GROUP
from medasst.disk import file_sha256, write_json
from medasst.errors import DataError

SHARD = 100_000  # records of a train or rejected file, about
COLUMNS = ["id", "source", "department", "licence", "messages", "meta"]


@dataclass(frozen=True)
class PrepareReport:
    """What a run left: the folder, its manifest, and whether it had been finished before."""

    folder: Path
    manifest: dict[str, JSON]
    reused: bool
    notes: list[str] = field(default_factory=list)  # what is worth telling once, and not part of the result

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
        if left_out := self.manifest.get("left_out"):
            lines.append("left out of records: " + ", ".join(f"{what} {count:,}" for what, count in left_out.items()))
        if mended := self.manifest.get("mended"):
            lines.append("mended in records: " + ", ".join(f"{what} {count:,}" for what, count in mended.items()))
        lines.append(", ".join(f"{name} {counts[name]:,}" for name in ("train", "validation", "test")))
        return "\n".join(self.notes + lines + [f"warning: {warning}" for warning in self.manifest["warnings"]])


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


def iterate_split(folder: Path | str, split: Split, first: int = 0) -> Iterator[Conversation]:
    """`load_split` from its conversation number `first` on, a piece of a file in memory at a time."""
    load_manifest(folder)
    pattern = "train-*.parquet" if split == "train" else f"{split}.parquet"
    for path in sorted(Path(folder).glob(pattern)):
        rows = pl.scan_parquet(path)
        count = rows.select(pl.len()).collect().item()
        for start in range(first, count, ROW_GROUP):
            for row in rows.slice(start, ROW_GROUP).collect().iter_rows(named=True):
                yield Conversation.from_json(row)
        first = max(first - count, 0)


@dataclass(frozen=True)
class Counts:
    """What a run counted.

    Args:
        rejected: `source, stage, reason, len` of records that were dropped.
        left_out: `source, what, len` of pieces of conversations that records don't hold, such as turns of tools.
        mended: `source, what, len` of records that a step of cleaning changed.
    """

    rejected: pl.DataFrame
    left_out: pl.DataFrame
    mended: pl.DataFrame


def build_manifest(job: Job, counts: Counts, kept: pl.DataFrame, splits: dict[str, Any], folder: Path) -> dict[str, JSON]:
    """What `manifest.json` says.

    Args:
        counts: of what was dropped and left out.
        kept: `id, source, split` of the others.
        splits: records, distinct records and records by source of each split.
        folder: where the Parquet files lie.
    """

    def reasons(frame: pl.DataFrame) -> dict[str, int]:
        totals = frame.group_by("stage", "reason").agg(pl.col("len").sum()).sort("stage", "reason")
        order = {"read": 0, "clean": 1, "duplicate": 2, "decontaminate": 3, "mix": 4}
        return {f"{s}: {r}": int(n) for s, r, n in sorted(totals.iter_rows(), key=lambda row: (order[row[0]], row[1]))}

    sources = []
    for source, how, inputs in job.sources:
        lost = counts.rejected.filter(pl.col("source") == source.name)
        mine = kept.filter(pl.col("source") == source.name)
        sources.append(
            {
                "name": source.name,
                "recipe": source.recipe,
                "licence": source.licence or how.recipe.licence or "none stated",
                "commercial": how.recipe.commercial,
                "origin": how.recipe.origin,
                "note": how.recipe.note,
                "files": [{"name": mask_name(i.name), "sha256": i.sha256, "bytes": i.size} for i in inputs],
                "read": int(lost["len"].sum()) + len(mine),
                "dropped": reasons(lost),
                "left_out": _by_kind(counts.left_out.filter(pl.col("source") == source.name)),
                "mended": _by_kind(counts.mended.filter(pl.col("source") == source.name)),
                "kept": {split: int((mine["split"] == split).sum()) for split in ("train", "validation", "test")},
            }
        )
    named = [
        {"name": name, "split": n.split, "files": [{"name": mask_name(i.name), "sha256": i.sha256} for i in inputs]}
        for name, n, inputs in job.named
    ]
    return {
        "schema_version": 1,
        "fingerprint": job.fingerprint,
        "settings": settings(job.config),
        "read": sum(s["read"] for s in sources),
        "dropped": reasons(counts.rejected),
        "left_out": _by_kind(counts.left_out),
        "mended": _by_kind(counts.mended),
        "splits": splits,
        "sources": sources,
        "general_share": _general_share(job, splits["train"]),
        "decontaminated_against": named,
        "fingerprints": VERSION,
        "warnings": [*job.warnings, *_warnings(job, sources, splits)],
        "files": {path.name: file_sha256(path) for path in sorted(folder.glob("*.parquet"))},
    }


def _by_kind(counted: pl.DataFrame) -> dict[str, int]:
    return dict(counted.group_by("what").agg(pl.col("len").sum()).sort("what").iter_rows())


def _warnings(job: Job, sources: list[dict[str, Any]], splits: dict[str, Any]) -> list[str]:
    """What a person should know although the run went well: a source that gave nothing, a split without a record."""
    told = []
    for source in sources:
        if not sum(source["kept"].values()):
            reasons = ", ".join(f"{reason} {count}" for reason, count in source["dropped"].items())
            told.append(f"the source {source['name']!r} gave nothing: {source['read']} rows read, all dropped ({reasons})")
    for split, share in (("validation", job.config.split.validation), ("test", job.config.split.test)):
        if share and not splits[split]["records"]:
            remedy = f"raise split.{split}, or set it to 0 if that is meant"
            told.append(f"no record fell to {split}: {share:.0%} was asked of a small set; {remedy}")
    return told


def _general_share(job: Job, train: dict[str, Any]) -> float:
    """Part of train that comes from general sources."""
    general = sum(int(train["copies"][source.name]) for source, _, _ in job.sources if source.general)
    return round(general / max(int(train["records"]), 1), 4)


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
    write_json(folder / "run.json", run, indent=1)
