"""Answers that people wrote, found by the likeness of the question, and only for the same circumstances."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from medasst.dialogue import Patient
from medasst.disk import package_file
from medasst.errors import DataError
from medasst.safety import Facts, Rules
from medasst.search import TextIndex

SAMPLES = package_file("samples")
# Cosine over TF-IDF of characters from which an answer may stand for a question: about the same trouble or product, or about
# neither. Leaving one sample out, 0.25 still brought answers of other topics, 0.3 none.
NEAR_SAME_SUBJECT, NEAR = 0.3, 0.45


class Source(NamedTuple):
    """A document and its section."""

    document: str
    section: str


@dataclass(frozen=True, slots=True)
class VettedAnswer:
    """One assistant turn of a vetted conversation, with all the user turns before it.

    Attributes:
        turns: the user turns that it answers, in order.
        kind: answer, ask, refer or prescription (`medasst/samples/README.md`).
        products: the SKUs that it is about.
        facts: the circumstances that its user turns tell, of `patient`.
        medicines: the medicines that it or its questions name, with every broader name.
    """

    turns: tuple[str, ...]
    answer: str
    kind: str
    products: frozenset[str]
    sources: tuple[Source, ...]
    facts: Facts
    medicines: frozenset[str] = frozenset()
    patient: Patient = field(default=Patient("self"), compare=False)


class VettedAnswers:
    """Vetted answers by likeness of the question."""

    def __init__(self, answers: Iterable[VettedAnswer]) -> None:
        self.answers = tuple(answers)
        self._index = TextIndex(["。".join(answer.turns) for answer in self.answers])

    @classmethod
    def load(cls, rules: Rules, *paths: Path) -> VettedAnswers:
        """Read conversations from JSON lines, in the format of `medasst/samples/README.md`.

        Raises:
            DataError: a file can't be read, or a row is not a conversation; names file and line.
        """
        answers: list[VettedAnswer] = []
        for path in paths:
            try:
                rows = path.read_text("utf-8").splitlines()
            except (OSError, UnicodeDecodeError) as error:
                raise DataError(f"can't be read: {error}; give a JSON-lines file of vetted conversations", path) from error
            for line, row in enumerate(rows, 1):
                try:
                    answers += _answers(json.loads(row), rules) if row.strip() else []
                except (KeyError, TypeError, ValueError) as error:
                    raise DataError(
                        f"not a vetted conversation ({error!r}); see medasst/samples/README.md", path, line
                    ) from error
        return cls(answers)

    @classmethod
    def from_samples(cls, rules: Rules) -> VettedAnswers:
        """The conversations of `medasst/samples`."""
        return cls.load(rules, SAMPLES / "qa.jsonl")

    def nearest(self, questions: Sequence[str], fits: Callable[[VettedAnswer, float], bool]) -> VettedAnswer | None:
        """The answer whose question is most like one of `questions`, among those that fit at their likeness (cosine, 0-1)."""
        hits = sorted((hit for found in self._index.nearest_many(questions, k=20) for hit in found), key=lambda hit: -hit.score)
        return next((answer for hit in hits if fits(answer := self.answers[hit.place], hit.score)), None)


def _answers(row: Mapping[str, Any], rules: Rules) -> list[VettedAnswer]:
    turns: list[str] = []
    answers: list[VettedAnswer] = []
    for message in row["messages"]:
        if message["role"] == "user":
            turns.append(message["content"])
        elif message["role"] == "assistant" and turns:
            answers.append(
                VettedAnswer(
                    turns=tuple(turns),
                    answer=message["content"],
                    kind=row["kind"],
                    products=frozenset(row.get("products", ())),
                    sources=tuple(dict.fromkeys(Source(fact["document"], fact["section"]) for fact in row.get("facts", ()))),
                    facts=Facts.of(patient := rules.patient(turns)),
                    patient=patient,
                    medicines=rules.medicines("。".join([*turns, message["content"]])),
                )
            )
    return answers
