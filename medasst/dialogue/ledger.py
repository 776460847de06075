"""From what was stated of a person, turn by turn, to what is known of that person."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from medasst.dialogue.patient import UNKNOWN, Patient, Said, Slot, stage_of
from medasst.dialogue.resolution import Resolution
from medasst.dialogue.turns import Around, Called, Fact, Payload
from medasst.lexicon import Mention, Told
from medasst.rulebook import Person, Quantity, Rulebook, Sex, SlotName, Stage

_RESTRICTS: frozenset[SlotName] = frozenset({"allergies", "conditions", "drugs", "pregnancy", "lactation"})
_LASTING: frozenset[SlotName] = frozenset({"age", "weight", "sex"})
_QUANTITY: Mapping[SlotName, Quantity] = {
    "age": "age_months",
    "weight": "weight_kg",
    "temperature": "temperature",
    "pregnancy": "pregnancy_weeks",
}
_CIRCUMSTANCES = frozenset({"allergy", "state", "need", "circumstance"})
_HAPPENS = frozenset({"injury", "exposure", "intent"})
_MOST_AGAIN = 64  # mentions that stand again at once, the newest: as many as any rule could ask for
_RIGHT_AFTER = 3  # user turns within which 已经好了 still speaks of what was told
_TOO_OLD, _TOO_YOUNG = 660, 120  # months of age from which, and below which, nobody is asked about pregnancy


@dataclass(frozen=True, slots=True)
class Entry:
    """One statement of a person.

    Attributes:
        slip: the turn takes something back: what it says replaces what was said before.
        other_matter: the turn begins with something else.
        parts: the parts of the body that the turn names.
    """

    turn: int
    what: Payload
    slip: bool = False
    other_matter: bool = False
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Account:
    """A person as far as it was told, and where that contradicts itself: slot, first and second turn."""

    patient: Patient
    conflicts: tuple[tuple[SlotName, int, int], ...]


class Ledger:
    """Draws up accounts by one rulebook."""

    def __init__(self, book: Rulebook) -> None:
        self._book = book
        self._of_finding: dict[str, list[SlotName]] = {}
        for row in book.slots:
            for concept in row.findings:
                self._of_finding.setdefault(concept, []).append(row.name)
        self._history = {row.name for row in book.slots if row.history}

    def account(self, person: Person, entries: Sequence[Entry], named_at: int | None) -> Account:
        """What is known of a person by these statements, in order. `named_at`: the turn that first named this one."""
        book = _Open(person, self._kind, self._lasts)
        if named_at is not None:
            book.slots["person"] = Slot("yes", (person,), turn=named_at)
        for entry in entries:
            what = entry.what
            if isinstance(what, Mention):
                book.mention(entry, what, self._facts(what))
            elif isinstance(what, Around):
                book.around(entry, what.mention)
            elif isinstance(what, Told):
                book.value(entry, what.quantity, what.number)
            elif isinstance(what, Called):
                book.called(what.sex, what.stage)
            elif isinstance(what, Resolution):
                book.resolve(entry, what)
            else:
                book.fact(entry, what)
        return book.closed(named_at is not None, self._complaints)

    def _facts(self, mention: Mention) -> list[Fact]:
        """The slots that a mention fills."""
        if mention.kind == "drug":
            return [Fact("drugs", "yes", (mention.concept,))] if mention.by_cues == "present" else []
        facts: list[Fact] = []
        if mention.allergen or self._kind(mention.concept) == "allergy":
            facts += self._allergy(mention)
        slots = dict.fromkeys(slot for concept in mention.broader for slot in self._of_finding.get(concept, ()))
        for slot in slots:
            if mention.current or (mention.said_as("historical") and slot in self._history):
                what = () if slot in ("pregnancy", "lactation") else (mention.concept,)
                facts.append(Fact(slot, "yes" if mention.said_as("present", "historical") else "unknown", what))
            elif mention.by_cues == "absent" and slot in ("pregnancy", "lactation"):
                facts.append(Fact(slot, "no"))
        return facts

    def _allergy(self, mention: Mention) -> list[Fact]:
        what = mention.words.removeprefix("对").split("过敏")[0].removesuffix("类") or mention.allergen
        general = not what or what in ("", "药物", "药", "食物", "皮肤", "容易", "易") or mention.concept == "过敏体质"
        if mention.said_as("present", "historical"):
            return [Fact("allergies", "yes", () if general else tuple(re.split("和|跟|、|及|还有|以及", what)))]
        if mention.by_cues == "absent" and general:
            return [Fact("allergies", "no")]
        return []

    def _kind(self, concept: str) -> str:
        row = self._book.findings.rows.get(concept)
        return row.kind if row else "symptom"

    def _lasts(self, mention: Mention) -> bool:
        """Whether it is a condition that stays."""
        return any("conditions" in self._of_finding.get(concept, ()) for concept in mention.broader)

    def _complaints(self, said: Iterable[Said]) -> list[Said]:
        """What somebody has now, lasting conditions and circumstances left out."""
        return [
            one
            for one in said
            if one.mention.kind == "finding"
            and one.mention.current
            and one.resolved_by is None
            and not one.mention.allergen
            and self._kind(one.mention.concept) not in _CIRCUMSTANCES
            and not self._lasts(one.mention)
        ]


class _Open:
    """One person's account while it is drawn up."""

    def __init__(self, person: Person, kind: Callable[[str], str], lasts: Callable[[Mention], bool]) -> None:
        self.person, self._kind, self._lasts = person, kind, lasts
        self.slots: dict[SlotName, Slot] = {}
        self._said: list[Said] = []
        self._values: dict[Quantity, tuple[float, int]] = {}
        self._sex: Sex | None = None
        self._stage: Stage | None = None
        self._conflicts: list[tuple[SlotName, int, int]] = []
        # Findings that stand, by concept; and resolved ones, by each of their concepts: places in `_said`.
        self._standing: dict[str, list[int]] = {}
        self._resolved: dict[str, list[int]] = {}
        self._last: list[int] = []  # those of the matter that was told last
        self._last_turn = -1
        self._last_happened = False
        self._parts: dict[int, tuple[str, ...]] = {}  # what else the turn of a finding names
        self._last_resolved: list[int] = []

    def mention(self, entry: Entry, mention: Mention, facts: Sequence[Fact]) -> None:
        place = len(self._said)
        self._said.append(Said(entry.turn, mention))
        # Who has hypertension still has it when the headache is gone.
        lasting = not mention.features and (self._lasts(mention) or self._kind(mention.concept) in _CIRCUMSTANCES)
        if mention.kind == "finding" and mention.current and not lasting:
            happened = self._kind(mention.concept) in _HAPPENS
            if entry.turn != self._last_turn:
                too_long = entry.turn - self._last_turn > _RIGHT_AFTER
                if entry.other_matter or too_long or happened != self._last_happened:
                    self._last = []
                self._last_turn, self._last_happened = entry.turn, happened
            self._last.append(place)
            self._parts[place] = entry.parts
            self._reopen(mention.concept)
            self._standing.setdefault(mention.concept, []).append(place)
        for fact in facts:
            self.fact(entry, fact)

    def around(self, entry: Entry, mention: Mention) -> None:
        self._said.append(Said(entry.turn, mention))

    def called(self, sex: Sex | None, stage: Stage | None) -> None:
        self._sex = sex or self._sex
        if stage and self._stage != "infant":
            self._stage = stage

    def value(self, entry: Entry, quantity: Quantity, told: float) -> None:
        before = self._values.get(quantity)
        # Of two children spoken of in one turn the younger one counts.
        if quantity == "age_months" and self.person == "child" and before and before[1] == entry.turn and not entry.slip:
            told = min(told, before[0])
        self._values[quantity] = told, entry.turn

    def fact(self, entry: Entry, fact: Fact) -> None:
        if fact.sex or fact.stage:
            told = self.slots.get("sex")
            # Of children, siblings and others there may be two.
            if (
                told
                and fact.sex
                and fact.sex != self._sex
                and not entry.slip
                and self.person not in ("child", "sibling", "other")
            ):
                self._conflicts.append(("sex", told.turn or 0, entry.turn))
            self._sex = fact.sex or self._sex
            self._stage = fact.stage or self._stage
            if fact.slot == "sex" and fact.sex is None:
                return
        if fact.complaint and not self._last and fact.slot not in self.slots:
            return
        before = self.slots.get(fact.slot, UNKNOWN)
        self.slots[fact.slot] = after = self._joined(entry, before, fact)
        if after.number is not None and after.turn == entry.turn and fact.slot in _QUANTITY and fact.number is not None:
            self.value(entry, _QUANTITY[fact.slot], fact.number)

    def _joined(self, entry: Entry, before: Slot, fact: Fact) -> Slot:
        """The slot after a fact."""
        new = Slot(fact.known, fact.what, fact.number, fact.low, fact.high, entry.turn)
        if fact.known == "unknown":
            return before if before.known != "unknown" else Slot(turn=entry.turn, unsure=True)
        if before.known == "unknown" or (entry.slip and before.turn != entry.turn and not fact.rest):
            return new
        if fact.rest:
            return before
        earlier = before.turn != entry.turn
        if before.known != fact.known:
            if earlier:
                self._conflicts.append((fact.slot, before.turn or 0, entry.turn))
            return before if fact.slot in _RESTRICTS and before.known == "yes" else new
        if earlier and fact.slot in _LASTING and _differ(before, new):
            self._conflicts.append((fact.slot, before.turn or 0, entry.turn))
        return self._newer(before, new, fact.slot)

    def _newer(self, before: Slot, new: Slot, slot: SlotName) -> Slot:
        """Of two that say yes (or no) both: what adds up adds up, else the later one counts."""
        if slot in _RESTRICTS:
            what = tuple(dict.fromkeys([*before.what, *new.what]))
            number = before.number if new.number is None else new.number
            return replace(new, what=what, number=number, low=new.low or before.low, high=new.high or before.high)
        exact = before.number is not None and new.number is None and not _differ(before, new)
        two_children = slot == "age" and self.person == "child" and before.turn == new.turn and before.number and new.number
        if exact or (two_children and (before.number or 0) < (new.number or 0)):
            return before
        return replace(new, what=before.what) if slot in ("severity", "cough") and not new.what else new

    def resolve(self, entry: Entry, what: Resolution) -> None:
        if what.how == "again":
            for concept in what.of.broader if what.of else ():
                self._reopen(concept)
            if what.of is None:
                self._stand_again(self._last_resolved)
            return
        told_last = self._last if entry.turn - self._last_turn <= _RIGHT_AFTER else []
        if what.of is not None:
            # 不痛了 ends the pain that was told last, 胸不痛了 every pain of the chest.
            concept = what.of.concept
            places = [*self._standing.get(concept, ()), *(p for p in told_last if concept in self._said[p].mention.broader)]
        else:
            named = [p for found in self._standing.values() for p in found if self._is_of(p, what.parts)] if what.parts else []
            places = named or told_last
        done = [p for p in dict.fromkeys(places) if self._said[p].turn < entry.turn and self._said[p].resolved_by is None]
        if what.how != "seen":  # a fall, a swallowed battery, a wish to die: that it was is not over
            done = [p for p in done if self._kind(self._said[p].mention.concept) not in _HAPPENS]
        if not done:
            return
        for place in done:
            one = self._said[place]
            self._said[place] = replace(one, resolved_by=entry.turn, resolved=what.how)
            for concept in one.mention.broader if what.how != "mistaken" else ():
                self._resolved.setdefault(concept, []).append(place)
        gone = set(done)
        self._last_resolved, self._last = done, [p for p in self._last if p not in gone]
        for concept in {self._said[p].mention.concept for p in done}:
            self._standing[concept] = [p for p in self._standing[concept] if p not in gone]

    def _is_of(self, place: int, parts: tuple[str, ...]) -> bool:
        """Whether a finding is of one of these parts of the body: its name begins so, or its turn names the part."""
        return self._said[place].mention.concept.startswith(parts) or bool(set(parts) & set(self._parts[place]))

    def _reopen(self, concept: str) -> None:
        """What was resolved of this concept, or of a narrower one, stands again."""
        self._stand_again(self._resolved.pop(concept, ()))

    def _stand_again(self, places: Sequence[int]) -> None:
        for place in places[-_MOST_AGAIN:]:
            one = self._said[place]
            if one.resolved_by is not None:
                self._said[place] = replace(one, resolved_by=None, resolved="")
                self._standing.setdefault(one.mention.concept, []).append(place)

    def closed(self, named: bool, complaints: Callable[[Iterable[Said]], list[Said]]) -> Account:
        """The account as it stands, with what follows from it."""
        values = {quantity: told for quantity, (told, _) in self._values.items()}
        age = self.slots.get("age", UNKNOWN)
        stage = stage_of(values.get("age_months")) or _stage_between(age.low, age.high) or self._stage
        if stage == "child" and self._stage == "infant" and "age_months" not in values and age.known == "unknown":
            stage = "infant"
        if self._sex:
            self.slots["sex"] = replace(self.slots.get("sex", Slot("yes")), known="yes", what=(self._sex,))
        if (person := self.slots.get("person", UNKNOWN)).known == "yes":
            self.slots["person"] = replace(person, what=(self.person,))
        if told := complaints(self._said):
            what = tuple(dict.fromkeys(one.mention.concept for one in told))
            self.slots["complaint"] = Slot("yes", what, turn=told[-1].turn)
        months = values.get("age_months")
        impossible = (
            self._sex == "male"
            or stage in ("infant", "elderly")
            or (months is not None and not _TOO_YOUNG <= months < _TOO_OLD)
        )
        for slot in ("pregnancy", "lactation") if impossible else ():
            if self.slots.get(slot, UNKNOWN).known == "unknown":
                self.slots[slot] = Slot("no", turn=self.slots.get("sex" if self._sex == "male" else "age", UNKNOWN).turn)
        patient = Patient(self.person, tuple(self._said), values, self._sex, stage, dict(self.slots), named)
        return Account(patient, tuple(dict.fromkeys(self._conflicts)))


def _stage_between(low: float | None, high: float | None) -> Stage | None:
    """The stage of life where only bounds of the age are known, if they leave but one."""
    if low is None and high is None:
        return None
    stages = {stage_of(low or 0), stage_of(high - 0.1 if high is not None else 10_000)}
    return stages.pop() if len(stages) == 1 else "child" if high is not None and high <= 216 else None


def _differ(before: Slot, new: Slot) -> bool:
    """Whether two things told of a lasting slot can't both be true."""
    if new.number is not None and before.number is not None:
        return abs(new.number - before.number) > 0.1 * max(new.number, before.number)
    told = before.number if before.number is not None else new.number
    bounds = new if before.number is not None else before
    if told is None:
        return before.what != new.what
    return (bounds.low is not None and told < bounds.low) or (bounds.high is not None and told > bounds.high)
