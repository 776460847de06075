"""Medicines against a person: what speaks against one, what must be asked first, what to mind. Pure functions over tables.

Two grounds: the formulary's tables, and the product's own leaflet as the shop supplied it. A row that nobody checked against
its document may only restrict. Where somebody needs leave (pregnancy, breast-feeding, a child), it takes a checked row or the
leaflet to give it, and where neither does, a pharmacist is asked. What the tables don't know is told as unknown.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import NamedTuple

from medasst.dialogue import Patient, Slot
from medasst.formulary import Contents, Formulary
from medasst.lexicon import Lexicon
from medasst.lexicon.amounts import Dose
from medasst.rulebook import PopulationRow, SlotName
from medasst.safety.finding import Kind, PersonFinding, Told, by_severity, milder
from medasst.safety.grounds import Circumstance, Ground, Writer, drawn_together
from medasst.safety.leaflet import Leaflet, LeafletReader, Says, Span
from medasst.safety.pairs import ALCOHOL, Company, Intake, Pairs

_MOST = 24  # allergies, diseases or medicines of one person; more are no list but noise (Facts.unread)
_OLD, _CHILD, _EVER = 780, 216, 1500  # months
_ANY_WEEK = Span(0, 45)
_WEEKS = {"pregnancy": _ANY_WEEK, "trimester_1": Span(0, 14), "trimester_2": Span(14, 28), "trimester_3": Span(28, 45)}
_STAGES = {"infant": Span(0, 12), "child": Span(0, _CHILD), "adult": Span(_CHILD, _OLD), "elderly": Span(_OLD, _EVER)}
_NOT_TOLD = Dose()
MADE_FOR_CHILDREN = ("儿童", "小儿", "婴")


class _Applies(NamedTuple):
    """A population row that may hold of a person: by which name of the medicine, and whether it surely does."""

    name: str
    row: PopulationRow
    sure: bool = True


@dataclass(frozen=True, slots=True)
class _Condition:
    """Something that a person has: its names, broader ones among them.

    Attributes:
        lead: how a sentence begins that speaks of it.
        lasting: a disease, of which a leaflet may speak; not a complaint.
        may_be: narrower ones that it may be (溃疡: 消化性溃疡), of which a row can only make us ask.
        sure: not only possible.
    """

    concept: str
    names: frozenset[str]
    told: Told
    lead: str
    lasting: bool
    may_be: frozenset[str] = frozenset()
    sure: bool = True

    def rows(self, rows: Iterable[tuple[str, PopulationRow]]) -> list[_Applies]:
        """Those of the rows about conditions under which it falls."""
        names, near = self.names - self.may_be, self.names | self.may_be
        return [
            _Applies(name, row, self.sure and not names.isdisjoint(row.conditions))
            for name, row in rows
            if not near.isdisjoint(row.conditions)
        ]


class PersonChecks:
    """Holds medicines against persons, and against one another, by one rulebook.

    Args:
        lexicon: knows the broader names of findings and medicines.
        formulary: what is true of medicines, by the same rulebook.
    """

    def __init__(self, lexicon: Lexicon, formulary: Formulary) -> None:
        self.lexicon, self.formulary = lexicon, formulary
        self.leaflets, self.writer = LeafletReader(lexicon.book), Writer(lexicon.book.checks)
        self.pairs = Pairs(lexicon, formulary, self.leaflets, self.writer)
        rows, diseases = lexicon.book.findings, lexicon.book.leaflets.disease
        self.conditions = frozenset({*rows.rows, *(broad for row in rows for broad in row.is_a), *diseases})

    def of(
        self,
        medicine: Contents,
        person: Patient,
        leaflet: Leaflet | None = None,
        *,
        local: bool = False,
        anew: bool = True,
        beside: Sequence[Intake] = (),
        dose: Dose = _NOT_TOLD,
    ) -> tuple[PersonFinding, ...]:
        """What speaks against a medicine for a person, the strictest first; one finding a circumstance.

        Args:
            leaflet: the product's own, by the keys of `catalogue.SECTIONS`; sections may be missing.
            local: whether it acts where it is put (ointments, plasters, drops).
            anew: it would be taken beside what is taken. False: the talk is of the medicine itself, whoever takes it already.
            beside: what is asked about as well; it counts in the day's sum.
            dose: how much of it would be taken, where that was told.

        None found is no clearance: only what is known of the person was looked at.
        """
        case = _Case(self, medicine, person, leaflet or {}, local=local)
        return drawn_together(medicine.name, case.grounds(anew=anew, dose=dose, beside=beside))

    def together(
        self, medicines: Sequence[Contents], doses: Sequence[Dose] = (), person: Patient | None = None
    ) -> tuple[PersonFinding, ...]:
        """What speaks against taking these medicines together, whoever takes them.

        Args:
            doses: how much of each, where that was told.
            person: who takes them: the day's sum is held against this age and weight, and goes over what is taken already.
        """
        told = doses or [_NOT_TOLD] * len(medicines)
        intakes = [Intake(one, dose) for one, dose in zip(medicines, told, strict=True)]
        taken = [] if person is None else [one for one, _ in self.taken(person)]
        company = self.company([*intakes, *taken], person)
        found: list[PersonFinding] = []
        for one, other in combinations(intakes, 2):
            name = other.contents.name
            found += drawn_together(one.contents.name, self.pairs.grounds(one, other, Told("asked", name), company))
        return by_severity(found)

    def taken(self, person: Patient) -> list[tuple[Intake, Told]]:
        """The medicines that somebody takes, as far as they were named."""
        slot = person.slot("drugs")
        said = {one.mention.concept: one for one in person.said if one.mention.kind == "drug"}
        found: list[tuple[Intake, Told]] = []
        for concept in slot.what[:_MOST]:
            one = said.get(concept)
            words, turn = (one.mention.words, one.turn) if one else ("", slot.turn)
            grams = one.mention.grams if one else None
            dose = Dose(one.mention.pills, grams and grams * 1000, one.mention.times) if one else _NOT_TOLD
            contents = replace(self.formulary.contents(concept), name=words or concept)
            found.append((Intake(contents, dose), Told("drugs", concept, words, turn)))
        return found

    def company(self, intakes: Sequence[Intake], person: Patient | None) -> Company:
        """These medicines, with what of a person the day's sum is held against."""
        if person is None:
            return Company(intakes)
        months, _ = self.age_of(person)
        return Company(intakes, months.low if months else None, person.slot("weight").number)

    def age_of(self, person: Patient) -> tuple[Span | None, Told]:
        """The age in months, as far as it is known; of a light person whose age nobody told that of a child."""
        slot, months = person.slot("age"), person.values.get("age_months")
        if months is not None:
            return Span(months, months), Told("age", turn=slot.turn)
        if slot.low is not None or slot.high is not None:
            return Span(slot.low or 0, slot.high if slot.high is not None else _EVER), Told("age", turn=slot.turn)
        weight, told = person.slot("weight"), Told("person", person.stage or "", turn=person.slot("person").turn)
        if person.stage in ("adult", "elderly") or weight.number is None:
            return _STAGES.get(person.stage or ""), told
        below = min((month for kg, month in self.writer.texts.child_kg.items() if weight.number < kg), default=None)
        if below is None:
            return _STAGES.get(person.stage or ""), told
        known = _STAGES.get(person.stage or "", Span(0, _CHILD))
        return Span(0, min(below, known.high)), Told("weight", turn=weight.turn)

    def with_food(self, medicine: Contents, food: str, leaflet: Leaflet | None = None) -> tuple[PersonFinding, ...]:
        """What speaks against a medicine with what is eaten or drunk, one of the rulebook's `INGESTED`."""
        told = (Told("asked", food),)
        if food == ALCOHOL:
            of = Circumstance("alcohol", told, about=food, other=food)
            return drawn_together(medicine.name, self.with_alcohol(medicine, of, leaflet or {}))
        of = Circumstance("interaction", told, about=food, other=food)
        return drawn_together(medicine.name, self.pairs.interactions(medicine, self.formulary.with_food(medicine, food), of))

    def allergens(self, allergen: str) -> tuple[str, ...]:
        """An allergen by all its names: as it was said, and what medicines the lexicon reads in it (aspirin, 消炎药)."""
        return tuple(dict.fromkeys((allergen, *(one.concept for one in self.lexicon.medicines(allergen)))))

    def silent(self, medicine: Contents, person: Patient, leaflet: Leaflet | None = None) -> tuple[str, ...]:
        """The person's known conditions of which no row and no section of the leaflet speaks for this medicine."""
        return tuple(_Case(self, medicine, person, leaflet or {}).silent())

    def with_alcohol(self, medicine: Contents, of: Circumstance, leaflet: Leaflet) -> Iterator[Ground]:
        """What speaks against a medicine for somebody who drinks."""
        yield from self.pairs.interactions(medicine, self.formulary.with_food(medicine, ALCOHOL), of)
        if (says := self.leaflets.alcohol(leaflet)) is not None:
            yield self.writer.said(of, says, medicine)


