"""Questions to the formulary's tables. What they don't know is told as unknown, never as harmless."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import product
from typing import NamedTuple, TypeVar

from medasst.formulary.contents import Contents, Resolver, Substance
from medasst.rulebook import (
    INGESTED,
    AllergyRow,
    ComplaintRow,
    DoseRow,
    GroupRow,
    InteractionRow,
    MindRow,
    PopulationRow,
    Row,
    Rulebook,
)
from medasst.rulebook.signatures import PRODUCT

R = TypeVar("R", bound=Row)
_GROWN_UP = 216  # months


class Interaction(NamedTuple):
    """A row that two medicines, or a medicine and what is eaten or drunk, fall under.

    Attributes:
        one, other: by which of their substances or groups.
        sure: not only because one of them may belong to a group.
    """

    row: InteractionRow
    one: str
    other: str
    sure: bool


class Formulary:
    """What the tables of one rulebook know of medicines.

    Attributes:
        withheld: the SKUs of products that a pharmacist refused.
    """

    def __init__(self, book: Rulebook) -> None:
        self._resolver = Resolver(book)
        self.contents, self.made_of = self._resolver.contents, self._resolver.made_of
        self.withheld = book.ledger.refused(PRODUCT)
        tables = book.medicines
        self._pairs: dict[frozenset[str], list[InteractionRow]] = defaultdict(list)
        for row in tables.interactions:
            for first, second in product(row.first, row.second):
                self._pairs[frozenset((first, second))].append(row)
        self._populations = _by(tables.populations, lambda row: row.of)
        self._twice = {group.name: group for group in tables.groups if group.twice}
        self._doses = _by(tables.doses, lambda row: (row.ingredient,))
        self._allergies = _by(tables.allergies, lambda row: row.allergens)
        self._offering = [row for row in tables.complaints if len(row.choices) > 1]
        self._minds = tuple(tables.minds)
        self._complaints = {name: row for row in reversed(tuple(tables.complaints)) for name in (*row.also, row.name)}

    def interactions(self, one: Contents, other: Contents) -> list[Interaction]:
        """What speaks against taking both, the sure ones first, each row once. None found is no clearance: see `unknown`."""
        found: dict[str, Interaction] = {}
        for sure, left, right in (
            (True, one.names, other.names),
            (False, one.names | one.may_be, other.names | other.may_be),
        ):
            for a, b in product(sorted(left), sorted(right)):
                for row in self._pairs.get(frozenset((a, b)), ()):
                    found.setdefault(row.id, Interaction(row, a, b, sure))
        return list(found.values())

    def with_food(self, one: Contents, food: str) -> list[Interaction]:
        """What speaks against a medicine with what is eaten or drunk, one of `INGESTED`."""
        assert food in INGESTED
        return self.interactions(one, Contents(food, (Substance(food, food, frozenset()),)))

    def same_class(self, one: Contents, other: Contents) -> list[GroupRow]:
        """The groups of which both hold a substance, not the same one, and of which two together are a danger."""
        left, right = _by_group(one), _by_group(other)
        return [group for name, group in self._twice.items() if (a := left.get(name)) and (b := right.get(name)) and not a & b]

    def populations(self, one: Contents) -> Iterator[tuple[str, PopulationRow]]:
        """The rows about those who take it, each with the substance or group that it is about."""
        return ((name, row) for name in sorted(one.names) for row in self._populations.get(name, ()))

    def doses(self, substance: str, months: float | None = None) -> list[DoseRow]:
        """The rows about how much of a substance, for an age where it is given."""
        rows = self._doses.get(substance, [])
        if months is None:
            return rows
        return [row for row in rows if row.from_months <= months and (row.below_months is None or months < row.below_months)]

    def most_a_day(self, substance: str, months: float | None = None, kg: float | None = None) -> float | None:
        """The least mg in a day that either hand wrote as the most; None: no row says. Good for saying what is too much only.

        Args:
            months: the person's age; None: grown up.
            kg: the weight, by which a row may bound it lower.
        """
        age = _GROWN_UP if months is None else months
        amounts = [amount for row in self.doses(substance, age) for amount in (row.first, row.again) if amount]
        by_weight = [amount.daily_mg_per_kg * kg for amount in amounts if kg is not None and amount.daily_mg_per_kg]
        return min([amount.daily_mg for amount in amounts if amount.daily_mg] + by_weight, default=None)

    def allergies(self, allergen: str) -> list[AllergyRow]:
        """The rows of an allergen as the shopper names it; by the longest name that stands in it (青霉素类药物).

        A name of one character (鱼) stands only for itself and at the end of another word (海鱼), not in 鱼腥草.
        """
        inside = [name for name in self._allergies if (allergen.endswith(name) if len(name) == 1 else name in allergen)]
        return self._allergies[max(inside, key=len)] if inside else []

    def reasons(self, medicines: Sequence[Contents], complaints: Collection[str] = ()) -> list[str]:
        """Why one takes each of several medicines, by the row of one complaint that may be treated with any of them.

        Args:
            complaints: names of rows that count before others.

        Returns:
            A phrase for each; the same for those that one of the complaints may be treated with alike; empty where no row
            speaks of all of them.
        """
        alike: list[str] = []
        for row in sorted(self._offering, key=lambda row: row.name not in complaints):
            found = [reason for medicine in medicines if (reason := _reason(row, medicine))]
            if len(found) == len(medicines) and len(set(found)) == len(found):
                return found
            if len(found) == len(medicines) and row.name in complaints:
                alike = alike or found
        return alike

    def minds(self, complaints: Collection[str], told: Collection[str]) -> list[MindRow]:
        """What somebody must mind with complaints, in the order of the table.

        Args:
            complaints: names of rows of complaints.
            told: what is known of the person, by every name that the rows may use.
        """
        return [
            row
            for row in self._minds
            if not (row.complaints and set(complaints).isdisjoint(row.complaints)) and not set(told).isdisjoint(row.told)
        ]

    def complaint(self, finding: str, broader: Collection[str] = ()) -> ComplaintRow | None:
        """What a counter does about a finding: the row of its own name, else that of the broader one that tells most.

        Args:
            broader: the broader names of the finding, its own may be among them.
        """
        if (own := self._complaints.get(finding)) is not None:
            return own
        listed = sorted((name for name in broader if name in self._complaints), key=lambda name: (-len(name), name))
        return self._complaints[listed[0]] if listed else None


def _reason(row: ComplaintRow, medicine: Contents) -> str:
    """Why one takes a medicine for a complaint, by the first choice that is it; "" where none is."""
    return next((choice.reason for choice in row.choices if not medicine.names.isdisjoint(choice.any_of)), "")


def _by_group(one: Contents) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for part in one.substances:
        for group in part.groups:
            found[group].add(part.substance)
    return found


def _by(rows: Iterable[R], keys: Callable[[R], Iterable[str]]) -> dict[str, list[R]]:
    found: dict[str, list[R]] = defaultdict(list)
    for row in rows:
        for key in keys(row):
            found[key].append(row)
    return dict(found)
