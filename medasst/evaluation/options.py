"""Questions with options of which one is right, and how they are put to a model.

A way of choosing is a protocol, a file each: `letter.py`, `option_text.py`, `generate.py`. How it is put besides, after worked
examples or none, in turns or as one text, is its form.
"""

from __future__ import annotations

import hashlib
import json
import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, NamedTuple, TypeVar

from medasst.conversation import Conversation
from medasst.data import ExamQuestion
from medasst.data.exam import with_options
from medasst.evaluation.task import Asking, Item, Record
from medasst.models import ChoiceScore, Decoding, LetterScore
from medasst.registry import Registry

# Stands for any question where a protocol's words are shown or hashed without one.
_ANY = ExamQuestion("", "{question}", ("{A}", "{B}", "{C}", "{D}"), (0,), ("A", "B", "C", "D"))


@dataclass(frozen=True, slots=True)
class ChoiceItem(Item):
    """A question with one right answer: `answer` is its place in `options`, the label its text.

    `question`: the id of the question, which several items have where its options are asked in several orders; `turned`: by how
    many places they are. `groups`: what it is reported with besides the whole, such as its subject.
    `listed`: the question over its options with letters, however it is asked.
    """

    options: tuple[str, ...]
    answer: int
    subject: str = ""
    question: str = ""
    turned: int = 0
    groups: tuple[str, ...] = ()
    listed: str = ""

    @property
    def asked(self) -> tuple[str, ...]:
        return (self.listed,)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceRecord(Record):
    """What an engine found likely; `logprobs` are those of the options, in their order, none where the engine failed."""

    options: tuple[str, ...]
    logprobs: tuple[float, ...] = ()

    def answers(self, item: Item) -> bool:
        return Record.answers(self, item) and isinstance(item, ChoiceItem) and self.options == item.options

    def weights(self) -> tuple[float, ...]:
        """What options are compared by, the larger the better; -inf for one that can't be chosen."""
        return self.logprobs


class Chosen(NamedTuple):
    """The place of the best option, and whether another one is as good; ties go to the first."""

    place: int
    tie: bool


def chosen(record: ChoiceRecord) -> Chosen | None:
    """None where no option can be chosen: nothing is ever chosen by default."""
    weights = record.weights()
    best = max(weights, default=-math.inf)
    return Chosen(weights.index(best), weights.count(best) > 1) if best > -math.inf else None


C = TypeVar("C", bound=ChoiceRecord)
Found = TypeVar("Found", ChoiceScore, LetterScore)


@dataclass(frozen=True, slots=True)
class Form:
    """How a protocol's questions are put.

    Attributes:
        chat: in the model's own chat template, a worked example being two turns; or all as one text. None: as is usual.
        shots: worked examples by the subject that they are for; those under "" are for any other.
        decoding: of answers that are written.
    """

    chat: bool | None = None
    shots: Mapping[str, tuple[ExamQuestion, ...]] = field(default_factory=dict)
    decoding: Decoding = field(default_factory=Decoding)

    def shots_for(self, subject: str) -> tuple[ExamQuestion, ...]:
        """The examples for questions of a subject."""
        return self.shots.get(subject) or self.shots.get("", ())

    @property
    def count(self) -> int:
        """How many examples stand before each question."""
        return max(map(len, self.shots.values()), default=0)


