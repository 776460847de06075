"""What there is to say to a request: alarms, what speaks against medicines, answers, counsel. Decides nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from medasst.assistant.acts import Act, Answer, Record, Source
from medasst.assistant.asked import Asked
from medasst.assistant.counter import Counsel, Counter
from medasst.assistant.dosage import how
from medasst.assistant.follow import FollowUps
from medasst.assistant.products import ProductAnswers
from medasst.assistant.reactions import Blamed, Reactions
from medasst.assistant.request import Request
from medasst.assistant.said import NOTHING, Said
from medasst.assistant.shop import Shop, ShopTalk
from medasst.assistant.vetted import Hit, Sought, VettedAnswers, clauses, topics
from medasst.catalogue import Catalogue, Product
from medasst.conversation import Message
from medasst.dialogue import Patient, Slot
from medasst.lexicon import Mention
from medasst.rulebook import Known, QuestionRow, SlotName, WarningRow
from medasst.safety import Alarm, PersonFinding, Rules
from medasst.text import sentences

_LEADS = 2  # vetted answers of one reply
_SPOKEN = 6  # medicines of a topic that are held against one another, the newest
_ASKED_ABOUT = 3  # products of a turn that are held against the person
_SHOWN = 4  # products shown that a new fact is held against, the newest
_YEARS_FROM = 36  # months from which on an age is told in years
_NUMBERED: tuple[SlotName, ...] = ("age", "weight")
_HISTORY: tuple[SlotName, ...] = ("conditions", "drugs", "allergies")
_STATES: tuple[tuple[SlotName, str], ...] = (("pregnancy", "孕"), ("lactation", "奶"))  # with the word that tells it
_DENIED = 3  # signs that are repeated to who denies them
_SIGNS = frozenset({"symptom", "sign"})
_PAIRS = frozenset({"duplicate", "unknown"})
_OF_ILLNESS = frozenset({"contraindication", "kidney", "liver", "driving"})


@dataclass(frozen=True, slots=True)
class Changed:
    """What the last turn changes for the products that were shown to this person.

    Attributes:
        stopped: what now forbids some of them.
        products: of which that is. stay: the others.
    """

    stopped: tuple[PersonFinding, ...] = ()
    products: tuple[Product, ...] = ()
    stay: tuple[Product, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """What rules, catalogue, shop and vetted answers have for a request.

    Attributes:
        alarms: every one that stands, of anybody.
        warnings: what must be said first beside a medicine of the prescription gate.
        gate: the gate's sentences for what is wanted, of `gated`; where they come from: `gate_source`.
        gate_now: whether the last turn wants it itself, not one before.
        together: what speaks against taking the medicines together of which the topic speaks.
        against: what speaks, for this person, against products that are asked about.
        stopped: the SKUs of these that this person doesn't simply take, or takes already.
        changed: what a new fact changes, other than that a medicine like those shown is taken; None: nothing was shown before,
            or the turn tells nothing of this person.
        reaction: an adverse reaction that is told.
        blamed: of a medicine after which a reaction was told before: that it isn't to be used again where the turn asks of it,
            else that it stays off.
        leads: what people wrote for just what is asked; it is said before all else that answers. seeks: whether a
            medicine is sought beside them.
        answers: to what else is asked about products; `shop`: to what is asked of the shop; `vetted`: what people wrote for
            something near; `follow`: to what is asked about the complaint that was told.
        denied: signs with which one would go to a doctor that the last turn says this person doesn't have, in words; `denies`:
            whether it denies any.
        complains: whether the last turn tells of something that ails somebody.
        counsel: for what the topic complains of; None: it complains of nothing.
        only_prescribed: whether everything that is for what the last turn complains of needs a prescription.
        unread: what is asked again where earlier turns were left out; None: all were read.
        dosed: products shown before that still fit, with how this person takes them, where the turn tells of the person.
        facts: what the turn tells of the person, in words; `conflicts`: whether any of it might speak against a medicine.
        reach: how a pharmacist is reached.
    """

    said: Said = NOTHING
    alarms: tuple[Alarm, ...] = ()
    warnings: tuple[WarningRow, ...] = ()
    gate: tuple[str, ...] = ()
    gated: str = ""
    gate_source: Source | None = None
    gate_now: bool = True
    together: tuple[PersonFinding, ...] = ()
    against: tuple[PersonFinding, ...] = ()
    stopped: frozenset[str] = frozenset()
    changed: Changed | None = None
    reaction: Record | None = None
    blamed: Answer | None = None
    leads: tuple[Answer, ...] = ()
    seeks: bool = True
    answers: tuple[Act, ...] = ()
    shop: tuple[Act, ...] = ()
    vetted: Answer | None = None
    follow: tuple[Act, ...] = ()
    denied: tuple[str, ...] = ()
    denies: bool = False
    complains: bool = False
    counsel: Counsel | None = None
    only_prescribed: bool = False
    unread: QuestionRow | None = None
    dosed: tuple[tuple[Product, str], ...] = ()
    facts: tuple[str, ...] = ()
    conflicts: bool = False
    reach: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """What people wrote for what a turn asks.

    Attributes:
        leads: for just what is asked. left: what is asked besides. near: for something near, where nothing leads.
        of_effects: whether a lead tells of a medicine's effects that the turn asks about.
        seeks: whether a medicine is sought, too.
    """

    leads: tuple[Answer, ...] = ()
    left: tuple[Asked, ...] = ()
    near: Answer | None = None
    of_effects: bool = False
    seeks: bool = True


class Searcher:
    """Looks up everything for one shop.

    Args:
        shop: its own words; None: it gave none.
    """

    def __init__(self, catalogue: Catalogue, rules: Rules, vetted: VettedAnswers, shop: Shop | None = None) -> None:
        self._catalogue, self._shelf, self._rules, self._vetted = catalogue, catalogue.over_the_counter, rules, vetted
        self._counter = Counter(catalogue, rules)
        self._products = ProductAnswers(catalogue, rules, self._counter)
        self._talk = ShopTalk(rules, shop or Shop())
        self._reactions = Reactions(rules, self._talk.reach)
        self._asks = {row.id: row for row in rules.book.asks.ask}
        self._follow = FollowUps(rules)
        self._manages = re.compile(rules.replies.manages)

    def find(self, request: Request, messages: Sequence[Message]) -> Found:
        """What there is to say; beside an emergency of the last turn nothing else is looked for."""
        told, rules = request.told, self._rules
        said = Said.of(messages, told.shown)
        alarms = tuple(rules.alarms(told))
        if any(alarm.level == "emergency" and told_since(told.turn, alarm, request) for alarm in alarms):
            return Found(said, alarms)
        readings = told.readings[request.first :]
        complains = request.complaints or any(one.current for reading in readings for one in reading.findings())
        wanted = [act for act in request.acts if act.want != "ask"]
        gated = next(iter(wanted or (request.acts if not request.named else ())), None)
        written = self._written(request, said)
        answers = tuple(self._products.answer(replace(request, asks=written.left))) if written.left else ()
        quiet = self._not_sleepy(request, said)
        if quiet and all(asked.row == "drowsy" for asked in request.asks):
            answers = ()  # which of them it is says more than each one's leaflet
        counsel = self._counter.counsel(request) if complains else None
        changed = self._changed(request, said)
        blamed = None if written.of_effects else self._reactions.blamed(request)
        if blamed is not None:
            counsel, changed = counsel and self._without(blamed, counsel), changed and self._not_fitting(blamed, changed)
            answers = () if request.subject and all(self._is(blamed, one) for one in request.subject) else answers
        return Found(
            said=said,
            alarms=alarms,
            warnings=tuple(rules.gate.warnings(told)),
            gate=tuple(rules.gate.answer(gated)) if gated else (),
            gated=gated.mention.words if gated else "",
            gate_source=Source(rules.gate.texts.document, rules.gate.texts.section),
            gate_now=bool(rules.gate.acts(told.readings[-1], told.readings[-2] if told.turn else None)),
            together=tuple(self._together(request)),
            against=tuple(self._against(request)),
            stopped=frozenset(
                product.sku
                for product in request.subject
                if any(f.stops for f in rules.checks(product, told.current))
                or self._counter.unsuited(request, product)
                or (blamed is not None and self._is(blamed, product))
            ),
            changed=changed,
            reaction=None if written.of_effects else self._reactions.told(request),
            blamed=self._still_blamed(blamed, request, said) if blamed else None,
            leads=() if blamed is not None and self._asks_of(blamed, request) else written.leads,
            seeks=written.seeks,
            answers=answers,
            shop=tuple(self._talk.answer(request)),
            vetted=written.near if not (quiet or any(isinstance(act, Answer) for act in answers)) else None,
            complains=any(one.current and not self._is_state(one) for one in readings[-1].findings()),
            counsel=counsel,
            follow=quiet or self._follow.answer(request, counsel, said),
            denied=self._denied(request, counsel, messages),
            denies=any(one.by_cues == "absent" for one in readings[-1].findings()),
            only_prescribed=self._only_prescribed(request),
            unread=rules.questions["unread"] if request.facts.unread else None,
            dosed=_dosed(request, changed) if changed else (),
            facts=tuple(self._facts(request)),
            conflicts=any(_told_now(request, slot) == "yes" for slot in _HISTORY),
            reach=self._talk.reach,
        )

    def _is(self, blamed: Blamed, product: Product) -> bool:
        """Whether a product is the medicine that a reaction is told of, or holds the same."""
        names = {one.substance for concept in blamed.concepts for one in self._rules.formulary.contents(concept).substances}
        held = {one.substance for one in product.contents.substances}
        return blamed.words in product.name or product.short_name in blamed.words or not names.isdisjoint(held)

    def _asks_of(self, blamed: Blamed, request: Request) -> bool:
        """Whether the last turn asks of it."""
        named = any(drug.concept in blamed.concepts for drug in request.told.readings[-1].drugs())
        return named or any(self._is(blamed, product) for product in request.subject)

    def _without(self, blamed: Blamed, counsel: Counsel) -> Counsel:
        """Counsel that offers it to nobody again, nor tells why it isn't offered."""
        offers = tuple(offer for offer in counsel.offers if not self._is(blamed, offer.product))
        refused = tuple(one for one in counsel.refused if one.medicine not in blamed.words and blamed.words not in one.medicine)
        return replace(counsel, offers=offers, refused=refused)

    def _not_fitting(self, blamed: Blamed, changed: Changed) -> Changed:
        return replace(changed, stay=tuple(product for product in changed.stay if not self._is(blamed, product)))

    def _still_blamed(self, blamed: Blamed, request: Request, said: Said) -> Answer | None:
        """What follows of a reaction told in an earlier turn."""
        say = self._rules.book.reactions
        asked = [product for product in request.subject if self._is(blamed, product)]
        forms = say.never_again if asked and request.asked_at == request.told.turn else say.still_stopped
        text = said.form(forms, medicine=blamed.words, reaction=blamed.felt)
        return Answer((text,), otherwise=not asked) if text else None

    def _is_state(self, finding: Mention) -> bool:
        """Whether it is how somebody is (怀孕), nothing to complain of."""
        row = self._rules.book.findings.rows.get(finding.concept)
        return row is not None and row.kind == "state"

    def _not_sleepy(self, request: Request, said: Said) -> tuple[Act, ...]:
        """Which of the products shown make nobody sleepy, where that is asked (那有不犯困的不)."""
        say, now = self._rules.replies, request.told.current
        if not re.search(say.no_sleepy, request.told.readings[-1].plain):
            return ()
        driver = replace(now, slots={**now.slots, "work": Slot("yes", ("开车",))})
        shown = [product for name in said.cards[-_SHOWN:] if (product := self._by_name(name)) is not None]
        against = {one.sku: self._rules.checks(one, driver) for one in shown}
        fit = [one for one in shown if not any(found.kind == "driving" or found.stops for found in against[one.sku])]
        text = said.form(say.not_sleepy, products="、".join(one.short_name for one in fit)) if fit else ""
        return (Answer((text,)),) if text else ()

    def _denied(self, request: Request, counsel: Counsel | None, messages: Sequence[Message]) -> tuple[str, ...]:
        """The signs with which one would go to a doctor, as our advice or replies call them, that the last turn denies."""
        warned = "".join(one.doctor for one in counsel.advice) if counsel is not None else ""
        replies = [sentence for one in messages if one.role == "assistant" for sentence in sentences(one.content)]
        warned += "".join(one for one in replies if re.search(self._rules.replies.sends, one))
        has = [one for one in request.told.readings[-1].findings() if one.current]
        if any(name in warned for one in has for name in (one.words, one.concept)):
            return ()
        found: list[str] = []
        for one in request.told.readings[-1].findings():
            names = (one.words.removeprefix("有"), one.concept, *one.broader)
            row = self._rules.book.findings.rows.get(one.concept)
            if one.by_cues == "absent" and (row is None or row.kind in _SIGNS):
                found += [name for name in names if len(name) > 1 and name in warned][:1]
        return tuple(dict.fromkeys(found))[:_DENIED]

    def _facts(self, request: Request) -> Iterator[str]:
        """What the last turn tells of the person, in words."""
        person, say, said = request.told.current, self._rules.replies.facts, request.told.readings[-1].plain
        for slot in _NUMBERED:
            number = person.slot(slot).number
            if number is not None and _told_now(request, slot) == "yes":
                years = slot == "age" and number >= _YEARS_FROM
                name = "years" if years else "months" if slot == "age" else slot
                yield say[name].format(what=f"{number / 12 if years else number:g}")
        for slot in _HISTORY:
            what = "、".join(person.slot(slot).what)
            if what and _told_now(request, slot) == "yes":
                yield say[slot].format(what=what)
        for slot in _HISTORY:
            if _told_now(request, slot) == "no":
                yield say[f"no_{slot}"]
        for slot, word in _STATES:
            if _told_now(request, slot) == "no" and word in said:
                yield say[f"no_{slot}"]

    def _written(self, request: Request, said: Said) -> Written:
        """What people wrote for what the last turn asks; of a turn with two questions both answers."""
        sought = Sought.of(request, self._rules, topics(request.asks, self._asks))
        whole = self._vetted.find(sought, said.holds_any)
        by_clause: dict[str, list[Asked]] = {}
        for clause, asked in clauses(request):
            by_clause.setdefault(clause, []).append(asked)
        parts: dict[str, tuple[Hit, Sequence[Asked]]] = {}
        if len(by_clause) > 1:
            for clause, asks in by_clause.items():
                hit = self._vetted.find(sought.part(clause, self._rules, topics(asks, self._asks)), said.holds_any)
                if hit is not None and hit.sure and not hit.again:
                    parts.setdefault(hit.answer.row.id, (hit, asks))
        if len(parts) < 2:
            if whole is None or not whole.sure:
                near = _said_by(whole) if whole is not None and not whole.again else None
                return Written(left=request.asks, near=near)
            parts = {"": (whole, self._answered(whole, request, by_clause))}
        goes_on = request.asked_at < request.told.turn
        done = [asked for hit, asks in parts.values() if goes_on or not hit.again for asked in asks]
        leads = [hit for hit, _ in parts.values() if not hit.again][:_LEADS]
        return Written(
            tuple(map(_said_by, leads)),
            tuple(asked for asked in request.asks if asked not in done),
            of_effects=any("adverse_reactions" in hit.answer.row.answers for hit in leads) and not sought.tells,
            seeks=any(self._seeks(asked, tells=sought.tells) for asked in request.asks),
        )

    def _answered(self, hit: Hit, request: Request, by_clause: Mapping[str, Sequence[Asked]]) -> list[Asked]:
        """What of the asks an answer is to: all that asks for knowledge, but that of a clause of which it has no topic."""
        asking = [asked for asked in request.asks if topics([asked], self._asks)]
        others = [
            asked
            for asks in by_clause.values()
            if not any({asked.kind, asked.key} & set(hit.answer.row.answers) or asked.kind == "may_take" for asked in asks)
            for asked in asks
        ]
        left = [asked for asked in asking if asked in others]
        return [asked for asked in asking if asked not in left] if len(left) < len(asking) else asking

    def _seeks(self, asked: Asked, *, tells: bool) -> bool:
        """Whether a medicine is sought (吃什么药, a bare complaint), no mere advice (怎么办)."""
        return asked.kind == "treat" and (not self._manages.search(asked.words) if asked.words else tells)

    def _together(self, request: Request) -> list[PersonFinding]:
        """What speaks against taking the medicines together of which the topic speaks, one of each pair in the last turn.

        Of two that are taken already, only what is sure and stops: a doctor may know of the rest.
        """
        spoken = _spoken(request)
        if len(spoken) < 2:
            return []
        last = {mention.concept for mention in request.told.readings[-1].drugs()}
        names = {mention.words for concept, mention in spoken.items() if concept in last}
        medicines = [replace(self._rules.formulary.contents(concept), name=m.words) for concept, m in spoken.items()]
        found = self._rules.person_checks.together(medicines)
        told = [one for one in found if not (one.kind == "unknown" and self._is_one_name(one, request))]
        taken = {mention.words for mention in spoken.values() if mention.by_cues == "present"}
        return [
            one
            for one in told
            if names.intersection((one.medicine, one.other))
            and (not taken.issuperset((one.medicine, one.other)) or (one.stops and one.kind != "unknown"))
        ]

    def _is_one_name(self, one: PersonFinding, request: Request) -> bool:
        """Whether the two are written as one name (司美格鲁肽减肥针)."""
        return any(pair in request.last for pair in (one.medicine + one.other, one.other + one.medicine))

    def _against(self, request: Request) -> Iterable[PersonFinding]:
        """What speaks against the products that are asked about; of pairs that are spoken of, `_together` tells."""
        spoken = {mention.words for mention in _spoken(request).values()}
        for product in request.subject[:_ASKED_ABOUT]:
            for finding in self._rules.checks(product, request.told.current, anew=False):
                if not (finding.other in spoken and finding.kind in _PAIRS):
                    yield finding
        if request.told.readings[-1].drugs():
            yield from self._against_named(request)

    def _against_named(self, request: Request) -> Iterable[PersonFinding]:
        """What speaks, for this person's illnesses and work, against the medicines that the last turn asks about by name.

        They needn't be sold here: they may be at home already. What a doctor prescribed is the doctor's to weigh, unless it is
        forbidden.
        """
        about = frozenset().union(*(product.contents.names for product in request.subject[:_ASKED_ABOUT]))
        for mention in request.told.readings[-1].drugs():
            if mention.by_cues not in ("possible", "hypothetical") or mention.concept in about:
                continue
            medicine = replace(self._rules.formulary.contents(mention.concept), name=mention.words)
            for finding in self._rules.person_checks.of(medicine, request.told.current, anew=False):
                if finding.kind in _OF_ILLNESS and (finding.stops or finding.kind == "driving"):
                    yield finding

    def _only_prescribed(self, request: Request) -> bool:
        last = request.told.readings[-1]
        (*others, only) = last.mentions or (None,)
        alone = not others and only is not None and only.kind == "finding" and only.by_cues == "present"
        return alone and self._catalogue.only_prescribed(self._catalogue.complaints(last, request.told.current.person))

    def _changed(self, request: Request, said: Said) -> Changed | None:
        now, turn = request.told.current, request.told.turn
        before = _before(now, turn)
        if not said.cards or before == now or not (before.said or before.slots):
            return None
        stopped: dict[str, PersonFinding] = {}
        stay: list[Product] = []
        products = [p for name in said.cards[-_SHOWN:] if (p := self._by_name(name)) is not None]
        for product in products:
            was = {finding.kind for finding in self._rules.checks(product, before) if finding.stops}
            new = [f for f in self._rules.checks(product, now) if f.stops and f.kind not in was and f.kind not in _PAIRS]
            if forbidden := [finding for finding in new if finding.severity == "forbid"]:
                stopped[product.sku] = forbidden[0]
            elif not was and not new:
                stay.append(product)
        return Changed(tuple(stopped.values()), tuple(p for p in products if p.sku in stopped), tuple(stay))

    def _by_name(self, name: str) -> Product | None:
        return next((match.product for match in self._shelf.named(name) if match.product.name == name), None)


