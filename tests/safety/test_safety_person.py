"""Checks of a medicine against a person: every kind, both grounds, and that what nobody checked only restricts."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from person_tables import small_rulebook
from sample_shop import BOOK

from medasst.catalogue import Section
from medasst.dialogue import Patient, Slot, of_turns
from medasst.formulary import Contents, Formulary
from medasst.lexicon import Lexicon
from medasst.rulebook import Row, Rulebook, SlotName, Table
from medasst.safety import PersonChecks
from medasst.safety.finding import RANK
from medasst.safety.leaflet import Leaflet, LeafletReader, Span

R = TypeVar("R", bound=Row)


@pytest.fixture(scope="module")
def checks(tmp_path_factory: pytest.TempPathFactory) -> PersonChecks:
    book = Rulebook.load(small_rulebook(tmp_path_factory.mktemp("rulebook")))
    return PersonChecks(Lexicon(book), Formulary(book))


def who(checks: PersonChecks, *turns: str) -> Patient:
    return of_turns(turns, checks.lexicon).current


def leaflet(**sections: str) -> Leaflet:
    return {key: Section(text=text, document="试验药说明书", section=key) for key, text in sections.items()}


def found(checks: PersonChecks, medicine: str, *turns: str, leaflet: Leaflet | None = None) -> list[tuple[str, str, str]]:
    """Kind, severity and rule of each finding."""
    findings = checks.of(checks.formulary.contents(medicine), who(checks, *turns), leaflet)
    return [(one.kind, one.severity, one.rule) for one in findings]


ADULT_LEAFLET = leaflet(indications="用于止痛。", dosage="口服。成人一次1粒。")


@pytest.mark.parametrize(
    ("medicine", "turn", "kind", "severity", "rule"),
    [
        ("布洛芬", "怀孕30周头疼", "pregnancy", "forbid", "late"),
        ("布洛芬", "怀孕了头疼", "pregnancy", "ask", "late"),  # which week isn't told
        ("布洛芬", "可能怀孕了，头疼", "pregnancy", "ask", "late"),
        ("布洛芬", "怀孕10周头疼", "pregnancy", "ask", "check.left_open"),
        ("布洛芬", "哺乳期头疼", "lactation", "ask", "check.left_open"),
        ("布洛芬", "十二指肠球部溃疡，头疼", "contraindication", "forbid", "ulcer"),
        ("布洛芬", "以前得过胃溃疡，头疼", "contraindication", "forbid", "ulcer"),
        ("布洛芬", "肾功能不好，头疼", "kidney", "ask", "kidney"),
        ("对乙酰氨基酚", "我有乙肝，头疼", "liver", "forbid", "liver"),
        ("氯苯那敏", "我是出租车司机，流鼻涕", "driving", "forbid", "asleep"),
        ("布洛芬", "宝宝3个月，发烧", "age", "forbid", "small"),
        ("布洛芬", "孩子发烧", "age", "ask", "small"),  # how old isn't told
        ("布洛芬", "孩子5岁发烧", "age", "ask", "check.left_open"),
        ("布洛芬", "宝宝7个月4.5公斤发烧", "weight", "forbid", "light"),
        ("氯苯那敏", "我爸78岁流鼻涕", "age", "ask", "old"),
        ("布洛芬", "对布洛芬过敏，头疼", "allergy", "forbid", "check.same"),
        ("布洛芬", "对阿司匹林过敏，头疼", "allergy", "forbid", "aspirin"),
        ("维生素C", "对花生过敏", "allergy", "ask", "peanut"),
        ("布洛芬", "在吃华法林，头疼", "interaction", "ask", "bleeding"),
        ("布洛芬", "在吃卡托普利，头疼", "interaction", "caution", "pressure"),
        ("布洛芬", "在吃降压药，头疼", "interaction", "ask", "pressure"),  # which one isn't told
        ("对乙酰氨基酚", "在吃降压药，头疼", "unknown", "caution", "check.class_unknown"),
        ("对乙酰氨基酚", "在吃华法林，头疼", "unknown", "ask", "disputed"),
        ("布洛芬", "在吃依折麦布，头疼", "unknown", "ask", "check.taken_unknown"),
        ("复方对乙酰氨基酚片", "刚吃了泰诺，还是流鼻涕", "duplicate", "forbid", "check.duplicate"),
        ("双氯芬酸", "在吃止痛药，关节痛", "duplicate", "ask", "check.class_alike"),
        ("对乙酰氨基酚", "昨晚喝了白酒，头疼", "alcohol", "forbid", "drink"),
    ],
)
def test_every_kind(checks: PersonChecks, medicine: str, turn: str, kind: str, severity: str, rule: str) -> None:
    assert (kind, severity, rule) in found(checks, medicine, turn, leaflet=ADULT_LEAFLET)


@pytest.mark.parametrize(
    ("medicine", "turns"),
    [
        ("布洛芬", ["头疼"]),
        ("布洛芬", ["没有胃溃疡，肾也没问题，头疼"]),
        ("布洛芬", ["我是男的，头疼"]),
        ("布洛芬", ["我老婆怀孕8个月便秘", "我自己头疼"]),  # the man isn't warned of pregnancy
        ("布洛芬", ["我爸有胃溃疡", "我自己头疼，28岁"]),
        ("氯苯那敏", ["不开车，流鼻涕"]),
        ("对乙酰氨基酚", ["我没喝酒，头疼"]),
        ("维生素C", ["在吃华法林，牙龈出血"]),  # two hands saw that it does nothing
        ("维生素C", ["怀孕12周"]),
        ("维生素C", ["哺乳期"]),
        ("维生素C", ["孩子8岁"]),
        ("布洛芬", ["对花生过敏，头疼"]),
        ("布洛芬", ["我以前吃过华法林，早停了，头疼"]),
    ],
)
def test_nothing_where_nothing_speaks_against_it(checks: PersonChecks, medicine: str, turns: list[str]) -> None:
    assert found(checks, medicine, *turns, leaflet=ADULT_LEAFLET) == []


def test_a_medicine_tells_what_it_is_taken_for(checks: PersonChecks) -> None:
    says = leaflet(cautions="高血压患者禁用。")
    kinds = found(checks, "双氯芬酸/外用", "在吃卡托普利，膝盖疼", leaflet=says)
    assert kinds == [("contraindication", "ask", "leaflet.cautions")]  # it may be taken for something else


def test_what_is_told_without_saying_what_is_asked_for(checks: PersonChecks) -> None:
    assert ("allergy", "ask", "check.name_allergen") in found(checks, "布洛芬", "我有药物过敏史，头疼", leaflet=ADULT_LEAFLET)


def test_a_finding_says_why(checks: PersonChecks) -> None:
    ibuprofen = checks.formulary.contents("布洛芬")
    (finding,) = checks.of(ibuprofen, who(checks, "头疼", "我在吃华法林"), ADULT_LEAFLET)
    (why,) = finding.why
    assert (why.rule, why.version, why.source, why.checked) == ("bleeding", "1", "华法林说明书，相互作用", False)
    (told,) = why.because
    assert (told.slot, told.what, told.words, told.turn) == ("drugs", "华法林", "华法林", 1)
    assert finding.sentence == "您提到在用华法林。布洛芬：一起用容易出血。先问医生。"
    assert finding.to_json()["why"][0]["because"][0]["turn"] == 1


def test_the_strictest_of_both_grounds_speaks_and_both_are_named(checks: PersonChecks) -> None:
    says = leaflet(pregnancy="孕妇禁用。")
    (finding,) = checks.of(checks.formulary.contents("布洛芬"), who(checks, "怀孕30周头疼"), says)
    assert [why.rule for why in finding.why] == ["late", "leaflet.pregnancy"]
    (finding,) = checks.of(checks.formulary.contents("布洛芬"), who(checks, "怀孕10周头疼"), says)
    assert (finding.severity, finding.rule) == ("forbid", "leaflet.pregnancy")


def test_an_unchecked_row_may_only_restrict(checks: PersonChecks) -> None:
    """`claimed` allows what `proven` allows, but nobody opened its document."""
    assert found(checks, "对乙酰氨基酚", "怀孕12周头疼")[0] == ("pregnancy", "ask", "check.left_open")
    allowed = leaflet(pregnancy="孕妇可以使用。")
    assert found(checks, "对乙酰氨基酚", "怀孕12周头疼", leaflet=allowed) == []
    forbidden = leaflet(pregnancy="孕妇禁用。")
    assert found(checks, "维生素C", "怀孕12周", leaflet=forbidden) == [("pregnancy", "forbid", "leaflet.pregnancy")]


def test_without_its_unchecked_rows_a_formulary_never_forbids_more(checks: PersonChecks) -> None:
    """The ground rule, of random persons: what stops a medicine by checked rows and leaflet stops it with all rows."""
    book = checks.lexicon.book
    tables = book.medicines

    def checked(table: Table[R]) -> Table[R]:
        return Table({key: row for key, row in table.rows.items() if row.checked}, table.places)

    bare = replace(
        tables,
        interactions=checked(tables.interactions),
        populations=checked(tables.populations),
        doses=checked(tables.doses),
        allergies=checked(tables.allergies),
    )
    strict = PersonChecks(checks.lexicon, Formulary(replace(book, medicines=bare)))
    rng = random.Random(7)
    says = [{}, ADULT_LEAFLET, leaflet(pregnancy="孕妇可以使用。", children="儿童禁用。", cautions="肝病患者慎用。")]
    stopped = 0
    for _ in range(400):
        person = _somebody(rng)
        medicine = checks.formulary.contents(rng.choice(["布洛芬", "对乙酰氨基酚", "维生素C", "维C银翘片", "双氯芬酸/外用"]))
        own = rng.choice(says)
        of_checked, of_all = strict.of(medicine, person, own), checks.of(medicine, person, own)
        strictest = {one.kind: RANK.index(one.severity) for one in reversed(of_all)}
        for one in of_checked:
            assert one.kind == "unknown" or strictest[one.kind] >= RANK.index(one.severity), (medicine.name, person)
        # Without its rows an allergen is unknown, which asks where the rows clear.
        assert any(one.stops for one in of_all) or not any(one.stops for one in of_checked if one.kind != "unknown")
        stopped += any(one.stops for one in of_all) and not any(one.stops for one in of_checked)
    assert stopped  # some are stopped by unchecked rows alone


def _somebody(rng: random.Random) -> Patient:
    def some(words: list[str]) -> Slot:
        return Slot("yes", tuple(rng.sample(words, rng.randint(1, 2))), turn=0) if rng.random() < 0.3 else Slot()

    months = rng.choice([None, 3.0, 20.0, 96.0, 400.0, 900.0])
    slots: dict[SlotName, Slot] = {
        "conditions": some(["消化性溃疡", "肝病", "肾病", "高血压"]),
        "drugs": some(["华法林", "卡托普利", "酚麻美敏", "降压药"]),
        "allergies": some(["阿司匹林", "花生", "布洛芬"]),
        "pregnancy": rng.choice([Slot(), Slot("yes", number=30), Slot("yes")]),
        "lactation": rng.choice([Slot(), Slot("yes")]),
        "weight": rng.choice([Slot(), Slot("yes", number=4.0)]),
        "work": rng.choice([Slot(), Slot("yes", ("开车",))]),
    }
    return Patient("self", values={} if months is None else {"age_months": months}, slots=slots)


def test_the_days_limit_is_told_from_checked_rows_or_the_leaflet_alone(checks: PersonChecks) -> None:
    def sentence(one: str, other: str, says: Leaflet | None = None) -> str:
        findings = checks.of(checks.formulary.contents(one), who(checks, f"在吃{other}，头疼"), says)
        return next(finding.sentence for finding in findings if finding.kind == "duplicate")

    assert "对乙酰氨基酚24小时内总共不要超过2克" in sentence("复方对乙酰氨基酚片", "泰诺")
    assert "总量要请药师核对" in sentence("布洛芬", "芬必得")
    assert "24小时不超过4次" in sentence("布洛芬", "芬必得", leaflet(dosage="一次1片，24小时不超过4次。"))


def test_medicines_among_one_another(checks: PersonChecks) -> None:
    def pair(*names: str) -> list[tuple[str, str, str]]:
        findings = checks.together([checks.formulary.contents(name) for name in names])
        return [(one.kind, one.severity, one.rule) for one in findings]

    assert pair("复方对乙酰氨基酚片", "泰诺")[0] == ("duplicate", "forbid", "check.duplicate")
    assert pair("布洛芬", "华法林") == [("interaction", "ask", "bleeding")]
    assert pair("对乙酰氨基酚", "华法林") == [("unknown", "ask", "disputed")]
    assert pair("维生素C", "华法林") == []
    assert pair("布洛芬", "没听说过的药") == [("unknown", "ask", "check.together_unknown")]
    assert pair("维生素C", "降压药") == [("unknown", "caution", "check.class_together")]
    assert pair("降压药", "维生素C") == [("unknown", "caution", "check.class_together")]
    assert pair("降压药", "布洛芬") == [("interaction", "ask", "pressure")]
    oral_and_gel = [checks.formulary.contents("双氯芬酸"), checks.formulary.contents("双氯芬酸/外用")]
    assert [one.rule for one in checks.together(oral_and_gel)] == ["check.duplicate_ways"]


def test_the_talk_of_a_medicine_that_is_taken_is_no_duplicate(checks: PersonChecks) -> None:
    ibuprofen, person = checks.formulary.contents("布洛芬"), who(checks, "我在吃布洛芬，头疼")
    assert [one.kind for one in checks.of(ibuprofen, person)] == ["duplicate"]
    assert checks.of(ibuprofen, person, anew=False) == ()


def test_a_medicine_of_unknown_contents(checks: PersonChecks) -> None:
    unknown = Contents("神秘丸", unknown=("神秘草",))
    assert [one.rule for one in checks.of(unknown, who(checks, "头疼"))] == ["check.contents_unknown"]
    assert checks.of(unknown, who(checks, "头疼"), ADULT_LEAFLET) == ()
    rules = [one.rule for one in checks.of(unknown, who(checks, "在吃华法林，头疼"), ADULT_LEAFLET)]
    assert rules == ["check.together_unknown", "check.contents_unknown"]


def test_food_and_drink(checks: PersonChecks) -> None:
    assert [one.rule for one in checks.with_food(checks.formulary.contents("对乙酰氨基酚"), "酒")] == ["drink"]
    assert checks.with_food(checks.formulary.contents("布洛芬"), "酒") == ()
    says = leaflet(cautions="服药期间不得饮酒。")
    assert [one.rule for one in checks.with_food(checks.formulary.contents("布洛芬"), "酒", says)] == ["leaflet.cautions"]


# What leaflets say


@pytest.mark.parametrize(
    ("text", "dosage", "months", "verdict"),
    [
        ("儿童必须在成人监护下使用，婴儿使用前请咨询医师，避免涂到口、眼周围。", "外用。", 96, "allow"),
        ("儿童必须在成人监护下使用，婴儿使用前请咨询医师，避免涂到口、眼周围。", "外用。", 8, "ask"),
        ("1岁以下婴儿应在医师指导下使用，6个月以下婴儿不要使用。", "1～3岁一次4ml。", 4, "forbid"),
        ("1岁以下婴儿应在医师指导下使用，6个月以下婴儿不要使用。", "1～3岁一次4ml。", 24, "allow"),
        ("1岁以下婴儿应在医师指导下使用，6个月以下婴儿不要使用。", "1～3岁一次4ml。", 60, None),
        ("6岁以下儿童不宜使用本规格片剂。", "12岁以上儿童及成人一次1片，6～12岁儿童一次半片。", 96, "allow"),
        ("6岁以下儿童不宜使用本规格片剂。", "12岁以上儿童及成人一次1片，6～12岁儿童一次半片。", 36, "forbid"),
        ("2岁以下儿童的安全性未确定。其他儿童按体重用药。", "口服。", 96, "allow"),
        ("儿童用量请咨询医师或药师。", "口服。", 96, "ask"),
        ("儿童用量按说明书或遵医嘱。", "成人一次2片，儿童一次1片。", 96, "allow"),
        ("儿童用量按说明书或遵医嘱。", "成人一次2片。", 96, None),
        ("尚不明确。", "口服。", 96, "ask"),
        ("儿童禁用。", "口服。", 96, "forbid"),
    ],
)
def test_leaflets_on_children(text: str, dosage: str, months: float, verdict: str | None, checks: PersonChecks) -> None:
    says = checks.leaflets.child(leaflet(children=text, dosage=dosage), Span(months, months), for_children=False)
    assert (says.verdict if says else None) == verdict


@pytest.mark.parametrize(
    ("text", "weeks", "pregnant", "nursing"),
    [
        ("孕妇及哺乳期妇女禁用。", 10, "forbid", "forbid"),
        ("孕妇及哺乳期妇女慎用。", 10, "ask", "ask"),
        ("可用于妊娠期和哺乳期，使用前请咨询医师或药师。", 10, "allow", "allow"),
        ("孕妇禁用。哺乳期妇女使用前请咨询医师。", 10, "forbid", "ask"),
        ("妊娠末3个月禁用，其他时期的孕妇及哺乳期妇女慎用。", 32, "forbid", "ask"),
        ("妊娠末3个月禁用，其他时期的孕妇及哺乳期妇女慎用。", 10, "ask", "ask"),
        ("尚不明确，请咨询药师或医师。", 10, "ask", "ask"),
        ("不得长期过量服用，孕妇可以使用。", 10, "allow", None),
    ],
)
def test_leaflets_on_mothers(text: str, weeks: float, pregnant: str, nursing: str | None, checks: PersonChecks) -> None:
    says = leaflet(pregnancy=text)
    of_pregnancy, of_lactation = checks.leaflets.pregnancy(says, Span(weeks, weeks)), checks.leaflets.lactation(says)
    assert (of_pregnancy.verdict if of_pregnancy else None) == pregnant
    assert (of_lactation.verdict if of_lactation else None) == nursing


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("老年人可按说明书使用，糖尿病患者足部皲裂应先咨询医师。", "caution"),
        ("年老体弱者应在医师指导下使用。", "caution"),
        ("60岁以上老年人使用前应咨询医师或药师。", "ask"),
        ("老年患者应慎用或适当减量。", "ask"),
        ("老年人禁用。", "forbid"),
        ("老年人一般按成人用量，突然视力下降应先就医。", None),
        ("老年患者长期使用或合并肝肾功能减退时请咨询医师，一般按说明书使用。", "caution"),
        ("老年人可按说明书使用，正在服用左旋多巴者先咨询医师。", "caution"),
        ("老年人皮肤多干燥，使用后如干燥加重应停用，请咨询药师或医师。", "caution"),
        ("老年人使用时应咨询医师。", "ask"),
        ("老年人应在医师或药师指导下使用。", "ask"),
    ],
)
def test_leaflets_on_the_old(text: str, verdict: str | None, checks: PersonChecks) -> None:
    says = checks.leaflets.elderly(leaflet(elderly=text))
    assert (says.verdict if says else None) == verdict


def test_what_acts_locally_is_a_caution_for_the_old_unless_it_is_forbidden(checks: PersonChecks) -> None:
    def verdict(text: str) -> str | None:
        says = checks.leaflets.elderly(leaflet(elderly=text), local=True)
        return says.verdict if says else None

    assert verdict("老年人应在医师或药师指导下使用。") == "caution"
    assert verdict("老年人皮肤较薄，应避免长期使用，请咨询医师或药师。") == "caution"
    assert verdict("老年人禁用。") == "forbid"


def test_leaflets_that_mean_the_severe_or_others(checks: PersonChecks) -> None:
    read = checks.leaflets
    severe = leaflet(cautions="有高血压、心脏病、肝病、糖尿病、肾病等慢性病严重者应在医师指导下使用。")
    others = leaflet(contraindications="不伴缺铁的其他贫血（如地中海贫血）患者禁用。")
    class_of_it = leaflet(cautions="不能同时服用其他含有解热镇痛药的药品。")
    assert (found := read.condition(severe, "高血压")) is not None and found.verdict == "caution"
    assert (found := read.condition(others, "贫血")) is not None and not found.sure
    assert read.condition(others, "缺铁性贫血") is None
    assert read.condition(leaflet(contraindications="严重心力衰竭患者禁用。"), "高血压", ["心血管病"]) is None
    assert read.condition(class_of_it, "偏头痛", ["头痛", "痛"]) is None


def test_leaflets_on_diseases_medicines_driving_and_drink(checks: PersonChecks) -> None:
    read: LeafletReader = checks.leaflets
    says = leaflet(
        contraindications="活动性消化性溃疡患者禁用。40岁以上妇女禁用。",
        cautions="高血压患者慎用，孕妇禁用。服药期间不得驾驶机、车、船，不得饮酒。体重不足35kg者不要使用。",
        interactions="与抗凝药（如华法林）同用可增加出血风险。不应与单胺氧化酶抑制剂合用。",
    )

    def verdict(found: object) -> str | None:
        return getattr(found, "verdict", None)

    assert verdict(read.condition(says, "消化性溃疡")) == "forbid"
    assert verdict(read.condition(says, "高血压")) == "ask"
    assert verdict(read.condition(says, "痛风")) is None
    assert verdict(read.medicine(says, ["华法林", "抗凝药"])) == "ask"
    assert verdict(read.medicine(says, ["单胺氧化酶抑制剂"])) == "forbid"
    assert verdict(read.driving(says)) == "forbid" and verdict(read.alcohol(says)) == "forbid"
    assert verdict(read.driving(leaflet(cautions="如出现嗜睡，不得驾驶。"))) == "caution"
    assert verdict(read.driving(leaflet(cautions="用药后视物可暂时模糊，不要立即驾驶。"))) == "caution"
    assert verdict(read.driving(leaflet(cautions="服药后困倦者不要驾车。"))) == "caution"
    assert verdict(read.weight(says, 30)) == "forbid" and read.weight(says, 40) is None
    assert verdict(read.age(says, Span(540, 540))) == "forbid" and read.age(says, Span(300, 300)) is None


READER = LeafletReader(BOOK)


@settings(max_examples=100, deadline=None)
@given(
    text=st.text(alphabet="孕妇儿童2岁以下上禁用慎可以使用，。；咨询医师酒驾驶体重kg", min_size=1, max_size=40),
    months=st.integers(0, 1200),
)
def test_leaflets_may_say_anything(text: str, months: int) -> None:
    says = leaflet(**dict.fromkeys(("children", "pregnancy", "elderly", "cautions", "contraindications"), text))
    age = Span(months, months)
    for found in (
        READER.child(says, age, for_children=False),
        READER.pregnancy(says, Span(0, 45)),
        READER.elderly(says),
        READER.age(says, age),
        READER.weight(says, 3),
    ):
        assert found is None or found.verdict in ("allow", "caution", "ask", "forbid")


def test_a_long_list_of_medicines_is_bounded(checks: PersonChecks) -> None:
    slots: dict[SlotName, Slot] = {"drugs": Slot("yes", tuple(f"药{number}" for number in range(200)), turn=0)}
    findings = checks.of(checks.formulary.contents("布洛芬"), Patient("self", slots=slots), ADULT_LEAFLET)
    assert len(findings) == 24
