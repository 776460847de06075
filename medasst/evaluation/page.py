"""report.html: the same figures for a person, in one file that needs no network."""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from medasst.disk import write_text
from medasst.evaluation.measure import AllAnswered, Comparison, Result
from medasst.evaluation.outcomes import Outcomes
from medasst.evaluation.report import EvalReport, TaskSummary
from medasst.evaluation.seen import Part
from medasst.evaluation.task import AnyTask, Metric
from medasst.evaluation.words import metric_word, note_word, say, unit_word

EXAMPLES = 3  # a task
CHANGED = 3  # items of most gain, and of most loss, a system
_OUTCOMES = ("n", "truncated", "failed", "unparsed", "empty", "refused", "identical")
_MANY = 0.05  # of the answers: so many cut off, failed or alike are told on the first screen
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

    label: Markup
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

    text: str | Markup
    interval: str | Markup = ""
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


class Changed(NamedTuple):
    """Items on which a system differs most from the baseline, one way."""

    title: Markup
    examples: list[Example]


class First(NamedTuple):
    """The first screen: what was found and what wasn't, in words, and every system's main figures."""

    found: list[Markup]
    open: list[Markup]
    overview: list[tuple[str, list[Cell]]]


class Section(NamedTuple):
    """One task."""

    task: TaskSummary
    chart: Chart | None
    metrics: list[str]
    compared: list[str]
    rows: list[tuple[str, list[Cell]]]
    differences: list[tuple[str, list[Cell]]]
    groups: list[Groups]
    outcomes: list[tuple[str, list[Cell]]]
    apart: list[tuple[Markup, list[Cell]]]
    lengths: list[tuple[str | Markup, list[Cell]]]
    absent: list[Markup]
    changed: list[Changed]
    examples: list[Example]


def write_page(
    path: Path,
    report: EvalReport,
    tasks: Sequence[AnyTask],
    answered: AllAnswered,
    *,
    facts: Mapping[str, Any],
    texts: bool,
) -> None:
    """Write the report's page; `facts` are those of run.json. Without `texts` no question and no answer is in it."""
    sections = [
        _section(report, summary, task, answered, texts=texts) for summary, task in zip(report.tasks, tasks, strict=True)
    ]
    environment = Environment(loader=PackageLoader("medasst.evaluation", "."), autoescape=True, undefined=StrictUndefined)
    environment.trim_blocks = environment.lstrip_blocks = True
    words = {"t": say, "metric": metric_word, "unit": unit_word, "note": note_word}
    page = environment.get_template("report.html").render(
        report=report, first=_first(report), sections=sections, facts=facts, width=_WIDTH, **words
    )
    write_text(path, page)


def _first(report: EvalReport) -> First:
    found: list[Markup] = []
    unsure: list[Markup] = []
    for task in report.tasks:
        verdicts = {c.system: c for c in report.comparisons if c.task == task.name and c.metric == task.headline}
        rows = {row.system: row for row in report.results if row.task == task.name and row.metric == task.headline}
        for system, row in rows.items():
            if row.value is None or (system == report.baseline and verdicts):
                continue
            told: dict[str, Any] = {"task": task.name, "system": system, "metric": metric_word(task, task.headline), "n": row.n}
            told |= {"value": _figure(row.value), "low": _figure(row.low), "high": _figure(row.high)}
            if (c := verdicts.get(system)) is None or c.difference is None:
                found.append(say("alone", **told))
                continue
            told |= {"baseline": report.baseline, "base": _figure(rows[report.baseline].value), "n": c.n}
            told |= {"difference": f"{abs(c.difference):.1f}", "low": f"{c.low or 0:+.1f}", "high": f"{c.high or 0:+.1f}"}
            told |= {"detectable": _figure(c.detectable), "count": len(report.comparisons)}
            (found if c.verdict in ("better", "worse") else unsure).append(say(c.verdict, **told))
    if not any(row.value is not None for row in report.results):
        found.append(say("nothing_run"))
    elif report.comparisons and not any(c.verdict in ("better", "worse") for c in report.comparisons):
        found.append(say("no_difference", baseline=report.baseline))
    return First(found, [*unsure, *_not_known(report)], _overview(report))


