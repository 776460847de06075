"""From rows to clean records, as functions from frame to frame, with the columns that later stages go by."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache

import polars as pl

from medasst.data.filters import HELPERS, CleanSettings, drop_reason, said_by, views
from medasst.data.keys import buckets, comparison_keys, conversation_ids
from medasst.data.privacy import mask, mask_json, mask_raw, masked_series
from medasst.data.questions import cores_of
from medasst.data.recipes import Bad
from medasst.data.records import Record
from medasst.data.settings import Source, SplitSettings
from medasst.data.tidy import tidied_turns
from medasst.data.unsafe import found
from medasst.text import normalise

_TEXT, _TEXTS = pl.String(), pl.List(pl.String())
RECORD: dict[str, pl.DataType] = {
    "file": _TEXT,
    "line": pl.UInt32(),
    "roles": _TEXTS,
    "texts": _TEXTS,
    "department": _TEXT,
    "meta": _TEXT,
    "key": _TEXT,
    "stem": _TEXT,
}
CHANGED: dict[str, pl.DataType] = {"source": _TEXT, "id": _TEXT, "before": _TEXT, "after": _TEXT}
REJECTED: dict[str, pl.DataType] = {
    "id": _TEXT,
    "source": _TEXT,
    "file": _TEXT,
    "line": pl.UInt32(),
    "stage": _TEXT,
    "reason": _TEXT,
    "matched_id": _TEXT,
    "text": _TEXT,
}


def to_frame(records: Iterable[tuple[str, int, Record]]) -> pl.DataFrame:
    """Records (each of a turn or more) with file and line, as a frame of RECORD's columns; department and meta (one JSON
    string) are masked."""
    rows = list(records)
    known = [record for _, _, record in rows]
    columns = {
        "file": [file for file, _, _ in rows],
        "line": [line for _, line, _ in rows],
        "department": [_department(record.department) for record in known],
        "meta": [_meta(record) for record in known],
        "key": [record.key for record in known],
        "stem": [record.stem for record in known],
    }
    # Flat columns, regrouped: Polars takes lists of lists far more slowly.
    turns = pl.DataFrame(
        {
            "row": [n for n, record in enumerate(known) for _ in record.turns],
            "roles": [role for record in known for role, _ in record.turns],
            "texts": [text for record in known for _, text in record.turns],
        },
        schema={"row": pl.UInt32, "roles": pl.String, "texts": pl.String},
    )
    said = turns.group_by("row", maintain_order=True).agg("roles", "texts").drop("row")
    return pl.DataFrame(columns, schema_overrides=RECORD).hstack(said).select(list(RECORD))


@lru_cache(maxsize=10_000)
def _department(name: str) -> str:
    return mask(normalise(name))


def _meta(record: Record) -> str:
    return json.dumps(mask_json(dict(record.meta)), ensure_ascii=False, sort_keys=True) if record.meta else "{}"


def bad_rows(source: str, bad: Sequence[Bad]) -> pl.DataFrame:
    """Rows that no reader understood, as rejected records."""
    rows = [("", source, b.file, b.line, "read", b.reason, "", mask_raw(b.text)) for b in bad]
    return pl.DataFrame(rows, schema=REJECTED, orient="row")


def cleaned(frame: pl.DataFrame, settings: CleanSettings, privacy: bool, strict: bool = False) -> pl.DataFrame:
    """Texts tidied and masked; columns `question`, `answer`, `mended` (names of the steps that changed it) and `reason` (why
    it is to be dropped, or null) added."""
    # All turns in one column: inside lists each record would call Python for itself.
    turns = frame.select(pl.int_range(pl.len(), dtype=pl.UInt32).alias("row"), "roles", "texts").explode("roles", "texts")
    texts, steps = tidied_turns(turns["texts"], turns["roles"], settings.simplify, settings.boilerplate)
    texts = masked_series(texts, simplified=settings.simplify) if privacy else texts
    turns = turns.select("row", texts=texts).with_columns(**steps)
    by_record = turns.group_by("row", maintain_order=True).agg("texts", pl.col(list(steps)).any())
    mended = pl.concat_list(pl.when(name).then(pl.lit(name)) for name in steps).list.drop_nulls()
    frame = frame.with_columns(by_record["texts"], by_record.select(mended.alias("mended"))["mended"])
    return frame.with_columns(*views()).with_columns(drop_reason(settings, strict).alias("reason")).drop(HELPERS)


def detailed(frame: pl.DataFrame) -> pl.DataFrame:
    """Dropped records with `matched_id`: of an unsafe medicine the row that forbids it, its name and what speaks against it."""
    unsafe = pl.col("reason") == "unsafe_medicine"
    rows = frame.with_row_index("place")
    told = rows.filter(unsafe)
    told = told.select("place", found(told).alias("matched_id"))
    return (
        rows.join(told, on="place", how="left", maintain_order="left")
        .drop("place")
        .with_columns(pl.col("matched_id").fill_null(""))
    )


def identified(frame: pl.DataFrame, source: Source, licence: str, split: SplitSettings) -> pl.DataFrame:
    """Columns that later stages go by added; `cores` are what contamination compares."""
    asked = frame.select(pl.when(pl.col("key") != "").then("key").otherwise("question").alias("asked"))["asked"]
    return frame.with_columns(
        conversation_ids(frame),
        pl.lit(source.name).alias("source"),
        pl.lit(licence).alias("licence"),
        pl.lit(source.trust, pl.Int32).alias("trust"),
        pl.struct("department", "meta").struct.json_encode().alias("tie"),
        pl.Series("split", [split.of_bucket(place) for place in buckets(asked)], pl.String),
        cores_of(frame.select(said_by("user"))["texts"]).alias("cores"),
    )


def changed(before: pl.DataFrame, after: pl.DataFrame, most: int = 2) -> pl.DataFrame:
    """`source, id, before, after` of the few records of lowest id whose words the cleaning changed; `before` is masked too."""
    both = after.select("source", "id", "roles", "texts").with_columns(before["texts"].alias("raw"))
    differ = pl.col("texts").list.join("\n") != pl.col("raw").list.join("\n")
    rows = both.filter(differ & (pl.col("texts").list.join("") != "")).sort("id").head(most)
    shown = [
        (source, id_, mask(normalise(_shown(roles, raw))), _shown(roles, texts))
        for source, id_, roles, texts, raw in rows.iter_rows()
    ]
    return pl.DataFrame(shown, schema=CHANGED, orient="row")


def as_rejected(frame: pl.DataFrame, stage: str) -> pl.DataFrame:
    """Records with `reason` (and `matched_id`) in the shape of rejected-*.parquet."""
    if "matched_id" not in frame.columns:
        frame = frame.with_columns(pl.lit("").alias("matched_id"))
    rows = zip(frame["roles"].to_list(), frame["texts"].to_list(), strict=True)
    text = pl.Series("text", [_shown(roles, texts) for roles, texts in rows], pl.String)
    return frame.with_columns(text, pl.lit(stage).alias("stage")).select(
        [pl.col(name).cast(kind) for name, kind in REJECTED.items()]
    )


def _shown(roles: list[str], texts: list[str]) -> str:
    return "\n".join(f"{role}: {text}" for role, text in zip(roles, texts, strict=True))


def comparison_texts(frame: pl.DataFrame) -> list[str]:
    """What near duplicates are compared by: questions and answers together, as comparison keys."""
    return comparison_keys(frame.select(pl.col("texts").list.join("\n"))["texts"])
