"""Emergencies: the rules' own examples, the language of conditions, and what is refused when a rulebook is loaded."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from sample_shop import BOOK, LEXICON

from medasst.dialogue import of_turns
from medasst.errors import ConfigError
from medasst.lexicon import Lexicon
from medasst.rulebook import Rulebook
from medasst.safety.conditions import Condition, parse
from medasst.safety.triage import Triage

TRIAGE = Triage(BOOK, LEXICON, tried=False)
EMERGENCIES = [row for row in BOOK.triage if row.level == "emergency"]
CONCEPTS = {
    *BOOK.findings.rows,
    *BOOK.drugs.rows,
    *BOOK.classes.rows,
    "药物",
    "胸痛",
    "背痛",
    "头痛",
    "腹泻",
    "发热",
    "呼吸困难",
}
FEATURES = {row.name for row in BOOK.features}

ORDINARY = (
    "布洛芬一天吃几次",
    "感冒流鼻涕打喷嚏吃什么药",
    "孩子两岁，有点咳嗽",
    "便秘三天了，开塞露怎么用",
    "大姨妈肚子疼",
    "嗓子疼两天了",
    "怀孕了能吃叶酸吗",
    "口腔溃疡疼，有什么药",
    "被蚊子咬了好痒",
    "崴了脚有点肿，贴什么膏药",
    "痔疮犯了，有点痒",
    "发烧38度，要吃退烧药吗",
    "牙疼，明天才能看医生",
    "失眠，睡不着",
    "运动后肌肉酸痛",
    "夏天中暑了喝藿香正气",
    "我对青霉素过敏，能吃什么感冒药",
    "伤口擦破皮怎么消毒",
    "洁厕灵和消毒液有货吗",
    "布洛芬还剩20片，买两盒对乙酰氨基酚",
    "老板，农药和老鼠药你们卖不卖",
    "纽扣电池多少钱一板",
    "这个月业绩压得我喘不过气，想买点维生素",
    "笑死我了，肚子都笑疼了",
    "血压计和血糖仪哪个牌子好",
    "滴眼药水一天几次",
)


def emergencies(*turns: str) -> set[str]:
    return {alarm.rule.id for alarm in TRIAGE.alarms(of_turns(turns, LEXICON)) if alarm.level == "emergency"}


def holds(condition: str, *turns: str) -> bool:
    return any(_parsed(condition).of(patient) is not None for patient in of_turns(turns, LEXICON).patients)


def _parsed(condition: str) -> Condition:
    return parse(condition, CONCEPTS, FEATURES, LEXICON.broader)


def test_every_example_of_the_emergencies_comes_out() -> None:
    assert not list(TRIAGE.failures([row.id for row in EMERGENCIES]))


def test_the_named_list_is_covered_with_enough_examples_and_sources() -> None:
    assert len(EMERGENCIES) == 74
    for row in EMERGENCIES:
        assert len(row.must) >= 8, row.id
        assert len(row.must_not) >= 6, row.id
        assert row.source, row.id
        assert 1 <= len(re.findall("[。！？]", row.message)) <= 3, row.id


@pytest.mark.parametrize("text", ORDINARY)
def test_an_ordinary_question_is_no_emergency(text: str) -> None:
    assert not emergencies(text)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("两岁的娃把小磁铁珠咽了三颗", "swallowed_object"),
        ("我家小的抱着洗衣凝珠咬破了，吐泡泡", "household_chemical"),
        ("婆婆一口气吃了三十片降压药", "drug_overdose"),
        ("一次吃了10克对乙酰氨基酚", "drug_overdose"),
        ("外甥女被流浪狗咬了脸", "animal_bite_severe"),
        ("上山被五步蛇咬了小腿", "snake_bite"),
        ("炉子闷着火睡的，早上全家头疼想吐", "co_poisoning"),
        ("强力胶弄到眼睛里，睁不开", "eye_chemical"),
        ("从三楼阳台掉下来了", "spinal_major_trauma"),
        ("液氨洒到手上起泡", "burn_severe"),
    ],
)
def test_kinds_are_known_and_not_only_the_examples(text: str, rule: str) -> None:
    assert rule in emergencies(text)


@pytest.mark.parametrize(
    ("condition", "yes", "no"),
    [
        ("胸痛 + 出冷汗|心悸", "胸口疼，一身冷汗", "胸口疼"),
        ("胸痛 + 背痛", "前胸后背痛", "胸口疼"),
        ("不能平卧 + 呼吸困难", "躺不平，喘不上气", "躺不平"),
        ("头痛[突然]", "突然头疼", "头疼"),
        ("发热[时>=72]", "发烧三天了", "发烧一天"),
        ("腹泻[次>=6]", "拉肚子七次", "拉肚子两次"),
        ("对乙酰氨基酚[片>=9]", "吃了十二片扑热息痛", "吃了两片扑热息痛"),
        ("对乙酰氨基酚[克>=4]", "吃了16克扑热息痛", "吃了500毫克扑热息痛"),
        ("药物[片>=20]", "布洛芬吃了三十粒", "布洛芬30粒装的吃了一粒"),
        ("月龄<3 + 发热", "宝宝两个月，发烧了", "宝宝八个月，发烧了"),
        ("体温>=39", "烧到39.5", "烧到38.2"),
        ("孕妇 + 头痛", "我怀孕七个月，头疼", "我头疼"),
        ("老人 + 头痛", "我爸70岁，头疼", "我30岁，头疼"),
        ("史:哮喘", "小时候得过哮喘", "没有哮喘"),
        ("提:对乙酰氨基酚", "对乙酰氨基酚能吃吗", "头疼"),
        ("头痛 + 无:发热", "头疼，不发烧", "头疼，发烧"),
    ],
)
def test_the_language_of_conditions(condition: str, yes: str, no: str) -> None:
    assert holds(condition, yes)
    assert not holds(condition, no)


@pytest.mark.parametrize("condition", ["没有这个词", "头痛[没有这样]", "身高>=3", "头痛 +", "头痛[时>>3]"])
def test_what_is_no_condition(condition: str) -> None:
    with pytest.raises(ValueError):
        _parsed(condition)


def test_the_mentions_that_raised_an_alarm_are_named() -> None:
    alarm = TRIAGE.alarms(of_turns(["胸口疼，冒冷汗"], LEXICON))[0]
    assert alarm.level == "emergency"
    assert "胸口疼" in alarm.words


def _overlay(folder: Path, condition: str, must: Callable[[int], str]) -> Path:
    (folder / "emergency.toml").write_text(
        "# a shop's own rule\n\n[[rule]]\n"
        'id = "own"\nlevel = "emergency"\nname = "头痛"\nmessage = "请去急诊。"\n'
        f'when = ["{condition}"]\n'
        f"must = {[must(number) for number in range(8)]}\n"
        f"must_not = {[f'买第{number}盒感冒药' for number in range(6)]}\n",
        "utf-8",
    )
    return folder


def test_an_unknown_concept_names_file_and_line(tmp_path: Path) -> None:
    book = Rulebook.load(overlay=_overlay(tmp_path, "没有这个词", lambda number: f"头疼{number}天"))
    with pytest.raises(ConfigError, match=r"emergency\.toml:3: rule own: no table has a finding or medicine '没有这个词'"):
        Triage(book, LEXICON)


def test_a_rule_whose_own_example_fails_is_refused_by_whoever_loads_it(tmp_path: Path) -> None:
    book = Rulebook.load(overlay=_overlay(tmp_path, "头痛", lambda number: f"脚疼{number + 1}天"))
    with pytest.raises(ConfigError, match=r"emergency\.toml:3: rule own must hold of '脚疼1天', and doesn't"):
        Triage(book, Lexicon(book))


def test_a_pair_of_unknown_groups_names_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "findings_danger.toml").write_text(
        '[group]\n"甲" = ["甲"]\n\n[[finding]]\nname = "甲乙"\nkind = "symptom"\npairs = ["甲 乙"]\n', "utf-8"
    )
    with pytest.raises(ConfigError, match=r"findings_danger\.toml:4: 甲乙: no \[group\] 乙"):
        Rulebook.load(overlay=tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("孩子把纽扣电池吞了", True),
        ("孩子吞下去一颗小圆电池", True),
        ("电池没吞，在我手里", False),
        ("孩子拿着电池玩。饼干吃了", False),
        ("怎么防止孩子吞电池", False),
    ],
)
def test_findings_told_by_words_near_each_other(text: str, told: bool) -> None:
    said = [mention for mention in LEXICON.read(text).mentions if "误吞纽扣电池" in mention.broader and mention.current]
    assert bool(said) is told


def test_circumstances_are_no_findings() -> None:
    reading = LEXICON.read("跑步跑到一半晕倒了")
    assert {mention.concept for mention in reading.circumstances} >= {"运动中"}
    assert "运动中" not in {mention.concept for mention in reading.mentions}
