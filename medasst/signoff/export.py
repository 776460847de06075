"""A rulebook and a catalogue → the sheet."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from medasst.catalogue import Catalogue
from medasst.errors import ConfigError
from medasst.rulebook import Rulebook
from medasst.rulebook.signatures import Ledger
from medasst.signoff.sheet import lines, write

KINDS_OF_FILE = (".xlsx", ".csv")


def export(book: Rulebook, ledger: Ledger, catalogue: Catalogue | None, out: Path) -> Counter[str]:
    """Write all that decides something for a shopper as a sheet to be signed.

    Args:
        book: the rules as they stand in their tables, loaded without signatures.
        ledger: what was signed before; lines whose content is still that are filled in.
        catalogue: its offered products are lines, too; None: no products.
        out: a workbook (.xlsx) or a table in text (.csv).

    Returns:
        How many lines there are of each kind.

    Raises:
        ConfigError: `out` has another ending.
    """
    if out.suffix not in KINDS_OF_FILE:
        raise ConfigError(f"{out}: name a workbook or a CSV file: {' or '.join(KINDS_OF_FILE)}")
    found = list(lines(book, catalogue))
    write(found, ledger.signatures, out)
    return Counter(line.place[0] for line in found)
