"""Red flags: the examples beside each rule, and ordinary questions that must raise none."""

from __future__ import annotations

import pytest

from medasst.safety import RedFlags

FLAGS = RedFlags.load()
POSITIVE = [(flag.id, text) for flag in FLAGS.flags for text in flag.positive]
NEGATIVE = [(flag.id, text) for flag in FLAGS.flags for text in flag.negative]

ORDINARY = (
    "布洛芬一天吃几次",
    "感冒流鼻涕打喷嚏吃什么药",
    "脚气反复发作怎么办",
    "孩子两岁，有点咳嗽",
    "便秘三天了，开塞露怎么用",
    "大姨妈肚子疼",
    "胃胀，吃完饭不消化",
    "嗓子疼两天了",
    "过敏性鼻炎，早上一直打喷嚏",
    "怀孕了能吃叶酸吗",
    "哺乳期感冒了怎么办",
    "蒙脱石散饭前吃还是饭后吃",
    "口腔溃疡疼，有什么药",
    "眼睛干涩，天天看电脑",
    "被蚊子咬了好痒",
    "湿疹抹什么药膏",
    "崴了脚有点肿，贴什么膏药",
    "维生素C一天吃几片",
    "老人补钙用哪个好",
    "小孩不爱吃饭，是不是缺锌",
    "紧急避孕药副作用大吗",
    "痔疮犯了，有点痒",
    "手脚干裂，用什么软膏",
    "口服补液盐怎么冲",
    "阿莫西林多少钱一盒",
    "高血压的人能吃感冒药吗",
    "糖尿病人能喝板蓝根吗",
    "发烧38度，要吃退烧药吗",
    "牙疼，明天才能看医生",
    "失眠，睡不着",
    "嘴角烂了涂什么",
    "皮肤干，冬天总痒",
    "运动后肌肉酸痛",
    "夏天中暑了喝藿香正气",
    "发票怎么开",
    "什么时候发货",
    "我对青霉素过敏，能吃什么感冒药",
    "痰多咳不出来",
    "霉菌性阴道炎用什么栓",
    "伤口擦破皮怎么消毒",
)


def test_enough_rules_each_with_source_and_version() -> None:
    assert len(FLAGS.flags) >= 18
    assert len({flag.id for flag in FLAGS.flags}) == len(FLAGS.flags)
    assert all(flag.source and flag.version for flag in FLAGS.flags)
    for flag in FLAGS.flags:
        wanted = ("120", "110", "医院", "急诊", "门诊", "皮肤科")
        assert any(word in flag.message for word in wanted), flag.id
        assert flag.severity != "emergency" or "120" in flag.message or "急诊" in flag.message, flag.id


@pytest.mark.parametrize(("flag", "text"), POSITIVE)
def test_raises(flag: str, text: str) -> None:
    assert flag in [alarm.flag.id for alarm in FLAGS.check(text)]


@pytest.mark.parametrize(("flag", "text"), NEGATIVE)
def test_stays_silent(flag: str, text: str) -> None:
    assert flag not in [alarm.flag.id for alarm in FLAGS.check(text)]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_questions_raise_nothing(text: str) -> None:
    assert FLAGS.check(text) == []


def test_parts_may_lie_in_earlier_turns_but_one_must_be_new() -> None:
    assert [a.flag.id for a in FLAGS.check("发烧38度5", ["我家宝宝两个月了"])] == ["infant_fever"]
    assert FLAGS.check("谢谢", ["我家宝宝两个月了，发烧"]) == []


def test_emergencies_come_first() -> None:
    alarms = FLAGS.check("大便带血，突然晕倒了")
    assert [a.flag.severity for a in alarms] == ["emergency", "urgent"]


def test_self_harm_names_the_hotline() -> None:
    (alarm,) = FLAGS.check("我不想活了")
    assert "12356" in alarm.flag.message and "120" in alarm.flag.message
