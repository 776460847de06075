"""What a good counter does about complaints: what it must still ask, what helps without medicine, what it offers from stock.

The rows of complaints say what may be offered, the checks of medicines against the person say what of it is for this one. A
question is asked only where its answer could change what is offered: the checks are tried under what the answer may be.
"""

from __future__ import annotations

import re
from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import NamedTuple

from medasst.assistant import dosage
from medasst.assistant.acts import Advise, Offer
from medasst.assistant.request import Request
from medasst.catalogue import Catalogue, Product
from medasst.dialogue import Patient, Said, Slot
from medasst.lexicon import Mention
from medasst.rulebook import Choice, ComplaintRow, MindRow, QuestionRow, SlotName, Stage
from medasst.safety import Alike, Facts, Held, PersonFinding, Rules
from medasst.text import sentences

_CHILD, _OLD = 216, 780  # months
_OFFERS = 2  # of what is alike one would do, so that two are a choice
_MOST = 3
_LOOKED_AT = 6  # products of a complaint that stand the checks, of which the best are offered
_ALIKE = 3  # of one substance
_ADVICE = 2  # complaints of which is said what helps
_REFUSED = 2
_LABEL = 14  # characters of what a sentence of a leaflet begins with: 头皮屑和脂溢性皮炎：
_QUESTIONS = 2
_UNLIKED = "栓"  # a form that is taken where no other will do
_FEVER, _FEVERISH = "发热", 38.0  # °C
_TRIED = 8192
# Who somebody may be of whom nothing is told: a child, somebody old, somebody pregnant.
_WHO: tuple[tuple[SlotName, str], ...] = (("age", "60"), ("age", "840"), ("pregnancy", "pregnancy"))
_FERTILE = 600  # months from which on nobody is asked about pregnancy
_NO_NEWS = frozenset({"age", "unknown"})  # why something isn't offered that needn't be said where something else is
_LEAVE = frozenset({"age", "pregnancy", "lactation"})  # where a doctor or pharmacist may give leave
_MINOR = frozenset({"age", "interaction"})  # of somebody old every leaflet says something; an hour apart is easily kept
_HISTORY: tuple[SlotName, ...] = ("conditions", "allergies", "drugs")
_WAITS = frozenset({"who", "child_age", "age", "cough", "pregnant"})  # before them nothing is offered
_WAITS_ALWAYS = frozenset({"who", "child_age"})  # also after a first round of questions


@dataclass(frozen=True, slots=True)
class Counsel:
    """What the counter has to say.

    Attributes:
        complaints: what it is about, as findings.toml names it.
        missing: what must still be asked, the most decisive first.
        advice: what helps without a medicine, and when to see a doctor.
        offers: products from stock, best first; no two hold the same substance.
        either: whether one of the offers is enough, and they aren't to be taken together.
        refused: why the usual choice isn't for this person.
        tentative: what one would take if nothing speaks against it: names of substances.
        prescription_only: whether all that the shop has for it needs a prescription.
        not_for: why nothing is offered; empty where no such reason is known.
        out_of_stock: the usual choice that is sold out: names of products.
        minds: what this person must mind with it, whatever is taken.
    """

    complaints: tuple[str, ...] = ()
    missing: tuple[QuestionRow, ...] = ()
    advice: tuple[Advise, ...] = ()
    offers: tuple[Offer, ...] = ()
    either: bool = False
    refused: tuple[PersonFinding, ...] = ()
    tentative: tuple[str, ...] = ()
    prescription_only: bool = False
    not_for: str = ""
    out_of_stock: tuple[str, ...] = ()
    minds: tuple[MindRow, ...] = ()


class _Need(NamedTuple):
    """A complaint: the finding, the shopper's words, and its row; None: no row is about it."""

    concept: str
    words: str
    row: ComplaintRow | None


class _Served(NamedTuple):
    """By which choice a product is for a complaint, and the place of that in its row: the choice, the substance in it.

    Attributes:
        covers: the complaint, and what the choice needs: that is treated along.
    """

    covers: frozenset[str]
    rank: tuple[int, int]
    choice: Choice


