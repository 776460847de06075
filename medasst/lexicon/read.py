"""text → mentions: one pass over a message with the rulebook's names and cues."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from medasst.lexicon.context import Context, Ends, Stated
from medasst.lexicon.finder import Finder, Hit
from medasst.lexicon.names import Candidate, Name, Names
from medasst.lexicon.opinion import Opinion, Spoken
from medasst.lexicon.pairs import Pair, Pairs
from medasst.lexicon.reading import Mention, Reading, Someone, Told
from medasst.lexicon.script import Script, plain, wording
from medasst.lexicon.values import Value, Values
from medasst.rulebook import Assertion, Person, PersonRow, Quantity, Rulebook, Status
from medasst.rulebook.asks import NAME

_NUMBER = re.compile(r"[0-9一二三四五六七八九]")
_SENTENCE_ENDS = re.compile(r"[。！？!?\n]")
MEDICINE = "药物"  # the concept that every medicine is
_BESIDE = 12  # characters between a finding and the count that is told of it
_BESIDE_TIME = 30  # the same for how long it has been going on
_LITTLE = 5  # characters of a clause that say nothing of their own
_WINDOW = 400  # characters that are read at a time
_SHORT, _KEPT = 200, 2048  # characters of texts whose medicines are kept, and how many such texts
_CUTS = ("。！？!?\n", "，,；; ")
_JUDGED = frozenset(
    {"temperature", "systolic", "diastolic", "glucose", "glucose_fasting", "hba1c", "haemoglobin", "oxygen", "pulse"}
)


class Medicine(NamedTuple):
    """A medicine that a text names, as a concept and as it calls it, and where it does so."""

    concept: str
    words: str
    start: int
    end: int


class _Written(NamedTuple):
    """A text as it was written and as it is matched, and whose it is where it names nobody."""

    text: str
    script: Script
    person: Person


class _Judged(NamedTuple):
    """A mention and what is said of it; `also`: other findings that the same words tell."""

    candidate: Candidate
    stated: Stated
    also: tuple[str, ...] = ()


class Named(NamedTuple):
    """A plain text and the names that stand in it."""

    text: str
    found: Sequence[Candidate]


class _Heard(NamedTuple):
    """What was found in a window: mentions as the cues judge them, persons, values, and circumstances told by words apart."""

    written: _Written
    judged: list[_Judged]
    persons: list[Hit[PersonRow]]
    told: list[Value]
    around: list[Pair]


class Lexicon:
    """Reads messages by one rulebook.

    Args:
        book: the tables.
    """

    def __init__(self, book: Rulebook) -> None:
        self.book = book
        self._names, self._pairs, self._context, self._opinion = Names(book), Pairs(book), Context(book), Opinion(book)
        circumstances: dict[str, list[str]] = {}
        for row in book.findings:
            for word in (row.name, *row.words) if row.kind == "circumstance" else ():
                circumstances.setdefault(wording(word), []).append(row.name)
        self._circumstances = Finder(circumstances, overlapping=True)
        self._values, self._allergies = Values(book), _Allergies(book)
        self._taken = re.compile(book.wordings.took_behind, re.VERBOSE)
        self._broader: dict[str, frozenset[str]] = {}
        self._named = lru_cache(maxsize=_KEPT)(self._medicines)  # gate, catalogue and answers ask it of the same sentences

    def read(self, text: str) -> Reading:
        """What a message mentions. Any text will do; long ones are read in windows, so that time grows in proportion."""
        parts: list[Reading] = []
        person: Person = "self"
        for start, end in _windows(text):
            part = self._part(text[start:end], person)
            person = part.persons[-1].person if part.persons else person
            parts.append(part.behind(start))
        return parts[0] if len(parts) == 1 else Reading.joined(text, parts)

    def seen(self, text: str) -> list[tuple[Mention, Spoken, set[str] | None]]:
        """Each mention of a short message, with the pieces that the second opinion, which is fitted on them, sees around it."""
        heard = self._heard(_Written(text, plain(text), "self"))
        mentions = self._mentions(heard, [one.stated.assertion for one in heard.judged])
        spoken = self._spoken(heard)
        shape = self._opinion.shape(heard.written.script, spoken, heard.persons)
        return list(zip(mentions, spoken, map(shape.pieces, spoken), strict=True))

    def _part(self, text: str, person: Person) -> Reading:
        """A window of a text; what names nobody is of the person that the window before it ended with."""
        script = plain(text)
        heard = self._heard(_Written(text, script, person))
        said, cued = [one.stated.assertion for one in heard.judged], [bool(one.stated.cue) for one in heard.judged]
        weighed = self._opinion.weighed(script, self._spoken(heard), heard.persons, said, cued)
        return Reading(
            text,
            script.text,
            tuple(self._mentions(heard, weighed)),
            tuple(_told(script, value, heard.persons, person) for value in heard.told),
            tuple(Someone(hit.value, *script.span(hit.start, hit.end)) for hit in heard.persons),
            tuple(self._around(heard.written, [one.candidate for one in heard.around])),
        )

    def _heard(self, written: _Written) -> _Heard:
        """What is found in a window, and what the cues say of it."""
        script = written.script
        pairs = self._pairs.find(script)
        around = [one for one in pairs if one.candidate.name.kind == "circumstance"]
        pairs = [one for one in pairs if one not in around]
        found = _beside_pairs(self._allergies.joined(script.text, self._names.find(script)), pairs)
        stated, persons = self._context.judge(
            script, found, [place for one in pairs for place in one.words if place[1] - place[0] > 2]
        )
        told = self._now(script, sorted(self._values.find(script.text), key=lambda value: value.start))
        alone = [_Judged(*each) for each in zip(found, stated, strict=True)]
        judged = self._taken_with(script.text, _united(alone, self._paired(script, found, pairs)))
        return _Heard(written, judged, persons, told, around)

    def _spoken(self, heard: _Heard) -> list[Spoken]:
        """The mentions as the second opinion sees them."""
        return [
            Spoken(
                one.candidate.start,
                one.candidate.end,
                one.candidate.name.kind == "drug",
                self.book.findings.rows[one.candidate.name.concept].kind
                if one.candidate.name.concept in self.book.findings.rows
                else "",
                one.stated.person.value.person if one.stated.person else heard.written.person,
            )
            for one in heard.judged
        ]

    def _mentions(self, heard: _Heard, weighed: Sequence[Assertion]) -> list[Mention]:
        """What was found, as it is told of.

        Args:
            weighed: what is said of each, all in all.
        """
        ends = self._context.ends(heard.written.script)
        amounts = _Amounts(heard.written.script.text, heard.told, [one.candidate for one in heard.judged], ends)
        return [
            self._mention(heard.written, one, amounts, assertion) for one, assertion in zip(heard.judged, weighed, strict=True)
        ]

    def _taken_with(self, text: str, judged: Sequence[_Judged]) -> list[_Judged]:
        """A medicine of which only what was done with it, or came of it, is said was taken: 吃了半瓶安眠药, 喷了还是喘."""
        exposures = [one for one in judged if self._is_exposure(one.candidate.name)]
        came_of_it = {
            one.candidate.start: one
            for one in judged
            if one.candidate.name.kind == "finding" and self._taken.match(text, one.candidate.start)
        }
        taken: list[_Judged] = []
        for one in judged:
            start, end = one.candidate.start, one.candidate.end
            beside = next((each for each in exposures if each.candidate.start <= end and start <= each.candidate.end), None)
            beside = beside or came_of_it.get(end)
            if beside is not None and one.candidate.name.kind == "drug" and not one.stated.cue:
                taken.append(one._replace(stated=one.stated._replace(assertion=beside.stated.assertion)))
            else:
                taken.append(one)
        return taken

    def _is_exposure(self, name: Name) -> bool:
        row = self.book.findings.rows.get(name.concept) if name.kind != "drug" else None
        return row is not None and row.kind == "exposure"

    def _around(self, written: _Written, found: Sequence[Candidate]) -> Iterator[Mention]:
        """The circumstances that a text tells, by words and by pairs. They may overlap the mentions, and are judged apart."""
        text, script = written.text, written.script
        told = [
            Candidate(*hit[:2], Name(concept, "finding"), 0)
            for hit in self._circumstances.find(script.text)
            for concept in hit.value
        ]
        told += [one._replace(name=Name(one.name.concept, "finding")) for one in found]
        for layer in _layers(told):
            for one, stated in zip(layer, self._context.judge(script, layer)[0], strict=True):
                start, end = script.span(one.start, one.end)
                concept = one.name.concept
                person = stated.person.value.person if stated.person else written.person
                yield Mention(concept, "finding", start, end, text[start:end], stated.assertion, person, self.broader(concept))

    def _paired(self, script: Script, found: Sequence[Candidate], pairs: Sequence[Pair]) -> Iterator[tuple[Pair, Stated]]:
        """What is said of findings told by words apart; each is judged among those mentions that it doesn't overlap."""
        for pair in (pair for pair in pairs if pair.candidate.name.kind != "idiom"):
            one = pair.candidate
            among = sorted([*(other for other in found if not _overlap(other, one)), one], key=lambda each: each.start)
            yield pair, self._context.judge(script, among)[0][among.index(one)]

    def _now(self, script: Script, told: Sequence[Value]) -> list[Value]:
        """The values without those that were measured long ago, are asked about in general, or are somebody else's."""
        ends = {value.end: value for value in told if value.quantity in _JUDGED}
        if not ends:
            return list(told)
        measured = sorted(_number_of(value, script.text) for value in ends.values())
        stated, _ = self._context.judge(script, measured)
        # What denies a number is told with it (没到180); 没有 behind it speaks of what comes next.
        over = {
            one.end
            for one, said in zip(measured, stated, strict=True)
            if said.assertion in ("historical", "hypothetical", "someone_else")
        }
        return [value for value in told if value.quantity not in _JUDGED or value.end not in over]

    def medicines(self, text: str) -> list[Medicine]:
        """The medicines that a text names, in order, whatever it says of them; ordinary words that may be one count too."""
        return list(self._named(text) if len(text) <= _SHORT else self._medicines(text))

    def _medicines(self, text: str) -> tuple[Medicine, ...]:
        script = plain(text)
        found = self._names.medicines(script)
        spans = ((one.name.concept, *script.span(one.start, one.end)) for one in found)
        return tuple(Medicine(concept, text[start:end], start, end) for concept, start, end in spans)

    def names(self, text: str) -> Named:
        """Every name in a text, in its order, whatever the text says of it."""
        script = plain(text)
        return Named(script.text, self._names.find(script))

    def unnamed(self, text: str) -> str:
        """The plain text with a mark for every medicine's name, as `asks.toml` reads it."""
        text, found = self.names(text)
        pieces, last = [], 0
        for one in found:
            if one.name.kind == "drug" and one.name.concept not in self.book.classes.rows and one.start >= last:
                pieces += [text[last : one.start], NAME]
                last = one.end
        return "".join([*pieces, text[last:]])

    def status(self, concept: str) -> Status | None:
        """How the tables say that a medicine, a class, or a word with a known stem is sold; None: they don't know it."""
        row = self.book.drugs.rows.get(concept) or self.book.classes.rows.get(concept) or self._names.stem(concept)
        return row.status if row is not None else None

    def _allergy_to(self, allergen: str) -> list[str]:
        """The broader concepts of an allergy."""
        medicine = allergen in self.book.drugs.rows or allergen in self.book.classes.rows
        return ["过敏", "药物过敏"] if medicine else ["过敏"] if allergen else []

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
            elif (stem := self._names.stem(name)) is not None:
                waiting.append(stem.drug_class)
            if name in self.book.classes.rows:
                waiting.append(MEDICINE)
            for sense in self.book.composition.senses:
                if len(name) > len(sense) and name.endswith(sense) and name.removesuffix(sense) in self.book.composition.parts:
                    waiting.append(sense)

    def _mention(self, written: _Written, judged: _Judged, amounts: _Amounts, weighed: Assertion) -> Mention:
        one, stated = judged.candidate, judged.stated
        start, end = written.script.span(one.start, one.end)
        taken = one.name.kind == "drug"
        also = (*one.name.also, *judged.also, *([MEDICINE] if taken else ()))
        allergen = one.name.concept.removesuffix("过敏") if one.name.concept.endswith("过敏") else ""
        return Mention(
            concept=one.name.concept,
            kind="drug" if taken else "finding",
            start=start,
            end=end,
            words=written.text[start:end],
            assertion=weighed,
            person=stated.person.value.person if stated.person else written.person,
            broader=self.broader(one.name.concept).union(*map(self.broader, [*also, *self._allergy_to(allergen)])),
            features=stated.features,
            hours=amounts.hours(one),
            times=amounts.of(one, "times"),
            pills=amounts.of(one, "pills") if taken else None,
            grams=amounts.of(one, "grams") if taken else None,
            allergen=allergen,
            cue=stated.cue,
            otherwise=stated.assertion if stated.assertion != weighed else None,
        )


