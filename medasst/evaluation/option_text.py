"""`option_text/v1`: the option whose text is likeliest after the question, which lists none of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from medasst.data import ExamQuestion
from medasst.evaluation.options import PROTOCOLS, ChoiceAsking, ChoiceItem, ChoiceRecord
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
    """Needs the likelihood of given texts, which few engines tell. As a chat, the bare question is a user turn."""

    name = "option_text/v1"
    usual = False
    lists = False
    needs = "choices"
    record = OptionTextRecord

    def prompt(self, question: ExamQuestion) -> str:
        return question.question if self.chat else f"题目：{question.question}\n答案："

    def said(self, question: ExamQuestion) -> str:
        (answer,) = question.answers
        return question.options[answer]

    def answers(self, model: ChatModel, items: Sequence[ChoiceItem]) -> Iterator[OptionTextRecord]:
        for alike in self.put_alike(items):
            scores = cast(ChoiceModel, model).score([ChoiceQuery(item.id, self.put(item), item.options) for item in alike])
            yield from self.records(alike, scores, lambda score: {"token_counts": score.token_counts})
