"""Answers that recommend a forbidden medicine are set aside, and only those."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from medasst.config import parse
from medasst.data import PrepareConfig, prepare
from medasst.data.unsafe import checker, found


def row(asked: str, answer: str) -> str:
    """The row by which an answer is unsafe, or empty."""
    one = checker().find([("user", asked), ("assistant", answer)])
    return one.row if one else ""


UNSAFE = {
    "pregnancy": ("我怀孕五个月了，牙龈肿痛，吃什么药好", "可以口服米诺环素，一天两次，多喝水。", "tetracycline_pregnancy"),
    "weeks": ("孕32周，腰疼得厉害", "建议服用双氯芬酸钠缓释片止痛，注意休息。", "nsaid_trimester_3"),
    "lactation": ("我在哺乳期，得了阴道炎", "可以吃甲硝唑片，每天三次，连用一周。", "metronidazole_lactation"),
    "age": ("孩子6岁，拉肚子两天", "考虑肠炎，可以服用诺氟沙星胶囊，注意补水。", "quinolone_child"),
    "list": ("宝宝8个月，流清鼻涕", "建议吃点板蓝根颗粒、扑尔敏，多喝水。", "sedating_antihistamine_infant"),
    "disease": ("我有胃溃疡，最近膝盖疼", "疼的时候可以口服布洛芬，局部热敷。", "nsaid_ulcer"),
    "asthma": ("有哮喘好几年了，这几天头疼", "建议口服阿司匹林，一次一片。", "aspirin_asthma"),
    "allergy": ("嗓子发炎了，我对青霉素过敏", "可以吃阿莫西林胶囊，一天三次。", ""),
    "both": ("胃胀反酸，查出幽门螺杆菌", "建议口服克拉霉素胶囊，多潘立酮片，饭前半小时服用。", "domperidone_cyp3a4"),
    "taken": ("我正在吃克拉霉素，胃胀", "可以口服多潘立酮，饭前吃。", "domperidone_cyp3a4"),
    "dose": ("感冒发烧头疼", "可以服用对乙酰氨基酚片，每次2g，每日4次。", "对乙酰氨基酚_fever_144"),
}


@pytest.mark.parametrize("name", UNSAFE)
def test_what_is_forbidden_is_found(name: str) -> None:
    asked, answer, expected = UNSAFE[name]
    assert row(asked, answer) == expected or (name == "allergy" and row(asked, answer))


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("孩子6岁，拉肚子两天", "诺氟沙星孩子不能吃，可以用蒙脱石散，注意补水。"),
        ("孩子6岁，拉肚子两天", "避免服用诺氟沙星，18岁以下禁用。"),
        ("孩子6岁，拉肚子两天", "之前吃过诺氟沙星吗？"),
        ("孩子6岁，眼睛红", "可以用左氧氟沙星滴眼液点眼。"),
        ("孩子6岁，拉肚子两天", "可以吃蒙脱石散和口服补液盐。"),
        ("我今年30岁，拉肚子两天", "可以服用诺氟沙星胶囊，注意补水。"),
        ("我6岁时得过肺炎，现在40岁，拉肚子", "可以服用诺氟沙星胶囊。"),
        ("我没有怀孕，牙龈肿痛", "可以口服米诺环素，一天两次。"),
        ("月经推迟，是不是怀孕了，牙也疼", "可以口服米诺环素，一天两次。"),
        ("我怀孕五个月了，牙龈肿痛", "产后可以口服米诺环素，现在先漱口。"),
        ("我没有胃溃疡，膝盖疼", "疼的时候可以口服布洛芬。"),
        ("我妈有胃溃疡，我膝盖疼", "疼的时候可以口服布洛芬。"),
        ("川崎病怎么治，孩子3岁", "一般可以口服阿司匹林，住院用丙种球蛋白。"),
        ("胃胀反酸", "可以选择克拉霉素或者多潘立酮，二选一。"),
        ("感冒发烧头疼", "可以服用对乙酰氨基酚片，每次0.5g，每日3次。"),
        ("膝盖疼", "疼的时候可以口服布洛芬。"),
        ("以前得过胃溃疡，已经治好了，现在膝盖疼", "疼的时候可以口服布洛芬。"),
        ("怀孕五个月误服了米诺环素", "怀孕期间服用米诺环素，可能对胎儿的牙齿有影响。"),
        ("我怀孕五个月了，牙龈肿痛，能喝米诺环素吗", "现在最好不吃米诺环素，先漱口。"),
        ("准备怀孕，牙龈肿痛", "可以口服米诺环素，一天两次。"),
        ("非哺乳期乳腺炎", "可以吃甲硝唑片，每天三次。"),
        ("我有胃病，会传染给3岁的孩子吗", "可以服用多潘立酮片。"),
        ("痔疮两年了，开始两三个月大便出血", "可以服用诺氟沙星胶囊。"),
        ("哮喘和慢阻肺的治疗有何不同", "哮喘可以口服阿司匹林。"),
    ],
)
def test_what_is_not_for_sure_stays(asked: str, answer: str) -> None:
    assert row(asked, answer) == ""


def test_only_what_was_told_before_the_answer_counts() -> None:
    turns = [
        ("user", "拉肚子两天"),
        ("assistant", "可以服用诺氟沙星胶囊。"),
        ("user", "孩子才6岁"),
        ("assistant", "那不能吃。"),
    ]
    assert checker().find(turns) is None
    assert checker().find([*turns[:1], *turns[2:3], *turns[1:2]]) is not None


def test_explanations_of_exams_speak_of_wrong_options_too() -> None:
    assert row("患儿，6岁，腹泻，首选", "答案：A 解析：可以服用诺氟沙星。") == ""


def test_null_where_nothing_is_forbidden() -> None:
    frame = pl.DataFrame(
        {"roles": [["user", "assistant"]] * 2, "texts": [["孩子6岁", "可以服用诺氟沙星。"], ["孩子6岁", "多喝水。"]]}
    )
    assert found(frame).to_list() == ["quinolone_child: 诺氟沙星 · 6岁", None]


def test_a_run_counts_it_and_says_which_row(tmp_path: Path) -> None:
    rows = [{"question": f"头疼第{n}天怎么办", "answer": f"先休息{n}天，多喝温水，不好再去医院看。"} for n in range(40)]
    rows.append({"question": "孩子6岁，拉肚子两天怎么办", "answer": "考虑肠炎，可以服用诺氟沙星胶囊，注意补水。"})
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), "utf-8")
    settings = {"sources": [{"name": "a", "path": str(tmp_path / "a.jsonl")}], "near_duplicates": {"enabled": False}}
    prepare(parse(PrepareConfig, settings), tmp_path / "out")
    lost = pl.read_parquet(tmp_path / "out" / "rejected-*.parquet").filter(pl.col("reason") == "unsafe_medicine")
    assert lost["matched_id"].to_list() == ["quinolone_child: 诺氟沙星胶囊 · 6岁"]
    settings["clean"] = {"off": ["unsafe_medicine"]}
    prepare(parse(PrepareConfig, settings), tmp_path / "all")
    kept = pl.read_parquet(tmp_path / "all" / "rejected-*.parquet")["reason"]
    assert "unsafe_medicine" not in kept.to_list()


def test_a_medicine_that_is_named_twice_is_no_pair() -> None:
    assert not row("做过瓣膜手术在吃华法林，闪了腰", "您吃着华法林，止痛药先别用。可以先打电话问开华法林的医生。")
    assert not row("做过瓣膜手术在吃华法林", "可以继续服用华法林，按时查凝血。")
