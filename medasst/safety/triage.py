"""How urgent it is: rules over what a person has, at four levels. The rules are tables of the rulebook."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from medasst.dialogue import DialogueState, Patient, Said, of_turns
from medasst.errors import ConfigError
from medasst.lexicon import Lexicon
from medasst.lexicon.read import MEDICINE
from medasst.rulebook import URGENCY, Rulebook, TriageRow
from medasst.safety.alarm import Alarm
from medasst.safety.conditions import Condition, parse
from medasst.safety.second_look import SecondLook

_SHOWN = 5  # of the examples that don't come out, so many are named


@dataclass(frozen=True, slots=True)
class _Compiled:
    row: TriageRow
    when: tuple[Condition, ...]
    unless: tuple[Condition, ...]


class Triage:
    """The triage rules of a rulebook, ready to run.

    Args:
        tried: whether every rule's examples are tried; None: those of a shop's own rulebook or overlay are.

    Raises:
        ConfigError: a condition can't be read, or names what no table has, or an example doesn't come out; names file and line.
    """

    def __init__(self, book: Rulebook, lexicon: Lexicon, *, tried: bool | None = None) -> None:
        self._book, self._lexicon, self._second_look = book, lexicon, SecondLook(book)
        concepts, features = _concepts(book), {row.name for row in book.features}

        def compiled(row: TriageRow, conditions: Sequence[str]) -> tuple[Condition, ...]:
            try:
                return tuple(parse(text, concepts, features, lexicon.broader) for text in conditions)
            except ValueError as error:
                raise ConfigError(f"{book.triage.places[row.id]}: rule {row.id}: {error}") from None

        self._rules = [_Compiled(row, compiled(row, row.when), compiled(row, row.unless)) for row in book.triage]
        self._rules.sort(key=lambda rule: -URGENCY.index(rule.row.level))
        self._always: set[int] = set()
        self._by_concept: dict[str, set[int]] = {}
        for number, rule in enumerate(self._rules):
            for condition in rule.when:
                if not condition.needs:
                    self._always.add(number)
                for concept in min(condition.needs, key=len, default=()):
                    self._by_concept.setdefault(concept, set()).add(number)
        wanted = not book.own if tried is None else tried
        if wanted and (failed := list(islice(self.failures(), _SHOWN))):
            raise ConfigError("\n".join(failed))

    def alarms(self, told: DialogueState) -> list[Alarm]:
        """What the rules have, and what a second look at the last turn adds; the most urgent first."""
        alarms = self.by_rules(told)
        more = self._second_look.alarm(told, alarms)
        return sorted([*alarms, *([more] if more else [])], key=lambda alarm: -URGENCY.index(alarm.level))

    def by_rules(self, told: DialogueState) -> list[Alarm]:
        """Every rule that holds, the most urgent first."""
        patients = [(patient, _told_of(patient)) for patient in told.patients]
        near = sorted((number, which) for which, (_, of) in enumerate(patients) for number in self._near(of))
        return [alarm for number, which in near if (alarm := _raised(self._rules[number], *patients[which]))]

    def _near(self, told: frozenset[str]) -> set[int]:
        """The numbers of the rules that may hold where this was told."""
        return self._always.union(*(self._by_concept[concept] for concept in told & self._by_concept.keys()))

    def failures(self, rules: Sequence[str] | None = None) -> Iterator[str]:
        """The examples of rules that don't come out as they should, each with its file and line.

        Args:
            rules: the ids of the rules to try; None: all.
        """
        for rule in self._rules:
            if rules is not None and rule.row.id not in rules:
                continue
            place = self._book.triage.places[rule.row.id]
            for text in rule.row.must:
                if not self._raises(rule, text):
                    yield f"{place}: rule {rule.row.id} must hold of {text!r}, and doesn't"
            for text in rule.row.must_not:
                if self._raises(rule, text):
                    yield f"{place}: rule {rule.row.id} must not hold of {text!r}, and does"

    def _raises(self, rule: _Compiled, text: str) -> bool:
        return any(_raised(rule, patient, _told_of(patient)) for patient in of_turns([text], self._lexicon).patients)


def _told_of(patient: Patient) -> frozenset[str]:
    """Every concept that was told of a person, with the broader ones."""
    return frozenset().union(*(said.mention.broader for said in patient.said))


def _raised(rule: _Compiled, patient: Patient, told: frozenset[str]) -> Alarm | None:
    for condition in rule.when:
        if not condition.may_hold(told):
            continue
        because = _because(condition, rule.row, patient)
        if because is not None:
            if any(exception.of(patient) is not None for exception in rule.unless):
                return None
            return Alarm(rule.row, patient.person, because)
    return None


def _because(condition: Condition, row: TriageRow, patient: Patient) -> tuple[Said, ...] | None:
    """Why a condition holds of mentions that stand, or of one that came after the others were resolved."""
    if row.never_resolved or patient.stage == "infant":
        return condition.of(patient)
    meant = [said for said in patient.said if said.resolved != "mistaken"]
    resolved = [said for said in meant if said.resolved == "seen" or (said.resolved and not row.seen_only)]
    stand = [said for said in meant if said not in resolved] if resolved else meant
    if (because := condition.of(patient, stand)) is not None or not resolved:
        return because
    because = condition.of(patient, meant)
    if because is None:
        return None
    since = max((said.resolved_by or 0 for said in because if said in resolved), default=0)
    return because if any(said.turn >= since for said in because if said not in resolved) else None


def _concepts(book: Rulebook) -> set[str]:
    """Every name that a condition may use."""
    compose = book.composition
    names = {part + sense for part in compose.parts for sense in compose.senses if compose.allows(part, sense)}
    names |= {*book.findings.rows, *book.drugs.rows, *book.classes.rows, *compose.senses, "过敏", MEDICINE}
    return (
        names | {broad for row in book.findings for broad in row.is_a} | {row.drug_class for row in (*book.drugs, *book.stems)}
    )
