"""Evaluation over a prepared set: sources, the split of exam questions, the retrieval baseline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from medasst.config import parse
from medasst.conversation import Conversation
from medasst.data import PrepareConfig, load_split, prepare
from medasst.errors import DataError
from medasst.evaluation import EvaluateConfig
from medasst.evaluation.retrieval import RetrievalModel
from medasst.evaluation.task import AnyTask
from medasst.models import Decoding
from medasst.text import bucket

DRUGS = ["布洛芬", "对乙酰氨基酚", "氯雷他定", "蒙脱石散", "开塞露", "维生素C", "板蓝根", "藿香正气", "双氯芬酸", "炉甘石"]
ASKED = ["怎么保存", "饭前还是饭后吃", "一天吃几次合适", "开封以后能放多久", "小朋友能不能用", "和牛奶能一起服吗"]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 conversations of two sources, a quarter of them for tests."""
    root = tmp_path_factory.mktemp("set")
    rows = [(drug, asked) for drug in DRUGS for asked in ASKED]
    for n, source in enumerate(("shop", "clinic")):
        with (root / f"{source}.jsonl").open("w", encoding="utf-8") as file:
            for drug, asked in rows[n::2]:
                answer = f"关于{drug}{asked}这个问题，请先看说明书，按上面写的做；仍不清楚时请问药师。"
                messages = [{"role": "user", "content": f"请问{drug}{asked}？"}, {"role": "assistant", "content": answer}]
                file.write(json.dumps({"messages": messages}, ensure_ascii=False) + "\n")
    sources = [{"name": name, "path": f"{name}.jsonl"} for name in ("shop", "clinic")]
    settings = {"sources": sources, "split": {"validation": 0.1, "test": 0.25}, "near_duplicates": {"enabled": False}}
    prepare(parse(PrepareConfig, settings, root=root), root / "data")
    return root / "data"


def exam(path: Path, n: int = 40) -> Path:
    options = {"A": "每日一次", "B": "每日两次", "C": "每日三次", "D": "每周一次"}
    rows = [{"question": f"第{i}号药一般怎样服用？", "options": options, "answer": "ABCD"[i % 4]} for i in range(n)]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def job(prepared: Path, tmp_path: Path, **settings: Any) -> EvaluateConfig:
    tasks = [
        {"name": "shop", "kind": "qa", "path": str(prepared / "test.parquet"), "source": "shop"},
        {"name": "exam", "kind": "choice", "path": str(exam(tmp_path / "exam.jsonl")), "split": "test"},
    ]
    base: dict[str, Any] = {"tasks": tasks, "data": str(prepared), "resamples": 300}
    return parse(EvaluateConfig, base | settings)


def first_task(config: EvaluateConfig) -> AnyTask:
    return config.tasks[0].task(config.common)


def test_a_source_of_the_test_split(prepared: Path, tmp_path: Path) -> None:
    task = first_task(job(prepared, tmp_path))
    expected = {f"{c.id}#1" for c in load_split(prepared, "test") if c.source == "shop"}
    assert expected
    assert {item.id for item in task.items} == expected
    assert {item.source for item in task.items} == {"shop"}


def test_exam_questions_of_the_test_bucket_only(prepared: Path, tmp_path: Path) -> None:
    config = job(prepared, tmp_path)
    task = config.tasks[1].task(config.common)
    stems = [f"第{i}号药一般怎样服用？" for i in range(40)]
    assert {item.prompt for item in task.items} == {f"题目：{stem}\n答案：" for stem in stems if bucket(stem) < 2500}
    assert 0 < len(task.items) < 40


def test_retrieval_answers_with_the_nearest_training_answer(prepared: Path) -> None:
    model = RetrievalModel.over("retrieval", prepared)
    trained = load_split(prepared, "train")[0]
    asked = Conversation.of([("user", "你好"), ("assistant", "您好"), ("user", trained.messages[0].content + "谢谢")])
    (found,) = model.generate([asked], Decoding())
    assert (found.id, found.text, found.finish_reason) == (asked.id, trained.messages[1].content, "stop")
    (nothing,) = model.generate([Conversation.of([("user", "zzz")])], Decoding())
    assert nothing.text == ""


async def test_retrieval_streams_the_same(prepared: Path) -> None:
    model = RetrievalModel.over("retrieval", prepared)
    asked = load_split(prepared, "test")[0].before(1)
    (generated,) = model.generate([asked], Decoding())
    assert "".join([delta.text async for delta in model.stream(asked, Decoding())]) == generated.text


def test_a_source_that_is_not_there(prepared: Path, tmp_path: Path) -> None:
    task = {"name": "t", "kind": "qa", "path": str(prepared / "test.parquet"), "source": "shopp"}
    with pytest.raises(DataError, match="'shopp'"):
        first_task(job(prepared, tmp_path, tasks=[task]))
