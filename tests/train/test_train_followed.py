"""What a run tells of itself: rows, warnings, curves, samples, the best adapter, an early end."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from test_train_run import QUESTIONS, config, talks, write_set

from medasst.conversation import Conversation
from medasst.models import sample_answers
from medasst.render import Renderer
from medasst.train import train
from medasst.train.curves import Point, thinned, ticks, write_curves
from medasst.train.watch import Watch


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDASST_CACHE", str(tmp_path / "cache"))


def of_source(name: str, n: int) -> list[Conversation]:
    return [Conversation.of([("user", f"{q}{name}"), ("assistant", "多喝水。")], source=name) for q in QUESTIONS[:n]]


def rows(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text("utf-8").splitlines()]


def test_a_step_tells_sources_speed_padding_norm_and_time_left(tiny_llama: Path, tmp_path: Path) -> None:
    data = write_set(tmp_path / "data", [*of_source("shop", 6), *of_source("forum", 6)], [*talks(1), *of_source("shop", 2)])
    train(config(tiny_llama, data, batch_tokens=400, micro_tokens=150), tmp_path / "run")
    steps = [row for row in rows(tmp_path / "run") if "loss" in row]
    for row in steps:
        assert row["tokens_per_s"] > 0 and 0 <= row["padding"] < 1 and row["norm"] > 0 and row["seconds_left"] >= 0
        parts = row.get("sources", {}).values()
        if parts:  # a step of one source alone tells the whole
            count = sum(part["answer_tokens"] for part in parts)
            assert count == row["answer_tokens"]
            assert sum(p["loss"] * p["answer_tokens"] for p in parts) / count == pytest.approx(row["loss"])
    assert {name for row in steps for name in row.get("sources", {})} == {"shop", "forum"} and steps[-1]["seconds_left"] == 0
    validations = [row for row in rows(tmp_path / "run") if "validation_loss" in row]
    assert set(validations[-1]["sources"]) == {"", "shop"}
    page = (tmp_path / "run/curves.html").read_text("utf-8")
    assert "validation loss by source" in page and "forum" in page and "tokens/s" in page


def test_samples_are_answered_at_each_validation_and_change_nothing(tiny_llama: Path, tmp_path: Path) -> None:
    data = write_set(tmp_path / "data", talks(), talks(3))
    settings = config(tiny_llama, data, epochs=1, validate_every=4)
    silent = train(settings.model_copy(update={"sample_items": 0}), tmp_path / "silent", sample=sample_answers)
    result = train(settings, tmp_path / "run", sample=sample_answers)
    assert result.loss == silent.loss and not (tmp_path / "silent/samples.jsonl").exists()
    told = [json.loads(line) for line in (tmp_path / "run/samples.jsonl").read_text("utf-8").splitlines()]
    assert [row["step"] for row in told] == [
        step for step in range(1, result.steps + 1) if step % 4 == 0 or step == result.steps
    ]
    assert all(len(row["answers"]) == 2 and row["answers"][0]["question"] in QUESTIONS for row in told)
    assert [row["ended"] for row in rows(tmp_path / "run") if "ended" in row] == [0.0] * len(told)


@dataclass
class Said:
    id: str
    text: str
    finish_reason: str


def test_answers_that_stop_ending_are_told(tiny_llama: Path, tmp_path: Path) -> None:
    looks = 0

    def sample(model: Any, renderer: Renderer, asked: Sequence[Conversation], most: int) -> Iterator[Said]:
        nonlocal looks
        looks += 1
        assert not model.training and renderer.kind == "chat" and (len(asked), most) == (2, 128)
        torch.rand(3)  # must not move the run's own draws
        for talk in asked:
            yield Said(talk.id, "好", "stop" if looks < 3 else "length")

    data = write_set(tmp_path / "data", talks(), talks(2))
    with pytest.warns(UserWarning, match=r"answers stop ending: 0% of the samples do, 100% did"):
        train(config(tiny_llama, data, validate_every=2), tmp_path / "run", sample=sample)
    assert "answers stop ending" in (tmp_path / "run/curves.html").read_text("utf-8")
    assert len([row for row in rows(tmp_path / "run") if "warning" in row]) == 1


def test_the_best_adapter_is_kept_and_patience_ends_a_run(tiny_llama: Path, tmp_path: Path) -> None:
    odd = [Conversation.of([("user", "孩子咳嗽"), ("assistant", "I feel ill.")])]  # what is learnt makes this ever less likely
    data = write_set(tmp_path / "data", talks(), odd)
    given = {"epochs": 10, "learning_rate": 1e-2, "validate_every": 3}
    with pytest.warns(UserWarning, match=r"the validation loss rises: .* at step \d+"):
        best = train(config(tiny_llama, data, **given), tmp_path / "best")
    last = train(config(tiny_llama, data, keep="last", **given), tmp_path / "last")
    early = train(config(tiny_llama, data, patience=2, **given), tmp_path / "early")
    looks = {
        row["step"]: row["validation_loss"] for row in rows(tmp_path / "best") if row.get("validation_loss") and row["step"]
    }
    assert best.kept_step == min(looks, key=looks.__getitem__) < best.steps and best.validation_loss == min(looks.values())
    assert (last.kept_step, last.validation_loss) == (last.steps, looks[best.steps]) and last.steps == best.steps
    assert early.kept_step == best.kept_step and early.steps == best.kept_step + 2 * 3
    a, b, c = (load_file(run.adapter / "adapter_model.safetensors") for run in (best, early, last))
    assert all(torch.equal(a[name], b[name]) for name in a) and not all(torch.equal(a[name], c[name]) for name in a)
    assert train(config(tiny_llama, data, patience=2, **given), tmp_path / "early").reused
    assert f"best at step {best.kept_step}, kept" in best.summary()


def test_the_watch_tells_once_what_goes_wrong() -> None:
    watch = Watch()
    told = [watch.read({"step": step, "loss": 2.0}) for step in range(1, 40)]
    told += [watch.read({"step": step, "loss": 4.0}) for step in range(40, 60)]
    assert [t for t in told if t] == [pytest.approx(t) for t in told if t] and sum(t is not None for t in told) == 1
    assert not any(Watch().read({"step": step, "loss": 9.0 / step}) for step in range(1, 40))
    noisy = Watch()
    assert not any(noisy.read({"step": step, "loss": 2.0 + 0.6 * (step % 3 - 1)}) for step in range(1, 200))
    flat = Watch()
    losses = [3.0, 2.5, 2.51, 2.502, 2.6, 2.7, 2.8, 2.9, 2.4]
    told = [flat.read({"step": step, "validation_loss": loss}) for step, loss in enumerate(losses)]
    assert [step for step, text in enumerate(told) if text] == [6] and "after 2.500 at step 1" in (told[6] or "")


def test_curves_of_a_long_run_stay_small_and_have_round_ticks(tmp_path: Path) -> None:
    metrics = tmp_path / "metrics.jsonl"
    step = {"loss": 2.0, "norm": 0.4, "rate": 1e-4, "tokens_per_s": 900.0, "padding": 0.02, "seconds_left": 60.0}
    lines = [json.dumps({"step": i, "tokens": 1000 * i, **step}) for i in range(1, 20_001)]
    metrics.write_text("\n".join(lines), "utf-8")
    write_curves(metrics, tmp_path / "curves.html")
    assert (tmp_path / "curves.html").stat().st_size < 400_000
    points = [Point(i, i) for i in range(5000)]
    assert thinned(points)[0] == points[0] and thinned(points)[-1] == points[-1] and len(thinned(points)) == 800
    assert ticks(3.4, 6) == [0, 1, 2, 3] and ticks(7e6, 6) == [0, 2e6, 4e6, 6e6] and ticks(0.02, 3) == [0, 0.01, 0.02]
