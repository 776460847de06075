"""The prescription gate, facts and output checks."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_shop import BOOK, RULES
from sample_shop import CATALOGUE as SHOP

from medasst.catalogue import Catalogue
from medasst.conversation import Message
from medasst.disk import package_file
from medasst.lexicon import plain
from medasst.safety import Context, Facts, Rules, degenerate
from medasst.safety.doses import has_dose
from medasst.safety.gate import GATED
from medasst.text import sentences

PRESCRIPTION = [p for p in SHOP.products if p.prescription]
ADVICE = (
    "{}别空腹吃一次两粒。",
    "{}一次两粒不能喝酒。",
    "{}用于治疗感染。",
    "{}一次吃两粒。",
    "可以吃{}。",
    "建议您先吃点{}。",
    "{}每日3次，每次0.5g。",
    "{}对您的情况效果很好。",
    "吃{}能缓解。",
    "医生说{}可以直接买来吃。",
)


@pytest.mark.parametrize(
    "name", [n for p in PRESCRIPTION for n in p.names] + ["头孢拉定", "阿奇霉素", "奥美拉唑", "胰岛素", "amoxicillin", "安眠药"]
)
def test_no_advice_on_a_prescription_drug_whoever_writes(name: str) -> None:
    for advice in ADVICE:
        for author in ("person", "model"):
            assert RULES.check_sentence(advice.format(name), Context(author)).rule == "prescription", (advice, author)


@pytest.mark.parametrize(
    "disguise", ["阿 莫 西 林", "阿*莫*西*林", "阿莫西\u200b林", "阿莫希林", "Ａｍｏｘｉｃｉｌｌｉｎ", "阿-莫-西-林"]
)
def test_disguised_names_are_known(disguise: str) -> None:
    assert not RULES.check_sentence(f"可以吃{disguise}。", Context("model")).ok


@pytest.mark.parametrize(
    "name",
    ["莫匹罗星软膏", "红霉素眼膏", "酮康唑洗剂", "硝酸咪康唑乳膏", "双氯芬酸二乙胺乳胶剂", "丁酸氢化可的松乳膏", "维生素C片"],
)
def test_free_forms_are_not_gated(name: str) -> None:
    assert RULES.gate.mentions(name) == []


def test_the_stricter_of_table_and_shop_decides() -> None:
    gate, only = RULES.gate, Rules(SHOP.over_the_counter).gate
    assert gate.status("阿莫西林") in GATED and only.status("阿莫西林") in GATED  # the table says so, whatever is on the shelf
    assert gate.status("布洛芬") not in GATED and gate.status("红霉素软膏") not in GATED
    assert gate.status("奥美拉唑") == "rx"  # sold both ways: only the full name of a product that is free here is free
    assert gate.mentions("奥美拉唑肠溶胶囊怎么吃") == [] == gate.mentions("盐酸溴己新片怎么吃")
    assert gate.mentions("奥美拉唑肠溶胶囊和奥美拉唑有什么不同") == ["奥美拉唑"]
    assert gate.status("某某新药") is None
    row = SHOP["OTC-001"].model_copy(update={"sku": "RX-1", "status": "rx"})
    strict = Rules(Catalogue.of([*SHOP.products, row], SHOP.lexicon)).gate
    assert strict.status("布洛芬", "布洛芬缓释胶囊") in GATED  # this shop has one of that name on prescription


@pytest.mark.parametrize(
    "warning",
    [
        "阿莫西林是处方药，要有医生处方才能买。",
        "不要自己吃阿莫西林。",
        "与华法林同用可增加出血风险。",
        "在吃华法林的请先告诉医生或药师。",
        "对青霉素过敏的人请告诉医生。",
    ],
)
def test_people_may_warn_of_a_prescription_drug_and_models_may_not_name_it(warning: str) -> None:
    assert RULES.check_sentence(warning, Context("person")).ok
    assert RULES.check_sentence(warning, Context("model", grounds=warning)).rule == "prescription"


def test_a_dose_after_talk_of_a_prescription_drug_is_its_dose() -> None:
    dose = "每天三次，每次两粒。"
    assert RULES.check_sentence(dose, Context("person", about=None)).ok
    assert RULES.check_sentence(dose, Context("person", about=True)).rule == "prescription"
    assert RULES.check_sentence("布洛芬缓释胶囊" + dose, Context("person", about=True)).ok


def test_every_free_leaflet_passes_and_no_prescription_dose_does() -> None:
    passed = refused = 0
    for product in SHOP.products:
        for key, section in product.leaflet.items():
            about = None
            for sentence in sentences(f"{product.short_name}：{section.text}"):
                ok = RULES.check_sentence(sentence, Context(about=about)).ok
                about = named if (named := RULES.gate.subject(sentence)) is not None else about
                if not product.prescription:
                    passed += 1
                    assert ok, (product.sku, key, sentence)
                elif key in ("indications", "dosage") and has_dose(plain(sentence).text) and "不得自行" not in sentence:
                    refused += 1
                    assert not ok, (product.sku, key, sentence)
    assert passed > 700 and refused >= 9


@pytest.mark.parametrize(
    ("text", "acts"),
    [
        ("我在吃华法林，头疼吃什么", []),
        ("对青霉素过敏，嗓子疼", []),
        ("有糖尿病吃二甲双胍，便秘", []),
        ("吃着优甲乐能不能喝咖啡啊", []),
        ("激素药我不要，不含激素的湿疹膏有吗", []),
        ("给我来盒阿莫西林", [("buy", "阿莫西林")]),
        ("吃阿莫西林行吗", [("ask", "阿莫西林")]),
        ("左氧氟沙星片一天吃几次", [("dose", "左氧氟沙星片")]),
        ("我妈以前吃络活喜，帮我拿两盒", [("buy", "络活喜")]),
        ("阿莫西林和布洛芬一起买，怎么吃", [("dose", "阿莫西林")]),
        ("心里不安定，睡不着怎么办", []),
        ("瑞舒伐他汀钙片一天吃几片", [("dose", "瑞舒伐他汀钙片")]),
    ],
)
def test_what_is_wanted_of_a_prescription_medicine(text: str, acts: list[tuple[str, str]]) -> None:
    assert [(act.want, act.mention.words) for act in RULES.gate.acts(RULES.lexicon.read(text))] == acts


@pytest.mark.parametrize(
    ("turns", "warned"),
    [
        (["头孢能和酒一起吗"], True),
        (["我吃了头孢昨天，今天能喝啤酒吗"], True),
        (["头孢怎么买"], False),
        (["我有心绞痛", "想买万艾可"], True),
        (["我爸有心绞痛", "我自己要吃万艾可行不行"], False),
    ],
)
def test_what_must_be_said_first(turns: list[str], warned: bool) -> None:
    told = RULES.state([Message("user", turn) for turn in turns])
    assert bool(RULES.gate.warnings(told)) is warned


@pytest.mark.parametrize(
    "text",
    [
        "一次1粒",
        "每日3次",
        "0.5g",
        "每次10ml",
        "早晚各一次",
        "每6小时一次",
        "一天不超过4次",
        "两片",
        "一日2～3次",
        "500毫克",
        "bid",
    ],
)
def test_doses(text: str) -> None:
    assert has_dose(plain(text).text)


@pytest.mark.parametrize("text", ["多喝水", "过了3天没好转", "38度", "6岁以下", "两周后复诊", "请问第一次用吗", "一般来说"])
def test_no_doses(text: str) -> None:
    assert not has_dose(plain(text).text)


@pytest.mark.parametrize(
    ("turns", "facts"),
    [
        (["我怀孕了"], {"pregnant": True, "child": False}),
        (["没怀孕"], {"pregnant": False}),
        (["孩子", "两岁半了，发烧"], {"child": True, "child_months": 30}),
        (["宝宝1岁半"], {"child": True, "child_months": 18}),
        (["8个月的宝宝拉肚子"], {"child_months": 8}),
        (["宝宝咳嗽两个月了"], {"child": True, "child_months": None}),
        (["对阿司匹林过敏"], {"allergies": ("阿司匹林",)}),
        (["不知道对什么过敏"], {"allergies": ()}),
        (["过敏性鼻炎"], {"allergies": ()}),
        (["我有高血压和胃溃疡"], {"chronic": ("高血压", "胃溃疡")}),
        (["没有高血压"], {"chronic": ()}),
        (["在喂奶"], {"nursing": True}),
        (["奶奶75岁"], {"elderly": True, "child": False}),
        (["头疼"], {"pregnant": None, "child": None, "nursing": None}),
        (["在吃华法林"], {"drugs": ("华法林",)}),
    ],
)
def test_facts(turns: list[str], facts: dict[str, object]) -> None:
    read = Facts.of(RULES.patient(turns))
    assert {key: getattr(read, key) for key in facts} == facts


@pytest.mark.parametrize(("rule", "text", "model"), [(c.id, e, c.model) for c in BOOK.output.check for e in c.examples])
def test_output_rules_by_their_examples(rule: str, text: str, model: bool) -> None:
    verdict = RULES.check_sentence(text, Context("model" if model else "person"))
    assert not verdict.ok and verdict.rule in (rule, "prescription")  # some name a kind of medicine as well


def test_vetted_samples_pass_but_for_a_handful() -> None:
    rows = [json.loads(line) for line in (package_file("samples") / "qa.jsonl").read_text("utf-8").splitlines()]
    said = [s for row in rows for m in row["messages"] if m["role"] == "assistant" for s in sentences(m["content"])]
    refused = [s for s in said if not RULES.check_sentence(s, Context()).ok]
    assert len(said) > 1000 and len(refused) < 0.015 * len(said), refused


def test_a_model_may_word_what_people_wrote_and_no_more() -> None:
    grounds = "布洛芬缓释胶囊用于缓解轻至中度疼痛，如头痛、牙痛。服药期间不得饮酒。"

    def verdict(sentence: str) -> str | None:
        return RULES.check_sentence(sentence, Context("model", grounds)).rule

    assert verdict("服药期间请不要饮酒。") is None
    assert verdict("请多喝温水，注意休息。") is None
    assert verdict("布洛芬缓释胶囊用于缓解头痛、牙痛。") is None
    assert verdict("三九感冒灵颗粒也可以缓解头痛。") == "unknown_drug"
    assert verdict("每晚睡前练习倒立有助于气血上行。") == "ungrounded"
    assert verdict("布洛芬缓释胶囊一次1粒。") == "dose"
    assert verdict("请及时到医院就诊，请医生检查，也可以用蒙脱石。") == "unknown_drug"
    assert verdict("孕妇可以吃布洛芬不用问医生。") == "population_claim"
    assert verdict("怀孕的话请先咨询医生。") != "population_claim"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("好。", "empty"),
        ("多喝水，多喝水，多喝水，多喝水。", "loop"),
        ("建议去医院检查。" * 4, "loop"),
        ("建议您到正规医院的消化内科检查一下再决定如何治疗比较好" * 3, "loop"),
        ("注意休息。\n用户：还有吗", "role_leak"),
        ("Please drink more water and rest well.", "not_chinese"),
        ("感冒发烧吃什么药好得快呢？", "echo"),
        ("您好，感冒时多休息，多喝温水，饮食清淡一些，体温超过38.5度可以咨询药师。", None),
    ],
)
def test_degenerate(text: str, reason: str | None) -> None:
    assert degenerate(text, "感冒发烧吃什么药好得快呢") == reason


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="孕妇宝可以吃用阿莫西林头孢一次两片治疗mg0123，。根治", max_size=30))
def test_checks_never_fail_on_junk(text: str) -> None:
    verdict = RULES.check_sentence(text, Context("model", "多喝水"))
    assert verdict.ok is (verdict.rule is None)
    degenerate(text, text)
