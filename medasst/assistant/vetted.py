"""Answers that people wrote, found by what they answer, by the circumstances that they need and by likeness."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, get_args

import numpy as np

from medasst.assistant.acts import Source
from medasst.assistant.asked import Asked, reader
from medasst.assistant.askings import Askings, plainly
from medasst.assistant.request import Request
from medasst.catalogue import Catalogue, Product
from medasst.dialogue import Patient
from medasst.lexicon import Named, plain
from medasst.rulebook import AskRow, Topic, VettedRow
from medasst.rulebook.asks import NAME
from medasst.rulebook.rows import Words
from medasst.rulebook.vetted import Circumstances, State, Told
from medasst.safety import PersonFinding, Rules
from medasst.safety import Told as Fact

# What a question must come to for an answer to be said where nothing else answers, and to lead the reply. Its likeness to a
# way of asking the answer counts (`Askings`, 0-1), and what is below. Fitted and read on turns of the open suites.
NEAR, SURE = 0.8, 0.95
_LIKE, _VERY = 0.15, 0.28  # the least likeness of either
_ASPECT, _TWO, _ANY = 0.3, 0.5, 0.4  # of the sides of its subject that it tells of one, two are asked; it names none
_NEEDED, _MOST = 0.08, 4  # for each circumstance that it needs, a medicine counting double, up to so many
_TOPIC = 0.05  # what is asked is what it answers
_SAME, _OTHER = 0.15, 0.12  # a row of `asks.toml` reads both the question and one of the answer's; off where none does
_ELSE = 0.05  # off for each complaint of the turn that neither the answer nor its questions know, twice at most
_TELLS = 0.1  # off where the turn asks nothing itself; of a complaint, only for what leads
_WANTED = 0.2  # off where a thing is wanted and the answer isn't to that
_LOOKED_AT = 64  # the answers asked most alike; what they need is looked at of these alone
_CLAUSES = 3  # clauses of a turn that are compared by themselves
_KNOWLEDGE = frozenset(
    {"treat", "section", "may_take", "compare", "buy", "expired", "missed_dose", "common", "general", "none"}
)  # kinds of asks that an answer may be to
_WANTS = frozenset({"price", "stock", "cheaper", "another", "photo", "buy"})  # kinds that want a thing, no knowledge
_ANY_MEDICINE = "药物"  # the broadest name; to know of it is to know of none
# What forbids a medicine to somebody, whatever is drunk, done or taken besides.
_OF_PERSON = frozenset({"contraindication", "allergy", "pregnancy", "lactation", "age", "kidney", "liver"})
_CHILD = "孩子"  # as which every word for one is compared
_STATES = {"pregnancy": "怀孕", "lactation": "哺乳"}  # their names among the findings
_CLAUSE = re.compile(r"[^,，。;；?？!！\s]+")
_READ = 400  # characters of a topic in which medicines are looked for, its last ones


def topics(asks: Iterable[Asked], rows: Mapping[str, AskRow]) -> frozenset[Topic]:
    """What may answer these: their kinds and sections; and general knowledge, but where a shop matter or a thing is wanted.

    Args:
        rows: those of `asks.toml` by their ids. What is asked of no product is general, but its row tells what it was;
            a bare name, which no row reads, may be asked about anyhow.
    """
    found: set[Topic] = set()
    for asked in asks:
        row = rows.get(asked.row)
        kind = row.kind if row is not None and row.kind in _WANTS and asked.kind == "general" else asked.kind
        if kind in _KNOWLEDGE:
            found |= {topic for topic in get_args(Topic) if topic in (kind, asked.key)}
            found |= {"general"} if kind != "buy" or not asked.row else set()
        elif kind == "spec" and asked.key == "contains":
            found.add("general")
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Sought:
    """What an answer is sought for.

    Attributes:
        asks: what is asked. last: the turn that asks it; topic: it with the earlier turns that it goes on from.
        compared: the texts of which one must be like a way of asking the answer.
        rows: the rows of `asks.toml` that read what is asked of knowledge; plain: whether they are of some product.
        wants: whether only a thing is wanted.
        tells: whether the turn asks nothing itself.
        products: those meant. medicines: the medicines that the topic names. findings: what it complains of, with every
            broader name; new: what of it the last turn tells. concepts: all that the topic names, whatever it says of it.
        unread: earlier turns were left out, so that what they told of the person is unknown.
    """

    asks: frozenset[Topic]
    last: str
    topic: str
    patient: Patient
    compared: tuple[str, ...] = ()
    rows: frozenset[str] = frozenset()
    plain: bool = False
    wants: bool = False
    tells: bool = False
    products: tuple[Product, ...] = ()
    medicines: frozenset[str] = frozenset()
    findings: frozenset[str] = frozenset()
    new: frozenset[str] = frozenset()
    concepts: tuple[str, ...] = ()
    unread: bool = False

    @classmethod
    def of(cls, request: Request, rules: Rules, asks: Iterable[Topic]) -> Sought:
        """For what a request asks, of the products that it means.

        Args:
            asks: see `topics`.
        """
        readings = request.told.readings[request.first :]
        told = [one for reading in readings for one in reading.findings() if one.current]
        goes_on = request.asked_at < request.told.turn
        known = reader(rules.lexicon)
        kinds = {known.rows[one.row].kind if one.row in known.rows else one.kind for one in request.asks}
        return cls(
            asks=frozenset(asks),
            last=request.last,
            topic=request.topic,
            patient=request.told.current,
            compared=(request.last, request.topic, *list(dict.fromkeys(clause for clause, _ in clauses(request)))[-_CLAUSES:]),
            rows=frozenset(one.row for one in request.asks if one.row and known.rows[one.row].kind in _KNOWLEDGE - _WANTS),
            plain=any(one.row and one.kind != "general" for one in request.asks),
            wants=bool(kinds & _WANTS) and kinds <= _WANTS | {"treat", "none", "general"},
            tells=goes_on or not (any(one.row for one in request.asks) or known.asks_something(readings[-1].plain)),
            products=request.subject,
            medicines=frozenset(_drugs(rules.lexicon.names(request.topic[-_READ:]))),
            findings=frozenset().union(*(one.broader for one in told)),
            new=frozenset(one.concept for one in readings[-1].findings() if one.current),
            concepts=tuple(dict.fromkeys(one.concept for reading in readings for one in reading.mentions)),
            unread=request.facts.unread,
        )

    def part(self, clause: str, rules: Rules, asks: Iterable[Topic]) -> Sought:
        """The same for what one clause of the turn asks, of the medicines that it names, if any."""
        medicines = frozenset(_drugs(rules.lexicon.names(clause))) or self.medicines
        return replace(self, asks=frozenset(asks), last=clause, compared=(clause,), medicines=medicines)


def clauses(request: Request) -> list[tuple[str, Asked]]:
    """The clauses of the last turn that ask something, each with what; nothing for what more than a clause asks."""
    found = []
    written = _CLAUSE.findall(request.last)
    for asked in request.asks:
        words = re.escape(asked.words).replace(re.escape(NAME), ".+").replace(",", "")
        clause = next((one for one in written if asked.words and re.search(words, plain(one).text)), None)
        if clause is not None:
            found.append((clause, asked))
    return found


@dataclass(frozen=True, slots=True)
class VettedAnswer:
    """A vetted answer of this shop.

    Attributes:
        row: its row, with the words that it needs, forbids or is asked by as they are compared (`plainly`).
        offers: the shop's products that it advises.
        knows: the medicines that it or its questions name; names: those that it names itself.
        complaints: the findings that it or its questions name, with every broader name; of_children: whether they name a child;
            for_children: whether every question does.
        set_apart: the words of it and its questions that make a question another one.
    """

    row: VettedRow
    offers: tuple[Product, ...]
    knows: frozenset[str]
    names: frozenset[str]
    complaints: frozenset[str]
    of_children: bool
    for_children: bool
    set_apart: frozenset[str]

    @property
    def sources(self) -> tuple[Source, ...]:
        """The documents that it stands on."""
        return tuple(Source(*one) for one in self.row.documents)


class Hit(NamedTuple):
    """An answer that is near to a question.

    Attributes:
        sure: whether it is so near that it leads the reply. again: whether an earlier reply gave it already.
    """

    answer: VettedAnswer
    sure: bool
    again: bool


class VettedAnswers:
    """The vetted answers of a rulebook that a shop can give: those whose offers it sells."""

    def __init__(self, catalogue: Catalogue, rules: Rules) -> None:
        self._rules, self._lexicon = rules, rules.lexicon
        offered = {product.name: product for product in _named(catalogue, rules)}
        rows = [_plainly(row) for row in rules.book.vetted.values() if all(name in offered for name in row.offers)]
        askings = [[self._lexicon.names(way) for way in ways_of_asking(row)] for row in rows]
        self._askings = Askings(self._lexicon, askings)
        self.answers = tuple(
            self._answer(row, [offered[name] for name in row.offers], ways) for row, ways in zip(rows, askings, strict=True)
        )
        self._read: dict[int, frozenset[str]] = {}  # by which rows of asks.toml an answer's questions are read

    def _answer(self, row: VettedRow, offers: Sequence[Product], askings: Sequence[Named]) -> VettedAnswer:
        said = self._lexicon.names(row.answer)
        names = frozenset(_drugs(said))
        needed = [one for entry in row.requires.medicines for one in entry.split("|")]
        knows = names.union(needed, *map(_drugs, askings))
        told = {one.name.concept for named in (*askings, said) for one in named.found}
        told.update(one for entry in (*row.requires.findings, *row.requires.conditions) for one in entry.split("|"))
        complaints = frozenset().union(*map(self._lexicon.broader, told))
        named_child = [_CHILD in plainly(named.text) for named in askings]
        of_children = any(named_child) or _CHILD in plainly(said.text)
        set_apart = reader(self._lexicon).set_apart_by("".join([row.answer, *ways_of_asking(row)]))
        return VettedAnswer(row, tuple(offers), knows, names, complaints, of_children, all(named_child), set_apart)

    def find(self, sought: Sought, held: Callable[[str], bool] = lambda _: False) -> Hit | None:
        """The answer to what is asked that is asked most alike, among those that may be said here; None: none is near.

        Args:
            held: whether an answer was given before; one that was is only found where no other is.
        """
        if not sought.asks or not self.answers:
            return None
        likeness = self._askings.likeness(dict.fromkeys(sought.compared))
        places = np.argsort(-likeness, kind="stable")[:_LOOKED_AT].tolist()
        told, last = self._told(sought), plainly(sought.last)
        like = [place for place in places if likeness[place] >= _LIKE]
        near = ((place, likeness[place] + self._more(place, sought, last)) for place in like)
        fitting = ((place, score) for place, score in near if score + _SAME >= NEAR and self._fits(place, sought, told, last))
        hits = ((score + self._agreement(place, sought), -place) for place, score in fitting)
        said: Hit | None = None
        for score, place in sorted(hits, reverse=True):
            answer, again = self.answers[-place], held(self.answers[-place].row.answer)
            if score < NEAR or not self._may_say(answer, sought):
                continue
            wanted = SURE + (_TELLS if sought.tells and sought.new else 0.0)
            hit = Hit(answer, bool(score >= wanted and likeness[-place] >= _VERY), again)
            if not again:
                return hit
            said = said or hit
        return said

    def _more(self, place: int, sought: Sought, last: str) -> float:
        """What makes a question nearer to an answer than its likeness, or less near."""
        answer = self.answers[place]
        sides = sum(aspect in last for aspect in answer.row.aspects)
        side = (0.0, _ASPECT, _TWO)[min(sides, 2)] if answer.row.aspects else _ANY
        needed = answer.row.requires
        circumstances = len(needed.words) + len(needed.findings) + 2 * len(needed.medicines)
        other = sum(self._lexicon.broader(one).isdisjoint(answer.complaints) for one in sought.new)
        return (
            side
            + _NEEDED * min(circumstances, _MOST)
            + (0.0 if sought.asks.isdisjoint(answer.row.answers) else _TOPIC)
            - _ELSE * min(other, 2)
            - (_TELLS if sought.tells and not sought.new else 0.0)
            - (_WANTED if sought.wants and "buy" not in answer.row.answers else 0.0)
        )

    def _agreement(self, place: int, sought: Sought) -> float:
        """Whether what is asked, as `asks.toml` reads it, is what the answer is asked by."""
        if not sought.rows:
            return 0.0
        if place not in self._read:
            known = reader(self._lexicon)
            asked = (known.read(self._lexicon.unnamed(way)) for way in ways_of_asking(self.answers[place].row))
            self._read[place] = frozenset(one.row for found in asked for one in found)
        if sought.rows.isdisjoint(self._read[place]):
            return -_OTHER if sought.plain else 0.0
        return _SAME

    def _fits(self, place: int, sought: Sought, told: Told, last: str) -> bool:
        answer = self.answers[place]
        needed = answer.row.requires.words
        words = [*answer.row.aspects, *(one for entry in needed for one in entry.split("|"))]
        here = not needed or any(one in last for one in words)
        # What a text names counts for what an answer needs by our name for it, too; it is kept back by what is written alone.
        named = {**told, "words": " ".join([str(told["words"]), *map(plainly, sought.concepts)])}
        fits = all(answer.row.requires.met(named)) and not any(answer.row.forbids.met(told))
        same = reader(self._lexicon).set_apart_by(sought.last) <= answer.set_apart
        same = same and not (answer.for_children and sought.patient.stage in ("adult", "elderly"))
        return here and fits and same and self._knows(answer, sought.medicines)

    def _knows(self, answer: VettedAnswer, medicines: Collection[str]) -> bool:
        """Whether it speaks of each of these medicines, if only by a broader name."""
        return all(not answer.knows.isdisjoint(self._lexicon.broader(one) - {_ANY_MEDICINE}) for one in medicines)

    def _may_say(self, answer: VettedAnswer, sought: Sought) -> bool:
        """Whether nothing speaks against what it advises, or names, for this person, as far as is known."""
        if answer.offers:
            found = (self._rules.checks(product, sought.patient, anew=True) for product in answer.offers)
            if sought.unread or any(one.stops for findings in found for one in findings):
                return False
        others = answer.names - sought.medicines
        against = (
            one
            for name in others
            for one in self._against(name, sought.patient)
            if one.severity == "forbid" and one.kind in _OF_PERSON
        )
        return all(self._minds(answer, told) for finding in against for told in finding.why[0].because)

    def _minds(self, answer: VettedAnswer, told: Fact) -> bool:
        """Whether an answer speaks of what forbids somebody a medicine that it names, and so can't mean to advise it."""
        if told.slot in ("age", "weight"):
            return answer.of_children
        what = _STATES.get(told.slot, told.what)
        return not (answer.complaints | answer.knows).isdisjoint(self._lexicon.broader(what))

    def _told(self, sought: Sought) -> Told:
        patient, broad = sought.patient, self._lexicon.broader
        taken = [*sought.medicines, *patient.slot("drugs").what]
        taken += [one.concept for product in sought.products for one in self._lexicon.medicines(product.name)]
        return {
            "person": (patient.stage,) if patient.stage is not None else (),
            "states": frozenset(self._states(patient)),
            "conditions": frozenset().union(*map(broad, patient.slot("conditions").what)),
            "findings": sought.findings,
            "medicines": frozenset().union(*map(broad, taken)),
            "allergies": frozenset().union(*map(broad, patient.slot("allergies").what)),
            "words": plainly(sought.topic),
        }

    def _against(self, medicine: str, patient: Patient) -> tuple[PersonFinding, ...]:
        return self._rules.person_checks.of(self._rules.formulary.contents(medicine), patient, anew=False)

    def _states(self, patient: Patient) -> Iterator[State]:
        for name in ("pregnancy", "lactation"):
            if patient.slot(name).known == "yes":
                yield name
        if "开车" in patient.slot("work").what:
            yield "driving"
        drinks = self._rules.book.checks.drinking
        if any(said.mention.current and not said.mention.broader.isdisjoint(drinks) for said in patient.said):
            yield "alcohol"


def _drugs(named: Named) -> Iterator[str]:
    """The medicines that a text names."""
    return (one.name.concept for one in named.found if one.name.kind == "drug")


def ways_of_asking(row: VettedRow) -> list[str]:
    """The ways of asking for an answer: its turn with those before it, and others."""
    return ["。".join(row.turns), *row.asked]


def _plainly(row: VettedRow) -> VettedRow:
    """A row with its words as they are compared."""

    def plain_words(words: Words) -> Words:
        return tuple("|".join(map(plainly, entry.split("|"))) for entry in words)

    def told(circumstances: Circumstances) -> Circumstances:
        return circumstances.model_copy(update={"words": plain_words(circumstances.words)})

    return row.model_copy(
        update={"requires": told(row.requires), "forbids": told(row.forbids), "aspects": plain_words(row.aspects)}
    )


def _named(catalogue: Catalogue, rules: Rules) -> Iterator[Product]:
    """The shop's products that some answer offers, by their exact names."""
    shelf = catalogue.over_the_counter
    for name in sorted({name for row in rules.book.vetted.values() for name in row.offers}):
        yield from (match.product for match in shelf.named(name) if match.product.name == name)