def _not_known(report: EvalReport) -> Iterator[Markup]:
    for system, why in dict.fromkeys((row.system, row.why) for row in report.results if row.status == "not run"):
        yield say("not_run", system=system, why=why)
    for row in report.results:
        if row.status == "unsupported":
            yield say("unsupported", task=row.task, system=row.system)
    for one in report.seen:
        if one.seen is not None:
            yield say("seen" if one.seen else "seen_none", task=one.task, system=one.system, n=one.n, seen=one.seen)
    if unknown := list(dict.fromkeys(one.system for one in report.seen if one.seen is None)):
        yield say("seen_unknown", systems=", ".join(unknown))
    for became in report.outcomes:
        counts = {kind: getattr(became, kind) or 0 for kind in _OUTCOMES[1:]}
        many = [Markup("{} {}").format(say(f"o_{kind}"), n) for kind, n in counts.items() if n > _MANY * became.n]
        if many:
            yield say("many", task=became.task, system=became.system, n=became.n, what=Markup(", ").join(many))


def _overview(report: EvalReport) -> list[tuple[str, list[Cell]]]:
    main = {task.name: task.headline for task in report.tasks}
    rows = {(row.system, row.task): row for row in report.results if row.metric == main[row.task]}
    verdicts = {(c.system, c.task): c.verdict for c in report.comparisons if c.metric == main[c.task]}
    systems = dict.fromkeys(system for system, _ in rows)
    return [
        (system, [_overview_cell(rows.get((system, task)), verdicts.get((system, task), "")) for task in main])
        for system in systems
    ]


def _overview_cell(row: Result | None, verdict: str) -> Cell:
    if row is None:
        return Cell("–")
    if row.status != "ok":
        return Cell(say("not_run_short" if row.status == "not run" else "unsupported_short"))
    cell = _cell(row, 1)
    if not verdict:
        return cell
    return Cell(
        cell.text,
        Markup("{} · {}").format(cell.interval, say(f"v_{verdict}")),
        "clear" if verdict in ("better", "worse") else "open",
    )


def _section(report: EvalReport, summary: TaskSummary, task: AnyTask, answered: AllAnswered, *, texts: bool) -> Section:
    rows = [row for row in report.results if row.task == summary.name]
    systems = list(dict.fromkeys(row.system for row in rows))
    done = [row for row in rows if row.status == "ok"]
    metrics = {metric.name: metric for metric in task.scoring.metrics}
    found = {(row.system, row.metric): row for row in done}
    able = [system for system in systems if any(row.system == system for row in done)]
    compared = [c for c in report.comparisons if c.task == summary.name]
    main = [metric for metric in metrics.values() if metric.compared]
    return Section(
        summary,
        _chart(found, systems, main, summary) if done else None,
        list(metrics),
        [metric.name for metric in main],
        [(system, [_cell(found[system, name], metric.digits) for name, metric in metrics.items()]) for system in able],
        [
            (system, _difference_cells(compared, system, [metric.name for metric in main]))
            for system in able
            if any(c.system == system for c in compared)
        ],
        _groups(report, summary, able, metrics),
        [(one.system, _outcome_cells(one)) for one in report.outcomes if one.task == summary.name],
        _apart(report, summary, metrics),
        _lengths(task, able, answered),
        [
            say("not_run", system=row.system, why=row.why)
            if row.status == "not run"
            else say("unsupported", task=row.task, system=row.system)
            for row in rows
            if row.status != "ok"
        ],
        list(_changed(report, task, answered)) if texts else [],
        _examples(report, task, answered) if texts else [],
    )


def _outcome_cells(one: Outcomes) -> list[Cell]:
    return [Cell("–" if (count := getattr(one, name)) is None else str(count)) for name in _OUTCOMES]


def _apart(report: EvalReport, summary: TaskSummary, metrics: Mapping[str, Metric[Any]]) -> list[tuple[Markup, list[Cell]]]:
    """The figures over what was seen in training and what wasn't."""
    found: dict[tuple[str, str, Part], dict[str, Result]] = {}
    for row in report.seen_results:
        if row.task == summary.name:
            found.setdefault((row.system, row.training, row.part), {})[row.metric] = row
    return [
        (
            say("apart_row" if part == "seen" else "apart_row_un", system=system, training=training),
            [_cell(rows[name], metric.digits, n=True) for name, metric in metrics.items()],
        )
        for (system, training, part), rows in found.items()
    ]


def _lengths(task: AnyTask, systems: Sequence[str], answered: AllAnswered) -> list[tuple[str | Markup, list[Cell]]]:
    """The characters of what is written, beside the references', where answers are like references."""
    if task.kind != "qa":
        return []
    rows: list[tuple[str | Markup, list[Cell]]] = [
        (say("reference"), _quantiles(array("q", (len(i.label) for i in task.items))))
    ]
    for system in systems:
        sizes = array("q", (len(task.asking.written(record) or "") for record in answered[system, task.name].records))
        rows.append((system, _quantiles(sizes)))
    return rows