class ChoiceAsking(Asking[ChoiceItem, C]):
    """A way of choosing an option. Questions with several right answers can't be asked so and are left out.

    Attributes:
        name: of the protocol, with its version. The figures' `protocol` is more: what it depends on besides, and a hash of all
            its words.
        usual: whether questions are put as chats where nothing is said.
        lists: whether a question lists its options, so that their order may matter.
        reading: the version of how a written answer is read; "" where none is.
        introduction: stands once before all, where they are put as one text.
    """

    name: ClassVar[str]
    usual: ClassVar[bool] = True
    lists: ClassVar[bool] = True
    reading: ClassVar[str] = ""
    introduction: ClassVar[str] = ""

    def __init__(self, form: Form | None = None) -> None:
        self.form = form or Form()
        self.chat = self.usual if self.form.chat is None else self.form.chat
        words = [self._shown(self.put(self._item(_ANY, subject))) for subject in sorted({"", *self.form.shots})]
        key = hashlib.sha256(json.dumps(words, ensure_ascii=False).encode()).hexdigest()[:8]
        self.protocol = ", ".join(
            [self.name, f"{self.form.count} shots", "chat" if self.chat else "text", *self.besides(), key]
        )

    @abstractmethod
    def prompt(self, question: ExamQuestion) -> str:
        """What a question is asked with: a user turn, or its part of the text."""

    @abstractmethod
    def said(self, question: ExamQuestion) -> str:
        """The right answer, as a worked example gives it."""

    def besides(self) -> tuple[str, ...]:
        """What figures depend on besides the words."""
        return ()

    def item(self, question: ExamQuestion, groups: tuple[str, ...] = (), turned: int = 0) -> ChoiceItem:
        """The item of a question with one answer, its options turned by so many places."""
        size = len(question.options)
        turned_question = replace(
            question,
            options=question.options[turned:] + question.options[:turned],
            answers=tuple((place - turned) % size for place in question.answers),
        )
        name = f"{question.id}~{turned}" if turned else question.id
        return replace(
            self._item(turned_question, question.subject), id=name, question=question.id, turned=turned, groups=groups
        )

    def _item(self, question: ExamQuestion, subject: str) -> ChoiceItem:
        (answer,) = question.answers
        label, prompt = question.options[answer], self.prompt(question)
        listed = with_options(question)
        return ChoiceItem(question.id, question.source, prompt, label, question.options, answer, subject, listed=listed)

    def put(self, item: ChoiceItem) -> Conversation | str:
        """All that a model reads, worked examples first; a conversation has the item's id."""
        pairs = [(self.prompt(shot), self.said(shot)) for shot in self.form.shots_for(item.subject)]
        if not self.chat:
            return self.introduction + "".join(f"{asked}{said}\n\n" for asked, said in pairs) + item.prompt
        turns = [turn for asked, said in pairs for turn in (("user", asked), ("assistant", said))]
        return replace(Conversation.of([*turns, ("user", item.prompt)]), id=item.id)

    def put_alike(self, items: Sequence[ChoiceItem]) -> Iterator[list[ChoiceItem]]:
        """The items in groups that have the same worked examples, which an engine then reads once."""
        groups: dict[tuple[ExamQuestion, ...], list[ChoiceItem]] = {}
        for item in items:
            groups.setdefault(self.form.shots_for(item.subject), []).append(item)
        yield from groups.values()

    def example(self, item: ChoiceItem) -> str:
        return self._shown(self.put(item))

    @staticmethod
    def _shown(put: Conversation | str) -> str:
        return put if isinstance(put, str) else "\n".join(f"[{m.role}] {m.content}" for m in put.messages) + "\n[assistant]"

    def failed(self, item: ChoiceItem, why: str) -> C:
        return self.record(
            id=item.id,
            source=item.source,
            prompt=item.prompt,
            label=item.label,
            options=item.options,
            finish_reason="error",
            error=why,
        )

    def records(
        self, items: Sequence[ChoiceItem], scores: Iterator[Found], figures: Callable[[Found], Mapping[str, Any]]
    ) -> Iterator[C]:
        """Records from an engine's scores; `figures` are the fields of a record that a score fills."""
        by_id = {item.id: item for item in items}
        for score in scores:
            item = by_id[score.id]
            if score.error or len(score.logprobs) != len(item.options):
                yield self.failed(item, score.error or "the engine scored another number of options")
                continue
            record = replace(self.failed(item, ""), error=None, logprobs=score.logprobs, **figures(score))
            best = chosen(record)
            if best is None:
                yield replace(record, finish_reason="unparsed")
            else:
                yield replace(record, finish_reason="stop", predict=item.options[best.place])


PROTOCOLS: Registry[type[ChoiceAsking[Any]]] = Registry("protocol")
