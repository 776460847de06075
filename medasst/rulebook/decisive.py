"""The rows of a rulebook that decide something for a shopper: those that a pharmacist signs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from medasst.rulebook.book import Rulebook
from medasst.rulebook.rows import Row
from medasst.rulebook.signatures import KINDS, Key, fingerprint, row_content, row_key


class Decisive(NamedTuple):
    """One of them. `table`: its kind, `key`: by what a sheet names it among those."""

    table: str
    key: str
    row: Row

    @property
    def place(self) -> Key:
        """By what its signature is found."""
        return self.table, self.key

    @property
    def fingerprint(self) -> str:
        """Of its content."""
        return fingerprint(row_content(self.row))


def decisive(book: Rulebook) -> Iterator[Decisive]:
    """All of them, in the order of `KINDS`."""
    medicines = book.medicines
    tables: Mapping[str, Mapping[str, Row]] = {
        "rule": book.triage.rows,
        "look": book.looks.rows,
        "warning": {str(number): row for number, row in enumerate(book.gate.warning)},
        "interaction": medicines.interactions.rows,
        "population": medicines.populations.rows,
        "dose": medicines.doses.rows,
        "allergy": medicines.allergies.rows,
        "complaint": medicines.complaints.rows,
        "mind": medicines.minds.rows,
        "group": medicines.groups.rows,
        "ingredient": medicines.ingredients.rows,
        "content": medicines.contents.rows,
        "drug": book.drugs.rows,
        "class": book.classes.rows,
        "stem": book.stems.rows,
        "vetted": book.vetted,
        "follow": book.follow.rows,
    }
    assert tuple(tables) == KINDS
    return (Decisive(kind, row_key(row, name), row) for kind, rows in tables.items() for name, row in rows.items())
