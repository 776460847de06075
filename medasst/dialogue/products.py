"""Products in our own replies, and which of them a turn speaks of."""

from __future__ import annotations

from collections.abc import Iterable

from medasst.lexicon.finder import Finder
from medasst.lexicon.script import plain


class ProductNames:
    """A catalogue's product names, ready to be found in a text; build it once for a catalogue.

    Args:
        names: the names as replies write them.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._finder = Finder({plain(name).text: name for name in names})

    def find(self, text: str) -> list[str]:
        """The names in a text, each once, in order."""
        return list(dict.fromkeys(hit.value for hit in self._finder.find(plain(text).text)))
