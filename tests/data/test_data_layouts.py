"""Layouts of dialogues: who speaks, what is left out, and what is not certain enough to learn from."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medasst.config import load
from medasst.data import PrepareConfig, read_conversations
from medasst.data.layouts import LAYOUTS, Mapped
from medasst.data.recipes import Bad, Good, read_records, reader
from medasst.data.records import RecordError
from medasst.errors import ConfigError


def read(path: Path, recipe: str = "", layout: str = "", bad: list[Bad] | None = None) -> list[list[str]]:
    """The turns of each conversation, the user's first."""
    found = list(read_conversations(str(path), recipe, layout, on_bad=(bad if bad is not None else []).append))
    assert all([m.role for m in c.messages] == ["user", "assistant"] * (len(c.messages) // 2) for c in found)
    return [[m.content for m in c.messages] for c in found]


def jsonl(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


@pytest.mark.parametrize(
    "row",
    [
        {
            "_id": 1,
            "source": "x",
            "conversation": [{"role": "user", "content": "头痛"}, {"role": "assistant", "content": "休息"}],
        },
        {"conversations": [{"role": "user", "content": "头痛"}, {"role": "assistant", "content": "休息"}]},
        {"dialogue_turns": [{"speaker": "病人", "utterance": "头痛"}, {"speaker": "医生", "utterance": "休息"}]},
        {"data": ["问：头痛", "答：休息"]},
        {"turns": ["患者:头痛", "药师:休息"]},
        ["病人：头痛", "医生：休息"],
        {"messages": [{"role": "User", "content": "头痛"}, {"role": "Assistant ", "content": "休息"}]},
        {"transcript": "用户：头痛\n助手：休息"},
    ],
)
@pytest.mark.parametrize("form", ["lines", "array", "object"])
def test_dialogues_are_told_from_their_fields(tmp_path: Path, row: Any, form: str) -> None:
    path = tmp_path / "a.json"
    whole = json.dumps(row, ensure_ascii=False, indent=1)
    path.write_text({"lines": json.dumps(row) + "\n" + json.dumps(row), "array": f"[{whole},{whole}]", "object": whole}[form])
    assert read(path) == [["头痛", "休息"]] * (1 if form == "object" else 2)


def test_greetings_and_unanswered_last_words_are_left_out(tmp_path: Path) -> None:
    path = jsonl(
        tmp_path / "a.jsonl", ["医生：您好", "病人：头痛", "病人：两天了。", "病人：怎么办", "医生：休息", "病人：谢谢"]
    )
    assert read(path) == [["头痛，两天了。怎么办", "休息"]]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "头痛", "病人：头痛", "医生：好", "[MASK]"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["role", "content", "from", "value", "human", "assistant"]), inner, max_size=3)
    ),
    max_leaves=6,
)
FIELDS = [
    "instruction", "input", "output", "history", "system", "query", "response", "question", "answer", "questions", "answers",
    "title", "ask", "department", "messages", "conversations", "conversation", "dialogue_turns", "turns", "data", "transcript",
    "consultation", "dialog", "label", "disease", "dialogue-content", "group",
]  # fmt: skip


@given(row=st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=5) | JSON)
@pytest.mark.parametrize("name", ["auto", *LAYOUTS, "alpaca", "questions-answers", "title-ask-answer"])
def test_no_row_whatever_stops_a_reader(name: str, row: Any) -> None:
    try:
        turns = reader(layout=name).parse(row).turns
    except RecordError as error:
        assert error.reason.isidentifier() and error.detail
    else:
        assert turns[-1][0] == "assistant" and all(isinstance(text, str) for _, text in turns)


# ---- one file per dialogue -------------------------------------------------------------------------------------------


def test_one_file_per_dialogue_as_text(tmp_path: Path) -> None:
    (tmp_path / "1.txt").write_text("患者：头痛两天\n  夜里重\n医生：先休息\n\n患者：要吃药吗\n医生： 不用\n", "utf-8")
    (tmp_path / "2.txt").write_bytes("\r\n问：咳嗽\r\n三天\r\n答：喝水\r\n".encode("gb18030"))
    (tmp_path / "3.txt").write_text("没有人说话的一段文字", "utf-8")
    bad: list[Bad] = []
    assert read(tmp_path / "*.txt", bad=bad) == [["头痛两天\n  夜里重", "先休息", "要吃药吗", "不用"], ["咳嗽\n三天", "喝水"]]
    assert [(b.file, b.reason) for b in bad] == [("3.txt", "not_json")]


def test_one_file_per_dialogue_as_objects(tmp_path: Path) -> None:
    for i in range(3):
        row = {"messages": [{"role": "user", "content": f"问{i}"}, {"role": "assistant", "content": f"答{i}"}]}
        (tmp_path / f"{i}.json").write_text(json.dumps(row, ensure_ascii=False, indent=2 if i else None), "utf-8")
    assert read(tmp_path / "*.json") == [["问0", "答0"], ["问1", "答1"], ["问2", "答2"]]


# ---- tables without headings -----------------------------------------------------------------------------------------

WEBMEDQA = '内科\t1\t7\t头痛"怎么办\t多休息\n内科\t0\t7\t头痛"怎么办\t换个手机\n外科\t1\t8\t扭伤了\t先冷敷\n只有一格\n'


