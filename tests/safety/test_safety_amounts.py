"""How much of a medicine: the day's sum over all that hold an ingredient; two of a class; who is known by weight alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from medasst.catalogue import Section
from medasst.dialogue import of_turns
from medasst.formulary import Formulary
from medasst.lexicon import Lexicon
from medasst.lexicon.amounts import Dose, leaflet_day, read_dose, strengths
from medasst.rulebook import Rulebook
from medasst.safety import PersonChecks
from medasst.safety.check import Checker, read_check
from medasst.safety.doses import told_amounts


@pytest.fixture(scope="module")
def checks() -> PersonChecks:
    book = Rulebook.load()
    return PersonChecks(Lexicon(book), Formulary(book))


def ask(checks: PersonChecks, asked: list[str], **patient: Any) -> dict[str, Any]:
    request = json.dumps({"patient": patient, "drugs": asked})
    answer: dict[str, Any] = json.loads(json.dumps(Checker(checks).written(read_check(request), "json")))
    return answer


def sentences(answer: dict[str, Any], kind: str) -> list[str]:
    return [one["sentence"] for one in answer["findings"] if one["kind"] == kind]


@pytest.mark.parametrize(
    ("written", "name", "amount"),
    [
        ("布洛芬 2片", "布洛芬", "2片"),
        ("布洛芬2片", "布洛芬", "2片"),
        ("泰诺，一次1片，一日3次", "泰诺", "一次1片，一日3次"),
        ("对乙酰氨基酚 0.5g tid", "对乙酰氨基酚", "0.5g tid"),
        ("维生素B1片 2片", "维生素B1片", "2片"),
        ("感康（2粒）", "感康", "2粒"),
    ],
)
def test_an_amount_is_split_off_a_name(written: str, name: str, amount: str) -> None:
    assert (name, amount) in told_amounts(written)


@pytest.mark.parametrize("name", ["维生素B1片", "三七片", "六味地黄丸", "布洛芬", "10%葡萄糖"])
def test_a_name_without_an_amount_stays_whole(name: str) -> None:
    assert not [*told_amounts(name)]


def test_what_somebody_takes_in_a_day() -> None:
    assert read_dose("一次2片，一日3次") == Dose(2, None, 3)
    assert read_dose("0.5g 一天4次").day(None) == (2000, True)
    assert Dose(2).day(300) == (600, False)  # at least once
    assert Dose(2).day(None) is None and Dose().day(300) is None


@pytest.mark.parametrize(
    ("dosage", "per_piece", "most"),
    [
        ("口服。成人一次1粒，一日2次（早晚各1次）。", 300, 600),
        ("成人一次1～2粒，一日3次，24小时内不超过6粒。", 250, 1500),
        ("一次1片（0.5g），可间隔4～6小时重复用药一次，24小时内不得超过4次。", 500, 2000),
        ("一次0.3g，一日2次。", None, 600),
        ("1～3岁一次4ml，24小时内不超过4次。", None, None),
        ("遵医嘱。", 300, None),
    ],
)
def test_what_a_leaflets_dosage_comes_to(dosage: str, per_piece: float | None, most: float | None) -> None:
    assert leaflet_day(dosage, per_piece) == most


def test_what_a_strength_tells() -> None:
    paracetamol = {"对乙酰氨基酚": "对乙酰氨基酚", "氯苯那敏": "氯苯那敏"}
    assert strengths("每粒含对乙酰氨基酚250mg、马来酸氯苯那敏1mg", paracetamol, pieces=True) == {
        "对乙酰氨基酚": 250,
        "氯苯那敏": 1,
    }
    assert strengths("0.3g×20粒", {"布洛芬": "布洛芬"}, pieces=True) == {"布洛芬": 300}
    assert (
        strengths("0.3g", {"布洛芬": "布洛芬"}, pieces=False) == strengths("100ml:2g", {"布洛芬": "布洛芬"}, pieces=True) == {}
    )


def test_a_days_sum_that_is_too_much_is_told(checks: PersonChecks) -> None:
    answer = ask(checks, ["对乙酰氨基酚片 0.5g 一日4次"], age_months=384, drugs=["泰诺 一次2片 一天3次"])
    assert answer["amounts"] == {"对乙酰氨基酚片 0.5g 一日4次": "0.5g 一日4次", "泰诺 一次2片 一天3次": "一次2片 一天3次"}
    told = " ".join(sentences(answer, "duplicate"))
    assert "2种药里的对乙酰氨基酚加起来，一天最多约3.95克，超过一天2克的上限" in told
    assert {one["medicine"] for one in answer["findings"]} == {"对乙酰氨基酚片 0.5g 一日4次"}


def test_a_sum_goes_over_all_and_what_is_unknown_is_told(checks: PersonChecks) -> None:
    answer = ask(checks, ["对乙酰氨基酚片 0.5g 一日4次", "泰诺 1片"], age_months=384, drugs=["感冒灵"])
    told = " ".join(sentences(answer, "duplicate"))
    assert "至少约2.33克，超过一天2克的上限。感冒灵一天会带进多少不清楚" in told
    unknown = " ".join(sentences(ask(checks, ["泰诺"], drugs=["感冒灵"]), "duplicate"))
    assert "泰诺、感冒灵一天会带进多少对乙酰氨基酚不清楚" in unknown and "上限" not in unknown


def test_a_sum_below_a_limit_that_nobody_checked_is_no_clearance(checks: PersonChecks) -> None:
    answer = ask(checks, ["对乙酰氨基酚片 0.1g 一日1次"], age_months=384, drugs=["泰诺 1片 一天1次"])
    (told, *_) = sentences(answer, "duplicate")
    assert "总量要请药师核对" in told and "加起来" not in told


def test_the_products_leaflet_and_what_the_talk_told_count(checks: PersonChecks) -> None:
    person = of_turns(["我在吃泰诺，一次2片一天吃4次，还是头疼"], checks.lexicon).current
    book = Section(text="口服。成人一次1片，24小时内不超过4片。", document="说明书", section="用法用量")
    medicine = checks.formulary.contents("对乙酰氨基酚")
    medicine = type(medicine)(medicine.name, medicine.substances, amounts={"对乙酰氨基酚": 500})
    told = " ".join(one.sentence for one in checks.of(medicine, person, {"dosage": book}))
    assert "超过一天2克的上限" in told


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *[("布洛芬", "双氯芬酸钠缓释胶囊"), ("美托洛尔", "比索洛尔"), ("奥美拉唑", "雷贝拉唑"), ("扑尔敏", "苯海拉明")],
        *[("地西泮", "阿普唑仑"), ("阿托伐他汀", "瑞舒伐他汀"), ("依那普利", "贝那普利"), ("毓婷", "妈富隆")],
    ],
)
def test_two_of_a_class_are_asked_about(checks: PersonChecks, one: str, other: str) -> None:
    found = [
        finding
        for answer in (ask(checks, [one, other]), ask(checks, [one], drugs=[other]))
        for finding in answer["findings"]
        if finding["kind"] in ("duplicate", "interaction") and finding["severity"] != "caution"
    ]
    assert len(found) >= 2


def test_the_same_substance_is_no_class_of_two(checks: PersonChecks) -> None:
    assert all("同一类药" not in one for one in sentences(ask(checks, ["布洛芬", "美林"]), "duplicate"))


@pytest.mark.parametrize("kg", [4, 9, 15, 28])
def test_a_light_person_counts_as_a_child_and_never_as_a_known_age(checks: PersonChecks, kg: float) -> None:
    by_weight = ask(checks, ["诺氟沙星", "布洛芬"], weight_kg=kg)
    assert [one for one in by_weight["findings"] if one["kind"] == "age" and one["severity"] != "caution"]
    by_age = ask(checks, ["诺氟沙星", "布洛芬"], weight_kg=kg, age_months=384)
    assert not [one for one in by_age["findings"] if one["kind"] == "age"]


def test_what_a_medicine_tells_only_restricts_and_names_the_medicine(checks: PersonChecks) -> None:
    answer = ask(checks, ["感冒灵颗粒"], drugs=["二甲双胍"])
    (told,) = [one for one in answer["findings"] if one["kind"] == "contraindication"]
    assert told["severity"] == "ask" and told["sentence"].startswith("您提到在用二甲双胍。") and "糖尿病" in told["sentence"]
    assert told["why"][0]["because"][0]["slot"] == "drugs"


@pytest.mark.parametrize("medicine", ["格列本脲", "阿米替林", "苯海索", "利血平", "地高辛", "小活络丸"])
def test_what_the_old_should_not_take_unasked(checks: PersonChecks, medicine: str) -> None:
    found = ask(checks, [medicine], age_months=900)["findings"]
    assert [one for one in found if one["kind"] == "age" and one["severity"] != "caution"]
    assert not any(why["checked"] for one in found for why in one["why"])


@pytest.mark.parametrize(
    ("name", "holds", "lacks"),
    [
        ("皮康霜", "咪康唑/外用", "酮康唑/外用"),
        ("健脾生血颗粒", "硫酸亚铁", "生血宁"),
        ("小儿清热止咳口服液", "小儿清热止咳口服液", "小儿清肺颗粒"),
        ("西地兰", "去乙酰毛花苷", "地高辛"),
        ("淋必治", "大观霉素", "新霉素"),
        ("枸地氯雷他定", "地氯雷他定", "孟鲁司特"),
        ("可必特", "沙丁胺醇", "氯苯那敏"),
        ("鼻炎滴剂", "麻黄碱/鼻用", "鼻炎片"),
        ("妈咪爱", "枯草杆菌二联活菌", "枯草杆菌"),
        ("强生美林", "布洛芬", "对乙酰氨基酚"),
        ("艾斯能", "卡巴拉汀", "伊曲康唑"),
    ],
)
def test_a_name_is_the_medicine_that_it_names(checks: PersonChecks, name: str, holds: str, lacks: str) -> None:
    made_of = [one.name for one in checks.formulary.contents(name).substances]
    assert holds in made_of and lacks not in made_of
