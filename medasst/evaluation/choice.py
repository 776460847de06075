"""Exam questions: which are asked, and how. The protocols are files of their own; see `options.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from medasst.config import Pattern
from medasst.data import ExamQuestion, SplitSettings, load_manifest, read_exam
from medasst.data.exam_mapping import ExamMapping
from medasst.errors import ConfigError, DataError
from medasst.evaluation.accuracy import Accuracy, ChoiceScores
from medasst.evaluation.known_choices import check_known
from medasst.evaluation.options import PROTOCOLS, ChoiceAsking, ChoiceItem, ChoiceRecord, Form
from medasst.evaluation.rows import RowCount, Rows, SetAside
from medasst.evaluation.shots import own_shots, shots_of, without
from medasst.evaluation.task import KINDS, Common, Drawn, Task, TaskConfig, draw


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
    shots: int = Field(0, ge=0, le=20, description="worked examples before each question")
    shots_path: Pattern = Field(
        "", description="files of the examples; by default some of the questions, which aren't asked then"
    )
    chat: bool | None = Field(None, description="in the model's chat template, or as one text; by default as the protocol does")
    turned: bool = Field(False, description="ask each question with its options in every turn of their order, too")

    @field_validator("protocol")
    @classmethod
    def _known(cls, name: str) -> str:
        PROTOCOLS[name]
        return name

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.turned and not PROTOCOLS[self.protocol].lists:
            raise ValueError(f"{self.protocol} lists no options, whose order could matter; turned = true needs letter/v1")
        if self.shots_path and not self.shots:
            raise ValueError("shots_path without shots; say how many, e.g. shots = 5")
        try:
            PROTOCOLS[self.protocol](Form(self.chat))
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return self

    @property
    def needs_prepared(self) -> bool:
        return self.split != "all"

    def task(self, common: Common) -> Task[ChoiceItem, ChoiceRecord, ChoiceScores]:
        count = RowCount()
        questions = []
        for question in self._read(self.path, on_bad=count.bad):
            count.good += 1
            questions.append(question)
        wanted = self._split_filter(common)
        asked, disputed = _undisputed([question for question in questions if wanted(question.question)])
        single = [question for question in asked if len(question.answers) == 1]
        if not single:
            raise DataError(f"task {self.name!r} has no item: {self._nothing(count, len(asked))}", self.path)
        shots = self._shots(single, common.seed)
        asking = PROTOCOLS[self.protocol](Form(self.chat, shots, common.decoding))
        left = without(single, shots.values())
        drawn = self._draw(asking, left, common)
        check_known(asking, drawn.items, self.turned)
        chance = 100 * sum(1 / len(item.options) for item in drawn.items) / len(drawn.items)
        rows = count.total()
        rows = self._set_aside(rows, "disputed_answer", disputed, "stands there with different answers")
        rows = self._set_aside(rows, "worked_example", _missing(single, left), "is a worked example, or has its words")
        return Task(
            self.name,
            "choice",
            self.recipe or self.name,
            "orders of options" if self.turned else "questions",
            asking,
            Accuracy(asking, turned=self.turned),
            drawn,
            rows,
            len(asked) - len(single),
            chance,
        )

    def _read(self, path: str, **settings: Any) -> Iterator[ExamQuestion]:
        return read_exam(path, self.recipe, self.layout, mapping=self.mapping, **settings)

    def _shots(self, questions: Sequence[ExamQuestion], seed: int) -> dict[str, tuple[ExamQuestion, ...]]:
        if not self.shots:
            return {}
        if self.shots_path:
            return shots_of(self.shots_path, self._read, self.shots, seed)
        return own_shots(questions, self.shots, seed, self.name)

    def _draw(self, asking: ChoiceAsking[Any], questions: Sequence[ExamQuestion], common: Common) -> Drawn[ChoiceItem]:
        if not questions:
            raise DataError(
                f"task {self.name!r}: every question is a worked example; take fewer shots, or a shots_path", self.path
            )
        grouped = _groups(questions)
        drawn = draw([asking.item(q, grouped(q)) for q in questions], self.limit or common.limit, common.seed)
        if not self.turned:
            return drawn
        by_id = {question.id: question for question in questions}
        items = [asking.item(by_id[item.id], item.groups, turn) for item in drawn.items for turn in range(len(item.options))]
        return replace(drawn, items=tuple(items))

    def _set_aside(self, rows: Rows, reason: str, questions: Sequence[ExamQuestion], why: str) -> Rows:
        if not questions:
            return rows
        first = SetAside(reason, len(questions), self.path, 0, f"the question {questions[0].id} {why}")
        return replace(rows, set_aside=(*rows.set_aside, first))

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


def _undisputed(questions: Sequence[ExamQuestion]) -> tuple[list[ExamQuestion], list[ExamQuestion]]:
    """The questions without those that come again with another answer, and these: nobody knows which answer is right."""
    answers: dict[str, set[tuple[int, ...]]] = {}
    for question in questions:
        answers.setdefault(question.id, set()).add(question.answers)
    disputed = [question for question in questions if len(answers[question.id]) > 1]
    return [question for question in questions if len(answers[question.id]) == 1], disputed


def _missing(questions: Sequence[ExamQuestion], left: Sequence[ExamQuestion]) -> list[ExamQuestion]:
    there = {question.id for question in left}
    return [question for question in questions if question.id not in there]


def _groups(questions: Iterable[ExamQuestion]) -> Callable[[ExamQuestion], tuple[str, ...]]:
    """What a question is reported with: its subject, year and exam, where the set has several."""

    def told(question: ExamQuestion) -> dict[str, str]:
        subject = question.subject.replace(f"{question.year}年", "") if question.year else question.subject
        exam = "" if question.exam in (question.subject, subject) else question.exam
        return {"subject": subject, "year": question.year, "exam": exam}

    seen = {pair for question in questions for pair in told(question).items()}
    kinds = {kind for kind, _ in seen if sum(own == kind for own, _ in seen) > 1}
    return lambda question: tuple(f"{kind}: {value}" for kind, value in told(question).items() if value and kind in kinds)
