"""ConText for Chinese: what is said of a mention, and of whom. The triggers are a table of the rulebook (`context.toml`)."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from medasst.lexicon.finder import Finder, Hit
from medasst.lexicon.names import Candidate
from medasst.lexicon.people import People
from medasst.lexicon.script import Script
from medasst.lexicon.sieve import Sieve
from medasst.rulebook import Assertion, CueRow, PersonRow, Rulebook

_FEATURE_REACH = 8  # characters beside a finding in which it is said how it is
_FAR = 60  # characters over which a cue may reach at most, so that time grows in proportion to the text
_BEFORE = 10  # characters that may stand before a mention that its clause begins with
_STRENGTHS = ("strong", "normal", "weak")
_SAYS_NOTHING = ("none", "break")

Cue = Hit[tuple[CueRow, ...]]
_ACROSS_REACH = 18  # beside a finding, for what may be said in the next clause


class Stated(NamedTuple):
    """What is said of one mention; `person`: the word for whose it is, or None for the one who writes; `cue`: what says so."""

    assertion: Assertion
    person: Hit[PersonRow] | None
    features: frozenset[str]
    cue: str = ""


@dataclass(frozen=True, slots=True)
class _Verdict:
    """A cue that reaches a mention, and from how far."""

    cue: Cue
    row: CueRow
    distance: int
    forward: bool

    @property
    def rank(self) -> tuple[int, int]:
        return _STRENGTHS.index(self.row.strength), self.distance


class Context:
    """Judges mentions by the cues around them."""

    def __init__(self, book: Rulebook) -> None:
        cues: dict[str, list[CueRow]] = {}
        for row in book.cues:
            for word in row.words:
                cues.setdefault(word.replace(" ", ""), []).append(row)
        self._cues: Finder[tuple[CueRow, ...]] = Finder({word: tuple(rows) for word, rows in cues.items()})
        self._patterns = Sieve((re.compile(row.pattern, re.VERBOSE), (row,)) for row in book.cues if row.pattern)
        self._people = People(book)
        self._features = [(row.name, re.compile("|".join(map(re.escape, row.words))), row.across) for row in book.features]
        self._say = _Patterns(book)
        self._findings = {row.name: row.kind for row in book.findings}

    def judge(
        self, script: Script, mentions: Sequence[Candidate], besides: Sequence[tuple[int, int]] = ()
    ) -> tuple[list[Stated], list[Hit[PersonRow]]]:
        """What is said of each mention (in order), and the persons that the text names.

        Args:
            besides: places of other words that name findings; no cue and no person is read out of them.
        """
        text = script.text
        rest = _without(text, [*((one.start, one.end) for one in mentions), *besides])
        kinds = [self._kinds(text, one) for one in mentions]
        cues = self._found(rest, script, frozenset().union(*kinds))
        ends = self.ends(script)
        persons = self._people.find(rest, script.blank_before, text)
        turns = [hit.start for hit in persons if not hit.value.someone_else and not hit.value.refers]
        scene = _Scene(text, mentions, kinds, cues, ends, self._say, turns)
        said = scene.assertions()
        whose = [
            self._people.somebody(verdict.cue)
            if verdict
            and verdict.row.sets == "someone_else"
            and (verdict.forward or person is None or person.value.person == "self")
            else person
            for verdict, person in zip(scene.verdicts, (self.whose(text, one, persons, ends) for one in mentions), strict=True)
        ]
        said = self._passed(text, mentions, said, whose)
        said = self._not_again(mentions, kinds, said)
        said = self._people.assertions(text, mentions, said, persons, whose)
        whose = self._people.seekers(text, mentions, said, whose)
        features = [self._how(text, one, ends) for one in mentions]
        told = [verdict.cue.name if verdict else "" for verdict in scene.verdicts]
        return [Stated(*each) for each in zip(said, whose, features, told, strict=True)], persons

    def _passed(
        self, text: str, mentions: Sequence[Candidate], said: list[Assertion], whose: Sequence[Hit[PersonRow] | None]
    ) -> list[Assertion]:
        """The assertions, with `historical` where the same is denied further on: 昨天吐了三次, 今天不吐了."""
        last: dict[tuple[str, str], int] = {}
        told = list(said)
        for number, (one, assertion, hit) in enumerate(zip(mentions, said, whose, strict=True)):
            key = one.name.concept, hit.value.person if hit else "self"
            before = last.get(key)
            if assertion == "present" and self._say.passes.fullmatch(one.name.concept):
                last[key] = number
            elif (
                assertion == "absent"
                and before is not None
                and self._say.passed_now.search(text, mentions[before].end, one.start)
            ):
                told[before] = "historical"
        return told

    def _not_again(
        self, mentions: Sequence[Candidate], kinds: Sequence[frozenset[str]], said: list[Assertion]
    ) -> list[Assertion]:
        """The assertions, with `historical` for a disease that hasn't come back: 胃溃疡三年没复发."""
        told = list(said)
        for number, one in enumerate(mentions[1:]):
            again = said[number + 1] == "absent" and self._say.recurs.fullmatch(one.name.concept)
            if again and said[number] == "present" and "disease" in kinds[number]:
                told[number] = "historical"
        return told

    def _kinds(self, text: str, one: Candidate) -> frozenset[str]:
        """What a cue may call a mention: a disease is a finding, too."""
        name = one.name
        if name.kind != "finding":
            return frozenset({name.kind})
        called_so = self._say.disease_words.search(text, one.start, one.end) is not None
        known = "disease" if called_so else self._findings.get(name.concept, "finding")
        happened = text[one.end - 1] == "了" or self._say.happened.match(text, one.end)
        return frozenset({"finding", known, *(("happened",) if happened else ())})

    def _found(self, rest: str, script: Script, kinds: frozenset[str]) -> list[Cue]:
        """The cues of a text, in order; of those in one place the longest.

        Args:
            kinds: what is mentioned; an expression that speaks of nothing of it isn't looked for.
        """
        cues = list(self._cues.find(rest, script.blank_before))
        literal = {(hit.start, hit.end): hit.value for hit in cues}
        wide: dict[tuple[int, int], Cue] = {}
        for pattern, rows in self._patterns.among(rest):
            if kinds.isdisjoint(rows[0].kinds):
                continue
            for match in pattern.finditer(rest):
                before = wide[match.span()].value if match.span() in wide else literal.get(match.span(), ())
                wide[match.span()] = Hit(*match.span(), match[0], (*rows, *before))
        if not wide:
            return cues
        free: list[Cue] = []
        for cue in sorted([*wide.values(), *cues], key=lambda hit: hit.start - hit.end):
            if all(cue.end <= other.start or other.end <= cue.start for other in free):
                free.append(cue)
        return sorted(free, key=lambda hit: hit.start)

    def ends(self, script: Script) -> Ends:
        """Where the clauses and sentences of a text end."""
        return Ends(script, self._say.clause, self._say.sentence)

    def whose(self, text: str, one: Candidate, persons: Sequence[Hit[PersonRow]], ends: Ends) -> Hit[PersonRow] | None:
        """The word for the person whose a mention is; None: the one who writes."""
        return self._people.whose(text, one.start, one.end, persons, ends.sentence, medicine=one.name.kind == "drug")

    def _how(self, text: str, one: Candidate, ends: Ends) -> frozenset[str]:
        start, end = ends.within(max(0, one.start - _FEATURE_REACH), one.start), ends.until(one.end, one.end + _FEATURE_REACH)
        beside, behind = text[start:end], text[one.end : ends.until(end + 1, one.end + _ACROSS_REACH)]
        return frozenset(
            name for name, pattern, across in self._features if pattern.search(beside) or (across and pattern.search(behind))
        )


