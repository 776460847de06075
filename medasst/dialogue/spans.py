"""Places of a text, asked what overlaps them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate


class Spans:
    """Spans `start:end`, in any order; each question takes logarithmic time."""

    def __init__(self, spans: Iterable[tuple[int, int]]) -> None:
        self._spans = sorted(spans)
        self._starts = [start for start, _ in self._spans]
        self._reach = list(accumulate((end for _, end in self._spans), max))

    def overlap(self, start: int, end: int) -> bool:
        """Whether one of them overlaps `start:end`."""
        before = bisect_left(self._starts, end)
        return before > 0 and self._reach[before - 1] > start
