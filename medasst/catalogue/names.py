"""Names inside a text: every way of writing one, the longest first."""

from __future__ import annotations

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
        values: dict[str, list[T]] = {}
        for name, value in names:
            if key := comparison_key(name):
                values.setdefault(key, []).append(value)
        self._values = {name: tuple(found) for name, found in values.items()}
        lengths: dict[str, set[int]] = {}
        for name in values:
            lengths.setdefault(name[0], set()).add(len(name))
        self._lengths = {first: sorted(found, reverse=True) for first, found in lengths.items()}

    def find(self, text: str) -> Iterator[Span[T]]:
        """Each name in `text`, left to right, without overlaps."""
        # A walk in Python, not one pattern of all names: time in proportion to the text, and other threads run in between.
        key = comparison_key(text)
        start, size = 0, len(key)
        while start < size:
            length = next((n for n in self._lengths.get(key[start], ()) if key[start : start + n] in self._values), 0)
            if length:
                name = key[start : start + length]
                yield Span(name, self._values[name], start, start + length)
            start += length or 1
