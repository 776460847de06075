"""Records → scores of each item → rows with intervals → paired comparisons."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from medasst.evaluation.metrics import Interval, bootstrap_ratio, paired_bootstrap
from medasst.evaluation.task import AnyTask, Record, Scores


@dataclass(frozen=True, slots=True)
class Result:
    """One row of results. Rates and scores in percent, `length_ratio` as a ratio; `low` and `high` bound the 95 % interval.

    `status` is "ok", or "unsupported" where the engine can't do the task, and then there is no value. The counts are of
    the task's items; one that failed or is unparsed scores what no answer scores.
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
    scores: Sequence[Scores]


# By system and task; a task that a system can't do is absent.
AllAnswered = Mapping[tuple[str, str], Answered]


def scored(task: AnyTask, records: Sequence[Record]) -> Iterator[Scores]:
    """What each item's record scores, in order."""
    for item, record in zip(task.items, records, strict=True):
        yield task.scoring.score(item, record)


def results(system: str, task: AnyTask, answered: Answered, how: Bootstrap) -> list[Result]:
    """The rows of one system on one task."""
    outcomes = Counter(record.finish_reason for record in answered.records)
    rows = []
    for metric in task.scoring.metrics:
        own = [score for score in answered.scores if metric.among(score)]
        above, below = [metric.of(score) for score in own], [metric.per(score) for score in own]
        found = _finite(bootstrap_ratio(above, below, resamples=how.resamples, seed=how.seed))
        counts = outcomes["unparsed"], outcomes["error"], outcomes["length"]
        rows.append(Result(system, task.name, metric.name, *found, len(own), task.asking.protocol, "ok", *counts))
    return rows


def unsupported(system: str, task: AnyTask) -> Result:
    """The row of a task that the system's engine can't do."""
    return Result(system, task.name, task.scoring.headline, None, None, None, 0, task.asking.protocol, "unsupported")


def compare(system: str, baseline: str, task: AnyTask, answered: AllAnswered, how: Bootstrap) -> list[Comparison]:
    """The paired differences of every metric that is compared."""
    ours, theirs = answered[system, task.name].scores, answered[baseline, task.name].scores
    found = []
    for metric in task.scoring.metrics:
        if metric.compared:
            a, b = ([metric.of(score) for score in side] for side in (ours, theirs))
            difference = paired_bootstrap(a, b, resamples=how.resamples, seed=how.seed)
            found.append(Comparison(system, baseline, task.name, metric.name, *difference, len(ours), difference.excludes_zero))
    return found


def _finite(found: Interval) -> tuple[float | None, float | None, float | None]:
    """JSON has no NaN and no infinity."""
    value, low, high = (figure if math.isfinite(figure) else None for figure in found)
    return value, low, high
