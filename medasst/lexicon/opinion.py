"""A second opinion on what is said of a mention: what its whole message sounds like, weighed, where cues say little.

Cues and scopes hold what their wordings foresee; in messages by a new hand, three mistakes in five are mentions that no cue
reaches. The opinion looks at the shape of a message around a mention. What it sees are *pieces*: runs of characters of its own
clause, of those beside it and of the rest, with every mention, person and number as one sign; the same of a *skeleton*, in
which words of time, doubt, denial, asking, taking (`[[sign]]` rows of `opinion.toml`) are one sign each and all other words are
left out; and whose it is among those who are spoken of. Each piece weighs for or against each assertion (softmax regression,
fitted by benchmarks/opinion.py on the labelled suites); what the cues say is one vote more.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple, get_args

from medasst.lexicon.finder import Hit
from medasst.lexicon.script import Script
from medasst.rulebook import Assertion, Person, PersonRow, Rulebook, Voices

ASSERTIONS: tuple[Assertion, ...] = get_args(Assertion)
_NUMBERS = re.compile("[0-9一二两三四五六七八九十半几]")
_PERSONS = re.compile("[SCHOR]")
_MENTIONS = re.compile("[FD]")
_MOST = 16  # mentions of a window; where there are more, nobody tells of himself, and the cues alone are heard
_ASKS = re.compile("[吗么?]|怎么|能不能|什么|要不要")


class Spoken(NamedTuple):
    """A mention as the opinion sees it.

    Attributes:
        start, end: its place in the plain text.
        finding: what kind of finding it is; empty for a medicine, or where no table holds it.
    """

    start: int
    end: int
    medicine: bool
    finding: str
    person: Person


class Shape:
    """A message as signs: F a finding, D a medicine; S who writes, C a child, R one of his house, O somebody else, H 他 or 她.

    Args:
        clause_end: marks that end a clause.
        skeleton: the signs of a text, each with its place.
    """

    def __init__(
        self,
        script: Script,
        mentions: Sequence[Spoken],
        persons: Sequence[Hit[PersonRow]],
        clause_end: frozenset[str],
        skeleton: Callable[[str], list[tuple[int, str]]],
    ) -> None:
        spans = [(one.start, one.end, "D" if one.medicine else "F") for one in mentions]
        spans += [
            (hit.start, hit.end, _sign(hit.value))
            for hit in persons
            if all(hit.end <= one.start or one.end <= hit.start for one in mentions)
        ]
        text, last, size = script.text, 0, 0
        pieces: list[str] = []
        self._at: dict[int, int] = {}
        for start, end, sign in sorted(spans):
            if start < last:
                continue
            pieces += [text[last:start], sign]
            size += start - last
            self._at[start] = size
            size += 1
            last = end
        whole = "".join([*pieces, text[last:]])
        self._clauses = [-1, *(place for place, char in enumerate(whole) if char in clause_end), len(whole)]
        self._text = _NUMBERS.sub("N", whole)
        self._asked = max((match.start() for match in _ASKS.finditer(self._text)), default=-1)
        self._script = script
        self._skeleton = skeleton(self._text)

    def pieces(self, one: Spoken) -> set[str] | None:
        """What is seen around a mention; None where another one covers it."""
        if (place := self._at.get(one.start)) is None:
            return None
        text, ends, kind = self._text, self._clauses, "d" if one.medicine else "f"
        after = next(number for number, end in enumerate(ends) if end > place)
        start, end = ends[after - 1] + 1, ends[after]
        left, right, asks = text[start:place], text[place + 1 : end], "?" if text[end : end + 1] == "?" else "$"
        before_that = text[ends[after - 2] + 1 : start - 1] if after >= 2 else ""
        behind_that = text[end + 1 : ends[after + 1]] if after + 1 < len(ends) else ""
        found = {f"{kind}", f"{kind}w{one.person}", f"w{one.person}"}
        for tag, stretch, longest in (
            ("L", "^" + left, 3),
            ("R", right + asks, 3),
            ("P", before_that, 3),
            ("N", behind_that, 3),
            ("A", text[: max(0, ends[after - 2])] if after >= 2 else "", 2),
            ("Z", text[ends[after + 1] :] if after + 1 < len(ends) else "", 2),
            ("W", text[:place] + "@" + text[place + 1 :], 2),
            ("M", "^" + self._script.text[one.start : one.end] + "$", 2),
        ):
            found.update(_runs(tag, stretch, longest))
        for size in range(1, 5):
            found.add("l" + ("^" + left)[-size:])
            found.add("r" + (right + "$")[:size])
        found.update(self._bones(place, kind, asks))
        found.update(self._people(place, one))
        return found

    def _bones(self, place: int, kind: str, asks: str) -> Iterator[str]:
        """Pieces of the skeleton."""
        left = "".join([sign for at, sign in self._skeleton if at < place])
        right = "".join([sign for at, sign in self._skeleton if at > place])
        yield from _runs(kind + "1", "^" + left.rpartition(",")[2], 3)
        yield from _runs(kind + "2", right.partition(",")[0] + asks, 3)
        yield from _runs(kind + "3", left, 2)
        yield from _runs(kind + "4", right, 2)
        for size in range(1, 6):
            yield f"{kind}5{left[-size:]}"
            yield f"{kind}6{right[:size]}"
            for other in range(1, 4):
                yield f"{kind}7{left[-size:]}_{right[:other]}"

    def _people(self, place: int, one: Spoken) -> Iterator[str]:
        """Whose it is among those who are spoken of, and of whom more is told behind it."""
        text = self._text
        before, behind = _PERSONS.findall(text, 0, place), _PERSONS.findall(text, place + 1)
        whose = before[-1] if before else "-"
        first, last = behind[0] if behind else "-", behind[-1] if behind else "-"
        final = _PERSONS.search(text, self._clauses[-2] + 1)
        told, now = "", whose
        for sign in _told(text, place + 1):
            now, told = (now, told + now + sign) if sign in "FD" else (sign, told)
        asked = "?" if self._asked > place else "."
        yield f"pa{whose}{first}"
        yield f"pb{whose}{''.join(sorted(set(behind)))}"
        yield f"pc{behind[-1] if behind else whose}"
        yield f"pd{whose}{final[0] if final else '-'}"
        yield f"pe{asked}{whose}"
        yield f"pf{whose}{told[:5]}"
        yield f"pg{whose}{told[-2:]}"
        yield f"ph{one.finding}"
        yield f"pi{one.finding}{whose}{last}"
        yield f"pj{min(2, len(_MENTIONS.findall(text, place + 1)))}"


def _told(text: str, start: int) -> Iterator[str]:
    return (char for char in text[start:] if char in "SCHORFD")


def _runs(tag: str, text: str, longest: int) -> Iterator[str]:
    for size in range(1, longest + 1):
        for start in range(len(text) - size + 1):
            yield tag + text[start : start + size]


def _sign(row: PersonRow) -> str:
    if row.person == "self":
        return "S"
    if row.person == "child":
        return "C"
    if row.refers:
        return "H"
    return "O" if row.person == "other" and row.stage is None else "R"


class Opinion:
    """Weighs what is said of mentions; without weights it always agrees with the cues."""

    def __init__(self, book: Rulebook) -> None:
        self._voices = book.opinion
        rows = [f"(?P<{row.sign}>{row.pattern})" for row in book.opinion.sign]
        ends = "".join(map(re.escape, book.wordings.clause_end))
        self._clause_end = frozenset(book.wordings.clause_end)
        self._signs = re.compile("|".join([*rows, f"[SCHORFD]|(?P<comma>[{ends}])"]), re.VERBOSE)
        self._names = {row.sign: row.sign for row in book.opinion.sign} | {"comma": ","}

    def shape(self, script: Script, mentions: Sequence[Spoken], persons: Sequence[Hit[PersonRow]]) -> Shape:
        """A message as its pieces are made of it."""
        return Shape(script, mentions, persons, self._clause_end, self._skeleton)

    def _skeleton(self, text: str) -> list[tuple[int, str]]:
        return [(one.start(), self._names.get(one.lastgroup or "", one[0])) for one in self._signs.finditer(text)]

    def weighed(
        self,
        script: Script,
        mentions: Sequence[Spoken],
        persons: Sequence[Hit[PersonRow]],
        said: Sequence[Assertion],
        cued: Sequence[bool],
    ) -> list[Assertion]:
        """What is said of each mention, all in all.

        Args:
            said: what the cues say of each.
            cued: whether a cue says so, or nothing is said of it.
        """
        if not self._voices.pieces or not 0 < len(mentions) <= _MOST:
            return list(said)
        shape = self.shape(script, mentions, persons)
        return [self._of(shape, *each) for each in zip(mentions, said, cued, strict=True)]

    def _of(self, shape: Shape, one: Spoken, said: Assertion, cued: bool) -> Assertion:
        pieces = shape.pieces(one)
        if pieces is None:
            return said
        scores = scored(pieces, self._voices)
        scores[ASSERTIONS.index(said)] += trust(self._voices, one, said, cued=cued)
        return ASSERTIONS[max(range(len(scores)), key=scores.__getitem__)]


def trust(voices: Voices, one: Spoken, said: Assertion, *, cued: bool) -> float:
    """How much it counts what the cues say of a mention."""
    if cued:
        return voices.cue
    return voices.silence if said == ("hypothetical" if one.medicine else "present") else voices.otherwise


def scored(pieces: Collection[str], voices: Voices) -> list[float]:
    """How much pieces say for each of `ASSERTIONS`, up to a constant."""
    known = [found for piece in pieces if (found := voices.pieces.get(piece)) is not None]
    if not known:
        return list(voices.bias)
    size = 100 * math.sqrt(len(known))
    return [bias + sum(column) / size for bias, column in zip(voices.bias, zip(*known, strict=True), strict=True)]
