"""One user turn as the fold takes it: what it states, where, and of whom as far as the turn itself tells."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, TypeAlias

from medasst.dialogue.resolution import Resolution, Resolutions
from medasst.dialogue.spans import Spans
from medasst.lexicon import Lexicon, Mention, Reading, Told
from medasst.lexicon.script import Script, plain
from medasst.lexicon.values import number
from medasst.rulebook import Known, Person, PersonRow, Quantity, Sex, SlotName, Stage, Talk, ToldRow

Who: TypeAlias = Person | Literal["he", "she", "one"]
OF_QUANTITY: Mapping[Quantity, SlotName] = {
    "age_months": "age",
    "weight_kg": "weight",
    "temperature": "temperature",
    "pregnancy_weeks": "pregnancy",
    "hours": "duration",
}
_HIDES: frozenset[SlotName] = frozenset({"allergies", "conditions", "drugs"})  # slots whose wordings are no complaint
_CACHED, _LONGEST_CACHED = 512, 2000
_BEFORE = 16  # characters before a word that may change what it means
_OWN = re.compile("我(?:们|家)?(?:的|那)?$")
_WHOSE = re.compile("(?:多|半|大)?的?")
_ENDS = re.compile(r"[。！？!?\n；;]")
_CLAUSE_ENDS = re.compile(r"[,，。;；!！?？\n、~～…]+")


@dataclass(frozen=True, slots=True)
class Fact:
    """Something for a slot; columns as in `Slot`.

    Attributes:
        sex, stage: what it tells of the person besides.
        rest: it is only of what wasn't said before: 都没有 after a question for several things takes nothing back.
        complaint: it only counts of somebody who has a complaint.
    """

    slot: SlotName
    known: Known = "yes"
    what: tuple[str, ...] = ()
    number: float | None = None
    low: float | None = None
    high: float | None = None
    sex: Sex | None = None
    stage: Stage | None = None
    rest: bool = False
    complaint: bool = False


@dataclass(frozen=True, slots=True)
class Called:
    """A word for a person, and what it tells of that person."""

    sex: Sex | None
    stage: Stage | None


@dataclass(frozen=True, slots=True)
class Around:
    """What goes on around somebody's findings."""

    mention: Mention


Payload: TypeAlias = Mention | Told | Fact | Called | Around | Resolution


@dataclass(frozen=True, slots=True)
class Statement:
    """Something stated at a place of the plain text.

    Attributes:
        who: of whom; empty where the turn doesn't tell.
    """

    place: int
    who: tuple[Who, ...]
    what: Payload


@dataclass(frozen=True, slots=True)
class Marker:
    """A word for a person in the plain text.

    Attributes:
        meant: whether advice may be sought for this one.
        corrected: whether all that was said so far is this one's (说错了，是我爱人).
        behalf: whether it says for whom something is wanted (给我爸买药).
    """

    start: int
    end: int
    who: tuple[Who, ...]
    row: PersonRow | None = None
    meant: bool = True
    corrected: bool = False
    behalf: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """A user turn.

    Attributes:
        plain: the text as it was matched; `clauses`: spans of its clauses.
        myself: whether the shopper speaks of herself in so many words.
        slip: whether something said before is taken back; `mistyped`: all that the turn before complained of.
        other_matter: whether it begins with something else (另外…).
        wants: whether it asks for something, and so answers nothing.
        parts: the parts of the body that it names; `swapped`: two of them, where it was the second and not the first.
    """

    reading: Reading
    plain: str
    clauses: tuple[tuple[int, int], ...]
    statements: tuple[Statement, ...]
    markers: tuple[Marker, ...]
    myself: bool
    slip: bool
    mistyped: bool
    other_matter: bool
    wants: bool
    parts: tuple[str, ...]
    swapped: tuple[str, str] | None

    @property
    def complains(self) -> bool:
        """Whether something is told that somebody has now."""
        return any(isinstance(one.what, Mention) and one.what.kind == "finding" and one.what.current for one in self.statements)


