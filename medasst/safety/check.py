"""The person checks without a chat: a patient and medicines in, findings out, with what was covered and what is unknown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import ConfigDict, Field, ValidationError, model_validator

from medasst.config import Config
from medasst.dialogue import Patient, Said, Slot, of_turns
from medasst.dialogue.patient import stage_of
from medasst.errors import InputError
from medasst.formulary import Contents
from medasst.lexicon import Mention
from medasst.lexicon.amounts import Dose, read_dose
from medasst.registry import did_you_mean
from medasst.rulebook import Known, Quantity, SlotName
from medasst.safety.cards import CheckAnswer, cards
from medasst.safety.doses import told_amounts
from medasst.safety.finding import PersonFinding, by_severity
from medasst.safety.pairs import Intake
from medasst.safety.person import PersonChecks

Word = Annotated[str, Field(min_length=1, max_length=100)]
Words = Annotated[tuple[Word, ...], Field(max_length=24)]
FORMATS = ("json", "cds-hooks")
_DRIVES, _DRINKS = "开车", "饮酒"
_LEAVE: tuple[SlotName, ...] = ("pregnancy", "lactation")
_IN_PART = "conditions_in_part"  # of some medicine and some condition nothing is known: `not_covered` names them
_SHAPE = '{"patient": {"age_months": 384, "drugs": ["华法林"]}, "drugs": ["布洛芬缓释胶囊"]}'


class _Strict(Config):
    model_config = ConfigDict(strict=True)


class CheckPatient(_Strict):
    """Who takes it. Left out or null: not told, which is never "no"; [] and false: told that there is none.

    Attributes:
        pregnancy_weeks: the week; `pregnant`: where the week isn't known.
        conditions: pregnancy and breast-feeding told here (怀孕8周, 备孕, 哺乳期) count as told there.
        drugs: what is taken already.
        driving: drives or works with machines; alcohol: drinks.
    """

    age_months: Annotated[float, Field(ge=0, le=1500)] | None = None
    sex: Literal["female", "male"] | None = None
    pregnancy_weeks: Annotated[float, Field(ge=0, le=45)] | None = None
    pregnant: bool | None = None
    lactation: bool | None = None
    weight_kg: Annotated[float, Field(gt=0, le=500)] | None = None
    allergies: Words | None = None
    conditions: Words | None = None
    drugs: Words | None = None
    driving: bool | None = None
    alcohol: bool | None = None

    @model_validator(mode="after")
    def _possible(self) -> CheckPatient:
        if self.pregnancy_weeks is not None and self.pregnant is False:
            raise ValueError("pregnancy_weeks is given and pregnant is false; leave one of them out")
        if self.sex == "male" and (self.pregnancy_weeks is not None or self.pregnant or self.lactation):
            raise ValueError("sex is male, and pregnancy or lactation is told; correct one of them")
        return self


class CheckRequest(_Strict):
    """What is to be checked: medicines by name, against a patient and against one another."""

    patient: CheckPatient = CheckPatient()
    drugs: Annotated[tuple[Word, ...], Field(min_length=1, max_length=24)]


class CheckError(InputError):
    """A request that can't be checked; `field`: the one at fault."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.field = field


def read_check(body: str | bytes) -> CheckRequest:
    """A request from JSON. Raises CheckError: one line with the field and the remedy, without the values given."""
    try:
        return CheckRequest.model_validate_json(body.removeprefix(b"\xef\xbb\xbf") if isinstance(body, bytes) else body)
    except ValidationError as error:
        raise _explained(error) from None


def _explained(error: ValidationError) -> CheckError:
    problem = error.errors(include_input=False, include_url=False)[0]
    field = ".".join(map(str, problem["loc"]))
    if problem["type"] == "json_invalid":
        return CheckError(f"not valid JSON in UTF-8; send an object such as {_SHAPE}")
    if problem["type"] == "extra_forbidden":
        kind = CheckPatient if len(problem["loc"]) > 1 else CheckRequest
        return CheckError(f"there is no such field{did_you_mean(str(problem['loc'][-1]), kind.model_fields)}", field)
    if problem["type"] == "missing":
        return CheckError("is missing; name at least one medicine", field)
    if not field:
        return CheckError(f"the request must be an object such as {_SHAPE}")
    message = problem["msg"].removeprefix("Value error, ")
    remedy = "; leave it out where it isn't known" if len(problem["loc"]) > 1 and field.startswith("patient.") else ""
    return CheckError(message + remedy, field)


