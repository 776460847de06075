"""conversation → state: persons, what each has and takes, what was asked and shown. A pure fold; no rule lives here."""

from medasst.dialogue.state import DialogueState, Patient, Said, state

__all__ = ["DialogueState", "Patient", "Said", "state"]
