"""text → mentions: words, spelling, ConText. No medicine and no rule lives here; the tables are the rulebook's."""

from medasst.lexicon.finder import Finder
from medasst.lexicon.read import Lexicon, Medicine, Named
from medasst.lexicon.reading import Mention, Reading, Someone, Told
from medasst.lexicon.script import plain

__all__ = ["Finder", "Lexicon", "Medicine", "Mention", "Named", "Reading", "Someone", "Told", "plain"]
