"""Two reports against each other: by how much they differ, item by item, and what else differs between them.

Figures of another protocol or another way of scoring stand beside each other and are not subtracted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from jinja2 import Environment, PackageLoader, StrictUndefined

from medasst.disk import write_json, write_text
from medasst.errors import ConfigError
from medasst.evaluation.finished import Answer, Finished
from medasst.evaluation.statistics import Bootstrap, Verdict, finite, judge
from medasst.evaluation.task import KINDS, Differing, Metric
from medasst.registry import did_you_mean

SCHEMA_VERSION = 1
_NAMED = 5  # items named on either side
_Place = tuple[str, tuple[str, str], str]  # task, systems, metric
_MODEL = frozenset({"base", "adapter", "data", "guard", "of", "model", "replies"})
_ENGINE = frozenset({"engine", "choice_engine", "url"})

Status = Literal["compared", "another protocol", "another scoring", "no common items", "not answered"]
About = Literal[
    "items", "prompts", "references", "protocol", "extraction", "engine", "model", "decoding", "settings", "versions"
]


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that differs besides the figures; `tasks` where it does, none if it is the report's."""

    about: About
    what: str
    a: str
    b: str
    tasks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric of one task for a pair of systems, in percent where the metric is a share or a score.

    Attributes:
        a, b: over the common items; over each report's own where nothing is subtracted.
        difference: b - a, with its interval, tests and verdict; None where nothing is subtracted.
        more, less, equal: items on which b is above a, below, level.
    """

    task: str
    metric: str
    label: str
    digits: int
    a: float | None
    b: float | None
    n: int
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_holm: float | None = None
    detectable: float | None = None
    verdict: Verdict | None = None
    more: int = 0
    less: int = 0
    equal: int = 0


@dataclass(frozen=True, slots=True)
class TaskComparison:
    """One task of both reports.

    Attributes:
        systems: the name in A, the name in B.
        common, only_a, only_b: items. same_answers: common ones with the same answer, letter by letter.
        gained, lost: ids of the common items where b is most above a, and most below, by the headline metric.
        note: what to know about the figures.
    """

    task: str
    systems: tuple[str, str]
    status: Status
    headline: str
    note: str
    common: int
    only_a: int
    only_b: int
    same_answers: int
    gained: tuple[str, ...]
    lost: tuple[str, ...]
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class ReportComparison:
    """What `compare.json` holds. `only_a`, `only_b`: tasks and systems of one report alone."""

    a: str
    b: str
    tasks: tuple[TaskComparison, ...]
    reasons: tuple[Reason, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    comparisons: int
    resamples: int

    def sentences(self) -> list[str]:
        """What was found, in words: a line a task, then what else differs."""
        return [*map(_sentence, self.tasks), *self._differing()]

    def _differing(self) -> Iterator[str]:
        about = list(dict.fromkeys(reason.about for reason in self.reasons))
        yield f"Besides the figures they differ in: {', '.join(about)}." if about else "Nothing else that is recorded differs."
        for name, alone in (("A", self.only_a), ("B", self.only_b)):
            if alone:
                yield f"Only in {name}: {', '.join(alone)}."


def compare_reports(a: Path, b: Path, systems: tuple[str, str] | None = None) -> ReportComparison:
    """Compare what two evaluations found, B against A.

    Args:
        a, b: folders that `evaluate` wrote; the same one twice for two of its systems.
        systems: the system in A and the one in B; by default those of one name, or the only ones.

    Raises:
        DataError: a folder holds no finished evaluation, or files of it are missing.
        ConfigError: no such system, none in common, or no common task.
    """
    before, after = Finished.read(a), Finished.read(b)
    pairs = _pairs(before, after, systems)
    tasks = [name for name in before.tasks if name in after.tasks]
    if not tasks:
        known = f"A has {', '.join(before.tasks)}; B has {', '.join(after.tasks)}"
        raise ConfigError(f"the reports have no task in common: {known}. Tasks are matched by their names")
    how = Bootstrap(before.report["resamples"], before.report["seed"])
    matches = [_Match(before, after, pair, task) for pair in pairs for task in tasks]
    found = [(match, metric, match.difference(metric, how)) for match in matches for metric in match.compared]
    tested = [(match, metric, one) for match, metric, one in found if one.n]
    judged = judge([one.difference for *_, one in tested], [metric.less_is_better for _, metric, _ in tested])
    told = {
        (match.task, match.systems, metric.name): judgement.figures()
        for (match, metric, _), judgement in zip(tested, judged, strict=True)
    }
    return ReportComparison(
        str(a),
        str(b),
        tuple(match.summary(how, told) for match in matches),
        tuple(_merged([*_whole(before, after), *(reason for match in matches for reason in match.reasons())])),
        _alone(before, after, [pair[0] for pair in pairs], tasks),
        _alone(after, before, [pair[1] for pair in pairs], tasks),
        len(tested),
        how.resamples,
    )


def write_comparison(found: ReportComparison, out: Path) -> Path:
    """Write `compare.json` and `compare.html`, which needs no network, into `out`; returns the page's place."""
    write_json(out / "compare.json", {"schema_version": SCHEMA_VERSION, **asdict(found)})
    environment = Environment(loader=PackageLoader("medasst.evaluation", "."), autoescape=True, undefined=StrictUndefined)
    environment.trim_blocks = environment.lstrip_blocks = True
    write_text(out / "compare.html", environment.get_template("compare.html").render(found=found))
    return out / "compare.html"


