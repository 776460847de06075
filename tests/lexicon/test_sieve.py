import re

import pytest

from medasst.lexicon.sieve import Sieve


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("(?:也|都)*没(?=发)", "也没发"),
        ("(?:a|b)?", "z"),
        ("[^x]y", "zy"),
        ("甲|乙丙", "乙丙"),
        ("(?<!没)有", "有"),
        ("[0-9]{1,2}天", "3天"),
        ("(?i:K)", "k"),
        ("(?:痛|(?:痒|[麻木])吗)了", "木吗了"),
        (r"\d+片|(?=\0)", "x\0"),
        ("没+?有", "没有"),
    ],
)
def test_what_matches_is_among_those_tried(pattern: str, text: str) -> None:
    assert re.search(pattern, text)
    assert [value for _, value in Sieve([(re.compile(pattern), 1)]).among(text)] == [1]


def test_what_lacks_a_character_is_left_out_and_the_order_stays() -> None:
    sieve = Sieve((re.compile(pattern), pattern) for pattern in ("(?:都)*没", "有|无", "(?:也)*[发出]过", "有"))
    assert [value for _, value in sieve.among("我有药")] == ["有|无", "有"]
    assert [value for _, value in sieve.among("出")] == []
