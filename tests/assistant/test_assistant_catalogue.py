"""Another shop's catalogue behind the assistant: what isn't told or isn't offered asks the pharmacist."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medasst.assistant import Assistant, Card
from medasst.catalogue.catalogue import SAMPLES
from medasst.conversation import Conversation

ROWS = {row["name"]: row for row in map(json.loads, SAMPLES.read_text("utf-8").splitlines())}


def draft(shop: Assistant, *turns: str) -> tuple[list, str]:
    """The events of a reply without a model, and what is read of it."""
    told = shop.draft(Conversation.of([("user", turn) for turn in turns]))
    events = [*told.body, *told.tail]
    return events, "".join(event.as_text() for event in events)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Assistant:
    """Ibuprofen of which the shop tells only for whom it isn't, paracetamol without a leaflet, and something nobody knows."""
    ibuprofen, paracetamol = dict(ROWS["布洛芬缓释胶囊"]), dict(ROWS["对乙酰氨基酚片"])
    ibuprofen["leaflet"] = {"contraindications": ibuprofen["leaflet"]["contraindications"]}
    del paracetamol["leaflet"]
    unknown = {**ROWS["蒙脱石散"], "sku": "X-1", "name": "晨露止泻灵", "aliases": [], "ingredients": ["晨露素"]}
    path: Path = tmp_path_factory.mktemp("shop") / "products.jsonl"
    rows = [ibuprofen, paracetamol, unknown]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return Assistant.from_samples(products=path)


def test_without_a_leaflet_nothing_is_offered_for_a_complaint(shop: Assistant) -> None:
    events, _ = draft(shop, "我35岁，头疼，吃什么药")
    assert events and not [event for event in events if isinstance(event, Card)]


def test_a_section_that_is_not_told_is_said_to_be_missing(shop: Assistant) -> None:
    for question in ("对乙酰氨基酚片怎么保存", "对乙酰氨基酚片孕妇能吃吗", "对乙酰氨基酚片老人能用吗"):
        events, said = draft(shop, question)
        assert "药师" in said or "药盒" in said, (question, said)
        assert not [event for event in events if isinstance(event, Card)], question


def test_what_nobody_knows_is_never_offered(shop: Assistant) -> None:
    for question in ("拉肚子吃什么药", "晨露止泻灵怎么吃", "来一盒晨露止泻灵"):
        events, said = draft(shop, question)
        assert not [event for event in events if isinstance(event, Card)] and "晨露素" not in said, question
