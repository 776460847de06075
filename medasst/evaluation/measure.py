"""Records → scores of each item → rows with intervals → paired comparisons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from medasst.evaluation.shelf import Picked
from medasst.evaluation.statistics import Bootstrap, Verdict, finite, judge
from medasst.evaluation.task import AnyTask, Differing, Metric, Record, Scores


@dataclass(frozen=True, slots=True)
class Result:
    """One row of results. Rates and scores in percent, `length_ratio` as a ratio; `low` and `high` bound the 95 % interval.

    `status` is "ok"; "unsupported" where the engine can't do the task; "not run" where the weights weren't here, or others
    stood in for them: `why`. Then there is no value. The counts are of the task's items; one that failed or is unparsed scores
    what no answer scores.
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
    why: str = ""


@dataclass(frozen=True, slots=True)
class GroupResult(Result):
    """A row of results over the items of one group, such as a category."""

    group: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The paired difference system - baseline of one metric over the same items, in percentage points.

    Attributes:
        p, p_holm: of the test that there is none, by itself and corrected for all comparisons of the report.
        detectable: the smallest true difference that `n` such items would show 8 times in 10.
        verdict: what may be said of it.
    """

    system: str
    baseline: str
    task: str
    metric: str
    n: int
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None
    detectable: float | None
    verdict: Verdict


class Answered(NamedTuple):
    """What one system answered to one task, what each answer scores, and its cluster; in the order of the task's items."""

    records: Sequence[Record]
    scores: Sequence[Scores]
    clusters: Sequence[str]

    def part(self, places: Sequence[int]) -> Answered:
        """What stands at these places."""
        return Answered(Picked(self.records, places), Picked(self.scores, places), Picked(self.clusters, places))


# By system and task; a task that a system can't do is absent.
AllAnswered = Mapping[tuple[str, str], Answered]


def results(system: str, task: AnyTask, answered: Answered, how: Bootstrap) -> list[Result]:
    """The rows of one system on one task."""
    outcomes = Counter(record.finish_reason for record in answered.records)
    counts = outcomes["unparsed"], outcomes["error"], outcomes["length"]
    rows = []
    for metric in task.scoring.metrics:
        found = metric.measure(answered.scores, answered.clusters, how)
        value, low, high = map(finite, found.interval)
        rows.append(Result(system, task.name, metric.name, value, low, high, found.n, task.asking.protocol, "ok", *counts))
    return rows


def group_results(system: str, task: AnyTask, answered: Answered, how: Bootstrap) -> list[GroupResult]:
    """The rows of each group of a task's items, in the order of the groups' names; none where a task has no groups."""
    places: dict[str, list[int]] = {}
    for place, item in enumerate(task.items):
        for group in task.scoring.groups(item):
            places.setdefault(group, []).append(place)
    rows = []
    for group in sorted(places):
        own = results(system, task, answered.part(places[group]), how)
        rows += [GroupResult(**asdict(row), group=group) for row in own]
    return rows


def unmeasured(system: str, task: AnyTask, why: str = "") -> Result:
    """The row of a task that the system's engine can't do, or that was not run: `why`."""
    status = "not run" if why else "unsupported"
    return Result(system, task.name, task.scoring.headline, None, None, None, 0, task.asking.protocol, status, why=why)


def compare(
    systems: Sequence[str], baseline: str, tasks: Sequence[AnyTask], answered: AllAnswered, how: Bootstrap
) -> list[Comparison]:
    """The paired differences from the baseline of every metric that is compared, corrected for there being so many."""
    found: list[tuple[str, AnyTask, Metric[Any], Differing]] = []
    for task in tasks:
        for system in systems:
            if system != baseline and {(system, task.name), (baseline, task.name)} <= answered.keys():
                ours, theirs = answered[system, task.name], answered[baseline, task.name]
                for metric in task.scoring.metrics:
                    if metric.compared:
                        one = metric.difference(ours.scores, theirs.scores, ours.clusters, how)
                        found += [(system, task, metric, one)] if one.n else []
    judged = judge([one.difference for *_, one in found], [metric.less_is_better for _, _, metric, _ in found])
    return [
        Comparison(system, baseline, task.name, metric.name, n=one.n, **judgement.figures())
        for (system, task, metric, one), judgement in zip(found, judged, strict=True)
    ]
