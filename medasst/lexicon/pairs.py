"""Findings told by words near each other, in any order: 电池 … 吞, 狗 … 咬 … 脸. The words are groups of the rulebook."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from medasst.lexicon.finder import Finder, Hit
from medasst.lexicon.names import Candidate, Name
from medasst.lexicon.script import Script, wording
from medasst.rulebook import Rulebook

_KINDS: dict[str, Literal["idiom", "circumstance"]] = {"need": "idiom", "circumstance": "circumstance"}
_NEAR = 9  # characters that may stand between two of the words
_FAR = 18  # the same where a comma may stand there too
_NEGATION = re.compile(r"不|没|未|无|冇")
_CLAUSE = re.compile(r"[，,。！？!?；;\n]")
_SENTENCE = re.compile(r"[。！？!?；;\n]")


class Pair(NamedTuple):
    """A finding told by several words: the stretch that is judged, and the places of its words."""

    candidate: Candidate
    words: tuple[tuple[int, int], ...]


class _Way(NamedTuple):
    """One way to tell a finding: the groups of which one word each must be there."""

    name: Name
    groups: frozenset[str]
    far: bool


class Pairs:
    """Finds the rulebook's findings that have `pairs`."""

    def __init__(self, book: Rulebook) -> None:
        groups: dict[str, set[str]] = {}
        for group, words in book.groups.items():
            for word in words:
                groups.setdefault(wording(word), set()).add(group)
        self._persons = {wording(word) for row in book.persons for word in row.words}
        # An idiom (想死你了) hides the words of groups in it, as it hides names; so does a group's word that no pair asks for,
        # and a medicine that is a salt (盐酸氨溴索).
        needs = (word for row in book.findings if row.kind == "need" for word in row.words)
        acid = re.compile(book.wordings.acid, re.VERBOSE)
        medicines = (name for row in book.drugs for name in (row.name, *row.names) if acid.match(name))
        for idiom in (*book.idioms, *needs, *medicines):
            groups.setdefault(wording(idiom), set())
        asked = {name for row in book.findings for pair in row.pairs for name in pair.split()}
        self._finder = Finder({word: frozenset(of & asked) for word, of in groups.items()}, overlapping=True)
        ways = dict.fromkeys(
            _Way(Name(row.name, _KINDS.get(row.kind, "finding")), frozenset(names) - {"…"}, "…" in names)
            for row in book.findings
            for names in (pair.split() for pair in row.pairs)
        )
        often = Counter(group for way in ways for group in way.groups)
        # Each way is looked up by the group that the fewest ways ask for.
        self._ways: dict[str, list[_Way]] = {}
        for way in ways:
            self._ways.setdefault(min(sorted(way.groups), key=often.__getitem__), []).append(way)

    def find(self, script: Script) -> list[Pair]:
        """Every finding that is told so, the nearest words of each, and of overlapping ones the longest (邻居家的狗, 狗)."""
        hits = _without_idioms(sorted(self._finder.find(script.text), key=lambda hit: (hit.start, -hit.end)))
        if len(hits) < 2:
            return []
        told = frozenset().union(*(hit.value for hit in hits))
        possible = [way for group in sorted(told) for way in self._ways.get(group, ()) if way.groups <= told]
        if not possible:
            return []
        found: dict[str, Pair] = {}
        for number, first in enumerate(hits):
            for way in possible:
                if first.value.isdisjoint(way.groups):
                    continue
                pair = self._told(script, hits, number, way)
                before = found.get(way.name.concept)
                if pair is not None and (before is None or _looseness(pair) < _looseness(before)):
                    found[way.name.concept] = pair
        return list(found.values())

    def _told(self, script: Script, hits: Sequence[Hit[frozenset[str]]], number: int, way: _Way) -> Pair | None:
        """The pair that begins with this hit."""
        first = hits[number]
        taken = [first]
        for chosen in first.value & way.groups:
            missing = set(way.groups) - {chosen}
            taken = [first]
            for place in range(number + 1, len(hits)):
                hit = hits[place]
                if hit.start < taken[-1].end:
                    continue
                gap = script.text[taken[-1].end : hit.start]
                if len(gap) > (_FAR if way.far else _NEAR) or (_SENTENCE if way.far else _CLAUSE).search(gap):
                    break
                if not way.far and next(_ends(script, taken[-1].end, hit.start), None) is not None:
                    break
                helps = missing & hit.value
                if helps:
                    missing.discard(next(iter(sorted(helps))))
                    taken.append(hit)
                if not missing:
                    return _pair(script.text, way.name, taken, self._persons)
        return None


def _ends(script: Script, start: int, end: int) -> Iterator[int]:
    """Places of blanks between Han characters, which stand for a comma."""
    text = script.text
    return (
        place for place in range(start, end + 1) if place in script.blank_before and place and not text[place - 1].isascii()
    )


def _pair(text: str, name: Name, hits: Sequence[Hit[frozenset[str]]], persons: Collection[str]) -> Pair:
    """What is denied between the words is judged by the words behind it: 电池没吞. A word for a person stays one."""
    start = hits[0].start
    for before, after in pairwise(hits):
        if _NEGATION.search(text[before.end : after.start]):
            start = after.start
    strength = sum(hit.end - hit.start for hit in hits)
    words = tuple((hit.start, hit.end) for hit in hits if hit.name not in persons)
    return Pair(Candidate(start, hits[-1].end, name, strength), words)


def _looseness(pair: Pair) -> tuple[int, int]:
    """How many other characters stand between its words; of pairs with as many the one with longer words is better."""
    words = sum(end - start for start, end in pair.words)
    return pair.candidate.end - pair.candidate.start - words, -words


def _without_idioms(hits: Sequence[Hit[frozenset[str]]]) -> list[Hit[frozenset[str]]]:
    """The hits that lie in no idiom; an idiom belongs to no group that is asked for."""
    kept: list[Hit[frozenset[str]]] = []
    reach = 0  # the end of the idiom that reaches furthest of those that began so far
    for hit in hits:
        if not hit.value:
            reach = max(reach, hit.end)
        elif hit.end > reach:
            kept.append(hit)
    return kept
