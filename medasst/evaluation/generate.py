"""`generate/v1`: options are listed with their letters, the model writes an answer, and the answer is read."""

from __future__ import annotations

import math
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

from medasst.conversation import Conversation
from medasst.data import ExamQuestion
from medasst.errors import ConfigError
from medasst.evaluation.answer_letter import VERSION, Way, read_letter
from medasst.evaluation.letter import listing, right_letter
from medasst.evaluation.options import PROTOCOLS, ChoiceAsking, ChoiceItem, ChoiceRecord, Form
from medasst.evaluation.qa import writable
from medasst.models import ChatModel, Completion


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenRecord(ChoiceRecord):
    """`text` is what the model wrote; `place` that of the option that it names, read in this `way`."""

    text: str = ""
    place: int | None = None
    way: Way = "unparsed"

    def weights(self) -> tuple[float, ...]:
        return tuple(0.0 if place == self.place else -math.inf for place in range(len(self.options)))


@PROTOCOLS.register("generate/v1")
class Generate(ChoiceAsking[WrittenRecord]):
    """Greedy, as chats alone: where a model has no chat template, the plain one is used."""

    name = "generate/v1"
    reading = VERSION
    needs = "stream"
    record = WrittenRecord

    def __init__(self, form: Form | None = None) -> None:
        super().__init__(form)
        if not self.chat:
            raise ConfigError("generate/v1 asks chats alone; leave out chat = false")

    def besides(self) -> tuple[str, ...]:
        return (f"{self.form.decoding.max_new_tokens} tokens",)

    def prompt(self, question: ExamQuestion) -> str:
        return f"{listing(question)}\n请问哪个选项正确？请用选项的字母回答。"

    def said(self, question: ExamQuestion) -> str:
        return right_letter(question)

    def answers(self, model: ChatModel, items: Sequence[ChoiceItem]) -> Iterator[WrittenRecord]:
        by_id = {item.id: item for item in items}
        for found in model.generate([cast(Conversation, self.put(item)) for item in items], self.form.decoding):
            yield self._read(by_id[found.id], found)

    def written(self, record: WrittenRecord) -> str:
        return record.text

    def _read(self, item: ChoiceItem, found: Completion) -> WrittenRecord:
        if found.finish_reason == "error":
            return self.failed(item, found.error or "the engine failed")
        letter, way = read_letter(found.text, dict(zip(string.ascii_uppercase, item.options, strict=False)))
        record = replace(self.failed(item, ""), error=None, text=writable(found.text), way=way)
        if not letter:
            return replace(record, finish_reason="unparsed")
        place = string.ascii_uppercase.index(letter)
        return replace(record, place=place, predict=item.options[place], finish_reason=found.finish_reason)