class _Case:
    """One medicine and one person."""

    def __init__(
        self, checks: PersonChecks, medicine: Contents, person: Patient, leaflet: Leaflet, *, local: bool = False
    ) -> None:
        self._checks, self._write, self._leaflets = checks, checks.writer, checks.leaflets
        self._medicine, self._person, self._leaflet, self._local = medicine, person, leaflet, local
        self._rows = list(checks.formulary.populations(medicine))

    def grounds(self, *, anew: bool, dose: Dose, beside: Sequence[Intake]) -> Iterator[Ground]:
        """Everything that speaks against it."""
        yield from self._pregnancy()
        yield from self._lactation()
        yield from self._age()
        yield from self._weight()
        yield from self._conditions()
        yield from self._allergies()
        yield from self._taken(Intake(self._medicine, dose, self._leaflet), beside, anew=anew)
        yield from self._driving()
        yield from self._alcohol()
        yield from self._unresolved()

    # Those who need leave

    def _pregnancy(self) -> Iterator[Ground]:
        slot = self._person.slot("pregnancy")
        if slot.known == "no" or (slot.known == "unknown" and not slot.unsure):
            return
        sure = slot.known == "yes"
        weeks = _ANY_WEEK if slot.number is None else Span(slot.number, slot.number)
        if "备孕" in slot.what:
            weeks = _WEEKS["trimester_1"]
        bounds = ((name, row, _WEEKS[row.who]) for name, row in self._rows if row.who in _WEEKS)
        rows = [_Applies(name, row, sure and weeks.within(span)) for name, row, span in bounds if weeks.meets(span)]
        says = self._leaflets.pregnancy(self._leaflet, weeks)
        if says is not None and not sure:
            says = says._replace(sure=False)
        lead = self._write.lead("pregnancy" if sure else "may_be_pregnant")
        told = Told("pregnancy", "、".join(slot.what), turn=slot.turn)
        yield from self._leave(Circumstance("pregnancy", (told,), lead), rows, says)

    def _lactation(self) -> Iterator[Ground]:
        slot = self._person.slot("lactation")
        if slot.known != "yes":
            return
        rows = [_Applies(name, row) for name, row in self._rows if row.who == "lactation"]
        of = Circumstance("lactation", (Told("lactation", turn=slot.turn),), self._write.lead("lactation"))
        yield from self._leave(of, rows, self._leaflets.lactation(self._leaflet))

    def _leave(self, of: Circumstance, rows: Sequence[_Applies], says: Says | None) -> Iterator[Ground]:
        """What restricts; where nothing does and nobody gives leave either, that it is left open."""
        found = [*self._restrict(of, rows)]
        given = any(one.row.verdict == "allow" and one.row.checked and one.sure for one in rows)
        if says is not None and says.verdict == "allow":
            given = True
        elif says is not None:
            found.append(self._write.said(of, says, self._medicine))
        if not found and not given:
            found.append(self._write.own(of, "ask", "left_open", self._medicine))
        yield from found

    def _restrict(self, of: Circumstance, rows: Iterable[_Applies]) -> Iterator[Ground]:
        """The rows that restrict; one of which it isn't sure that it holds can only make us ask."""
        for name, row, sure in rows:
            if row.verdict != "allow":
                severity = row.verdict if sure else milder(row.verdict, "ask")
                yield self._write.row(of, severity, self._medicine, name, row)

    # Age and weight

    def _age(self) -> Iterator[Ground]:
        months, told = self._checks.age_of(self._person)
        if months is None:
            return
        child = months.high <= _CHILD
        rows: list[_Applies] = []
        for name, row in self._rows:
            if row.who in ("age", "elderly"):
                youngest = row.from_months if row.from_months is not None else 0 if row.who == "age" else _OLD
                bounds = Span(youngest, _EVER if row.below_months is None else row.below_months)
                # Of a child whose age isn't told every bound counts; a grown-up isn't asked for one.
                if months.within(bounds) or (child and months.meets(bounds)):
                    rows.append(_Applies(name, row, months.within(bounds)))
        if months.low == months.high:
            lead = self._write.lead("age", _years(months.low))
        elif told.slot == "weight":
            lead = self._write.lead("weight", f"{self._person.slot('weight').number:g}")
        elif child or months.low >= _OLD:
            lead = self._write.lead("child" if child else "elderly")
        else:
            lead = ""
        of = Circumstance("age", (told,), lead)
        if child:
            made_for = any(word in self._medicine.name for word in MADE_FOR_CHILDREN)
            yield from self._leave(of, rows, self._leaflets.child(self._leaflet, months, for_children=made_for))
            return
        yield from self._restrict(of, rows)
        old = self._leaflets.elderly(self._leaflet, local=self._local) if months.low >= _OLD else None
        for says in (self._leaflets.age(self._leaflet, months), old):
            if says is not None:
                yield self._write.said(of, says, self._medicine)

    def _weight(self) -> Iterator[Ground]:
        slot = self._person.slot("weight")
        if slot.number is None:
            return
        kg = slot.number
        of = Circumstance("weight", (Told("weight", turn=slot.turn),), self._write.lead("weight", f"{kg:g}"))
        rows = ((name, row) for name, row in self._rows if row.who == "weight")
        yield from self._restrict(of, [_Applies(name, row) for name, row in rows if kg < (row.below_kg or 0)])
        if (says := self._leaflets.weight(self._leaflet, kg)) is not None:
            yield self._write.said(of, says, self._medicine)

    # What somebody has

    def _conditions(self) -> Iterator[Ground]:
        slot = self._person.slot("conditions")
        if slot.known == "yes" and not slot.what:
            of = Circumstance("unknown", (Told("conditions", turn=slot.turn),), about="conditions")
            yield self._write.own(of, "ask", "name_condition", self._medicine)
        rows = [(name, row) for name, row in self._rows if row.who == "condition"]
        for has in self._has(slot):
            of = Circumstance(self._kind(has.names), (has.told,), has.lead, has.concept)
            if has.told.slot == "conditions" and self._checks.conditions.isdisjoint(has.names):
                yield self._write.own(of._replace(kind="unknown"), "ask", "unknown_condition", self._medicine, what=has.concept)
            yield from self._restrict(of, has.rows(rows))
            says = self._leaflets.condition(self._leaflet, has.concept, has.names) if has.lasting else None
            if says is not None:
                yield self._write.said(of, says if has.sure else says._replace(sure=False), self._medicine)

    def silent(self) -> Iterator[str]:
        """Conditions that are known, but not what they mean for this medicine."""
        rows = [(name, row) for name, row in self._rows if row.who == "condition"]
        for has in self._has(self._person.slot("conditions")):
            if has.told.slot != "conditions" or self._checks.conditions.isdisjoint(has.names):
                continue
            if not has.rows(rows) and self._leaflets.condition(self._leaflet, has.concept, has.names) is None:
                yield has.concept

    def _has(self, slot: Slot) -> list[_Condition]:
        """What the person has: lasting diseases, and what else was said of this person and stands."""
        said = {one.mention.concept: one for one in self._person.said if one.mention.kind == "finding"}
        found: dict[str, _Condition] = {}
        for concept in slot.what[:_MOST]:
            if concept in self._write.texts.drinking:
                continue
            one = said.get(concept)
            # The words may tell more than the term (尿毒症 is a 肾病 that has failed); without a chat there are no turns.
            words, turn = (one.mention.words, one.turn) if one else ("", slot.turn)
            told = Told("conditions", concept, words, None if slot.turn is None else turn)
            names, lead = self._checks.lexicon.broader(concept), self._write.lead("condition", concept)
            if one is not None:
                names |= one.mention.broader
            may_be = self._may_be(one.mention.words if one else concept)
            found[concept] = _Condition(concept, names, told, lead, lasting=True, may_be=may_be)
        diseases = self._checks.lexicon.book.leaflets.disease
        for concept, one in said.items():
            mention = one.mention
            if mention.current and one.resolved not in ("over", "mistaken") and concept not in found:
                told = Told("said", concept, mention.words, one.turn)
                lasting = not mention.broader.isdisjoint(diseases)
                lead = self._write.lead("condition", concept)
                sure, may_be = mention.said_as("present"), self._may_be(mention.words) if lasting else frozenset()
                found[concept] = _Condition(concept, mention.broader, told, lead, lasting, may_be, sure)
        for condition in self._told_by_medicines():
            found.setdefault(condition.concept, condition)
        return list(found.values())

    def _may_be(self, words: str) -> frozenset[str]:
        return frozenset(self._write.texts.may_be.get(words, ()))

    def _told_by_medicines(self) -> Iterator[_Condition]:
        """What somebody may have who takes such medicines (降压药: 高血压), though nobody said so."""
        slot, taken_for = self._person.slot("drugs"), self._write.texts.taken_for
        for concept in slot.what[:_MOST]:
            contents = self._checks.formulary.contents(concept)
            called = self._checks.lexicon.broader(concept) | self._checks.lexicon.broader(contents.name) | contents.names
            for disease in sorted({taken_for[name] for name in called if name in taken_for}):
                names, lead = self._checks.lexicon.broader(disease), self._write.lead("drug", concept)
                told = Told("drugs", concept, turn=slot.turn)
                yield _Condition(disease, names, told, lead, lasting=True, sure=False)

    def _kind(self, names: Collection[str]) -> Kind:
        for kind, conditions in self._write.texts.organs.items():
            if any(condition in names for condition in conditions):
                return kind
        return "contraindication"

    def _allergies(self) -> Iterator[Ground]:
        slot = self._person.slot("allergies")
        if slot.known == "yes" and not slot.what:
            of = Circumstance("allergy", (Told("allergies", turn=slot.turn),))
            yield self._write.own(of, "ask", "name_allergen", self._medicine)
        parts = frozenset(one.substance for one in self._medicine.substances)
        for allergen in slot.what[:_MOST]:
            told = Told("allergies", allergen, turn=slot.turn)
            of = Circumstance("allergy", (told,), self._write.lead("allergy", allergen), allergen)
            names = self._checks.allergens(allergen)
            rows = {row.id: row for name in names for row in self._checks.formulary.allergies(name)}
            for row in rows.values():
                part = next((name for name in row.to if name in self._medicine.names or name in parts), None)
                if part is not None:
                    # These rows say themselves that there is an allergy.
                    yield self._write.row(of._replace(lead=""), row.verdict, self._medicine, part, row)
            says = self._leaflets.allergy(self._leaflet, allergen)
            if any(self._holds(name, parts) for name in names):
                yield self._write.own(of, "forbid", "same", self._medicine, what=allergen)
            elif says is not None:
                yield self._write.said(of, says, self._medicine)
            elif not rows:
                yield from self._like(of, allergen, names)

    def _like(self, of: Circumstance, allergen: str, names: Sequence[str]) -> Iterator[Ground]:
        """Of an allergen that no row is about: that the medicine is of its kind; else unknown, but of a known substance."""
        contents = [self._checks.formulary.contents(name) for name in names]
        kinds = {group for one in contents for part in one.substances for group in part.groups}
        if not kinds.isdisjoint(self._medicine.names) or any(one.may_be & self._medicine.names for one in contents):
            yield self._write.own(of, "ask", "alike_allergen", self._medicine, what=allergen)
        elif not any(one.resolved for one in contents):
            yield self._write.own(of._replace(kind="unknown"), "ask", "unknown_allergen", self._medicine, what=allergen)

    def _holds(self, allergen: str, parts: frozenset[str]) -> bool:
        """Whether the medicine is, or holds, or belongs to what somebody is allergic to."""
        own = parts | self._medicine.names | frozenset(self._medicine.unknown)
        if allergen in own or (len(allergen) > 1 and allergen in self._medicine.name):
            return True
        its = self._checks.formulary.contents(allergen).substances
        return any(one.substance in own for one in its) or any(len(one) > 1 and one in allergen for one in parts)

    # What somebody takes and does

    def _taken(self, mine: Intake, beside: Sequence[Intake], *, anew: bool) -> Iterator[Ground]:
        slot = self._person.slot("drugs")
        if slot.known == "yes" and not slot.what:
            of = Circumstance("unknown", (Told("drugs", turn=slot.turn),), about="drugs")
            yield self._write.own(of, "ask", "name_drug", self._medicine)
        known = [
            (its, told)
            for its, told in self._checks.taken(self._person)
            if anew or not its.contents.substances or its.contents.substances != self._medicine.substances
        ]
        company = self._checks.company([mine, *beside, *(its for its, _ in known)], self._person)
        for its, told in known:
            yield from self._checks.pairs.grounds(mine, its, told, company)

    def _driving(self) -> Iterator[Ground]:
        slot = self._person.slot("work")
        if slot.known != "yes":
            return
        what = "、".join(slot.what)
        of = Circumstance("driving", (Told("work", what, turn=slot.turn),), self._write.lead("driving", what))
        yield from self._restrict(of, [_Applies(name, row) for name, row in self._rows if row.who == "driving"])
        if (says := self._leaflets.driving(self._leaflet)) is not None:
            yield self._write.said(of, says, self._medicine)

    def _alcohol(self) -> Iterator[Ground]:
        told = self._drank()
        if told is None:
            return
        of = Circumstance("alcohol", (told,), self._write.lead("alcohol"), ALCOHOL, ALCOHOL)
        yield from self._checks.with_alcohol(self._medicine, of, self._leaflet)

    def _drank(self) -> Told | None:
        """What tells that the person drinks, or drank; the newest mention counts."""
        drinking = frozenset(self._write.texts.drinking)
        for one in reversed(self._person.said):
            if one.mention.current and not drinking.isdisjoint(one.mention.broader):
                return Told("said", one.mention.concept, one.mention.words, one.turn)
        listed = drinking.intersection(self._person.slot("conditions").what)
        return Told("conditions", min(listed)) if listed else None

    def _unresolved(self) -> Iterator[Ground]:
        """A medicine that holds what no table knows, where its leaflet can't rule out what was told either."""
        if self._medicine.resolved:
            return
        slots: tuple[SlotName, ...] = ("allergies", "drugs")
        told = tuple(Told(name, turn=self._person.slot(name).turn) for name in slots if self._person.slot(name).known == "yes")
        if told or not self._leaflet:
            yield self._write.own(Circumstance("unknown", told, about="contents"), "ask", "contents_unknown", self._medicine)


def _years(months: float) -> str:
    return f"{months:g}个月" if months < 24 else f"{months // 12:g}岁"
