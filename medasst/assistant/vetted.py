"""Answers that people wrote, found by what they answer, by the circumstances that they need and by likeness."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from medasst.assistant.acts import Source
from medasst.assistant.asked import Asked
from medasst.assistant.request import Request
from medasst.catalogue import Catalogue, Product
from medasst.dialogue import Patient
from medasst.rulebook import AskRow, Topic, VettedRow
from medasst.rulebook.vetted import State, Told
from medasst.safety import Rules
from medasst.text import comparison_key

# Cosine over TF-IDF of characters between a question and the nearest way of asking an answer, and what it gains where the side
# of its subject that the answer tells of (`aspects`) is asked in so many words. What is required of an answer keeps off those
# to other things; below this a question shares little more than those words with it. Tried on the open vignettes: wrong
# answers of such words reach 0.13, without them 0.23.
NEAR = 0.25
ASPECT = 0.1
_KNOWLEDGE = frozenset(
    {"treat", "section", "may_take", "compare", "buy", "expired", "missed_dose", "general", "none"}
)  # kinds of asks that an answer may be to
_WANTS = frozenset({"price", "stock", "cheaper", "another", "photo", "buy"})  # kinds that want a thing, no knowledge
_ANY_MEDICINE = "药物"  # the broadest name; to know of it is to know of none
# Colloquial forms and what they are compared as; both stand in one answer's ways of asking.
_PLAIN = {"咋": "怎么", "啥": "什么", "娃": "孩子", "疼": "痛"}
_COLLOQUIAL = re.compile("|".join(_PLAIN))
_COMPARED = 400  # characters of a question that are compared, its last ones


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
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Sought:
    """What an answer is sought for.

    Attributes:
        asks: what the last turn asks. last: that turn; topic: it with the earlier turns that it goes on from.
        products: those meant. medicines: the medicines that the topic names. findings: what it complains of, with every
            broader name.
        unread: earlier turns were left out, so that what they told of the person is unknown.
    """

    asks: frozenset[Topic]
    last: str
    topic: str
    patient: Patient
    products: tuple[Product, ...] = ()
    medicines: frozenset[str] = frozenset()
    findings: frozenset[str] = frozenset()
    unread: bool = False

    @classmethod
    def of(cls, request: Request, rules: Rules, asks: Iterable[Topic]) -> Sought:
        """For what a request asks, of the products that it means."""
        readings = request.told.readings[request.first :]
        told = (one for reading in readings for one in reading.findings() if one.current)
        return cls(
            asks=frozenset(asks),
            last=request.last,
            topic=request.topic,
            patient=request.told.current,
            products=request.subject,
            medicines=frozenset(one.concept for one in rules.lexicon.medicines(request.topic[-_COMPARED:])),
            findings=frozenset().union(*(one.broader for one in told)),
            unread=request.facts.unread,
        )


@dataclass(frozen=True, slots=True)
class VettedAnswer:
    """A vetted answer of this shop.

    Attributes:
        offers: the shop's products that it advises.
        knows: the medicines that it or its questions name.
    """

    row: VettedRow
    offers: tuple[Product, ...]
    knows: frozenset[str]

    @property
    def sources(self) -> tuple[Source, ...]:
        """The documents that it stands on."""
        return tuple(Source(*one) for one in self.row.documents)


class VettedAnswers:
    """The vetted answers of a rulebook that a shop can give: those whose offers it sells."""

    def __init__(self, catalogue: Catalogue, rules: Rules) -> None:
        self._rules, self._lexicon = rules, rules.lexicon
        offered = {product.name: product for product in _named(catalogue, rules)}
        rows = [row for row in rules.book.vetted.values() if all(name in offered for name in row.offers)]
        self.answers = tuple(self._answer(row, [offered[name] for name in row.offers]) for row in rows)
        self._by_topic: dict[Topic, list[int]] = defaultdict(list)
        for place, answer in enumerate(self.answers):
            for topic in answer.row.answers:
                self._by_topic[topic].append(place)
        self._askings = [[_grams(asking) for asking in _askings(answer.row)] for answer in self.answers]
        self._weights = _weights([asking for askings in self._askings for asking in askings])

    def _answer(self, row: VettedRow, offers: Sequence[Product]) -> VettedAnswer:
        texts = [*_askings(row), row.answer, *(one for entry in row.requires.medicines for one in entry.split("|"))]
        knows = frozenset(one.concept for text in texts for one in self._lexicon.medicines(text))
        return VettedAnswer(row, tuple(offers), knows)

    def nearest(self, sought: Sought) -> VettedAnswer | None:
        """The answer to what is asked that is asked most alike, among those that may be said here; None: there is none."""
        told, last = self._told(sought), comparison_key(sought.last)
        places = dict.fromkeys(place for topic in sought.asks for place in self._by_topic[topic])
        fitting = [place for place in places if self._fits(self.answers[place], sought, told, last)]
        if not fitting:
            return None
        questions = [_grams(text[-_COMPARED:]) for text in dict.fromkeys((sought.last, sought.topic))]
        ranked = sorted(((self._nearness(place, questions, last), -place) for place in fitting), reverse=True)
        return next(
            (
                self.answers[-place]
                for score, place in ranked
                if score >= NEAR and self._may_offer(self.answers[-place], sought)
            ),
            None,
        )

    def _likeness(self, place: int, questions: Sequence[frozenset[str]]) -> float:
        """How near (cosine over TF-IDF of characters, 0-1) an answer's nearest way of asking is to one of `questions`."""
        return max(_cosine(asking, question, self._weights) for asking in self._askings[place] for question in questions)

    def _nearness(self, place: int, questions: Sequence[frozenset[str]], last: str) -> float:
        """How near an answer is, and nearer where its side of the subject is asked in so many words."""
        aspects = self.answers[place].row.aspects
        plain = _plain(last)
        told = not aspects or any(_plain(aspect) in plain for aspect in aspects)
        return self._likeness(place, questions) + (ASPECT if told else 0.0)

    def _fits(self, answer: VettedAnswer, sought: Sought, told: Told, last: str) -> bool:
        row = answer.row
        words = [*row.aspects, *(one for entry in row.requires.words for one in entry.split("|"))]
        here = not row.requires.words or any(one in last for one in words)
        return here and row.fits(told) and self._knows(answer, sought.medicines)

    def _knows(self, answer: VettedAnswer, medicines: Collection[str]) -> bool:
        """Whether it speaks of each of these medicines, if only by a broader name."""
        return all(not answer.knows.isdisjoint(self._lexicon.broader(one) - {_ANY_MEDICINE}) for one in medicines)

    def _may_offer(self, answer: VettedAnswer, sought: Sought) -> bool:
        """Whether nothing speaks against what it advises for this person, as far as is known."""
        if not answer.offers:
            return True
        found = (self._rules.checks(product, sought.patient, anew=True) for product in answer.offers)
        return not sought.unread and not any(one.stops for findings in found for one in findings)

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
            "words": comparison_key(sought.topic),
        }

    def _states(self, patient: Patient) -> Iterator[State]:
        for name in ("pregnancy", "lactation"):
            if patient.slot(name).known == "yes":
                yield name
        if "开车" in patient.slot("work").what:
            yield "driving"
        drinks = self._rules.book.checks.drinking
        if any(said.mention.current and not said.mention.broader.isdisjoint(drinks) for said in patient.said):
            yield "alcohol"