class TurnReader:
    """Reads user turns by one rulebook; what was read of a short turn is kept, up to a bound."""

    def __init__(self, lexicon: Lexicon) -> None:
        book = lexicon.book
        self._lexicon, self._say = lexicon, _Compiled(book.talk)
        self._told = [(row, re.compile(row.pattern, re.VERBOSE)) for row in book.told]
        self._denials = _Denials(book.talk, {row.name: row.noun for row in book.slots})
        self._resolutions = Resolutions(book.talk, book.composition)
        self._kept = lru_cache(maxsize=_CACHED)(self._read)

    def read(self, text: str) -> Turn:
        """What a turn states. Any text will do; time grows in proportion to it."""
        return self._kept(text) if len(text) <= _LONGEST_CACHED else self._read(text)

    def moved(self, mention: Mention, wrong: str, right: str) -> tuple[Mention, ...]:
        """The findings that a mention is if it is of another part of the body; none where it isn't of the wrong one."""
        words = plain(mention.words).text
        read = self._lexicon.read(words.replace(wrong, right)).findings() if wrong in words else ()
        return tuple(
            replace(
                one, person=mention.person, assertion=mention.assertion, otherwise=mention.otherwise, features=mention.features
            )
            for one in read
        )

    def _read(self, text: str) -> Turn:
        reading, script = self._lexicon.read(text), plain(text)
        said = script.text
        markers = self._markers(reading, script)
        whose = _Whose(said, markers)
        facts = [*self._wordings(said), *self._denials.find(said), *self._ages(said, markers)]
        hidden = [span for span, fact in facts if fact.slot in _HIDES]
        statements = [Statement(span[0], whose.within(*span) or whose.at(span[0]), fact) for span, fact in facts]
        statements += self._mentions(reading, script, whose, hidden)
        statements += self._values(reading, script, whose)
        statements += [Statement(m.start, m.who[-1:], Called(m.row.sex, m.row.stage)) for m in markers if m.row]
        over = self._resolutions.find(said, reading, script.at)
        first = min((place for place, _ in over), default=0)
        statements += [Statement(first if what.how == "seen" else place, whose.at(place), what) for place, what in over]
        statements.sort(key=lambda one: one.place)
        say = self._say
        return Turn(
            reading=reading,
            plain=said,
            clauses=tuple(_clauses(script)),
            statements=tuple(statements),
            markers=markers,
            myself=bool(say["myself"].search(said)),
            slip=bool(say["slip"].search(said)),
            mistyped=bool(say["mistyped"].search(said)),
            other_matter=bool(say["other_matter"].search(said)),
            wants=bool(say["wants"].search(said)),
            parts=self._resolutions.parts(said),
            swapped=self._resolutions.swapped(said),
        )

    def _markers(self, reading: Reading, script: Script) -> tuple[Marker, ...]:
        said, say = script.text, self._say
        found: list[Marker] = []
        for one in reading.persons:
            start, end = bisect_left(script.at, one.start), bisect_left(script.at, one.end)
            before = _OWN.sub("", said[max(0, start - _BEFORE) : start])
            corrected = bool(say["corrected_to"].search(before) or say["corrected_from"].match(said, end))
            last = found[-1] if found else None
            if last is not None and last.end == start and last.who[0] == "self" and one.person != "self":
                found.pop()  # 我岳母 is one person
                last = None
            if one.row.refers:
                found.append(Marker(start, end, (_referred(said[start:end]),)))
                continue
            if say["not_this_one"].search(before) and not corrected:
                continue
            if one.person == "self" and not corrected:
                own = last is not None and last.end == start and last.who[0] != "self"  # 他自己, 孩子自己
                if own or say["speaker"].match(said, start):
                    continue
            behalf = bool(say["on_behalf"].search(before))
            meant = behalf or corrected or not one.row.someone_else
            found.append(Marker(start, end, (one.person,), one.row, meant, corrected, behalf))
        return tuple(self._joined(said, found))

    def _joined(self, said: str, markers: Sequence[Marker]) -> Iterator[Marker]:
        """我和我老婆都感冒了: what follows is said of both."""
        for number_, marker in enumerate(markers):
            before = markers[number_ - 1] if number_ else None
            if (
                before is not None
                and marker.start - before.end <= 4
                and self._say["together"].fullmatch(said, before.end, marker.start)
                and self._say["all_of_them"].match(said, marker.end)
            ):
                yield replace(marker, who=(*before.who, *marker.who))
            else:
                yield marker

    def _wordings(self, said: str) -> Iterator[tuple[tuple[int, int], Fact]]:
        """What is told in the wordings of the table; of a slot's wordings in one place the first row's counts."""
        taken: dict[SlotName, list[tuple[int, int]]] = {}
        for row, pattern in self._told:
            mine = taken.setdefault(row.slot, [])
            for match in pattern.finditer(said):
                if not any(start < match.end() and match.start() < end for start, end in mine[-8:]):
                    mine.append(match.span())
                    yield match.span(), _fact(row)

    def _ages(self, said: str, markers: Sequence[Marker]) -> Iterator[tuple[tuple[int, int], Fact]]:
        """Ages without a word for it: 我妈70了, 26男."""
        for marker in markers:
            match = self._say["bare_age"].match(said, marker.end)
            if match is None:
                continue
            years = number(match["n"])
            # 34 to 42 beside a child is a temperature.
            if (2 <= years <= 110) and not (marker.who[-1] == "child" and years > 18):
                yield match.span("n"), Fact("age", number=12 * years)
        for match in self._say["age_by_sex"].finditer(said):
            group = match.lastgroup or "n"
            if 1 <= number(match[group]) <= 110:
                yield match.span(group), Fact("age", number=12 * number(match[group]))

    def _mentions(
        self, reading: Reading, script: Script, whose: _Whose, hidden: Sequence[tuple[int, int]]
    ) -> Iterator[Statement]:
        told_otherwise = Spans(hidden)
        on_behalf = any(marker.behalf for marker in whose.markers)
        for mention in reading.mentions:
            place, end = bisect_left(script.at, mention.start), bisect_left(script.at, mention.end)
            if told_otherwise.overlap(place, end):
                continue
            marker = whose.marker(place)
            who = marker.who if marker else ()
            if mention.person != "self" and (marker is None or marker.row is not None) and len(who) < 2:
                who = (mention.person,)
            sought = on_behalf and mention.said_as("someone_else")
            yield Statement(place, who, replace(mention, assertion="present", otherwise=None) if sought else mention)
        for mention in reading.circumstances:
            place = bisect_left(script.at, mention.start)
            yield Statement(place, whose.at(place), Around(mention))

    def _values(self, reading: Reading, script: Script, whose: _Whose) -> Iterator[Statement]:
        said, say = script.text, self._say
        drugs, findings = (
            Spans((bisect_left(script.at, m.start), bisect_left(script.at, m.end)) for m in reading.mentions if m.kind == kind)
            for kind in ("drug", "finding")
        )
        clauses = list(_clauses(script))
        for value in reading.values:
            place, end = bisect_left(script.at, value.start), bisect_left(script.at, value.end)
            before = said[max(0, place - _BEFORE) : place]
            if say["not_that"].search(before):
                continue
            who = whose.within(place, end) or whose.at(place)
            if value.quantity == "age_months":  # 三岁的孩子
                behind = _WHOSE.match(said, end)
                who = whose.begins(end, behind.end() if behind else end) or who
            less = bool(say["less_than"].search(before))
            amount = _just_below(value.quantity, value.number) if less else value.number
            if value.quantity == "hours" and (say["often_after"].match(said, end) or say["often_before"].search(before)):
                continue
            yield Statement(place, who, replace(value, number=amount))
            slot = OF_QUANTITY.get(value.quantity)
            if slot is not None:
                if slot == "duration" and _of_medicine(place, clauses, drugs, findings):
                    continue
                high = value.number if less else None
                yield Statement(place, who, Fact(slot, number=amount, high=high, complaint=slot == "duration"))


