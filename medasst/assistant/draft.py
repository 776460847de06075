"""The part of a reply that needs no model: rules, vetted answers, leaflets. A pure function of the conversation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from medasst.assistant.events import Ask, Card, Citation, EndReason, Event, Finding, HandOff, Text
from medasst.assistant.question import Question
from medasst.assistant.vetted import NEAR, NEAR_SAME_SUBJECT, VettedAnswer, VettedAnswers
from medasst.catalogue import Catalogue, Product, Section
from medasst.safety import Alarm, Concern, Context, Rules
from medasst.text import comparison_key, sentences

_SHOWN = 3  # products of one reply
_COMPARED = 4000  # characters of a question that are compared with vetted ones, which are twenty times shorter
_DENIES = ("不", "别", "勿", "避免", "禁", "慎")


@dataclass(frozen=True, slots=True)
class Draft:
    """A reply as it stands without the model.

    Attributes:
        body: what leaves at once.
        tail: what comes after the model: the question back, the hand-off.
        grounds: what people wrote for this reply; empty where no model may speak.
    """

    body: tuple[Event, ...]
    tail: tuple[Event, ...]
    grounds: str
    reason: EndReason


class _Subject(NamedTuple):
    """What a question is about: symptoms, over-the-counter products, prescription drugs."""

    symptoms: frozenset[str]
    products: frozenset[str]
    prescription: frozenset[str]


class Drafter:
    """Writes drafts over one shop's catalogue, rules and vetted answers."""

    def __init__(self, catalogue: Catalogue, rules: Rules, vetted: VettedAnswers) -> None:
        self.catalogue, self.rules, self.vetted = catalogue, rules, vetted
        self._say, self._shelf = rules.messages, catalogue.over_the_counter
        self._subjects = {answer: self._subject("。".join(answer.turns)) for answer in vetted.answers}

    def draft(self, question: Question) -> Draft:
        """Red flags, then the prescription gate, then what is known: a vetted answer or leaflets; else the pharmacist."""
        alarms = self.rules.red_flags(question.last, question.turns[:-1])
        if any(alarm.flag.severity == "emergency" for alarm in alarms):
            return self._emergency(alarms)
        warnings = (*self._reminders(question), *map(_finding, alarms))
        if question.prescription and not question.named:
            draft = self._prescription(question)
            return Draft((*warnings, *draft.body), draft.tail, "", "red_flag" if warnings else "prescription")
        answer = self._vetted(question)
        draft = self._from_vetted(question, answer) if answer else self._from_leaflets(question)
        if question.facts.unread and draft.grounds:
            draft = self._unread(draft)
        return self._cautious(warnings, draft) if warnings else draft

    def _subject(self, text: str) -> _Subject:
        named = frozenset(match.product.sku for match in self._shelf.named(text))
        return _Subject(frozenset(self._shelf.symptoms(text)), named, frozenset(self.rules.gate.mentions(text)))

    # Rules that speak first

    def _emergency(self, alarms: list[Alarm]) -> Draft:
        closing = [Text(self._say.emergency)] if all(alarm.flag.closing for alarm in alarms) else []
        return Draft((*map(_finding, alarms), *closing), (), "", "red_flag")

    def _cautious(self, warnings: Sequence[Event], draft: Draft) -> Draft:
        """A draft after urgent warnings: no products, and where nothing is known the warning is the answer."""
        if draft.reason == "hand_off":
            return Draft(tuple(warnings), (), "", "red_flag")
        body = [event for event in draft.body if not isinstance(event, Card)]
        return Draft((*warnings, Text(self._say.urgent_note + "\n"), *body), draft.tail, draft.grounds, "red_flag")

    def _unread(self, draft: Draft) -> Draft:
        """A draft where earlier turns were left out: no products before the shopper has said again what speaks against them."""
        warning = Finding("population.unread", "warning", self._say.unread, self._say.version)
        body = [event for event in draft.body if not isinstance(event, Card)]
        tail = [event for event in draft.tail if not isinstance(event, Ask)]
        return Draft((warning, *body), (*tail, Ask(self._say.ask["unread"])), draft.grounds, draft.reason)

    def _reminders(self, question: Question) -> list[Event]:
        """An emergency of an earlier turn stays one: it is said again before anything else."""
        say = self._say.emergency_before
        return [
            Finding(flag.id, "urgent", say.format(title=flag.title, message=flag.message), flag.version)
            for flag in self.rules.emergencies(question.turns[:-1])
        ]

    def _prescription(self, question: Question) -> Draft:
        """The fixed way, or a vetted answer of that kind for the same drug."""
        drug, data = question.prescription[0], self.rules.gate.data
        vetted = self.vetted.nearest(
            [question.topic],
            lambda a, score: (
                score >= NEAR_SAME_SUBJECT and a.kind == "prescription" and drug in comparison_key(a.turns[-1] + a.answer)
            ),
        )
        texts = self._checked(vetted.answer) if vetted else []
        if not vetted or any(text.replaced_by_rule for text in texts) or len(texts) < len(sentences(vetted.answer)):
            texts = [Text(sentence) for sentence in self.rules.gate.answer(drug)]
        hand_off = HandOff("prescription", self._say.ask_pharmacist_prescription)
        return Draft((*_paragraph(texts), Citation(data.document, data.section)), (hand_off,), "", "prescription")

    # What people wrote

    def _vetted(self, question: Question) -> VettedAnswer | None:
        """The nearest vetted answer that was written for the same circumstances and the same product."""
        asked = self._subject(question.topic)

        def fits(answer: VettedAnswer, score: float) -> bool:
            subject = self._subjects[answer]
            heard = len(answer.turns) <= len(question.turns)  # a later turn answers what was asked back before it
            same_age = answer.facts.child_months in (None, question.facts.child_months)
            same_person = answer.facts.tags == question.facts.tags and set(answer.facts.drugs) <= set(question.facts.drugs)
            same_trouble = asked.symptoms == subject.symptoms or bool(asked.symptoms & subject.symptoms)
            near = score >= (NEAR_SAME_SUBJECT if any(asked) else NEAR)
            same_subject = same_trouble and asked[1:] == subject[1:]
            fitting = heard and near and same_age and same_person and same_subject
            return fitting and not self._drugs_ignored(question, answer)

        return self.vetted.nearest(["。".join(question.turns)[-_COMPARED:], question.topic[-_COMPARED:]], fits)

    @staticmethod
    def _drugs_ignored(question: Question, answer: VettedAnswer) -> bool:
        """Whether the shopper takes a drug of which the answer knows nothing."""
        text = comparison_key(answer.answer + "".join(answer.turns))
        return any(comparison_key(drug) not in text for drug in question.facts.drugs)

    def _from_vetted(self, question: Question, answer: VettedAnswer) -> Draft:
        products = [self.catalogue[sku] for sku in sorted(answer.products) if sku in self.catalogue]
        texts = self._checked(answer.answer)
        body: list[Event] = [*_paragraph(texts), *(Citation(*source) for source in answer.sources)]
        if answer.kind == "answer" and question.buys:
            body += [self._card(p) for p in products if _advised(p, texts) and not self.rules.concerns(p, question.facts)][
                :_SHOWN
            ]
        grounds = answer.answer + "".join(s.text for p in products if not p.prescription for s in p.leaflet.values())
        tail = [] if answer.kind != "answer" else self._ask(question)
        return Draft(tuple(body), tuple(tail), grounds, "stop")

    # What leaflets say

    def _from_leaflets(self, question: Question) -> Draft:
        if question.named:
            return self._named(question)
        matches = [match for match in self._shelf.find(question.topic, 10) if match.how == "symptom"]
        if matches:
            return self._by_symptom(question, [match.product for match in matches], matches[0].words)
        if courtesy := self._say.courtesy(question.last):
            return Draft((Text(courtesy + "\n"),), (), "", "stop")
        if self.catalogue.symptoms(question.topic):
            return Draft((), (HandOff("prescription", self.rules.gate.data.by_symptom),), "", "prescription")
        return Draft((), (HandOff("unknown", self._say.unknown),), "", "hand_off")

    def _named(self, question: Question) -> Draft:
        """What the leaflet of the named product says about what was asked; who may not take it comes first."""
        products = [match.product for match in question.named][:_SHOWN]
        concerns = {p.sku: self.rules.concerns(p, question.facts) for p in products}
        body: list[Event] = [self._warning(concern) for sku in concerns for concern in concerns[sku]]
        together = question.prescription or len(products) > 1
        for product in products:
            keys = ["interactions"] if together else [question.section or "indications", "contraindications"]
            for key in dict.fromkeys(keys):
                body += self._section(product, key)
        safe = not together and not any(concerns.values())
        if safe:
            body += [self._card(product) for product in products]
        body = _unique(body)
        tail: list[Event] = self._ask(question) if safe else [HandOff("population", self._say.ask_pharmacist)]
        return Draft(tuple(body), tuple(tail), _grounds(products), "stop")

    def _by_symptom(self, question: Question, products: list[Product], symptoms: str) -> Draft:
        """Products for a complaint, those left out that the person may not simply take."""
        meant = [p for p in products if question.facts.child or not p.for_children]
        concerns = {p.sku: self.rules.concerns(p, question.facts) for p in meant}
        fit = [p for p in meant if not concerns[p.sku]][:_SHOWN]
        if not fit:
            warnings = [self._warning(concern) for p in meant[:2] for concern in concerns[p.sku][:1]]
            ask = self._ask(question) if question.facts.child and question.facts.child_months is None else []
            tail = [*ask, HandOff("population", self._say.ask_pharmacist)]
            return Draft(tuple(warnings), tuple(tail), _grounds(products), "stop")
        body: list[Event] = [Text(self._say.symptom_intro.format(symptoms=symptoms) + "\n")]
        body += [self._card(product) for product in fit]  # a card says what its product is for
        body.append(Text(self._say.see_doctor + "\n"))
        return Draft(tuple(body), tuple(self._ask(question)), _grounds(fit), "stop")

    # Pieces

    def _section(self, product: Product, key: str) -> list[Event]:
        section = product.section(key)
        if section is None:
            return []
        said = self._checked(f"{product.short_name}【{section.section}】{section.text}")
        return [*_paragraph(said), Citation(section.document, section.section)]

    def _checked(self, text: str) -> list[Text]:
        """A person's text in whole sentences, each checked; a refused one is replaced where the rule has a replacement."""
        about: bool | None = None
        texts: list[Text] = []
        for sentence in sentences(text):
            verdict = self.rules.check_sentence(sentence, Context(about=about))
            about = named if (named := self.rules.gate.subject(sentence)) is not None else about
            if verdict.ok:
                texts.append(Text(sentence))
            elif verdict.replaced_by and not any(t.replaced_by_rule == verdict.rule for t in texts):
                texts.append(Text(verdict.replaced_by, verdict.rule))
        return texts

    def _warning(self, concern: Concern) -> Finding:
        return Finding(concern.rule, "warning", concern.message, self._say.version)

    def _card(self, product: Product) -> Card:
        section = product.leaflet["indications"]
        reason = self._say.card_reason.format(section=section.section, text=sentences(section.text)[0])
        facts = (product.name, product.form, product.strength, product.pack, product.price, product.status)
        return Card(product.sku, reason, _cite(section), *facts)

    def _ask(self, question: Question) -> list[Event]:
        """The one thing that a careful pharmacist would ask next, if anything is still unknown."""
        facts = question.facts
        if facts.child is None and facts.pregnant is None and not facts.elderly:
            key = "who"
        elif facts.child and facts.child_months is None:
            key = "child_age"
        elif not facts.child and not facts.elderly and facts.pregnant is None and facts.nursing is None:
            key = "pregnant"
        elif not (facts.allergies or facts.chronic or facts.drugs):
            key = "history"
        else:
            return []
        return [Ask(self._say.ask[key], self._say.options[key])]


def _finding(alarm: Alarm) -> Finding:
    return Finding(alarm.flag.id, alarm.flag.severity, alarm.flag.message, alarm.flag.version)


def _unique(events: Iterable[Event]) -> list[Event]:
    return list(dict.fromkeys(events))


def _paragraph(texts: list[Text]) -> list[Text]:
    return [*texts[:-1], Text(texts[-1].sentence.rstrip("\n") + "\n", texts[-1].replaced_by_rule)] if texts else []


def _cite(section: Section) -> str:
    return f"{section.document}·{section.section}"


def _grounds(products: Iterable[Product]) -> str:
    return "".join(section.text for product in products for section in product.leaflet.values())


def _advised(product: Product, texts: Iterable[Text]) -> bool:
    """Whether the answer names this over-the-counter product, and never in a clause that denies something."""
    if product.prescription:
        return False
    clauses = [clause for text in texts for clause in text.sentence.replace("，", "。").split("。")]
    naming = [clause for clause in clauses if any(name in clause for name in product.names)]
    return bool(naming) and not any(word in clause for clause in naming for word in _DENIES)
