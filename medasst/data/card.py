"""`card.html`: the manifest for a person, in one page in English and Chinese that needs no network. The same input gives the
same bytes. What the page calls things, and how it explains them, stands in `card.toml`.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import numpy as np
import polars as pl

from medasst.conversation import JSON
from medasst.data.privacy import PLACEHOLDER
from medasst.disk import package_file

STEPS = {"read": "readable", "clean": "clean", "duplicate": "unique", "decontaminate": "not in a test", "mix": "in the mix"}
_BOUNDS = (0, 10, 20, 50, 100, 200, 300, 500, 1_000, 2_000, 4_000, 8_000)  # characters, where a bar of lengths begins
_SHOWN = 500  # characters of an example
_REASONS = 3  # of a source are named
_MASK = re.compile(f"({PLACEHOLDER.pattern})")


class Word(NamedTuple):
    """What something is called and what that means, in English and in Chinese."""

    en: str
    zh: str
    en_meaning: str = ""
    zh_meaning: str = ""


class Bar(NamedTuple):
    """A number of records, and what they are."""

    word: Word
    records: int


class Step(NamedTuple):
    """A step of the preparation: the records `left` after it, and those it dropped, by reason."""

    word: Word
    left: int
    dropped: Bar
    reasons: list[Bar]


class Piece(NamedTuple):
    """Part of a text: `gone` or `new` against the other text, `masked`, or plain ("")."""

    kind: str
    text: str


def write_card(folder: Path, manifest: dict[str, JSON], changed: pl.DataFrame, *, texts: bool) -> None:
    """Write card.html beside the set's other files. `texts` allows a few example records, and of `changed` (`source, id,
    before, after`) what cleaning did to some."""
    page = package_file("data/card.html").read_text("utf-8")
    template = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(page)
    (folder / "card.html").write_text(template.render(facts(folder, manifest, changed, texts=texts)), "utf-8")


def facts(folder: Path, manifest: dict[str, JSON], changed: pl.DataFrame, *, texts: bool) -> dict[str, Any]:
    """Everything that the page shows."""
    shards = sorted(folder.glob("train-*.parquet"))
    train = pl.scan_parquet(shards)
    rejected = pl.scan_parquet(folder / "rejected-*.parquet")
    departments = train.group_by("department").len().sort(["len", "department"], descending=[True, False]).collect()
    named = departments.filter(pl.col("department") != "")
    steps = funnel(manifest)
    return {
        "manifest": manifest,
        "steps": steps,
        "splits": [Bar(word("splits", name), split["records"]) for name, split in manifest["splits"].items()],
        "sources": _sources(manifest),
        "left_out": [Bar(word("left_out", what), count) for what, count in manifest["left_out"].items()],
        "lengths": _lengths(shards),
        "departments": [Bar(Word(name, name), count) for name, count in named.head(12).iter_rows()],
        "department_count": len(named),
        "without_department": int(departments.filter(pl.col("department") == "")["len"].sum()),
        "masked": _masked(shards),
        "texts": texts,
        "examples": _examples(train, rejected) if texts else [],
        "changed": _changed(changed) if texts else [],
    }


@cache
def _words() -> dict[str, dict[str, Word]]:
    entries = tomllib.loads(package_file("data/card.toml").read_text("utf-8"))
    return {
        kind: {name: Word(said["en"][0], said["zh"][0], said["en"][1], said["zh"][1]) for name, said in words.items()}
        for kind, words in entries.items()
    }


def word(kind: str, name: str) -> Word:
    """What the page calls something; a name that card.toml lacks is shown as it is."""
    return _words()[kind].get(name) or Word(name, name)


def funnel(manifest: dict[str, JSON]) -> list[Step]:
    """Records left after each step, and what it dropped."""
    steps: list[Step] = []
    left = manifest["read"]
    for stage, name in STEPS.items():
        reasons = _reasons(manifest["dropped"], stage)
        lost = sum(bar.records for bar in reasons)
        left -= lost
        steps.append(Step(word("steps", name), left, Bar(word("lost", name), lost), reasons))
    return steps


def _reasons(dropped: dict[str, int], stage: str) -> list[Bar]:
    """What one stage dropped, the most first; repeated test questions by the set they belong to."""
    found = {reason.partition(": ")[2]: count for reason, count in dropped.items() if reason.startswith(f"{stage}: ")}
    bars = _tests(found) if stage == "decontaminate" else [Bar(word(stage, reason), count) for reason, count in found.items()]
    return sorted(bars, key=lambda bar: (-bar.records, bar.word.en))


def _sources(manifest: dict[str, JSON]) -> list[dict[str, Any]]:
    """Of each source what the manifest says, with its settings, and what became of its records."""
    settings = {source["name"]: source for source in manifest["settings"]["sources"]}
    told = []
    for source in manifest["sources"]:
        reasons = [bar for stage in STEPS for bar in _reasons(source["dropped"], stage)]
        parts = [*source["kept"].items(), ("lost", sum(bar.records for bar in reasons))]
        told.append(
            {
                **source,
                "trust": settings[source["name"]]["trust"],
                "weight": settings[source["name"]]["weight"],
                "barred": not source["commercial"] and not settings[source["name"]]["licence"],
                "parts": [(name, count) for name, count in parts if count],
                "reasons": sorted(reasons, key=lambda bar: -bar.records)[:_REASONS],
            }
        )
    return told


def _tests(found: dict[str, int]) -> list[Bar]:
    """Of each set the train records that repeat a question of it, and in which ways, from `kind:set`."""
    sets: dict[str, list[tuple[Word, int]]] = defaultdict(list)
    for reason, count in found.items():
        kind, _, named = reason.partition(":")
        sets[named].append((word("decontaminate", kind), count))
    return [
        Bar(
            Word(
                named,
                named,
                "; ".join(f"{match.en} {count:,} ({match.en_meaning})" for match, count in ways),
                "；".join(f"{match.zh} {count:,}（{match.zh_meaning}）" for match, count in ways),
            ),
            sum(count for _, count in ways),
        )
        for named, ways in sets.items()
    ]


def _lengths(shards: list[Path]) -> list[dict[str, Any]]:
    """Lengths in characters of the first question and of all answers of a record: median, nine tenths, bars."""
    role, content = pl.element().struct.field("role"), pl.element().struct.field("content").str.len_chars()
    said = pl.col("messages").list.eval(pl.when(role == "assistant").then(content).otherwise(0))
    asked = pl.col("messages").list.eval(content.filter(role == "user"))
    frame = pl.concat(
        [pl.scan_parquet(shard).select(question=asked.list.first(), answer=said.list.sum()).collect() for shard in shards]
    )
    return [
        {
            "name": name,
            "median": _quantile(frame[name], 0.5),
            "most": _quantile(frame[name], 0.9),
            "bars": [Bar(Word(label, label), count) for label, count in bins(frame[name].drop_nulls().to_list())],
        }
        for name in ("question", "answer")
    ]


def bins(lengths: Iterable[int]) -> list[tuple[str, int]]:
    """How many lengths fall between `_BOUNDS`, as `from–to, count`. None is empty: a range that holds none joins the next."""
    counts = np.histogram(np.fromiter(lengths, np.int64), [*_BOUNDS, np.inf])[0].tolist()
    found: list[tuple[str, int]] = []
    begin = last = next((place for place, count in enumerate(counts) if count), 0)
    for place in range(begin, len(counts)):
        if counts[place]:
            upper = f"–{_BOUNDS[place + 1] - 1:,}" if place + 1 < len(_BOUNDS) else "+"
            found.append((f"{_BOUNDS[last]:,}{upper}", counts[place]))
            last = place + 1
    return found


def _quantile(column: pl.Series, share: float) -> int:
    value = column.quantile(share, "nearest")
    return 0 if value is None else int(value)


def _masked(shards: list[Path]) -> list[Bar]:
    """Placeholders of personal data in train, by kind."""
    text = pl.col("messages").list.eval(pl.element().struct.field("content")).list.join("\n")
    found: Counter[str] = Counter()
    for shard in shards:  # one at a time: the texts of all don't fit
        masks = pl.scan_parquet(shard).select(text.str.extract_all(PLACEHOLDER.pattern).alias("mask")).explode("mask").collect()
        found.update(masks["mask"].drop_nulls().to_list())
    return [Bar(Word(mask, mask), count) for mask, count in sorted(found.items(), key=lambda item: (-item[1], item[0]))]


def _changed(changed: pl.DataFrame, of_each: int = 2) -> list[tuple[str, list[Piece], list[Piece]]]:
    """A few records of each source before and after, lowest id first, so that the same set shows the same ones."""
    first = changed.unique(["source", "id"], keep="first", maintain_order=True).sort("source", "id")
    some = first.group_by("source", maintain_order=True).head(of_each)
    rows = some.select("source", pl.col("before", "after").str.head(_SHOWN)).iter_rows()
    return [(source, *compared(before, after)) for source, before, after in rows]


def compared(before: str, after: str) -> tuple[list[Piece], list[Piece]]:
    """Both texts in pieces, with what is gone from the first and new in the second."""
    old: list[Piece] = []
    new: list[Piece] = []
    for kind, i, j, k, m in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        old += _pieces(before[i:j], "" if kind == "equal" else "gone")
        new += _pieces(after[k:m], "" if kind == "equal" else "new")
    return old, new


def _pieces(text: str, kind: str) -> list[Piece]:
    return [Piece("masked" if _MASK.fullmatch(part) else kind, part) for part in _MASK.split(text) if part]


def _examples(train: pl.LazyFrame, rejected: pl.LazyFrame) -> list[tuple[Word, list[Piece]]]:
    kept = [
        (
            Word(f"Kept, {row['source']}", f"保留，{row['source']}"),
            "\n".join(f"{m['role']}: {m['content']}" for m in row["messages"]),
        )
        for row in _lowest_ids(train).iter_rows(named=True)
    ]
    first = (
        rejected.group_by("stage", "reason")
        .agg(pl.col("text").sort_by("source", "file", "line").first())
        .sort("stage", "reason")
    )
    dropped = []
    for stage, reason, text in first.collect().iter_rows():
        said = word(stage, reason.partition(":")[0])
        dropped.append((Word(f"Dropped, {said.en}", f"删去，{said.zh}", said.en_meaning, said.zh_meaning), text))
    return [(said, _pieces(text[:_SHOWN], "")) for said, text in kept + dropped]


def _lowest_ids(train: pl.LazyFrame) -> pl.DataFrame:
    """The record of lowest id of each source; texts are read of these only."""
    ids = train.group_by("source").agg(pl.col("id").min()).collect()["id"]
    return train.filter(pl.col("id").is_in(ids.implode())).unique("id", keep="first").sort("source").collect()