class _Allergies:
    """Allergies: 青霉素过敏 and 对海鲜过敏 are one finding each, not a medicine and a finding."""

    def __init__(self, book: Rulebook) -> None:
        say = book.wordings
        self._allergic, self._to, self._nothing = (
            re.compile(pattern, re.VERBOSE) for pattern in (say.allergic, say.allergic_to, say.no_allergen)
        )

    def joined(self, text: str, found: list[Candidate]) -> list[Candidate]:
        """The mentions with every allergy as one."""
        made: list[Candidate] = []
        for one in found:
            if one.name.kind == "drug" and (match := self._allergic.match(text, one.end)):
                made.append(_allergy(one.name.concept, one.start, match.end()))
        starts = {one.start for one in made}
        for match in self._to.finditer(text):
            what = match["what"]
            if not self._nothing.search(what) and starts.isdisjoint(range(match.start("what"), match.end())):
                made.append(_allergy(what, match.start("what"), match.end()))
        if not made:
            return found
        held = {place for allergy in made for place in range(allergy.start, allergy.end)}
        free = (one for one in found if held.isdisjoint(range(one.start, one.end)))
        return sorted([*free, *made], key=lambda one: one.start)


def _allergy(what: str, start: int, end: int) -> Candidate:
    return Candidate(start, end, Name(what + "过敏", "finding"), end - start)


