"""The part of a reply that needs no model: rules, vetted answers, leaflets. A pure function of the conversation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar, get_args

from medasst.assistant.events import Ask, Card, Citation, EndReason, Event, Finding, HandOff, Severity, Text
from medasst.assistant.request import Request
from medasst.assistant.vetted import Sought, VettedAnswer, VettedAnswers
from medasst.catalogue import Catalogue, Product, Section
from medasst.dialogue import Patient
from medasst.lexicon import Mention
from medasst.rulebook import Level, Topic, UrgencyRow
from medasst.safety import Alarm, Context, Facts, PersonFinding, Rules
from medasst.text import sentences

T = TypeVar("T")
_SHOWN = 3  # products of one reply
_REFUSED = 2  # products of which it is said why they aren't shown, where none is
_SPOKEN = 6  # medicines of a topic that are held against one another, the newest
_PAIRS = frozenset({"duplicate", "unknown"})
_ALARMS = 3  # alarms of one reply
_SEVERITY: dict[Level, Severity] = {"emergency": "emergency", "today": "urgent", "days": "warning", "self": "info"}


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


class Drafter:
    """Writes drafts over one shop's catalogue, rules and vetted answers."""

    def __init__(self, catalogue: Catalogue, rules: Rules, vetted: VettedAnswers) -> None:
        self.catalogue, self.rules, self.vetted = catalogue, rules, vetted
        self._say, self._shelf = rules.messages, catalogue.over_the_counter

    def draft(self, request: Request) -> Draft:
        """What is urgent, then the prescription gate, then what is known: a vetted answer or leaflets; else the pharmacist."""
        alarms = [alarm for alarm in self.rules.alarms(request.told) if self._concerns(alarm, request)]
        now = [alarm for alarm in alarms if _is_told(alarm, request, request.told.turn)]
        if any(alarm.level == "emergency" for alarm in now):
            return self._emergency(now)
        if standing := [alarm for alarm in alarms if self._is_still_about(alarm, request)]:
            return self._standing(standing, gives=bool(request.told.readings[-1].drugs()))
        together = [] if alarms else map(self._warning, self._together(request))
        warnings = (*self._reminders(alarms, now), *self._alarms(now), *self._first(request), *together)
        wanted = any(act.want != "ask" for act in request.acts)
        if request.acts and (wanted or not request.named):
            draft = self._prescription(request)
            reason: EndReason = "red_flag" if alarms else "prescription"
            others = self._named(request).body if request.named and not alarms else ()
            return Draft((*warnings, *draft.body, *others), draft.tail, "", reason)
        if not alarms and (courtesy := self._say.courtesy(request.last)):
            return Draft((Text(courtesy + "\n"),), (), "", "stop")
        answer = self._vetted(request)
        draft = self._from_vetted(request, answer) if answer else self._from_leaflets(request)
        if request.facts.unread and draft.grounds:
            draft = self._unread(draft)
        if alarms:
            return self._cautious(warnings, draft)
        return replace(draft, body=(*warnings, *draft.body))

    # Rules that speak first

    def _emergency(self, alarms: list[Alarm]) -> Draft:
        most = [alarm for alarm in alarms if alarm.level == "emergency"]
        closing = [Text(self._say.emergency)] if all(alarm.rule.closing for alarm in most) else []
        return Draft((*self._alarms(most), *closing), (), "", "red_flag")

    @staticmethod
    def _is_still_about(alarm: Alarm, request: Request) -> bool:
        """Whether the last turn goes on about somebody's emergency, or about nothing else that ails this person."""
        else_told = [mention for mention in request.told.readings[-1].findings() if mention.current]
        mine = alarm.person == request.told.current.person
        return alarm.level == "emergency" and mine and not else_told

    def _standing(self, alarms: Sequence[Alarm], *, gives: bool) -> Draft:
        """That somebody must go, once more, and nothing that could keep them from it.

        Args:
            gives: whether a medicine is about to be given: then what to do until help is there is said again, too.
        """
        rules = _unique(alarm.rule for alarm in alarms)[:_ALARMS]
        said = [
            Finding(
                rule.id,
                "emergency",
                self._say.before["emergency"].format(title=rule.name) + (rule.first_aid if gives else ""),
                rule.version,
            )
            for rule in rules
        ]
        return Draft((*said, Text(self._say.urgent_note + "\n")), (), "", "red_flag")

    def _alarms(self, alarms: Sequence[Alarm]) -> list[Event]:
        """What alarms say: all emergencies, else only those of the highest level; at most three, none twice."""
        shown = [alarm.rule for alarm in alarms if alarm.level == alarms[0].level][:_ALARMS]
        return _unique(Finding(rule.id, _SEVERITY[rule.level], self._told(rule), rule.version) for rule in shown)

    def _told(self, rule: UrgencyRow) -> str:
        """An alarm's message: first what to do, and by when."""
        begun = re.search(self._say.begins[rule.level], re.split("[，。！；]", rule.message)[0])
        lead = "" if begun or not rule.closing else self._say.lead[rule.level]
        return lead + rule.message + rule.first_aid

    @staticmethod
    def _concerns(alarm: Alarm, request: Request) -> bool:
        """Whether an alarm bears on this reply: an emergency always; else one of this person, until other things are asked."""
        mine = alarm.person == request.told.current.person
        return alarm.level == "emergency" or (mine and _is_told(alarm, request, request.first))

    def _first(self, request: Request) -> list[Event]:
        """What must be said before anything else: what doesn't go with a medicine that is taken or asked for."""
        rows = self.rules.gate.warnings(request.told)
        return [Finding("gate.warning", "warning", row.text, row.version) for row in rows]

    def _together(self, request: Request) -> list[PersonFinding]:
        """What speaks against taking the medicines together of which the topic speaks, one of each pair in the last turn.

        Of two that are taken already, only what is sure and stops: a doctor may know of the rest.
        """
        spoken = self._spoken(request)
        if len(spoken) < 2:
            return []
        last = {mention.concept for mention in request.told.readings[-1].drugs()}
        names = {mention.words for concept, mention in spoken.items() if concept in last}
        medicines = [replace(self.rules.formulary.contents(concept), name=m.words) for concept, m in spoken.items()]
        found = self.rules.person_checks.together(medicines)
        taken = {mention.words for mention in spoken.values() if mention.assertion == "present"}
        return [
            one
            for one in found
            if names.intersection((one.medicine, one.other))
            and (not taken.issuperset((one.medicine, one.other)) or (one.stops and one.kind != "unknown"))
        ]

    @staticmethod
    def _spoken(request: Request) -> dict[str, Mention]:
        """The medicines that the topic speaks of as taken or thought of, by what they are."""
        readings = request.told.readings[request.first :]
        spoken = (m for reading in readings for m in reading.drugs() if m.assertion in ("present", "possible", "hypothetical"))
        return dict(list({mention.concept: mention for mention in spoken}.items())[-_SPOKEN:])

    def _cautious(self, warnings: Sequence[Event], draft: Draft) -> Draft:
        """A draft after urgent warnings: no products, and where nothing is known the warning is the answer."""
        if draft.reason == "hand_off":
            return Draft(tuple(warnings), (), "", "red_flag")
        shows = any(isinstance(event, Card) for event in draft.body)  # then all of it is about products
        body = () if shows else draft.body
        return Draft((*warnings, Text(self._say.urgent_note + "\n"), *body), draft.tail, draft.grounds, "red_flag")

    def _unread(self, draft: Draft) -> Draft:
        """A draft where earlier turns were left out: no products before the shopper has said again what speaks against them."""
        warning = Finding("person.unread", "warning", self._say.unread, self._say.version)
        body = [event for event in draft.body if not isinstance(event, Card)]
        tail = [event for event in draft.tail if not isinstance(event, Ask)]
        return Draft((warning, *body), (*tail, self._question("unread")), draft.grounds, draft.reason)

    def _reminders(self, alarms: Sequence[Alarm], now: Sequence[Alarm]) -> list[Event]:
        """The highest alarms of earlier turns stand until they are resolved: they are said again, in short."""
        new = {alarm.rule.id for alarm in now}
        old = [alarm.rule for alarm in alarms if alarm.rule.id not in new]
        before = [rule for rule in old if rule.level == old[0].level]
        return _unique(
            Finding(rule.id, "urgent", self._say.before[rule.level].format(title=rule.name), rule.version)
            for rule in before[:_ALARMS]
        )

    def _prescription(self, request: Request) -> Draft:
        """The fixed way, or a vetted answer of that kind for the same drug."""
        act, data = request.acts[0], self.rules.gate.texts
        # A vetted answer may say how to get it here.
        speaks = act.want != "ask" and act.status != "banned_online"
        vetted = self.vetted.nearest(Sought.of(request, self.rules, ["prescription"])) if speaks else None
        texts = self._checked(vetted.row.answer) if vetted else []
        if not vetted or any(text.replaced_by_rule for text in texts) or len(texts) < len(sentences(vetted.row.answer)):
            texts = [Text(sentence) for sentence in self.rules.gate.answer(act)]
        hand_off = HandOff("prescription", self._say.ask_pharmacist_prescription)
        return Draft((*_paragraph(texts), Citation(data.document, data.section)), (hand_off,), "", "prescription")

    # What people wrote

    def _vetted(self, request: Request) -> VettedAnswer | None:
        """The vetted answer to the last turn."""
        asked = [topic for topic in get_args(Topic) if topic != "prescription"]
        return self.vetted.nearest(Sought.of(request, self.rules, asked))

    def _from_vetted(self, request: Request, answer: VettedAnswer) -> Draft:
        texts = self._checked(answer.row.answer)
        meals = [self._warning(one) for match in request.named for one in self._with_food(match.product, request)]
        body: list[Event] = [
            *meals,
            *_paragraph(texts),
            *(Citation(source.document, source.section) for source in answer.sources),
        ]
        if request.buys:
            body += map(self._card, answer.offers[:_SHOWN])
        grounds = answer.row.answer + _grounds(answer.offers)
        return Draft(tuple(body), tuple(self._ask(request)), grounds, "stop")

    # What leaflets say

    def _from_leaflets(self, request: Request) -> Draft:
        if request.named and not request.wants_another:
            return self._named(request)
        if matches := self._shelf.suited(request.complaints):
            matches.sort(key=lambda match: (-match.score, *_plainness(match.product, request.facts)))
            return self._by_symptom(request, [match.product for match in matches], matches[0].words)
        if self._needs_prescription(request):
            return Draft((), (HandOff("prescription", self.rules.gate.texts.by_symptom),), "", "prescription")
        body = self._made_of(request)
        if body or self._first(request) or self._together(request):
            return Draft(tuple(body), (HandOff("person", self._say.ask_pharmacist),), "", "stop")
        return Draft((), (HandOff("unknown", self._say.unknown),), "", "hand_off")

    def _made_of(self, request: Request) -> list[Event]:
        """What compounds are made of that are asked about and that this shop doesn't have: their dose isn't that of a part."""
        events: list[Event] = []
        for mention in request.told.readings[-1].drugs():
            medicine = self.rules.formulary.contents(mention.concept)
            if len(medicine.substances) > 1 and mention.assertion not in ("absent", "someone_else"):
                parts = (one.substance for one in medicine.substances if one.substance not in medicine.name)
                substances = "、".join(dict.fromkeys(parts))
                events.append(Text(self.rules.book.checks.holds.format(product=mention.words, substances=substances) + "\n"))
        return _unique(events)

    def _needs_prescription(self, request: Request) -> bool:
        """Whether only prescription medicines are for what is complained of, and of nothing else is the talk."""
        last = request.told.readings[-1]
        (*others, only) = last.mentions or (None,)
        alone = not others and only is not None and only.kind == "finding" and only.assertion == "present"
        return alone and self.catalogue.only_prescribed(self.catalogue.complaints(last, request.told.current.person))

    def _named(self, request: Request) -> Draft:
        """What the leaflet of the named product says about what was asked; who may not take it comes first."""
        products = [match.product for match in request.named][:_SHOWN]
        findings = {p.sku: self._findings(p, request, anew=False) for p in products}
        spoken = {mention.words for mention in self._spoken(request).values()}  # of these pairs `_together` speaks
        body = [self._warning(f) for sku in findings for f in findings[sku] if not (f.other in spoken and f.kind in _PAIRS)]
        meals = [finding for product in products for finding in self._with_food(product, request)]
        body += map(self._warning, meals)
        together = bool(request.acts) or len(products) > 1
        for product in products:
            for key in _keys(request, together):
                body += self._section(product, key)
        untold = any(product.section(key) is None for product in products for key in _keys(request, together))
        safe = not together and not untold and not any(map(_stopped, [*findings.values(), meals]))
        if safe:
            body += [self._card(product) for product in products]
        body = _unique(body)
        tail: list[Event] = self._ask(request) if safe else [HandOff("person", self._say.ask_pharmacist)]
        return Draft(tuple(body), tuple(tail), _grounds(products), "stop")

    def _by_symptom(self, request: Request, products: list[Product], symptoms: str) -> Draft:
        """Products for a complaint, those left out that the person may not simply take."""
        meant = [p for p in products if request.facts.child or not p.for_children]
        fit: list[Product] = []
        warnings: list[Event] = []
        cautions: dict[str, list[Event]] = {}
        for product in meant:
            if not _leaflet_tells(product, request.facts):
                continue
            findings = self._findings(product, request)
            if not _stopped(findings):
                fit.append(product)
                cautions[product.sku] = [self._warning(finding) for finding in findings]
                if len(fit) == _SHOWN:
                    break
            elif len(warnings) < _REFUSED:
                warnings.append(self._warning(findings[0]))
        if not fit:
            ask = self._ask(request) if request.facts.child and request.facts.child_months is None else []
            tail = [*ask, HandOff("person", self._say.ask_pharmacist)]
            return Draft(tuple(_unique(warnings)), tuple(tail), _grounds(products[:_SHOWN]), "stop")
        body: list[Event] = [Text(self._say.symptom_intro.format(symptoms=symptoms) + "\n")]
        for product in fit:
            body.append(self._card(product))  # a card says what its product is for
            body += cautions[product.sku]
        body.append(Text(self._say.see_doctor + "\n"))
        return Draft(tuple(body), tuple(self._ask(request)), _grounds(fit), "stop")

    # What speaks against a product

    def _findings(self, product: Product, request: Request, *, anew: bool = True) -> Sequence[PersonFinding]:
        return self.rules.checks(product, request.told.current, anew=anew)

    def _with_food(self, product: Product, request: Request) -> Iterator[PersonFinding]:
        """What speaks against it with what the last turn asks about that is eaten or drunk."""
        if request.section != "interactions":
            return
        asked = request.told.readings[-1].plain
        for food, words in self.rules.book.checks.food.items():
            if any(word in asked for word in words):
                yield from self.rules.with_food(product, food)

    # Pieces

    def _section(self, product: Product, key: str) -> list[Event]:
        section = product.section(key)
        if section is None:
            return [Text(self._say.leaflet_untold.format(product=product.short_name) + "\n")]
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

    def _warning(self, finding: PersonFinding) -> Event:
        return Finding(finding.rule, "warning", finding.sentence, finding.version or self._say.version)

    def _card(self, product: Product) -> Card:
        facts = (product.name, product.form, product.strength, product.pack, product.price, product.status)
        if (section := product.section("indications")) is None:
            return Card(product.sku, self._say.card_untold, "", *facts)
        reason = self._say.card_reason.format(section=section.section, text=sentences(section.text)[0])
        return Card(product.sku, reason, _cite(section), *facts)

    def _ask(self, request: Request) -> list[Event]:
        """The one thing that a careful pharmacist would ask next, if anything is still unknown and wasn't asked before."""
        facts, patient = request.facts, request.told.current
        if facts.child is None and facts.pregnant is None and not facts.elderly and patient.person in ("self", "other"):
            key = "who"
        elif facts.child and patient.slot("age").known == "unknown":
            key = "child_age"
        elif self._may_be_pregnant(patient, facts):
            key = "pregnant"
        elif all(patient.slot(name).known == "unknown" for name in ("allergies", "conditions", "drugs")):
            key = "history"
        else:
            return []
        asked = {asked.question.id for asked in request.told.asked}
        return [] if key in asked else [self._question(key)]

    @staticmethod
    def _may_be_pregnant(patient: Patient, facts: Facts) -> bool:
        unknown = facts.pregnant is None and facts.nursing is None
        return unknown and not facts.child and not facts.elderly and patient.sex != "male"

    def _question(self, key: str) -> Ask:
        row = self.rules.questions[key]
        return Ask(row.text, row.options)


