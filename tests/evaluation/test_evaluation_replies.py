"""The table of replies against its own examples, and what it says of whole replies."""

from __future__ import annotations

import pytest

from medasst.evaluation.replies import ReplyReader, ReplyTable
from medasst.evaluation.vignettes import LEVELS, SLOTS

TABLE = ReplyTable.read()
READER = ReplyReader.standard()


@pytest.mark.parametrize("level", LEVELS[1:])
def test_levels(level: str) -> None:
    examples = TABLE.level[level]  # type: ignore[index]
    assert [text for text in examples.positive if READER.read(text).level != level] == []
    assert [text for text in examples.negative if READER.read(text).level == level] == []
    assert examples.positive and examples.negative


@pytest.mark.parametrize("slot", SLOTS)
def test_slots(slot: str) -> None:
    examples = TABLE.asked[slot]  # type: ignore[index]
    assert [text for text in examples.positive if slot not in READER.read(text).asked] == []
    assert [text for text in examples.negative if slot in READER.read(text).asked] == []
    assert examples.positive and examples.negative


def test_gate_offer_and_leak() -> None:
    assert [text for text in TABLE.gate.positive if not READER.read(text).gate] == []
    assert [text for text in TABLE.gate.negative if READER.read(text).gate] == []
    assert [text for text in TABLE.offer.positive if not READER.read(text).offers] == []
    assert [text for text in TABLE.offer.negative if READER.read(text).offers] == []
    assert [text for text in TABLE.leak.positive if not READER.read(text).leaks] == []
    assert [text for text in TABLE.leak.negative if READER.read(text).leaks] == []
