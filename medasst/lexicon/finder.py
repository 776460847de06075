"""Names in a text: one automaton over all of them, of overlapping ones the leftmost and longest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Generic, NamedTuple, TypeVar

from ahocorasick_rs import AhoCorasick, Implementation, MatchKind

T = TypeVar("T")
_LATIN = re.compile("[A-Za-z]{2}")


class Hit(NamedTuple, Generic[T]):
    """A name found and what it stands for; `start` and `end` in the text that was searched."""

    start: int
    end: int
    name: str
    value: T


class Finder(Generic[T]):
    """Finds names in time proportional to the text, however many there are.

    Args:
        names: name → what it stands for.
        overlapping: whether names inside of others are found too.
    """

    def __init__(self, names: Mapping[str, T] | Iterable[tuple[str, T]], overlapping: bool = False) -> None:
        table = dict(names)
        table.pop("", None)
        self._names, self._values = list(table), list(table.values())
        self._overlapping = overlapping
        kind = MatchKind.Standard if overlapping else MatchKind.LeftmostLongest
        self._automaton = AhoCorasick(self._names, matchkind=kind, implementation=Implementation.ContiguousNFA)

    def find(self, text: str, blank_before: frozenset[int] = frozenset()) -> Iterator[Hit[T]]:
        """Each name in `text`, left to right (overlapping ones by their ends). Latin words count whole: no "no" in "now".

        Args:
            blank_before: places before which a blank was left out; Latin words end there.
        """
        latin = _LATIN.search(text) is not None
        for number, start, end in self._automaton.find_matches_as_indexes(text, overlapping=self._overlapping):
            if not latin or not any(_cuts(text, place) and place not in blank_before for place in (start, end)):
                yield Hit(start, end, self._names[number], self._values[number])


def _cuts(text: str, place: int) -> bool:
    """Whether this place lies inside a Latin word."""
    return 0 < place < len(text) and _latin(text[place - 1]) and _latin(text[place])


def _latin(char: str) -> bool:
    return char.isascii() and char.isalpha()
