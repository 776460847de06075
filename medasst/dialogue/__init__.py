"""conversation → state: persons, what each has and takes, what was asked and shown. A pure fold; no rule lives here."""

from medasst.dialogue.patient import UNKNOWN, Patient, Said, Slot
from medasst.dialogue.products import ProductNames, Shown
from medasst.dialogue.state import Asked, Contradiction, DialogueState, of_turns, state

__all__ = [
    "UNKNOWN",
    "Asked",
    "Contradiction",
    "DialogueState",
    "Patient",
    "ProductNames",
    "Said",
    "Shown",
    "Slot",
    "of_turns",
    "state",
]