class _Condition(NamedTuple):
    """A condition as it was named: what the tables call it, the mentions in it, and what it tells of those who need leave."""

    name: str
    concepts: tuple[str, ...]
    mentions: tuple[Mention, ...]
    leave: dict[SlotName, Slot]


class _Named(NamedTuple):
    """A medicine as it was written, and what that tells: how much of it, and under its bare name what it is made of."""

    written: str
    amount: str
    dose: Dose
    contents: Contents

    @property
    def mention(self) -> Mention:
        """The same as a conversation would have told it."""
        name, grams = self.contents.name, None if self.dose.mg is None else self.dose.mg / 1000
        bare = Mention(name, "drug", 0, len(name), name, "present", "self", frozenset())
        return replace(bare, pills=self.dose.pieces, grams=grams, times=self.dose.times)


class Checker:
    """Answers such requests by one rulebook."""

    def __init__(self, checks: PersonChecks) -> None:
        self._checks, self._lexicon = checks, checks.lexicon

    def answer(self, request: CheckRequest) -> CheckAnswer:
        """Check every medicine against the patient, and all of them against one another."""
        written = {name: self._named(name) for name in (*request.drugs, *(request.patient.drugs or ()))}
        medicines = {name: written[name].contents for name in request.drugs}
        told = request.patient
        conditions = [self._condition(name) for name in told.conditions or ()]
        person = self._person(told, conditions, [written[name] for name in told.drugs or ()])
        intakes = {name: Intake(one, written[name].dose) for name, one in medicines.items()}
        found: list[PersonFinding] = []
        for name, (one, dose, _) in intakes.items():
            beside = [intake for other, intake in intakes.items() if other != name]
            found += self._checks.of(one, person, beside=beside, dose=dose)
        found += self._checks.together(list(medicines.values()), [one.dose for one in intakes.values()], person)
        taken = {name: written[name].contents for name in told.drugs or ()}
        asked = {
            "age": told.age_months,
            "pregnancy": told.pregnant if told.pregnancy_weeks is None else told.pregnancy_weeks,
            "lactation": told.lactation,
            "weight": told.weight_kg,
            "allergies": told.allergies,
            "conditions": told.conditions,
            "drugs": told.drugs,
            "driving": told.driving,
            "alcohol": told.alcohol,
        }
        if told.sex == "male":
            asked |= {"pregnancy": False, "lactation": False}
        for name in _LEAVE:
            if person.slot(name).known == "yes":
                asked[name] = True
        silent = [
            (name, condition.name)
            for name, one in medicines.items()
            for concept in self._checks.silent(one, person)
            for condition in conditions
            if concept in condition.concepts
        ]
        covered = [name for name, value in asked.items() if value is not None]
        if silent:
            covered = [_IN_PART if name == "conditions" else name for name in covered]
        return CheckAnswer(
            findings=tuple(_as_written(one, written.values()) for one in by_severity(found)),
            covered=(*covered, *(["together"] if len(medicines) > 1 else [])),
            not_told=tuple(name for name, value in asked.items() if value is None),
            unknown_drugs=tuple(dict.fromkeys(name for name, one in (medicines | taken).items() if not one.resolved)),
            not_covered=tuple(dict.fromkeys(silent)),
            drugs={name: tuple(part.substance for part in one.substances) for name, one in medicines.items()},
            amounts={name: one.amount for name, one in written.items() if one.amount},
            note=self._checks.writer.texts.note,
        )

    def written(self, request: CheckRequest, form: str) -> dict[str, Any]:
        """The answer in one of `FORMATS`."""
        answer = self.answer(request)
        return cards(answer, self._checks.writer.texts) if form == "cds-hooks" else answer.to_json()

    def _named(self, name: str) -> _Named:
        """Of a medicine by name, with how much of it where that stands in the name as well: 布洛芬 2片."""
        for bare, amount in (*told_amounts(name), (name, "")):
            found = self._contents(bare)
            if found.substances or found.may_be or not amount:
                return _Named(name, amount, read_dose(amount), replace(found, name=bare))
        raise AssertionError("the name itself is the last way")

    def _contents(self, name: str) -> Contents:
        """Of a medicine by name; by one that the lexicon reads as a whole (misspelt, in pinyin) where the tables lack it."""
        found = self._checks.formulary.contents(name)
        if not found.substances and not found.may_be:
            whole = [one.concept for one in self._lexicon.medicines(name) if one.words == name]
            found = self._checks.formulary.contents(whole[0]) if whole else found
        return found

    def _person(self, told: CheckPatient, conditions: Sequence[_Condition], drugs: Sequence[_Named]) -> Patient:
        pregnant = told.pregnancy_weeks is not None or told.pregnant
        concepts = [concept for one in conditions for concept in one.concepts]
        none = self._checks.writer.texts.no_allergy
        allergies = None if told.allergies is None else tuple(one for one in told.allergies if one.strip() not in none)
        listed = None if told.conditions is None and not told.alcohol else (*concepts, *([_DRINKS] if told.alcohol else []))
        slots: dict[SlotName, Slot] = {
            "pregnancy": _known(False if told.sex == "male" else pregnant, number=told.pregnancy_weeks),
            "lactation": _known(told.lactation),
            "work": _known(told.driving, (_DRIVES,)),
            "weight": _known(None if told.weight_kg is None else True, number=told.weight_kg),
            "age": _known(None if told.age_months is None else True, number=told.age_months),
            "allergies": _listed(allergies),
            "drugs": _listed(None if told.drugs is None else tuple(one.contents.name for one in drugs)),
            "conditions": _listed(listed),
        }
        for name, slot in ((name, slot) for one in conditions for name, slot in one.leave.items()):
            if slots[name].known != "yes" or slots[name].number is None:
                slots[name] = slot
        values: dict[Quantity, float] = {} if told.age_months is None else {"age_months": told.age_months}
        said = [Said(0, mention) for one in conditions for mention in one.mentions]
        said += [Said(0, one.mention) for one in drugs if one.amount]
        return Patient("self", tuple(said), values, told.sex, stage_of(told.age_months), slots)

    def _condition(self, name: str) -> _Condition:
        """What the tables call a condition; itself where they don't know it."""
        book = self._lexicon.book
        mentions = [*self._lexicon.read(name).findings()]
        if name in book.findings.rows:
            mentions = [replace(one, concept=name) for one in mentions if one.words == name]
        concepts = [name] if name in book.findings.rows else [one.concept for one in mentions] or [name]
        leave: dict[SlotName, Slot] = {}
        for person in of_turns([name], self._lexicon).patients:
            leave |= {slot: replace(person.slot(slot), turn=None) for slot in _LEAVE if person.slot(slot).known == "yes"}
        if leave:
            circumstances = {finding for slot in _LEAVE for finding in book.slots.rows[slot].findings}
            concepts = [one for one in concepts if one != name and self._lexicon.broader(one).isdisjoint(circumstances)]
        told = [one for one in mentions if one.concept in concepts and one.concept not in self._checks.writer.texts.drinking]
        return _Condition(name, tuple(concepts), tuple(told), leave)


def _as_written(finding: PersonFinding, named: Iterable[_Named]) -> PersonFinding:
    """A finding under the names that the request has: an amount that stood beside one included."""
    names = {one.contents.name: one.written for one in named}
    other = names.get(finding.other, finding.other)
    return replace(finding, medicine=names.get(finding.medicine, finding.medicine), other=other)


def _known(value: bool | None, what: tuple[str, ...] = (), number: float | None = None) -> Slot:
    known: Known = "unknown" if value is None else "yes" if value else "no"
    return Slot(known, what if value else (), number)


def _listed(values: tuple[str, ...] | None) -> Slot:
    return _known(None if values is None else bool(values), values or ())
