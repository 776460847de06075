"""From the grounds that speak against a medicine to findings: the words of each, and one finding a circumstance."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from medasst.formulary import Contents
from medasst.rulebook import AllergyRow, GroupRow, InteractionRow, PopulationRow
from medasst.rulebook.texts import CheckTexts
from medasst.safety.finding import RANK, Kind, PersonFinding, Severity, Told, Why, by_severity, milder
from medasst.safety.leaflet import Says


class Circumstance(NamedTuple):
    """What of a person (or of a second medicine) speaks against a medicine.

    Attributes:
        lead: how the sentence begins; `about`: tells circumstances of one kind apart; `other`: the second medicine's name.
    """

    kind: Kind
    told: tuple[Told, ...]
    lead: str = ""
    about: str = ""
    other: str = ""


class Ground(NamedTuple):
    """One thing that speaks against a medicine in a circumstance."""

    of: Circumstance
    severity: Severity
    sentence: str
    why: Why


class Writer:
    """Writes grounds with the sentences of one rulebook."""

    def __init__(self, texts: CheckTexts) -> None:
        self.texts = texts

    def lead(self, name: str, what: str = "") -> str:
        """How a sentence begins that speaks of what was told."""
        return self.texts.told[name].format(what=what)

    def row(
        self, of: Circumstance, severity: Severity, medicine: Contents, name: str, row: PopulationRow | AllergyRow
    ) -> Ground:
        """A row's ground. `name`: the substance or group of the medicine that the row is about."""
        return Ground(of, severity, self.about(of.lead, medicine, name, row.sentence), why(row, of.told))

    def about(self, lead: str, medicine: Contents, name: str, text: str) -> str:
        """A row's sentence, with the substance that it is about where the medicine's name doesn't tell it."""
        part = next((one for one in medicine.substances if name in one.names), None)
        hidden = part is not None and part.substance not in medicine.name
        product = f"{medicine.name}（含{part.substance}）" if part is not None and hidden else medicine.name
        return self.texts.row.format(told=lead, product=product, text=text)

    def said(self, of: Circumstance, says: Says, medicine: Contents) -> Ground:
        """What the leaflet says; where it isn't sure that it means this person, it can only make us ask."""
        assert says.verdict != "allow"
        section = says.section
        severity = says.verdict if says.sure else milder(says.verdict, "ask")
        source = f"{section.document}·{section.section}"
        text = says.text.rstrip("；;") + ("。" if says.text.endswith(("；", ";")) else "")
        sentence = self.texts.leaflet.format(told=of.lead, product=medicine.name, text=text)
        return Ground(of, severity, sentence, Why(f"leaflet.{says.key}", "", source, section.checked, of.told))

    def own(self, of: Circumstance, severity: Severity, text: str, medicine: Contents, **fields: str) -> Ground:
        """A ground that is no row's. `text`: the name of its sentence, and of its rule."""
        template: str = getattr(self.texts, text)
        sentence = template.format(product=medicine.name, other=of.other, told=of.lead, **fields)
        return Ground(of, severity, sentence, Why(f"check.{text}", self.texts.version, "", False, of.told))


def why(row: InteractionRow | PopulationRow | AllergyRow | GroupRow, told: tuple[Told, ...]) -> Why:
    """A row as a ground."""
    rule = row.name if isinstance(row, GroupRow) else row.id
    return Why(rule, row.version, row.source, row.checked, told)


def drawn_together(medicine: str, grounds: Iterable[Ground]) -> tuple[PersonFinding, ...]:
    """One finding for each circumstance: the strictest ground's sentence, and every ground as its why."""
    of: dict[tuple[str, str], list[Ground]] = {}
    for ground in grounds:
        of.setdefault((ground.of.kind, ground.of.about), []).append(ground)
    found: list[PersonFinding] = []
    for same in of.values():
        same.sort(key=lambda ground: -RANK.index(ground.severity))
        first = same[0]
        whys = tuple(dict.fromkeys(ground.why for ground in same))
        found.append(PersonFinding(first.of.kind, first.severity, medicine, first.sentence, whys, first.of.other))
    # Where two are not to be taken together, or are alike, that nobody knows more of them adds nothing.
    settled = {one.other for one in found if one.other and (one.severity == "forbid" or one.kind == "duplicate")}
    return by_severity([one for one in found if one.kind != "unknown" or one.other not in settled])
