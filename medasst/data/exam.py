"""Exam questions from the forms in which they are published, and their explanations as conversations."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import NamedTuple

from medasst.conversation import JSON
from medasst.data.exam_answers import Habits, Told, right_letters
from medasst.data.exam_notes import KEY, asked, check_case, check_key, check_one_question, explains
from medasst.data.exam_options import Options, behind_question, find_options, key_of, read_options, squash
from medasst.data.records import Record, RecordError, Turns
from medasst.text import normalise

_NO_EXPLANATION = {"nan", "null", "none", "无", "略", "暂无", "暂无解析", "请等待更新"}
_BLOCK = re.compile(r"^\s*问题[:：]\s*(.*?)\n\s*选项[:：]\s*\n(.*)$", re.DOTALL)
QUESTION = ("question", "questionstem", "stem", "questiontext", "qtext", "query", "problem", "题目", "题干", "问题")
_SUBJECT = ("subject", "paper", "unit", "subjectname", "examsubject", "medicaldiscipline", "科目")
_YEAR = ("year", "examyear", "年份", "年度", "年")
_EXAM = ("exam", "examname", "examclass", "examtype", "paper", "考试", "试卷")
_YEAR_IN_TEXT = re.compile(r"(?<!\d)((?:19|20)\d\d)\s*年")
_EXPLANATION = ("explanation", "analysis", "exp", "rationale", "解析", "答案解析", "解释")


@dataclass(frozen=True, slots=True)
class ExamQuestion:
    """A multiple-choice question.

    `letters` are those that its options came with, in their order: A, B, D, E where there is no C. `answers` are places in
    `options`, from 0; several for a multi-answer question. `exam`: the paper or examination that it is of, and its `year`.
    """

    id: str  # first 16 hex digits of sha256 over the compact JSON of [question, options]
    question: str
    options: tuple[str, ...]
    answers: tuple[int, ...]
    letters: tuple[str, ...]
    subject: str = ""
    explanation: str = ""
    source: str = ""
    year: str = ""
    exam: str = ""

    @classmethod
    def of(
        cls, question: str, options: Mapping[str, str], right: Iterable[str], *, subject: str = "", explanation: str = ""
    ) -> ExamQuestion:
        """Check and name a question.

        Args:
            question: the bare stem.
            options: texts by letter, in the order of letters.
            right: letters of the right ones.

        Raises:
            RecordError: it can't be asked.
        """
        question, texts = normalise(question).strip(), tuple(options.values())
        if not question:
            raise RecordError("no_question", "the question is empty")
        packed = json.dumps([question, texts], ensure_ascii=False, separators=(",", ":"))
        key = hashlib.sha256(packed.encode()).hexdigest()[:16]
        letters = tuple(options)
        answers = tuple(sorted(letters.index(letter) for letter in right))
        return cls(key, question, texts, answers, letters, subject, normalise(explanation).strip())


class Parts(NamedTuple):
    """What a row holds of a question, under squashed names."""

    row: Mapping[str, JSON]
    question: str
    options: Options
    by_text: str = ""  # the right option's text, where the layout has nothing else


def parts_of(row: Mapping[str, JSON]) -> Parts:
    """Question and options of a row. Raises RecordError where it has none, or options that can't be told apart."""
    low: dict[str, JSON] = {}
    for name, value in row.items():
        if low.setdefault(short := squash(name), value) != value and key_of(short):
            raise RecordError("bad_options", f"two fields for the option {key_of(short)}")
    if isinstance(nested := low.get("question"), Mapping):  # {"question": {"stem": …, "choices": …}, "answerKey": …}
        low = {**{squash(name): value for name, value in nested.items()}, **{n: v for n, v in low.items() if n != "question"}}
    if isinstance(low.get("input"), str) and (match := _BLOCK.match(low["input"])):
        return _block(low, match[1], normalise(match[2]))
    question = _first(low, *QUESTION)
    if question and (options := find_options(low)) is not None:
        return Parts(low, question, _enough(options))
    if question and (found := behind_question(normalise(question))) is not None:
        return Parts(low, found[0], _enough(found[1]))
    if not question and any(name in low for name in QUESTION):
        raise RecordError("no_question", "the question is empty")
    raise RecordError("missing_field", f"no exam layout; the row has {', '.join(map(str, row))[:200]}")


