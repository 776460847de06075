"""The counter: what it asks, advises, offers, and to whom it offers nothing. Sentences of our own, over the sample shop."""

from __future__ import annotations

import json

import pytest
from sample_shop import CATALOGUE as SHOP
from sample_shop import LEXICON, RULES

from medasst.assistant import request
from medasst.assistant.counter import Counsel, Counter
from medasst.catalogue import Catalogue, Product
from medasst.catalogue.catalogue import SAMPLES
from medasst.conversation import Conversation, Message
from medasst.safety import Rules

COUNTER = Counter(SHOP, RULES)
ROWS = [json.loads(line) for line in SAMPLES.read_text("utf-8").splitlines()]


def turns(*said: str) -> Conversation:
    """User turns; one that begins with ? is our question of that id."""
    asked = {f"?{key}": row.text for key, row in RULES.questions.items()}
    return Conversation.of([Message("assistant", asked[one]) if one in asked else Message("user", one) for one in said])


def counsel(*said: str, counter: Counter = COUNTER, cheapest: bool = False) -> Counsel:
    return counter.counsel(request.read(turns(*said), SHOP, RULES), cheapest=cheapest)


def offered(found: Counsel) -> list[str]:
    return [one.product.name for one in found.offers]


# What is told suffices: offered at once

AT_ONCE = [
    ("我35岁，从昨天开始头疼，没有胃病", ["对乙酰氨基酚片"], []),
    ("我有消化性溃疡，牙疼得厉害", ["对乙酰氨基酚片"], ["布洛芬片", "布洛芬缓释胶囊"]),
    ("我有哮喘，今天头痛", ["对乙酰氨基酚片"], ["布洛芬片", "布洛芬缓释胶囊"]),
    ("我是货车司机，过敏性鼻炎，老打喷嚏", ["氯雷他定片"], ["马来酸氯苯那敏片"]),
    ("我有青光眼，花粉过敏一直打喷嚏", ["氯雷他定片"], ["马来酸氯苯那敏片"]),
    ("6岁孩子胳膊上被蚊子叮了几个包", ["炉甘石洗剂"], []),
    ("6岁孩子胳膊上被蚊子叮了几个包，抓得流黄水结痂了", ["莫匹罗星软膏"], ["炉甘石洗剂", "正骨水", "清凉油"]),
    ("我三十，头皮屑特别多", ["二硫化硒洗剂"], ["水杨酸苯酚贴膏"]),
    ("我五十岁，脚丫子缝里烂了，痒", ["盐酸特比萘芬乳膏"], ["尿素软膏", "炉甘石洗剂"]),
    ("我是开三轮的，感冒流鼻涕浑身痛", [], ["感冒灵颗粒", "马来酸氯苯那敏片", "双氯芬酸二乙胺乳胶剂"]),
    ("我五十，更年期老出汗，睡不着", [], ["乌洛托品溶液"]),
    ("我爸72岁，手上裂了好多口子", ["尿素软膏"], []),
    ("3岁宝宝发烧38度8，14公斤", ["对乙酰氨基酚混悬滴剂(儿童)", "布洛芬混悬液(儿童)"], ["布洛芬片", "对乙酰氨基酚片"]),
    ("8岁小孩感冒发烧，26公斤", ["对乙酰氨基酚混悬滴剂(儿童)"], ["感冒灵颗粒", "氨咖黄敏胶囊"]),
    ("4岁孩子咳嗽有痰，嗓子里呼噜呼噜", ["盐酸氨溴索口服溶液(儿童)"], ["盐酸氨溴索口服溶液", "愈创甘油醚糖浆"]),
    ("5岁孩子有蛔虫", ["阿苯达唑片"], []),
    ("9岁孩子晕车", ["茶苯海明片"], []),
    ("我40岁，咳嗽痰多", ["盐酸氨溴索口服溶液"], []),
    ("我33岁干咳，嗓子痒", ["养阴清肺糖浆"], ["愈创甘油醚糖浆", "盐酸氨溴索口服溶液"]),
    ("我30岁便秘好几天", ["乳果糖口服溶液"], []),
    ("我45岁反酸烧心", ["铝碳酸镁咀嚼片"], []),
    ("我25岁，吃多了消化不良", ["健胃消食片"], ["健儿消食口服液"]),
    ("我今年28拉肚子拉了四次", ["口服补液盐散(III)", "蒙脱石散"], []),
    ("我36岁失眠，晚上翻来覆去睡不着", ["枣仁安神胶囊"], []),
    ("我感冒了，怕冷流清鼻涕，31岁", ["感冒清热颗粒"], []),
    ("我感冒嗓子痛，29岁", ["银翘解毒片"], []),
    ("我脚气又犯了", ["盐酸特比萘芬乳膏"], []),
    ("我有糖尿病，脚气痒，没有破", ["盐酸特比萘芬乳膏"], ["水杨酸苯酚贴膏"]),
    ("我眼睛干涩，对着屏幕一整天", ["玻璃酸钠滴眼液"], []),
    ("我头皮屑特别多", ["二硫化硒洗剂"], []),
    ("我37岁痔疮疼，男的", ["马应龙麝香痔疮膏"], []),
    ("我22岁，女，没怀孕，痛经", ["布洛芬片"], []),
    ("我是女的，没怀孕，有胃溃疡，痛经", ["对乙酰氨基酚片"], ["布洛芬片"]),
    ("我碘过敏，喉咙痛", ["西瓜霜润喉片"], ["西地碘含片"]),
    ("我对创可贴的胶布过敏，手擦破皮了", ["聚维酮碘溶液"], ["苯扎氯铵贴(创可贴)", "云南白药创可贴"]),
    ("我41岁腰扭伤了", ["双氯芬酸二乙胺乳胶剂"], []),
    ("我嘴角烂了，27岁男", ["维生素B2片"], []),
    ("我刚吃过感冒灵，还是鼻塞", ["盐酸羟甲唑啉喷雾剂"], ["感冒灵颗粒", "对乙酰氨基酚片", "马来酸氯苯那敏片"]),
    ("我26岁发烧、鼻塞、咳嗽有痰", ["对乙酰氨基酚片", "盐酸氨溴索口服溶液"], ["感冒灵颗粒"]),
]


