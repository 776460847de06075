"""What a message mentions: findings and medicines, each with its assertion, its person, and how it is; and the values told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from medasst.lexicon.values import Quantity, Value
from medasst.rulebook import Assertion, Person, PersonRow

Kind = Literal["finding", "drug"]


@dataclass(frozen=True, slots=True)
class Mention:
    """One thing that a text mentions.

    Attributes:
        concept: the standard term, a key of the rulebook's tables (a composed finding: part and sensation, 胸痛).
        kind: a finding or a medicine.
        start, end: its place in the text as it was written; `words`: what stands there.
        assertion: in the terms of the 2010 i2b2 challenge.
        person: whose it is.
        broader: every broader concept, its own among them.
        features: how it is (突然, 剧烈, 加重 …), from the words beside it.
        hours: how long it has been going on, if that is told beside it.
        times: how often it came, if that is told beside it.
        pills, grams: how much of a medicine, if that is told beside it: pieces of any form, and its weight.
        allergen: of an allergy, what to.
        cue: the words of the table `context.toml` that say so; empty where nothing was said of it.
        otherwise: what the cues alone say, where the second opinion outvoted them.
    """

    concept: str
    kind: Kind
    start: int
    end: int
    words: str
    assertion: Assertion
    person: Person
    broader: frozenset[str]
    features: frozenset[str] = frozenset()
    hours: float | None = None
    times: float | None = None
    pills: float | None = None
    grams: float | None = None
    allergen: str = ""
    cue: str = ""
    otherwise: Assertion | None = None

    @property
    def current(self) -> bool:
        """Whether the person has it, or may have it, now; the second opinion frees nobody of what the cues see."""
        return self.said_as("present", "possible")

    @property
    def by_cues(self) -> Assertion:
        """What the cues alone say: what frees of a rule goes by it, so that the second opinion frees of none."""
        return self.otherwise or self.assertion

    def said_as(self, *assertions: Assertion) -> bool:
        """Whether the cues say one of these, or, where no cue decided, the second opinion does."""
        return self.by_cues in assertions or (not self.cue and self.assertion in assertions)


@dataclass(frozen=True, slots=True)
class Told:
    """A value and whose it is; its place in the text as it was written."""

    quantity: Quantity
    number: float
    start: int
    end: int
    person: Person


@dataclass(frozen=True, slots=True)
class Someone:
    """A word for a person, and its place in the text as it was written."""

    row: PersonRow
    start: int
    end: int

    @property
    def person(self) -> Person:
        """Who it is."""
        return self.row.person


_Placed = TypeVar("_Placed", Mention, Told, Someone)


@dataclass(frozen=True, slots=True)
class Reading:
    """A text and everything that was found in it, in order.

    Attributes:
        plain: the text as it was matched.
        circumstances: what goes on around the findings; only rules ask for them.
    """

    text: str
    plain: str
    mentions: tuple[Mention, ...]
    values: tuple[Told, ...]
    persons: tuple[Someone, ...]
    circumstances: tuple[Mention, ...] = ()

    def behind(self, place: int) -> Reading:
        """The same with every place counted from `place` characters before its text."""
        if not place:
            return self

        def moved(one: _Placed) -> _Placed:
            return replace(one, start=one.start + place, end=one.end + place)

        lists = (self.mentions, self.values, self.persons, self.circumstances)
        return Reading(self.text, self.plain, *(tuple(map(moved, each)) for each in lists))  # type: ignore[arg-type]

    @classmethod
    def joined(cls, text: str, parts: Sequence[Reading]) -> Reading:
        """The reading of a text from those of its stretches, each placed in it (see `behind`)."""
        return cls(
            text,
            "".join(part.plain for part in parts),
            tuple(one for part in parts for one in part.mentions),
            tuple(one for part in parts for one in part.values),
            tuple(one for part in parts for one in part.persons),
            tuple(one for part in parts for one in part.circumstances),
        )

    def findings(self) -> tuple[Mention, ...]:
        """The mentions of findings."""
        return tuple(mention for mention in self.mentions if mention.kind == "finding")

    def drugs(self) -> tuple[Mention, ...]:
        """The mentions of medicines."""
        return tuple(mention for mention in self.mentions if mention.kind == "drug")


__all__ = ["Assertion", "Kind", "Mention", "Person", "Reading", "Someone", "Told", "Value"]