@pytest.mark.parametrize("packed", [False, True])
def test_webmedqa_takes_accepted_answers_only(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / "medQA.train.txt"
    path.write_text(WEBMEDQA, "utf-8")
    if packed:
        with zipfile.ZipFile(tmp_path / "train.zip", "w") as archive:
            archive.write(path, path.name)
        path = tmp_path / "train.zip"
    bad: list[Bad] = []
    assert read(path, "webmedqa", bad=bad) == [['头痛"怎么办', "多休息"], ["扭伤了", "先冷敷"]]
    assert [(b.line, b.reason) for b in bad] == [(2, "not_wanted"), (4, "bad_csv")]
    assert "label is '0'; only rows with '1' are taken" in bad[0].text
    assert [c.department for c in read_conversations(str(path), "webmedqa")] == ["内科", "外科"]


def test_a_mapping_names_the_columns_of_a_table_without_headings(tmp_path: Path) -> None:
    for name, comma in (("a.csv", ","), ("a.tsv", "\t"), ("a.txt", "\t")):
        (tmp_path / name).write_text(f"1{comma}头痛{comma}休息\n", "utf-8")
        how = reader(mapping=Mapped(columns=("id", "q", "a"), question="q", answer="a"))
        (found,) = read_records(tmp_path / name, name, how.parse)
        assert isinstance(found, Good) and (found.line, found.record.turns) == (1, [("user", "头痛"), ("assistant", "休息")])


def test_a_mapping_may_name_only_columns_that_there_are(tmp_path: Path) -> None:
    (tmp_path / "prepare.toml").write_text(
        '[[sources]]\nname = "a"\npath = "a"\nmapping = { columns = ["ask", "reply"], question = "ask", answer = "replly" }\n'
    )
    with pytest.raises(ConfigError, match="'replly' is none of the columns; did you mean 'reply'"):
        load(PrepareConfig, tmp_path / "prepare.toml")


def test_a_mapping_in_toml(tmp_path: Path) -> None:
    (tmp_path / "prepare.toml").write_text(
        '[[sources]]\nname = "a"\npath = "a.csv"\n'
        'mapping = { question = ["title", "ask"], answer = "reply", department = "dept", only = { ok = "yes" } }\n'
    )
    mapping = load(PrepareConfig, tmp_path / "prepare.toml").sources[0].mapping
    assert mapping is not None
    record = mapping.read({"title": "头痛", "ask": "两天了", "reply": "休息", "dept": "内科", "ok": " yes "})
    assert (record.turns, record.department) == ([("user", "头痛\n两天了"), ("assistant", "休息")], "内科")
    with pytest.raises(ConfigError, match="anwser"):
        load(PrepareConfig, tmp_path / "prepare.toml", ['sources=[{name="a", path="a", mapping={question="q", anwser="a"}}]'])


# ---- MedDialog -------------------------------------------------------------------------------------------------------

MEDDIALOG = """id=1
https://example.org/1.htm
Doctor faculty
某某 主任医师

Description
疾病：
感冒
病情描述（发病时间、主要症状等）：
咳嗽三天
希望获得的帮助：
要不要吃药
Dialogue
医生：
多大年纪
病人：
三十岁
医生：
多喝水
id=我的号
Diagnosis and suggestions
上呼吸道感染

id=2
Description
病情描述：头痛
Dialogue
病人：
怎么办
医生：
休息
id=3
Description
病情描述：
没有对话
"""


def test_meddialog_as_text(tmp_path: Path) -> None:
    (tmp_path / "2010.txt").write_text(MEDDIALOG, "utf-8")
    bad: list[Bad] = []
    assert read(tmp_path / "2010.txt", "meddialog-cn", bad=bad) == [
        ["咳嗽三天，要不要吃药", "多大年纪", "三十岁", "多喝水\nid=我的号"],
        ["头痛，怎么办", "休息"],
    ]
    assert [(b.line, b.reason) for b in bad] == [(MEDDIALOG.split("\n").index("id=3") + 1, "missing_field")]


def test_meddialog_as_lists_of_turns(tmp_path: Path) -> None:
    rows = [["病人：头痛", "医生：休息"], ["病人：咳嗽", "医生：喝水", "病人：好", "医生：嗯"]]
    (tmp_path / "train.json").write_text(json.dumps(rows, ensure_ascii=False, indent=4), "utf-8")
    assert read(tmp_path / "train.json", "meddialog-cn") == [["头痛", "休息"], ["咳嗽", "喝水", "好", "嗯"]]


# ---- DialMed ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "label", "filled"),
    [
        ("可用[MASK]，饭后服", ["甲药"], "可用甲药，饭后服"),
        ("早上[MASK]，晚上也[MASK]", ["甲药"], "早上甲药，晚上也甲药"),
        ("多休息", ["甲药"], "多休息"),
        ("建议备[MASK]，[MASK]和[MASK]。", ["甲药", "乙药", "丙药"], "建议备甲药、乙药、丙药。"),
        ("建议备[MASK]，[MASK]", ["甲药"] * 2 + ["丙药"], None),  # fewer masks than names
        ("早上[MASK]，晚上[MASK]", ["甲药", "乙药"], None),  # which is for the morning?
        ("口服[MASK]，[MASK]", ["甲药", "乙药"], None),  # one of them may be an ointment
        ("[MASK]，[MASK]。另外[MASK]", ["甲药", "乙药", "丙药"], None),
    ],
)
def test_masks_are_filled_only_where_no_mix_up_is_possible(
    tmp_path: Path, said: str, label: list[str], filled: str | None
) -> None:
    bad: list[Bad] = []
    row = {"label": label, "disease": ["感冒"], "dialog": ["患者：不舒服", f"医生：{said}"]}
    found = read(jsonl(tmp_path / "a.jsonl", row), "dialmed", bad=bad)
    assert found == ([["不舒服", filled]] if filled else [])
    assert [b.reason for b in bad] == ([] if filled else ["masked_answer"])
