"""Records → scores of each item → rows with intervals → paired comparisons."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from medasst.evaluation.metrics import METRICS, Interval, bootstrap_mean, bootstrap_ratio, paired_bootstrap, score_text
from medasst.evaluation.predictions import Record
from medasst.evaluation.tasks import Item, Task

COMPARED = (*METRICS, "accuracy")
ItemScores = dict[str, float]  # of one item, by metric


@dataclass(frozen=True, slots=True)
class Result:
    """One row of results. Rates and scores in percent, `length_ratio` as a ratio; `low` and `high` bound the 95 % interval.

    `status` is "ok", or "unsupported" where the engine can't do the task, and then there is no value. The counts are of
    items, each of which is in `n` and, where it failed, scored 0.
    """

    system: str
    task: str
    metric: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    protocol: str
    status: str = "ok"
    unparsed: int = 0
    refused: int = 0
    failed: int = 0
    truncated: int = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """The paired difference system - baseline of one metric over the same items, in percentage points."""

    system: str
    baseline: str
    task: str
    metric: str
    difference: float
    low: float
    high: float
    n: int
    excludes_zero: bool


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """How intervals are drawn."""

    resamples: int
    seed: int


class Answered(NamedTuple):
    """What one system answered to one task, and what each answer scores; in the order of the task's items."""

    records: Sequence[Record]
    scores: Sequence[ItemScores]


# By system and task; a task that a system can't do is absent.
AllAnswered = Mapping[tuple[str, str], Answered]


def chosen(record: Record) -> tuple[int, bool]:
    """The option with the highest mean log-probability a token, and whether it shares that; ties go to the first."""
    if "listed" in record:
        means = [x if listed else -math.inf for x, listed in zip(record["logprobs"], record["listed"], strict=True)]
    else:
        means = [x / count if count else -math.inf for x, count in zip(record["logprobs"], record["token_counts"], strict=True)]
    best = max(means)
    return means.index(best), means.count(best) > 1


def item_scores(item: Item, record: Record) -> ItemScores:
    """What one answer scores. A failed choice is wrong; a failed text is scored as the empty one it is."""
    if item.options:
        failed = record["finish_reason"] != "stop"
        return {
            "accuracy": 100.0 * (not failed and chosen(record)[0] == item.answer),
            "tie": float(not failed and chosen(record)[1]),
        }
    sizes = {"predicted_chars": float(len(record["predict"])), "label_chars": float(len(item.label))}
    return score_text(record["predict"], item.label)._asdict() | sizes


def results(system: str, task: Task, protocol: str, answered: Answered, how: Bootstrap) -> list[Result]:
    """The rows of one system on one task."""
    records, scores = answered
    finished = [record["finish_reason"] for record in records]
    unstopped = [100.0 * (reason == "length") for reason in finished]

    def row(metric: str, found: Interval, n: int = len(records)) -> Result:
        return Result(
            system, task.config.name, metric, *_finite(found), n, protocol,
            unparsed=finished.count("unparsed"),
            refused=finished.count("refused"), failed=finished.count("error"), truncated=finished.count("length"),
        )  # fmt: skip

    def mean(values: Sequence[float]) -> Interval:
        return bootstrap_mean(values, resamples=how.resamples, seed=how.seed)

    if task.config.kind == "choice":
        accuracy = [score["accuracy"] for score in scores]
        parsed = [
            value for value, reason in zip(accuracy, finished, strict=True) if reason not in ("error", "refused", "unparsed")
        ]
        return [row("accuracy", mean(accuracy)), row("accuracy_parsed", mean(parsed), len(parsed))]
    lengths = [[score[key] for score in scores] for key in ("predicted_chars", "label_chars")]
    return [
        *(row(metric, mean([score[metric] for score in scores])) for metric in METRICS),
        row("length_ratio", bootstrap_ratio(*lengths, resamples=how.resamples, seed=how.seed)),
        row("unstopped", mean(unstopped)),
    ]


def unsupported(system: str, task: Task, protocol: str) -> Result:
    """The row of a task that the system's engine can't do."""
    return Result(system, task.config.name, "accuracy", None, None, None, 0, protocol, "unsupported")


def compare(system: str, baseline: str, task: str, answered: AllAnswered, how: Bootstrap) -> list[Comparison]:
    """The paired differences of every metric that both systems have."""
    ours, theirs = answered[system, task].scores, answered[baseline, task].scores
    found = []
    for metric in COMPARED:
        if metric in ours[0] and metric in theirs[0]:
            a, b = (np.array([score[metric] for score in side]) for side in (ours, theirs))
            difference = paired_bootstrap(a, b, resamples=how.resamples, seed=how.seed)
            found.append(Comparison(system, baseline, task, metric, *difference, len(ours), difference.excludes_zero))
    return found


def _finite(found: Interval) -> tuple[float | None, float | None, float | None]:
    """JSON has no NaN and no infinity."""
    value, low, high = (figure if math.isfinite(figure) else None for figure in found)
    return value, low, high
