"""Today and within days: own examples beyond those of the rules, and pairs near each rule's bounds."""

from __future__ import annotations

from pathlib import Path

import pytest
from sample_shop import BOOK, LEXICON

from medasst.dialogue import of_turns
from medasst.rulebook import URGENCY, Level
from medasst.safety.triage import Triage

TRIAGE = Triage(BOOK, LEXICON)
OWN: tuple[Level, ...] = ("today", "days")


def level(*turns: str) -> Level:
    """The most urgent level of the rules of `today.toml` and `days.toml`."""
    found = [alarm.level for alarm in TRIAGE.alarms(of_turns(turns, LEXICON)) if alarm.level in OWN]
    return max(found, key=URGENCY.index, default="self")


def rules(*turns: str) -> set[str]:
    return {alarm.rule.id for alarm in TRIAGE.alarms(of_turns(turns, LEXICON))}


def test_every_example_of_the_rules_comes_out() -> None:
    assert not list(TRIAGE.failures([row.id for row in BOOK.triage if row.level in OWN]))


def test_rules_carry_what_a_shopper_and_a_reviewer_need() -> None:
    for row in BOOK.triage:
        if row.level in OWN:
            assert row.source, row.id
            assert 1 <= row.message.count("。") <= 2, row.id
            assert not row.checked or row.source, row.id


