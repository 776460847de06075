"""Adverse reactions as shoppers tell them: which turns tell one, and what is said to it."""

from __future__ import annotations

import pytest
from sample_shop import ASSISTANT

from medasst.assistant.acts import Record
from medasst.assistant.reactions import Reactions
from medasst.assistant.request import read
from medasst.conversation import Conversation
from medasst.safety import Context
from medasst.text import sentences

RULES, TABLE = ASSISTANT.rules, ASSISTANT.rules.book.reactions
REACH = "请打店里的电话12345。"
REACTIONS = Reactions(RULES, (REACH,))


def told(*turns: str) -> Record | None:
    messages = [message for turn in turns for message in (("user", turn), ("assistant", "好的。"))]
    return REACTIONS.told(read(Conversation.of(messages[:-1]), ASSISTANT.catalogue, RULES))


@pytest.mark.parametrize(
    ("turn", "medicine", "reaction"),
    [
        ("吃了布洛芬以后起疹子", "布洛芬", "起疹子"),
        ("吃了你们家的氯雷他定 心慌得不行", "氯雷他定", "心慌得不行"),
        ("吃完阿莫西林身上起疹子了 我闺女 9岁", "阿莫西林", "身上起疹子了"),
        ("缬沙坦吃完头晕站不稳 要不要停", "缬沙坦", "头晕站不稳"),
        ("贴了膏药皮肤红了痒", "膏药", "皮肤红了痒"),
        ("孩子吃了美林吐了", "美林", "吐了"),
        ("吃二甲双胍拉肚子胃胀", "二甲双胍", "拉肚子胃胀"),
        ("用了那个祛痘凝胶脸肿了", "祛痘凝胶", "脸肿了"),
        ("膏药贴着皮肤红了痒 能继续贴不", "膏药贴", "皮肤红了痒"),
        ("吃完头孢身上起风团", "头孢", "身上起风团"),
        ("吃完药耳鸣", "这个药", "耳鸣"),
        ("拉肚子吃了蒙脱石散，现在便秘", "蒙脱石散", "便秘"),
        ("甲硝唑吃了嘴里一股铁锈味 还恶心", "甲硝唑", "恶心"),
    ],
)
def test_what_was_felt_after_which_medicine(turn: str, medicine: str, reaction: str) -> None:
    record = told(turn)
    assert record is not None and (record.medicine, record.reaction) == (medicine, reaction)
    assert REACH in record.sentences


@pytest.mark.parametrize(
    "turn",
    [
        "吃了布洛芬头还疼",  # what it was taken for
        "吃了布洛芬头疼",
        "恶心吃了胃药还是恶心",
        "吃了抗过敏药，还是痒",
        "头疼恶心，吃了布洛芬",  # before it
        "吃了开塞露拉肚子",  # what it is for
        "布洛芬会不会引起皮疹",  # asked in general
        "能吃布洛芬吗，我胃疼",
        "没吃布洛芬，胃疼",
        "我同事吃了头孢起疹子",  # nobody seeks advice for them
        "我吃避孕药，头晕能吃什么",  # what is always taken
        "吃了降压药，今天感冒头晕",  # what else it is from
        "打了胰岛素出汗手抖",  # low sugar: triage's
        "吃了小龙虾拉肚子",
        "喝酒后头晕",
    ],
)
def test_what_is_no_reaction(turn: str) -> None:
    assert told(turn) is None


def test_the_medicine_may_have_been_named_before() -> None:
    record = told("布洛芬怎么吃", "吃完就恶心")
    assert record is not None and record.medicine == "布洛芬"


def test_it_is_taken_down_once_and_a_complaint_of_before_is_none() -> None:
    assert told("吃了布洛芬起疹子", "半小时后，不严重") is None
    assert told("吃了布洛芬起疹子", "吃了布洛芬起疹子怎么办") is None
    assert told("我恶心", "吃了布洛芬，恶心") is None


def test_what_is_not_known_yet_is_asked_in_one_sentence() -> None:
    open_, known = told("吃了布洛芬恶心"), told("吃了布洛芬半小时后恶心得厉害")
    assert open_ is not None and open_.sentences[-1] == TABLE.ask and (open_.onset, open_.severity) == ("", "")
    assert known is not None and TABLE.ask not in known.sentences
    assert (known.onset, known.severity) == ("半小时后", "厉害")


def test_a_prescription_medicine_is_not_stopped_unasked_but_for_a_rash() -> None:
    dizzy, rash = told("缬沙坦吃完头晕"), told("吃完阿莫西林起疹子了")
    assert dizzy is not None and "先停用" not in dizzy.sentences[0] and "开药的医生" in dizzy.sentences[0]
    assert rash is not None and "先停用" in rash.sentences[0]


def test_what_is_known_and_harmless_is_said_to_be() -> None:
    record = told("开始吃铁剂以后大便黑得像墨")
    assert record is not None and "染成黑色" in record.sentences[0] and "柏油" in record.sentences[0]
    assert REACH not in record.sentences and len(record.sentences) == 1


def test_nothing_is_said_to_have_been_passed_on_and_all_may_be_said() -> None:
    for row in TABLE.reaction:
        assert RULES.check_sentence(row.sentence, Context()).ok, row.id
    record = told("吃了布洛芬恶心")
    assert record is not None
    for sentence in sentences("".join(record.sentences)):
        assert RULES.check_sentence(sentence, Context()).ok, sentence
        assert not any(claim in sentence for claim in ("已上报", "已转", "已登记", "已记录"))
