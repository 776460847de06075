"""What a pharmacist said of single rows: approved or refused, by whom, when, of which content. A changed row is unsigned again.

A signature never makes a row say more: an approved row is as it was, a refused one gets tighter where that is possible.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, TypeVar, get_args

from pydantic import Field

from medasst.config import Config
from medasst.rulebook.medicines import (
    ComplaintRow,
    ContentRow,
    DoseRow,
    IngredientRow,
    InteractionRow,
    MindRow,
    PopulationRow,
)
from medasst.rulebook.rows import STRICTNESS, ClassRow, DrugRow, Row, StemRow
from medasst.rulebook.texts import FollowRow, WarningRow
from medasst.rulebook.vetted import VettedRow

R = TypeVar("R", bound=Row)
Key = tuple[str, str]  # the kind of a row, and its key among those

# The kinds of what decides something for a shopper: rows, as `[[kind]]` in the tables, and the products of the catalogue.
Kind = Literal[
    "rule",
    "look",
    "warning",
    "interaction",
    "population",
    "dose",
    "allergy",
    "complaint",
    "mind",
    "group",
    "ingredient",
    "content",
    "drug",
    "class",
    "stem",
    "vetted",
    "follow",
    "product",
]
PRODUCT: Kind = "product"
KINDS: tuple[Kind, ...] = tuple(kind for kind in get_args(Kind) if kind != PRODUCT)
# Who signed and what was opened are no content; examples are tried by programs and say nothing to a shopper.
_NO_CONTENT = {"approved_by", "approved_on", "checked", "must", "must_not"}


class Signature(Config):
    """One decision about one row.

    Attributes:
        table: the kind of the row; key: its key.
        content: the fingerprint of what was read; of any other content this says nothing.
        refused: whether the answer was no.
        checked: whether the row's document was opened and says so.
        note: why, in the pharmacist's words.
    """

    table: Kind
    key: str
    content: str = Field(min_length=1)
    approved_by: str = Field(min_length=1)
    approved_on: date
    refused: bool = False
    checked: bool = False
    note: str = ""


@dataclass(frozen=True)
class Ledger:
    """The signatures that a rulebook was loaded with.

    Attributes:
        settled: those whose row is in force as it was decided: approved, or refused and tightened. Grows as tables are read.
    """

    signatures: Mapping[Key, Signature] = field(default_factory=dict)
    settled: set[Key] = field(default_factory=set)

    @classmethod
    def of(cls, signatures: Iterable[Signature]) -> Ledger:
        """Of two about one row the later counts."""
        return cls({(one.table, one.key): one for one in signatures})

    def refused(self, table: str) -> frozenset[str]:
        """The keys of the rows of a kind that were refused."""
        return frozenset(key for (kind, key), one in self.signatures.items() if kind == table and one.refused)

    def over(self, table: str, rows: Mapping[str, R]) -> dict[str, R]:
        """The rows of a kind as the signatures leave them."""
        if table not in KINDS or not self.signatures:
            return dict(rows)
        kept: dict[str, R] = {}
        for name, row in rows.items():
            signed = self._signed(table, row, name)
            if signed is not None:
                kept[name] = signed
        return kept

    def _signed(self, table: str, row: R, name: str) -> R | None:
        place = table, row_key(row, name)
        signature = self.signatures.get(place)
        if signature is None or signature.content != fingerprint(row_content(row)):
            return row
        if signature.refused:
            tighter = tightened(row, signature.note or signature.approved_by)
            if tighter is not row:
                self.settled.add(place)
            return tighter
        self.settled.add(place)
        signed = {"approved_by": signature.approved_by, "approved_on": signature.approved_on}
        return row.model_copy(update={**signed, "checked": row.checked or signature.checked})


def tightened(row: R, reason: str) -> R | None:
    """What is in force of a row that a pharmacist refused: None where it is left out, the row itself where nothing is tighter.

    Args:
        reason: why, where a row tells one.
    """
    change: dict[str, Any] = {}
    if isinstance(row, ComplaintRow | MindRow | VettedRow | FollowRow):
        return None  # what to do about that complaint, what to mind with it, or what to answer, is unknown
    if isinstance(row, PopulationRow) and row.verdict == "allow":
        change = {"checked": False}  # gives no leave any more
    elif isinstance(row, InteractionRow) and row.severity != "forbid":
        change = {"again": None}  # unknown
    elif isinstance(row, DoseRow):
        change = {"again": None, "checked": False}  # unknown
    elif isinstance(row, IngredientRow):
        change = {"control": row.control or reason}  # not offered
    elif isinstance(row, ContentRow) or (
        isinstance(row, DrugRow | ClassRow | StemRow) and STRICTNESS.index(row.status) < STRICTNESS.index("rx")
    ):
        change = {"status": max(row.status or "rx", "rx", key=STRICTNESS.index)}  # on prescription
    return row.model_copy(update=change) if change else row


def row_key(row: Row, name: str) -> str:
    """By what a sheet names a row. `name`: its name in its table, which is only a number where the rows have no key."""
    if isinstance(row, StemRow):
        return f"{row.starting}…{row.ending}"
    if isinstance(row, WarningRow):
        return f"{'、'.join(row.drugs)} + {'、'.join(row.company)}"
    return name


def row_content(row: Row) -> dict[str, Any]:
    """What of a row a pharmacist answers for."""
    return row.model_dump(mode="json", by_alias=True, exclude=_NO_CONTENT, exclude_defaults=True)


def fingerprint(content: Mapping[str, Any]) -> str:
    """What tells a content from any other, short enough for a column."""
    return hashlib.sha256(json.dumps(content, ensure_ascii=False, sort_keys=True).encode()).hexdigest()[:16]
