"""What a conversation has told so far, person by person: a pure fold over its user turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from medasst.conversation import Message
from medasst.dialogue.patient import Patient, Said, stage_of
from medasst.dialogue.products import ProductNames
from medasst.lexicon import Lexicon, Reading
from medasst.lexicon.values import Quantity
from medasst.rulebook import Person, QuestionRow, Sex, SlotName, Stage


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that stands in one of our replies.

    Attributes:
        turn: the user turn (from 0) that it was asked after; -1: before the first.
        answered: whether a later turn filled one of its slots, or said not to know.
    """

    question: QuestionRow
    turn: int
    answered: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """A product that one of our replies names; `turn` as in `Asked`, `number` from 1 within that reply."""

    name: str
    turn: int
    number: int


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two user turns that can't both be true of a person, to be asked about."""

    person: Person
    slot: SlotName
    first: int
    second: int


@dataclass(frozen=True, slots=True)
class DialogueState:
    """What is known after the last user turn.

    Attributes:
        patients: everybody spoken of, in the order in which they came up.
        readings: what was read in each user turn.
        current: whom the last turn is about.
        asked: every question that our replies asked, in order.
        shown: every product that our replies name, in order.
        refers: the products that the last turn speaks of, by name or by place (第二个, 刚才那个).
        contradictions: what was said both ways.
    """

    patients: tuple[Patient, ...]
    readings: tuple[Reading, ...]
    current: Patient
    asked: tuple[Asked, ...] = ()
    shown: tuple[Shown, ...] = ()
    refers: tuple[str, ...] = ()
    contradictions: tuple[Contradiction, ...] = ()

    @property
    def turn(self) -> int:
        """The number of the last user turn."""
        return len(self.readings) - 1

    def patient(self, person: Person) -> Patient:
        """A person of the conversation; of whom nothing was said, nothing is known."""
        return next((patient for patient in self.patients if patient.person == person), Patient(person))

    def was_asked(self, slot: SlotName) -> bool:
        """Whether one of our replies asked for this."""
        return any(slot in asked.question.slots for asked in self.asked)


def state(messages: Sequence[Message], lexicon: Lexicon, names: ProductNames | None = None) -> DialogueState:
    """Fold a conversation into what is known.

    Args:
        messages: user and assistant messages in order; others are skipped. Of our own replies only the questions and the
            products' names in them count: what they warn of is nothing that the shopper said.
        names: the catalogue's names; None: no product is looked for.
    """
    return _folded([message.content for message in messages if message.role == "user"], lexicon)


def of_turns(turns: Sequence[str], lexicon: Lexicon) -> DialogueState:
    """The state after these user turns, whatever was replied."""
    return state([Message("user", turn) for turn in turns], lexicon)


def _folded(turns: Sequence[str], lexicon: Lexicon) -> DialogueState:
    readings = tuple(lexicon.read(turn) for turn in turns)
    said: dict[Person, list[Said]] = {}
    values: dict[Person, dict[Quantity, float]] = {}
    words: dict[Person, tuple[Sex | None, Stage | None]] = {}
    for number, reading in enumerate(readings):
        for someone in reading.persons:
            sex, stage = words.get(someone.person, (None, None))
            words[someone.person] = someone.row.sex or sex, someone.row.stage or stage
        for mention in (*reading.mentions, *reading.circumstances):
            said.setdefault(mention.person, []).append(Said(number, mention))
        for told in reading.values:
            values.setdefault(told.person, {})[told.quantity] = told.number
    people = dict.fromkeys([*said, *values])
    patients = tuple(
        _patient(person, said.get(person, ()), values.get(person, {}), words.get(person, (None, None))) for person in people
    )
    return DialogueState(patients, readings, patients[-1] if patients else Patient("self"))


def _patient(
    person: Person, said: Sequence[Said], values: Mapping[Quantity, float], words: tuple[Sex | None, Stage | None]
) -> Patient:
    sex, stage = words
    return Patient(person, tuple(said), dict(values), sex, stage_of(values.get("age_months")) or stage)
