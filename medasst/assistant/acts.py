"""What a reply does, before it has words: acts in order. The policy chooses them, the composer says them.

Sentences in an act are whole, in the shopper's language, from tables, leaflets or the shop; nothing is worded in code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from medasst.assistant.events import Severity
from medasst.catalogue import Product, Section
from medasst.rulebook import QuestionRow


@dataclass(frozen=True, slots=True)
class Warn:
    """What must be known first: a danger with where to go, or what speaks against a medicine.

    Attributes:
        rule, version: the rule that says so.
        text: for the shopper; with where to go, by when and first aid where it is a danger.
        alarm: whether it sends somebody to a doctor; then no product is shown beside it.
    """

    rule: str
    severity: Severity
    text: str
    version: str
    alarm: bool = False


@dataclass(frozen=True, slots=True)
class Inquire:
    """A question back."""

    question: QuestionRow


@dataclass(frozen=True, slots=True)
class Advise:
    """What helps without a medicine, and when to see a doctor.

    Attributes:
        complaint: what it is for, in the shopper's words.
        doctor: when to see one; a safety net, said after what is offered.
    """

    complaint: str
    sentences: tuple[str, ...]
    doctor: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """A product from stock for this person.

    Attributes:
        reason: why it, a phrase that follows its name.
        caution: the one thing to mind; "" without.
        how: how this person takes it, as its leaflet says; "" where the leaflet doesn't tell.
        section: the leaflet section behind `how`, else that behind the reason.
    """

    product: Product
    reason: str
    caution: str = ""
    how: str = ""
    section: Section | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A document and its section."""

    document: str
    section: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What was asked for: a leaflet's section, a price, what is in stock, a shop matter, a vetted answer; what is to be told.

    Attributes:
        products: those to show beside it.
        brief: what is said where most of `sentences` stands in an earlier reply; "" for nothing.
        otherwise: whether it is said only where the reply says nothing else.
    """

    sentences: tuple[str, ...]
    sources: tuple[Source, ...] = ()
    products: tuple[Product, ...] = ()
    brief: str = ""
    otherwise: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """An adverse reaction that was told: what is passed on to a pharmacist, and what to do now.

    Attributes:
        medicine, reaction, onset, severity: as it was told; "" where it wasn't.
    """

    medicine: str
    reaction: str
    onset: str
    severity: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refer:
    """What only a prescription or somebody else can give: the pharmacist, a doctor, another counter.

    Attributes:
        reason: for the operator: a rule, or `unknown`.
    """

    reason: str
    sentences: tuple[str, ...]
    kind: Literal["prescription", "pharmacist", "decline"] = "pharmacist"


Act = Warn | Inquire | Advise | Offer | Answer | Record | Refer
