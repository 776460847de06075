"""The second look adds what sounds dangerous, never takes a level away, and says by which words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sample_shop import BOOK, LEXICON

from medasst.dialogue import DialogueState, of_turns
from medasst.rulebook import LookRow, Table, Weights
from medasst.safety import Alarm, Triage
from medasst.safety.second_look import SecondLook, heard, pieces, score

ROW = LookRow(id="look", level="emergency", name="听起来危险", message="请马上拨打120。", threshold=1.0, weights="w")
WEIGHTS = Weights(bias=-1.0, pieces={"面条": 4.0, "扶": 2.0, "好": -9.0})
LOOK = SecondLook(
    replace(
        BOOK, looks=Table({"look": ROW}, {}), weights={"w": Weights(bias=-1.0, pieces={"面条": 4.0, "扶": 2.0, "好": -9.0})}
    )
)


def told(*turns: str) -> DialogueState:
    return of_turns(turns, LEXICON)


def test_the_score_is_the_formula_of_its_docstring() -> None:
    weights = Weights(bias=0.5, pieces={"甲": 1.0, "甲乙": 2.0, "丙": -4.0})
    assert pieces("甲乙") == {"甲", "乙", "甲乙"}
    assert score("甲乙", weights).value == pytest.approx(0.5 + 3 / 2**0.5)
    assert score("丁", weights).value == 0.5
    assert score("甲乙", weights).pieces == ("甲乙",)


def test_a_turn_that_sounds_like_it_raises_the_level_and_says_why() -> None:
    alarm = LOOK.alarm(told("软得跟面条似的扶都扶不起来"), [])
    assert alarm is not None and (alarm.level, alarm.turn, alarm.words) == ("emergency", 0, "面条")
    assert LOOK.alarm(told("好好的面条扶了一下"), []) is None


def test_it_is_silent_where_a_rule_speaks_and_where_it_is_over() -> None:
    turn = "软得跟面条似的扶都扶不起来"
    assert LOOK.alarm(told(turn), [Alarm(ROW, "self", told=0)]) is None
    assert LOOK.alarm(told(turn, "多少钱一盒"), []) is not None  # a question about the price doesn't end it
    assert LOOK.alarm(told(turn, "刚去医院看过了，医生说没事，已经好了"), []) is None
    assert LOOK.alarm(told(turn, "买药", "多少钱", "发什么快递"), []) is None  # three turns later


@pytest.mark.parametrize("text", ["没有胸痛", "去年心梗过", "同事中风了"])
def test_what_is_not_there_is_not_heard(text: str) -> None:
    assert not {"胸痛", "心梗", "中风"} & pieces(heard(LEXICON.read(text)))


@pytest.mark.parametrize("text", ["", "😀😀", "\ud800", "a" * 5000, "，。！", "1234567890" * 500])
def test_any_text_is_looked_at(text: str) -> None:
    LOOK.alarm(told(text), [])


def test_the_shipped_weights_know_the_rules_own_emergencies() -> None:
    """A file of weights that was emptied, or fitted on something else, doesn't."""
    triage = Triage(BOOK, LEXICON)
    weights = {row.level: (BOOK.weights[row.weights], row.threshold) for row in BOOK.looks}
    for level, (own, threshold) in weights.items():
        texts = [text for rule in BOOK.triage if rule.level == level for text in rule.must]
        values = [score(heard(LEXICON.read(text)), own).value for text in texts]
        assert sum(value >= threshold for value in values) > 0.3 * len(values)
    quiet = ["布洛芬缓释胶囊多少钱一盒", "维生素C有没有货", "怎么上传处方", "头皮屑多用什么洗发水", "快递几天到"]
    assert not [text for text in quiet if triage.alarms(told(text))]
