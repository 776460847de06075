"""What is told of sources that gave little or nothing: the first row of each reason, with its place and the remedy."""

from __future__ import annotations

import polars as pl

from medasst.data.job import Job
from medasst.data.store import Chunks

_LITTLE = 0.5  # share of rows set aside by the reader from which on a source is told of
_REASONS = 6  # the most frequent are shown
_SHOWN = 400  # characters of what a row held


def nothing(job: Job, chunks: Chunks) -> str:
    """Why no source gave a record."""
    first = _first_of_each(chunks)
    if not len(first):
        return "no usable record in the sources: the files are empty"
    told = [line for source, _, _ in job.sources for line in _lines(first, source.name, job.config.texts)]
    return "\n".join(["no usable record in the sources; the first row of each reason:", *told])


def little(job: Job, chunks: Chunks) -> list[str]:
    """A line for each source of which the reader set aside half or more, and the first row of each reason."""
    first = _first_of_each(chunks).filter(pl.col("stage") == "read")
    kept = {source.name: 0 for source, _, _ in job.sources}
    for chunk in range(len(chunks.folders)):
        frame = chunks.kept(chunk, ["source"])
        for source, count in frame["source"].value_counts().iter_rows():
            kept[source] += count
    told: list[str] = []
    for name, good in kept.items():
        bad = int(first.filter(pl.col("source") == name)["len"].sum())
        if bad and bad >= _LITTLE * (good + bad):
            told.append(f"source {name!r}: {bad:,} of {good + bad:,} rows could not be read; the first of each reason:")
            told += _lines(first, name, job.config.texts)
    return told


def _first_of_each(chunks: Chunks) -> pl.DataFrame:
    """`source, stage, reason, len, file, line, text` of the first row of each reason, the most frequent first."""
    by = ["source", "stage", "reason"]
    parts = [
        chunks.beside(chunk, "rejected")
        .group_by(by, maintain_order=True)
        .agg(pl.len(), pl.col("file", "line").first(), pl.col("text").first())
        for chunk in range(len(chunks.folders))
    ]
    if not parts:
        return pl.DataFrame(schema=dict.fromkeys([*by, "file", "text"], pl.String) | {"len": pl.UInt32, "line": pl.UInt32})
    merged = pl.concat(parts).group_by(by, maintain_order=True)
    return merged.agg(pl.col("len").sum(), pl.col("file", "line", "text").first()).sort(
        "len", descending=True, maintain_order=True
    )


def _lines(first: pl.DataFrame, source: str, texts: bool) -> list[str]:
    mine = first.filter(pl.col("source") == source)
    lines = []
    for row in mine.head(_REASONS).iter_rows(named=True):
        # Of a row that no reader understood the first line says what was wrong; of others the text is data.
        held = row["text"].partition("\n")[0][:_SHOWN] if row["stage"] == "read" or texts else ""
        lines.append(f"  {source}, {row['reason']} {row['len']:,}: {row['file']}:{row['line']}: {held}".rstrip(": "))
    return lines
