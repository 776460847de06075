"""`card.html`: the manifest for a person, in one page that needs no network. The same input gives the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
import polars as pl

from medasst.conversation import JSON

STEPS = {"read": "readable", "clean": "clean", "duplicate": "unique", "decontaminate": "not in a test", "mix": "in the mix"}
_BIN = 50  # characters
_LAST = 500
_SHOWN = 500  # characters of an example
_WIDEST = 250  # of a bar's label, in the units of the drawing


def write_card(folder: Path, manifest: dict[str, JSON], changed: pl.DataFrame, *, texts: bool) -> None:
    """Write card.html beside the set's other files. `texts` allows a few example records, and of `changed` (`source, id,
    before, after`) what cleaning did to some."""
    page = Path(__file__).with_name("card.html").read_text("utf-8")
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"fitting": _fitting, "label_width": _label_width}
    template = environment.from_string(page)
    (folder / "card.html").write_text(template.render(facts(folder, manifest, changed, texts=texts)), "utf-8")


def _width(text: str) -> float:
    """About how wide a text of 13 px is drawn: a Han character is square, others are about half of that."""
    return sum(13.5 if ord(char) > 0x2E80 else 7.3 for char in text)


def _label_width(rows: list[tuple[str, int]]) -> int:
    return round(min(max(_width(str(name)) for name, _ in rows), _WIDEST)) + 10


def _fitting(name: str) -> str:
    """The name, or as much of its beginning as has room beside the bars."""
    name = str(name)
    if _width(name) <= _WIDEST:
        return name
    while _width(name) > _WIDEST - 13:
        name = name[:-1]
    return name + "…"


def facts(folder: Path, manifest: dict[str, JSON], changed: pl.DataFrame, *, texts: bool) -> dict[str, Any]:
    """Everything that the page shows."""
    train = pl.scan_parquet(folder / "train-*.parquet")
    rejected = pl.scan_parquet(folder / "rejected-*.parquet")
    departments = train.group_by("department").len().sort(["len", "department"], descending=[True, False]).collect()
    named = departments.filter(pl.col("department") != "")
    lost = rejected.filter(pl.col("stage") == "decontaminate").select(
        pl.col("matched_id").str.split("/").list.first().alias("set")
    )
    return {
        "manifest": manifest,
        "funnel": funnel(manifest),
        "dropped": list(manifest["dropped"].items()),
        "lengths": _lengths(train),
        "departments": list(named.head(12).iter_rows()),
        "department_count": len(named),
        "without_department": int(departments.filter(pl.col("department") == "")["len"].sum()),
        "clusters": _clusters(rejected),
        "contamination": list(lost.group_by("set").len().sort("set").collect().iter_rows()),
        "examples": _examples(train, rejected) if texts else [],
        "changed": _changed(changed) if texts else [],
    }


def funnel(manifest: dict[str, JSON]) -> list[tuple[str, int]]:
    """Records left after each step."""
    left = manifest["read"]
    rows = [("read", left)]
    for stage, name in STEPS.items():
        left -= sum(n for reason, n in manifest["dropped"].items() if reason.startswith(f"{stage}: "))
        rows.append((name, left))
    return rows


def _lengths(train: pl.LazyFrame) -> dict[str, Any]:
    said = pl.col("messages").list.eval(
        pl.when(pl.element().struct.field("role") == "assistant")
        .then(pl.element().struct.field("content").str.len_chars())
        .otherwise(0)
    )
    asked = pl.col("messages").list.eval(
        pl.element().struct.field("content").filter(pl.element().struct.field("role") == "user").str.len_chars()
    )
    frame = train.select(answer=said.list.sum(), question=asked.list.first()).collect()
    binned = frame.select(bin=(pl.col("answer") // _BIN * _BIN).clip(upper_bound=_LAST)).group_by("bin").len()
    counts = dict(binned.iter_rows())
    result: dict[str, Any] = {
        name: {"median": _quantile(frame[name], 0.5), "p90": _quantile(frame[name], 0.9)} for name in ("question", "answer")
    }
    names = {low: f"{low}–{low + _BIN - 1}" for low in range(0, _LAST, _BIN)} | {_LAST: f"{_LAST} and more"}
    return result | {"bins": [(name, counts.get(low, 0)) for low, name in names.items()]}


def _quantile(column: pl.Series, share: float) -> int:
    value = column.quantile(share, "nearest")
    return 0 if value is None else int(value)


def _clusters(rejected: pl.LazyFrame) -> list[tuple[str, int]]:
    sizes = rejected.filter(pl.col("stage") == "duplicate").group_by("matched_id").len().collect()["len"]
    groups = {"1": (1, 1), "2": (2, 2), "3–5": (3, 5), "6–20": (6, 20), "over 20": (21, 2**31)}
    counted = [(name, int(sizes.is_between(low, high).sum())) for name, (low, high) in groups.items()]
    return [(name, n) for name, n in counted if n]


def _changed(changed: pl.DataFrame, of_each: int = 2) -> list[tuple[str, str, str]]:
    """A few records of each source, lowest id first, so that the same set shows the same ones."""
    first = changed.unique(["source", "id"], keep="first", maintain_order=True).sort("source", "id")
    some = first.group_by("source", maintain_order=True).head(of_each)
    return list(some.select("source", pl.col("before", "after").str.head(_SHOWN)).iter_rows())


def _examples(train: pl.LazyFrame, rejected: pl.LazyFrame) -> list[tuple[str, str]]:
    kept = [
        (f"Kept, {row['source']}", "\n".join(f"{m['role']}: {m['content']}" for m in row["messages"])[:_SHOWN])
        for row in _lowest_ids(train).iter_rows(named=True)
    ]
    first = (
        rejected.group_by("stage", "reason")
        .agg(pl.col("text").sort_by("source", "file", "line").first())
        .sort("stage", "reason")
    )
    return kept + [(f"Dropped, {stage}: {reason}", text[:_SHOWN]) for stage, reason, text in first.collect().iter_rows()]


def _lowest_ids(train: pl.LazyFrame) -> pl.DataFrame:
    """The record of lowest id of each source; texts are read of these only."""
    ids = train.group_by("source").agg(pl.col("id").min()).collect()["id"]
    return train.filter(pl.col("id").is_in(ids.implode())).unique("id", keep="first").sort("source").collect()
