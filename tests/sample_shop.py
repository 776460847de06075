"""The sample shop with its rules, loaded once for all tests that change nothing of it: loading takes seconds."""

from __future__ import annotations

from medasst.assistant import Assistant

ASSISTANT = Assistant.from_samples()
CATALOGUE = ASSISTANT.catalogue
RULES = ASSISTANT.rules
LEXICON = RULES.lexicon
BOOK = RULES.book
