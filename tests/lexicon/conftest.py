"""One rulebook and one reader for all tests of the lexicon: they are read-only, and take a second to build."""

from __future__ import annotations

import pytest

from medasst.lexicon import Lexicon
from medasst.rulebook import Rulebook


@pytest.fixture(scope="session")
def book() -> Rulebook:
    return Rulebook.load()


@pytest.fixture(scope="session")
def lexicon(book: Rulebook) -> Lexicon:
    return Lexicon(book)