@pytest.mark.parametrize(("said", "wanted", "never"), AT_ONCE, ids=[one[0] for one in AT_ONCE])
def test_what_is_told_suffices(said: str, wanted: list[str], never: list[str]) -> None:
    found = counsel(said)
    names = offered(found)
    shelf = {one.name for one in SHOP}
    missing = [name for name in wanted if name not in names and name in shelf]
    assert not missing and not set(names) & set(never), names
    assert all(one.reason and one.section for one in found.offers)
    substances = [part.substance for one in found.offers for part in one.product.contents.substances]
    assert len(substances) == len(set(substances))
    assert len(found.missing) <= 1 and not found.tentative


# Something decisive is missing: asked before anything is offered

ASKED_FIRST = [
    ("孩子发高烧用什么药", ["child_age"], "对乙酰氨基酚"),
    ("宝宝咳嗽给吃点啥", ["child_age"], ""),
    ("想买点感冒药", ["who"], "感冒灵"),
    ("有没有咳嗽药", ["who", "cough"], ""),
    ("我29岁咳嗽", ["cough"], ""),
    ("肚子拉稀怎么办", ["who"], "口服补液盐"),
    ("头痛吃哪个药好", ["who"], "对乙酰氨基酚"),
    ("牙疼吃什么", ["who"], ""),
    ("我老婆头疼", ["pregnant"], "对乙酰氨基酚"),
    ("浑身起风团痒得不行", ["who"], ""),
    ("喉咙疼买什么", ["who"], ""),
]


@pytest.mark.parametrize(("said", "ids", "usual"), ASKED_FIRST, ids=[one[0] for one in ASKED_FIRST])
def test_what_decides_is_asked_before_anything_is_offered(said: str, ids: list[str], usual: str) -> None:
    found = counsel(said)
    assert not found.offers and found.advice and 1 <= len(found.missing) <= 2
    assert {row.id for row in found.missing} & set(ids)
    assert not usual or usual in found.tentative


def test_after_one_round_of_questions_what_fits_is_offered_and_nothing_is_asked_again() -> None:
    found = counsel("头疼", "?who", "?history", "成人")
    assert offered(found) and not found.missing
    assert not counsel("咳嗽，是我自己", "?cough", "说不清").missing
    again = counsel("孩子发烧", "?child_age", "不知道")
    assert not again.offers and not again.missing and again.advice


def test_the_childs_age_is_asked_even_after_another_question() -> None:
    assert [row.id for row in counsel("发烧了", "?who", "孩子").missing] == ["child_age"]


# To whom nothing is offered

NOTHING = [
    ("孕妇感冒了流鼻涕", "产科"),
    ("怀孕5个月发烧38度", "产科"),
    ("备孕呢，脸上长痘痘", "产科"),
    ("我在哺乳期，最近失眠", "医生"),
    ("10个月的宝宝感冒了", "1岁"),
    ("7岁孩子失眠", "医生"),
    ("12岁孩子脱发", "医生"),
    ("痔疮，大便发黑", "医生"),
]


@pytest.mark.parametrize(("said", "why"), NOTHING, ids=[one[0] for one in NOTHING])
def test_nothing_is_offered_and_why(said: str, why: str) -> None:
    found = counsel(said)
    assert not found.offers and why in found.not_for and found.advice


SILENT = ["感冒已经好了", "我同事感冒了", "为什么会失眠", "你好", "怎么预防脚气", "没有咳嗽也没有发烧"]


@pytest.mark.parametrize("said", SILENT)
def test_what_is_over_of_others_or_only_asked_about_is_no_complaint(said: str) -> None:
    assert counsel(said) == Counsel()


def test_where_a_pharmacist_may_give_leave_the_usual_is_named_and_not_offered() -> None:
    found = counsel("我妈71岁头疼")
    assert not found.offers and found.tentative == ("对乙酰氨基酚",) and found.refused and not found.not_for


