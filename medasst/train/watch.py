"""What a person would want to be told while a run goes on: that it goes wrong. Pure rules over figures as they come."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SMOOTH = 0.9  # how much of the moving average stays at each step
_SETTLED = 20  # steps before which a loss may still jump about
_RISE, _SHARE = 0.5, 0.25  # nats, and share of the lowest, by which the average loss has to exceed it
_LOOKS, _WORSE = 3, 1.005  # validations in a row, each worse than the best by this factor
_FEWER = 0.5  # share of the answers that ended before


class Average:
    """Exponential moving average, corrected for its start (Kingma & Ba 2015, section 3)."""

    def __init__(self, keep: float = SMOOTH) -> None:
        self.keep, self._total, self._left = keep, 0.0, 1.0

    def add(self, value: float) -> float:
        """The average with one more value."""
        self._total = self.keep * self._total + (1 - self.keep) * value
        self._left *= self.keep
        return self._total / (1 - self._left)


@dataclass
class Watch:
    """Fed with the rows of `metrics.jsonl`; a warning comes once, and again only after things were well in between."""

    _average: Average = field(default_factory=Average)
    _lowest: float = math.inf
    _diverged: bool = False
    _best: float = math.inf
    _best_step: int = 0
    _worse: int = 0
    _ended: float = 0.0
    _endless: bool = False

    def read(self, row: Mapping[str, Any]) -> str | None:
        """What is to be told after this row."""
        if "loss" in row:
            return self._loss(int(row["step"]), float(row["loss"]))
        if "ended" in row:
            return self._answers(float(row["ended"]))
        if row.get("validation_loss") is not None:
            return self._validation(int(row["step"]), float(row["validation_loss"]))
        return None

    def _loss(self, step: int, loss: float) -> str | None:
        average = self._average.add(loss)
        self._lowest = min(self._lowest, average)
        before, high = self._diverged, self._lowest + max(_RISE, _SHARE * self._lowest)
        self._diverged = step > _SETTLED and average > high
        if self._diverged and not before:
            return (
                f"the loss diverges: {average:.3f} on average, after {self._lowest:.3f}; lower learning_rate or lengthen warmup"
            )
        return None

    def _validation(self, step: int, loss: float) -> str | None:
        if loss < self._best:
            self._best, self._best_step, self._worse = loss, step, 0
            return None
        self._worse = self._worse + 1 if loss > self._best * _WORSE else 0
        if self._worse == _LOOKS:
            return (
                f"the validation loss rises: {loss:.3f}, after {self._best:.3f} at step {self._best_step}: the model "
                "learns the training set by heart; fewer epochs, a lower learning_rate, or patience to end such a run early"
            )
        return None

    def _answers(self, share: float) -> str | None:
        before, self._endless = self._endless, share < _FEWER * self._ended
        self._ended = max(self._ended, share)
        if self._endless and not before:
            return f"answers stop ending: {share:.0%} of the samples do, {self._ended:.0%} did before; read samples.jsonl"
        return None
