"""report.html: the same figures for a person, in one file that needs no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from medasst.disk import write_text
from medasst.evaluation.measure import AllAnswered, Comparison, Result
from medasst.evaluation.report import EvalReport, TaskSummary
from medasst.evaluation.task import AnyTask, Metric

EXAMPLES = 3  # a task
_WIDTH, _LEFT, _RIGHT, _BAR, _GAP = 360, 104, 48, 16, 12  # of a chart, in its own units


class Bar(NamedTuple):
    """One system's bar, its error bar, and where they stand."""

    system: str
    colour: int
    y: float
    width: float
    low: float
    high: float
    text: str


class Group(NamedTuple):
    """The bars of one metric under its name."""

    label: str
    y: float
    bars: list[Bar]


class Chart(NamedTuple):
    """The figures of one task, drawn from 0; `chance` is where guessing stands, if it means anything."""

    height: float
    left: float
    groups: list[Group]
    ticks: list[tuple[float, str]]
    chance: float | None


class Cell(NamedTuple):
    """One figure of a table."""

    text: str
    interval: str = ""
    mark: str = ""


class Example(NamedTuple):
    """One item with what each system answered and its headline score, in percent."""

    id: str
    prompt: str
    label: str
    answers: list[tuple[str, str, float]]


class Groups(NamedTuple):
    """One system's figures for each group of the items."""

    system: str
    rows: list[tuple[str, list[Cell]]]


class Section(NamedTuple):
    """One task."""

    task: TaskSummary
    chart: Chart | None
    metrics: list[str]
    compared: list[str]
    rows: list[tuple[str, list[Cell]]]
    differences: list[tuple[str, list[Cell]]]
    groups: list[Groups]
    counts: list[Result]
    unsupported: list[str]
    examples: list[Example]


def write_page(path: Path, report: EvalReport, tasks: Sequence[AnyTask], answered: AllAnswered, *, texts: bool) -> None:
    """Write the report's page; without `texts` no question and no answer is in it."""
    sections = [
        _section(report, summary, task, _examples(report, task, answered) if texts else [])
        for summary, task in zip(report.tasks, tasks, strict=True)
    ]
    environment = Environment(loader=PackageLoader("medasst.evaluation", "."), autoescape=True, undefined=StrictUndefined)
    environment.trim_blocks = environment.lstrip_blocks = True
    page = environment.get_template("report.html").render(report=report, sections=sections, width=_WIDTH)
    write_text(path, page)


def _section(report: EvalReport, summary: TaskSummary, task: AnyTask, examples: list[Example]) -> Section:
    rows = [row for row in report.results if row.task == summary.name]
    systems = list(dict.fromkeys(row.system for row in rows))
    done = [row for row in rows if row.status == "ok"]
    metrics = {metric.name: metric for metric in task.scoring.metrics}
    found = {(row.system, row.metric): row for row in done}
    answered = [system for system in systems if any(row.system == system for row in done)]
    compared = [c for c in report.comparisons if c.task == summary.name]
    main = [metric for metric in metrics.values() if metric.compared]
    return Section(
        summary,
        _chart(found, systems, main, summary.chance) if done else None,
        list(metrics),
        [metric.name for metric in main],
        [(system, [_cell(found[system, name], metric.digits) for name, metric in metrics.items()]) for system in answered],
        [
            (system, _difference_cells(compared, system, [metric.name for metric in main]))
            for system in answered
            if any(c.system == system for c in compared)
        ],
        _groups(report, summary, answered, metrics),
        [row for row in done if row.metric == summary.headline],
        [row.system for row in rows if row.status != "ok"],
        examples,
    )


def _groups(
    report: EvalReport, summary: TaskSummary, systems: Sequence[str], metrics: Mapping[str, Metric[Any]]
) -> list[Groups]:
    found = {(row.system, row.group, row.metric): row for row in report.groups if row.task == summary.name}
    names = list(dict.fromkeys(group for _, group, _ in found))

    def cells(system: str, group: str) -> list[Cell]:
        return [_cell(found[system, group, name], metric.digits, n=True) for name, metric in metrics.items()]

    return [Groups(system, [(group, cells(system, group)) for group in names]) for system in systems if names]


def _chart(found: dict[tuple[str, str], Result], systems: list[str], metrics: list[Metric[Any]], chance: float | None) -> Chart:
    names = [metric.name for metric in metrics]
    rows = [row for (_, name), row in found.items() if name in names]
    top = max(5.0, *(row.high or 0 for row in rows), chance or 0)
    step = next(s for s in (1, 2, 5, 10, 20, 25) if top / s <= 5 or s == 25)
    scale = (_WIDTH - _LEFT - _RIGHT) / top
    groups, y = [], 0.0
    for metric in metrics:
        bars, start = [], y
        y += 18
        for colour, system in enumerate(systems):
            row = found.get((system, metric.name))
            if row and row.value is not None and row.low is not None and row.high is not None:
                low, high = (_LEFT + figure * scale for figure in (row.low, row.high))
                bars.append(Bar(system, colour % 6, y, row.value * scale, low, high, f"{row.value:.1f}"))
                y += _BAR + 4
        groups.append(Group(metric.label, start + 12, bars))
        y += _GAP
    ticks = [(_LEFT + tick * scale, str(tick)) for tick in range(0, int(top) + 1, step)]
    return Chart(y + 16, _LEFT, groups, ticks, _LEFT + chance * scale if chance is not None else None)


def _cell(row: Result, digits: int, *, n: bool = False) -> Cell:
    """The figure with its interval, and with `n` how many it is of, where that differs from cell to cell."""
    if row.value is None:
        return Cell("–")
    interval = f"{row.low:.{digits}f} to {row.high:.{digits}f}" if row.low is not None and row.high is not None else ""
    if n:
        interval = f"{interval} of {row.n}".strip()
    return Cell(f"{row.value:.{digits}f}", interval)


def _bounds(c: Comparison) -> str:
    told = f"{c.low:+.1f} to {c.high:+.1f}" if c.low is not None and c.high is not None else ""
    return told + (f"; could show {c.detectable:.1f}" if c.detectable is not None else "")


def _difference_cells(compared: Sequence[Comparison], system: str, metrics: Sequence[str]) -> list[Cell]:
    by_metric = {c.metric: c for c in compared if c.system == system}
    return [
        Cell(f"{c.difference:+.1f} {c.verdict}", _bounds(c), "clear" if c.verdict in ("better", "worse") else "open")
        if c and c.difference is not None
        else Cell("–")
        for c in map(by_metric.get, metrics)
    ]


def _examples(report: EvalReport, task: AnyTask, answered: AllAnswered) -> list[Example]:
    """The first items of the draw: chosen by the seed, not by their scores."""
    name = task.name
    headline = next(metric for metric in task.scoring.metrics if metric.name == task.scoring.headline)
    systems = [system for system in dict.fromkeys(row.system for row in report.results) if (system, name) in answered]
    return [
        Example(
            item.id,
            item.prompt,
            item.label,
            [
                (system, answered[system, name].records[i].predict, headline.of(answered[system, name].scores[i]))
                for system in systems
            ],
        )
        for i, item in enumerate(task.items[:EXAMPLES])
    ]
