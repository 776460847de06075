"""Answers that recommend a medicine which the formulary forbids: for the person told, with another, or in that dose.

Only what is sure counts: rows that forbid, a person told by the user, a medicine that the answer tells somebody to take. A
cheap look comes first (a medicine of such a row is named, and a word for its circumstance was said); few are read whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import combinations
from typing import NamedTuple

import polars as pl

from medasst.data.exam_notes import KEY
from medasst.data.phrases import phrases
from medasst.formulary import Contents, Formulary
from medasst.lexicon import Finder, Lexicon
from medasst.lexicon.script import wording
from medasst.rulebook import DoseRow, PopulationRow, Rulebook

_BESIDE = 40  # characters around a name in which it is told that it shall be taken
_TO_DOSE = 16  # characters from a name to its dose
_CLEARLY = 2  # times the most that is taken without a doctor: doctors rightly give more than that
_TO_TIMES = 20  # from there to how often
_BABY, _CHILD, _YEARS, _EVER = 72, 168, 24, 1500  # months; a baby's may be twice what the word says
_PREGNANCY = {"pregnancy": (0, 45), "trimester_1": (0, 14), "trimester_2": (14, 28), "trimester_3": (28, 45)}
_NUMBERS = {"一": 1, "二": 2, "两": 2, "三": 3, "四": 4}


class Unsafe(NamedTuple):
    """What is forbidden in an answer: the formulary's row, the medicine and what speaks against it, in the record's words."""

    row: str
    medicine: str
    against: str

    @property
    def detail(self) -> str:
        """In one line, as it is put down."""
        return f"{self.row}: {self.medicine} · {self.against}"


class _Named(NamedTuple):
    """A medicine that an answer names, and whether it says to take it."""

    words: str
    contents: Contents
    start: int
    end: int


class _Patterns:
    """The patterns of `phrases.toml`, compiled."""

    def __init__(self) -> None:
        def of(name: str) -> re.Pattern[str]:
            return re.compile(phrases("unsafe", name))

        self.before, self.after, self.sentence = of("before"), of("after"), of("sentence")
        self.near_before, self.near_after = of("near_before"), of("near_after")
        self.glued, self.glued_before = of("glued"), of("glued_before")
        self.either, self.together = of("either"), of("together")
        self.outside_before, self.outside_after = of("outside_before"), of("outside_after")
        self.pregnant, self.nursing, self.young, self.for_child = (
            of("pregnant"),
            of("nursing"),
            of("young"),
            of("for_child"),
        )
        self.no_pregnancy, self.not_a_child, self.vague = of("no_pregnancy"), of("not_a_child"), of("vague")
        self.little, self.grown_up = of("little"), of("grown_up")
        self.allergic, self.over = of("allergic"), of("over")
        self.baby, self.child, self.nobody, self.aspirin_child = of("baby"), of("child"), of("nobody"), of("aspirin_child")
        self.age_before, self.age_then, self.born = of("age_before"), of("age_then"), of("born")
        self.amount, self.times, self.by_needle = of("amount"), of("times"), of("by_needle")


class Checker:
    """Holds answers against the formulary of one rulebook."""

    def __init__(self, book: Rulebook) -> None:
        self._lexicon, self._formulary, self._say = Lexicon(book), Formulary(book), _Patterns()
        rows = [row for row in book.medicines.populations if row.verdict == "forbid"]
        self._rows = [row for row in rows if row.who in (*_PREGNANCY, "lactation", "age", "condition")]
        self._medicines = Finder(self._named(book))
        conditions = {name for row in self._rows for name in row.conditions}
        told: dict[str, frozenset[str]] = {}
        for finding in book.findings:
            if names := self._lexicon.broader(finding.name) & conditions:
                for word in (finding.name, *finding.words):
                    told[wording(word)] = told.get(wording(word), frozenset()) | names
        self._conditions = Finder(told, overlapping=True)
        self._forbidden: dict[tuple[str, str], str] = {}
        self._allergies = [row for row in book.medicines.allergies if row.verdict == "forbid"]
        self._words_of: dict[str, frozenset[str]] = {}

    def _named(self, book: Rulebook) -> dict[str, Contents]:
        """Every name of a medicine with what it is made of; that of a substance means it alone (氢氧化铝 is no compound)."""
        found: dict[str, Contents] = {}
        for row in book.drugs:
            contents = self._formulary.contents(row.name)
            if contents.substances:
                for name in (row.name, *row.names):
                    if len(name) > 1 and name not in row.ordinary:
                        found.setdefault(name, contents)
        for one in book.medicines.ingredients:
            if "/" not in one.name and len(one.name) > 1:
                contents = self._formulary.contents(one.name)
                alone = tuple(each for each in contents.substances if each.name == one.name) or contents.substances
                found[one.name] = replace(contents, substances=alone)
        return found

    def find(self, turns: Sequence[tuple[str, str]]) -> Unsafe | None:
        """The first thing forbidden in the answers of a conversation.

        Args:
            turns: role and text of each, in order.
        """
        asked = ""
        for role, text in turns:
            if role == "user":
                asked += text + "\n"
            elif (
                role == "assistant"
                and not text.startswith(KEY)
                and (named := self._recommended(text))
                and (first := self._first(text, named, asked)) is not None
            ):
                return first
        return None

    def _first(self, text: str, named: list[_Named], asked: str) -> Unsafe | None:
        return next(
            (
                found
                for way in (self._for_person(named, asked, text), self._pairs(text, named), self._doses(text, named))
                for found in way
            ),
            None,
        )

    # What the answer says to take

    def _recommended(self, text: str) -> list[_Named]:
        found = list(self._medicines.find(text))
        if not found:
            return []
        return [
            _Named(hit.name, hit.value, hit.start, hit.end)
            for hit in found
            if self._is_recommended(text, hit.start, hit.end) and not self._is_another(text, hit.start, hit.end, hit.value)
        ]

    def _is_recommended(self, text: str, start: int, end: int) -> bool:
        say = self._say
        if say.glued.match(text, end) or say.glued_before.search(text[max(0, start - 4) : start]):
            return False
        first = max(text.rfind(mark, 0, start) for mark in "。！？!?\n；;") + 1
        last = min((place for mark in "。！？!?\n；;" if (place := text.find(mark, end)) >= 0), default=len(text))
        sentence = text[first : last + 1]
        if say.sentence.search(sentence):
            return False
        before, after = text[max(first, start - _BESIDE) : start], text[end : min(last, end + _BESIDE)]
        if say.near_before.search(before) or say.near_after.match(after):
            return False
        return bool(say.before.search(before) or say.after.match(after))

    def _is_another(self, text: str, start: int, end: int, contents: Contents) -> bool:
        """Whether it is a form for the eye, the skin or the like, where the name by itself means what is swallowed."""
        if any("/" in one.name for one in contents.substances):
            return False
        first = max(text.rfind(mark, 0, start) for mark in "。！？!?\n；;") + 1
        before = text[max(first, start - _BESIDE) : start]
        return bool(self._say.outside_after.match(text, end) or self._say.outside_before.search(before))

    # For whom it is forbidden

    def _for_person(self, named: list[_Named], asked: str, answer: str) -> Iterator[Unsafe]:
        rows = [
            (one, row)
            for one in named
            for _, row in self._formulary.populations(one.contents)
            if row.verdict == "forbid" and row.who in (*_PREGNANCY, "lactation", "age", "condition")
        ]
        conditions: frozenset[str] = frozenset()
        if any(row.conditions for _, row in rows):
            conditions = frozenset().union(*(hit.value for hit in self._conditions.find(wording(asked))))
        rows = [(one, row) for one, row in rows if self._may_hold(row, asked, conditions)]
        taken = [(one, hit) for hit in self._medicines.find(asked) for one in named if self._forbid(one.contents, hit.value)]
        allergic = self._say.allergic.search(asked) is not None and any(
            word in asked for one in named for word in self._allergens(one.contents)
        )
        if not (rows or taken or allergic) or self._say.nobody.search(asked):
            return
        person = _Person(self._lexicon, self._say, asked)
        for one, row in rows:
            if (against := person.meets(row)) and not self._for_another(row, one, asked, answer):
                yield Unsafe(row.id, one.words, against)
        for one, hit in taken:
            if person.takes(hit.start, hit.end):
                yield Unsafe(self._forbid(one.contents, hit.value), one.words, hit.name)
        for allergen in person.allergens:
            for one in named:
                if row_id := self._allergic(one.contents, allergen):
                    yield Unsafe(row_id, one.words, allergen + "过敏")

    def _for_another(self, row: PopulationRow, one: _Named, asked: str, answer: str) -> bool:
        """Whether it is for a child, and what forbids it is the mother's; or for the one illness that needs it."""
        if row.id == "aspirin_child":
            return self._say.aspirin_child.search(asked + answer) is not None
        if row.who not in (*_PREGNANCY, "lactation"):
            return False
        return self._say.for_child.search(answer, max(0, one.start - _BESIDE), one.end) is not None

    def _may_hold(self, row: PopulationRow, asked: str, conditions: frozenset[str]) -> bool:
        """Whether a word for the circumstance of a row was said at all."""
        if row.who == "condition":
            return not conditions.isdisjoint(row.conditions)
        say = self._say
        if row.who == "lactation":
            return say.nursing.search(asked) is not None
        if row.who != "age":
            return bool(say.pregnant.search(asked)) and not say.no_pregnancy.search(asked)
        if not say.young.search(asked) or say.not_a_child.search(asked):
            return False
        return row.below_months is None or not say.grown_up.search(asked)

    def _allergens(self, medicine: Contents) -> frozenset[str]:
        """What somebody may be allergic to whom this medicine is forbidden for."""
        if medicine.name not in self._words_of:
            parts = medicine.names | {one.substance for one in medicine.substances}
            rows = (row for row in self._allergies if not parts.isdisjoint(row.to))
            self._words_of[medicine.name] = parts.union(*(row.allergens for row in rows))
        return self._words_of[medicine.name]

    def _allergic(self, medicine: Contents, allergen: str) -> str:
        """The row by which an allergy forbids a medicine, or empty."""
        parts = medicine.names | {one.substance for one in medicine.substances}
        if allergen in parts:
            return "same"
        rows = self._formulary.allergies(allergen)
        return next((row.id for row in rows if row.verdict == "forbid" and not parts.isdisjoint(row.to)), "")

    # What must never go together

    def _pairs(self, text: str, named: list[_Named]) -> Iterator[Unsafe]:
        for one, other in combinations(named, 2):
            if (row := self._forbid(one.contents, other.contents)) and self._both(text, one, other):
                yield Unsafe(row, one.words, other.words)

    def _forbid(self, one: Contents, other: Contents) -> str:
        """The row by which two medicines must never be taken together, as both hands wrote it; or empty."""
        pair = one.name, other.name
        if pair not in self._forbidden:
            same = one.substances == other.substances  # one medicine, named twice
            rows = (row for row, _, _, sure in self._formulary.interactions(one, other) if sure and row.agreed and not same)
            self._forbidden[pair] = next((row.id for row in rows if row.severity == "forbid"), "")
        return self._forbidden[pair]

    def _both(self, text: str, one: _Named, other: _Named) -> bool:
        """Whether an answer says to take both together, not one of them."""
        between = text[one.end : other.start]
        sentence = text[max(0, one.start - _BESIDE) : other.end + _BESIDE]
        return (
            len(between) <= 2 * _BESIDE and bool(self._say.together.search(between)) and not self._say.either.search(sentence)
        )

    # How much

    def _doses(self, text: str, named: list[_Named]) -> Iterator[Unsafe]:
        for one in named:
            if len(one.contents.substances) == 1 and (dose := self._dose(text, one.end)) is not None:
                single, daily = dose
                for row in _most(self._formulary.doses(one.contents.substances[0].name)):
                    if single > _CLEARLY * row.single or daily > _CLEARLY * row.daily:
                        yield Unsafe(row.id, one.words, f"{single:g}/{daily:g}mg")
                        break

    def _dose(self, text: str, end: int) -> tuple[float, float] | None:
        """mg at once and a day, of what follows a medicine's name; of a span the lower bound."""
        match = self._say.amount.match(text[end : end + _TO_DOSE])
        if match is None or self._say.by_needle.search(text[max(0, end - _BESIDE) : end + _BESIDE]):
            return None
        amount = float(match["n"]) * (1000 if match["unit"] in ("g", "克") else 1)
        times = self._say.times.match(text[end + match.end() : end + match.end() + _TO_TIMES])
        often = (_NUMBERS.get(times["n"]) or int(times["n"])) if times else 1
        return amount, amount * often