def _is_told(alarm: Alarm, request: Request, since: int) -> bool:
    """Whether an alarm has to do with a turn from `since` on; one of values alone, with any turn that tells values."""
    if alarm.turn is None:
        return any(reading.values for reading in request.told.readings[since:])
    return alarm.turn >= since


def _stopped(findings: Iterable[PersonFinding]) -> bool:
    return any(finding.stops for finding in findings)


def _unique(these: Iterable[T]) -> list[T]:
    return list(dict.fromkeys(these))


def _paragraph(texts: list[Text]) -> list[Text]:
    return [*texts[:-1], Text(texts[-1].sentence.rstrip("\n") + "\n", texts[-1].replaced_by_rule)] if texts else []


def _cite(section: Section) -> str:
    return f"{section.document}·{section.section}"


def _keys(request: Request, together: bool) -> list[str]:
    """The leaflet sections that answer for a named product."""
    keys = ["interactions"] if together else [request.section or "indications", "contraindications"]
    return list(dict.fromkeys(keys))


def _plainness(product: Product, facts: Facts) -> tuple[bool, bool]:
    """What comes first among products that cover a complaint alike: a child's before others, one substance before several."""
    parts = max(len(product.ingredients), len(product.contents.substances))
    return bool(facts.child) and not product.for_children, parts > 1


def _leaflet_tells(product: Product, facts: Facts) -> bool:
    """Whether its leaflet, as the shop has it, tells what the product is for and all that matters for this person."""
    special = any((facts.child, facts.elderly, facts.pregnant, facts.nursing, facts.tags, facts.drugs, facts.unread))
    return "indications" not in product.untold and not (special and product.untold)


def _grounds(products: Iterable[Product]) -> str:
    return "".join(section.text for product in products for section in product.leaflet.values())