class _Candidate(NamedTuple):
    """A product that would do for a complaint.

    Attributes:
        rank: its place among what the row prefers: the choice, then the substance in it.
        cautions: what to mind for this person.
        covers: the complaints that it is for.
        named: the substance by which it was chosen.
        how: how this person takes it.
    """

    product: Product
    rank: tuple[int, int]
    reason: str
    caution: str
    cautions: tuple[PersonFinding, ...]
    covers: frozenset[str]
    named: str
    how: str = ""


class _Picked(NamedTuple):
    candidates: tuple[_Candidate, ...]
    refused: tuple[PersonFinding, ...]
    lenient: tuple[str, ...]  # substances that a pharmacist or doctor may give leave for
    out_of_stock: tuple[str, ...]
    barred: str

    @property
    def outcome(self) -> tuple[object, ...]:
        """What a shopper sees of it: two that are alike in it make no question worth asking."""
        return (self.barred, *(one.product.sku for one in self.candidates))


class Counter:
    """The counter over one shop's catalogue and rules."""

    def __init__(self, catalogue: Catalogue, rules: Rules) -> None:
        self._shelf, self._all, self._rules = catalogue.over_the_counter, catalogue, rules
        self._formulary, self._texts = rules.formulary, rules.book.counter
        self._caught, self._grown_up = re.compile(self._texts.caught), re.compile(self._texts.grown_up)
        self._ways = {row.name: _ways(row) for row in rules.book.medicines.complaints}
        self._stops = lru_cache(_TRIED)(self._tries)  # it doesn't depend on who asks

    def counsel(self, request: Request, *, cheapest: bool = False) -> Counsel:
        """What to ask, advise and offer for the complaints of a request.

        Args:
            cheapest: order what fits by price.
        """
        patient = request.told.current
        needs = self._needs(request, patient)
        if not needs:
            return Counsel()
        told = self._told_of(patient)
        minds = self._formulary.minds([need.concept for need in needs], told)
        return replace(self._counsel(self._apart(needs), patient, request, cheapest=cheapest), minds=tuple(minds))

    def _counsel(self, needs: Sequence[_Need], patient: Patient, request: Request, *, cheapest: bool) -> Counsel:
        complaints = tuple(need.concept for need in needs)
        advice = tuple(self._advice(needs, patient))
        if request.at_home and any(not self.unsuited(request, product) for product in request.subject):
            return Counsel(complaints, advice=advice)
        held = self._rules.held(patient)
        picked = self._pick(needs, patient, held, cheapest=cheapest)
        if picked.barred:
            return Counsel(complaints, advice=advice, not_for=picked.barred)
        missing = self._missing(needs, patient, held, picked, request)
        if request.facts.unread:
            return Counsel(complaints, (self._rules.questions["unread"],), advice, tentative=self._tentative(needs, patient))
        if any(row.id in self._waiting(picked) for row in missing):
            return Counsel(complaints, missing, advice, tentative=self._tentative(needs, patient))
        offers = tuple(map(self._offer, picked.candidates))
        if offers:
            either = self._either(picked.candidates)
            return Counsel(complaints, missing[:1], advice, offers, either=either, refused=picked.refused)
        by_leave = all(one.kind in _LEAVE for one in picked.refused)
        return Counsel(
            complaints,
            missing,
            advice,
            refused=picked.refused,
            tentative=picked.lenient[:1] or (self._tentative(needs, patient) if missing else ()),
            prescription_only=not picked.refused and self._all.only_prescribed(complaints),
            not_for=self._circumstance(patient) if not picked.lenient and by_leave else "",
            out_of_stock=picked.out_of_stock,
        )

    def unsuited(self, request: Request, product: Product) -> str:
        """What the person complains of, in the shopper's words, where a product that treats such complaints isn't for this one.

        An expectorant isn't for a dry cough. Empty where it is, or where the rows don't know the product.
        """
        patient = request.told.current
        needs = [need for need in self._apart(self._needs(request, patient)) if need.row is not None]
        has = self._has(patient)
        named = any(not product.contents.names.isdisjoint(one.any_of) for need in needs if need.row for one in need.row.choices)
        if not named or any(self._serves(product, need, patient, has) for need in needs):
            return ""
        return "、".join(need.words if len(need.words) > 1 else need.concept for need in needs)

    # What it is about

    def _needs(self, request: Request, patient: Patient) -> list[_Need]:
        """The complaints of the topic, each row once; those that are over, somebody else's or only asked about are none."""
        found: dict[str, _Need] = {}
        said = _ails(patient)
        if not any(self._row(one.mention) for one in said) and self._caught.search(request.told.readings[-1].plain):
            said = [one for other in request.told.patients for one in _ails(other)]
        # A turn that only adds something (38度5) goes on with what was complained of before it.
        topic = [one.mention for one in said if one.turn >= request.first or not request.buys]
        lasting, background = patient.slot("conditions").what, set[str]()
        states = {mention.words for mention in topic if self._is_state(mention.concept)}
        for mention in topic:
            row = self._row(mention)
            if row is not None:
                found.setdefault(row.name, _Need(row.name, mention.words, row))
                background |= {row.name} if mention.concept in lasting else set()
        for concept, words in request.complaints.items():
            row = self._formulary.complaint(concept, self._rules.lexicon.broader(concept))
            if row is not None:
                found.setdefault(row.name, _Need(row.name, words, row))
            elif len(concept) > 1 and not any(concept in mention.broader and self._row(mention) for mention in topic):
                found.setdefault(concept, _Need(concept, words, None))
        fever = self._formulary.complaint(_FEVER)
        if found and fever is not None and (patient.slot("temperature").number or 0) >= _FEVERISH:
            found.setdefault(fever.name, _Need(fever.name, fever.name, fever))
        needs = [need for need in found.values() if not (need.concept in background and len(found) > len(background))]
        ailing = [need for need in needs if need.words not in states]
        with_row = [need for need in ailing if need.row is not None]
        return with_row or ailing or (needs if request.buys else [])

    def _apart(self, needs: Sequence[_Need]) -> list[_Need]:
        """Those that aren't brought by another (堵得睡不着): what helps that one helps them."""
        names = {need.concept for need in needs}
        return [need for need in needs if names.isdisjoint(self._texts.within.get(need.concept, ()))]

    def _told_of(self, patient: Patient) -> frozenset[str]:
        """What is known of the person by every name that the rows of minds may use."""
        names: set[str] = set(patient.slot("work").what)
        for one in patient.said:
            if one.resolved in ("over", "mistaken"):
                continue
            if one.mention.by_cues == "present":
                names |= {one.mention.concept, *one.mention.broader}
            elif one.mention.by_cues == "historical":
                names.add(f"史:{one.mention.concept}")
        for condition in patient.slot("conditions").what:
            names |= {condition, *self._rules.lexicon.broader(condition)}
        for drug in patient.slot("drugs").what:
            names |= {drug, *self._formulary.contents(drug).names}
        names |= {f"{allergen}过敏" for allergen in patient.slot("allergies").what}
        names |= {slot for slot in ("pregnancy", "lactation") if patient.slot(slot).known == "yes"}
        return frozenset(names | ({patient.stage} if patient.stage else set()))

    def _is_state(self, concept: str) -> bool:
        """Whether it is how somebody is (怀孕), nothing to treat beside a complaint."""
        row = self._rules.book.findings.rows.get(concept)
        return row is not None and row.kind == "state"

    def _row(self, mention: Mention) -> ComplaintRow | None:
        return self._formulary.complaint(mention.concept, mention.broader)

    def _advice(self, needs: Sequence[_Need], patient: Patient) -> Iterator[Advise]:
        """What helps without a medicine and when to see a doctor, of that what is for somebody of this stage and health."""
        has = self._has(patient)
        unfit = [word for word, kept in self._texts.unfit.items() if not has.isdisjoint(kept)]

        def fits(sentence: str) -> bool:
            return not any(word in sentence for word in unfit) and self._is_about(sentence, patient)

        for need in [need for need in needs if need.row is not None][:_ADVICE]:
            assert need.row is not None
            doctor = "".join(filter(fits, sentences(need.row.doctor)))
            yield Advise(need.words, tuple(filter(fits, need.row.self_care)), doctor or need.row.doctor)

    def _is_about(self, sentence: str, patient: Patient) -> bool:
        """Whether a sentence of advice is for somebody of this stage; whoever isn't known may be anybody."""
        grown = patient.stage in ("adult", "elderly") or (patient.person == "self" and not _is_nobody(patient))
        if re.search(self._texts.of_adults, sentence):
            return True
        old, young = re.search(self._texts.of_elderly, sentence), re.search(self._texts.of_children, sentence)
        unfit = (old and patient.stage in ("adult", "child", "infant")) or (young and grown)
        return not unfit or bool(old and patient.stage == "elderly") or bool(young and _is_in("child", patient))

    # What would do

    def _pick(self, needs: Sequence[_Need], patient: Patient, held: Held, *, cheapest: bool = False) -> _Picked:
        """The products that are offered together or one instead of another, and why others aren't.

        Args:
            held: holds products against this patient.
        """
        has = self._has(patient)
        # What isn't for a child may stand beside what is (an ordinary cough that keeps it awake).
        grave = [need for need in needs if not (need.row and _is_in("child", patient) and "child" in need.row.not_for)]
        needs = grave or needs
        if barred := self._barred(needs, patient, has):
            return _Picked((), (), (), (), barred)
        facts = Facts.of(patient)
        special = any((facts.child, facts.elderly, facts.pregnant, facts.nursing, facts.tags, facts.drugs))
        refused: dict[str, PersonFinding] = {}
        gone: list[str] = []
        found: dict[str, _Candidate] = {}
        for need in needs:
            fitting: Tally[str] = Tally()
            for one in self._fitting(need, needs, patient, has, gone):
                if fitting[one.named] == _ALIKE or not _leaflet_tells(one.product, special=special):
                    continue
                if held.stops(one.product):
                    if one.named not in refused:
                        refused[one.named] = held.findings(one.product)[0]
                    continue
                if one.product.sku not in found:
                    how = self._for_what(dosage.how(one.product, patient), has | {need.concept for need in needs})
                    found[one.product.sku] = one._replace(cautions=held.findings(one.product), how=how)
                fitting[one.named] += 1
                if fitting.total() == _LOOKED_AT:
                    break
        child = patient.stage in ("infant", "child")
        chosen = self._choose(list(found.values()), needs, child=child, cheapest=cheapest)
        fit = {one.named for one in found.values()}
        why = {named: one for named, one in refused.items() if named not in fit}
        told = [one for one in why.values() if one.other != one.medicine and (not chosen or one.kind not in _NO_NEWS)]
        lenient = (named for named, one in why.items() if one.severity == "ask" and one.kind in _LEAVE)
        return _Picked(tuple(chosen), tuple(told[:_REFUSED]), tuple(lenient), tuple(dict.fromkeys(gone))[:_REFUSED], "")

    def _for_what(self, how: str, has: frozenset[str]) -> str:
        """Of how a product is taken, what isn't for another disease (花斑癣：…, where nobody has that)."""

        def fits(sentence: str) -> bool:
            label, mark, _ = sentence.partition("：")
            named = self._rules.lexicon.read(label).findings() if mark and len(label) <= _LABEL else ()
            return not named or any(one.concept in has for one in named)

        parts = sentences(how)
        kept = [part for part in parts if fits(part)]
        return "".join(kept) if any(map(_labelled, kept)) or not any(map(_labelled, parts)) else how

    def _fitting(
        self, need: _Need, needs: Sequence[_Need], patient: Patient, has: frozenset[str], gone: list[str]
    ) -> Iterator[_Candidate]:
        """Products for a complaint as the row prefers them, before the person is looked at; what is sold out goes to `gone`."""
        if need.row is None:
            yield from self._by_leaflet(need)
            return
        rows = [other for other in needs if other.row is not None]
        asked = frozenset(name for other in rows if other.row for choice in other.row.choices for name in choice.any_of)
        for choice in need.row.choices:
            if not self._holds(choice, patient, has):
                continue
            products = [*self._products(choice, patient)]
            if not products:
                gone += [one.short_name for one in self._sold_out(choice)]
            for name, product in products:
                if self._is_asked_for(product, name, asked):
                    serves = [served for other in rows if (served := self._serves(product, other, patient, has))]
                    first, covers = serves[0], frozenset[str]().union(*(served.covers for served in serves))
                    reason, caution = first.choice.reason, first.choice.caution
                    yield _Candidate(product, first.rank, reason, caution, (), covers, name.split("/")[0])

    def _products(self, choice: Choice, patient: Patient) -> Iterator[tuple[str, Product]]:
        """In stock, with the name by which each was found; those made for children only for a child, and first."""
        child = patient.stage in ("infant", "child")
        for for_children in (True, False) if child else (False,):
            for name in choice.any_of:
                yield from ((name, product) for product in self._shelf.holding(name, for_children=for_children))

    def _sold_out(self, choice: Choice) -> Iterator[Product]:
        for name in choice.any_of:
            yield from self._shelf.holding(name, for_children=False, sold_out=True)[:1]

    def _is_asked_for(self, product: Product, name: str, asked: frozenset[str]) -> bool:
        """Whether a compound holds nothing strong of which nobody complained (no cold tablet for a fever alone)."""
        if any(one.name == name and one.kind != "substance" for one in product.contents.substances):
            return True
        rest = [one for one in product.contents.substances if one.names.isdisjoint(asked)]
        return all(one.groups.isdisjoint(self._texts.apart) for one in rest)

    def _serves(self, product: Product, need: _Need, patient: Patient, has: frozenset[str]) -> _Served | None:
        """By which choice of its row a product is for a complaint; None: it isn't."""
        assert need.row is not None
        ways = self._ways[need.row.name]
        for place, within in sorted(way for name in product.contents.names for way in ways.get(name, ())):
            choice = need.row.choices[place]
            if self._holds(choice, patient, has):
                return _Served(frozenset((need.concept, *choice.needs)), (place, within), choice)
        return None

    def _by_leaflet(self, need: _Need) -> Iterator[_Candidate]:
        """Products whose leaflet names the complaint, where no row is about it."""
        for rank, match in enumerate(self._shelf.suited({need.concept: need.words})[:_LOOKED_AT]):
            section = match.product.section("indications")
            if section is not None:
                reason = self._texts.leaflet_reason.format(text=sentences(section.text)[0].rstrip("。"))
                named = next((one.substance for one in match.product.contents.substances), match.product.short_name)
                yield _Candidate(match.product, (0, rank), reason, "", (), frozenset({need.concept}), named)

    def _holds(self, choice: Choice, patient: Patient, has: frozenset[str]) -> bool:
        """Whether what a choice needs is there, nothing that it doesn't go with, and the person is old enough."""
        if (choice.needs and has.isdisjoint(choice.needs)) or not has.isdisjoint(choice.without):
            return False
        youngest = _youngest(patient)
        if choice.children_only and not _is_in("child", patient):
            return False
        return youngest is None or youngest >= choice.from_months

    def _has(self, patient: Patient) -> frozenset[str]:
        """Everything that the person has now, by every broader name."""
        said = (one.mention for one in patient.said if one.mention.current and one.resolved not in ("over", "mistaken"))
        names = frozenset().union(*(one.broader | {one.concept} for one in said if one.kind == "finding"))
        told = patient.slot("cough").what
        coughs = {name for name, words in self._texts.cough.items() if not set(words).isdisjoint(told)}
        conditions = frozenset().union(*map(self._rules.lexicon.broader, patient.slot("conditions").what))
        dry = "干咳" in coughs
        return (names - ({"咳痰"} if dry else set())) | coughs | conditions

    def _barred(self, needs: Sequence[_Need], patient: Patient, has: frozenset[str]) -> str:
        """Why nothing is offered for one of the complaints to somebody like this, or empty."""
        for need in needs:
            for name in need.row.not_for if need.row else ():
                if name in self._texts.not_for:
                    # 宝宝 may be older: then the age is asked for.
                    if _is_in(name, patient) and (name != "infant" or _youngest(patient) is not None):
                        return self._texts.not_for[name]
                elif name in has:
                    return self._texts.not_for["finding"].format(what=name)
        return ""

    def _circumstance(self, patient: Patient) -> str:
        """Why there may be nothing for this person."""
        return next((text for name, text in self._texts.not_for.items() if name != "finding" and _is_in(name, patient)), "")

    # Which of them

    def _choose(self, found: list[_Candidate], needs: Sequence[_Need], *, child: bool, cheapest: bool) -> list[_Candidate]:
        """What covers the complaints with the fewest products that go together; for one alone, two to choose from."""

        def order(one: _Candidate) -> tuple[object, ...]:
            product, (choice, within) = one.product, one.rank
            minds = any(finding.kind not in _MINOR for finding in one.cautions)
            less = (not one.how, minds, choice, child and not product.for_children, within)
            best = (*less, _UNLIKED in product.form, len(product.contents.substances), product.price)
            return (not one.how, product.price, *best) if cheapest else best

        chosen: list[_Candidate] = []
        open_needs = [need.concept for need in needs]  # as they were told
        left = sorted(found, key=order)
        while left and open_needs and len(chosen) < _MOST:
            best = max(left, key=lambda one: (len(one.covers.intersection(open_needs)), open_needs[0] in one.covers))
            if best.covers.isdisjoint(open_needs):
                break
            chosen.append(best)
            open_needs = [one for one in open_needs if one not in best.covers]
            goes = {made: self._together(one, chosen) for made, one in {_made_of(one): one for one in left}.items()}
            left = [one for one in left if goes[_made_of(one)]]
        if len(chosen) == 1:
            chosen += self._beside(chosen[0], sorted(found, key=order), several=len(needs) > 1, cheapest=cheapest)
        return chosen

    def _beside(self, first: _Candidate, found: Sequence[_Candidate], *, several: bool, cheapest: bool) -> list[_Candidate]:
        """A second product: for several complaints one that goes with the first, else another way of treating the same."""
        others = [one for one in found if not _shares(one.product, first.product)]
        if several:
            apart = [one for one in others if not _alike(one, first) and self._together(one, [first])]
            return apart[: _OFFERS - 1]
        return [one for one in others if one.rank[0] != first.rank[0] or cheapest][: _OFFERS - 1]

    def _together(self, one: _Candidate, chosen: Sequence[_Candidate]) -> bool:
        """Whether it may be taken beside what is chosen already."""
        if any(_shares(one.product, other.product) for other in chosen):
            return False
        medicines = [one.product.contents, *(other.product.contents for other in chosen)]
        return not any(finding.stops for finding in self._rules.person_checks.together(medicines))

    def _either(self, chosen: Sequence[_Candidate]) -> bool:
        """Whether the products are alike, or don't go together."""
        if len(chosen) < 2:
            return False
        first, *others = chosen
        return any(_alike(one, first) for one in others) or not self._together(others[0], [first])

    @staticmethod
    def _offer(one: _Candidate) -> Offer:
        """The product with its reason, what this person must mind else what anybody must, and how it is taken."""
        caution = next((finding.sentence for finding in one.cautions), one.caution)
        section = one.product.section("dosage") if one.how else one.product.section("indications")
        return Offer(one.product, one.reason, caution, one.how, section)

    def _tentative(self, needs: Sequence[_Need], patient: Patient) -> tuple[str, ...]:
        """What is usual for somebody of this stage of whom nothing else is known: names of substances."""
        usual = Patient("self", patient.said, stage="adult")
        if patient.stage in ("infant", "child"):
            usual = _aged(usual, _youngest(patient) or 60)
        return tuple(dict.fromkeys(one.named for one in self._pick(needs, usual, self._rules.held(usual)).candidates))

    # What to ask

    def _missing(
        self, needs: Sequence[_Need], patient: Patient, held: Held, picked: _Picked, request: Request
    ) -> tuple[QuestionRow, ...]:
        """The questions whose answers could change what is offered, none that was asked before."""
        asked = {one.question.id for one in request.told.asked}
        slots = {slot for one in request.told.asked for slot in one.question.slots}
        again = any(one.turn >= request.first for one in request.told.asked)
        found: list[QuestionRow] = []
        for key, decides in self._open(needs, patient, picked, request, held):
            row = self._rules.questions[key]
            known = again or slots.issuperset(row.slots)
            if key in asked or (known and key not in _WAITS_ALWAYS) or not decides():
                continue
            found.append(row)
            if len(found) == _QUESTIONS:
                break
        return tuple(found)

    def _open(
        self, needs: Sequence[_Need], patient: Patient, picked: _Picked, request: Request, held: Held
    ) -> Iterator[tuple[str, Callable[[], bool]]]:
        """What isn't known: the question for it, and whether an answer could change what is offered."""
        asks = {slot for need in needs for slot in (need.row.ask if need.row else ("person", "age"))}
        products = [self._rules.alike(one.product, named=True) for one in picked.candidates]
        barred = {name for need in needs if need.row for name in need.row.not_for}
        said = [reading.plain for reading in request.told.readings[request.first :]]

        def stops(*variants: tuple[SlotName, str]) -> bool:
            if any(what in barred or (slot == "age" and "child" in barred) for slot, what in variants):
                return True
            return any(self._stops(one, slot, what) for one in products for slot, what in variants)

        if _is_nobody(patient) and not any(map(self._grown_up.search, said)):
            yield "who", partial(stops, *_WHO)
        elif patient.stage in ("infant", "child") and _youngest(patient) is None:
            yield "child_age", lambda: True
        elif patient.stage is None and patient.person != "self":
            yield "age", partial(stops, *_WHO[:2])
        cough = patient.slot("cough")
        if "cough" in asks and cough.known == "unknown" and self._has(patient).isdisjoint(self._texts.cough):
            # What kind of a cough it is no check of a product asks.
            kinds = [_with(patient, "cough", words[0]) for words in self._texts.cough.values()]
            yield "cough", lambda: len({self._pick(needs, one, held).outcome for one in kinds}) > 1
        if _may_carry(patient):
            yield "pregnant", partial(stops, ("pregnancy", "pregnancy"))
        may: dict[SlotName, tuple[str, ...]] = {"conditions": self._texts.may_have}
        if not self._act_locally(picked):
            may |= {"drugs": self._texts.may_take, "allergies": self._texts.may_be_allergic}
        unknown = [slot for slot in may if patient.slot(slot).known == "unknown"]
        if len(unknown) == len(_HISTORY):
            yield "history", partial(stops, *((slot, what) for slot in unknown for what in may[slot]))
        elif "conditions" in unknown and "conditions" in asks:
            yield "conditions", partial(stops, *(("conditions", what) for what in may["conditions"]))

    def _tries(self, alike: Alike, slot: SlotName, what: str) -> bool:
        """Whether a product is stopped for a grown-up of whom nothing is known but this."""
        nobody = Patient("self", stage="adult")
        if slot == "age":
            tried = _aged(nobody, float(what))
        else:
            tried = _with(nobody, slot, "" if slot in ("pregnancy", "lactation") else what)
        return any(finding.stops for finding in self._rules.checks(alike.product, tried))

    def _waiting(self, picked: _Picked) -> frozenset[str]:
        """The questions before whose answers nothing is offered."""
        return frozenset() if picked.candidates and self._act_locally(picked) else _WAITS

    def _act_locally(self, picked: _Picked) -> bool:
        return all(self._rules.acts_locally(one.product) for one in picked.candidates)


