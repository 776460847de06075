"""`option_text/v1`: the option whose text is likeliest after the question, which lists none of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from medasst.data import ExamQuestion
from medasst.evaluation.choice import PROTOCOLS, ChoiceAsking, ChoiceItem, ChoiceRecord
from medasst.models import ChatModel, ChoiceModel, ChoiceQuery


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionTextRecord(ChoiceRecord):
    """`logprobs` are sums over an option's tokens, of which it has `token_counts`."""

    token_counts: tuple[int, ...] = ()

    def weights(self) -> tuple[float, ...]:
        """The mean log-probability per token."""
        pairs = zip(self.logprobs, self.token_counts, strict=True)
        return tuple(total / count if count else -math.inf for total, count in pairs)


@PROTOCOLS.register("option_text/v1")
class OptionText(ChoiceAsking[OptionTextRecord]):
    """Needs the likelihood of given texts, which few engines tell."""

    protocol = "option_text/v1"
    needs = "choices"
    record = OptionTextRecord

    def prompt(self, question: ExamQuestion) -> str:
        return f"题目：{question.question}\n答案："

    def answers(self, model: ChatModel, items: Sequence[ChoiceItem]) -> Iterator[OptionTextRecord]:
        queries = [ChoiceQuery(item.id, item.prompt, item.options) for item in items]
        scores = cast(ChoiceModel, model).score(queries)
        return self.records(items, scores, lambda score: {"token_counts": score.token_counts})