def _said_by(hit: Hit) -> Answer:
    return Answer((hit.answer.row.answer,), hit.answer.sources, hit.answer.offers)


def told_since(turn: int, alarm: Alarm, request: Request) -> bool:
    """Whether an alarm has to do with a turn from this one on; one of values alone, with any turn that tells values."""
    if alarm.turn is None:
        return any(reading.values for reading in request.told.readings[turn:])
    return alarm.turn >= turn


def _told_now(request: Request, slot: SlotName) -> Known:
    """What the last turn tells of one thing about the person; "unknown" where it tells nothing of it."""
    told = request.told.current.slot(slot)
    return told.known if told.turn == request.told.turn else "unknown"


def _dosed(request: Request, changed: Changed) -> tuple[tuple[Product, str], ...]:
    """How this person takes those shown that still fit."""
    return tuple((product, text) for product in changed.stay if (text := how(product, request.told.current)))


def _spoken(request: Request) -> dict[str, Mention]:
    """The medicines that the topic speaks of as taken or thought of, by what they are; no kind beside one of that kind."""
    readings = request.told.readings[request.first :]
    spoken = [m for reading in readings for m in reading.drugs() if m.by_cues in ("present", "possible", "hypothetical")]
    kinds = {broad for mention in spoken for broad in mention.broader if broad != mention.concept}
    named = {mention.concept: mention for mention in spoken if mention.concept not in kinds}
    return dict(list(named.items())[-_SPOKEN:])


def _before(person: Patient, turn: int) -> Patient:
    """A person as it was known before a turn."""
    return replace(
        person,
        said=tuple(one for one in person.said if one.turn != turn),
        slots={name: slot for name, slot in person.slots.items() if slot.turn != turn},
    )
