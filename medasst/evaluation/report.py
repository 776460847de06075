"""What an evaluation found, as data."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from medasst.evaluation.config import EvaluateConfig
from medasst.evaluation.measure import (
    AllAnswered,
    Comparison,
    GroupResult,
    Result,
    compare,
    group_results,
    results,
    unmeasured,
)
from medasst.evaluation.outcomes import Outcomes, outcomes
from medasst.evaluation.rows import Rows
from medasst.evaluation.seen import Seen, SeenResult, find_seen
from medasst.evaluation.statistics import Bootstrap
from medasst.evaluation.systems import System
from medasst.evaluation.task import AnyTask
from medasst.models import Decoding

SCHEMA_VERSION = 4


@dataclass(frozen=True, slots=True)
class TaskSummary:
    """What a task asked: `n` items of `available`, what became of the rows they were read from, and which were no items.

    `scoring` is the version of how answers are read and scored; `metrics` are the labels of its metrics by their names;
    `chance` is what guessing gets of the `headline`, in percent; `note`: what to know about the figures; `prompt`: all that is
    asked for the first item; `items_sha256`: over ids, prompts and references of all that is asked.
    """

    name: str
    kind: str
    protocol: str
    scoring: str
    source: str
    unit: str
    n: int
    available: int
    rows: Rows
    left_out: int
    repeated: int
    chance: float | None
    headline: str
    metrics: Mapping[str, str]
    note: str
    prompt: str
    items_sha256: str

    @classmethod
    def of(cls, task: AnyTask) -> TaskSummary:
        """The summary of a task, whoever answers it."""
        return cls(
            name=task.name,
            kind=task.kind,
            protocol=task.asking.protocol,
            scoring=task.scoring.version,
            source=task.source,
            unit=task.unit,
            n=len(task.items),
            available=task.drawn.available,
            rows=task.rows,
            left_out=task.left_out,
            repeated=task.drawn.repeated,
            chance=task.chance,
            headline=task.scoring.headline,
            metrics={metric.name: metric.label for metric in task.scoring.metrics},
            note=task.scoring.note,
            prompt=task.asking.example(task.items[0]),
            items_sha256=_sha256(task),
        )

    def without_texts(self) -> TaskSummary:
        """The summary without what stood in a row that was set aside, and without the example of what is asked."""
        bare = tuple(replace(part, detail="") for part in self.rows.set_aside)
        return replace(self, rows=replace(self.rows, set_aside=bare), prompt="")


def _sha256(task: AnyTask) -> str:
    digest = hashlib.sha256()
    for item in task.items:
        digest.update("\0".join((item.id, item.prompt, item.label, "")).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class EvalReport:
    """What `report.json` holds.

    Attributes:
        groups: the results again, for each group of a task's items.
        outcomes: what became of the answers besides their scores.
        seen: how many items stood in what a system was trained on; `seen_results`: its figures, and the baseline's, over those
            that did and over the others.
    """

    results: tuple[Result, ...]
    groups: tuple[GroupResult, ...]
    comparisons: tuple[Comparison, ...]
    tasks: tuple[TaskSummary, ...]
    baseline: str
    decoding: Decoding
    seed: int
    resamples: int
    outcomes: tuple[Outcomes, ...]
    seen: tuple[Seen, ...]
    seen_results: tuple[SeenResult, ...]

    def to_json(self) -> dict[str, Any]:
        """The report as it rests on disk."""
        return {"schema_version": SCHEMA_VERSION, **asdict(self)}

    def value(self, system: str, task: str, metric: str) -> float | None:
        """One figure. Raises KeyError where there is no such row."""
        for row in self.results:
            if (row.system, row.task, row.metric) == (system, task, metric):
                return row.value
        raise KeyError((system, task, metric))

    def summary(self) -> str:
        """A line a task: the headline figure of each system, and what may be said of its difference from the baseline."""
        note = (
            f"in brackets: against {self.baseline}, item by item, by Holm's correction over {len(self.comparisons)}; "
            "tied: the 95 % interval of the difference holds 0"
        )
        return "\n".join([*map(self._line, self.tasks), *([note] if self.comparisons else [])])

    def _line(self, task: TaskSummary) -> str:
        own = [row for row in self.results if row.task == task.name and row.metric == task.headline]
        compared = [c for c in self.comparisons if c.task == task.name and c.metric == task.headline]
        said = {c.system: f" ({c.verdict})" for c in compared}
        figures = [f"{row.system} {row.value:.1f}{said.get(row.system, '')}" for row in own if row.value is not None]
        label = task.metrics[task.headline]
        absent = [row.system for row in own if row.status == "not run"]
        figures += [f"{system} not run here" for system in absent]
        lost = f"; {task.rows.lost} of {task.rows.read} rows set aside" if task.rows.lost else ""
        return f"{task.name} ({task.n}): {label} {', '.join(figures) or 'not supported by any engine'}{lost}"


def build_report(
    config: EvaluateConfig,
    systems: Sequence[System],
    baseline: str,
    tasks: Sequence[AnyTask],
    answered: AllAnswered,
    *,
    not_run: Mapping[tuple[str, str], str],
) -> EvalReport:
    """Rows, comparisons and task summaries of everything that was answered by these systems.

    Args:
        not_run: why a system has no figure for a task that it could do, by system and task.
    """
    names = [system.name for system in systems]
    how = Bootstrap(config.resamples, config.seed)
    rows: list[Result] = []
    groups: list[GroupResult] = []
    became: list[Outcomes] = []
    for task in tasks:
        for system in names:
            if (system, task.name) not in answered:
                rows.append(unmeasured(system, task, not_run.get((system, task.name), "")))
                continue
            rows += results(system, task, answered[system, task.name], how)
            groups += group_results(system, task, answered[system, task.name], how)
            became.append(outcomes(system, task, answered[system, task.name]))
    summaries = [TaskSummary.of(task) for task in tasks]
    shown = tuple(summary if config.texts else summary.without_texts() for summary in summaries)
    decoding = config.common.decoding
    compared = tuple(compare(names, baseline, tasks, answered, how))
    seen, apart = find_seen({system.name: system.training for system in systems}, baseline, tasks, answered, how)
    return EvalReport(
        tuple(rows),
        tuple(groups),
        compared,
        shown,
        baseline,
        decoding,
        config.seed,
        config.resamples,
        tuple(became),
        tuple(seen),
        tuple(apart),
    )
