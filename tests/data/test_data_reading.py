"""Containers, encodings, layouts and exam questions; what is wrong in them is told with its line."""

from __future__ import annotations

import gzip
import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from medasst.data import read_conversations, read_exam
from medasst.data.files import matching, read_rows
from medasst.data.recipes import Bad
from medasst.data.rows import Row
from medasst.errors import ConfigError, DataError

QA = [{"question": "头痛怎么办", "answer": "先休息，多喝水。"}, {"question": "咳嗽吃什么", "answer": "可以喝温水润喉。"}]


def rows(path: Path) -> list[Row]:
    return list(read_rows(path))


def write_jsonl(path: Path, records: list[Any]) -> Path:
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records), "utf-8")
    return path


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("suffix", [".json", ".json.gz", ".json.zip"])
def test_arrays_in_every_wrapping(tmp_path: Path, suffix: str, encoding: str, indent: int | None) -> None:
    data = json.dumps(QA, ensure_ascii=False, indent=indent).encode(encoding)
    path = tmp_path / f"qa{suffix}"
    if suffix.endswith(".gz"):
        path.write_bytes(gzip.compress(data))
    elif suffix.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("qa.json", data)
    else:
        path.write_bytes(data)
    assert [row.value for row in rows(path)] == QA
    assert [row.line for row in rows(path)] == ([2, 6] if indent else [1, 1])


def test_an_array_longer_than_the_buffer_comes_whole(tmp_path: Path) -> None:
    records = [{"question": f"问题{i}" * 40, "answer": "答" * (i % 700)} for i in range(3000)]
    path = tmp_path / "long.json"
    path.write_text(json.dumps(records, ensure_ascii=False), "utf-8")
    assert [row.value for row in rows(path)] == records


def test_csv_tsv_parquet(tmp_path: Path) -> None:
    frame = pl.DataFrame(QA)
    frame.write_csv(tmp_path / "a.csv")
    frame.write_csv(tmp_path / "a.tsv", separator="\t")
    frame.write_parquet(tmp_path / "a.parquet")
    for name in ("a.csv", "a.tsv", "a.parquet"):
        assert [row.value for row in rows(tmp_path / name)] == QA


def test_lines_keep_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n\nnot json\n{"a": 2}\n{"a": ', "utf-8")
    assert [(row.line, row.value, row.error.partition(":")[0]) for row in rows(path)] == [
        (1, {"a": 1}, ""),
        (3, None, "not_json"),
        (4, {"a": 2}, ""),
        (5, None, "not_json"),
    ]


def test_a_broken_element_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('[{"a": 1},\n {"a": oops},\n {"a": 3}]', "utf-8")
    found = rows(path)
    assert [row.value for row in found] == [{"a": 1}, None, {"a": 3}]
    assert found[1].error.startswith("not_json") and found[1].line == 2


def test_truncated_gzip_keeps_what_came_before(tmp_path: Path) -> None:
    data = "".join(json.dumps({"n": i, "x": f"{i * 7919 % 10007:x}" * 9}) + "\n" for i in range(5000)).encode()
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(data)[:-2000])
    found = rows(path)
    assert len(found) > 100 and found[0].value["n"] == 0
    assert found[-1].error.startswith("unreadable") and "truncated" in found[-1].error


def test_an_overlong_line_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medasst.data.rows.LONGEST", 1000)
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n' + '{"a": "' + "x" * 5000 + '"}\n{"a": 2}\n', "utf-8")
    assert [(row.line, row.value, row.error.partition(":")[0]) for row in rows(path)] == [
        (1, {"a": 1}, ""),
        (2, None, "too_long"),
        (3, {"a": 2}, ""),
    ]


def test_a_csv_row_of_another_width_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('q,a\n"x\ny",1\nonly\nz,2\n', "utf-8")
    assert [(row.line, row.value) for row in rows(path)] == [(2, {"q": "x\ny", "a": "1"}), (4, None), (5, {"q": "z", "a": "2"})]


