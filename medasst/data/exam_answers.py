"""The right answers of an exam question, in any form in which they are published: as letters of its options."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Literal, NamedTuple

from medasst.conversation import JSON
from medasst.data.exam_options import LETTERS, Options, flag, is_blank, key_of
from medasst.data.json_text import loose
from medasst.data.records import RecordError, described
from medasst.text import normalise

First = Literal[0, 1]
Form = Literal["letter", "text"]
EITHER: frozenset[First] = frozenset((0, 1))


class Habits(NamedTuple):
    """How a set gives its answers, as far as its rows tell.

    Args:
        firsts: what number the first option may have, where answers are numbers; none where the rows contradict each other.
        forms: whether answers name options by letter or by text.
    """

    firsts: frozenset[First] = EITHER
    forms: frozenset[Form] = frozenset()

    def with_row(self, row: Mapping[str, JSON], options: Options) -> Habits:
        """What one more row tells."""
        for name, value in _given(row):
            answer = Answer(name, value, options)
            if numbers := answer.numbers():
                return self._replace(firsts=self.firsts & possible_firsts(options.size, numbers))
            if forms := answer.forms():
                return self._replace(forms=self.forms | forms)
        return self


Told = Callable[[], Habits]  # asked only where a row alone doesn't tell

# By squashed name. The second row counts only where none of the first holds anything: some sets label other things so.
_FIELDS = (
    *("answer", "answers", "correctanswer", "correctanswers", "rightanswer", "answerkey", "answeridx", "answerindex"),
    *("answerid", "answerletter", "answeroption", "correct", "correctoption", "correctoptions", "correctchoice"),
    *("correctidx", "correctindex", "答案", "正确答案", "参考答案", "标准答案", "正确选项"),
)
_OTHERS = ("cop", "ra", "gold", "goldindex", "label", "labels", "target", "targetidx", "key")
_SAID = re.compile(  # what stands before an answer: 答案：, 正确答案是, 故选, The answer is
    r"^[【\[]?(?:本题)?(?:正确|参考|标准)?(?:答案|选项|answer|key)[】\]]?\s*(?:为|是|应?选|is)?\s*[:：]?\s*"
    r"|^(?:故|应)?选(?:择)?\s*[:：]?\s*|^the (?:correct )?answer is\s*:?\s*",
    re.IGNORECASE,
)
_LETTERED = re.compile(r"[（(\[【]?\s*([A-P])\s*[)）\]】]?\s*[.．、:：)）\s]\s*(.+)", re.DOTALL)
_BETWEEN = re.compile(r"[\s,，、;；/|&+*和与及.。()（）\[\]【】\"'“”]+")
_WHOLE = re.compile(r"-?\d{1,3}(?:\.0+)?")


def right_letters(row: Mapping[str, JSON], options: Options, told: Told = Habits) -> list[str]:
    """The letters of the right options.

    Args:
        row: its names squashed.
        options: what can be right.
        told: the set's habits.

    Raises:
        RecordError: no answer, one that names no option, fields that contradict each other, or one that can be read in two
            ways.
    """
    given = _given(row)
    if not given and not options.right:
        raise RecordError("no_answer", "the answer is missing")
    answers = [Answer(name, value, options, told) for name, value in given]
    sure = {letters for letters in (*(answer.letters() for answer in answers), options.right) if letters}
    numbers = [answer.numbers() for answer in answers]
    if not sure:
        sure = {_by_number(found, options, told().firsts) for found in numbers if found}
        numbers = []
    if len(sure) > 1:
        contrary = " and ".join(sorted("".join(sorted(letters)) for letters in sure))
        raise RecordError("bad_answer", f"the answers contradict each other: {contrary}")
    if not sure:
        shown = ", ".join(f"{name} = {str(value)[:20]!r}" for name, value in given)
        raise RecordError("bad_answer", f"the answer names no option: {shown}")
    (letters,) = sure
    for found in filter(None, numbers):
        if not any(letters == _letters_at(found, base) for base in (0, 1)):
            raise RecordError("bad_answer", f"the answers contradict each other: {''.join(sorted(letters))} and {found}")
    return sorted(letters)


def _given(row: Mapping[str, JSON]) -> list[tuple[str, JSON]]:
    """The fields that hold an answer."""
    for names in (_FIELDS, _OTHERS):
        found = [(name, row[name]) for name in names if name in row and not _says_none(row[name])]
        if listed := row.get("answers"):  # the options themselves stand there in some sets
            found = [pair for pair in found if pair[0] != "answers" or not _are_options(listed)]
        if found:
            return found
    return []


def _says_none(value: JSON) -> bool:
    return value in ([], {}, -1, "-1") or is_blank(value)


def _are_options(value: JSON) -> bool:
    return isinstance(value, list) and all(isinstance(item, Mapping) and len(item) > 1 for item in value)


class Answer:
    """One field that says which option is right.

    Args:
        name: of the field.
        value: what it holds, also a list that was written out as text.
        options: what it may name.
        told: the set's habits.
    """

    def __init__(self, name: str, value: JSON, options: Options, told: Told = Habits) -> None:
        if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
            with suppress(ValueError):
                value = loose(value)
        self.name, self.value, self.options, self._told = name, value, options, told

    def letters(self) -> frozenset[str] | None:
        """What it says by letters, texts or marks; None where it says nothing so. Raises RecordError."""
        if isinstance(self.value, Mapping):
            return self._of_object(self.value)
        if isinstance(self.value, list):
            return self._of_list(self.value)
        return self._of_text(self.value) if isinstance(self.value, str) else None

    def numbers(self) -> tuple[int, ...]:
        """The numbers that it holds instead of letters."""
        values = self.value if isinstance(self.value, list) else [self.value]
        if isinstance(self.value, list) and self._flags(self.value) is not None:
            return ()
        if not values or not all(_WHOLE.fullmatch(str(value).strip()) and not isinstance(value, bool) for value in values):
            return ()
        return tuple(int(float(str(value))) for value in values)

    def _of_object(self, value: Mapping[str, JSON]) -> frozenset[str] | None:
        if value and all(key_of(name) and flag(mark) is not None for name, mark in value.items()):
            keys = [key_of(name) for name, mark in value.items() if flag(mark)]
            return self._there([LETTERS[int(key) - (self.options.first or 0)] if key.isdigit() else key for key in keys])
        for name in ("key", "label", "letter", "text", "value"):
            if isinstance(value.get(name), str):
                return self._of_text(value[name])
        return None

    def _of_list(self, value: list[JSON]) -> frozenset[str] | None:
        if (marks := self._flags(value)) is not None:
            return marks
        if self.numbers():
            return None
        if not all(isinstance(item, str) for item in value):
            raise RecordError("bad_answer", f"{self.name} is {described(value)}")
        read = [self._of_text(item) for item in value]
        if None in read:
            return None
        return frozenset(letter for letters in read if letters for letter in letters)

    def _flags(self, value: list[JSON]) -> frozenset[str] | None:
        """A mark for each option; [0, 1] for two options could as well be their numbers."""
        marks = [flag(item) for item in value]
        if len(value) != self.options.size or None in marks or not any(marks) or any(isinstance(item, str) for item in value):
            return None
        if not all(isinstance(item, bool) for item in value) and len(set(value)) == len(value):
            raise RecordError("ambiguous_answer", f"{self.name} is {value}: numbers of options, or a mark for each")
        return self._there([letter for letter, mark in zip(LETTERS, marks, strict=False) if mark])

    def _of_text(self, value: str) -> frozenset[str] | None:
        """By the option's text, by letters, or by a letter with its text. Raises RecordError where two readings differ."""
        said = normalise(value).strip()
        if _WHOLE.fullmatch(said):
            return None
        readings = self._readings(said)
        if len(set(readings.values())) > 1 and len(forms := self._told().forms) == 1:
            readings = {form: letters for form, letters in readings.items() if form in forms}
        if len(set(readings.values())) > 1:
            told = f"{self.name} {said[:20]!r} is the text of one option and the letter of another"
            raise RecordError("ambiguous_answer", told)
        if readings:
            return next(iter(readings.values()))
        if (named := _named_letters(_bare(said))) is not None:
            missing = "".join(letter for letter in named if letter not in self.options.texts)
            raise RecordError("bad_answer", f"the answer {said[:20]!r} names no option: there is no {missing}")
        return None

    def forms(self) -> frozenset[Form]:
        """Whether it can only be a letter, or only a text."""
        readings = self._readings(normalise(self.value).strip()) if isinstance(self.value, str) else {}
        return frozenset(readings) if len(readings) == 1 else frozenset()

    def _readings(self, said: str) -> dict[Form, frozenset[str]]:
        readings: dict[Form, frozenset[str] | None] = {"text": self._as_texts(said), "letter": self._as_letters(said)}
        return {form: letters for form, letters in readings.items() if letters}

    def _as_texts(self, said: str) -> frozenset[str] | None:
        by_text: dict[str, str] = {}
        for letter, text in self.options.texts.items():
            by_text.setdefault(text, letter)  # of equal texts the first
        for parts in ([said], [part.strip() for part in re.split(r"[\n;；|]", said) if part.strip()]):
            if parts and all(part in by_text for part in parts):
                return frozenset(by_text[part] for part in parts)
        return None

    def _as_letters(self, said: str) -> frozenset[str] | None:
        bare = _bare(said)
        named = _named_letters(bare)
        if named is not None and all(letter in self.options.texts for letter in named):
            return frozenset(named)
        for parts in ([bare], [part for part in re.split(r"[\n;；|]", bare) if part.strip()]):
            found = [self._with_text(part) for part in parts]
            if found and all(found):
                return frozenset(found)
        return None

    def _with_text(self, part: str) -> str:
        """The letter of "B. 检查", if that is the option's text. Raises RecordError where it is another's."""
        match = _LETTERED.fullmatch(part.strip())
        if not match or match[2].strip() not in self.options.texts.values():
            return ""
        if self.options.texts.get(match[1]) != match[2].strip():
            told = f"{part.strip()[:20]!r} has the letter of one option and the text of another"
            raise RecordError("bad_answer", f"the answer {told}")
        return match[1]

    def _there(self, letters: Iterable[str]) -> frozenset[str]:
        letters = frozenset(letters)
        if missing := sorted(letters - self.options.texts.keys()):
            raise RecordError("bad_answer", f"{self.name} marks {', '.join(missing)} as right, which is no option")
        return letters


