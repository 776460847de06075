"""What is cut from questions of forms, from answers of platforms and from explanations of exams, and what stays."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medasst.data.asked import without_labels, without_title
from medasst.data.exam_notes import asked as asked_of_exam
from medasst.data.exam_notes import check_case, check_key, check_one_question, explains
from medasst.data.filters import CleanSettings
from medasst.data.recipes import read_conversations
from medasst.data.records import RecordError
from medasst.data.settings import PrepareConfig
from medasst.data.stages import cleaned
from medasst.data.strict import STRICT
from medasst.data.tidy import tidied_turns

ANSWER = "多与休息不好有关，建议先早睡几天，多喝温水，少看手机。"


def asked(text: str) -> str:
    return str(tidied_turns(pl.Series([text, ANSWER]), pl.Series(["user", "assistant"])).texts[0])


def answered(text: str) -> str:
    return str(tidied_turns(pl.Series(["头痛怎么办", text]), pl.Series(["user", "assistant"])).texts[1])


# ---- users' turns ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "cut"),
    [
        (
            "病情描述（发病时间、主要症状、就诊医院等）：头痛三天曾经治疗情况和效果：没有治过想得到怎样的帮助：怎么办",
            "头痛三天。没有治过。怎么办",
        ),
        ("病情描述发病时间、主要症状、症状变化等）：头痛三天", "头痛三天"),
        ("全部症状：头痛，怕光发病时间及原因：熬夜治疗情况：", "头痛，怕光。熬夜"),
        ("头痛三天，怎么办？想得到的帮助：头痛三天，怎么办？", "头痛三天，怎么办？"),
        ("头痛三天，想得到", "头痛三天"),
        ("病情描述：", "病情描述："),
        ("我想得到你的帮助，头痛怎么办", "我想得到你的帮助，头痛怎么办"),
        ("治疗情况不好，头痛怎么办", "治疗情况不好，头痛怎么办"),
        ("熬夜以后头痛怎么？熬夜以后头痛怎么办，已经三天了", "熬夜以后头痛怎么办，已经三天了"),
        ("熬夜以后头痛，怎么办熬夜以后头痛，怎么办", "熬夜以后头痛，怎么办"),
        ("头痛，头痛，三天了", "头痛，头痛，三天了"),
        ("体温38。5度，血压13。2", "体温38.5度，血压13.2"),
        ("每天喝水3。2、少熬夜", "每天喝水3。2、少熬夜"),
        ("下列属于病史的是\nA. 主要症状：头痛\nB. 主要症状：头晕", "下列属于病史的是\nA. 主要症状：头痛\nB. 主要症状：头晕"),
    ],
)
def test_labels_and_titles_leave_questions(raw: str, cut: str) -> None:
    assert asked(raw) == cut


PARTS = ("病情描述：", "想得到的帮助：", "头痛三天", "怎么办", "，", "。", "？", "熬夜以后头痛怎么", "曾经治疗情况和效果：")


@given(st.lists(st.sampled_from(PARTS), max_size=12))
def test_cutting_questions_twice_changes_nothing_more_and_leaves_something(parts: list[str]) -> None:
    text = "".join(parts)
    once = without_title(without_labels(pl.Series([text])))
    assert without_title(without_labels(once.clone())).to_list() == once.to_list()
    assert bool(once[0]) == bool(text)


def test_what_was_changed_is_counted_by_record() -> None:
    rows = [["主要症状：头痛三天", ANSWER], ["头痛三天", "你好，" + ANSWER + "请及时采纳。"], ["头痛三天", ANSWER]]
    frame = pl.DataFrame({"roles": [["user", "assistant"]] * 3, "texts": rows})
    mended = cleaned(frame, CleanSettings(), privacy=True)["mended"].to_list()
    assert [sorted(names) for names in mended] == [["label of a form"], ["courtesy and labels", "talk of the platform"], []]


# ---- answers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "cut"),
    [
        (ANSWER + "如果满意，请点击采纳，谢谢！", ANSWER),
        (ANSWER + "方便的话麻烦给个评价", ANSWER),
        (ANSWER + "追问：要吃药吗", ANSWER),
        ("如果您超过五分钟不回复，系统会自动关闭对话。" + ANSWER, ANSWER),
        ("病情分析，你好:" + ANSWER + "指导意见如果三天不好，再去医院。", ANSWER + "如果三天不好，再去医院。"),
        ("建议补 充水分，多 休息。", "建议补充水分，多休息。"),
        ("每次0。5克，每日三次。", "每次0.5克，每日三次。"),
        ("请眷去医院，拖延的可能性很校", "请尽快去医院，拖延的可能性很小"),
        ("家眷都要检查，在学校多休息。", "家眷都要检查，在学校多休息。"),
        ("这种药不好评价，建议问医生。", "这种药不好评价，建议问医生。"),
    ],
)
def test_platforms_talk_and_slips_leave_answers(raw: str, cut: str) -> None:
    assert answered(raw) == cut


# ---- explanations ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "cut"),
    [
        (
            "本题考查头痛的治疗。首选休息（B对），手术（A错）用于肿瘤，输液（CD错）用于脱水。",
            "首选休息，手术用于肿瘤，输液用于脱水。",
        ),
        (
            "不属于偏头痛的是发热（E错，为本题正确答案）。畏光（A对）、恶心（B对）常见。",
            "不属于偏头痛的是发热。畏光、恶心常见。",
        ),
        ("偏头痛多为一侧搏动（P123）。掌握“头痛的分类”知识点。", "偏头痛多为一侧搏动。"),
        ("偏头痛多为一侧搏动性疼痛，故选A。", "偏头痛多为一侧搏动性疼痛。"),
        ("偏头痛多为一侧搏动性疼痛。E项为干扰项，没有这种头痛。", "偏头痛多为一侧搏动性疼痛。"),
        ("偏头痛多为一侧搏动性疼痛。A答案属于紧张性头痛。", "偏头痛多为一侧搏动性疼痛。"),
        ("偏头痛多为一侧搏动性疼痛；", "偏头痛多为一侧搏动性疼痛。"),
        ("第V对脑神经支配面部（三叉神经），头痛时可受累。", "第V对脑神经支配面部（三叉神经），头痛时可受累。"),
        ("维生素B（包括B1）缺乏可致神经炎，应当补充。", "维生素B（包括B1）缺乏可致神经炎，应当补充。"),
    ],
)
def test_notes_to_the_examinee_leave_explanations(raw: str, cut: str) -> None:
    assert explains(raw) == cut
    assert explains(cut) == cut


@pytest.mark.parametrize(
    ("reason", "check"),
    [
        ("no_answer", lambda: explains("故选A。")),
        ("other_question", lambda: explains("第75题，休息不好引起头痛；第76题，受凉引起咳嗽。")),
        ("missing_case", lambda: check_case("该患者首选的治疗是")),
        ("missing_case", lambda: check_case("四诊合参，辨析其证候是")),
        ("broken_stem", lambda: check_case("60%。最可能的原因是")),
        ("broken_stem", lambda: check_case("化学结构如下图的药物属于")),
        ("broken_stem", lambda: check_case("头痛首选的药物是 四、多项选择题")),
        ("broken_stem", lambda: explains("2.头痛时应当先休息，多数头痛休息后缓解。")),
        ("contradicts", lambda: check_key("头痛首选的是", "ABCD", ["A"], "首选休息（B对），手术（A错）用于肿瘤。")),
        ("contradicts", lambda: check_key("头痛首选的是", "ABCD", ["A"], "首选休息，故选B。")),
        ("several_keys", lambda: check_one_question("头痛宜用的是", ["休息", "手术"], "头痛——休息。肿瘤——手术。")),
    ],
)
def test_explanations_of_something_else_are_set_aside(reason: str, check: object) -> None:
    assert callable(check)
    with pytest.raises(RecordError) as caught:
        check()
    assert caught.value.reason == reason


def test_a_wrong_statement_that_only_a_mark_denies_is_set_aside() -> None:
    options = {"A": "头痛时应当立即手术", "B": "头痛时应当先休息", "C": "输液"}
    with pytest.raises(RecordError, match="contradicts"):
        explains("头痛时应当立即手术（A错），多数头痛休息后缓解。", "说法正确的是", options)
    said = "头痛时应当先休息（B对）。说法错误的是头痛时应当立即手术（A错，为本题正确答案）。输液（C错）用于脱水。"
    assert explains(said, "说法错误的是", options) == "头痛时应当先休息。说法错误的是头痛时应当立即手术。输液用于脱水。"


def test_what_a_paper_says_before_a_case_is_cut() -> None:
    assert asked_of_exam("（122～123题共用题干）女，55岁。头痛三天") == "女，55岁。头痛三天"
    assert asked_of_exam("3～5岁儿童头痛的常见原因是") == "3～5岁儿童头痛的常见原因是"


def test_the_stem_with_its_key_is_no_explanation() -> None:
    stem = "麻醉药品处方每次不得超过多少日的常用量"
    assert explains(stem + "3日。处方应当专册登记，保存三年。", stem) == "处方应当专册登记，保存三年。"
    assert explains("头痛首选的治疗是休息，再观察几天。", "头痛首选的治疗是") == "头痛首选的治疗是休息，再观察几天。"


def test_sound_questions_pass() -> None:
    check_case("女，30岁。头痛三天，该患者首选的治疗是")
    check_case("处方中含有大量黄精，粉碎宜采用")
    check_key("不属于偏头痛的是", "ABE", ["E"], "发热（E错）不是偏头痛的表现，畏光（A对）、恶心（B对）是。")
    check_key("头痛首选的是", "ABE", ["A"], "首选休息（A对BE错）。")
    check_one_question("偏头痛的表现有", ["畏光", "恶心"], "畏光。恶心。")
    check_one_question("偏头痛的表现为", ["畏光", "恶心"], "偏头痛可有畏光、恶心。")


def test_an_exam_with_notes_is_read_without_them_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"question": "头痛首选", "options": {"A": "手术", "B": "休息"}, "answer": "B",'
        ' "explanation": "本题考查头痛。休息（B对）多能缓解，手术（A错）用于肿瘤。"}',
        "utf-8",
    )
    (talk,) = read_conversations(str(path), "exam-explanations")
    assert talk.messages[1].content == "答案：休息（B）\n解析：休息多能缓解，手术用于肿瘤。"


# ---- filters ---------------------------------------------------------------------------------------------------------


def reason(texts: list[str], strict: bool = False) -> str | None:
    frame = pl.DataFrame({"roles": [["user", "assistant"] * (len(texts) // 2)], "texts": [texts]})
    found = cleaned(frame, CleanSettings(), privacy=True, strict=strict)["reason"][0]
    return None if found is None else str(found)


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("only_asks", ["孩子头痛", "请问宝宝头痛几天了？有没有发热？"]),
        ("only_asks", ["孩子头痛", "痛了多久了呢，发热吗", "三天", "好的，有没有呕吐呢？"]),
        ("rewritten", ["头痛怎么办", ANSWER + "\n...\n通过对原始对话的改写，增加了内容。"]),
        ("platform_talk", ["头痛怎么办", ANSWER, "好的", "您可以结束了"]),
        ("advertising", ["头痛怎么办", ANSWER + "权威头痛医院。"]),
        ("advertising", ["头痛怎么办", "可以请您来我院，头痛科经验丰富。" + ANSWER]),
    ],
)
def test_records_that_cannot_be_mended_are_dropped(name: str, texts: list[str]) -> None:
    assert reason(texts) == name


@pytest.mark.parametrize(
    "texts",
    [
        ["孩子头痛", "痛了多久了？", "三天", ANSWER],
        ["孩子头痛", ANSWER, "好的", "还有其他问题吗？"],  # a question back ends many a good dialogue
        ["孩子拉肚子吃什么", "可以吃米粥、面包干，避免油腻，多喝水，观察两天。"],
        ["传染病由谁预防", "答案：医院（A）\n解析：医院承担预防工作，救治患者，具备条件。"],
        ["B超怎么看", "回声增强，可能有炎症、建议查一下血、结果出来再看，平时有无发热？"],
        ["做彩超要预约吗", "一般需要提前预约，也可以网上预约，按时去产检就可以了。"],
        ["什么是假药广告", "广告中不得写“安全无毒副作用”“无效退款”等内容，违者由市场监管部门处理。"],
        ["哮喘怎么治", "您之前在我科确诊为哮喘，按时治疗了吗？平时要避开过敏原，定期复查肺功能。"],
    ],
)
def test_sound_records_pass(texts: list[str]) -> None:
    assert reason(texts) is None


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("names_medicine", "可以口服布洛芬缓释胶囊，休息两天，不好再去医院。"),
        ("tradition", "这是湿热引起的头痛，平时少吃辛辣，多休息。"),
        ("beauty", "可以去美容院护理，也有几个品牌值得考虑，注意防晒。"),
        ("in_person", "我们会安排您明天检查，检查前不要吃早饭，多休息。"),
        ("open_end", "多与休息不好有关，建议先早睡几天，少看手机"),
    ],
)
def test_unchecked_sources_lose_what_nobody_can_vouch_for(name: str, answer: str) -> None:
    assert reason(["头痛怎么办", answer], strict=True) == name
    assert reason(["头痛怎么办", answer]) is None


def test_a_possible_emergency_has_to_be_sent_to_a_hospital() -> None:
    asked = "我父亲突然昏迷，怎么办"
    assert reason([asked, ANSWER], strict=True) == "no_alarm"
    assert reason([asked, "请立即拨打120，让他侧卧，不要喂水喂药，等急救人员到来。"], strict=True) is None
    assert reason([asked, ANSWER]) is None


def test_strict_filters_are_documented_and_can_be_switched_off() -> None:
    root = Path(__file__).parents[2]
    told = (root / "docs/data.md").read_text("utf-8")
    assert all(function.__doc__ and re.search(rf"\| `{name}` \|", told) for name, function in STRICT.items())
    source = {"name": "a", "path": "a.jsonl", "strict": True}
    config = PrepareConfig.model_validate({"sources": [source], "clean": {"off": ["beauty"]}})
    assert config.sources[0].strict
