"""Red flags: what sends a shopper to 120 or a hospital before anything else. The rules are data, in `red_flags.toml`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field

from medasst import config
from medasst.catalogue.lay import denied, past, plain
from medasst.config import Config

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
        return cls(config.load(_File, Path(__file__).with_name("red_flags.toml")).flag)

    def check(self, text: str, earlier: Sequence[str] = ()) -> list[Alarm]:
        """The alarms of the last thing a shopper said, emergencies first.

        A rule of several parts may find some of them in `earlier` turns (宝宝两个月了 … 发烧了), but one in `text`.
        """
        now, before = plain(text), plain("。".join(earlier))
        alarms = [Alarm(rule.flag, words) for rule in self._compiled if (words := _raised(rule, now, before))]
        return sorted(alarms, key=lambda alarm: alarm.flag.severity != "emergency")


def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace("~", _GAP))


def _raised(rule: _Compiled, now: str, before: str) -> str | None:
    if any(pattern.search(now) for pattern in rule.unless):
        return None
    for parts in rule.triggers:
        found = [_affirmed(part, now) for part in parts]
        if any(found) and all(here or _affirmed(part, before) for here, part in zip(found, parts, strict=True)):
            return "、".join(filter(None, found))
    return None


def _affirmed(pattern: re.Pattern[str], text: str) -> str | None:
    """The first occurrence that is neither denied nor long over."""
    for match in pattern.finditer(text):
        if not denied(text, *match.span()) and not past(text, *match.span()):
            return match[0]
    return None