class _Match:
    """One task of both reports for one pair of systems."""

    def __init__(self, a: Finished, b: Finished, systems: tuple[str, str], task: str) -> None:
        self.a, self.b, self.systems, self.task = a, b, systems, task
        self._scoring = KINDS[a.tasks[task]["kind"]].scoring
        both = a.answered(systems[0], task) and b.answered(systems[1], task)
        self._ours = a.answers(systems[0], task) if a.answered(systems[0], task) else {}
        self._theirs = b.answers(systems[1], task) if b.answered(systems[1], task) else {}
        self._shared = [name for name in self._ours if name in self._theirs]
        # An item whose reference changed is another item.
        self.pairs = [p for p in map(self._pair, self._shared) if p[0].label == p[1].label]
        self.status: Status = "compared" if both else "not answered"
        if both:
            for status, key in (("another protocol", "protocol"), ("another scoring", "scoring")):
                if a.tasks[task][key] != b.tasks[task][key]:
                    self.status = status  # type: ignore[assignment]
                    break
            else:
                self.status = "compared" if self.pairs else "no common items"

    def _pair(self, name: str) -> tuple[Answer, Answer]:
        return self._ours[name], self._theirs[name]

    @property
    def compared(self) -> list[Metric[Any]]:
        """The metrics that are subtracted."""
        return [metric for metric in self._scoring.metrics if metric.compared] if self.status == "compared" else []

    def difference(self, metric: Metric[Any], how: Bootstrap) -> Differing:
        """B less A."""
        a, b = ([pair[side].scores for pair in self.pairs] for side in (0, 1))
        return metric.difference(b, a, [pair[0].cluster for pair in self.pairs], how)

    def summary(self, how: Bootstrap, tested: Mapping[_Place, Mapping[str, Any]]) -> TaskComparison:
        """The figures, with what was `tested` of them."""
        headline = next(m for m in self._scoring.metrics if m.name == self._scoring.headline)
        gains = sorted((headline.of(b.scores) - headline.of(a.scores), a.id) for a, b in self.pairs)
        gains = gains if self.status == "compared" else []
        return TaskComparison(
            self.task,
            self.systems,
            self.status,
            headline.name,
            self._scoring.note,
            len(self.pairs),
            len(self._ours) - len(self.pairs),
            len(self._theirs) - len(self.pairs),
            sum(a.predict == b.predict for a, b in self.pairs),
            tuple(name for gain, name in reversed(gains[-_NAMED:]) if gain > 0),
            tuple(name for gain, name in gains[:_NAMED] if gain < 0),
            tuple(
                self._figure(metric, how, tested.get((self.task, self.systems, metric.name), {}))
                for metric in self._scoring.metrics
            ),
        )

    def _figure(self, metric: Metric[Any], how: Bootstrap, tested: Mapping[str, Any]) -> Figure:
        common = self.status == "compared"
        ours = [pair[0] for pair in self.pairs] if common else list(self._ours.values())
        theirs = [pair[1] for pair in self.pairs] if common else list(self._theirs.values())
        a, b = (metric.measure([x.scores for x in s], [x.cluster for x in s], how) for s in (ours, theirs))
        both = [(metric.of(x.scores), metric.of(y.scores)) for x, y in self.pairs if common and self._among(metric, x, y)]
        return Figure(
            self.task,
            metric.name,
            metric.label,
            metric.digits,
            finite(a.interval.value),
            finite(b.interval.value),
            len(both) if common else 0,
            **tested,
            more=sum(y > x for x, y in both),
            less=sum(y < x for x, y in both),
            equal=sum(y == x for x, y in both),
        )

    @staticmethod
    def _among(metric: Metric[Any], a: Answer, b: Answer) -> bool:
        return metric.among(a.scores) and metric.among(b.scores)

    def reasons(self) -> Iterator[Reason]:
        """What differs between the two besides the figures."""
        one = (self.task,)
        a, b = self.a.tasks[self.task], self.b.tasks[self.task]
        if len(self._shared) < max(len(self._ours), len(self._theirs)):
            yield Reason("items", "items", f"{len(self._ours)} items", f"{len(self._theirs)} items", one)
        changed = [(x, y) for x, y in map(self._pair, self._shared) if x.label != y.label]
        if changed:
            yield Reason("references", "items with another reference", "", f"{len(changed)} of {len(self._shared)}", one)
        asked = sum(x.prompt != y.prompt for x, y in self.pairs)
        if asked:
            yield Reason("prompts", "items asked in other words", "", f"{asked} of {len(self.pairs)}", one)
        if a["protocol"] != b["protocol"]:
            yield Reason("protocol", "protocol", a["protocol"], b["protocol"], one)
        if a["scoring"] != b["scoring"]:
            yield Reason("extraction", "how answers are read and scored", a["scoring"], b["scoring"], one)
        ours, theirs = self.a.depends_on(self.systems[0], self.task), self.b.depends_on(self.systems[1], self.task)
        if not (ours and theirs):
            noted, other = ("noted" if side else "not noted" for side in (ours, theirs))
            yield Reason("model", "what the answers depended on", noted, other, one)
            return
        for key, x, y in _changed(ours, theirs):
            top = key.partition(".")[0]
            about: About = "engine" if top in _ENGINE else "model" if top in _MODEL else "settings"
            yield Reason(about, key, x, y, one)