def _quantiles(sizes: Sequence[int]) -> list[Cell]:
    return [Cell(f"{figure:.0f}") for figure in np.percentile(sizes, (10, 50, 90))]


def _changed(report: EvalReport, task: AnyTask, answered: AllAnswered) -> Iterator[Changed]:
    """For each system the items on which it gains most on the baseline by the headline metric, and loses most."""
    headline = next(metric for metric in task.scoring.metrics if metric.name == task.scoring.headline)
    sign = -1 if headline.less_is_better else 1
    base = answered.get((report.baseline, task.name))
    for system in dict.fromkeys(c.system for c in report.comparisons if c.task == task.name):
        ours = answered[system, task.name]
        if base is None:
            continue
        both_in = (headline.among(a) and headline.among(b) for a, b in zip(ours.scores, base.scores, strict=True))
        gains = [
            (sign * (headline.of(ours.scores[i]) - headline.of(base.scores[i])), -i) for i, own in enumerate(both_in) if own
        ]
        for key, way, most in (("gained", 1, heapq.nlargest), ("lost", -1, heapq.nsmallest)):
            places = [-i for gain, i in most(CHANGED, gains) if way * gain > 0]
            if places:
                title = say(key, system=system, baseline=report.baseline)
                yield Changed(title, [_example(task, i, [report.baseline, system], answered) for i in places])


def _groups(
    report: EvalReport, summary: TaskSummary, systems: Sequence[str], metrics: Mapping[str, Metric[Any]]
) -> list[Groups]:
    found = {(row.system, row.group, row.metric): row for row in report.groups if row.task == summary.name}
    names = list(dict.fromkeys(group for _, group, _ in found))

    def cells(system: str, group: str) -> list[Cell]:
        return [_cell(found[system, group, name], metric.digits, n=True) for name, metric in metrics.items()]

    return [Groups(system, [(group, cells(system, group)) for group in names]) for system in systems if names]


def _chart(found: dict[tuple[str, str], Result], systems: list[str], metrics: list[Metric[Any]], task: TaskSummary) -> Chart:
    chance = task.chance
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
        groups.append(Group(metric_word(task, metric.name, "tspan"), start + 12, bars))
        y += _GAP
    ticks = [(_LEFT + tick * scale, str(tick)) for tick in range(0, int(top) + 1, step)]
    return Chart(y + 16, _LEFT, groups, ticks, _LEFT + chance * scale if chance is not None else None)


def _cell(row: Result, digits: int, *, n: bool = False) -> Cell:
    """The figure with its interval, and with `n` how many it is of, where that differs from cell to cell."""
    if row.value is None:
        return Cell("–")
    interval = f"{row.low:.{digits}f} … {row.high:.{digits}f}" if row.low is not None and row.high is not None else ""
    if n:
        return Cell(f"{row.value:.{digits}f}", Markup("{}; {}").format(interval, say("n_of", n=row.n)))
    return Cell(f"{row.value:.{digits}f}", interval)


def _bounds(c: Comparison) -> Markup:
    told = f"{c.low:+.1f} … {c.high:+.1f}" if c.low is not None and c.high is not None else ""
    if c.detectable is None:
        return Markup("{}").format(told)
    return Markup("{}; {} {}").format(told, say("could_show"), f"{c.detectable:.1f}")


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _difference_cells(compared: Sequence[Comparison], system: str, metrics: Sequence[str]) -> list[Cell]:
    by_metric = {c.metric: c for c in compared if c.system == system}
    return [
        Cell(
            Markup("{} {}").format(f"{c.difference:+.1f}", say(f"v_{c.verdict}")),
            _bounds(c),
            "clear" if c.verdict in ("better", "worse") else "open",
        )
        if c and c.difference is not None
        else Cell("–")
        for c in map(by_metric.get, metrics)
    ]


def _examples(report: EvalReport, task: AnyTask, answered: AllAnswered) -> list[Example]:
    """The first items of the draw: chosen by the seed, not by their scores."""
    systems = [s for s in dict.fromkeys(row.system for row in report.results) if (s, task.name) in answered]
    return [_example(task, place, systems, answered) for place in range(min(EXAMPLES, len(task.items)))] if systems else []


def _example(task: AnyTask, place: int, systems: Sequence[str], answered: AllAnswered) -> Example:
    headline = next(metric for metric in task.scoring.metrics if metric.name == task.scoring.headline)
    item = task.items[place]
    told = []
    for system in systems:
        own = answered[system, task.name]
        record = own.records[place]
        told.append((system, task.asking.written(record) or record.predict, headline.of(own.scores[place])))
    return Example(item.id, item.prompt, item.label, told)
