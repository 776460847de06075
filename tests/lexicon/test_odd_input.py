"""Any text at all can be read, in time that grows with its length, and what is found stands where it says."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_shop import LEXICON

from medasst.lexicon import Lexicon, Reading

PIECES = [
    "没",
    "不",
    "发烧",
    "咳嗽",
    "我妈",
    "吃了",
    "布洛芬",
    "，",
    "。",
    "？",
    " ",
    "\n",
    "39度",
    "三天",
    "fever",
    "tou teng",
    "\ud800",
    "😀",
    "㍘",
    "\0",
    "過敏",
    "疼",
]


def check(reading: Reading) -> None:
    for mention in reading.mentions:
        assert 0 <= mention.start < mention.end <= len(reading.text)
        assert mention.words == reading.text[mention.start : mention.end]
    for one in (*reading.values, *reading.persons, *reading.circumstances):
        assert 0 <= one.start < one.end <= len(reading.text)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=60))
def test_any_text(text: str) -> None:
    check(LEXICON.read(text))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
def test_any_mixture(text: str) -> None:
    check(LEXICON.read(text))


@pytest.mark.parametrize(
    "text", ["", " ", "\n\n", "😀😷🤒", "\x00\x01\x02", "\ud83d", "a\ud83db发烧", "発熱 فارسی ไข้ fever 發燒"]
)
def test_odd_text(text: str) -> None:
    check(LEXICON.read(text))


@pytest.mark.parametrize(
    "piece", ["我没发烧就是咳嗽吃了布洛芬三天", "疼", "没", "胸口", "我妈", "咳嗽、", "3天", "吞", "\n", "a", "1"]
)
def test_time_grows_with_length(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    LEXICON.read(text[:10_000])
    start = time.perf_counter()
    LEXICON.read(text[:10_000])
    short = time.perf_counter() - start
    start = time.perf_counter()
    check(LEXICON.read(text))
    assert time.perf_counter() - start < 40 * short + 1


def test_words_of_counting_inside_a_sensation_never_hide_which_it_is(lexicon: Lexicon) -> None:
    """起了个大泡, 有着个球: what stands between may also be the beginning of another wording."""
    compose = lexicon.book.composition
    light = [word for words in compose.senses.values() for word in words if word[0] in compose.light]
    for word in light:
        for between in ("", "了", "着个", "了一个", "着", "到", "了很多", "满"):
            lexicon.read(f"背{word[0]}{between}{word[1:]}")
    assert [mention.concept for mention in lexicon.read("手背起了个泡").mentions]
