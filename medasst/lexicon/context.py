"""ConText for Chinese: what is said of a mention, and of whom. The triggers are a table of the rulebook (`context.toml`)."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from medasst.lexicon.finder import Finder, Hit
from medasst.lexicon.names import Candidate
from medasst.lexicon.script import Script
from medasst.rulebook import Assertion, CueRow, PersonRow, Rulebook

_FEATURE_REACH = 8  # characters beside a finding in which it is said how it is


class Stated(NamedTuple):
    """What is said of one mention; `person`: the word for whose it is, or None for the one who writes."""

    assertion: Assertion
    person: Hit[PersonRow] | None
    features: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Verdict:
    cue: Hit[tuple[CueRow, ...]]
    row: CueRow
    distance: int


class Context:
    """Judges mentions by the cues around them."""

    def __init__(self, book: Rulebook) -> None:
        cues: dict[str, list[CueRow]] = {}
        for row in book.cues:
            for word in row.words:
                cues.setdefault(word.replace(" ", ""), []).append(row)
        self._cues: Finder[tuple[CueRow, ...]] = Finder({word: tuple(rows) for word, rows in cues.items()})
        self._persons = Finder({word.replace(" ", ""): row for row in book.persons for word in row.words})
        self._features = [(row.name, re.compile("|".join(map(re.escape, row.words)))) for row in book.features]
        say = book.wordings
        self._between = re.compile(f"(?:{say.between})*")
        self._listing = re.compile(f"(?:{say.listing})*")
        self._evidence = re.compile(say.evidence)
        self._asking = re.compile(say.asking)
        self._seeking = re.compile(say.seeking)
        self._seeking = re.compile(say.seeking)
        self._clause, self._sentence, self._passing = (
            frozenset(say.clause_end),
            frozenset(say.sentence_end),
            frozenset(say.passing),
        )

    def judge(self, script: Script, mentions: Sequence[Candidate]) -> tuple[list[Stated], list[Hit[PersonRow]]]:
        """What is said of each mention (in order), and the persons that the text names."""
        text = script.text
        taken = [(one.start, one.end) for one in mentions]
        cues = [hit for hit in self._cues.find(text) if not _overlaps(hit.start, hit.end, taken)]
        persons = [
            hit
            for hit in self._persons.find(text)
            if not _overlaps(hit.start, hit.end, taken) and not self._in_passing(text, hit)
        ]
        ends = self.ends(script)
        # 同事突然抽了，怎么办: help is sought for somebody else's finding.
        sought = self._seeking.search(text) is not None
        stated: list[Stated] = []
        verdicts: list[_Verdict | None] = []
        for number, one in enumerate(mentions):
            verdict = self._verdict(text, mentions, number, cues, ends, verdicts)
            verdicts.append(verdict)
            person = self.whose(one, persons, ends)
            said = self._assertion(one, verdict, None if sought else person)
            stated.append(Stated(said, person, self._how(text, one, ends)))
        return self._listed_back(text, mentions, stated, verdicts), persons

    def ends(self, script: Script) -> Ends:
        """Where the clauses and sentences of a text end."""
        return Ends(script, self._clause, self._sentence)

    def _assertion(self, one: Candidate, verdict: _Verdict | None, person: Hit[PersonRow] | None) -> Assertion:
        if verdict is not None and verdict.row.sets not in ("none", "break"):
            said: Assertion = verdict.row.sets  # type: ignore[assignment]
        else:
            said = "present" if one.name.kind == "finding" else "hypothetical"
        if said in ("present", "possible") and person is not None and person.value.someone_else:
            return "someone_else"
        return said

    def _verdict(
        self,
        text: str,
        mentions: Sequence[Candidate],
        number: int,
        cues: Sequence[Hit[tuple[CueRow, ...]]],
        ends: Ends,
        before: Sequence[_Verdict | None],
    ) -> _Verdict | None:
        one = mentions[number]
        forward = self._forward(text, mentions, number, cues, ends, before)
        backward = self._backward(text, mentions, number, cues, ends)
        if forward and backward:
            return backward if backward.distance <= forward.distance or backward.row.sets == "historical" else forward
        return forward or backward

    def _forward(
        self,
        text: str,
        mentions: Sequence[Candidate],
        number: int,
        cues: Sequence[Hit[tuple[CueRow, ...]]],
        ends: Ends,
        before: Sequence[_Verdict | None],
    ) -> _Verdict | None:
        one = mentions[number]
        broken = False
        for cue in reversed(cues[: bisect_left(cues, one.start, key=lambda hit: hit.end - 1)]):
            if ends.sentence(cue.end, one.start):
                break
            gap = text[cue.end : one.start]
            for row in cue.value:
                if row.sets == "break":
                    broken = True
                if row.sets in ("none", "break") or row.towards == "backward" or one.name.kind not in row.kinds:
                    continue
                if broken and row.sets not in ("someone_else", "present"):
                    continue
                if row.question and not self._asking.search(ends.clause_of(one.end)):
                    continue
                if self._reaches(text, mentions, number, cue, row, gap, ends, before):
                    return _Verdict(cue, row, len(gap))
        return None

    def _reaches(
        self,
        text: str,
        mentions: Sequence[Candidate],
        number: int,
        cue: Hit[tuple[CueRow, ...]],
        row: CueRow,
        gap: str,
        ends: Ends,
        before: Sequence[_Verdict | None],
    ) -> bool:
        one = mentions[number]
        if row.reach == "sentence":
            return True
        if row.reach == "clause":
            return not ends.clause(cue.end, one.start)
        if not ends.clause(cue.end, one.start) and self._between.fullmatch(gap):
            return True
        if row.reach != "list" or number == 0 or mentions[number - 1].start < cue.end:
            return False
        last = before[number - 1]
        if last is None or last.cue is not cue:
            return False
        link = text[mentions[number - 1].end : one.start]
        if not self._listing.fullmatch(link) or (not link and ends.clause(mentions[number - 1].end, one.start)):
            return False
        comma = link in ("，", ",")
        return not comma and not self._evidence.match(text, one.end)

    def _backward(
        self, text: str, mentions: Sequence[Candidate], number: int, cues: Sequence[Hit[tuple[CueRow, ...]]], ends: Ends
    ) -> _Verdict | None:
        one = mentions[number]
        after = mentions[number + 1].start if number + 1 < len(mentions) else len(text)
        for cue in cues[bisect_left(cues, one.end, key=lambda hit: hit.start) :]:
            if cue.start > after or ends.clause(one.end, cue.start):
                break
            gap = text[one.end : cue.start]
            for row in cue.value:
                if row.sets in ("none", "break") or row.towards == "forward" or one.name.kind not in row.kinds:
                    continue
                # 没 before the next mention is that one's: 头痛没发烧.
                free = row.sets != "absent" or cue.end == len(text) or ends.clause(cue.start, cue.end + 1) or cue.end != after
                if free and self._between.fullmatch(gap):
                    return _Verdict(cue, row, len(gap))
        return None

    def _listed_back(
        self, text: str, mentions: Sequence[Candidate], stated: list[Stated], verdicts: Sequence[_Verdict | None]
    ) -> list[Stated]:
        """头晕、恶心都没有: what is said behind a list is said of all of it."""
        for number in range(len(mentions) - 2, -1, -1):
            after = verdicts[number + 1]
            if (
                verdicts[number] is None
                and after is not None
                and after.row.reach == "list"
                and after.cue.start >= mentions[number + 1].end
            ):
                link = text[mentions[number].end : mentions[number + 1].start]
                if self._listing.fullmatch(link) and mentions[number].name.kind in after.row.kinds:
                    stated[number] = stated[number]._replace(assertion=stated[number + 1].assertion)
        return stated

    def _in_passing(self, text: str, hit: Hit[PersonRow]) -> bool:
        return hit.value.person == "self" and hit.start > 0 and text[hit.start - 1] in self._passing

    @staticmethod
    def whose(one: Candidate, persons: Sequence[Hit[PersonRow]], ends: Ends) -> Hit[PersonRow] | None:
        """The nearest person named before; if none is, the first one after it in its sentence."""
        before = [hit for hit in persons if hit.end <= one.start]
        if before:
            return before[-1]
        return next((hit for hit in persons if hit.start >= one.end and not ends.sentence(one.end, hit.start)), None)

    def _how(self, text: str, one: Candidate, ends: Ends) -> frozenset[str]:
        start, end = ends.within(max(0, one.start - _FEATURE_REACH), one.start), ends.until(one.end, one.end + _FEATURE_REACH)
        beside = text[start:end]
        return frozenset(name for name, pattern in self._features if pattern.search(beside))


class Ends:
    """Where clauses and sentences of a text end. A blank between Han characters ends a clause, as a comma does."""

    def __init__(self, script: Script, clause: frozenset[str], sentence: frozenset[str]) -> None:
        text = script.text
        self._text = text
        self._clauses = sorted(
            {place for place, char in enumerate(text) if char in clause}
            | {
                place - 0.5
                for place in script.blank_before
                if 0 < place < len(text) and _han(text[place - 1]) and _han(text[place])
            }
        )
        self._sentences = [place for place, char in enumerate(text) if char in sentence]

    def clause(self, start: int, end: int) -> bool:
        """Whether a clause ends between these places."""
        return bisect_left(self._clauses, start - 0.5) < bisect_left(self._clauses, end)

    def sentence(self, start: int, end: int) -> bool:
        """Whether a sentence ends between these places."""
        return bisect_left(self._sentences, start) < bisect_left(self._sentences, end)

    def clause_of(self, place: int) -> str:
        """The rest of the clause that begins at `place`, with the mark that ends it."""
        number = bisect_left(self._clauses, place - 0.5)
        end = int(self._clauses[number] + 1) if number < len(self._clauses) else len(self._text)
        return self._text[place:end]

    def within(self, start: int, end: int) -> int:
        """The first place from `start` whose way to `end` no clause ends."""
        number = bisect_left(self._clauses, end)
        return max(start, int(self._clauses[number - 1] + 1)) if number else start

    def until(self, start: int, end: int) -> int:
        """The last place up to `end` that no clause ends before."""
        number = bisect_left(self._clauses, start - 0.5)
        return min(end, int(self._clauses[number] + 0.5)) if number < len(self._clauses) else end


def _han(char: str) -> bool:
    return "\u4e00" <= char <= "\u9fff" or char.isdigit()


def _overlaps(start: int, end: int, taken: Sequence[tuple[int, int]]) -> bool:
    number = bisect_left(taken, end, key=lambda span: span[0])
    return number > 0 and taken[number - 1][1] > start
