"""What an evaluation found, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from medasst.evaluation.ask import protocol
from medasst.evaluation.config import EvaluateConfig
from medasst.evaluation.measure import AllAnswered, Bootstrap, Comparison, Result, compare, results, unsupported
from medasst.evaluation.tasks import Task
from medasst.models import Decoding


@dataclass(frozen=True, slots=True)
class TaskSummary:
    """What a task asked: `n` items of `available`, and which were no items of it.

    `ties` counts, by system, the questions where several options scored best; `chance` is what guessing gets, in percent.
    """

    name: str
    kind: str
    protocol: str
    source: str
    n: int
    available: int
    left_out: int
    repeated: int
    chance: float | None
    ties: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EvalReport:
    """What `report.json` holds."""

    results: tuple[Result, ...]
    comparisons: tuple[Comparison, ...]
    tasks: tuple[TaskSummary, ...]
    baseline: str
    decoding: Decoding
    seed: int
    resamples: int

    def value(self, system: str, task: str, metric: str) -> float | None:
        """One figure. Raises KeyError where there is no such row."""
        for row in self.results:
            if (row.system, row.task, row.metric) == (system, task, metric):
                return row.value
        raise KeyError((system, task, metric))

    def summary(self) -> str:
        """A line a task: ROUGE-L or accuracy of each system, and which differ from the baseline."""
        note = f"* differs from {self.baseline}: the 95 % interval of the paired difference excludes 0"
        return "\n".join([*map(self._line, self.tasks), note])

    def _line(self, task: TaskSummary) -> str:
        metric, label = ("accuracy", "accuracy") if task.kind == "choice" else ("rouge_l", "ROUGE-L")
        rows = [row for row in self.results if row.task == task.name and row.metric == metric and row.value is not None]
        differs = {c.system for c in self.comparisons if c.task == task.name and c.metric == metric and c.excludes_zero}
        figures = ", ".join(f"{row.system} {row.value:.1f}{'*' if row.system in differs else ''}" for row in rows)
        return f"{task.name} ({task.n}): {label} {figures or 'not supported by any engine'}"


def build_report(
    config: EvaluateConfig, names: Sequence[str], baseline: str, tasks: Sequence[Task], answered: AllAnswered
) -> EvalReport:
    """Rows, comparisons and task summaries of everything that was answered by the systems of these `names`."""
    how = Bootstrap(config.resamples, config.seed)
    rows: list[Result] = []
    comparisons: list[Comparison] = []
    for task in tasks:
        name, way = task.config.name, protocol(config, task)
        for system in names:
            if (system, name) not in answered:
                rows.append(unsupported(system, task, way))
                continue
            rows += results(system, task, way, answered[system, name], how)
            if system != baseline and (baseline, name) in answered:
                comparisons += compare(system, baseline, name, answered, how)
    summaries = tuple(_summary(task, protocol(config, task), answered) for task in tasks)
    return EvalReport(tuple(rows), tuple(comparisons), summaries, baseline, config.decoding, config.seed, config.resamples)


def _summary(task: Task, way: str, answered: AllAnswered) -> TaskSummary:
    config = task.config
    ties = {
        system: sum(score["tie"] > 0 for score in found.scores)
        for (system, name), found in answered.items()
        if name == config.name and config.kind == "choice"
    }
    source = config.source or config.recipe or config.name
    return TaskSummary(
        config.name, config.kind, way, source, len(task.items), task.available, task.left_out, task.repeated, task.chance, ties
    )
