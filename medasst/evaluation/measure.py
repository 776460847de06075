"""Records → scores of each item → rows with intervals → paired comparisons."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

from medasst.evaluation.metrics import Interval, paired_bootstrap
from medasst.evaluation.task import AnyTask, Bootstrap, Record, Scores


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
class GroupResult(Result):
    """A row of results over the items of one group, such as a category."""

    group: str = ""


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


class Answered(NamedTuple):
    """What one system answered to one task, and what each answer scores; in the order of the task's items."""

    records: Sequence[Record]
    scores: Sequence[Scores]


# By system and task; a task that a system can't do is absent.
AllAnswered = Mapping[tuple[str, str], Answered]


def results(system: str, task: AnyTask, answered: Answered, how: Bootstrap) -> list[Result]:
    """The rows of one system on one task."""
    outcomes = Counter(record.finish_reason for record in answered.records)
    counts = outcomes["unparsed"], outcomes["error"], outcomes["length"]
    rows = []
    for metric in task.scoring.metrics:
        found = metric.measure(answered.scores, how)
        figures = _finite(found.interval)
        rows.append(Result(system, task.name, metric.name, *figures, found.n, task.asking.protocol, "ok", *counts))
    return rows


def group_results(system: str, task: AnyTask, answered: Answered, how: Bootstrap) -> list[GroupResult]:
    """The rows of each group of a task's items, in the order of the groups' names; none where a task has no groups."""
    places: dict[str, list[int]] = {}
    for place, item in enumerate(task.items):
        places.setdefault(task.scoring.group(item), []).append(place)
    places.pop("", None)
    rows = []
    for group in sorted(places):
        records = [answered.records[place] for place in places[group]]
        scores = [answered.scores[place] for place in places[group]]
        own = results(system, task, Answered(records, scores), how)
        rows += [GroupResult(**asdict(row), group=group) for row in own]
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
            both = [(a, b) for a, b in zip(ours, theirs, strict=True) if metric.among(a) and metric.among(b)]
            a, b = ([metric.of(pair[side]) for pair in both] for side in (0, 1))
            difference = paired_bootstrap(a, b, resamples=how.resamples, seed=how.seed)
            if both:
                found.append(
                    Comparison(system, baseline, task.name, metric.name, *difference, len(both), difference.excludes_zero)
                )
    return found


def _finite(found: Interval) -> tuple[float | None, float | None, float | None]:
    """JSON has no NaN and no infinity."""
    value, low, high = (figure if math.isfinite(figure) else None for figure in found)
    return value, low, high
