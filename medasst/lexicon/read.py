"""text → mentions: one pass over a message with the rulebook's names and cues."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from medasst.lexicon.context import Context, Stated
from medasst.lexicon.finder import Hit
from medasst.lexicon.names import Candidate, Name, Names
from medasst.lexicon.pairs import Pair, Pairs
from medasst.lexicon.reading import Mention, Reading, Someone, Told
from medasst.lexicon.script import Script, plain
from medasst.lexicon.values import Value, values
from medasst.rulebook import Person, PersonRow, Rulebook

_ALLERGIC = re.compile(
    r"(?:类|类药物?|药物?|药|的药|这[种个]药|也|都|有点?|会|和|跟|、|史|严重|轻微|特别|有|曾经|以前)*过敏(?!性)"
)
_ALLERGIC_TO = re.compile(
    r"对(?P<what>[^，。！？；、,.!?;\n]{1,10}?)(?:类|类药物?)?(?:有点?|会|都|也|严重|特别|曾经|以前|从小)*过敏(?!性)"
)
_BESIDE = 12  # characters between a finding and the time or count that is told of it


class Lexicon:
    """Reads messages by one rulebook.

    Args:
        book: the tables.
    """

    def __init__(self, book: Rulebook) -> None:
        self.book = book
        self._names, self._pairs, self._context = Names(book), Pairs(book), Context(book)
        self._broader: dict[str, frozenset[str]] = {}

    def read(self, text: str) -> Reading:
        """What a message mentions. Any text will do; time grows in proportion to it."""
        script = plain(text)
        pairs = self._pairs.find(script)
        found = _beside_pairs(self._allergies(script, self._names.find(script)), pairs)
        stated, persons = self._context.judge(script, found)
        told = list(values(script.text))
        judged = [*zip(found, stated, strict=True), *self._paired(script, found, pairs)]
        mentions = tuple(self._mention(text, script, *both, told) for both in sorted(judged, key=lambda both: both[0].start))
        return Reading(
            text,
            script.text,
            mentions,
            tuple(_told(script, value, persons) for value in told),
            tuple(Someone(hit.value, *script.span(hit.start, hit.end)) for hit in persons),
        )

    def _paired(self, script: Script, found: Sequence[Candidate], pairs: Sequence[Pair]) -> Iterator[tuple[Candidate, Stated]]:
        """What is said of findings told by words apart; each is judged among those mentions that it doesn't overlap."""
        for one in (pair.candidate for pair in pairs if pair.candidate.name.kind != "idiom"):
            among = sorted([*(other for other in found if not _overlap(other, one)), one], key=lambda each: each.start)
            yield one, self._context.judge(script, among)[0][among.index(one)]

    def broader(self, concept: str) -> frozenset[str]:
        """A concept with every broader one."""
        if concept not in self._broader:
            self._broader[concept] = frozenset(self._climb(concept))
        return self._broader[concept]

    def _climb(self, concept: str) -> Iterator[str]:
        seen: set[str] = set()
        waiting = [concept]
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            yield name
            if (finding := self.book.findings.rows.get(name)) is not None:
                waiting += finding.is_a
            elif (drug := self.book.drugs.rows.get(name)) is not None and drug.drug_class:
                waiting.append(drug.drug_class)
            elif (stem := self._names.stem_class(name)) is not None:
                waiting.append(stem[0])
            for sense in self.book.composition.senses:
                if len(name) > len(sense) and name.endswith(sense) and name.removesuffix(sense) in self.book.composition.parts:
                    waiting.append(sense)

    def _mention(self, text: str, script: Script, one: Candidate, stated: Stated, told: Sequence[Value]) -> Mention:
        start, end = script.span(one.start, one.end)
        allergen = one.name.concept.removesuffix("过敏") if one.name.concept.endswith("过敏") else ""
        return Mention(
            concept=one.name.concept,
            kind="drug" if one.name.kind == "drug" else "finding",
            start=start,
            end=end,
            words=text[start:end],
            assertion=stated.assertion,
            person=stated.person.value.person if stated.person else "self",
            broader=self.broader(one.name.concept) | ({"过敏"} if allergen else frozenset()),
            features=stated.features,
            hours=_beside(one, told, "hours", script.text),
            times=_beside(one, told, "times", script.text),
            pills=_beside(one, told, "pills", script.text) if one.name.kind == "drug" else None,
            grams=_beside(one, told, "grams", script.text) if one.name.kind == "drug" else None,
            allergen=allergen,
        )

    @staticmethod
    def _allergies(script: Script, found: list[Candidate]) -> list[Candidate]:
        """青霉素过敏 and 对海鲜过敏 are one finding each, not a medicine and a finding."""
        text = script.text
        made: list[Candidate] = []
        for one in found:
            if one.name.kind == "drug" and (match := _ALLERGIC.match(text, one.end)):
                made.append(
                    Candidate(one.start, match.end(), Name(one.name.concept + "过敏", "finding"), match.end() - one.start)
                )
        for match in _ALLERGIC_TO.finditer(text):
            if re.search("什么|啥|哪|是否|是不是|有没有|不|没", match["what"]) or any(
                one.start <= match.start("what") < one.end for one in made
            ):
                continue
            start = match.start("what")
            made.append(Candidate(start, match.end(), Name(match["what"] + "过敏", "finding"), match.end() - start))
        if not made:
            return found
        rest = [one for one in found if not any(allergy.start <= one.start < allergy.end for allergy in made)]
        return sorted([*rest, *made], key=lambda one: one.start)


def _overlap(one: Candidate, other: Candidate) -> bool:
    return one.start < other.end and other.start < one.end


def _beside_pairs(found: list[Candidate], pairs: Sequence[Pair]) -> list[Candidate]:
    """The names without the findings that are made of the very words of a pair."""
    words = [(start, end, pair.candidate.strength) for pair in pairs for start, end in pair.words]
    if not words:
        return found
    return [
        one
        for one in found
        if one.name.kind == "drug"
        or not any(start < one.end and one.start < end and one.strength <= strength for start, end, strength in words)
    ]


def _told(script: Script, value: Value, persons: Sequence[Hit[PersonRow]]) -> Told:
    before = [hit for hit in persons if hit.end <= value.start + 2]
    person: Person = before[-1].value.person if before else next((hit.value.person for hit in persons), "self")
    return Told(value.quantity, value.number, *script.span(value.start, value.end), person)


def _beside(one: Candidate, told: Sequence[Value], quantity: str, text: str) -> float | None:
    """The time or count nearest to a finding within its sentence."""
    best: tuple[int, float] | None = None
    for value in told:
        if value.quantity != quantity:
            continue
        gap = (
            text[one.end : value.start]
            if value.start >= one.end
            else text[value.end : one.start]
            if value.end <= one.start
            else ""
        )
        if len(gap) <= _BESIDE and not re.search(r"[。！？!?\n]", gap) and (best is None or len(gap) < best[0]):
            best = len(gap), value.number
    return best[1] if best else None