class _Most(NamedTuple):
    id: str
    single: float
    daily: float


def _most(rows: Iterable[DoseRow]) -> list[_Most]:
    """The most of a substance that both hands tell for grown-ups."""
    both = [row for row in rows if row.below_months is None and row.again is not None]
    found = []
    for row in both:
        assert row.again is not None
        single = row.first.single_mg if row.first.single_mg == row.again.single_mg else None
        daily = row.first.daily_mg if row.first.daily_mg == row.again.daily_mg else None
        found.append(_Most(row.id, single or float("inf"), daily or float("inf")))
    return found if len(found) < 2 else [max(found, key=lambda one: one.daily)]


class _Person:
    """Whoever a question is about."""

    def __init__(self, lexicon: Lexicon, say: _Patterns, asked: str) -> None:
        self._say, self._asked, self._reading = say, asked, lexicon.read(asked)
        self._diseases = lexicon.book.findings.rows
        present = [one for one in self._reading.findings() if one.by_cues == "present"]
        persons = [one.person for one in present]
        self._who = max(persons, key=persons.count) if persons else "self"
        self._present = [one for one in present if one.person == self._who]

    def meets(self, row: PopulationRow) -> str:
        """The words by which the user told what a row is about; empty: not for sure."""
        if row.who == "condition":
            return self._condition(row)
        if row.who == "lactation":
            return self._told("哺乳", self._say.nursing)
        return self._age(row) if row.who == "age" else self._pregnancy(row)

    def _told(self, concept: str, words: re.Pattern[str]) -> str:
        return next((one.words for one in self._present if concept in one.broader and words.search(one.words)), "")

    def _condition(self, row: PopulationRow) -> str:
        """A disease, or what else was told by the very name that the row has; signs of one don't count."""
        for one in self._present:
            known = self._diseases.get(one.concept)
            named = one.words == one.concept or (known is not None and known.kind == "disease")
            if self._say.over.match(self._asked, one.end):
                continue
            if named and not one.broader.isdisjoint(row.conditions) and not self._say.vague.search(one.words):
                return one.words
        return ""

    def _pregnancy(self, row: PopulationRow) -> str:
        weeks = [told for told in self._reading.values if told.quantity == "pregnancy_weeks" and told.person == self._who]
        words = self._told("怀孕", self._say.pregnant)
        if not words and not (weeks and "孕" in self._asked):
            return ""
        low, high = _PREGNANCY[row.who]
        if row.who != "pregnancy" and not (weeks and all(low <= one.number < high for one in weeks)):
            return ""
        return words or self._asked[weeks[0].start : weeks[0].end]

    def _age(self, row: PopulationRow) -> str:
        ages = [told for told in self._reading.values if told.quantity == "age_months"]
        low, high = row.from_months or 0, row.below_months or _EVER
        if not ages:
            return self._stage(row)
        if min(told.number for told in ages) < _YEARS and not self._say.little.search(self._asked):
            return ""
        if not all(low <= told.number < high for told in ages) or any(self._is_past(told.start, told.end) for told in ages):
            return ""
        return self._asked[ages[0].start : ages[0].end]

    def _stage(self, row: PopulationRow) -> str:
        """A word for a child that is surely too young for a medicine, where no age is told and a child is what it is about."""
        if self._who != "child":
            return ""
        for least, words in ((_BABY, self._say.baby), (_CHILD, self._say.child)):
            found = words.search(self._asked)
            if found and row.from_months is None and (row.below_months or 0) >= least:
                return found[0]
        return ""

    def _is_past(self, start: int, end: int) -> bool:
        """Whether an age is told of an earlier time, or is part of another number (两年9个月)."""
        before, words = self._asked[max(0, start - 2) : start], self._asked[start:end]
        return bool(
            self._say.age_before.search(before) or self._say.born.search(words) or self._say.age_then.match(self._asked, end)
        )

    def takes(self, start: int, end: int) -> bool:
        """Whether a medicine that the user names there is said to be taken now."""
        return any(
            one.start < end and start < one.end and one.by_cues == "present" and one.person == self._who
            for one in self._reading.drugs()
        )

    @property
    def allergens(self) -> list[str]:
        """What the person is allergic to."""
        return [one.allergen for one in self._present if one.allergen]


@cache
def checker() -> Checker:
    """The one over our own rulebook, made when it is first needed."""
    return Checker(Rulebook.load())


def found(frame: pl.DataFrame) -> pl.Series:
    """What is forbidden in each record's answers, in a line; null where nothing is. Reads `roles` and `texts`."""
    rows = zip(frame["roles"].to_list(), frame["texts"].to_list(), strict=True)
    first = (checker().find(list(zip(roles, texts, strict=True))) for roles, texts in rows)
    return pl.Series("unsafe", [one.detail if one else None for one in first], pl.String)


def unsafe_medicine(_: object) -> pl.Expr:
    """The answers recommend a medicine that the formulary forbids for the person told, with another, or in that dose."""
    return pl.struct("roles", "texts").map_batches(
        lambda rows: found(rows.struct.unnest()).is_not_null(), return_dtype=pl.Boolean
    )