def _grams(text: str) -> frozenset[str]:
    key = _plain(comparison_key(text))
    return frozenset(key[start : start + size] for size in (1, 2, 3) for start in range(len(key) - size + 1))


def _plain(key: str) -> str:
    """A key with its colloquial words (咋, 啥, 娃) as they are mostly written."""
    return _COLLOQUIAL.sub(lambda found: _PLAIN[found[0]], key)


def _weights(texts: Sequence[frozenset[str]]) -> dict[str, float]:
    """What each piece of text weighs: the rarer, the more."""
    counts = Counter(gram for text in texts for gram in text)
    return {gram: 1 + math.log((1 + len(texts)) / (1 + count)) for gram, count in counts.items()}


def _cosine(first: frozenset[str], second: frozenset[str], weights: Mapping[str, float]) -> float:
    rare = 1 + math.log(1 + len(weights))  # of what stands in no text that was weighed

    def squares(grams: Iterable[str]) -> float:
        return sum(weights.get(gram, rare) ** 2 for gram in grams)

    return squares(first & second) / math.sqrt((squares(first) or 1) * (squares(second) or 1))


def _askings(row: VettedRow) -> list[str]:
    """The ways of asking for an answer: its turn with those before it, and others."""
    return ["。".join(row.turns), *row.asked]


def _named(catalogue: Catalogue, rules: Rules) -> Iterator[Product]:
    """The shop's products that some answer offers, by their exact names."""
    shelf = catalogue.over_the_counter
    for name in sorted({name for row in rules.book.vetted.values() for name in row.offers}):
        yield from (match.product for match in shelf.named(name) if match.product.name == name)
