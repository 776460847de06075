"""`letter/v1`: options are listed with their letters; the letter counts that is likeliest as the beginning of the answer."""

from __future__ import annotations

import math
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from medasst.conversation import Conversation
from medasst.data import ExamQuestion
from medasst.evaluation.choice import PROTOCOLS, ChoiceAsking, ChoiceItem, ChoiceRecord
from medasst.models import ChatModel, LetterModel, LetterQuery


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterRecord(ChoiceRecord):
    """`logprobs` are those of the letters. One that the engine didn't list has only an upper bound and can't be chosen."""

    listed: tuple[bool, ...] = ()

    def weights(self) -> tuple[float, ...]:
        pairs = zip(self.logprobs, self.listed, strict=True)
        return tuple(logprob if listed else -math.inf for logprob, listed in pairs)


@PROTOCOLS.register("letter/v1")
class Letter(ChoiceAsking[LetterRecord]):
    """The question is a user turn in the model's own template; the answer's turn begins empty."""

    protocol = "letter/v1"
    needs = "letters"
    record = LetterRecord

    def prompt(self, question: ExamQuestion) -> str:
        options = zip(string.ascii_uppercase, question.options, strict=False)
        lines = [f"{letter}. {option}" for letter, option in options]
        return "\n".join([question.question, *lines, "请问哪个选项正确？只回答一个字母。"])

    def answers(self, model: ChatModel, items: Sequence[ChoiceItem]) -> Iterator[LetterRecord]:
        queries = [
            LetterQuery(item.id, Conversation.of([("user", item.prompt)]), tuple(string.ascii_uppercase[: len(item.options)]))
            for item in items
        ]
        scores = cast(LetterModel, model).letters(queries)
        return self.records(items, scores, lambda score: {"listed": score.listed})
