"""The order in which conversations are learnt.

Batches hold conversations of about the same length (almost no padding), and which ones they hold follows from the seed
alone: a resumed run sees what the first would have seen.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
import numpy.typing as npt

Step = list[list[int]]  # the micro-batches of one optimizer step, each a list of conversation numbers
Lengths = npt.NDArray[np.int64]  # tokens of each conversation
_Places = npt.NDArray[np.int32]
_Borders = npt.NDArray[np.int64]  # where parts begin, and the end of the last
_WINDOW = 2048  # conversations that are sorted by length together


@dataclass(frozen=True, eq=False)
class Schedule(Sequence[Step]):
    """Every optimizer step of a run, in order. At rest it is three arrays: lists of millions would take gigabytes.

    Attributes:
        tokens: of all steps, padding not counted.
        places: numbers of conversations in the order in which they are learnt, (conversations of all epochs,).
        batches: borders of micro-batches in `places`, (micro-batches + 1,).
        steps: borders of steps in `batches`, (steps + 1,).
    """

    tokens: int
    places: _Places
    batches: _Borders
    steps: _Borders

    def __len__(self) -> int:
        return len(self.steps) - 1

    @overload
    def __getitem__(self, at: int) -> Step: ...

    @overload
    def __getitem__(self, at: slice) -> list[Step]: ...

    def __getitem__(self, at: int | slice) -> Step | list[Step]:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        first, last = self.steps[:-1][at], self.steps[1:][at]
        return _as_lists(self.places, self.batches[first : last + 1])


def schedule(
    lengths: Lengths,
    *,
    batch_tokens: int,
    micro_tokens: int,
    epochs: float,
    max_tokens: int | None,
    seed: int,
) -> Schedule:
    """Every optimizer step of a run, in order.

    An epoch is shuffled, cut into windows, sorted by length inside each window and cut into micro-batches of at most
    `micro_tokens` including padding (one conversation at least); these are shuffled again, so that a step sees all lengths,
    and as many as fill `batch_tokens` make a step. The run ends after `epochs` passes, or with the step that reaches
    `max_tokens` tokens.
    """
    passes: list[tuple[_Places, _Borders, _Borders]] = []
    tokens = 0
    left = epochs
    for epoch in itertools.count():
        rng = random.Random(f"{seed}/{epoch}")
        order = _shuffled(len(lengths), rng)[: round(len(lengths) * min(left, 1.0))]
        places, batches = _mixed(*_bucketed(order, lengths, min(micro_tokens, batch_tokens)), rng)
        steps = _steps(lengths, places, batches, batch_tokens)
        reached = tokens + np.cumsum(lengths[places])[batches[steps[1:]] - 1]  # with each step
        if over := max_tokens is not None and len(reached) > 0 and int(reached[-1]) >= max_tokens:
            taken = 1 + int(np.searchsorted(reached, max_tokens))
            steps, reached = steps[: taken + 1], reached[:taken]
        passes.append((places, batches, steps))
        tokens = int(reached[-1]) if len(reached) else tokens
        left -= 1.0
        if over or left <= 1e-9 or not len(places):
            break
    return Schedule(
        tokens,
        np.concatenate([places for places, _, _ in passes]),
        _chained([batches for _, batches, _ in passes]),
        _chained([steps for _, _, steps in passes]),
    )


def bucketed(order: Sequence[int], lengths: Lengths, batch_tokens: int) -> list[list[int]]:
    """Batches of near lengths, made within windows of `order`; none fills more than `batch_tokens`, padding counted,
    but for a conversation that is longer alone."""
    return _as_lists(*_bucketed(np.array(order, np.int32), lengths, batch_tokens))


def _shuffled(count: int, rng: random.Random) -> _Places:
    numbers = list(range(count))
    rng.shuffle(numbers)
    return np.array(numbers, np.int32)


def _bucketed(order: _Places, lengths: Lengths, batch_tokens: int) -> tuple[_Places, _Borders]:
    places = order[np.lexsort((order, lengths[order], np.arange(len(order)) // _WINDOW))]
    starts: list[int] = []
    start = 0
    for at, length in enumerate(lengths[places].tolist()):
        if at % _WINDOW == 0 or length * (at - start + 1) > batch_tokens:
            starts.append(at)
            start = at
    return places, np.array([*starts, len(places)], np.int64)


def _mixed(places: _Places, batches: _Borders, rng: random.Random) -> tuple[_Places, _Borders]:
    """The same batches in another order."""
    order = _shuffled(len(batches) - 1, rng)
    starts, sizes = batches[:-1][order], np.diff(batches)[order]
    mixed = np.concatenate([[0], np.cumsum(sizes)])
    return places[np.repeat(starts - mixed[:-1], sizes) + np.arange(len(places))], mixed


def _steps(lengths: Lengths, places: _Places, batches: _Borders, batch_tokens: int) -> _Borders:
    longest = lengths[places[batches[1:] - 1]]  # batches are sorted by length
    starts: list[int] = []
    filled = 0
    for at, size in enumerate((longest * np.diff(batches)).tolist()):
        if not starts or filled + size > batch_tokens:
            starts.append(at)
            filled = 0
        filled += size
    return np.array([*starts, len(batches) - 1], np.int64)


def _chained(parts: Sequence[_Borders]) -> _Borders:
    """Borders of parts that come one after another."""
    ends = np.cumsum([0, *(part[-1] for part in parts)])
    return np.concatenate([[0], *(part[1:] + end for part, end in zip(parts, ends, strict=False))])


def _as_lists(places: _Places, borders: _Borders) -> list[list[int]]:
    return [places[start:end].tolist() for start, end in itertools.pairwise(borders)]
