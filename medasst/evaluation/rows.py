"""What became of the rows that a task read, and what to advise where none is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from medasst.data.recipes import Bad

_ADVICE = {
    "no_answer": "a test part whose answers aren't published looks like this; take a part that has them",
    "bad_answer": "if another field holds the answer, name it with a mapping",
    "ambiguous_answer": "make letters of them in a copy of the file",
    "bad_options": "if other fields hold the options, name them with a mapping",
    "missing_field": "name the fields with a mapping",
    "no_field": "benchmarks/suites/README.md says what a vignette holds",
    "no_question": "if another field holds the question, name it with a mapping",
}


@dataclass(frozen=True, slots=True)
class SetAside:
    """Rows set aside for one reason, and where the first of them stands. `detail` says what was wrong with that one."""

    reason: str
    count: int
    file: str
    line: int
    detail: str


@dataclass(frozen=True, slots=True)
class Rows:
    """How many rows were read, and which of them were set aside, the most frequent reason first."""

    read: int
    set_aside: tuple[SetAside, ...] = ()

    @property
    def lost(self) -> int:
        """How many were set aside."""
        return sum(part.count for part in self.set_aside)

    def advice(self) -> str:
        """Why no row is left, and what to do about it."""
        if not self.read:
            return "no row was read; check the path"
        first = self.set_aside[0]
        counts = ", ".join(f"{part.reason} {part.count}" for part in self.set_aside)
        told = f"all {self.lost} rows were set aside ({counts}; the first: {first.file}:{first.line}: {first.detail})"
        return "; ".join([told, *([_ADVICE[first.reason]] if first.reason in _ADVICE else [])])


class RowCount:
    """Counts rows while they are read."""

    def __init__(self) -> None:
        self.good = 0
        self._bad: dict[str, SetAside] = {}

    def bad(self, row: Bad) -> None:
        """Take a row that a reader sets aside."""
        first = SetAside(row.reason, 0, row.file, row.line, row.text.partition("\n")[0])
        known = self._bad.get(row.reason, first)
        self._bad[row.reason] = replace(known, count=known.count + 1)

    def total(self) -> Rows:
        """The count so far."""
        bad: Mapping[str, SetAside] = self._bad
        order = sorted(bad.values(), key=lambda part: (-part.count, part.reason))
        return Rows(self.good + sum(part.count for part in order), tuple(order))
