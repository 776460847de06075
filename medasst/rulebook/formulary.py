"""The formulary's tables as one object, and whether their rows name what is there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from medasst.errors import ConfigError
from medasst.rulebook.medicines import (
    AllergyRow,
    ComplaintRow,
    ContentRow,
    DoseRow,
    GroupRow,
    IngredientRow,
    InteractionRow,
    MindRow,
    PopulationRow,
)
from medasst.rulebook.tables import Place, Source, Table

INGESTED = frozenset({"酒", "西柚", "茶", "咖啡", "牛奶", "高钾食物", "富含维生素K的蔬菜", "吸烟"})


@dataclass(frozen=True)
class Medicines:
    """What is true of medicines, as the tables have it; `medasst.formulary` answers questions from it."""

    groups: Table[GroupRow]
    ingredients: Table[IngredientRow]
    contents: Table[ContentRow]
    interactions: Table[InteractionRow]
    populations: Table[PopulationRow]
    doses: Table[DoseRow]
    allergies: Table[AllergyRow]
    complaints: Table[ComplaintRow]
    minds: Table[MindRow]

    @classmethod
    def read(cls, source: Source) -> Medicines:
        """The tables of a folder and its overlay. Raises ConfigError where a row names what no table has."""
        kinds = ("", "_tcm", "_rx")
        medicines = cls(
            groups=source.table(GroupRow, "group", "name", ["groups.toml"]),
            ingredients=source.table(IngredientRow, "ingredient", "name", [f"ingredients{kind}.toml" for kind in kinds]),
            contents=source.table(ContentRow, "content", "name", [f"contents{kind}.toml" for kind in kinds]),
            interactions=source.table(InteractionRow, "interaction", "id", ["interactions.toml"]),
            populations=source.table(PopulationRow, "population", "id", ["populations.toml"]),
            doses=source.table(DoseRow, "dose", "id", ["doses.toml"]),
            allergies=source.table(AllergyRow, "allergy", "id", ["allergies.toml"]),
            complaints=source.table(ComplaintRow, "complaint", "name", ["complaints.toml"]),
            minds=source.table(MindRow, "mind", "id", ["minds.toml"]),
        )
        for place, name in medicines._unknown():
            raise ConfigError(f"{place}: there is no ingredient or group {name!r}; see ingredients.toml and groups.toml")
        return medicines

    def _unknown(self) -> Iterator[tuple[Place, str]]:
        """Names that rows refer to and no table has, with where."""
        groups, either = self.groups.rows.keys(), self.groups.rows.keys() | self.ingredients.rows.keys()

        def missing(place: Place, names: Iterable[str], known: Collection[str] = either) -> Iterator[tuple[Place, str]]:
            return ((place, name) for name in names if name not in known)

        for name, group in self.groups.rows.items():
            yield from missing(self.groups.places[name], group.is_a, groups)
        for name, ingredient in self.ingredients.rows.items():
            yield from missing(self.ingredients.places[name], ingredient.groups, groups)
        for name, content in self.contents.rows.items():
            yield from missing(self.contents.places[name], (*content.ingredients, *content.amounts), self.ingredients.rows)
        for name, pair in self.interactions.rows.items():
            yield from missing(self.interactions.places[name], (*pair.first, *pair.second), either | INGESTED)
        for name, population in self.populations.rows.items():
            yield from missing(self.populations.places[name], population.of)
        for name, dose in self.doses.rows.items():
            yield from missing(self.doses.places[name], [dose.ingredient], self.ingredients.rows)
        for name, allergy in self.allergies.rows.items():
            yield from missing(self.allergies.places[name], allergy.to)
        for name, complaint in self.complaints.rows.items():
            yield from missing(self.complaints.places[name], (one for choice in complaint.choices for one in choice.any_of))