class _Patterns:
    """The regular expressions and marks that cues are read with."""

    def __init__(self, book: Rulebook) -> None:
        say = book.wordings
        self.between = re.compile(f"(?:{say.between})*", re.VERBOSE)
        self.opening = re.compile(say.opening, re.VERBOSE)
        self.passes, self.passed_now = re.compile(say.passes, re.VERBOSE), re.compile(say.passed_now, re.VERBOSE)
        self.happened, self.recurs = re.compile(say.happened, re.VERBOSE), re.compile(say.recurs, re.VERBOSE)
        self.disease_words = re.compile(say.disease_words, re.VERBOSE)
        self.doubted_inside = re.compile(say.doubted_inside, re.VERBOSE)
        self.past_inside, self.now_beside = re.compile(say.past_inside, re.VERBOSE), re.compile(say.now_beside, re.VERBOSE)
        self.listing = re.compile(f"(?:{say.listing})*", re.VERBOSE)
        self.either = re.compile(say.either, re.VERBOSE)
        self.evidence = re.compile(say.evidence, re.VERBOSE)
        self.asking = re.compile(say.asking, re.VERBOSE)
        self.clause, self.sentence = frozenset(say.clause_end), frozenset(say.sentence_end)


@dataclass
class _Scene:
    """One text with its mentions and cues, in which each mention is judged in turn.

    Attributes:
        turns: where somebody is named of whom it isn't said that he is but told of.
        verdicts: of the mentions judged so far; a list of things denied is followed from one to the next.
    """

    text: str
    mentions: Sequence[Candidate]
    kinds: Sequence[frozenset[str]]
    cues: Sequence[Cue]
    ends: Ends
    say: _Patterns
    turns: Sequence[int]
    verdicts: list[_Verdict | None] = field(default_factory=list)

    def assertions(self) -> list[Assertion]:
        """What is said of each mention."""
        for number in range(len(self.mentions)):
            told = [*self._forward(number), *self._backward(number)]
            self.verdicts.append(min(told, key=lambda verdict: verdict.rank) if told else None)
        said = [self._assertion(number) for number in range(len(self.mentions))]
        self._listed_back(said)
        self._either_or(said)
        return said

    def _assertion(self, number: int) -> Assertion:
        verdict, one = self.verdicts[number], self.mentions[number]
        told = verdict.row.sets if verdict is not None else "none"
        if told in ("none", "possible") and one.name.kind == "finding" and self._was_once(one):
            return "historical"
        if told == "none" and one.name.kind == "finding" and self.say.doubted_inside.match(self.text, one.start, one.end):
            return "possible"
        if verdict is not None and verdict.row.sets not in _SAYS_NOTHING:
            return verdict.row.sets  # type: ignore[return-value]
        return "present" if one.name.kind == "finding" else "hypothetical"

    def _was_once(self, one: Candidate) -> bool:
        """Whether the words themselves say that it is over: 出过血."""
        if not self.say.past_inside.search(self.text, one.start, one.end):
            return False
        return not self.say.now_beside.search(self.ends.clause_at(one.start, one.end))

    def _forward(self, number: int) -> Iterator[_Verdict]:
        """The cues before a mention that reach it."""
        one = self.mentions[number]
        broken, turned = self.text.startswith("又", one.start), False
        last = bisect_left(self.cues, one.start, key=lambda hit: hit.end - 1)
        for place in range(last - 1, -1, -1):
            cue = self.cues[place]
            if one.start - cue.end > _FAR or self.ends.sentence(cue.end, one.start):
                break
            for row in cue.value:
                broken = broken or row.sets == "break"
                turned = turned or (row.sets == "break" and row.strength == "strong")
                blocked = turned if row.reach in ("next", "list") else broken
                free = not blocked or row.strength == "strong" or row.sets in ("someone_else", "present")
                if free and self._speaks_of(row, number, "backward") and self._reaches(number, cue, row):
                    yield _Verdict(cue, row, one.start - cue.end, forward=True)

    def _backward(self, number: int) -> Iterator[_Verdict]:
        """The cues behind a mention that reach back to it."""
        one = self.mentions[number]
        after = self.mentions[number + 1].start if number + 1 < len(self.mentions) else len(self.text)
        for place in range(bisect_left(self.cues, one.end, key=lambda hit: hit.start), len(self.cues)):
            cue = self.cues[place]
            if cue.start - one.end > _FAR or self.ends.sentence(one.end, cue.start):
                break
            for row in cue.value:
                if not self._speaks_of(row, number, "forward"):
                    continue
                near = cue.start <= after and not self.ends.clause(one.end, cue.start)
                reaches = (
                    row.reach == "sentence"
                    or (row.reach == "clause" and near)
                    or (near and self._says_back(cue, row, after) and self._only_between(one.end, cue.start))
                )
                if reaches:
                    yield _Verdict(cue, row, cue.start - one.end, forward=False)

    def _speaks_of(self, row: CueRow, number: int, other_way: str) -> bool:
        one = self.mentions[number]
        if row.sets in _SAYS_NOTHING or row.towards == other_way or self.kinds[number].isdisjoint(row.kinds):
            return False
        if row.opens and not self.say.opening.fullmatch(
            self.text, self.ends.within(max(0, one.start - _BEFORE), one.start), one.start
        ):
            return False
        return row.asks == "any" or (row.asks == "yes") == bool(self.say.asking.search(self.ends.clause_at(one.start, one.end)))

    def _says_back(self, cue: Cue, row: CueRow, after: int) -> bool:
        """没 before the next mention is that one's (头痛没发烧), unless that one has its own behind it (咳嗽没有腿肿没有)."""
        if row.sets != "absent" or cue.end != after or after == len(self.text) or self.ends.clause(cue.start, cue.end + 1):
            return True
        if cue.name not in ("没有", "无"):
            return False
        next_end = next(one.end for one in self.mentions if one.start == after)
        return self.text.startswith((cue.name, "有"), next_end)

    def _reaches(self, number: int, cue: Cue, row: CueRow) -> bool:
        """Whether a cue before a mention reaches it."""
        one = self.mentions[number]
        same_clause = not self.ends.clause(cue.end, one.start)
        if row.reach == "sentence" and row.sets == "someone_else":
            return not self._turned(cue.end, one.start)
        if row.reach == "sentence" or (row.reach == "clause" and same_clause):
            return True
        if row.reach == "clause":
            return False
        if same_clause and self._only_between(cue.end, one.start):
            return not self._is_said_back(cue, row, number)
        return row.reach == "list" and self._listed(number, cue)

    def _turned(self, start: int, end: int) -> bool:
        """Whether a later clause begins with one's own matter: 朋友圈说有人便秘, 我奶奶便秘."""
        number = bisect_left(self.turns, start)
        return any(self.ends.clause(start, turn) for turn in self.turns[number : bisect_left(self.turns, end)])

    def _is_said_back(self, cue: Cue, row: CueRow, number: int) -> bool:
        """Whether this cue is the end of what stands before it: 咳嗽没有腿肿没有."""
        before = self.mentions[number - 1] if number else None
        if before is None or before.end != cue.start or row.sets != "absent":
            return False
        return cue.name in ("没有", "无") and self.text.startswith((cue.name, "有"), self.mentions[number].end)

    def _listed(self, number: int, cue: Cue) -> bool:
        """Whether a mention is listed behind one that this cue spoke of: 没有发烧、咳嗽和头痛."""
        if number == 0 or self.mentions[number - 1].start < cue.end:
            return False
        before, last = self.mentions[number - 1], self.verdicts[number - 1]
        start, end = before.end, self.mentions[number].start
        link = self.text[start:end]
        if (
            last is None
            or last.cue is not cue
            or not self.say.listing.fullmatch(link)
            or self.say.evidence.match(self.text, end)
        ):
            return False
        if not link:
            # Whoever denies twice would deny a third time: 没发烧没咳嗽胸痛 has a pain in the chest.
            told = self.say.evidence.match(self.text, self.mentions[number].end) or self.say.evidence.search(
                self.text, end + 1, self.mentions[number].end
            )
            return not told and not self.ends.clause(start, end) and not self._denied_twice(number - 1)
        return link != "," and not self.say.evidence.match(self.text, self.mentions[number].end)

    def _denied_twice(self, number: int) -> bool:
        """Whether this mention and the one before it are denied by cues of their own."""
        if number == 0:
            return False
        last, before = self.verdicts[number], self.verdicts[number - 1]
        return (
            last is not None
            and before is not None
            and last.cue is not before.cue
            and last.cue.name == before.cue.name
            and last.cue.start == self.mentions[number - 1].end
        )

    def _only_between(self, start: int, end: int) -> bool:
        """Whether only words that may stand between a cue and its mention stand here."""
        return self.say.between.fullmatch(self.text, start, end) is not None

    def _listed_back(self, said: list[Assertion]) -> None:
        """头晕、恶心都没有: what is said behind a list is said of all of it."""
        for number in range(len(self.mentions) - 2, -1, -1):
            after = self.verdicts[number + 1]
            one, following = self.mentions[number], self.mentions[number + 1]
            if (
                self.verdicts[number] is None
                and after is not None
                and after.row.reach == "list"
                and after.cue.start >= following.end
                and not self.kinds[number].isdisjoint(after.row.kinds)
                and (self._of_all(number, after) or self.text[one.end : following.start] != ",")
                and self.say.listing.fullmatch(self.text, one.end, following.start)
            ):
                said[number] = said[number + 1]
                self.verdicts[number] = after

    def _of_all(self, number: int, after: _Verdict) -> bool:
        """Whether what is said behind a list goes over its commas: 头晕, 恶心都没有, but not 胃痛, 黑便没有, 恶心没有."""
        if after.row.sets == "present":
            return True
        beyond = self.verdicts[number + 2] if number + 2 < len(self.verdicts) else None
        alike = beyond is not None and beyond.cue is not after.cue and beyond.cue.name == after.cue.name
        return after.row.sets == "absent" and not alike

    def _either_or(self, said: list[Assertion]) -> None:
        """汗疱疹还是手癣: either is possible."""
        for number in range(len(self.mentions) - 1):
            one, following = self.mentions[number], self.mentions[number + 1]
            both = {one.name.kind, following.name.kind} == {"finding"}
            if both and self.say.either.fullmatch(self.text, one.end, following.start):
                for which in (number, number + 1):
                    if said[which] == "present":
                        said[which] = "possible"


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

    def clause_at(self, start: int, end: int) -> str:
        """The clause around `start:end`, with the mark that ends it, but not further than a cue reaches."""
        before = bisect_left(self._clauses, start)
        first = int(self._clauses[before - 1] + 1) if before else 0
        number = bisect_right(self._clauses, end - 0.5)
        last = int(self._clauses[number] + 1) if number < len(self._clauses) else len(self._text)
        return self._text[max(first, start - _FAR) : min(last, end + _FAR)]

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


def _without(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """The text with its mentions blotted out, in which no cue or person is seen: no 不打 in 不打呼噜."""
    pieces: list[str] = []
    last = 0
    for start, end in sorted(spans):
        pieces += [text[last : max(last, start)], "\0" * (end - max(last, start))]
        last = max(last, end)
    return "".join([*pieces, text[last:]])