class _Compiled:
    """The table's regular expressions by name."""

    def __init__(self, say: Talk) -> None:
        self._patterns = {
            name: re.compile(getattr(say, name), re.VERBOSE) for name in say.__dataclass_fields__ if name != "not_a_pronoun"
        }

    def __getitem__(self, name: str) -> re.Pattern[str]:
        return self._patterns[name]


class _Denials:
    """没有药物过敏和慢性病; 过敏、慢性病都没有: the slots that are denied."""

    def __init__(self, say: Talk, nouns: Mapping[SlotName, str]) -> None:
        each = "|".join(f"(?:{noun})" for noun in nouns.values())
        self._nouns = [(slot, re.compile(noun, re.VERBOSE)) for slot, noun in nouns.items()]
        again = f"(?:(?:{say.listing})*(?:{say.deny}|{say.deny_filler})*(?:{each}))"
        self._before = re.compile(f"(?:{say.deny})(?:{say.deny_filler})*(?:{each}){again}{{0,5}}", re.VERBOSE)
        self._after = re.compile(f"(?:{each}){again}{{0,5}}(?:{say.denied_after})", re.VERBOSE)

    def find(self, said: str) -> Iterator[tuple[tuple[int, int], Fact]]:
        for pattern in (self._before, self._after):
            for match in pattern.finditer(said):
                for slot, noun in self._nouns:
                    for one in noun.finditer(said, match.start(), match.end()):
                        yield one.span(), Fact(slot, "no")