def test_missing_and_unknown_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no file matches"):
        matching(str(tmp_path / "*.json"))
    (tmp_path / "a.docx").write_text("x")
    with pytest.raises(DataError, match="unknown kind of file"):
        rows(tmp_path / "a.docx")


@pytest.mark.parametrize(
    ("row", "turns"),
    [
        ({"instruction": "头痛", "input": "怎么办", "output": "休息"}, ["头痛\n怎么办", "休息"]),
        ({"instruction": ["头痛"], "input": "", "output": [["休息", "喝水"]]}, ["头痛", "休息\n喝水"]),
        ({"instruction": "三", "output": "四", "history": [["一", "二"]]}, ["一", "二", "三", "四"]),
        ({"query": "头痛", "response": "休息"}, ["头痛", "休息"]),
        ({"question": "头痛", "answer": "休息"}, ["头痛", "休息"]),
        ({"questions": [["头痛", "头疼"]], "answers": ["休息"]}, ["头痛", "休息"]),
        ({"title": "头痛", "ask": "头痛怎么办", "answer": "休息", "department": "内科"}, ["头痛怎么办", "休息"]),
        ({"title": "头痛", "ask": "无", "answer": "休息", "department": "内科"}, ["头痛", "休息"]),
        ({"conversations": [{"from": "human", "value": "头痛"}, {"from": "gpt", "value": "休息"}]}, ["头痛", "休息"]),
        ({"messages": [{"role": "user", "content": "头痛"}, {"role": "assistant", "content": "休息"}]}, ["头痛", "休息"]),
        ({"_id": 1, "source": "x", "conversation": [{"human": "头痛", "assistant": "休息"}]}, ["头痛", "休息"]),
        ({"dialog": ["患者：头痛", "患者：两天", "医生：吃[MASK]"], "label": ["布洛芬"]}, ["头痛，两天", "吃布洛芬"]),
        ({"dialogue-content": [{"speaker": "患者", "sentence": "咳"}, {"speaker": "医生", "sentence": "好"}]}, ["咳", "好"]),
    ],
)  # fmt: skip
def test_layouts_are_told_from_their_fields(tmp_path: Path, row: dict[str, Any], turns: list[str]) -> None:
    (conversation,) = read_conversations(str(write_jsonl(tmp_path / "a.jsonl", [row])))
    assert [m.content for m in conversation.messages] == turns
    assert [m.role for m in conversation.messages] == ["user", "assistant"] * (len(turns) // 2)


def test_marked_turns(tmp_path: Path) -> None:
    row = {"instruction": " <user>: 一 <bot>: 二 <user>: 三", "output": "四"}
    (conversation,) = read_conversations(str(write_jsonl(tmp_path / "a.jsonl", [row])), layout="marked-turns")
    assert [(m.role, m.content) for m in conversation.messages] == [
        ("user", "一"),
        ("assistant", "二"),
        ("user", "三"),
        ("assistant", "四"),
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"question": "头痛", "answer": None}, "no_answer"),
        ({"question": "头痛", "answer": 3}, "not_text"),
        ({"question": "头痛", "answer": "  "}, "no_answer"),
        ({"question": "", "answer": "好"}, "no_question"),
        ({"ask": "头痛", "reply": "好"}, "missing_field"),
        ({"messages": [{"role": "user", "content": "头痛"}]}, "no_answer"),
        ({"messages": [{"role": "wizard", "content": "头痛"}]}, "unknown_role"),
        (["头痛", "好"], "unknown_role"),
        (["头痛", 3], "not_an_object"),
        ("头痛", "not_an_object"),
    ],
)
def test_a_row_that_is_no_conversation_is_reported_with_its_reason(tmp_path: Path, row: Any, reason: str) -> None:
    bad: list[Bad] = []
    good = {"question": "咳嗽", "answer": "喝水"}
    found = list(read_conversations(str(write_jsonl(tmp_path / "a.jsonl", [good, row])), on_bad=bad.append))
    assert len(found) == 1
    assert [(b.file, b.line, b.reason) for b in bad] == [("a.jsonl", 2, reason)]


