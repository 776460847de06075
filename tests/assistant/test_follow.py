"""What a dialogue goes on with: facts added, signs denied, questions about the complaint that was told."""

from __future__ import annotations

import pytest
from sample_shop import ASSISTANT as SHOP

from medasst.assistant.events import plain_text
from medasst.conversation import Conversation, Message

UNKNOWN = SHOP.rules.replies.unknown


def last(*turns: str) -> str:
    """The reply to the last of these user turns."""
    said: list[Message] = []
    for turn in turns:
        said.append(Message("user", turn))
        draft = SHOP.draft(Conversation.of(said))
        said.append(Message("assistant", plain_text([*draft.body, *draft.tail])))
    return said[-1].content


def hands_off(reply: str) -> bool:
    return any(form in reply for form in UNKNOWN)


@pytest.mark.parametrize(
    ("turns", "says"),
    [
        (("脚气好几年了，趾缝痒脱皮，我40岁", "会传染给我媳妇吗"), "毛巾"),
        (("湿疹犯了，胳膊痒，我30岁", "这个传染不"), "不传染"),
        (("感冒流鼻涕，我30岁，没别的病", "不会是肺炎吧"), "医生"),
        (("牙疼，我30岁，没别的病", "严重吗"), "医院"),
        (("孩子晚上屁股痒，长了蛔虫，5岁", "我们大人要一起吃吗"), "同住"),
        (("手烫了一下，红了没起泡，我30岁", "能沾水吗"), "泡水"),
    ],
)
def test_what_is_asked_about_a_complaint_that_was_told_is_answered(turns: tuple[str, ...], says: str) -> None:
    reply = last(*turns)
    assert says in reply and not hands_off(reply)


def test_a_question_about_a_complaint_without_one_has_no_answer_of_this_kind() -> None:
    assert hands_off(last("这个会传染吗"))


def test_denied_signs_are_taken_in_beside_what_still_fits() -> None:
    reply = last("胃胀，打嗝，我45岁，没别的病", "没有黑便")
    assert "黑便" in reply and "【商品】" not in reply


@pytest.mark.parametrize("turn", ["现在没啥不舒服", "就是有点累，别的都还好", "刚刚，半小时前"])
def test_what_is_only_told_gets_no_hand_off(turn: str) -> None:
    assert not hands_off(last("感冒灵颗粒和泰诺能一起吃么", turn))


def test_who_caught_it_has_what_was_complained_of_for_somebody_else() -> None:
    reply = last("孩子流鼻涕打喷嚏，三岁", "那我自己也被传染了，我在喂奶能吃啥")
    assert not hands_off(reply) and ("鼻" in reply or "喂奶" in reply)


def test_a_warning_that_comes_true_is_said_in_other_words() -> None:
    then = last("吃了头孢三天了，能喝酒吗", "昨晚喝了一点啤酒")
    assert "7天内不要喝酒" not in then and "急诊" in then


def test_who_only_tells_that_she_is_pregnant_goes_on_with_what_she_complained_of() -> None:
    told = last("拉肚子，一天五六次，水样", "我自己，没过敏没别的病", "对了我怀孕20周了", "那我怎么办")
    assert "叶酸" not in told


def test_which_makes_nobody_sleepy_is_said_of_what_was_shown() -> None:
    reply = last("我起风团了，痒，没别的病，没在吃药，不过敏", "那有没有不犯困的")
    assert "氯雷他定片" in reply and "犯困" in reply and "左西替利嗪" not in reply


def test_what_to_do_if_a_fever_comes_is_told_before_it_does() -> None:
    reply = last("嗓子疼两天了，27岁，没别的病", "要是明天烧起来了呢")
    assert "38.5度" in reply and "医院" in reply
