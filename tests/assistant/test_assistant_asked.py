"""What a turn asks and of which products: every row of asks.toml by its own examples, and whole conversations."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sample_shop import BOOK

from medasst.assistant.asked import AskReader, without_names
from medasst.assistant.request import Request, read
from medasst.catalogue import Catalogue
from medasst.conversation import Conversation
from medasst.lexicon import Lexicon
from medasst.rulebook import AskRow
from medasst.safety import Rules

Reads = Callable[..., Request]


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue.from_samples(Lexicon(BOOK))


@pytest.fixture(scope="module")
def request_of(catalogue: Catalogue) -> Reads:
    rules = Rules(catalogue)

    def of(*turns: str) -> Request:
        """A conversation, the shopper's turns and ours in turn."""
        messages = [("user" if number % 2 == 0 else "assistant", turn) for number, turn in enumerate(turns)]
        return read(Conversation.of(messages), catalogue, rules)

    return of


@pytest.mark.parametrize("row", BOOK.asks.ask, ids=lambda row: row.id)
def test_rows_read_their_examples_and_nothing_else(row: AskRow, catalogue: Catalogue) -> None:
    reader, shelf = AskReader(BOOK), catalogue.over_the_counter

    def rows(turn: str) -> list[str]:
        reading = catalogue.lexicon.read(turn)
        return [asked.row for asked in reader.read(without_names(reading, shelf.named(turn), BOOK.classes.rows))]

    assert [turn for turn in row.examples if row.id not in rows(turn)] == []
    assert [turn for turn in row.others if row.id in rows(turn)] == []


ASKS = (
    (["多少钱一瓶，有货吗"], ["general", "general"]),
    (["布洛芬多少钱一盒，有货吗"], ["price", "stock"]),
    (["布洛芬怎么吃，能和钙片一起吃吗"], ["section", "section"]),
    (["嗓子疼"], ["treat"]),
    (["嗓子疼", "请问是谁用？", "成年，没有别的病"], ["treat"]),
    (["碘伏"], ["buy"]),
    (["发烧吃什么药", "可以看看布洛芬缓释胶囊。", "怎么吃"], ["section"]),
    (["发烧吃什么药", "可以看看布洛芬缓释胶囊。", "还有别的吗"], ["another"]),
)


@pytest.mark.parametrize(("turns", "kinds"), ASKS)
def test_asks_in_order(request_of: Reads, turns: list[str], kinds: list[str]) -> None:
    assert [asked.kind for asked in request_of(*turns).asks] == kinds


SHOWN = "可以看看布洛芬缓释胶囊，或者对乙酰氨基酚片。"
SUBJECTS = (
    (["布洛芬缓释胶囊怎么吃"], ["布洛芬缓释胶囊"]),
    (["头疼吃什么", SHOWN, "第二个多少钱"], ["对乙酰氨基酚片"]),
    (["头疼吃什么", SHOWN, "怎么吃"], ["布洛芬缓释胶囊", "对乙酰氨基酚片"]),
    (["头疼吃什么", SHOWN, "要那个便宜点的，怎么吃"], ["对乙酰氨基酚片"]),
    (["头疼吃什么", SHOWN, "胶囊的那个有货吗"], ["布洛芬缓释胶囊"]),
    (["头疼吃什么", SHOWN, "蒙脱石散多少钱"], ["蒙脱石散"]),
    (["我爸在吃氯雷他定，能吃布洛芬吗"], ["布洛芬缓释胶囊"]),
    (["氯雷他定吃了一个月了，有没有依赖"], ["氯雷他定片"]),
    (["布洛芬多少钱", "布洛芬缓释胶囊一盒18.5元。", "有货吗"], ["布洛芬缓释胶囊"]),
    (["蒙脱石散孕妇能吃吗", "请问怀孕多少周了？", "20周"], ["蒙脱石散"]),
    (["头疼吃什么"], []),
)


@pytest.mark.parametrize(("turns", "names"), SUBJECTS)
def test_products_that_are_meant(request_of: Reads, turns: list[str], names: list[str]) -> None:
    assert [product.name for product in request_of(*turns).subject] == names


def test_medicines_that_are_not_sold_here(request_of: Reads) -> None:
    assert [mention.words for mention in request_of("褪黑素有货吗").unnamed] == ["褪黑素"]
    assert not request_of("布洛芬有货吗").unnamed
    assert not request_of("阿奇霉素有货吗").unnamed  # a prescription drug: the gate's
    assert not request_of("我在吃褪黑素，布洛芬多少钱").unnamed
