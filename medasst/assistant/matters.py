"""Which matters of the shop a turn asks about, and which small talk it is: by the table `matters.toml`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from medasst.lexicon import Lexicon, Reading
from medasst.lexicon.script import wording
from medasst.rulebook import MatterRow, Rulebook

_NAME = "〇"  # stands for a medicine's name
_NO_LETTER = re.compile(r"[\W_]+")


class _Compiled(NamedTuple):
    row: MatterRow
    asks: re.Pattern[str]
    unless: re.Pattern[str] | None


class Matters:
    """The matters of a rulebook, compiled once."""

    def __init__(self, book: Rulebook) -> None:
        self.rows, self._places = book.matters.rows, book.matters.places
        self._compiled = [_Compiled(row, _any(row.asks), _any(row.unless) if row.unless else None) for row in book.matters]

    def find(self, reading: Reading) -> list[str]:
        """The ids of the matters that a turn asks about, in its order; of one and a broader one, the narrower."""
        text = reading.plain
        for mention in reading.drugs():
            text = text.replace(wording(mention.words), _NAME)
        letters = _NO_LETTER.sub("", text)
        medical = bool(reading.drugs()) or any(mention.current for mention in reading.findings())
        found: dict[str, int] = {}
        for row, asks, unless in self._compiled:
            if row.alone and medical:
                continue
            match = asks.fullmatch(letters) if row.whole else asks.search(text)
            if match and not (unless and unless.search(text)):
                found[row.id] = match.start()
        hidden = {broader for matter in found for broader in self.rows[matter].over}
        return sorted((matter for matter in found if matter not in hidden), key=lambda matter: found[matter])

    def failures(self, lexicon: Lexicon) -> Iterator[str]:
        """The examples that don't come out, each with its file and line."""
        for row in self.rows.values():
            for meant, examples in ((True, row.must), (False, row.must_not)):
                for example in examples:
                    if (row.id in self.find(lexicon.read(example))) is not meant:
                        yield f"{self._places[row.id]}: matter {row.id}: {example!r} must {'' if meant else 'not '}be it"


def _any(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.VERBOSE)
