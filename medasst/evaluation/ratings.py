"""Rating sheets that came back → which system people prefer, what they say of each, and whether they agree.

Several raters judge the same items, so items count as clusters in every interval and test.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import numpy as np

from medasst.conversation import JSON
from medasst.data.files import read_rows
from medasst.disk import write_json
from medasst.errors import DataError
from medasst.evaluation.rating_sheet import SCHEMA_VERSION, Key, KeyRow, Side, key_place, marks, words
from medasst.evaluation.statistics import (
    Bootstrap,
    Verdict,
    clustered_wilson,
    finite,
    judge,
    krippendorff_alpha,
    paired_share,
)
from medasst.registry import did_you_mean

_TOLD = 20  # problems that are named at once
_MARKS = {"yes": 2, "partly": 1, "no": 0}
_SIDES = {"left": 0, "same": 1, "right": 2}

Choice = Literal["first", "second", "same"]


class _Unreadable(ValueError):
    """A cell that says nothing that can be counted, with what to do."""


class Rating(NamedTuple):
    """What one person said of one item.

    Attributes:
        side: of the better answer, as it was seen; "" where nothing was said. choice: whose it is.
        marks: yes, partly or no, by system (0, 1) and question; what was left empty isn't in it.
    """

    rater: str
    row: KeyRow
    side: Side | Literal["same", ""]
    choice: Choice | None
    marks: Mapping[tuple[int, str], str]


@dataclass(frozen=True, slots=True)
class Share:
    """How many in a hundred of `n`, with Wilson's interval; None where there are none."""

    value: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Question:
    """One question: how often each system gets a yes, second less first, and how far raters agree.

    `preferred` asks which is better: the shares are of all that said so, "same" included, and raters agree where they name
    one side.
    """

    name: str
    first: Share
    second: Share
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None
    detectable: float | None
    verdict: Verdict
    alpha: float | None


@dataclass(frozen=True, slots=True)
class RatingReport:
    """What `ratings.json` holds.

    Attributes:
        systems: the first, the second.
        raters: how many lines each filled in.
        items: that somebody judged, of `shown`; `identical` and `silent` weren't shown.
        same: ratings that hold both for equal. decided: of those that name one, how many name the second.
        left: of those that name one, how many name the one on the left: about half, if people read both.
        questions: `preferred` first, then the five.
    """

    systems: tuple[str, str]
    raters: Mapping[str, int]
    items: int
    shown: int
    identical: int
    silent: tuple[int, int]
    same: int
    decided: Share
    left: Share
    questions: tuple[Question, ...]

    def sentences(self) -> list[str]:
        """What was found, in words."""
        first, second = self.systems
        preferred = self.questions[0]
        word = {"tied": "tied", "unclear": "not clear", "better": f"{second} preferred", "worse": f"{first} preferred"}
        agree = (
            "one rater, so agreement isn't known" if len(self.raters) < 2 else f"agreement alpha {_said(preferred.alpha, 2)}"
        )
        return [
            f"{word[preferred.verdict]}: of {self.decided.n} ratings that name one, {_percent(self.decided)} name {second}; "
            f"{self.same} hold both for equal; {agree}.",
            f"{self.items} of {self.shown} items judged by {len(self.raters)} ({', '.join(self.raters)}); the one on the left "
            f"was named in {_percent(self.left)}.",
        ]


def read_ratings(sheets: Sequence[Path], key: Path | None = None, how: Bootstrap | None = None) -> RatingReport:
    """Read sheets that were filled in, one or more of the same key.

    Args:
        key: the key file; by default the one beside a sheet that fits it.
        how: of intervals where a bootstrap is needed.

    Raises:
        DataError: no key, or cells that can't be read: all are named, by line, and nothing is counted.
    """
    found = _key(sheets, key)
    reader = _Reader(found)
    try:
        ratings = [rating for sheet in sheets for rating in reader.read(sheet)]
    except OSError as error:
        raise DataError(f"can't be read: {error.strerror}; give the sheets that were filled in", error.filename) from None
    if reader.problems:
        more = len(reader.problems) - _TOLD
        told = [*reader.problems[:_TOLD], *([f"… and {more:,} more"] if more > 0 else [])]
        raise DataError("\n".join(["cells that can't be read; mend them and read again:", *told]))
    if not ratings:
        raise DataError(f"nothing is filled in; {words()['columns']['better']} says which answer is better", sheets[0])
    return _report(found, ratings, how or Bootstrap(seed=found.seed))