@pytest.mark.parametrize(
    ("below", "above", "rule"),
    [
        ("孩子6岁烧到39.9度", "孩子6岁烧到40度", "high_fever_or_long_fever"),
        ("发烧两天了", "发烧三天了", "high_fever_or_long_fever"),
        ("宝宝四个月烧到38.9度", "宝宝四个月烧到39度", "infant_fever_3_to_6_months"),
        ("宝宝六个月烧到39度", "宝宝五个半月烧到39度", "infant_fever_3_to_6_months"),
        ("血压179/100", "血压180/100", "blood_pressure_180"),
        ("血压170/109", "血压170/110", "blood_pressure_180"),
        ("血压139/85", "血压140/85", "blood_pressure_raised"),
        ("餐后血糖16.6", "餐后血糖16.7", "glucose_very_high"),
        ("空腹血糖6.9", "空腹血糖7.0", "thirst_polyuria"),
        ("糖化血红蛋白6.4", "糖化血红蛋白6.5", "thirst_polyuria"),
        ("吐了五次", "吐了六次", "vomiting_or_dehydration"),
        ("拉肚子一天九次", "拉肚子一天十次", "vomiting_or_dehydration"),
        ("咳嗽两周了", "咳嗽三周了", "cough_3_weeks"),
        ("嗓子哑了两个礼拜", "嗓子哑了三个礼拜", "hoarseness_3_weeks"),
        ("拉肚子十三天了", "拉肚子两周了", "bowel_habit_change"),
        ("口腔溃疡半个月了", "口腔溃疡三周了", "mouth_ulcer_3_weeks"),
        ("失眠三周了", "失眠四周了", "insomnia_4_weeks"),
        ("腰疼一个月了", "腰疼六周了", "back_pain_red_flags"),
        ("心情低落一周了", "心情低落两周了", "low_mood_2_weeks"),
        ("便秘十天了", "便秘半个月了", "constipation_new_2_weeks"),
        ("头晕两天了", "头晕三天了", "recurrent_dizziness"),
        ("淋巴结肿大一周了", "淋巴结肿大两周了", "neck_lump_or_nodes"),
        ("儿子四岁，晚上尿床", "儿子六岁，晚上尿床", "bed_wetting"),
        ("宝宝一岁还不会走路", "宝宝一岁半还不会走路", "child_development_delay"),
        ("体检血红蛋白125", "体检血红蛋白95", "fatigue_or_anaemia"),
        ("没戴套，昨天的事", "没戴套，四天前的事", "emergency_contraception_late"),
    ],
)
def test_bounds(below: str, above: str, rule: str) -> None:
    assert rule not in rules(below), below
    assert rule in rules(above), above


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("昨天喂流浪猫被它咬了一下,就破了点油皮", "today"),
        ("孩子手指被兔子咬出血了要紧吗", "today"),
        ("我妈让村里的狗给撕了一口裤子都破了腿上见血", "today"),
        ("女儿发烧两天今天手上脚上冒出好多水泡", "today"),
        ("拉臭臭的时候发现纸上红红的一片血", "today"),
        ("今天尿尿颜色是粉红的", "today"),
        ("我可能是阑尾炎，右边小肚子按着疼", "today"),
        ("宝宝二十天了身上还是黄黄的", "today"),
        ("刚剖腹产完一周 左腿肿胀发紫", "today"),
        ("脚背上被蚊子咬了后红了一大片，又烫又肿，还在往上扩", "today"),
        ("戴了一天隐形，眼睛痛得睁不开还畏光", "today"),
        ("右眼视野里像有块黑布遮着", "today"),
        ("一觉醒来左边耳朵聋了", "today"),
        ("手被铁皮划了很深的口子，要缝针不", "today"),
        ("昨天到现在吐了八回，喝水也吐", "today"),
        ("肾移植病人发热38度怎么办", "today"),
        ("爷爷摔了一跤胯疼起不来", "today"),
        ("身上钻进去一只草爬子拔不出来", "today"),
        ("娃刚才咽下去一枚硬币", "today"),
        ("我妈血糖高，脚后跟烂了个洞", "today"),
        ("左胸摸到个硬块，没感觉", "days"),
        ("脖子侧面有个包快一个月没消", "days"),
        ("这两个月莫名其妙掉了15斤", "days"),
        ("最近吃饭老是噎着，得喝汤才下去", "days"),
        ("老咳，得有俩月了", "days"),
        ("我妈五十八，绝经好几年了，昨天内裤有血", "days"),
        ("早上眼睛浮肿，尿里好多泡泡", "days"),
        ("最近总是口渴，喝很多水，老上厕所", "days"),
        ("我爸最近半年记性越来越差，刚说的事就忘", "days"),
        ("儿子10岁比同龄人矮一个头", "days"),
        ("右手抖了三个月，拿筷子都抖", "days"),
        ("我天天都要吃去痛片，不吃头疼", "days"),
        ("一翻身就天旋地转", "days"),
        ("吃阿托伐他汀腿疼没劲", "days"),
    ],
)
def test_said_in_other_words(text: str, wanted: Level) -> None:
    assert level(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "感冒鼻塞流鼻涕三天了",
        "家里老人便秘好几年了，开塞露买一盒",
        "高血压吃着氨氯地平，血压125/80，感冒了吃什么",
        "我妈糖尿病十年了，感冒流鼻涕两天",
        "打完疫苗胳膊肿痛",
        "荨麻疹又犯了，身上起风团，有点痒",
        "胶囊太大咽不下去，能掰开吗",
        "小便正常，没有尿频尿痛",
        "我妈走了快半年了，最近睡不好，想买点安神的",
        "泡奶粉的水40度行吗",
        "最近没有咳嗽也没瘦，就是想买维生素",
        "痛经，每个月第一天都疼",
        "健身完肌肉酸痛三天了",
        "没慢性病，嗓子疼两天",
    ],
)
def test_ordinary_questions_send_nobody_to_a_doctor(text: str) -> None:
    assert level(text) == "self"


def test_a_time_belongs_to_the_finding_of_its_clause() -> None:
    assert "cough_3_weeks" not in rules("高血压三年了，咳嗽两天")
    assert "cough_3_weeks" in rules("两个月了，一直咳嗽")


def test_what_was_measured_long_ago_or_is_asked_about_does_not_count() -> None:
    assert level("去年血压到过190，现在控制在130") == "self"
    assert level("外面气温40度，藿香正气水能防中暑吗") == "self"


def test_the_page_lists_every_rule_with_its_source() -> None:
    page = (Path(__file__).parents[2] / "docs" / "assistant.md").read_text("utf-8")
    for row in BOOK.triage:
        if row.level in OWN:
            assert f"| `{row.id}` | {row.name} | {row.source} |" in page