def _windows(text: str) -> Iterator[tuple[int, int]]:
    """The text in stretches that a message may have, cut behind a sentence or a clause where there is one to cut behind."""
    start = 0
    while len(text) - start > _WINDOW:
        ends = (max(text.rfind(mark, start + _WINDOW // 2, start + _WINDOW) for mark in marks) + 1 for marks in _CUTS)
        end = next((end for end in ends if end), start + _WINDOW)
        yield start, end
        start = end
    yield start, len(text)


def _layers(found: Sequence[Candidate]) -> list[list[Candidate]]:
    """What was found, in as few rows as it takes that nothing overlaps within one."""
    layers: list[list[Candidate]] = []
    for one in sorted(found, key=lambda each: (each.start, each.end)):
        layer = next((layer for layer in layers if layer[-1].end <= one.start), None)
        if layer is None:
            layers.append([one])
        else:
            layer.append(one)
    return layers


def _overlap(one: Candidate, other: Candidate) -> bool:
    return one.start < other.end and other.start < one.end


def _beside_pairs(found: list[Candidate], pairs: Sequence[Pair]) -> list[Candidate]:
    """The names without those that an idiom of several words hides: 狗咬吕洞宾."""
    words = [(*place, pair.candidate.strength) for pair in pairs if pair.candidate.name.kind == "idiom" for place in pair.words]
    return [
        one
        for one in found
        if one.name.kind == "drug"
        or not any(start < one.end and one.start < end and one.strength <= strength for start, end, strength in words)
    ]


def _united(mentions: Sequence[_Judged], pairs: Iterable[tuple[Pair, Stated]]) -> list[_Judged]:
    """One mention where a name and words apart tell of the same: 鱼刺卡喉咙 is both. In order."""
    named = [one for one in mentions if one.candidate.name.kind != "drug"]
    starts = [one.candidate.start for one in named]
    also: dict[int, list[str]] = {}
    apart: list[_Judged] = []
    for pair, stated in pairs:
        home = None
        for start, end in reversed(pair.words):
            number = bisect_left(starts, end) - 1
            if number >= 0 and named[number].candidate.end > start and named[number].stated[:2] == stated[:2]:
                home = number
                break
        if home is None:
            apart.append(_Judged(pair.candidate, stated))
        else:
            also.setdefault(starts[home], []).append(pair.candidate.name.concept)
    united = [
        one._replace(also=tuple(also.get(one.candidate.start, ()))) if one.candidate.name.kind != "drug" else one
        for one in mentions
    ]
    return sorted([*united, *apart], key=lambda one: (one.candidate.start, one.candidate.end))


def _told(script: Script, value: Value, persons: Sequence[Hit[PersonRow]], before: Person) -> Told:
    number = bisect_right(persons, value.start + 2, key=lambda hit: hit.end)
    person: Person = persons[number - 1].value.person if number else persons[0].value.person if persons else before
    return Told(value.quantity, value.number, *script.span(value.start, value.end), person)


class _Amounts:
    """How long, how often and how much: the values of a text, as they belong to its mentions.

    Args:
        told: the values, in order.
        mentions: in order.
    """

    def __init__(self, text: str, told: Sequence[Value], mentions: Sequence[Candidate], ends: Ends) -> None:
        self._text, self._ends = text, ends
        self._told, self._mentions = told, mentions
        self._starts = [one.start for one in mentions]

    def hours(self, one: Candidate) -> float | None:
        """A time told in one clause with some mentions is theirs; one that stands alone is told of any near it."""
        best: tuple[int, float] | None = None
        for value in self._near(one, "hours", _BESIDE_TIME):
            start, end = _between(one, value)
            if (best is None or end - start < best[0]) and not self._ends.sentence(start, end):
                own = self._in_clause_of(value)
                if one in own or (not own and (value.start > one.start or self._alone(value))):
                    best = end - start, value.number
        return best[1] if best else None

    def of(self, one: Candidate, quantity: Quantity) -> float | None:
        """The count or weight nearest to a mention within its sentence."""
        near = [
            (end - start, value.number)
            for value in self._near(one, quantity, _BESIDE)
            for start, end in (_between(one, value),)
        ]
        return min(near, key=lambda each: each[0])[1] if near else None

    def _near(self, one: Candidate, quantity: Quantity, reach: int) -> Iterator[Value]:
        """The values of a quantity that stand near a mention, in its sentence."""
        for value in islice(self._told, bisect_left(self._told, one.start - 2 * reach, key=lambda each: each.start), None):
            if value.start > one.end + reach:
                break
            start, end = _between(one, value)
            if value.quantity == quantity and end - start <= reach and not _SENTENCE_ENDS.search(self._text, start, end):
                yield value

    def _in_clause_of(self, value: Value) -> list[Candidate]:
        first, last = (
            bisect_left(self._starts, place) for place in (value.start - 2 * _BESIDE_TIME, value.end + 2 * _BESIDE_TIME)
        )
        return [one for one in self._mentions[first:last] if not self._apart(one, value)]

    def _alone(self, value: Value) -> bool:
        """Whether its clause says little more than the time: 都两个月了，…, but not 我妈走了快半年了，…"""
        start = self._ends.within(max(0, value.start - _BESIDE), value.start)
        end = min(len(self._text), self._ends.until(value.end, value.end + _BESIDE))
        return value.start - start + end - value.end <= _LITTLE

    def _apart(self, one: Candidate, value: Value) -> bool:
        start, end = _between(one, value)
        return start < end and self._ends.clause(start, end)


def _number_of(value: Value, text: str) -> Candidate:
    """The number itself without the words for what it is of, so that cues between them count: 血糖最高到过20."""
    number = _NUMBER.search(text, value.start, value.end)
    start = number.start() if number else value.start
    return Candidate(start, value.end, Name(value.quantity, "finding"), value.end - start)


def _between(one: Candidate, value: Value) -> tuple[int, int]:
    """The stretch between a mention and a value; empty where they overlap."""
    if value.start >= one.end:
        return one.end, value.start
    return (value.end, one.start) if value.end <= one.start else (one.start, one.start)