def _block(row: Mapping[str, JSON], question: str, options: str) -> Parts:
    """问题 and 选项 in one text: the options are lines without letters, and the answer is the right one's text."""
    lines = [line.strip() for line in options.splitlines() if line.strip()]
    said = row.get("output")
    text = normalise(said).strip() if isinstance(said, str) else ""
    found = Options.listed(lines) if text in lines else read_options(options)
    return Parts({**row, "answer": said}, question, _enough(found), text)


def _enough(options: Options) -> Options:
    if len(options.texts) < 2:
        raise RecordError("bad_options", f"{len(options.texts)} options with a text")
    return options


def parse_exam(row: Mapping[str, JSON], told: Told = Habits) -> ExamQuestion:
    """A question from a row of any published form: what its options and answers may look like is told in docs/data.md.

    Args:
        told: the habits of its set; asked only where the row alone doesn't tell.

    Raises:
        RecordError: no known layout; no question, options or answer in it; an answer that names no option, or more than one
            way to read it.
    """
    low, question, options, by_text = parts_of(row)
    right = [letter for letter, text in options.texts.items() if by_text and text == by_text][:1]
    right = right or right_letters(low, options, told)
    explanation = _first(low, *_EXPLANATION)
    explanation = "" if explanation.strip().lower() in _NO_EXPLANATION else explanation
    exam = _first(low, *_EXAM)
    year = _first(low, *_YEAR) or "".join(_YEAR_IN_TEXT.findall(exam)[:1])
    found = ExamQuestion.of(question, options.texts, right, subject=_first(low, *_SUBJECT), explanation=explanation)
    return replace(found, year=year, exam=exam)


def habits(rows: Iterable[Mapping[str, JSON]]) -> Habits:
    """How a set of these rows gives its answers."""
    found = Habits()
    for row in rows:
        with suppress(RecordError):
            low, _, options, _ = parts_of(row)
            found = found.with_row(low, options)
    return found


def with_options(question: ExamQuestion) -> str:
    """The stem and under it the options with their letters."""
    lines = [f"{letter}. {option}" for letter, option in zip(question.letters, question.options, strict=True)]
    return "\n".join([question.question, *lines])


def explained(question: ExamQuestion) -> Record:
    """The question with lettered options → the right answer's text and the explanation. The split goes by the bare stem.

    Options have the letters that they came with: explanations may speak of them. Notes to the examinee are left out, counted.

    Raises:
        RecordError: it has no explanation, or one of something else; its case isn't told.
    """
    if not question.explanation:
        raise RecordError("no_answer", "the question has no explanation")
    check_case(question.question)
    check_one_question(question.question, [question.options[i] for i in question.answers], question.explanation)
    check_key(question.question, question.letters, [question.letters[i] for i in question.answers], question.explanation)
    options = dict(zip(question.letters, question.options, strict=True))
    explanation = explains(question.explanation, question.question, options)
    right = "；".join(f"{question.options[i]}（{question.letters[i]}）" for i in question.answers)
    shown = with_options(replace(question, question=asked(question.question)))
    turns: Turns = [("user", shown), ("assistant", f"{KEY}{right}\n解析：{explanation}")]
    left_out = ("note to the examinee",) if explanation != question.explanation else ()
    meta = {"exam": question.id, "stem": question.question}
    return Record(turns, question.subject, meta, question.question, question.question, left_out)


def _first(row: Mapping[str, JSON], *names: str) -> str:
    return next((str(row[name]) for name in names if row.get(name) not in (None, "") and isinstance(row[name], str | int)), "")
