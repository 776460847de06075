"""What a conversation has told so far, person by person: a pure fold over its user turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from medasst.lexicon import Lexicon, Mention, Reading
from medasst.lexicon.values import Quantity
from medasst.rulebook import Person, Sex, Stage


@dataclass(frozen=True, slots=True)
class Said:
    """A mention and the user turn (from 0) that it stands in."""

    turn: int
    mention: Mention


@dataclass(frozen=True, slots=True)
class Patient:
    """One person of the conversation as told so far.

    Attributes:
        said: every mention of this person, in order.
        values: the newest number told of each quantity.
        sex, stage: from the words for the person, and from the age.
    """

    person: Person
    said: tuple[Said, ...] = ()
    values: Mapping[Quantity, float] = field(default_factory=dict)
    sex: Sex | None = None
    stage: Stage | None = None


@dataclass(frozen=True, slots=True)
class DialogueState:
    """What is known after the last user turn.

    Attributes:
        patients: everybody spoken of, in the order in which they came up.
        readings: what was read in each user turn.
    """

    patients: tuple[Patient, ...]
    readings: tuple[Reading, ...]

    @property
    def turn(self) -> int:
        """The number of the last user turn."""
        return len(self.readings) - 1


def state(turns: Sequence[str], lexicon: Lexicon) -> DialogueState:
    """Fold user turns into a state."""
    readings = tuple(lexicon.read(turn) for turn in turns)
    said: dict[Person, list[Said]] = {}
    values: dict[Person, dict[Quantity, float]] = {}
    words: dict[Person, tuple[Sex | None, Stage | None]] = {}
    for number, reading in enumerate(readings):
        for someone in reading.persons:
            sex, stage = words.get(someone.person, (None, None))
            words[someone.person] = someone.row.sex or sex, someone.row.stage or stage
        for mention in reading.mentions:
            said.setdefault(mention.person, []).append(Said(number, mention))
        for told in reading.values:
            values.setdefault(told.person, {})[told.quantity] = told.number
    people = dict.fromkeys([*said, *values])
    return DialogueState(
        tuple(
            _patient(person, said.get(person, ()), values.get(person, {}), words.get(person, (None, None))) for person in people
        ),
        readings,
    )


def _patient(
    person: Person, said: Sequence[Said], values: Mapping[Quantity, float], words: tuple[Sex | None, Stage | None]
) -> Patient:
    sex, stage = words
    return Patient(person, tuple(said), dict(values), sex, stage_of(values.get("age_months")) or stage)


def stage_of(months: float | None) -> Stage | None:
    """The stage of life at an age: an infant until its first birthday, a child until 18 years, elderly from 65."""
    bounds: tuple[tuple[float, Literal["infant", "child", "adult"]], ...] = ((12, "infant"), (216, "child"), (780, "adult"))
    if months is None:
        return None
    return next((stage for bound, stage in bounds if months < bound), "elderly")