def _bare(said: str) -> str:
    """What is said, without "答案：" before it and 选项 after it."""
    return re.sub(r"(?:选项|项)?[。.]?$", "", _SAID.sub("", said, count=1).strip())


def _named_letters(bare: str) -> tuple[str, ...] | None:
    """The letters that a text consists of, each once; None where it is anything else."""
    letters = _BETWEEN.sub("", bare)
    if bare.islower() and letters == bare and list(letters) != sorted(letters):
        return None  # a word
    repeated = letters == bare and len(set(letters)) < len(letters)  # "A, A" is a slip, "AA" may be anything
    known = letters and all(letter in LETTERS for letter in letters.upper()) and not repeated
    return tuple(dict.fromkeys(letters.upper())) if known else None


def _by_number(numbers: tuple[int, ...], options: Options, firsts: frozenset[First]) -> frozenset[str]:
    shown = ", ".join(map(str, numbers))
    possible = firsts if len(firsts) < 2 else possible_firsts(options.size, numbers)
    if len(possible) > 1 and options.first is not None:
        possible = frozenset(first for first in possible if first == options.first)
    by_text = {letter for number in numbers for letter, text in options.texts.items() if text == str(number)}
    by_place = {LETTERS[n - first] for first in possible for n in numbers if 0 <= n - first < options.size}
    if by_text and not by_place:
        return frozenset(by_text)
    if by_text and by_text != by_place:
        raise RecordError("ambiguous_answer", f"the answer {shown} is the text of one option and the number of another")
    if len(possible) != 1:
        told = (
            "counts options both from 0 and from 1" if not possible else "doesn't tell whether options count from 0 or from 1"
        )
        raise RecordError(
            "ambiguous_answer", f"the answer is {shown}, and the set {told}; give letters, or state `first` in a task's mapping"
        )
    letters = _letters_at(numbers, min(possible))
    if letters is None or letters - options.texts.keys():
        raise RecordError("bad_answer", f"the answer {shown} names no option, counted from {min(possible)}")
    return letters


def _letters_at(numbers: tuple[int, ...], first: int) -> frozenset[str] | None:
    places = [number - first for number in numbers]
    return frozenset(LETTERS[place] for place in places) if all(0 <= place < len(LETTERS) for place in places) else None


def possible_firsts(size: int, numbers: Iterable[int]) -> frozenset[First]:
    """What number the first of `size` options may have, seen that `numbers` name some of them."""
    possible = EITHER
    for number in numbers:
        possible -= {1} if number == 0 else {0} if number == size else set()
    return possible
