"""Products in our own replies, and which of them a turn speaks of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from medasst.lexicon.finder import Finder
from medasst.lexicon.script import plain
from medasst.lexicon.values import number
from medasst.rulebook import Talk


class Shown(NamedTuple):
    """A product that one of our replies names.

    Attributes:
        turn: the user turn (from 0) that the reply answers; -1: before the first.
        number: its place among those that the reply names, from 1.
    """

    name: str
    turn: int
    number: int


class ProductNames:
    """A catalogue's product names, ready to be found in a text; build it once for a catalogue.

    Args:
        names: the names as replies write them.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._finder = Finder({plain(name).text: name for name in names})

    def find(self, text: str) -> list[str]:
        """The names in a text, each once, in order."""
        return list(dict.fromkeys(hit.value for hit in self._finder.find(plain(text).text)))


class References:
    """Reads 第二个, 最后那种, 刚才那个 by the wordings of the rulebook."""

    def __init__(self, say: Talk) -> None:
        self._nth, self._last, self._first = (
            re.compile(say.nth, re.VERBOSE),
            re.compile(say.last_one, re.VERBOSE),
            re.compile(say.first_one, re.VERBOSE),
        )
        self._that, self._both = re.compile(say.that_one, re.VERBOSE), re.compile(say.both, re.VERBOSE)

    def read(self, said: str, shown: Sequence[Shown]) -> tuple[str, ...]:
        """Which of the products of our last reply that named any a plain text speaks of; none where that is open."""
        last = [one.name for one in shown if one.turn == shown[-1].turn]
        if not last:
            return ()
        named = [int(number(match["n"])) for match in self._nth.finditer(said)]
        if chosen := [last[place - 1] for place in named if 1 <= place <= len(last)]:
            return tuple(dict.fromkeys(chosen))
        if self._last.search(said):
            return (last[-1],)
        if self._first.search(said):
            return (last[0],)
        if self._both.search(said):
            return tuple(last)
        return (last[0],) if len(last) == 1 and self._that.search(said) else ()
