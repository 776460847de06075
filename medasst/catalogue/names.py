"""Names inside a text: every way of writing one, the longest first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Generic, NamedTuple, TypeVar

from medasst.text import comparison_key

T = TypeVar("T")


class Span(NamedTuple, Generic[T]):
    """A name found, what it stands for, and its place in the text's comparison key."""

    name: str
    values: tuple[T, ...]
    start: int
    end: int


class NameFinder(Generic[T]):
    """Finds names by containment, blind to spaces, punctuation and case; of overlapping names the longest counts.

    Args:
        names: (name, what it stands for); a name may stand for several things.
    """

    def __init__(self, names: Iterable[tuple[str, T]]) -> None:
        self._values: dict[str, list[T]] = {}
        for name, value in names:
            if key := comparison_key(name):
                self._values.setdefault(key, []).append(value)
        longest_first = sorted(self._values, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")

    def find(self, text: str) -> Iterator[Span[T]]:
        """Each name in `text`, left to right, without overlaps."""
        for match in self._pattern.finditer(comparison_key(text)):
            yield Span(match[0], tuple(self._values[match[0]]), match.start(), match.end())
