"""A blind sheet: answers of two systems side by side, in random order, for people to judge; a key file tells whose they are."""

from __future__ import annotations

import csv
import hashlib
import json
import random
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import xlsxwriter

from medasst.disk import package_file, write_json, written_whole
from medasst.errors import ConfigError, InputError
from medasst.evaluation.finished import Answer, Finished
from medasst.registry import did_you_mean

SCHEMA_VERSION = 1
_LONGEST = 32_000  # characters of a cell; Excel takes 32,767
_FORMULA = ("=", "+", "-", "@", "\t")  # a cell of CSV that begins so is computed by Excel

Side = Literal["left", "right"]


@cache
def words() -> Mapping[str, Any]:
    """The table of what the sheet says."""
    return tomllib.loads(package_file("evaluation/rating.toml").read_text("utf-8"))


def marks() -> dict[tuple[Side, str], str]:
    """The headings of the columns of the five questions, by side and question."""
    told = words()
    sides: tuple[Side, ...] = ("left", "right")
    return {(side, name): f"{told['sides'][side]} {asked}" for side in sides for name, asked in told["questions"].items()}


@dataclass(frozen=True, slots=True)
class KeyRow:
    """Whose answers a line of the sheet shows. `first`: the side of the first system's; `check`: of the line's texts."""

    number: str
    check: str
    task: str
    item: str
    cluster: str
    first: Side


@dataclass(frozen=True, slots=True)
class Key:
    """What the key file holds.

    Attributes:
        systems: the first, the second.
        common: items that both answered. identical: those with the same answer, not shown.
        silent: those where the first, or the second, failed or said nothing; not shown.
    """

    systems: tuple[str, str]
    seed: int
    common: int
    identical: int
    silent: tuple[int, int]
    rows: tuple[KeyRow, ...]

    def summary(self) -> str:
        """Some lines for the command line."""
        quiet = ", ".join(f"{name} {count}" for name, count in zip(self.systems, self.silent, strict=True))
        return (
            f"{len(self.rows)} of {self.common} common items of {self.systems[0]} and {self.systems[1]}, in random order; "
            f"not shown: {self.identical} with identical answers, failed or empty ones ({quiet})"
        )


class _Line(NamedTuple):
    number: str
    question: str
    left: str
    right: str

    @property
    def check(self) -> str:
        return hashlib.sha256(json.dumps(self, ensure_ascii=False).encode()).hexdigest()[:8]


def write_sheet(
    folders: Sequence[Path],
    out: Path,
    *,
    systems: tuple[str, str] | None = None,
    tasks: Sequence[str] = (),
    limit: int = 60,
    seed: int = 7,
) -> Key:
    """Write the sheet, and its key to `key_place(out)`.

    Args:
        folders: one evaluation with two systems, or two evaluations.
        out: a workbook, or CSV by its ending.
        systems: whose answers; by default the only ones there are.
        tasks: of these tasks; by default of all that are answered in words.
        limit: lines at most. seed: which items, in what order, whose answer is on which side.

    Raises:
        DataError: a folder holds no finished evaluation.
        ConfigError: systems or tasks that aren't there, another ending.
        InputError: nothing to judge.
    """
    if out.suffix not in (".xlsx", ".csv"):
        raise ConfigError(f"{out}: a sheet is a workbook or CSV; let its name end with .xlsx or .csv")
    first, second = _sources(folders, systems)
    pairs = [(task, a, b) for task in _tasks(first.report, second.report, tasks) for a, b in _common(first, second, task)]
    shown = [pair for pair in pairs if _worth_judging(*pair[1:])]
    if not shown:
        raise InputError(f"nothing to judge: {len(pairs)} items in common, all with identical, failed or empty answers")
    shown.sort(key=lambda pair: hashlib.sha256(f"{seed}:{pair[0]}:{pair[1].id}".encode()).digest())
    del shown[limit:]
    lines, rows = [], []
    for number, ((task, a, b), side) in enumerate(zip(shown, _sides(len(shown), seed), strict=True), 1):
        left, right = (a, b) if side == "left" else (b, a)
        line = _Line(f"{number:03}", a.prompt.removesuffix("助手：").rstrip(), left.predict, right.predict)
        lines.append(line)
        rows.append(KeyRow(line.number, line.check, task, a.id, f"{task}:{a.cluster}", side))
    named = (first.name, second.name) if first.name != second.name else (f"A {first.name}", f"B {second.name}")
    silent = (sum(_silent(a) for _, a, _ in pairs), sum(_silent(b) for _, _, b in pairs))
    identical = sum(a.predict == b.predict and not _silent(a) for _, a, b in pairs)
    key = Key(named, seed, len(pairs), identical, silent, tuple(rows))
    write_json(key_place(out), {"schema_version": SCHEMA_VERSION, **asdict(key)})
    with written_whole(out) as unfinished:
        (_write_csv if out.suffix == ".csv" else _write_workbook)(lines, unfinished)
    return key


