"""Evaluation over a prepared set: sources, the split of exam questions, the retrieval baseline; then the results page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from medasst.config import parse
from medasst.conversation import Conversation
from medasst.data import PrepareConfig, load_split, prepare
from medasst.errors import DataError, InputError
from medasst.evaluation import EvaluateConfig, evaluate, systems_of
from medasst.evaluation.results import results_page
from medasst.evaluation.retrieval import RetrievalModel
from medasst.evaluation.tasks import load_task
from medasst.models import Decoding, ScriptedModel
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


def test_a_source_of_the_test_split(prepared: Path, tmp_path: Path) -> None:
    task = load_task(job(prepared, tmp_path).tasks[0], limit=None, seed=7)
    expected = {f"{c.id}#1" for c in load_split(prepared, "test") if c.source == "shop"}
    assert expected
    assert {item.id for item in task.items} == expected
    assert {item.source for item in task.items} == {"shop"}


def test_exam_questions_of_the_test_bucket_only(prepared: Path, tmp_path: Path) -> None:
    task = load_task(job(prepared, tmp_path).tasks[1], limit=None, seed=7, prepared=prepared)
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
        load_task(job(prepared, tmp_path, tasks=[task]).tasks[0], limit=None, seed=7)


@pytest.fixture
def finished(prepared: Path, tmp_path: Path) -> Path:
    """Base, base cut, tuned and retrieval over both tasks."""
    gold = {c.messages[0].content: c.messages[1].content for c in load_split(prepared, "test")}
    noise = "我觉得这个要看情况吧。\n用户：那怎么办？\n助手：" + "不知道。" * 100
    systems = [
        {"name": "base", "engine": "scripted", "replies": [noise]},
        {"name": "base-cut", "engine": "cut", "of": "base", "cut_at": "用户："},
        {"name": "retrieval", "engine": "retrieval", "data": str(prepared)},
    ]
    config = job(prepared, tmp_path, systems=systems)
    tuned = ScriptedModel(
        lambda talk: gold[talk.messages[0].content][:-4], name="tuned", score=lambda _, option: float(option == "每日一次")
    )
    evaluate(config, [*systems_of(config), tuned], out=tmp_path / "run")
    return tmp_path / "run"


def test_the_results_page(finished: Path, tmp_path: Path) -> None:
    train = tmp_path / "train"
    train.mkdir()
    result = {
        "base": "embedded", "steps": 12, "tokens": 34567, "answer_tokens": 20000, "conversations": 40, "dropped": 1,
        "loss": 2.5,
        "validation_loss_before": 3.0, "validation_loss": 2.25, "seconds": 600.0,
    }  # fmt: skip
    settings = {"lora": {"r": 16, "alpha": 32, "targets": "all-linear"}}
    (train / "run.json").write_text(
        json.dumps({"result": result, "settings": settings, "manifest_sha256": "5eed" * 16}), "utf-8"
    )
    page = results_page(finished, train, command="medasst evaluate job.toml")
    for expected in ("34,567 tokens", "3.000 before, 2.250 after", "`medasst evaluate job.toml`", "guessing gets 25.0 %"):
        assert expected in page
    assert "shop: tuned against base: above in BLEU-4, ROUGE-1, ROUGE-2, ROUGE-L." in page
    assert "| retrieval | 0 | unsupported |" in page
    row = next(line for line in page.splitlines() if line.startswith("| tuned − base |"))
    assert row.count("**") == 8
    report = json.loads((finished / "report.json").read_text("utf-8"))
    value = next(r["value"] for r in report["results"] if (r["system"], r["metric"]) == ("tuned", "rouge_l"))
    assert f"{value:.2f} [" in page


def test_the_results_page_refuses_texts(finished: Path) -> None:
    report = json.loads((finished / "report.json").read_text("utf-8"))
    report["results"][0]["status"], report["results"][0]["value"] = "请先看说明书", None
    (finished / "report.json").write_text(json.dumps(report), "utf-8")
    with pytest.raises(InputError, match="numbers and record ids only"):
        results_page(finished)


def test_the_results_page_needs_a_finished_run(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="finish the run first: medasst evaluate"):
        results_page(tmp_path)
