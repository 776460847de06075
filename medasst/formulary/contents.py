"""What a name of a medicine stands for: its substances and the groups that they belong to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from medasst.rulebook import STRICTNESS, IngredientRow, Rulebook, Status


@dataclass(frozen=True, slots=True)
class Substance:
    """One of the substances that a medicine is made of.

    Attributes:
        name: as ingredients.toml has it (双氯芬酸/外用).
        substance: what it is by any way in (双氯芬酸).
        groups: its groups and all broader ones.
        control: why it isn't offered online, or empty.
        kind: what it is, as ingredients.toml has it; "substance" but for formulas of Chinese medicine, herbs and the like.
    """

    name: str
    substance: str
    groups: frozenset[str]
    control: str = ""
    kind: str = "substance"

    @property
    def names(self) -> frozenset[str]:
        """Every name by which a row may speak of it."""
        return self.groups | {self.name}


@dataclass(frozen=True, slots=True)
class Contents:
    """What a medicine is made of, as far as the tables know.

    Attributes:
        name: the medicine, as drugs.toml or the shop names it.
        substances: empty: unknown.
        may_be: groups that it may belong to, where only a class is told (降压药) or its substance stands in no table; a row
            about them is a reason to ask.
        status: how it is sold; None: unknown.
        amounts: mg of an ingredient (by `Substance.name`) in one tablet, sachet or the like, where that is known.
        unknown: those of its ingredients that no table has.
    """

    name: str
    substances: tuple[Substance, ...] = ()
    may_be: frozenset[str] = frozenset()
    status: Status | None = None
    amounts: Mapping[str, float] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()

    @property
    def resolved(self) -> bool:
        """Whether all that it is made of is known."""
        return bool(self.substances) and not self.unknown

    @property
    def names(self) -> frozenset[str]:
        """Every name by which a row may speak of it: substances, groups."""
        return frozenset().union(*(one.names for one in self.substances))

    @property
    def control(self) -> str:
        """Why it isn't offered online although it may be over the counter, or empty."""
        return next((one.control for one in self.substances if one.control), "")


class Resolver:
    """Names → contents, over one rulebook."""

    def __init__(self, book: Rulebook) -> None:
        self._tables, self._drugs, say = book.medicines, book.drugs, book.wordings
        self._acid, self._salt, self._form = (re.compile(one, re.VERBOSE) for one in (say.acid, say.salt, say.form))
        self._broader = _closure({group.name: group.is_a for group in self._tables.groups})
        self._substances = {row.name: self._substance(row) for row in self._tables.ingredients}
        self._aliases = {_folded(alias): row.name for row in book.drugs for alias in (row.name, *row.names)}
        self._aliases |= {_folded(name): name for name in (*self._tables.contents.rows, *self._substances)}
        self._inn = {row.inn: row.name for row in reversed(tuple(self._tables.ingredients)) if row.inn and "/" not in row.name}
        self._classes: dict[str, set[str]] = {}
        narrower = _inverted(self._broader)
        for group in self._tables.groups:
            for name in group.classes:
                self._classes.setdefault(name, set()).update(
                    {group.name}, narrower.get(group.name, ()), self._broader[group.name]
                )

    def contents(self, name: str) -> Contents:
        """Of a medicine by its name in drugs.toml, one of its other names, a substance with or without its salt, or a class.

        A name that no table has comes out with nothing in it, which means "ask the pharmacist".
        """
        known = self._known(name)
        if known is None:
            may_be = self._classes.get(name)
            return Contents(name, may_be=frozenset(may_be or ()), unknown=(name,))
        drug, content = self._drugs.rows.get(known), self._tables.contents.rows.get(known)
        sold = [status for status in (drug and drug.status, content and content.status) if status]
        status = max(sold, key=STRICTNESS.index) if sold else None
        if content is not None:
            made_of = tuple(self._substances[one] for one in content.ingredients)
            return Contents(known, made_of, status=status, amounts=content.amounts)
        if (own := self._substances.get(known)) is not None:
            return Contents(known, (own,), status=status)
        may_be = self._classes.get(drug.drug_class) if drug is not None else None
        return Contents(known, may_be=frozenset(may_be or ()), status=status, unknown=(known,))

    def made_of(self, name: str, ingredients: Iterable[str]) -> Contents:
        """Of a product by what its maker lists; an ingredient that no table has stands in `unknown`."""
        parts = [(one, self.contents(one)) for one in ingredients]
        substances = {own.name: own for _, part in parts for own in part.substances}
        return Contents(name, tuple(substances.values()), unknown=tuple(one for one, part in parts if not part.resolved))

    def broader(self, group: str) -> frozenset[str]:
        """The broader groups of a group."""
        return self._broader.get(group, frozenset())

    def _known(self, name: str) -> str | None:
        """The name that a table has for this one."""
        for way in self._ways(name):
            if (known := self._aliases.get(_folded(way))) is not None:
                return known
            if (known := self._inn.get(way.lower())) is not None:
                return known
        return None

    def _ways(self, name: str) -> Iterable[str]:
        """A name and what is left of it without brackets, form, acid and salt, the most telling first."""
        bare = re.sub(r"[(（].*?[)）]", "", name.strip())
        plain = self._form.sub("", bare)
        without = self._acid.sub("", plain)
        ways = (name, bare, plain, without, self._salt.sub("", plain), self._salt.sub("", without))
        return dict.fromkeys(way for way in ways if len(way) > 1)

    def _substance(self, row: IngredientRow) -> Substance:
        groups = {broader for group in row.groups for broader in (group, *self._broader[group])}
        return Substance(row.name, row.substance or row.name.split("/")[0], frozenset(groups), row.control, row.kind)


def _folded(name: str) -> str:
    return re.sub(r"[\s·]", "", name).lower()


def _closure(above: Mapping[str, Iterable[str]]) -> dict[str, frozenset[str]]:
    """Everything above each name."""

    def all_above(name: str, seen: frozenset[str]) -> frozenset[str]:
        return seen.union(*(all_above(one, seen | {one}) for one in above[name] if one not in seen))

    return {name: all_above(name, frozenset()) for name in above}


def _inverted(above: Mapping[str, Iterable[str]]) -> dict[str, set[str]]:
    below: dict[str, set[str]] = {}
    for name, broader in above.items():
        for one in broader:
            below.setdefault(one, set()).add(name)
    return below
