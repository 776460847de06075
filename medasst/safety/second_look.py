"""A second look at a turn of which no rule holds: does it sound like those that were dangerous?

Rules catch what their wordings foresee; lay people tell a danger in ways that nobody listed. The second look weighs every one,
two and three characters of a turn by a linear model (logistic regression over binary character n-grams of unit length,
fitted by benchmarks/second_look.py on messages that were written and labelled for this project), and speaks above a
threshold. It adds a level and never takes one away, and what it weighed can be read, piece by piece, in its tables.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from medasst.dialogue import DialogueState
from medasst.lexicon import Reading, plain
from medasst.rulebook import URGENCY, LookRow, Rulebook, Weights
from medasst.safety.alarm import Alarm

LONGEST = 3  # characters of a piece
_TURNS = 3  # turns that are looked at again, so that a danger isn't forgotten over a question about the price
_SIZE = 400  # characters of a turn that are weighed at once; longer ones in stretches
_LEAST = 4  # characters that tell something; fewer are for the rules
_TOLD = 5  # pieces that are named as the reason
_MARKS = re.compile(r"[^\u4e00-\u9fffa-z]+")


class Score(NamedTuple):
    """How much a text sounds like it (log odds as fitted), and the pieces that said most for it."""

    value: float
    pieces: tuple[str, ...]


class _Found(NamedTuple):
    row: LookRow
    pieces: tuple[str, ...]


def heard(reading: Reading) -> str:
    """What of a turn is weighed: its plain text without marks, without numbers (rules weigh those), and without what is denied,
    over, feared or another's."""
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
        say = book.talk
        self._ends = re.compile(f"(?:{say.over})|(?:{say.harmless})", re.VERBOSE)
        self._asks = re.compile(say.asking, re.VERBOSE)

    def alarm(self, told: DialogueState, alarms: Sequence[Alarm]) -> Alarm | None:
        """What the newest of the last turns sounds like, if that is more urgent than what the rules have of it.

        Args:
            alarms: what the rules have of the conversation.
        """
        known = max((URGENCY.index(alarm.level) for alarm in alarms), default=0)
        for turn in range(told.turn, max(told.turn - _TURNS, -1), -1):
            reading = told.readings[turn]
            if (found := self._heard(reading, known)) is not None:
                return Alarm(found.row, told.current.person, told=turn, pieces=found.pieces)
            over = self._ends.search(reading.plain) and not self._asks.search(reading.plain)
            if over or reading.findings():
                return None  # what came before is told anew, or over
        return None

    def _heard(self, reading: Reading, known: int) -> _Found | None:
        """The most urgent row above a level that a turn sounds like."""
        if len(text := heard(reading)) < _LEAST:
            return None
        for row in self._rows:
            weights = self._weights[row.weights]
            stretches = [text[place : place + _SIZE] for place in range(0, len(text), _SIZE // 2)]
            value, said = max(score(stretch, weights) for stretch in stretches)
            if URGENCY.index(row.level) > known and value >= row.threshold:
                return _Found(row, said)
        return None
