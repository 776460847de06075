"""The guarded assistant as a model, and as a system of an evaluation by settings."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from medasst.assistant import Assistant, plain_text
from medasst.assistant.guarded import SampleGuard
from medasst.config import parse
from medasst.conversation import Conversation
from medasst.errors import ConfigError
from medasst.evaluation import EvaluateConfig, evaluate
from medasst.models import Decoding, ScriptedModel

CHEST = Conversation.of([("user", "胸口疼，出冷汗")])


async def said(conversation: Conversation) -> str:
    return plain_text([event async for event in Assistant.from_samples().reply(conversation)])


async def test_it_says_what_the_assistant_says() -> None:
    guarded = SampleGuard().over(None, "guarded")
    assert guarded.capabilities == {"stream"}
    deltas = [delta async for delta in guarded.stream(CHEST, Decoding())]
    assert deltas[-1].finish_reason == "stop"
    assert "120" in "".join(delta.text for delta in deltas)


def test_an_answer_each_and_a_bad_conversation_fails_alone() -> None:
    model = ScriptedModel(["多休息，多喝温水。"])
    guarded = SampleGuard().over(model, "guarded", speech="answers", reads=True)
    silent = Conversation.of([("assistant", "您好")])
    done = {c.id: c for c in guarded.generate([CHEST, silent], Decoding())}
    assert done[CHEST.id].text == asyncio.run(said(CHEST))
    assert (done[silent.id].finish_reason, done[silent.id].text) == ("error", "")
    assert model.calls == []  # a red flag needs no model


def settings(tmp_path: Path, **more: Any) -> EvaluateConfig:
    rows = [{"question": "胸口疼，出冷汗", "answer": "请立即拨打120。"}, {"question": "嗓子疼怎么办？", "answer": "多喝温水。"}]
    (tmp_path / "qa.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    (tmp_path / "exam.jsonl").write_text(
        json.dumps({"question": "哪个是退烧药？", "options": ["布洛芬", "葡萄糖"], "answer": "A"}, ensure_ascii=False), "utf-8"
    )
    systems = [
        {"name": "bare", "engine": "scripted", "replies": ["随便吃点药。"]},
        {"name": "guarded", "engine": "assistant", "of": "bare"},
        {"name": "vetted", "engine": "assistant"},
    ]
    tasks = [{"name": "qa", "kind": "qa", "path": "qa.jsonl"}, {"name": "exam", "kind": "choice", "path": "exam.jsonl"}]
    return parse(EvaluateConfig, {"systems": systems, "tasks": tasks, "resamples": 200, **more}, root=tmp_path)


def test_it_is_a_system_by_settings(tmp_path: Path) -> None:
    report = evaluate(settings(tmp_path), out=tmp_path / "out", guard=SampleGuard())
    for name in ("guarded", "vetted"):
        lines = (tmp_path / "out/predictions" / name / "qa.jsonl").read_text("utf-8").splitlines()
        predicted = {row["label"]: row["predict"] for row in map(json.loads, lines)}
        assert "120" in predicted["请立即拨打120。"]
        assert report.value(name, "qa", "rouge_l")
    assert {r.system: r.status for r in report.results if r.task == "exam"} == dict.fromkeys(
        ("bare", "guarded", "vetted"), "unsupported"
    )
    header = json.loads((tmp_path / "out/predictions/guarded/qa.header.json").read_text("utf-8"))
    assert header["system"]["of"]["replies"] == ["随便吃点药。"] and len(header["system"]["guard"]) == 64


def test_without_a_guard_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'guarded'"):
        evaluate(settings(tmp_path), out=tmp_path / "out")


@pytest.mark.parametrize(
    ("system", "message"),
    [
        ({"name": "guarded", "engine": "assistant", "of": "bar"}, "did you mean 'bare'"),
        ({"name": "guarded", "engine": "scripted", "of": "bare"}, "belongs to the engines"),
        ({"name": "guarded", "engine": "assistant", "of": "guarded"}, "is made of 'guarded'"),
    ],
)
def test_settings_that_make_no_system(tmp_path: Path, system: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        settings(tmp_path, systems=[{"name": "bare", "engine": "scripted"}, system])