def test_unknown_names_are_answered_with_the_nearest(tmp_path: Path) -> None:
    path = str(write_jsonl(tmp_path / "a.jsonl", QA))
    with pytest.raises(ConfigError, match="huatuo26m"):
        list(read_conversations(path, recipe="huatuo26"))
    with pytest.raises(ConfigError, match="sharegpt"):
        list(read_conversations(path, layout="share-gpt"))
    with pytest.raises(ConfigError, match="exam questions"):
        list(read_conversations(path, recipe="cmexam"))
    with pytest.raises(ConfigError, match="not exam questions"):
        list(read_exam(path, "huatuo26m"))


@pytest.mark.parametrize(
    "row",
    [
        {"Question": "发热首选", "Options": "A 休息\nB CT检查\nC 手术", "Answer": "B"},
        {"question": "发热首选", "options": {"A": "休息", "B": "CT检查", "C": "手术"}, "answer": "B"},
        {"question": "发热首选", "options": ["A. 休息", "B. CT检查", "C. 手术"], "answer": "B"},
        {"question": "发热首选", "options": ["休息", "CT检查", "手术"], "answer": "B"},
        {"Question Stem": "发热首选", "Question Options": "A.休息 B.CT检查 C.手术", "Correct Answer": "B"},
        {"input": "问题：发热首选\n选项：\n\t休息\n\tCT检查\n\t手术", "output": "CT检查"},
    ],
)
def test_exam_layouts_give_the_same_question(tmp_path: Path, row: dict[str, Any]) -> None:
    (question,) = read_exam(str(write_jsonl(tmp_path / "a.jsonl", [row])))
    assert (question.question, question.options, question.answers) == ("发热首选", ("休息", "CT检查", "手术"), (1,))
    packed = '["发热首选",["休息","CT检查","手术"]]'
    assert question.id == hashlib.sha256(packed.encode()).hexdigest()[:16]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"question": "x", "options": ["a", "b"], "answer": "C"}, "bad_answer"),
        ({"question": "x", "options": ["a", "b"], "answer": None}, "no_answer"),
        ({"question": "x", "options": ["a", "b"], "answer": "nan"}, "no_answer"),
        ({"question": "x", "options": "B 一\nC 二", "answer": "B"}, "bad_options"),
        ({"question": "x", "options": ["a"], "answer": "A"}, "bad_options"),
        ({"question": " ", "options": ["a", "b"], "answer": "A"}, "no_question"),
        ({"text": "x"}, "missing_field"),
    ],
)
def test_a_question_that_can_not_be_asked_is_reported(tmp_path: Path, row: dict[str, Any], reason: str) -> None:
    bad: list[Bad] = []
    assert list(read_exam(str(write_jsonl(tmp_path / "a.jsonl", [row])), on_bad=bad.append)) == []
    assert [b.reason for b in bad] == [reason]


def test_an_explanation_becomes_an_answer_that_names_the_right_option(tmp_path: Path) -> None:
    row = {"question": "发热首选", "options": ["休息", "检查"], "answer": "AB", "explanation": "两者都要。"}
    path = write_jsonl(tmp_path / "a.jsonl", [row, {**row, "question": "无", "explanation": "nan"}])
    bad: list[Bad] = []
    (conversation,) = read_conversations(str(path), "exam-explanations", on_bad=bad.append)
    assert [m.content for m in conversation.messages] == [
        "发热首选\nA. 休息\nB. 检查",
        "答案：休息（A）；检查（B）\n解析：两者都要。",
    ]
    assert conversation.meta["stem"] == "发热首选"
    assert [b.reason for b in bad] == ["no_answer"]
