"""Our own questions in our replies, and what a short answer to them means."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from medasst.dialogue.turns import Fact, Turn
from medasst.lexicon import Mention
from medasst.lexicon.finder import Finder
from medasst.lexicon.script import plain
from medasst.lexicon.values import number
from medasst.rulebook import AnswerRow, Person, QuestionRow, Rulebook, SlotName

_NEGATABLE: frozenset[SlotName] = frozenset({"allergies", "conditions", "drugs", "pregnancy", "lactation", "work"})
_HIDES: frozenset[SlotName] = frozenset({"allergies", "conditions", "drugs", "cough"})  # no complaints of their own
_BEFORE = re.compile("^[嗯哦噢喔呃啊额哈唉对是]+(?=.)")
_AFTER = re.compile("[的了呢啊呀吧哦哈嘛啦哎呦~～.]+$")
_LONGEST_FREE = 15  # characters of an answer that names something and nothing else
_N = r"[0-9]+(?:\.[0-9]+)?|[零〇一二两三四五六七八九十百半]+"
_UNIT = "周岁|岁|个月|月|公斤|千克|kg|斤|度|℃|周|天|小时|分"
_ABOUT = "大概|大约|差不多|约|快|刚|才|有|是|就|今年|现在|他|她|孩子|宝宝|体重|年龄|体温"
_NUMBER = re.compile(rf"^(?:{_ABOUT})*(?P<n>{_N})(?P<u>{_UNIT})?(?P<half>半)?(?:多|左右|的样子|出头|上下|整|大)*$")
_BAND = re.compile(
    rf"^(?:{_ABOUT})*(?:(?P<less>不到|未满|不满|小于)(?P<a>{_N})(?P<u>{_UNIT})?|(?P<b>{_N})(?P<v>{_UNIT})?(?:到|至|-|~|～|—|或)(?P<c>{_N})(?P<w>{_UNIT})"
    rf"|(?P<d>{_N})(?P<x>{_UNIT})?(?P<side>以上|以下|以内|及以上))$"
)
_UNITS: dict[str, dict[SlotName, float]] = {  # unit → slot and the unit in units of the slot
    "周岁": {"age": 12},
    "岁": {"age": 12},
    "个月": {"age": 1, "duration": 720, "pregnancy": 4.3},
    "月": {"age": 1, "duration": 720, "pregnancy": 4.3},
    "公斤": {"weight": 1},
    "千克": {"weight": 1},
    "kg": {"weight": 1},
    "斤": {"weight": 0.5},
    "度": {"temperature": 1},
    "℃": {"temperature": 1},
    "周": {"pregnancy": 1, "duration": 168},
    "天": {"duration": 24},
    "小时": {"duration": 1},
    "分": {"severity": 1},
}
_BARE: dict[SlotName, tuple[float, float, float]] = {  # slot → unit of a bare number, what it can be at least and at most
    "age": (12, 0, 110),
    "weight": (1, 2, 200),
    "temperature": (1, 34, 43),
    "pregnancy": (1, 1, 42),
    "duration": (24, 0.5, 400),
    "severity": (1, 0, 10),
}
_FRACTIONS: frozenset[SlotName] = frozenset({"weight", "temperature"})  # nobody is 36.8 years old


@dataclass
class Answered:
    """What a turn says as an answer.

    Attributes:
        facts: what it tells of the person who is spoken of; `row`: who that is, if the answer says it.
        questions: ids of those that it answers.
        hidden: spans of the plain text that are read as an answer, and not as a complaint or value of their own.
        taken: whether medicines that it names are being taken; allergens: whether they are what somebody is allergic to.
    """

    facts: list[Fact] = field(default_factory=list)
    rows: list[AnswerRow] = field(default_factory=list)
    questions: set[str] = field(default_factory=set)
    hidden_values: list[tuple[int, int]] = field(default_factory=list)
    hidden_findings: list[tuple[int, int]] = field(default_factory=list)
    taken: bool = False
    allergens: bool = False

    @property
    def person(self) -> Person | None:
        """Whom the answer names."""
        return next((row.person for row in self.rows if row.person), None)


class Questions:
    """The questions of a rulebook and how their answers are read."""

    def __init__(self, book: Rulebook) -> None:
        texts = {plain(text).text: row for row in book.questions for text in (row.text, *row.also)}
        self._finder: Finder[QuestionRow] = Finder(texts)
        self._answers: dict[tuple[str, str], AnswerRow] = {
            (question, _key(word)): row for row in book.answers for question in row.to or ("",) for word in row.words
        }

    def asked(self, text: str) -> list[QuestionRow]:
        """The questions in a reply, in order."""
        return list({hit.value.id: hit.value for hit in self._finder.find(plain(text).text)}.values())

    def read(self, turn: Turn, asked: Sequence[QuestionRow], unasked: Sequence[SlotName] = ()) -> Answered:
        """What a turn answers to the questions that are open.

        Args:
            unasked: what a number with its unit answers though we didn't ask (6个月 of a baby whose age isn't known).
        """
        found = Answered()
        if not asked:
            for span in turn.clauses[:1] if unasked else ():
                fact = _numeric(turn.plain[slice(*span)], unasked)
                if fact is not None and turn.plain[span[1] - 1] in "岁月大":
                    found.facts.append(fact)
                    found.hidden_values.append(span)
            return found
        spans = [(0, len(turn.plain))] if self._row(asked, turn.plain) else list(turn.clauses)
        numbers = [slot for question in asked for slot in question.number]
        for span in spans:
            clause = turn.plain[slice(*span)]
            if row := self._row(asked, clause):
                self._take(found, row, asked, span)
            elif (fact := _numeric(clause, numbers)) is not None:
                found.facts.append(fact)
                found.hidden_values.append(span)
                numbers.remove(fact.slot)
                found.questions |= {question.id for question in asked if fact.slot in question.number}
        if not turn.wants:
            self._named(found, turn, asked)
        return found

    def _row(self, asked: Sequence[QuestionRow], clause: str) -> tuple[AnswerRow, QuestionRow | None] | None:
        for form in dict.fromkeys((clause, _AFTER.sub("", clause), _AFTER.sub("", _BEFORE.sub("", clause)))):
            for question in reversed(asked):
                if row := self._answers.get((question.id, form)):
                    return row, question
            if row := self._answers.get(("", form)):
                return row, None
        return None

    @staticmethod
    def _take(
        found: Answered, answer: tuple[AnswerRow, QuestionRow | None], asked: Sequence[QuestionRow], span: tuple[int, int]
    ) -> None:
        row, question = answer
        found.rows.append(row)
        slots: dict[SlotName, None] = dict.fromkeys([*row.low, *row.high])
        for slot, known in row.sets.items():
            if slot != "*":
                slots[slot] = None
                continue
            meant = dict.fromkeys(slot for one in ([question] if question else asked) for slot in one.slots)
            for one in meant:
                said = known if known != "no" or one in _NEGATABLE else "unknown"
                found.facts.append(Fact(one, said, rest=len(meant) > 1))
        for slot in slots:
            found.facts.append(
                Fact(
                    slot,
                    row.sets.get(slot, "yes"),
                    (row.what[slot],) if slot in row.what else (),
                    low=row.low.get(slot),
                    high=row.high.get(slot),
                )
            )
        if row.sex or row.stage:
            found.facts.append(Fact("sex", "yes" if row.sex else "unknown", sex=row.sex, stage=row.stage))
        found.questions |= {question.id} if question else {one.id for one in asked}
        found.hidden_values.append(span)
        if _HIDES & slots.keys():
            found.hidden_findings.append(span)

    @staticmethod
    def _named(found: Answered, turn: Turn, asked: Sequence[QuestionRow]) -> None:
        """A medicine, an allergen or a disease that is named as the answer."""
        drugs = [one.what for one in turn.statements if isinstance(one.what, Mention) and one.what.kind == "drug"]
        free = next((question for question in reversed(asked) if question.free), None)
        if drugs and (free is None or free.free != "allergies"):
            if any("drugs" in question.slots for question in asked):
                found.taken = True
                found.questions |= {question.id for question in asked if "drugs" in question.slots}
            return
        if free is None or free.free is None or found.facts or len(turn.plain) > _LONGEST_FREE or found.questions:
            return
        if any(isinstance(one.what, Fact) and one.what.slot == free.free for one in turn.statements):
            return
        what = tuple(dict.fromkeys(drug.concept for drug in drugs)) or tuple(_stripped(turn))
        if what:
            found.allergens = free.free == "allergies"
            found.facts.append(Fact(free.free, "yes", what))
            found.questions.add(free.id)


def _key(word: str) -> str:
    return plain(word).text


def _stripped(turn: Turn) -> Iterator[str]:
    for start, end in turn.clauses:
        word = _AFTER.sub("", _BEFORE.sub("", turn.plain[start:end])).removeprefix("对").removesuffix("过敏")
        if len(word) > 1 or "\u4e00" <= word <= "\u9fff":
            yield word


def _numeric(clause: str, slots: Iterable[SlotName]) -> Fact | None:
    """A number or a range that answers one of these slots."""
    clause = _AFTER.sub("", _BEFORE.sub("", clause))
    open_ = list(dict.fromkeys(slots))
    if match := _NUMBER.match(clause):
        told = number(match["n"]) + (0.5 if match["half"] else 0)
        if slot := _slot(match["u"], open_, told):
            return Fact(slot, number=told * _scale(slot, match["u"]))
    if match := _BAND.match(clause):
        unit = match["u"] or match["w"] or match["x"]
        given = [number(match[name]) for name in "abcd" if match[name]]
        if slot := _slot(unit, open_, given[-1]):
            scale = _scale(slot, unit)
            if match["c"]:
                return Fact(slot, low=given[0] * _scale(slot, match["v"] or unit), high=given[1] * scale)
            above = (match["side"] or "").endswith("上")
            return Fact(slot, low=given[0] * scale if above else None, high=None if above else given[0] * scale)
    return None


def _slot(unit: str | None, open_: Sequence[SlotName], told: float) -> SlotName | None:
    if unit:
        return next((slot for slot in open_ if slot in _UNITS.get(unit, {})), None)
    fits = (slot for slot in open_ if slot in _BARE and _BARE[slot][1] <= told <= _BARE[slot][2])
    return next((slot for slot in fits if told == int(told) or slot in _FRACTIONS), None)


def _scale(slot: SlotName, unit: str | None) -> float:
    return _UNITS[unit][slot] if unit else _BARE[slot][0]
