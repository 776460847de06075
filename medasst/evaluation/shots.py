"""Worked examples that stand before each question: of a set's own part for them, or some of its questions."""

from __future__ import annotations

import glob
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from medasst.data import ExamQuestion
from medasst.data.files import matching
from medasst.errors import DataError

_PART = re.compile(r"[_-](dev|val|valid|validation|test|train|few_?shot)$")


def own_shots(questions: Sequence[ExamQuestion], count: int, seed: int, name: str) -> dict[str, tuple[ExamQuestion, ...]]:
    """`count` of the questions that are to be asked, by the seed. Raises DataError: there are too few."""
    return {"": _enough(_by_seed(questions, seed), count, f"task {name!r}", "take fewer, or a shots_path")}


def shots_of(
    pattern: str, read: Callable[[str], Iterable[ExamQuestion]], count: int, seed: int
) -> dict[str, tuple[ExamQuestion, ...]]:
    """`count` examples by subject, as they come in the files; under "", for other subjects, some of all by the seed.

    A file that doesn't tell the subject of its questions is of the one that its name says: anatomy.csv, physician_dev.csv.

    Args:
        read: the questions of a file's path.

    Raises:
        DataError: no file matches, or there are too few examples.
    """
    by_subject: dict[str, list[ExamQuestion]] = {}
    for _, path in matching(pattern):
        for question in _single(read(glob.escape(str(path)))):
            by_subject.setdefault(question.subject or _subject(path), []).append(question)
    every = [question for questions in by_subject.values() for question in questions]
    found = {subject: tuple(questions[:count]) for subject, questions in by_subject.items() if len(questions) >= count}
    return {**found, "": _enough(_by_seed(every, seed), count, pattern, "take fewer")}


def without(questions: Iterable[ExamQuestion], shots: Iterable[Iterable[ExamQuestion]]) -> list[ExamQuestion]:
    """The questions that are no example, nor have the words of one."""
    shown = {shot.question for some in shots for shot in some}
    return [question for question in questions if question.question not in shown]


def _single(questions: Iterable[ExamQuestion]) -> Iterator[ExamQuestion]:
    return (question for question in questions if len(question.answers) == 1)


def _by_seed(questions: Iterable[ExamQuestion], seed: int) -> list[ExamQuestion]:
    unique = {question.question: question for question in questions}
    return sorted(unique.values(), key=lambda q: hashlib.sha256(f"shot:{seed}:{q.id}".encode()).digest())


def _enough(found: Sequence[ExamQuestion], count: int, where: str, remedy: str) -> tuple[ExamQuestion, ...]:
    if len(found) < count:
        raise DataError(f"{where}: shots = {count}, but there are {len(found)} questions with one answer; {remedy}")
    return tuple(found[:count])


def _subject(path: Path) -> str:
    return _PART.sub("", path.name.partition(".")[0])
