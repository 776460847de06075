"""docs/results.md as benchmarks/results.py writes it."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from medasst.config import parse
from medasst.data import PrepareConfig, load_split, prepare
from medasst.errors import DataError, InputError
from medasst.evaluation import EvaluateConfig, evaluate, systems_of
from medasst.models import ScriptedModel

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "results.py"
DRUGS = ["布洛芬", "对乙酰氨基酚", "氯雷他定", "蒙脱石散", "开塞露", "维生素C", "板蓝根", "藿香正气", "双氯芬酸", "炉甘石"]
ASKED = ["怎么保存", "饭前还是饭后吃", "一天吃几次合适", "开封以后能放多久", "小朋友能不能用", "和牛奶能一起服吗"]


@pytest.fixture(scope="module")
def results() -> ModuleType:
    spec = importlib.util.spec_from_file_location("results", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["results"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 conversations, a quarter of them for tests."""
    root = tmp_path_factory.mktemp("set")
    with (root / "shop.jsonl").open("w", encoding="utf-8") as file:
        for drug in DRUGS:
            for asked in ASKED:
                answer = f"关于{drug}{asked}这个问题，请先看说明书，按上面写的做；仍不清楚时请问药师。"
                messages = [{"role": "user", "content": f"请问{drug}{asked}？"}, {"role": "assistant", "content": answer}]
                file.write(json.dumps({"messages": messages}, ensure_ascii=False) + "\n")
    settings = {
        "sources": [{"name": "shop", "path": "shop.jsonl"}],
        "split": {"validation": 0.1, "test": 0.25},
        "near_duplicates": {"enabled": False},
    }
    prepare(parse(PrepareConfig, settings, root=root), root / "data")
    return root / "data"


@pytest.fixture
def finished(prepared: Path, tmp_path: Path) -> Path:
    """Base, base cut, tuned and retrieval over a qa and a choice task."""
    options = {"A": "每日一次", "B": "每日两次", "C": "每日三次", "D": "每周一次"}
    rows = [{"question": f"第{i}号药一般怎样服用？", "options": options, "answer": "ABCD"[i % 4]} for i in range(40)]
    (tmp_path / "exam.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    gold = {c.messages[0].content: c.messages[1].content for c in load_split(prepared, "test")}
    noise = "我觉得这个要看情况吧。\n用户：那怎么办？\n助手：" + "不知道。" * 100
    settings = {
        "systems": [
            {"name": "base", "engine": "scripted", "replies": [noise]},
            {"name": "base-cut", "engine": "cut", "of": "base", "cut_at": "用户："},
            {"name": "retrieval", "engine": "retrieval", "data": str(prepared)},
        ],
        "tasks": [
            {"name": "shop", "kind": "qa", "path": str(prepared / "test.parquet"), "source": "shop"},
            {"name": "exam", "kind": "choice", "path": str(tmp_path / "exam.jsonl"), "split": "test"},
        ],
        "data": str(prepared),
        "resamples": 300,
    }
    config = parse(EvaluateConfig, settings)
    tuned = ScriptedModel(
        lambda talk: gold[talk.messages[0].content][:-4], name="tuned", score=lambda _, option: float(option == "每日一次")
    )
    evaluate(config, [*systems_of(config), tuned], out=tmp_path / "run")
    return tmp_path / "run"


def test_the_page(results: ModuleType, finished: Path, tmp_path: Path) -> None:
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
    page = results.results_page(finished, train, command="medasst evaluate job.toml")
    for expected in ("34,567 tokens", "3.000 before, 2.250 after", "`medasst evaluate job.toml`", "guessing gets 25.0 %"):
        assert expected in page
    assert "shop: tuned against base: above in BLEU-4, ROUGE-1, ROUGE-2, ROUGE-L." in page
    assert "| retrieval | 0 | 0 | 0 | unsupported |" in page
    row = next(line for line in page.splitlines() if line.startswith("| tuned − base |"))
    assert row.count("**") == 8
    report = json.loads((finished / "report.json").read_text("utf-8"))
    value = next(r["value"] for r in report["results"] if (r["system"], r["metric"]) == ("tuned", "rouge_l"))
    assert f"{value:.2f} [" in page


def test_it_refuses_texts(results: ModuleType, finished: Path) -> None:
    report = json.loads((finished / "report.json").read_text("utf-8"))
    report["results"][0]["status"], report["results"][0]["value"] = "请先看说明书", None
    (finished / "report.json").write_text(json.dumps(report), "utf-8")
    with pytest.raises(InputError, match="numbers and record ids only"):
        results.results_page(finished)


def test_it_needs_a_finished_run(results: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="finish the run first: medasst evaluate"):
        results.results_page(tmp_path)


def test_it_runs_as_a_script(finished: Path) -> None:
    done = subprocess.run([sys.executable, SCRIPT, finished], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("# Results") and "Protocol `option_text/v1, 0 shots, text, " in done.stdout
