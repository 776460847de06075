"""text → mentions: one pass over a message with the rulebook's names and cues."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from medasst.lexicon.context import Context, Ends, Stated
from medasst.lexicon.finder import Finder, Hit
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
_BESIDE = 12  # characters between a finding and the count that is told of it
_BESIDE_TIME = 30  # the same for how long it has been going on
_JUDGED = frozenset({"temperature", "systolic", "diastolic", "glucose", "hba1c", "haemoglobin", "oxygen", "pulse"})


class Lexicon:
    """Reads messages by one rulebook.

    Args:
        book: the tables.
    """

    def __init__(self, book: Rulebook) -> None:
        self.book = book
        self._names, self._pairs, self._context = Names(book), Pairs(book), Context(book)
        self._circumstances = Finder(
            {
                plain(word).text: row.name
                for row in book.findings
                if row.kind == "circumstance"
                for word in (row.name, *row.words)
            }
        )
        self._broader: dict[str, frozenset[str]] = {}

    def read(self, text: str) -> Reading:
        """What a message mentions. Any text will do; time grows in proportion to it."""
        script = plain(text)
        pairs = self._pairs.find(script)
        found = _beside_pairs(self._allergies(script, self._names.find(script)), pairs)
        stated, persons = self._context.judge(script, found)
        told = self._now(script, list(values(script.text)))
        judged = [*zip(found, stated, strict=True), *self._paired(script, found, pairs)]
        times = _Times(script.text, told, [one for one, _ in judged], self._context.ends(script))
        mentions = tuple(
            self._mention(text, script, *both, told, times) for both in sorted(judged, key=lambda both: both[0].start)
        )
        return Reading(
            text,
            script.text,
            mentions,
            tuple(_told(script, value, persons) for value in told),
            tuple(Someone(hit.value, *script.span(hit.start, hit.end)) for hit in persons),
            tuple(self._circumstance(text, script, hit, persons) for hit in self._circumstances.find(script.text)),
        )

    def _circumstance(self, text: str, script: Script, hit: Hit[str], persons: Sequence[Hit[PersonRow]]) -> Mention:
        one = Candidate(hit.start, hit.end, Name(hit.value, "finding"), hit.end - hit.start)
        whose = self._context.whose(one, persons, self._context.ends(script))
        start, end = script.span(hit.start, hit.end)
        person = whose.value.person if whose else "self"
        return Mention(hit.value, "finding", start, end, text[start:end], "present", person, self.broader(hit.value))

    def _paired(self, script: Script, found: Sequence[Candidate], pairs: Sequence[Pair]) -> Iterator[tuple[Candidate, Stated]]:
        """What is said of findings told by words apart; each is judged among those mentions that it doesn't overlap."""
        for one in (pair.candidate for pair in pairs if pair.candidate.name.kind != "idiom"):
            among = sorted([*(other for other in found if not _overlap(other, one)), one], key=lambda each: each.start)
            yield one, self._context.judge(script, among)[0][among.index(one)]

    def _now(self, script: Script, told: Sequence[Value]) -> list[Value]:
        """The values without those that were measured long ago, are asked about in general, or are somebody else's."""
        measured = sorted(
            Candidate(value.start, value.end, Name(value.quantity, "finding"), value.end - value.start)
            for value in {value[2:]: value for value in told if value.quantity in _JUDGED}.values()
        )
        if not measured:
            return list(told)
        stated, _ = self._context.judge(script, measured)
        over = {
            (one.start, one.end)
            for one, said in zip(measured, stated, strict=True)
            if said.assertion not in ("present", "possible")
        }
        return [value for value in told if value.quantity not in _JUDGED or (value.start, value.end) not in over]

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

    def _mention(
        self, text: str, script: Script, one: Candidate, stated: Stated, told: Sequence[Value], times: _Times
    ) -> Mention:
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
            hours=times.of(one),
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


class _Times:
    """How long each finding of a text has been going on."""

    def __init__(self, text: str, told: Sequence[Value], mentions: Sequence[Candidate], ends: Ends) -> None:
        self._text, self._ends = text, ends
        # A time told in one clause with some mentions is theirs; one that stands alone is told of any near it.
        self._told = [
            (value, [one for one in mentions if not self._apart(one, value)]) for value in told if value.quantity == "hours"
        ]

    def of(self, one: Candidate) -> float | None:
        """Of the times that are this one's, the nearest."""
        best: tuple[int, float] | None = None
        for value, own in self._told:
            start, end = _between(one, value)
            near = end - start <= _BESIDE_TIME and not self._ends.sentence(start, end) and "\n" not in self._text[start:end]
            if near and (not own or one in own) and (best is None or end - start < best[0]):
                best = end - start, value.number
        return best[1] if best else None

    def _apart(self, one: Candidate, value: Value) -> bool:
        start, end = _between(one, value)
        return start < end and self._ends.clause(start, end)


def _between(one: Candidate, value: Value) -> tuple[int, int]:
    """The stretch between a mention and a value; empty where they overlap."""
    if value.start >= one.end:
        return one.end, value.start
    return (value.end, one.start) if value.end <= one.start else (one.start, one.start)


def _beside(one: Candidate, told: Sequence[Value], quantity: str, text: str) -> float | None:
    """The count nearest to a finding within its sentence."""
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