def _pairs(a: Finished, b: Finished, systems: tuple[str, str] | None) -> list[tuple[str, str]]:
    if systems is not None:
        for name, side, found in zip(systems, "AB", (a, b), strict=True):
            if name not in found.systems:
                raise ConfigError(f"{side} has no system {name!r}{did_you_mean(name, found.systems)}")
        return [systems]
    if a.folder.resolve() == b.folder.resolve():
        raise ConfigError("that is one report; name two of its systems: --systems " + " ".join(a.systems[:2]))
    common = [name for name in a.systems if name in b.systems]
    if common:
        return [(name, name) for name in common]
    if len(a.systems) == len(b.systems) == 1:
        return [(a.systems[0], b.systems[0])]
    known = f"A has {', '.join(a.systems)}; B has {', '.join(b.systems)}"
    raise ConfigError(f"no system of one name in both: {known}. Say which: --systems {a.systems[0]} {b.systems[0]}")


def _whole(a: Finished, b: Finished) -> Iterator[Reason]:
    """What differs between the reports as a whole."""
    for key, x, y in _changed(a.report["decoding"], b.report["decoding"]):
        yield Reason("decoding", key, x, y)
    for key in ("seed", "limit"):
        x, y = a.facts["settings"].get(key), b.facts["settings"].get(key)
        if x != y:
            yield Reason("items", f"{key} of the draw", _said(x), _said(y))
    for key, x, y in _changed(a.facts["versions"], b.facts["versions"]):
        yield Reason("versions", key, x, y)


def _changed(a: Mapping[str, Any], b: Mapping[str, Any], inside: str = "") -> Iterator[tuple[str, str, str]]:
    """The keys whose values differ, those of tables by their path."""
    for key in sorted({*a, *b}):
        x, y = a.get(key), b.get(key)
        if isinstance(x, Mapping) and isinstance(y, Mapping):
            yield from _changed(x, y, f"{inside}{key}.")
        elif x != y:
            yield f"{inside}{key}", _said(x), _said(y)


def _said(value: Any) -> str:
    return "–" if value is None else str(value)


def _merged(reasons: Sequence[Reason]) -> Iterator[Reason]:
    """Each reason once, with all of its tasks."""
    tasks: dict[tuple[About, str, str, str], dict[str, None]] = {}
    for reason in reasons:
        tasks.setdefault((reason.about, reason.what, reason.a, reason.b), {}).update(dict.fromkeys(reason.tasks))
    for (about, what, a, b), where in tasks.items():
        yield Reason(about, what, a, b, tuple(where))


def _alone(one: Finished, other: Finished, compared: Sequence[str], tasks: Sequence[str]) -> tuple[str, ...]:
    same = one.folder.resolve() == other.folder.resolve()
    systems = [] if same else [f"system {name}" for name in one.systems if name not in compared]
    return (*(f"task {name}" for name in one.tasks if name not in tasks), *systems)


def _sentence(found: TaskComparison) -> str:
    a, b = found.systems
    names = a if a == b else f"{b} against {a}"
    if found.status != "compared":
        why = {
            "another protocol": "asked by another protocol, so the figures stand beside each other and aren't subtracted",
            "another scoring": "scored by another version, so nothing is subtracted; evaluate again into the older folder",
            "no common items": "no item in common, so nothing is subtracted",
            "not answered": "one of the engines can't be asked so",
        }[found.status]
        return f"{found.task}, {names}: {why}."
    told = [_told(figure) for figure in found.figures if figure.verdict is not None]
    alone = f"; left out: {found.only_a} items of A alone, {found.only_b} of B alone" if found.only_a or found.only_b else ""
    same = f"; {found.same_answers} answers are the same letter by letter" if found.same_answers else ""
    return f"{found.task}, {names}, {found.common} items: {', '.join(told)}{same}{alone}."


def _told(figure: Figure) -> str:
    change = "" if figure.difference is None else f"{figure.difference:+.{figure.digits}f}"
    could = "" if figure.detectable is None else f"{figure.n} items could show {figure.detectable:.{figure.digits}f}"
    told = [change, could] if figure.verdict in ("tied", "unclear") else [change]
    return f"{figure.label} {figure.verdict} ({'; '.join(filter(None, told))})"
