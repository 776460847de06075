"""Adverse reactions that are told: what was felt after which medicine, what to do now, and what a pharmacist must hear."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from medasst.assistant.acts import Record
from medasst.assistant.request import Request
from medasst.lexicon import Mention, Reading
from medasst.lexicon.script import wording
from medasst.rulebook import ReactionRow
from medasst.safety import Rules

_FELT = 12  # characters of what was felt that are said back


class _Taken(NamedTuple):
    """A medicine that a turn tells as taken, its place in the plain text, and every broader name.

    Attributes:
        bare: whether no word says that it is done: then what was felt must follow at once.
    """

    start: int
    end: int
    medicine: str
    broader: frozenset[str] = frozenset()
    bare: bool = False


class _Told(NamedTuple):
    """A reaction in one turn."""

    medicine: str
    felt: str
    row: ReactionRow


class Blamed(NamedTuple):
    """A medicine after which something was felt.

    Attributes:
        words: the medicine as it was told; concepts: as drugs.toml names it; empty where only a kind of it was told.
        felt: what was felt.
    """

    words: str
    concepts: tuple[str, ...]
    felt: str


class Reactions:
    """Finds reactions by `reactions.toml`.

    Args:
        rules: with the table, and how each medicine is sold.
        reach: sentences on how to reach a pharmacist, said behind the request to tell one.
    """

    def __init__(self, rules: Rules, reach: Sequence[str] = ()) -> None:
        self._gate, self._reach = rules.gate, tuple(reach)
        self._rows, self._say = rules.book.reactions.reaction, rules.book.reactions
        self._treats = {name: frozenset(row.treats) for name, row in rules.book.classes.rows.items()}
        say = self._say
        self._taken_before, self._taken_after = _regex(say.taken_before), _regex(say.taken_after)
        self._unnamed, self._left_out = _regex(say.unnamed), _regex(say.left_out)
        self._bare_before, self._marked, self._felt_end = map(_regex, (say.bare_before, say.marked, say.felt_end))
        self._persists, self._general = _regex(say.persists), _regex(say.general)
        self._diseases = {name for name, row in rules.book.findings.rows.items() if row.kind == "disease"}
        self._onset, self._severity = _regex(say.onset), _regex(say.severity)

    def told(self, request: Request) -> Record | None:
        """The reaction that the last turn tells, if none was told before it: it is taken down once in a conversation."""
        readings = request.told.readings
        if any(next(self._in(readings, place), None) for place in range(request.told.turn)):
            return None
        told = next(self._in(readings, request.told.turn), None)
        return self._record(told, readings[-1]) if told else None

    def blamed(self, request: Request) -> Blamed | None:
        """The medicine after which the conversation told a reaction that isn't expected of it; None: none was told."""
        readings = request.told.readings
        for place in range(request.told.turn + 1):
            told = next(self._in(readings, place), None)
            if told is None or told.row.expected:
                continue
            drugs = [one for one in readings[place].drugs() if told.medicine in (one.words, wording(one.words))]
            if not any(self._is_one(one) for one in drugs):  # 吃了咳嗽药起疹子, and then 就那个枇杷膏
                drugs = [one for reading in readings[place : place + 2] for one in reading.drugs()]
            named = [one for one in drugs if self._is_one(one)]
            return Blamed(named[-1].words if named else told.medicine, tuple(one.concept for one in named), told.felt)
        return None

    def _is_one(self, drug: Mention) -> bool:
        """Whether it names a medicine, no kind of them."""
        return drug.concept not in self._treats

    def _in(self, readings: Sequence[Reading], place: int) -> Iterator[_Told]:
        """The reactions that one turn tells."""
        reading = readings[place]
        text, findings = reading.plain, [finding for finding in reading.findings() if finding.current]
        if self._general.search(text):
            return
        known = {name for earlier in readings[:place] for one in earlier.findings() for name in (one.concept, *one.broader)}
        ill = any(finding.concept in self._diseases for finding in findings)
        for taken in self._taken(readings, place):
            for finding in findings:
                at = text.find(wording(finding.words), taken.end)
                new = at >= 0 and finding.concept not in known and not self._persists.search(text, taken.start, at + 2)
                follows = at == taken.end if taken.bare else not ill or self._marked.search(text, taken.start, at)
                if new and follows and (row := self._row(finding, taken.broader)):
                    yield _Told(taken.medicine, self._felt(reading.text, finding), row)

    def _felt(self, text: str, finding: Mention) -> str:
        """What was felt, in the shopper's words, up to the end of what is said of it."""
        end = self._felt_end.search(text, finding.end)
        return text[finding.start : min(end.start() if end else len(text), finding.start + _FELT)]

    def _taken(self, readings: Sequence[Reading], place: int) -> Iterator[_Taken]:
        """The medicines that a turn tells as taken."""
        reading = readings[place]
        text = reading.plain
        for drug in reading.drugs():
            at = text.find(wording(drug.words))
            if drug.by_cues in ("absent", "someone_else") or at < 0:
                continue
            end = at + len(wording(drug.words))
            if self._taken_before.search(text, 0, at) or self._taken_after.match(text[end:]):
                yield _Taken(at, end, drug.words, drug.broader)
            elif self._bare_before.search(text, 0, at):
                yield _Taken(at, end, drug.words, drug.broader, bare=True)
        if reading.drugs():
            return
        before = [drug for earlier in readings[:place] for drug in earlier.drugs()]
        if match := self._unnamed.search(text):
            yield _Taken(match.start(), match.end(), match["medicine"])
        elif before and (match := self._left_out.search(text)):
            yield _Taken(match.start(), match.end(), before[-1].words, before[-1].broader)

    def _row(self, finding: Mention, broader: frozenset[str]) -> ReactionRow | None:
        """The row for what was felt; None where the medicine is taken for just that."""
        felt = {finding.concept, *finding.broader}
        if any(felt & self._treats.get(name, frozenset()) for name in broader):
            return None
        fitting = (row for row in self._rows if felt & set(row.findings) and (not row.drugs or broader & set(row.drugs)))
        return next((row for row in fitting if not broader & set(row.unless_for)), None)

    def _record(self, told: _Told, reading: Reading) -> Record:
        say, row = self._say, told.row
        medicine = told.medicine if len(told.medicine) > 1 else say.some_medicine  # 药, 膏 name none
        onset, severity = (found[0] if (found := p.search(reading.plain)) else "" for p in (self._onset, self._severity))
        prescribed = any(named.status in ("rx", "banned_online") for named in self._gate.names(told.medicine))
        if row.expected:
            sentences: tuple[str, ...] = (row.sentence,)
        else:
            first = say.ask_prescriber if prescribed and not row.stop else say.stop
            lead = first.format(medicine=medicine, reaction=told.felt)
            ask = () if onset and severity else (say.ask,)
            sentences = (lead, row.sentence, say.report, *self._reach, *ask)
        return Record(medicine, told.felt, onset, severity, sentences)


def _regex(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.VERBOSE)
