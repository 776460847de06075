"""Statements that something is over, or was seen by a doctor; and those that it is there again."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from medasst.dialogue.spans import Spans
from medasst.lexicon import Mention, Reading
from medasst.rulebook import Composition, Talk

_CLAUSE = re.compile(r"[^,，。;；!！?？\n]+[,，。;；!！?？\n]?")
_MOST = 32  # statements of one turn; nobody takes back more
_LONGEST_OVER = 16  # characters of a clause that says nothing but that it is over
_SENTENCE = re.compile(r"[^。!！?？\n]+[。!！?？\n]?")


@dataclass(frozen=True, slots=True)
class Resolution:
    """A statement about what was said before.

    Attributes:
        how: "over": it is gone; "seen": a doctor saw it; "again": it is still or again there;
            "mistaken": it was never meant, so that nothing makes it stand again.
        parts: the parts of the body that it names; empty: it speaks of what was told last.
        of: the finding that is over (胸口不痛了), or that is there again; None: no finding is named.
    """

    how: Literal["over", "seen", "again", "mistaken"]
    parts: tuple[str, ...] = ()
    of: Mention | None = None


class Resolutions:
    """Finds them by the wordings of the rulebook."""

    def __init__(self, say: Talk, composition: Composition) -> None:
        self._over = re.compile(say.over, re.VERBOSE)
        self._over_behind = re.compile(f"(?:[,，]?(?:{say.over}))", re.VERBOSE)
        self._seen, self._harmless = re.compile(say.seen, re.VERBOSE), re.compile(say.harmless, re.VERBOSE)
        self._not = re.compile("|".join(f"(?:{p})" for p in (say.not_seen, say.not_harmless, say.long_ago)), re.VERBOSE)
        self._asking, self._not_over = re.compile(say.asking, re.VERBOSE), re.compile(say.not_over, re.VERBOSE)
        self._doubt = re.compile(f"(?:{say.asking})|(?:{say.long_ago})", re.VERBOSE)
        self._still = re.compile(say.still, re.VERBOSE)
        words = {word: part for part, words in composition.parts.items() for word in (part, *words)}
        self._part_of = words
        any_part = "|".join(map(re.escape, sorted(words, key=len, reverse=True))) or "(?!)"
        self._parts = re.compile(any_part)
        self._swap = re.compile(say.instead.replace("{part}", f"(?:{any_part})"), re.VERBOSE)

    def parts(self, said: str) -> tuple[str, ...]:
        """The parts of the body that a text names."""
        return tuple(dict.fromkeys(self._part_of[match[0]] for match in self._parts.finditer(said)))

    def swapped(self, said: str) -> tuple[str, str] | None:
        """The words for two parts of the body where it was the second and not the first: 不是膝盖，是胸骨这里."""
        match = self._swap.search(said)
        return (match["wrong"], match["right"]) if match else None

    def find(self, said: str, reading: Reading, at: Sequence[int]) -> list[tuple[int, Resolution]]:
        """The first few statements in a plain text, with their places. `at`: as of `Script`."""
        first: dict[tuple[str, tuple[str, ...], str], tuple[int, Resolution]] = {}
        for place, one in self._found(said, reading, at):
            first.setdefault((one.how, one.parts, one.of.concept if one.of else ""), (place, one))
            if len(first) == _MOST:
                break
        # Of 没事了，医院查了… the doctor's word counts.
        return sorted(first.values(), key=lambda found: (found[1].how != "seen", found[0]))

    def _found(self, said: str, reading: Reading, at: Sequence[int]) -> Iterator[tuple[int, Resolution]]:
        spans = [(bisect_left(at, m.start), bisect_left(at, m.end), m) for m in reading.mentions if m.kind == "finding"]
        taken = Spans((start, end) for start, end, _ in spans)
        again = list(self._again(said, spans))
        yield from again
        last_again = again[-1][0] if again else -1
        if (visit := self._visit(said)) is not None and last_again < visit:
            yield visit, Resolution("seen", self.parts(said))
        for start, end, mention in spans:
            if start < last_again:
                continue
            behind = mention.by_cues in ("historical", "present") and self._over_behind.match(said, end)
            if mention.by_cues == "absent" or behind:
                yield start, Resolution("over", of=mention)
        for clause in _CLAUSE.finditer(said):
            inside = taken.overlap(*clause.span())
            words = clause[0].rstrip(",，。;；!！\n")
            match = None if len(words) > _LONGEST_OVER or inside else self._over.search(words)
            if match and not self._doubt.search(clause[0]) and not self._not_over.search(words):
                place = clause.start() + match.start()
                if place > last_again:
                    yield place, Resolution("over", self.parts(clause[0]))

    def _visit(self, said: str) -> int | None:
        """Where it is told that a doctor saw it and nothing came of it; None where that isn't told, or is doubted."""
        visit = self._seen.search(said)
        if visit is None or not self._harmless.search(said):
            return None
        for sentence in _SENTENCE.finditer(said):
            clauses = [
                one[0] for one in _CLAUSE.finditer(sentence[0]) if self._seen.search(one[0]) or self._harmless.search(one[0])
            ]
            if clauses and (self._not.search(sentence[0]) or any(map(self._asking.search, clauses))):
                return None
        return visit.start()

    def _again(self, said: str, spans: Sequence[tuple[int, int, Mention]]) -> Iterator[tuple[int, Resolution]]:
        starts = [start for start, _, _ in spans]
        for clause in _CLAUSE.finditer(said):
            if match := self._still.search(clause[0]):
                first = bisect_left(starts, clause.start())
                found = [m for _, _, m in spans[first : bisect_left(starts, clause.end())]]
                current = next((m for m in found if m.current), None)
                if current is not None or not found:
                    yield clause.start() + match.start(), Resolution("again", of=current)
