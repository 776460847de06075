"""One person of a conversation: what was said of it, and its slots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from medasst.lexicon import Mention
from medasst.rulebook import Known, Person, Quantity, Sex, SlotName, Stage


@dataclass(frozen=True, slots=True)
class Said:
    """A mention and the user turn (from 0) that it stands in.

    Attributes:
        resolved_by: the later turn that told that it is over or was seen by a doctor; None: it stands.
        resolved: "seen": a doctor saw it, and nothing came of it; "over": it is gone, or was taken back; "mistaken": it was
            never meant (打错了，是膝盖疼).
    """

    turn: int
    mention: Mention
    resolved_by: int | None = None
    resolved: Literal["", "over", "seen", "mistaken"] = ""


@dataclass(frozen=True, slots=True)
class Slot:
    """What is known of one thing about a person.

    Attributes:
        known: "yes" with what it is below, "no" where it was denied (没有过敏), "unknown" where nobody said.
        what: what it is, in standard terms where there are any: allergens, diseases, medicines, 开车, 干咳, 重. May be empty
            although `known` is "yes" (有过敏: to what wasn't said).
        number: age in months, weight in kg, duration in hours, temperature in °C, week of pregnancy, severity of ten.
        low, high: what the number is not below and not above, where only that was said (12岁以上).
        turn: the user turn (from 0) that said so; None where nobody did.
        unsure: the shopper was asked and doesn't know.
    """

    known: Known = "unknown"
    what: tuple[str, ...] = ()
    number: float | None = None
    low: float | None = None
    high: float | None = None
    turn: int | None = None
    unsure: bool = False


UNKNOWN = Slot()


@dataclass(frozen=True, slots=True)
class Patient:
    """One person of the conversation as told so far.

    Attributes:
        said: every mention of this person, in order.
        values: the newest number told of each quantity.
        sex, stage: from the words for the person, from what was answered, and from the age.
        slots: what is known; a slot that is not in it is unknown, see `slot`.
        named: whether the shopper said who it is; False for whoever complains without a word for a person.
    """

    person: Person
    said: tuple[Said, ...] = ()
    values: Mapping[Quantity, float] = field(default_factory=dict)
    sex: Sex | None = None
    stage: Stage | None = None
    slots: Mapping[SlotName, Slot] = field(default_factory=dict)
    named: bool = False

    def slot(self, name: SlotName) -> Slot:
        """What is known of this; unknown where nothing is."""
        return self.slots.get(name, UNKNOWN)


def stage_of(months: float | None) -> Stage | None:
    """The stage of life at an age: an infant until its first birthday, a child until 18 years, elderly from 65."""
    bounds: tuple[tuple[float, Literal["infant", "child", "adult"]], ...] = ((12, "infant"), (216, "child"), (780, "adult"))
    if months is None:
        return None
    return next((stage for bound, stage in bounds if months < bound), "elderly")
