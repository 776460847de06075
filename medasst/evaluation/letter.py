"""`letter/v1`: options are listed with their letters; the letter counts that is likeliest as the beginning of the answer."""

from __future__ import annotations

import math
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from medasst.data import ExamQuestion
from medasst.evaluation.options import PROTOCOLS, ChoiceAsking, ChoiceItem, ChoiceRecord
from medasst.models import ChatModel, LetterModel, LetterQuery


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterRecord(ChoiceRecord):
    """`logprobs` are those of the letters. One that the engine didn't list has only an upper bound and can't be chosen."""

    listed: tuple[bool, ...] = ()

    def weights(self) -> tuple[float, ...]:
        pairs = zip(self.logprobs, self.listed, strict=True)
        return tuple(logprob if listed else -math.inf for logprob, listed in pairs)


def listing(question: ExamQuestion) -> str:
    """The question, and under it its options with the letters A, B, C, …, whichever they came with."""
    options = zip(string.ascii_uppercase, question.options, strict=False)
    return "\n".join([question.question, *(f"{letter}. {option}" for letter, option in options)])


def right_letter(question: ExamQuestion) -> str:
    """The letter of the right option in that list."""
    (answer,) = question.answers
    return string.ascii_uppercase[answer]


@PROTOCOLS.register("letter/v1")
class Letter(ChoiceAsking[LetterRecord]):
    """As a chat, the question is a user turn and the answer's turn begins empty. As a text, its words are CMMLU's."""

    name = "letter/v1"
    needs = "letters"
    record = LetterRecord
    introduction = "以下是单项选择题，请直接给出正确答案的选项。\n\n"

    def prompt(self, question: ExamQuestion) -> str:
        if self.chat:
            return f"{listing(question)}\n请问哪个选项正确？只回答一个字母。"
        return f"题目：{listing(question)}\n答案是："

    def said(self, question: ExamQuestion) -> str:
        return right_letter(question)

    def answers(self, model: ChatModel, items: Sequence[ChoiceItem]) -> Iterator[LetterRecord]:
        for alike in self.put_alike(items):
            queries = [LetterQuery(i.id, self.put(i), tuple(string.ascii_uppercase[: len(i.options)])) for i in alike]
            scores = cast(LetterModel, model).letters(queries)
            yield from self.records(alike, scores, lambda score: {"listed": score.listed})