def _sides(count: int, seed: int) -> list[Side]:
    """The first system's sides: half of them each, so that whoever favours a side favours neither system."""
    sides: list[Side] = ["left", "right"] * (count // 2 + 1)
    del sides[count:]
    random.Random(seed).shuffle(sides)
    return sides


def key_place(sheet: Path) -> Path:
    """Where the key of a sheet lies."""
    return sheet.with_suffix(".key.json")


class _Source(NamedTuple):
    """One system's answers."""

    report: Finished
    name: str


def _sources(folders: Sequence[Path], systems: tuple[str, str] | None) -> tuple[_Source, _Source]:
    if len(folders) > 2:
        raise ConfigError(f"a sheet shows two systems side by side; give one or two folders, not {len(folders)}")
    reports = [Finished.read(folder) for folder in folders]
    sides = reports * 2 if len(reports) == 1 else reports
    if systems is None:
        found = reports[0].systems if len(reports) == 1 else tuple(report.systems[0] for report in reports)
        if len(found) != 2 or (len(reports) == 2 and any(len(report.systems) > 1 for report in reports)):
            known = "; ".join(", ".join(report.systems) for report in reports)
            raise ConfigError(f"which two systems? Name them with --systems ONE OTHER; there are {known}")
        systems = (found[0], found[1])
    for report, name in zip(sides, systems, strict=True):
        if name not in report.systems:
            raise ConfigError(f"{report.folder} has no system {name!r}{did_you_mean(name, report.systems)}")
    return _Source(sides[0], systems[0]), _Source(sides[1], systems[1])


def _tasks(a: Finished, b: Finished, wanted: Sequence[str]) -> list[str]:
    """Tasks of both whose answers are words."""
    known = [name for name, task in a.tasks.items() if name in b.tasks and task["kind"] != "choice"]
    for name in wanted:
        if name not in known:
            raise ConfigError(f"no task {name!r} that both answer in words{did_you_mean(name, known)}")
    return list(wanted) or known


def _common(first: _Source, second: _Source, task: str) -> list[tuple[Answer, Answer]]:
    if not (first.report.answered(first.name, task) and second.report.answered(second.name, task)):
        return []
    ours, theirs = first.report.answers(first.name, task), second.report.answers(second.name, task)
    return [(a, theirs[name]) for name, a in ours.items() if name in theirs and theirs[name].prompt == a.prompt]


def _silent(answer: Answer) -> bool:
    return answer.outcome == "error" or not answer.predict.strip()


def _worth_judging(a: Answer, b: Answer) -> bool:
    return a.predict != b.predict and not _silent(a) and not _silent(b)


def _headings() -> list[str]:
    columns = words()["columns"]
    shown = [columns[name] for name in ("number", "check", "question", "left", "right")]
    return [*shown, *marks().values(), *(columns[name] for name in ("better", "rater", "note"))]


def _shown(line: _Line) -> list[str]:
    return [line.number, line.check, *map(_short, (line.question, line.left, line.right))]


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + words()["cut"].format(count=len(text) - _LONGEST)


def _write_csv(lines: Iterable[_Line], path: Path) -> None:
    blank = [""] * (len(_headings()) - 5)
    with path.open("w", encoding="utf-8-sig", newline="") as file:  # the mark tells Excel that it is UTF-8
        writer = csv.writer(file)
        writer.writerow(_headings())
        writer.writerows([*(f" {c}" if c.startswith(_FORMULA) else c for c in _shown(line)), *blank] for line in lines)


def _write_workbook(lines: Sequence[_Line], path: Path) -> None:
    told = words()
    with xlsxwriter.Workbook(str(path)) as book:
        text = book.add_format({"text_wrap": True, "valign": "top"})
        fill = book.add_format({"text_wrap": True, "valign": "top", "bg_color": "#FFF8E1", "num_format": "@", "border": 7})
        head = book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bg_color": "#E3F2FD", "bottom": 1})
        guide = book.add_worksheet(told["guide"])
        guide.set_column(0, 0, 110)
        for number, said in enumerate((told["title"], *told["lines"])):
            guide.write_string(number, 0, said, text if number else head)
        page = book.add_worksheet(told["page"])
        headings = _headings()
        for place, name in enumerate(headings):
            page.write_string(0, place, name, head)
        for place, width in enumerate((6, 10, 34, 50, 50, *[7] * (len(headings) - 7), 10, 20)):
            page.set_column(place, place, width)
        for row, line in enumerate(lines, 1):
            for place, said in enumerate(_shown(line)):
                page.write_string(row, place, said, text)
            for place in range(5, len(headings)):
                page.write_blank(row, place, None, fill)
        page.freeze_panes(1, 1)
        _offer(page.data_validation, headings, len(lines))


def _offer(validate: Callable[..., Any], headings: Sequence[str], rows: int) -> None:
    """Lists to choose from, where a word of a list is asked for."""
    told, asked = words(), set(marks().values())
    for place, name in enumerate(headings):
        group = told["answers"] if name in asked else told["choices"] if name == told["columns"]["better"] else None
        if group:
            offered = [said[0] for said in group.values()]
            validate(1, place, rows, place, {"validate": "list", "source": offered, "ignore_blank": True})
