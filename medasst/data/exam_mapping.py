"""Which fields of an exam file hold what, where its names are none that are known."""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping
from typing import Literal, Self

from pydantic import model_validator

from medasst.config import Config
from medasst.conversation import JSON
from medasst.data.records import RecordError
from medasst.registry import did_you_mean


class ExamMapping(Config):
    """Fields by their names. `options` is one field with all of them, or a field for each, in the order A, B, C, …."""

    question: str
    options: str | tuple[str, ...]
    answer: str
    subject: str = ""
    explanation: str = ""
    first: Literal[0, 1] | None = None  # the number of the first option, where answers are numbers and the set doesn't tell
    columns: tuple[str, ...] = ()  # the headings of a table that has none

    @model_validator(mode="after")
    def _fields_are_columns(self) -> Self:
        if len(self._options) > len(string.ascii_uppercase):
            raise ValueError(f"{len(self._options)} options; there are letters for {len(string.ascii_uppercase)}")
        used = [name for name in (*self._needed, self.subject, self.explanation) if name]
        if self.columns and (unknown := [name for name in used if name not in self.columns]):
            raise ValueError(f"{unknown[0]!r} is none of the columns{did_you_mean(unknown[0], self.columns)}")
        return self

    @property
    def _options(self) -> tuple[str, ...]:
        return (self.options,) if isinstance(self.options, str) else self.options

    @property
    def _needed(self) -> tuple[str, ...]:
        return (self.question, *self._options, self.answer)

    def knows(self, names: Iterable[str]) -> bool:
        """Whether fields of these names make a question."""
        return {self.question, self.answer} <= {str(name).strip() for name in names}

    def fields(self, row: Mapping[str, JSON]) -> dict[str, JSON]:
        """The row under the names that `parse_exam` knows. Raises RecordError where a field is missing."""
        there = {str(name).strip(): value for name, value in row.items()}
        for name in (self.question, self.answer):
            if name not in there:
                raise RecordError("missing_field", f"no field {name!r}{did_you_mean(name, there)}")
        if not any(name in there for name in self._options):
            raise RecordError("missing_field", f"no field {self._options[0]!r}{did_you_mean(self._options[0], there)}")
        return {
            "question": there[self.question],
            "options": self._lettered(there),
            "answer": there[self.answer],
            "subject": there.get(self.subject, "") if self.subject else "",
            "explanation": there.get(self.explanation, "") if self.explanation else "",
        }

    def _lettered(self, there: Mapping[str, JSON]) -> JSON:
        if isinstance(self.options, str):
            return there[self.options]
        texts = ["" if there.get(name) is None else str(there[name]).strip() for name in self.options]
        while texts and not texts[-1]:
            texts.pop()  # a question with fewer options; a blank between others keeps its letter
        return dict(zip(string.ascii_uppercase, texts, strict=False))
