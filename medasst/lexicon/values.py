"""Numbers that a rule can use: age, weight, temperature, duration … How they are told is a table of the rulebook."""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from medasst.lexicon.sieve import Sieve
from medasst.rulebook import Quantity, Rulebook, ValueRow

__all__ = ["Quantity", "Value", "Values", "number"]

_BEFORE = 10  # characters before a number that say what it is of
_DIGITS = {c: float(n) for n, c in enumerate("零一二三四五六七八九")} | {"〇": 0.0, "两": 2.0, "俩": 2.0, "仨": 3.0, "半": 0.5}


class Value(NamedTuple):
    """A quantity told in a text: `number` in the unit of its name, `start:end` in the text that was read."""

    quantity: Quantity
    number: float
    start: int
    end: int


class _Way(NamedTuple):
    """A row of the table, ready to be tried."""

    row: ValueRow
    pattern: re.Pattern[str]
    not_before: re.Pattern[str] | None
    needs_before: re.Pattern[str] | None


class Values:
    """Finds the quantities of a rulebook."""

    def __init__(self, book: Rulebook) -> None:
        self._some = book.words_for_some
        ways = [
            _Way(row, re.compile(row.pattern, re.VERBOSE), _compiled(row.not_before), _compiled(row.needs_before))
            for row in book.values
        ]
        self._ways = Sieve((way.pattern, way) for way in ways)

    def find(self, text: str) -> Iterator[Value]:
        """Every quantity in a plain text (see `script.plain`), row by row; of those that overlap the first row's counts."""
        taken: list[tuple[int, int]] = []
        for pattern, way in self._ways.among(text):
            for match in pattern.finditer(text):
                given = {name.rstrip("0123456789"): what for name, what in match.groupdict().items() if what is not None}
                end = match.start("often") if "often" in given else match.end()
                if _free(taken, match.start(), end) and _stands(way, match) and not ("often" in given and given["n"] in "一1"):
                    insort(taken, (match.start(), end))
                    yield from self._told(way.row, given, match.start(), end)

    def _told(self, row: ValueRow, given: Mapping[str, str], start: int, end: int) -> Iterator[Value]:
        amount = self._amount(row, given)
        if tenths := given.get("tenths"):
            amount += 0.5 if tenths == "半" else number(tenths) / 10
        if months := given.get("months"):
            amount += number(months)
        yield Value(row.quantity, amount, start, end)
        if row.second is not None:
            yield Value(row.second, number(given["second"]), start, end)

    def _amount(self, row: ValueRow, given: Mapping[str, str]) -> float:
        if row.fixed is not None:
            return row.fixed
        if "word" in given:
            return row.words[given["word"]]
        amount = self._number(given["n"]) + (0.5 if "half" in given else 0.0)
        return amount * row.factor * row.units.get(given.get("unit", ""), 1.0) + row.plus

    def _number(self, text: str) -> float:
        """A number, or a word for some: 十几 is thirteen, and of neighbours (三四天) the first counts."""
        if text in self._some:
            return self._some[text]
        if len(text) == 2 and text.replace("两", "二") in "一二三四五六七八九":
            text = text[0]
        return number(text.rstrip("多来几")) + (3.0 if text.endswith("十几") else 0.0)


def _compiled(pattern: str) -> re.Pattern[str] | None:
    return re.compile(pattern, re.VERBOSE) if pattern else None


def _stands(way: _Way, match: re.Match[str]) -> bool:
    """Whether what stands before a number is as its row wants it."""
    place = next((match.start(name) for name in match.groupdict() if name[0] == "n" and match[name]), match.start())
    if way.not_before is not None and way.not_before.search(match.string[max(0, match.start() - _BEFORE) : place]):
        return False
    if way.needs_before is None or match.string == match[0]:
        return True
    return way.needs_before.search(match.string[max(0, match.start() - _BEFORE) : match.start()]) is not None


def _free(taken: list[tuple[int, int]], start: int, end: int) -> bool:
    """Whether nothing of this stretch is taken; `taken` is in order and without overlaps."""
    place = bisect_left(taken, (end, end))
    return place == 0 or taken[place - 1][1] <= start


def number(text: str) -> float:
    """12, 十二, 二十五, 一百八十, 两, 半."""
    try:
        return float(text)
    except ValueError:
        pass
    if text == "半":
        return 0.5
    total = 0.0
    hundreds, hundred, rest = text.partition("百")
    if hundred:
        total += 100 * _DIGITS.get(hundreds, 1.0)
        text = rest.lstrip("零〇")
        if len(text) == 1 and rest and rest[0] not in "零〇" and text != "十":  # 一百八 is 180
            return total + 10 * _DIGITS.get(text, 0.0)
    tens, ten, ones = text.partition("十")
    if ten:
        return total + 10 * _DIGITS.get(tens[-1:] or "一", 1.0) + (_DIGITS.get(ones[:1], 0.0) if ones else 0.0)
    if len(text) > 1 and all(char in _DIGITS for char in text):  # 三八 (度)
        return total + float("".join(str(int(_DIGITS[char])) for char in text))
    return total + _DIGITS.get(text[-1:], 0.0)
