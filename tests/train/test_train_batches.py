"""The order of learning: what the page says of it, and the same as plain lists would have."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medasst.train.batches import Step, bucketed, schedule


@settings(deadline=None, max_examples=50)
@given(
    lengths=st.lists(st.integers(1, 200), min_size=1, max_size=60),
    batch_tokens=st.integers(1, 500),
    micro_tokens=st.integers(1, 500),
    epochs=st.sampled_from([1, 2, 3]),
    seed=st.integers(0, 9),
)
def test_schedule_takes_every_conversation_once_an_epoch(
    lengths: list[int], batch_tokens: int, micro_tokens: int, epochs: int, seed: int
) -> None:
    sizes = np.array(lengths)
    given = {"batch_tokens": batch_tokens, "micro_tokens": micro_tokens, "epochs": epochs, "seed": seed}
    steps = list(schedule(sizes, max_tokens=None, **given))
    assert sorted(i for step in steps for batch in step for i in batch) == sorted(list(range(len(lengths))) * epochs)
    for step in steps:
        filled = [int(sizes[batch].max()) * len(batch) for batch in step]
        assert len(step) == 1 or sum(filled) <= batch_tokens
        assert all(len(b) == 1 or size <= min(micro_tokens, batch_tokens) for b, size in zip(step, filled, strict=True))
    assert steps == list(schedule(sizes, max_tokens=None, **given))
    cut = list(schedule(sizes, max_tokens=100, **given))
    assert cut == steps[: len(cut)]

    def tokens(steps: list[Step]) -> int:
        return sum(int(sizes[batch].sum()) for step in steps for batch in step)

    assert len(cut) == len(steps) or tokens(cut) >= 100 > tokens(cut[:-1])


@pytest.mark.parametrize("epochs", [0.4, 1, 2.5])
@pytest.mark.parametrize("max_tokens", [None, 1, 300_000])
def test_the_order_is_that_of_plain_lists(epochs: float, max_tokens: int | None) -> None:
    lengths = np.random.default_rng(3).integers(8, 400, 5000)
    found = schedule(lengths, batch_tokens=2048, micro_tokens=700, epochs=epochs, max_tokens=max_tokens, seed=7)
    expected = by_lists(lengths.tolist(), epochs, max_tokens)
    assert list(found) == expected and found[-1] == expected[-1] and found[1:3] == expected[1:3]
    assert found.tokens == sum(int(lengths[batch].sum()) for step in expected for batch in step)
    with pytest.raises(IndexError):
        found[len(found)]


def by_lists(lengths: Sequence[int], epochs: float, max_tokens: int | None) -> list[Step]:
    steps: list[Step] = []
    tokens = 0
    for epoch in range(10):
        rng = random.Random(f"7/{epoch}")
        order = list(range(len(lengths)))
        rng.shuffle(order)
        batches: list[list[int]] = []
        order = order[: round(len(order) * min(epochs - epoch, 1.0))]
        for start in range(0, len(order), 2048):
            batches.append([])
            for place in sorted(order[start : start + 2048], key=lambda i: (lengths[i], i)):
                if batches[-1] and lengths[place] * (len(batches[-1]) + 1) > 700:
                    batches.append([])
                batches[-1].append(place)
        rng.shuffle(batches)
        step: Step = []
        for batch in [*batches, []]:
            if not batch or sum(lengths[b[-1]] * len(b) for b in [*step, batch]) > 2048:
                steps.append(step)
                tokens += sum(lengths[i] for b in step for i in b)
                if max_tokens is not None and tokens >= max_tokens:
                    return steps
                step = []
            step.append(batch)
        if epoch + 1 >= epochs:
            break
    return steps


def test_batches_of_nothing_and_in_windows() -> None:
    assert bucketed([], np.zeros(0, np.int64), 100) == []
    assert bucketed([2, 0, 1], np.array([30, 20, 300]), 100) == [[1, 0], [2]]