def _ails(patient: Patient) -> list[Said]:
    """The findings that somebody has now."""
    return [
        one
        for one in patient.said
        if one.mention.kind == "finding" and one.mention.current and one.resolved not in ("over", "mistaken")
    ]


def _ways(row: ComplaintRow) -> dict[str, list[tuple[int, int]]]:
    """Of what a row names: the places of the choice and of the substance in it."""
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for place, choice in enumerate(row.choices):
        for within, name in enumerate(choice.any_of):
            found[name].append((place, within))
    return dict(found)


def _labelled(sentence: str) -> bool:
    return "：" in sentence[: _LABEL + 1]


def _made_of(one: _Candidate) -> tuple[object, ...]:
    """What decides whether it goes with others."""
    contents = one.product.contents
    return contents.substances, contents.may_be, contents.unknown


def _leaflet_tells(product: Product, *, special: bool) -> bool:
    """Whether its leaflet, as the shop has it, tells what the product is for and, for somebody special, all that matters."""
    return "indications" not in product.untold and not (special and product.untold)


def _alike(one: _Candidate, other: _Candidate) -> bool:
    """Whether two act alike, or treat the same in another way: one of them is enough."""
    groups = frozenset().union(*(part.groups for part in other.product.contents.substances))
    same = one.covers == other.covers and one.rank[0] != other.rank[0]
    return same or any(not groups.isdisjoint(part.groups) for part in one.product.contents.substances)


