"""Questions with options of which one is right. How an option is chosen is a protocol: `option_text.py`, `letter.py`."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, TypeVar

from pydantic import Field, field_validator

from medasst.config import Pattern
from medasst.data import ExamQuestion, SplitSettings, load_manifest, read_exam
from medasst.data.exam_mapping import ExamMapping
from medasst.errors import DataError
from medasst.evaluation.rows import RowCount
from medasst.evaluation.task import KINDS, Asking, Common, Item, Record, Scoring, Share, Task, TaskConfig, draw
from medasst.models import ChoiceScore, LetterScore
from medasst.registry import Registry


@dataclass(frozen=True, slots=True)
class ChoiceItem(Item):
    """A question with one right answer: `answer` is its place in `options`, the label its text."""

    options: tuple[str, ...]
    answer: int


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


class ChoiceAsking(Asking[ChoiceItem, C]):
    """A way of choosing an option. Questions with several right answers can't be asked so and are left out."""

    @abstractmethod
    def prompt(self, question: ExamQuestion) -> str:
        """What a question is asked with."""

    def item(self, question: ExamQuestion) -> ChoiceItem:
        """The item of a question with one answer."""
        (answer,) = question.answers
        options = question.options
        return ChoiceItem(question.id, question.source, self.prompt(question), options[answer], options, answer)

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


PROTOCOLS: Registry[Callable[[], ChoiceAsking[Any]]] = Registry("protocol")


class ChoiceScores(NamedTuple):
    """`accuracy` and `tie` are 0 or 100; `parsed` is 1 where an option was chosen."""

    accuracy: float
    parsed: float
    tie: float


class Accuracy(Scoring[ChoiceItem, ChoiceRecord, ChoiceScores]):
    """Whether the right option was chosen. What failed or names no option is wrong."""

    metrics = (
        Share("accuracy", "Accuracy", lambda s: s.accuracy, compared=True),
        Share("accuracy_parsed", "Of answered", lambda s: s.accuracy, among=lambda s: s.parsed > 0),
        Share("ties", "Ties", lambda s: s.tie),
    )
    headline = "accuracy"
    version = "first_best/v1"
    kept = ChoiceScores

    def score(self, item: ChoiceItem, record: ChoiceRecord) -> ChoiceScores:
        best = chosen(record)
        if best is None:
            return ChoiceScores(0.0, 0.0, 0.0)
        return ChoiceScores(100.0 * (best.place == item.answer), 1.0, 100.0 * best.tie)


@KINDS.register("choice")
class ChoiceTask(TaskConfig):
    """Exam questions from any files in which they are published."""

    scoring = Accuracy

    kind: Literal["choice"]
    path: Pattern = Field(description="a pattern of files")
    recipe: str = Field("", description="how the files are read; not needed where the fields tell")
    layout: str = Field("", description='"exam", which is also the default')
    mapping: ExamMapping | None = Field(None, description="which fields hold what, where their names are none that are known")
    split: Literal["all", "test", "validation", "train"] = Field("all", description="the bucket its questions are in")
    protocol: str = Field("option_text/v1", description="how an option is chosen")

    @field_validator("protocol")
    @classmethod
    def _known(cls, name: str) -> str:
        PROTOCOLS[name]
        return name

    @property
    def needs_prepared(self) -> bool:
        return self.split != "all"

    def task(self, common: Common) -> Task[ChoiceItem, ChoiceRecord, ChoiceScores]:
        asking, count = PROTOCOLS[self.protocol](), RowCount()
        questions = []
        for question in read_exam(self.path, self.recipe, self.layout, mapping=self.mapping, on_bad=count.bad):
            count.good += 1
            questions.append(question)
        wanted = self._split_filter(common)
        asked = [question for question in questions if wanted(question.question)]
        single = [question for question in asked if len(question.answers) == 1]
        if not single:
            raise DataError(f"task {self.name!r} has no item: {self._nothing(count, len(asked))}", self.path)
        drawn = draw([asking.item(question) for question in single], self.limit or common.limit, common.seed)
        chance = 100 * sum(1 / len(item.options) for item in drawn.items) / len(drawn.items)
        source, left_out = self.recipe or self.name, len(asked) - len(single)
        return Task(self.name, "choice", source, "questions", asking, Accuracy(), drawn, count.total(), left_out, chance)

    def _split_filter(self, common: Common) -> Callable[[str], bool]:
        """Whether a bare stem lies in the task's split, as the prepared set was split."""
        if self.split == "all" or common.prepared is None:
            return lambda _: True
        shares = SplitSettings.model_validate(load_manifest(common.prepared)["settings"]["split"])
        return lambda stem: shares.of(stem) == self.split

    def _nothing(self, count: RowCount, asked: int) -> str:
        if asked:
            return f"all {asked} questions have several right answers, which {self.protocol} can't ask"
        if count.good:
            return f"none of {count.good} questions is in the split {self.split!r}; take split = 'all', or a larger file"
        return count.total().advice()
