"""What a check of a medicine against a person finds, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from medasst.rulebook import SlotName

Kind = Literal[
    "contraindication",
    "interaction",
    "duplicate",
    "allergy",
    "pregnancy",
    "lactation",
    "age",
    "weight",
    "kidney",
    "liver",
    "driving",
    "alcohol",
    "unknown",
]
Severity = Literal["caution", "ask", "forbid"]
RANK: tuple[Severity, ...] = ("caution", "ask", "forbid")


@dataclass(frozen=True, slots=True)
class Told:
    """What of a person, or of the medicines asked about, a finding rests on.

    Attributes:
        slot: the slot that holds it; "said" for a mention of a finding, "asked" for a medicine that is asked about.
        what: in standard terms. words: as it was said, where a mention tells it.
        turn: the user turn (from 0) that told it; None where no conversation did.
    """

    slot: SlotName | Literal["said", "asked"]
    what: str = ""
    words: str = ""
    turn: int | None = None


@dataclass(frozen=True, slots=True)
class Why:
    """A ground of a finding.

    Attributes:
        rule: the id of a row of the formulary's tables; `leaflet.…` and the section; or a rule of the checks themselves.
        version: of the row, or of the checks' table; a leaflet has none.
        source: the document and its section.
        checked: whether somebody opened that document.
        because: what was told.
    """

    rule: str
    version: str
    source: str
    checked: bool
    because: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class PersonFinding:
    """Why a medicine is not simply for this person.

    Attributes:
        medicine: the medicine's name; `other`: the medicine that it doesn't go with.
        severity: forbid: not to be taken; ask: not before a pharmacist or doctor said so, or before more is known; caution: it
            may be taken with what the sentence says.
        sentence: for the shopper.
        why: the grounds, that of the sentence first.
    """

    kind: Kind
    severity: Severity
    medicine: str
    sentence: str
    why: tuple[Why, ...]
    other: str = ""

    @property
    def stops(self) -> bool:
        """Whether the medicine isn't offered to this person."""
        return self.severity != "caution"

    @property
    def rule(self) -> str:
        """The rule that the sentence comes from."""
        return self.why[0].rule

    @property
    def version(self) -> str:
        """The version of that rule."""
        return self.why[0].version

    def to_json(self) -> dict[str, Any]:
        """Its fields."""
        return asdict(self)


def milder(one: Severity, other: Severity) -> Severity:
    """The milder of two severities."""
    return min(one, other, key=RANK.index)


def by_severity(findings: Sequence[PersonFinding]) -> tuple[PersonFinding, ...]:
    """The strictest first; among equals in their order."""
    return tuple(sorted(findings, key=lambda finding: -RANK.index(finding.severity)))