class _Whose:
    """Whose something at a place is: of the person named last before it, or of the first one behind it in its sentence."""

    def __init__(self, said: str, markers: Sequence[Marker]) -> None:
        self.markers = markers
        self._starts, self._stops = [m.start for m in markers], [m.end for m in markers]
        self._ends = [match.start() for match in _ENDS.finditer(said)]

    def marker(self, place: int) -> Marker | None:
        number_ = bisect_right(self._stops, place)
        if number_:
            return self.markers[number_ - 1]
        after = bisect_left(self._starts, place)
        if after == len(self.markers):
            return None
        start = self._starts[after]
        return None if bisect_left(self._ends, place) < bisect_left(self._ends, start) else self.markers[after]

    def within(self, start: int, end: int) -> tuple[Who, ...]:
        """Of what names the person in its own words: 儿子才3个月."""
        before = bisect_left(self._starts, end)
        return self.markers[before - 1].who if before and self._stops[before - 1] > start else ()

    def begins(self, start: int, end: int) -> tuple[Who, ...]:
        """Of a person whose word begins here."""
        number_ = bisect_left(self._starts, start)
        return self.markers[number_].who if number_ < len(self._starts) and self._starts[number_] <= end else ()

    def at(self, place: int) -> tuple[Who, ...]:
        marker = self.marker(place)
        return marker.who if marker else ()


def _referred(word: str) -> Who:
    """The sex that a word for somebody named before tells of; ta tells none."""
    return "she" if "她" in word or word == "she" else "he" if "他" in word or word == "he" else "one"


def _fact(row: ToldRow) -> Fact:
    return Fact(
        row.slot,
        row.known,
        (row.what,) if row.what else (),
        row.number,
        sex=row.sex,
        complaint=row.slot in ("duration", "severity", "cough"),
    )


def _just_below(quantity: Quantity, amount: float) -> float:
    """不到三个月: what a rule with that bound must hold of."""
    return max(amount - (1.0 if quantity == "age_months" and amount >= 12 else 0.1), 0.0)


def _of_medicine(place: int, clauses: Sequence[tuple[int, int]], drugs: Spans, findings: Spans) -> bool:
    """Whether a time stands in a clause with a medicine and no complaint: 吃了半个月氨氯地平."""
    clause = clauses[max(0, bisect_right(clauses, place, key=lambda span: span[0]) - 1)] if clauses else (place, place)
    return drugs.overlap(*clause) and not findings.overlap(*clause)


def _clauses(script: Script) -> Iterator[tuple[int, int]]:
    """Clauses end at marks, and at blanks between Chinese characters."""
    said = script.text
    cuts = {match.start(): match.end() for match in _CLAUSE_ENDS.finditer(said)}
    for place in script.blank_before:
        cuts.setdefault(place, place)
    start = 0
    for place in sorted(cuts):
        if place > start:
            yield start, place
        start = max(start, cuts[place])
    if start < len(said):
        yield start, len(said)
