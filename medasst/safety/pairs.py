"""Two medicines together: the same substance twice, what doesn't go together, and what nobody knows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from medasst.formulary import Contents, Formulary, Interaction
from medasst.lexicon import Lexicon
from medasst.lexicon.amounts import Dose, leaflet_day
from medasst.lexicon.read import MEDICINE
from medasst.safety.finding import Severity, Told
from medasst.safety.grounds import Circumstance, Ground, Writer, why
from medasst.safety.leaflet import Leaflet, LeafletReader

ALCOHOL = "酒"
_NO_LEAFLET: Leaflet = {}
_WAY, _OUTSIDE = "/", "/外用"  # how ingredients.toml tells the ways in of a substance apart; none: by mouth
_OF_SEVERITY: dict[str, Severity] = {"forbid": "forbid", "avoid": "ask", "caution": "caution"}


class Intake(NamedTuple):
    """A medicine as somebody takes it, or would: what of it was told, and its leaflet, where there is one."""

    contents: Contents
    dose: Dose = Dose()
    leaflet: Leaflet = _NO_LEAFLET

    def day(self, substance: str) -> tuple[float, bool] | None:
        """The most mg of a substance in a day, and whether it may not be more; by what was told, else by the leaflet."""
        per_piece = self.contents.amounts.get(substance)
        dose = self.dose if len(self.contents.substances) == 1 else self.dose._replace(mg=None)
        if (told := dose.day(per_piece)) is not None:
            return told
        dosage = self.leaflet.get("dosage")
        most = leaflet_day(dosage.text, per_piece) if dosage is not None else None
        return None if most is None else (most, True)


class Company(NamedTuple):
    """All that is taken or asked about together, and of what age and weight the person is, where that is known."""

    intakes: Sequence[Intake]
    months: float | None = None
    kg: float | None = None


class Pairs:
    """Holds medicines against one another by one rulebook."""

    def __init__(self, lexicon: Lexicon, formulary: Formulary, leaflets: LeafletReader, writer: Writer) -> None:
        self._lexicon, self._formulary, self._leaflets, self._writer = lexicon, formulary, leaflets, writer

    def grounds(self, mine: Intake, its: Intake, told: Told, company: Company) -> Iterator[Ground]:
        """What speaks against taking `its` together with `mine`.

        Args:
            told: who said that the other is taken, or asked about.
            company: both of them and whatever else is taken, over which the day's sum goes.
        """
        one, other, leaflet = mine.contents, its.contents, mine.leaflet
        lead = self._writer.lead("drug", other.name) if told.slot == "drugs" else ""
        of = Circumstance("interaction", (told,), lead, other.name, other.name)
        known = [*self._duplicates(one, other, of, leaflet, company), *self._same_class(one, other, of)]
        known += self.interactions(one, self._formulary.interactions(one, other), of)
        says = self._leaflets.medicine(leaflet, self._called(other, told.what))
        if says is not None:
            known.append(self._writer.said(of, says, one))
        yield from known
        unknown = of._replace(kind="unknown")
        if not all(medicine.resolved or medicine.may_be for medicine in (one, other)):
            text = "taken_unknown" if one.resolved and told.slot == "drugs" else "together_unknown"
            yield self._writer.own(unknown, "ask", text, one)
        elif not (one.resolved and other.resolved) and not known:
            yield self._writer.own(unknown, "caution", "class_unknown" if told.slot == "drugs" else "class_together", one)

    def interactions(self, one: Contents, rows: Iterable[Interaction], of: Circumstance) -> Iterator[Ground]:
        """The rows that speak against it; one that two hands saw differently is unknown."""
        for row, first, _, sure in rows:
            if not row.agreed:
                sentence = of.lead + self._writer.texts.together_unknown.format(product=one.name, other=of.other)
                yield Ground(of._replace(kind="unknown"), "ask", sentence, why(row, of.told))
            elif row.severity == "none":
                continue
            elif sure:
                sentence = self._sentence(of, one, first, row.sentence + row.advice)
                yield Ground(of, _OF_SEVERITY[row.severity], sentence, why(row, of.told))
            else:
                which = self._writer.texts.which.format(what=of.other if one.substances else one.name)
                yield Ground(of, "ask", self._sentence(of, one, first, row.sentence) + which, why(row, of.told))

    def _sentence(self, of: Circumstance, one: Contents, name: str, text: str) -> str:
        """Where the sentence doesn't begin with what is taken, it names both."""
        if of.lead:
            return self._writer.about(of.lead, one, name, text)
        return self._writer.texts.both.format(product=one.name, other=of.other, text=text)

    def _same_class(self, one: Contents, other: Contents, of: Circumstance) -> Iterator[Ground]:
        for group in self._formulary.same_class(one, other):
            text = self._writer.texts.same_class.format(product=one.name, other=of.other, group=group.name, text=group.twice)
            yield Ground(of._replace(kind="duplicate", about=f"{other.name} {group.name}"), "ask", text, why(group, of.told))

    def _duplicates(
        self, one: Contents, other: Contents, of: Circumstance, leaflet: Leaflet, company: Company
    ) -> Iterator[Ground]:
        ways = {mine.substance: mine.name for mine in one.substances}
        for its in other.substances:
            if its.substance not in ways:
                continue
            twice = of._replace(kind="duplicate", about=f"{other.name} {its.substance}")
            if ways[its.substance] != its.name:
                outside = [name.endswith(_OUTSIDE) for name in (ways[its.substance], its.name)]
                inside = [_WAY not in name for name in (ways[its.substance], its.name)]
                text = "duplicate_ways" if any(outside) and any(inside) else "duplicate_routes"
                yield self._writer.own(twice, "ask", text, one, substance=its.substance)
                continue
            found = self._writer.own(twice, "forbid", "duplicate", one, substance=its.substance)
            yield found._replace(sentence=found.sentence + self._amount(one, its.name, leaflet, company))
        if not other.substances and other.may_be & one.names:
            yield self._writer.own(of._replace(kind="duplicate"), "ask", "class_alike", one)

    def _amount(self, one: Contents, substance: str, leaflet: Leaflet, company: Company) -> str:
        """What may be told of how much of a substance it comes to in a day: that it is too much, the limit, what isn't known.

        That a sum stays below a limit which nobody checked is never told.
        """
        texts = self._writer.texts
        parts = [each for each in company.intakes if any(part.name == substance for part in each.contents.substances)]
        days = [each.day(substance) for each in parts]
        untold = "、".join(dict.fromkeys(each.contents.name for each, day in zip(parts, days, strict=True) if day is None))
        total, most = sum(day[0] for day in days if day), self._formulary.most_a_day(substance, company.months, company.kg)
        if most is not None and total > most:
            whole = all(day is not None and day[1] for day in days)
            said = {"substance": substance, "amount": _weight(total), "limit": _weight(most)}
            if whole:
                return texts.sum.format(count=len(parts), **said)
            return texts.sum_at_least.format(**said) + (texts.sum_untold.format(untold=untold) if untold else "")
        limit = self._limit(one, substance, leaflet)
        if untold:
            return limit + texts.sum_unknown.format(untold=untold, substance=substance)
        return limit or texts.no_limit.format(substance=substance)

    def _limit(self, one: Contents, substance: str, leaflet: Leaflet) -> str:
        """How much of a substance a day at most: by checked rows, else by the product's leaflet; empty where nobody says."""
        texts = self._writer.texts
        most = [
            row.first.daily_mg
            for row in self._formulary.doses(substance)
            if row.checked and row.first == row.again and row.first.daily_mg is not None and row.below_months is None
        ]
        if most:
            return texts.limit.format(substance=substance, amount=_weight(min(most)))
        if len(one.substances) == 1 and (text := self._leaflets.limit(leaflet)):
            return texts.leaflet_limit.format(product=one.name, text=text + "。")
        return ""

    def _called(self, medicine: Contents, concept: str) -> frozenset[str]:
        """By what a leaflet may call it: its name, its class, what it is made of, and groups of that."""
        classes = self._lexicon.broader(concept) - {MEDICINE}
        return frozenset({medicine.name}) | classes | medicine.names | {one.substance for one in medicine.substances}


def _weight(mg: float) -> str:
    return f"{mg / 1000:.3g}克" if mg >= 1000 else f"{mg:.3g}毫克"
