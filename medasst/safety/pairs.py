"""Two medicines together: the same substance twice, what doesn't go together, and what nobody knows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from medasst.formulary import Contents, Formulary, Interaction
from medasst.lexicon import Lexicon
from medasst.lexicon.read import MEDICINE
from medasst.safety.finding import Severity, Told
from medasst.safety.grounds import Circumstance, Ground, Writer, why
from medasst.safety.leaflet import Leaflet, LeafletReader

ALCOHOL = "酒"
_WAY, _OUTSIDE = "/", "/外用"  # how ingredients.toml tells the ways in of a substance apart; none: by mouth
_OF_SEVERITY: dict[str, Severity] = {"forbid": "forbid", "avoid": "ask", "caution": "caution"}


class Pairs:
    """Holds medicines against one another by one rulebook."""

    def __init__(self, lexicon: Lexicon, formulary: Formulary, leaflets: LeafletReader, writer: Writer) -> None:
        self._lexicon, self._formulary, self._leaflets, self._writer = lexicon, formulary, leaflets, writer

    def grounds(self, one: Contents, other: Contents, told: Told, leaflet: Leaflet) -> Iterator[Ground]:
        """What speaks against taking `other` together with `one`.

        Args:
            told: who said that the other is taken, or asked about.
            leaflet: that of the first.
        """
        lead = self._writer.lead("drug", other.name) if told.slot == "drugs" else ""
        of = Circumstance("interaction", (told,), lead, other.name, other.name)
        known = [*self._duplicates(one, other, of, leaflet)]
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

    def _duplicates(self, one: Contents, other: Contents, of: Circumstance, leaflet: Leaflet) -> Iterator[Ground]:
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
            yield found._replace(sentence=found.sentence + self._limit(one, its.name, leaflet))
        if not other.substances and other.may_be & one.names:
            yield self._writer.own(of._replace(kind="duplicate"), "ask", "class_alike", one)

    def _limit(self, one: Contents, substance: str, leaflet: Leaflet) -> str:
        """How much of a substance a day at most: by checked rows, else by the product's leaflet; else nobody says."""
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
        return texts.no_limit.format(substance=substance)

    def _called(self, medicine: Contents, concept: str) -> frozenset[str]:
        """By what a leaflet may call it: its name, its class, what it is made of, and groups of that."""
        classes = self._lexicon.broader(concept) - {MEDICINE}
        return frozenset({medicine.name}) | classes | medicine.names | {one.substance for one in medicine.substances}


def _weight(mg: float) -> str:
    return f"{mg / 1000:g}克" if mg >= 1000 else f"{mg:g}毫克"