def write_ratings(report: RatingReport, out: Path) -> None:
    """Write `ratings.json`."""
    write_json(out, {"schema_version": SCHEMA_VERSION, **asdict(report)})


def _key(sheets: Sequence[Path], given: Path | None) -> Key:
    if given is not None:
        return _read_key(given)
    beside = [
        place for sheet in sheets for place in (key_place(sheet), *sorted(sheet.parent.glob("*.key.json"))) if place.exists()
    ]
    checks = {_cell(row.value.get(words()["columns"]["check"])) for row in _rows(sheets[0]) if isinstance(row.value, dict)}
    for place in dict.fromkeys(beside):
        key = _read_key(place)
        if checks & {row.check for row in key.rows}:
            return key
    raise DataError("no key of this sheet lies beside it; name it with --key SHEET.key.json", sheets[0])


def _read_key(path: Path) -> Key:
    try:
        told = json.loads(path.read_text("utf-8"))
        version, rows = told.pop("schema_version"), tuple(KeyRow(**row) for row in told.pop("rows"))
        key = Key(tuple(told.pop("systems")), silent=tuple(told.pop("silent")), rows=rows, **told)
    except OSError as error:
        raise DataError(f"can't be read: {error.strerror}; medasst rate wrote it beside the sheet", path) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"is no key of a sheet ({error}); medasst rate wrote it beside the sheet", path) from None
    if version != SCHEMA_VERSION:
        raise DataError(f"of another version; this MedAsst reads {SCHEMA_VERSION}", path)
    return key


def _rows(sheet: Path) -> Iterator[Any]:
    """The lines of a sheet, without its page of explanations."""
    return (row for row in read_rows(sheet) if row.part != words()["guide"])


def _cell(value: JSON) -> str:
    return "" if value is None else str(value).strip()


class _Reader:
    """Reads lines and gathers what is wrong with them."""

    def __init__(self, key: Key) -> None:
        told = words()
        self._columns: Mapping[str, str] = told["columns"]
        self._marks = marks()
        self._answers, self._choices = told["answers"], told["choices"]
        self._rows = {int(row.number): row for row in key.rows}
        self._seen: dict[tuple[str, str], str] = {}
        self.problems: list[str] = []

    def read(self, sheet: Path) -> Iterator[Rating]:
        """The lines with something filled in, without those that have a problem."""
        for row in _rows(sheet):
            place = f"{sheet.name}:{row.line}"
            try:
                if row.error or not isinstance(row.value, dict):
                    raise _Unreadable(row.error or "no line of the sheet")
                rating = self._rating({name: _cell(value) for name, value in row.value.items()}, sheet.stem, place)
            except _Unreadable as error:
                self.problems.append(f"{place}: {error}")
            else:
                if rating is not None:
                    yield rating

    def _rating(self, cells: Mapping[str, str], sheet: str, place: str) -> Rating | None:
        needed = [*(self._columns[name] for name in ("number", "check", "better", "rater")), *self._marks.values()]
        if missing := [name for name in needed if name not in cells]:
            raise _Unreadable(f"the column {missing[0]} isn't there{did_you_mean(missing[0], list(cells))}")
        row = self._row(cells)
        side = cast(Literal[Side, "same", ""], self._word(cells, self._columns["better"], self._choices))
        said = {at: self._word(cells, name, self._answers) for at, name in self._marks.items()}
        if not (side or any(said.values())):
            return None
        rater = cells[self._columns["rater"]] or sheet
        if (before := self._seen.setdefault((rater, row.number), place)) != place:
            raise _Unreadable(f"{rater} judged {row.number} in {before}, too; leave one, or name the other rater")
        found = {(_system(row, side), name): word for (side, name), word in said.items() if word}
        return Rating(rater, row, side, _whose(row, side), found)

    def _row(self, cells: Mapping[str, str]) -> KeyRow:
        number, check = cells[self._columns["number"]], cells[self._columns["check"]]
        digits = number.removesuffix(".0")  # as some programs save it
        row = self._rows.get(int(digits)) if digits.isdecimal() else None
        if row is None:
            raise _Unreadable(f"{self._columns['number']}: {number!r} isn't in the key; leave it as it was written")
        if check != row.check:
            raise _Unreadable(f"{self._columns['check']}: {check!r} is of another sheet, whose key is another; is --key right?")
        return row

    @staticmethod
    def _word(cells: Mapping[str, str], column: str, known: Mapping[str, Sequence[str]]) -> str:
        """The name of the answer in a cell, "" for an empty one."""
        said = cells[column].lower()
        for name, group in known.items():
            if said in group:
                return name
        if said:
            offered = "、".join(group[0] for group in known.values())
            raise _Unreadable(f"{column}: {cells[column]!r} is no answer; write {offered}, or nothing")
        return ""


