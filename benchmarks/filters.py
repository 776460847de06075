"""How well three filters tell: precision and recall against records labelled by reading, with 95 % Wilson intervals.

    MEDASST_DATA=… python benchmarks/filters.py [--half test]

`filter_labels.jsonl` holds ids and labels, no texts. The records are a stratified draw (fixed seed) from the sets in SOURCES:
strata are loose versions of each filter, so that there are enough positives, and the rest. Precision and recall are therefore
weighted: a record counts for as many as it stands for in its stratum (population / drawn). The intervals use the effective
number of records, (sum of weights)² / sum of squared weights (Kish). The bare counts beside them are unweighted.

One person labelled, by reading, before writing the patterns (of answers over 420 characters the first 210 and last 200; of the
40 in the stratum `ends-open`, labelled for `cut_off` only, the first 40 and last 90).

- paraphrased: two words that no doctor would put there, or one that turns the meaning
- advertising: contact details, praise of a hospital, product or cure
- cut off: one misses the rest

The half `tune` was looked at while the patterns were written; `test` only when it was labelled.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from medasst.data.filters import FILTERS, CleanSettings, views
from medasst.data.recipes import Bad, read_records, reader
from medasst.data.stages import cleaned, to_frame

SOURCES = {
    "toyhom-im": "toyhom",
    "huatuo26m-test": "huatuo26m",
    "cmedqa2-test": "cmedqa2",
    "medicalgpt-sft-1k": "medicalgpt-sft",
    "cmtmedqa-test": "cmtmedqa",
}
LABELS = ("advertising", "cut_off", "paraphrased")
PLACE = ["source", "file", "line"]


class Share(NamedTuple):
    """A weighted share with its interval, and the records it rests on."""

    value: float
    low: float
    high: float
    hits: int
    n: int

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f}-{self.high:.2f}), {self.hits} of {self.n}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", choices=("all", "tune", "test"), default="all")
    parser.add_argument("--wrong", action="store_true", help="list the places of the records that a filter gets wrong")
    arguments = parser.parse_args()
    if "MEDASST_DATA" not in os.environ:
        parser.error("set MEDASST_DATA to the folder of the public sets")
    found = flagged(Path(os.environ["MEDASST_DATA"]))
    for half in ("all", "tune", "test") if arguments.half == "all" else (arguments.half,):
        print(f"\n{half}\n| filter | precision | recall | labelled | positive |\n|---|---|---|---|---|")
        for name in LABELS:
            rows = [row for row in labels(name) if half in ("all", row["half"])]
            records = [(row["label"], found[row["source"], row["file"], row["line"]][name], row["weight"]) for row in rows]
            positives = sum(label for label, _, _ in records)
            precision = share([(label, weight) for label, flag, weight in records if flag])
            recall = share([(flag, weight) for label, flag, weight in records if label])
            print(f"| `{name}` | {precision} | {recall} | {len(records)} | {positives} |")
            if arguments.wrong:
                for row, (label, flag, _) in zip(rows, records, strict=True):
                    if label != flag:
                        print(f"    {'missed' if label else 'wrong'}: {row['source']} line {row['line']} ({row['half']})")


def labels(name: str) -> list[dict[str, Any]]:
    """The labelled records of one filter: source, file, line, half, label, weight."""
    rows = [json.loads(line) for line in (Path(__file__).parent / "filter_labels.jsonl").read_text("utf-8").splitlines()]
    return [{**row, "label": row["labels"][name], "weight": row["weights"][name]} for row in rows if name in row["labels"]]


def flagged(folder: Path) -> dict[tuple[str, str, int], dict[str, bool]]:
    """For each labelled record, what each filter by itself says of it, once cleaned."""
    wanted = pl.concat([pl.DataFrame([{k: row[k] for k in PLACE} for row in labels(name)]) for name in LABELS]).unique()
    frames = []
    for source, recipe in SOURCES.items():
        for file in wanted.filter(pl.col("source") == source)["file"].unique().sort():
            rows = read_records(folder / source / file, file, reader(recipe).parse)
            frame = to_frame(row for row in rows if not isinstance(row, Bad))
            frames.append(frame.with_columns(pl.lit(source).alias("source")))
    records = pl.concat(frames).join(wanted.with_columns(pl.col("line").cast(pl.UInt32)), on=PLACE, how="semi")
    settings = CleanSettings()
    said = cleaned(records, settings, privacy=True).drop("question", "answer").with_columns(views())
    said = said.select(*PLACE, *(FILTERS[name](settings).alias(name) for name in LABELS))
    return {(row["source"], row["file"], row["line"]): row for row in said.iter_rows(named=True)}


def share(outcomes: Sequence[tuple[bool, float]]) -> Share:
    """The weighted share of true outcomes with its Wilson score interval (Wilson 1927) at the effective number of records."""
    total = sum(weight for _, weight in outcomes)
    if not total:
        return Share(math.nan, 0, 1, 0, 0)
    value = sum(weight for true, weight in outcomes if true) / total
    n, z = total**2 / sum(weight**2 for _, weight in outcomes), 1.959964
    middle = (value + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(value * (1 - value) / n + z * z / (4 * n * n))
    return Share(value, max(0.0, middle - half), min(1.0, middle + half), sum(true for true, _ in outcomes), len(outcomes))


if __name__ == "__main__":
    main()
