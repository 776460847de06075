"""What becomes of a task's rows: read, set aside, left out; and what is said where none is left."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medasst.config import parse
from medasst.errors import ConfigError, DataError
from medasst.evaluation import EvaluateConfig, evaluate
from medasst.evaluation.task import AnyTask
from medasst.models import ScriptedModel

STEMS = ["维生素C缺乏会引起什么病？", "哪种药退烧？", "高血压要少吃什么？", "一天刷几次牙？"]


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., EvaluateConfig]:
    def make(content: str | bytes, name: str = "exam.jsonl", kind: str = "choice", **settings: Any) -> EvaluateConfig:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        task = {"name": "t", "kind": kind, "path": name, **settings}
        return parse(EvaluateConfig, {"tasks": [task], "resamples": 200}, root=tmp_path)

    return make


def read(config: EvaluateConfig) -> AnyTask:
    return config.tasks[0].task(config.common)


def lines(*rows: object) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def question(n: int, answer: object = "A") -> dict[str, Any]:
    return {"question": STEMS[n], "options": {"A": "坏血病", "B": "布洛芬", "C": "盐"}, "answer": answer}


def test_rows_set_aside_are_counted_with_the_place_of_the_first(job: Callable[..., EvaluateConfig], tmp_path: Path) -> None:
    bad: list[object] = [question(1, "Z"), {"question": STEMS[2], "answer": "A"}, question(3, "X"), 7]
    config = job(lines(question(0), *bad) + "{torn\n")
    task = read(config)
    assert (task.rows.read, task.rows.lost, len(task.items)) == (6, 5, 1)
    found = {part.reason: part for part in task.rows.set_aside}
    assert sum(part.count for part in found.values()) == 5
    assert (found["not_json"].file, found["not_json"].line, found["not_json"].count) == ("exam.jsonl", 6, 1)
    assert next(iter(found.values())).count == max(part.count for part in found.values())

    report = evaluate(config, [ScriptedModel(name="m", score=lambda *_: -1.0)], out=tmp_path / "out")
    assert "5 of 6 rows set aside" in report.summary()
    stored = json.loads((tmp_path / "out/report.json").read_text("utf-8"))["tasks"][0]["rows"]
    assert (stored["read"], sum(part["count"] for part in stored["set_aside"])) == (6, 5)
    page = (tmp_path / "out/report.html").read_text("utf-8")
    assert "6 rows read, 5 set aside" in page and "exam.jsonl:6" in page


def test_without_texts_nothing_of_a_bad_row_is_shown(job: Callable[..., EvaluateConfig], tmp_path: Path) -> None:
    config = job(lines(question(0), question(1, "奎宁"))).model_copy(update={"texts": False})
    evaluate(config, [ScriptedModel(name="m", score=lambda *_: -1.0)], out=tmp_path / "out")
    for name in ("report.json", "report.html"):
        text = (tmp_path / "out" / name).read_text("utf-8")
        assert "exam.jsonl" in text and "奎宁" not in text


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (
            "question,A,B,C,D,answer\n" + "".join(f"{stem},盐,糖,醋,酒,\n" for stem in STEMS),
            "e.csv",
            "answers aren't published",
        ),
        (lines(*({**question(n), "answer": None} for n in range(4))), "e.jsonl", "answers aren't published"),
        (lines(*({**question(n), "answer": " "} for n in range(4))), "e.jsonl", "answers aren't published"),
        (lines({"题目": STEMS[0], "正确答案": "A"}), "e.jsonl", "mapping"),
        (lines({"question": STEMS[0], "options": ["盐"], "answer": "A"}), "e.jsonl", "bad_options 1"),
        (lines(question(0, "AB"), question(1, "ABC")), "e.jsonl", "all 2 questions have several right answers"),
        ("", "e.jsonl", "empty_file"),
    ],
)
def test_where_no_row_is_left_the_advice_fits_the_cause(
    job: Callable[..., EvaluateConfig], content: str, name: str, message: str
) -> None:
    with pytest.raises(DataError, match=message) as told:
        read(job(content, name))
    assert "check the path" not in str(told.value)


def test_a_choice_task_takes_a_mapping(job: Callable[..., EvaluateConfig]) -> None:
    rows = "编号,题干,甲,乙,丙,丁,答案\n1,头痛吃什么？,盐,布洛芬,,,B\n2,哪个是糖？,盐,醋,葡萄糖,酒,C\n"
    mapping = {"question": "题干", "options": ["甲", "乙", "丙", "丁"], "answer": "答案"}
    task = read(job(rows, "e.csv", mapping=mapping))
    assert {item.label: len(item.options) for item in task.items} == {"布洛芬": 2, "葡萄糖": 4}


def test_a_mapping_of_one_field_with_all_options_and_of_a_table_without_headings(job: Callable[..., EvaluateConfig]) -> None:
    mapping = {"question": "q", "options": "o", "answer": "a"}
    task = read(job(lines({"q": STEMS[0], "o": ["坏血病", "夜盲"], "a": "B"}), mapping=mapping))
    assert task.items[0].label == "夜盲"
    columns = ["q", "x", "y", "a"]
    bare = {"question": "q", "options": ["x", "y"], "answer": "a", "columns": columns}
    task = read(job("哪个是糖？\t盐\t葡萄糖\tB\n", "e.tsv", mapping=bare))
    assert task.items[0].label == "葡萄糖"


def test_a_mapping_that_names_no_field_says_which_there_are(job: Callable[..., EvaluateConfig]) -> None:
    mapping = {"question": "题目", "options": "o", "answer": "a"}
    with pytest.raises(DataError, match="no field '题目'"):
        read(job(lines({"题干": STEMS[0], "o": ["坏血病", "夜盲"], "a": "B"}), mapping=mapping))
    with pytest.raises(ConfigError, match="none of the columns"):
        job("", mapping=mapping | {"columns": ["题目", "o", "b"]})


def test_layouts_of_both_kinds(job: Callable[..., EvaluateConfig]) -> None:
    assert len(read(job(lines(question(0)), layout="exam")).items) == 1
    with pytest.raises(ConfigError, match="holds conversations"):
        read(job(lines(question(0)), layout="alpaca"))
    row = {"instruction": "头痛怎么办？", "input": "", "output": "多休息。"}
    assert read(job(lines(row), "qa.jsonl", "qa", layout="alpaca")).items[0].label == "多休息。"
    mapped = read(job(lines({"问": "头痛？", "答": "休息。"}), "qa.jsonl", "qa", mapping={"question": "问", "answer": "答"}))
    assert (mapped.items[0].label, mapped.rows.read) == ("休息。", 1)


def test_qa_rows_are_counted_too(job: Callable[..., EvaluateConfig]) -> None:
    good = {"question": "头痛？", "answer": "休息。"}
    task = read(job(lines(good, {"question": "在吗", "answer": ""}, {"x": 1}), "qa.jsonl", "qa"))
    assert (task.rows.read, task.rows.lost) == (3, 2)
    with pytest.raises(DataError, match="all 1 rows were set aside"):
        read(job(lines({"question": "在吗", "answer": None}), "qa.jsonl", "qa"))
