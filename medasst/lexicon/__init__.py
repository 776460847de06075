"""text → mentions: words, spelling, ConText. No medicine and no rule lives here; the tables are the rulebook's."""

from medasst.lexicon.read import Lexicon
from medasst.lexicon.reading import Mention, Reading, Someone, Told

__all__ = ["Lexicon", "Mention", "Reading", "Someone", "Told"]
