"""Red flags: what sends a shopper to 120 or a hospital before anything else. The rules are data, in `red_flags.toml`."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from functools import cache, cached_property
from itertools import accumulate
from typing import Literal, NamedTuple

from pydantic import Field

from medasst import config
from medasst.catalogue.lay import affirmed, blocks, plain
from medasst.config import Config
from medasst.disk import package_file

_GAP = "[^，。！？；、,.!?;不没无]{0,4}"


class RedFlag(Config):
    """One rule; the meaning of its fields stands at the top of `red_flags.toml`."""

    id: str
    version: str
    severity: Literal["emergency", "urgent"]
    title: str
    triggers: tuple[str | tuple[str, ...], ...] = Field(min_length=1)
    unless: tuple[str, ...] = ()
    message: str
    source: str
    positive: tuple[str, ...] = Field(min_length=5)
    negative: tuple[str, ...] = Field(min_length=5)
    closing: bool = True


class _File(Config):
    flag: tuple[RedFlag, ...]


class Alarm(NamedTuple):
    """A red flag that is raised, and the words that raised it."""

    flag: RedFlag
    words: str


class _Compiled(NamedTuple):
    flag: RedFlag
    triggers: tuple[tuple[re.Pattern[str], ...], ...]
    unless: tuple[re.Pattern[str], ...]


class RedFlags:
    """The rules, ready to run."""

    def __init__(self, flags: Sequence[RedFlag]) -> None:
        self.flags = tuple(flags)
        self._compiled = [
            _Compiled(
                flag,
                tuple(tuple(map(_compile, (t,) if isinstance(t, str) else t)) for t in flag.triggers),
                tuple(map(_compile, flag.unless)),
            )
            for flag in flags
        ]

    @classmethod
    @cache
    def load(cls) -> RedFlags:
        """The rules of this package."""
        return cls(config.load(_File, package_file("safety/red_flags.toml")).flag)

    def check(self, text: str, earlier: Sequence[str] = ()) -> list[Alarm]:
        """The alarms of the last thing a shopper said, emergencies first.

        A rule of several parts may find some of them in `earlier` turns (宝宝两个月了 … 发烧了), but one in `text`.
        """
        now, before = plain(text), _Before(earlier)
        alarms = [alarm for rule in self._compiled if (alarm := _raised(rule, now, before, len(earlier)))]
        return sorted(alarms, key=lambda alarm: alarm.flag.severity != "emergency")

    def emergencies(self, turns: Sequence[str]) -> list[RedFlag]:
        """The emergencies that any of these turns raised, in the order in which they were told."""
        found: dict[str, RedFlag] = {}
        before = _Before(turns)
        for place, turn in enumerate(turns):
            now = plain(turn)
            for rule in self._compiled:
                # What was raised once is known: each rule reads on only until then.
                if rule.flag.severity == "emergency" and rule.flag.id not in found and _raised(rule, now, before, place):
                    found[rule.flag.id] = rule.flag
        return list(found.values())


class _Before:
    """Earlier turns, in which a part of a rule is looked for at most once.

    Turns are read joined, as far as `blocks` joins them, so that words may follow one another over the end of a turn.
    """

    def __init__(self, turns: Sequence[str]) -> None:
        self._turns = turns
        self._told: dict[re.Pattern[str], int] = {}

    def tells(self, part: re.Pattern[str], place: int) -> bool:
        """Whether a turn before `place` affirms `part`."""
        if part not in self._told:
            self._told[part] = self._first(part)
        return self._told[part] < place

    @cached_property
    def _blocks(self) -> list[tuple[list[int], str]]:
        """Each block with the places in it where its turns end, by the number of turns."""
        return [
            (list(accumulate(len(turn) + 1 for turn in block)), "。".join(block))
            for block in blocks(list(map(plain, self._turns)))
        ]

    def _first(self, part: re.Pattern[str]) -> int:
        """The turn in which `part` is affirmed first, past the last one where none does."""
        gone = 0
        for ends, text in self._blocks:
            if (match := affirmed(part, text, now=True)) is not None:
                return gone + bisect_left(ends, match.end())
            gone += len(ends)
        return gone


def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace("~", _GAP))


def _raised(rule: _Compiled, now: str, before: _Before, place: int) -> Alarm | None:
    """The alarm of turn `place`, whose `plain` text is `now`."""
    if any(pattern.search(now) for pattern in rule.unless):
        return None
    for parts in rule.triggers:
        found = [affirmed(part, now, now=True) for part in parts]
        if any(found) and all(here or before.tells(part, place) for here, part in zip(found, parts, strict=True)):
            return Alarm(rule.flag, "、".join(match[0] for match in found if match))
    return None
