"""Exam questions: readers for the layouts in which they are published, and explanations as conversations."""

from __future__ import annotations

import hashlib
import json
import re
import string
from collections.abc import Mapping
from dataclasses import dataclass

from medasst.conversation import JSON
from medasst.data.records import Record, RecordError, Turns
from medasst.text import normalise

_LABEL = re.compile(r"^\s*([A-H])(?:\s*[.．、:：)）]|\s)\s*")
_NO_EXPLANATION = {"nan", "null", "none", "无", "略", "暂无", "暂无解析", "请等待更新"}
_INLINE = re.compile(r"(?:^|\s)([A-H])\s*[.．、]\s*")
_QUESTION = re.compile(r"^\s*问题[:：]\s*(.*?)\n\s*选项[:：]\s*\n(.*)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ExamQuestion:
    """A multiple-choice question. `answers` are places in `options`, from 0; several for a multi-answer question."""

    id: str  # first 16 hex digits of sha256 over the compact JSON of [question, options]
    question: str
    options: tuple[str, ...]
    answers: tuple[int, ...]
    subject: str = ""
    explanation: str = ""
    source: str = ""

    @classmethod
    def of(
        cls,
        question: str,
        options: list[str],
        answers: list[int],
        *,
        subject: str = "",
        explanation: str = "",
        source: str = "",
    ) -> ExamQuestion:
        """Normalise, check and name a question. Raises RecordError where it can't be asked."""
        question, options = normalise(question).strip(), [normalise(option).strip() for option in options]
        if not question:
            raise RecordError("no_question", "the question is empty")
        if len(options) < 2 or not all(options):
            raise RecordError("bad_options", f"{len(options)} options, {sum(not o for o in options)} of them empty")
        if not answers or not all(0 <= a < len(options) for a in answers):
            raise RecordError("no_answer", "the answer is missing or names no option")
        packed = json.dumps([question, options], ensure_ascii=False, separators=(",", ":"))
        key = hashlib.sha256(packed.encode()).hexdigest()[:16]
        return cls(key, question, tuple(options), tuple(sorted(set(answers))), subject, normalise(explanation).strip(), source)


def parse_exam(row: Mapping[str, JSON]) -> ExamQuestion:
    """A question from any known layout: lettered CSV columns, a list or object or block of options, or 问题/选项 in one text.

    Raises:
        RecordError: no known layout, or no question, options or answer in it.
    """
    low = {str(name).strip().lower().replace(" ", "_"): value for name, value in row.items()}
    question = _first(low, "question", "question_stem", "stem")
    subject = _first(low, "subject", "paper", "unit")
    explanation = _first(low, "explanation", "analysis")
    explanation = "" if explanation.strip().lower() in _NO_EXPLANATION else explanation
    if question and all(letter in low for letter in "abcd"):
        options = [str(low[letter]) for letter in "abcdefgh" if low.get(letter) not in (None, "")]
    elif question and (given := low.get("options", low.get("question_options"))):
        options = _options(given)
    elif isinstance(low.get("input"), str) and (match := _QUESTION.match(low["input"])):
        question, options = match[1], [line.strip() for line in match[2].splitlines() if line.strip()]
        return ExamQuestion.of(question, options, _by_text(_first(low, "output"), options), subject=subject)
    else:
        raise RecordError("missing_field", f"no exam layout; the row has {', '.join(map(str, row))[:200]}")
    answers = _letters(low.get("answer", low.get("correct_answer")), len(options))
    return ExamQuestion.of(question, options, answers, subject=subject, explanation=explanation)


def explained(question: ExamQuestion) -> Record:
    """The question with lettered options → the right answer's text and the explanation. The split goes by the bare stem.

    Raises:
        RecordError: it has no explanation.
    """
    if not question.explanation:
        raise RecordError("no_answer", "the question has no explanation")
    lines = [f"{letter}. {option}" for letter, option in zip(string.ascii_uppercase, question.options, strict=False)]
    right = "；".join(f"{question.options[i]}（{string.ascii_uppercase[i]}）" for i in question.answers)
    turns: Turns = [
        ("user", "\n".join([question.question, *lines])),
        ("assistant", f"答案：{right}\n解析：{question.explanation}"),
    ]
    return Record(
        turns, question.subject, {"exam": question.id, "stem": question.question}, question.question, question.question
    )


def _first(row: Mapping[str, JSON], *names: str) -> str:
    return next((str(row[name]) for name in names if row.get(name) not in (None, "") and isinstance(row[name], str | int)), "")


def _options(given: JSON) -> list[str]:
    if isinstance(given, Mapping):
        return [str(given[key]) for key in sorted(given, key=str)]
    if isinstance(given, list):
        return _unlabelled([str(o.get("value", o.get("text", ""))) if isinstance(o, Mapping) else str(o) for o in given])
    if not isinstance(given, str):
        raise RecordError("bad_options", f"the options are {type(given).__name__}")
    lines = [line for line in given.splitlines() if line.strip()]
    if len(lines) > 1:
        return _unlabelled(lines)
    parts = _INLINE.split(given)
    letters, texts = parts[1::2], parts[2::2]
    if "".join(letters) != string.ascii_uppercase[: len(letters)]:
        raise RecordError("bad_options", "the options don't split into A, B, C, …")
    return texts


def _unlabelled(lines: list[str]) -> list[str]:
    """The lines without their letters, where each has one; "CT 检查" alone is no label."""
    labels = [match[1] if (match := _LABEL.match(line)) else "" for line in lines]
    if not all(labels):
        return lines
    if "".join(labels) != string.ascii_uppercase[: len(labels)]:
        raise RecordError("bad_options", f"the options are lettered {', '.join(labels)}")
    return [_LABEL.sub("", line, count=1) for line in lines]


def _letters(answer: JSON, n: int) -> list[int]:
    if not isinstance(answer, str):
        raise RecordError("no_answer", f"the answer is {type(answer).__name__}, not letters")
    letters = [c for c in normalise(answer).upper() if c.isalpha()]
    places = [string.ascii_uppercase.find(letter) for letter in letters]
    if not places or not all(0 <= place < n for place in places):
        raise RecordError("no_answer", f"the answer {answer[:20]!r} names no option")
    return places


def _by_text(answer: str, options: list[str]) -> list[int]:
    places = [i for i, option in enumerate(options) if option.strip() == answer.strip()]
    if not places:
        raise RecordError("no_answer", "the answer is none of the options")
    return places[:1]
