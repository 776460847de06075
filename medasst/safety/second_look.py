"""A second look at a turn of which no rule holds: does it sound like those that were dangerous?

Rules catch what their wordings foresee; lay people tell a danger in ways that nobody listed. The second look weighs every one,
two and three characters of a turn by a linear model (logistic regression over binary character n-grams of unit length,
fitted by benchmarks/second_look.py on messages that were written and labelled for this project), and speaks above a
threshold. It adds a level and never takes one away, and what it weighed can be read, piece by piece, in its tables.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from medasst.dialogue import DialogueState
from medasst.lexicon import Reading, plain
from medasst.rulebook import URGENCY, LookRow, Rulebook, Weights
from medasst.safety.alarm import Alarm

LONGEST = 3  # characters of a piece
_SIZE = 400  # characters of a turn that are weighed at once; longer ones in stretches
_TOLD = 5  # pieces that are named as the reason
_MARKS = re.compile(r"[^\u4e00-\u9fffa-z0-9]+")


class Score(NamedTuple):
    """How much a text sounds like it (log odds as fitted), and the pieces that said most for it."""

    value: float
    pieces: tuple[str, ...]


def heard(reading: Reading) -> str:
    """What of a turn is weighed: its plain text without marks, and without what is denied, over, feared or another's."""
    kept, place = [], 0
    for mention in reading.mentions:
        if mention.kind == "finding" and not mention.current:
            kept.append(reading.text[place : mention.start])
            place = max(place, mention.end)
    return _MARKS.sub("", plain("".join([*kept, reading.text[place:]])).text)


def pieces(text: str) -> set[str]:
    """Its runs of one to three characters."""
    return {text[start : start + size] for size in range(1, LONGEST + 1) for start in range(len(text) - size + 1)}


def score(text: str, weights: Weights) -> Score:
    """What the pieces of a `heard` text weigh together."""
    known = {piece: weights.pieces[piece] for piece in pieces(text) if piece in weights.pieces}
    value = weights.bias + sum(known.values()) / math.sqrt(len(known) or 1)
    most = sorted((piece for piece in known if len(piece) > 1), key=lambda piece: -known[piece])
    return Score(value, tuple(most[:_TOLD]))


class SecondLook:
    """Looks at turns by the rows and weights of a rulebook; without rows it never speaks."""

    def __init__(self, book: Rulebook) -> None:
        self._rows = sorted(book.looks, key=lambda row: -URGENCY.index(row.level))
        self._weights = book.weights

    def alarm(self, told: DialogueState, alarms: list[Alarm]) -> Alarm | None:
        """What the last turn sounds like, if that is more urgent than what the rules have of it.

        Args:
            alarms: what the rules have of the conversation.
        """
        person = told.current
        if any(said.resolved_by == told.turn for said in person.said):
            return None  # the turn tells that it is over, or seen by a doctor
        known = [URGENCY.index(alarm.level) for alarm in alarms if alarm.turn in (None, told.turn)]
        rows = [row for row in self._rows if URGENCY.index(row.level) > max(known, default=0)]
        text = heard(told.readings[-1])
        for row in rows:
            found = self._score(text, row)
            if found.value >= row.threshold:
                return Alarm(row, person.person, told=told.turn, pieces=found.pieces)
        return None

    def _score(self, text: str, row: LookRow) -> Score:
        """Of the stretch that sounds most like it."""
        stretches = [text[place : place + _SIZE] for place in range(0, len(text) or 1, _SIZE // 2)]
        return max(score(stretch, self._weights[row.weights]) for stretch in stretches)
