"""Alarms over several turns: what ends one, what doesn't, what raises it again."""

from __future__ import annotations

import pytest
from sample_shop import BOOK, LEXICON

from medasst.dialogue import of_turns
from medasst.safety.triage import Triage

TRIAGE = Triage(BOOK, LEXICON)


def level(*turns: str) -> str:
    alarms = TRIAGE.alarms(of_turns(turns, LEXICON))
    return alarms[0].level if alarms else "self"


SEEN = "去过医院了，心电图抽血都做了，医生说没事"


@pytest.mark.parametrize("complaint", ["刚刚胸口一阵闷痛，出冷汗", "刚才胸口疼得厉害，出冷汗", "我妈突然胸口疼，左胳膊也疼"])
def test_a_doctor_ends_it_and_a_new_sign_raises_it_again(complaint: str) -> None:
    assert level(complaint) == "emergency"
    assert level(complaint, SEEN) == level(complaint, SEEN, "那我自己脚气用什么药") == "self"
    assert level(complaint, SEEN, "刚才胸口又疼了，还出冷汗") == "emergency"


def test_the_doctor_s_word_counts_beside_that_it_is_gone() -> None:
    stroke, seen = "突然右手没劲拿不住杯子", "没事了，医院查了CT和核磁，医生说是颈椎压迫神经，不是中风"
    assert [level(stroke), level(stroke, seen), level(stroke, seen, "今天又这样，而且嘴也歪了")] == [
        "emergency",
        "self",
        "emergency",
    ]


def test_another_s_alarm_stays() -> None:
    assert level("我妈突然胸口疼，出冷汗", "给我也来盒含片") == "emergency"


@pytest.mark.parametrize(
    ("complaint", "after"),
    [
        ("昨晚突然说不出话右手没劲", "十分钟就好了，现在完全正常"),  # a stroke that passed is one
        ("今晚我想把安眠药都吃了，不想活了", "没事了，开玩笑的"),
        ("孩子把纽扣电池吞了", "现在没事了"),
        ("宝宝两个月大，发烧38.5", "去过医院了，医生说没事"),
    ],
)
def test_what_does_not_end_by_saying_so(complaint: str, after: str) -> None:
    assert level(complaint) == level(complaint, after) == "emergency"