def _shares(one: Product, other: Product) -> bool:
    """Whether both hold the same substance."""
    return not {part.substance for part in one.contents.substances}.isdisjoint(
        part.substance for part in other.contents.substances
    )


# Persons


def _is_nobody(patient: Patient) -> bool:
    """Whether nothing told yet shows for whom it is; who speaks of an illness or a medicine of one's own is grown up."""
    tells: tuple[SlotName, ...] = (*_HISTORY, "work", "pregnancy", "lactation", "sex", "age", "weight")
    return (
        patient.person in ("self", "other")
        and not patient.named
        and patient.stage is None
        and all(patient.slot(slot).known == "unknown" for slot in tells)
    )


def _is_in(name: str, patient: Patient) -> bool:
    """Whether somebody is in a stage or circumstance."""
    if name == "infant":
        return patient.stage == "infant"
    if name == "child":
        return patient.stage in ("infant", "child")
    return patient.slot("pregnancy" if name == "pregnancy" else "lactation").known == "yes" if name != "finding" else False


def _may_carry(patient: Patient) -> bool:
    """Whether somebody may be pregnant of whom it wasn't said."""
    months = _youngest(patient)
    if patient.sex != "female" or patient.slot("pregnancy").known != "unknown" or patient.person in ("mother", "grandmother"):
        return False
    return patient.stage in (None, "adult") and (months is None or months < _FERTILE)


def _youngest(patient: Patient) -> float | None:
    """The age in months, or what it is not below; None: not told, or told of a grown-up only as that."""
    slot, told = patient.slot("age"), patient.values.get("age_months")
    return told if told is not None else slot.number if slot.number is not None else slot.low


def _with(patient: Patient, slot: SlotName, what: str) -> Patient:
    return replace(patient, slots={**patient.slots, slot: Slot("yes", (what,) if what else ())})


def _aged(patient: Patient, months: float) -> Patient:
    stage: Stage = "child" if months < _CHILD else "elderly" if months >= _OLD else "adult"
    slots = {**patient.slots, "age": Slot("yes", number=months)}
    return replace(patient, stage=stage, slots=slots, values={**patient.values, "age_months": months})
