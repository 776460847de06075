"""One optimizer step over its micro-batches, and the loss without one. Knows a model and tokens; no files, no clock.

The loss of a step is the mean over all its answer tokens, however they are spread over micro-batches: each micro-batch adds
its summed loss, and the gradient is divided once, at the end. (Means of micro-batches, averaged, would count a token more
the fewer stand beside it.)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from peft import PeftModel
from torch import Tensor

from medasst.train.config import TrainConfig
from medasst.train.loss import answer_losses
from medasst.train.tokens import TokenSet


class NotFiniteError(ArithmeticError):
    """A loss or a gradient is no number any more; nothing was learnt from the batch.

    Args:
        what: "loss" or "gradient's norm".
        value: NaN or an infinity.
        places: the conversations at fault, or all of the step where that can't be told.
    """

    def __init__(self, what: str, value: float, places: list[int]) -> None:
        super().__init__(f"the {what} is {value}")
        self.what, self.value, self.places = what, value, places


class SourceLoss(NamedTuple):
    """Mean loss of one source's answer tokens, and how many there were."""

    loss: float
    answer_tokens: int


@dataclass(frozen=True)
class Losses:
    """What was measured of some conversations.

    Attributes:
        places: their numbers in the token set, (conversations,).
        sums: summed loss of each, in nats, (conversations,).
        counts: answer tokens of each, (conversations,).
    """

    places: npt.NDArray[np.int64]
    sums: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]

    @property
    def answer_tokens(self) -> int:
        """All of them."""
        return int(self.counts.sum())

    @property
    def mean(self) -> float:
        """Nats per answer token."""
        return float(self.sums.sum()) / max(self.answer_tokens, 1)

    def by_source(self, tokens: TokenSet) -> dict[str, SourceLoss]:
        """The mean of each data source that is among them."""
        of = tokens.source[self.places]
        sums, counts = np.bincount(of, self.sums), np.bincount(of, self.counts).astype(int)
        return {tokens.sources[i]: SourceLoss(float(sums[i] / counts[i]), int(counts[i])) for i in np.flatnonzero(counts)}


@dataclass(frozen=True)
class StepResult:
    """What one optimizer step came to: its losses, the gradient's norm before clipping, tokens with and without padding."""

    losses: Losses
    norm: float
    tokens: int
    padded: int


@dataclass(frozen=True)
class Batch:
    """Conversations side by side, padded on the right with 0; `attention` is None where nothing is padded."""

    places: Sequence[int]
    ids: Tensor
    attention: Tensor | None
    answers: Tensor
    counts: npt.NDArray[np.int64]
    tokens: int

    @classmethod
    def of(cls, tokens: TokenSet, places: Sequence[int], device: torch.device) -> Batch:
        """Put conversations of a token set side by side."""
        rows = [tokens[i] for i in places]
        lengths = np.array([len(row.ids) for row in rows])
        ids = np.zeros((len(rows), lengths.max()), np.int64)
        answers = np.zeros(ids.shape, np.bool_)
        for i, row in enumerate(rows):
            ids[i, : lengths[i]] = row.ids
            answers[i, : lengths[i]] = row.mask
        attention = np.arange(ids.shape[1]) < lengths[:, None]
        return cls(
            places,
            torch.from_numpy(ids).to(device),
            None if attention.all() else torch.from_numpy(attention.astype(np.int64)).to(device),
            torch.from_numpy(answers).to(device),
            answers[:, 1:].sum(1),
            int(lengths.sum()),
        )


class Learner:
    """A model and its optimizer.

    Args:
        model: with LoRA layers, on its device.
    """

    def __init__(self, model: PeftModel, config: TrainConfig) -> None:
        self.model, self.config = model, config
        self.params = [p for p in model.parameters() if p.requires_grad]
        self.device = self.params[0].device
        self.optimizer = torch.optim.AdamW(self.params, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True)

    def step(self, tokens: TokenSet, micro_batches: Sequence[Sequence[int]], rate: float) -> StepResult:
        """Learn from the micro-batches as from one batch.

        Raises:
            NotFiniteError: the loss or the gradient is no number; the weights are as they were.
        """
        self.model.train()
        batches = [Batch.of(tokens, places, self.device) for places in micro_batches]
        losses = self.accumulate(batches)
        self._check("loss", losses.mean, losses)
        norm = float(torch.nn.utils.clip_grad_norm_(self.params, self.config.clip))
        self._check("gradient's norm", norm, losses)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return StepResult(losses, norm, sum(b.tokens for b in batches), sum(b.ids.numel() for b in batches))

    def accumulate(self, batches: Sequence[Batch]) -> Losses:
        """Leave the gradient of the mean loss over all the batches' answer tokens in the parameters."""
        losses = _gather(batches, [self._backward(batch) for batch in batches])
        for parameter in self.params:
            if parameter.grad is not None:
                parameter.grad.div_(losses.answer_tokens)
        return losses

    @torch.no_grad()
    def measure(self, tokens: TokenSet, places: Sequence[int]) -> Losses:
        """The losses of some conversations, side by side in one batch, without learning from them."""
        self.model.eval()
        batch = Batch.of(tokens, places, self.device)
        losses = _gather([batch], [self._losses(batch)])
        self._check("validation loss", losses.mean, losses)
        return losses

    def _losses(self, batch: Batch) -> Tensor:
        model: Any = self.model.get_base_model()
        return answer_losses(model, batch.ids, batch.attention, batch.answers, self.config.loss_chunk)

    def _backward(self, batch: Batch) -> Tensor:
        losses = self._losses(batch)
        losses.sum().backward()  # type: ignore[no-untyped-call]
        return losses.detach()

    def _check(self, what: str, value: float, losses: Losses) -> None:
        if not math.isfinite(value):
            self.optimizer.zero_grad(set_to_none=True)
            at_fault = losses.places[~np.isfinite(losses.sums)]
            raise NotFiniteError(what, value, (at_fault if len(at_fault) else losses.places).tolist())


def _gather(batches: Sequence[Batch], measured: Sequence[Tensor]) -> Losses:
    each = torch.cat(list(measured)).double().cpu().numpy()
    counts = np.concatenate([batch.counts for batch in batches])
    sums = np.add.reduceat(each, np.concatenate([[0], np.cumsum(counts)[:-1]]))
    return Losses(np.concatenate([np.asarray(batch.places) for batch in batches]), sums, counts)


def join(parts: Sequence[Losses]) -> Losses:
    """The losses of several batches as one."""
    return Losses(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("places", "sums", "counts")))


def rate_at(step: int, steps: int, config: TrainConfig) -> float:
    """Linear warm-up, then a cosine down to `final_rate` of the highest."""
    warmup = max(1, round(steps * config.warmup))
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    falling = 0.5 * (1 + math.cos(math.pi * done))
    return config.learning_rate * (config.final_rate + (1 - config.final_rate) * falling)


def shown(sources: Mapping[str, SourceLoss]) -> dict[str, dict[str, float]]:
    """Losses per source for a JSON row; empty where there is one source alone, whose loss is the whole's."""
    return {name: part._asdict() for name, part in sources.items()} if len(sources) > 1 else {}