def _system(row: KeyRow, side: Side) -> int:
    return 0 if side == row.first else 1


def _whose(row: KeyRow, side: str) -> Choice | None:
    if side in ("", "same"):
        return "same" if side else None
    return "first" if side == row.first else "second"


def _report(key: Key, ratings: Sequence[Rating], how: Bootstrap) -> RatingReport:
    raters = {name: sum(rating.rater == name for rating in ratings) for name in dict.fromkeys(r.rater for r in ratings)}
    decided = [rating for rating in ratings if rating.choice in ("first", "second")]
    clusters = [rating.row.cluster for rating in decided]
    left = [rating.side == "left" for rating in decided]
    return RatingReport(
        key.systems,
        raters,
        len({rating.row.number for rating in ratings}),
        len(key.rows),
        key.identical,
        key.silent,
        sum(rating.choice == "same" for rating in ratings),
        _share([rating.choice == "second" for rating in decided], clusters),
        _share(left, clusters),
        tuple(_questions(ratings, how)),
    )


class _Asked(NamedTuple):
    """One question as two columns of yes and no over the same ratings, and the codes that raters gave to what they judged."""

    name: str
    first: list[bool]
    second: list[bool]
    clusters: list[str]
    codes: list[tuple[str, str, int]]  # rater, what was judged, code


def _asked(ratings: Sequence[Rating]) -> Iterator[_Asked]:
    chosen = [rating for rating in ratings if rating.choice]
    yield _Asked(
        "preferred",
        [rating.choice == "first" for rating in chosen],
        [rating.choice == "second" for rating in chosen],
        [rating.row.cluster for rating in chosen],
        [(rating.rater, rating.row.number, _SIDES[rating.side]) for rating in chosen],
    )
    for name in words()["questions"]:
        both = [rating for rating in ratings if (0, name) in rating.marks and (1, name) in rating.marks]
        codes = [
            (rating.rater, f"{rating.row.number}/{system}", _MARKS[mark])
            for rating in ratings
            for (system, question), mark in rating.marks.items()
            if question == name
        ]
        first, second = ([rating.marks[system, name] == "yes" for rating in both] for system in (0, 1))
        yield _Asked(name, first, second, [rating.row.cluster for rating in both], codes)


def _questions(ratings: Sequence[Rating], how: Bootstrap) -> Iterator[Question]:
    asked = list(_asked(ratings))
    found = [paired_share(one.second, one.first, one.clusters, how).scaled(100.0) for one in asked]
    for one, judgement in zip(asked, judge(found, [False] * len(found)), strict=True):
        shares = _share(one.first, one.clusters), _share(one.second, one.clusters)
        yield Question(one.name, *shares, **judgement.figures(), alpha=_alpha(one))


def _alpha(asked: _Asked) -> float | None:
    """Codes have an order, so that partly is nearer to yes than no is."""
    raters = {name: place for place, name in enumerate(dict.fromkeys(rater for rater, _, _ in asked.codes))}
    things = {name: place for place, name in enumerate(dict.fromkeys(thing for _, thing, _ in asked.codes))}
    matrix = np.full((len(raters), len(things)), math.nan)
    for rater, thing, code in asked.codes:
        matrix[raters[rater], things[thing]] = code
    return finite(krippendorff_alpha(matrix, ordinal=True))


def _share(hits: Sequence[bool], clusters: Sequence[str]) -> Share:
    value, low, high = (finite(100.0 * figure) for figure in clustered_wilson(hits, clusters))
    return Share(value, low, high, len(hits))


def _said(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _percent(share: Share) -> str:
    return f"{_said(share.value, 0)} % [{_said(share.low, 0)}, {_said(share.high, 0)}]"