def test_prescription_only_is_told() -> None:
    found = counsel("我尿频尿急尿痛")
    assert found.prescription_only and not found.offers and found.advice


def test_what_speaks_against_the_usual_choice_is_told() -> None:
    found = counsel("我有胃溃疡，头痛")
    assert any("布洛芬" in one.medicine for one in found.refused)
    found = counsel("我开网约车，感冒流鼻涕")
    assert {one.kind for one in found.refused} == {"driving"}


def test_of_two_persons_the_one_spoken_of_last_counts() -> None:
    assert offered(counsel("我儿子3岁发烧", "我自己头疼，30岁"))[0] == "对乙酰氨基酚片"
    found = counsel("我老婆怀孕了，嗓子疼", "我自己脚气用什么")
    assert "盐酸特比萘芬乳膏" in offered(found) and not found.not_for


def test_one_compound_for_several_complaints_or_single_substances_that_go_together() -> None:
    found = counsel("我30岁男，感冒，头痛发热流鼻涕，没过敏没慢性病没吃别的药")
    assert offered(found)[0] == "感冒灵颗粒"
    apart = counsel("我30岁男，发热咳嗽有痰，没过敏没慢性病没吃别的药")
    assert "感冒灵颗粒" not in offered(apart) and not apart.either and len(apart.offers) == 2
    assert counsel("我30岁男，头痛").either


def test_cheaper_orders_by_price() -> None:
    dear, cheap = counsel("我脚气"), counsel("我脚气", cheapest=True)
    assert cheap.offers[0].product.price <= dear.offers[0].product.price
    prices = [one.product.price for one in cheap.offers]
    assert prices == sorted(prices)


# Stock


def shop(*products: Product) -> Counter:
    made = Catalogue.of(products, LEXICON)
    return Counter(made, Rules(made))


def of(name: str, **changes: object) -> Product:
    row = next(row for row in ROWS if row["name"] == name)
    return Product.model_validate({**row, "label": row["status"], **changes})


def test_what_is_sold_out_is_passed_over_and_told() -> None:
    gone, there = of("对乙酰氨基酚片", stock=0), of("布洛芬片", stock=3)
    assert offered(counsel("我30岁头痛", counter=shop(gone, there))) == ["布洛芬片"]
    found = counsel("我30岁头痛", counter=shop(gone))
    assert not found.offers and found.out_of_stock == ("对乙酰氨基酚片",)


def test_without_its_leaflet_nothing_is_offered() -> None:
    assert not counsel("我30岁头痛", counter=shop(of("对乙酰氨基酚片", leaflet={}))).offers


def test_a_complaint_without_a_row_is_served_by_leaflets() -> None:
    rows = RULES.book.medicines.complaints.rows
    concepts = [one for one in SHOP.over_the_counter._weights if RULES.formulary.complaint(one, LEXICON.broader(one)) is None]
    assert concepts and not set(concepts) & set(rows)
    names = {concept: RULES.book.findings.rows[concept].words for concept in concepts if concept in RULES.book.findings.rows}
    found = [counsel(f"我30岁男，{words[0]}") for words in names.values() if words]
    assert any(one.offers and "说明书" in one.offers[0].reason for one in found)


def test_every_row_gives_advice_and_never_a_prescription_medicine() -> None:
    findings = RULES.book.findings.rows
    for name in RULES.book.medicines.complaints.rows:
        words = findings[name].words[0] if name in findings and findings[name].words else name
        found = counsel(f"我35岁，男，{words}")
        assert not any(one.product.prescription for one in found.offers), name
        assert len(found.offers) <= 3 and len(found.missing) <= 2


# Whom it is for


def test_an_old_man_without_appetite_gets_no_child_s_advice_nor_remedy() -> None:
    found = counsel("我爸82岁，没胃口，没别的病，没在吃药，不过敏")
    assert offered(found) and "启脾丸" not in offered(found)
    assert not any("孩子" in sentence for one in found.advice for sentence in one.sentences)
    assert "启脾丸" in offered(counsel("孩子5岁，18公斤，没胃口，没别的病，没在吃药，不过敏"))


def test_honey_is_for_nobody_with_diabetes() -> None:
    said = [sentence for one in counsel("我有糖尿病，干咳两天").advice for sentence in one.sentences]
    assert said and not any("蜂蜜" in sentence for sentence in said)


@pytest.mark.parametrize("said", ["考研压力大，睡不着", "上班对着电脑，眼睛干涩"])
def test_who_is_seen_to_be_grown_up_is_not_asked_for_whom_it_is(said: str) -> None:
    assert "who" not in [row.id for row in counsel(said).missing]


def test_of_how_it_is_taken_what_is_for_another_disease_is_left_out() -> None:
    (dandruff,) = [one.how for one in counsel("我三十，头皮屑特别多").offers if one.product.name == "二硫化硒洗剂"]
    assert "头皮屑" in dandruff and "花斑癣" not in dandruff
