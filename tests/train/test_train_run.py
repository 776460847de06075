"""The trainer: its loss, its order, its resumption, its refusals. On a tiny random Qwen2."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import polars as pl
import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from medasst.conversation import Conversation
from medasst.errors import ConfigError, DataError, InputError, Stopped
from medasst.train import LoraSettings, TrainConfig, train
from medasst.train.loss import answer_losses

QUESTIONS = [
    "感冒发烧怎么办",
    "嗓子疼吃什么",
    "拉肚子要不要紧",
    "脚气用什么药",
    "牙疼得厉害",
    "眼睛干涩",
    "口腔溃疡",
    "被蚊子咬了",
    "总是便秘",
    "鼻子不通气",
]


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDASST_CACHE", str(tmp_path / "cache"))


def write_set(folder: Path, conversations: list[Conversation], validation: list[Conversation] = []) -> Path:  # noqa: B006
    folder.mkdir(parents=True, exist_ok=True)
    schema = {
        "id": pl.String,
        "source": pl.String,
        "department": pl.String,
        "licence": pl.String,
        "messages": pl.List(pl.Struct({"role": pl.String, "content": pl.String})),
        "meta": pl.String,
    }
    for name, rows in (("train-00000", conversations), ("validation", validation), ("test", [])):
        pl.DataFrame([c.to_json() for c in rows], schema=schema).write_parquet(folder / f"{name}.parquet")
    splits = {"train": {"records": len(conversations)}, "validation": {"records": len(validation)}, "test": {"records": 0}}
    about = {"schema_version": 1, "splits": splits, "n": [c.id for c in conversations]}
    (folder / "manifest.json").write_text(json.dumps(about))
    return folder


def talks(n: int = 10) -> list[Conversation]:
    return [
        Conversation.of([("user", q), ("assistant", f"{q}的话，请先多休息，{i}天不好就去看医生。")])
        for i, q in enumerate(QUESTIONS[:n])
    ]


def config(base: Path, data: Path, **changes: object) -> TrainConfig:
    given = {"base": str(base), "data": data, "batch_tokens": 128, "epochs": 3, "validate_every": 4, "checkpoint_every": 2}
    return TrainConfig.model_validate({**given, **changes})


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_chunked_loss_and_gradients_equal_the_plain_ones(tiny_qwen2: Path, chunk: int) -> None:
    torch.manual_seed(0)
    base = AutoModelForCausalLM.from_pretrained(tiny_qwen2, dtype=torch.float32)
    model = get_peft_model(base, LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM"))
    for name, parameter in model.named_parameters():  # B starts at zero; moved, so that A has a gradient too
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    ids = torch.randint(0, 1000, (3, 24))
    attention = torch.ones_like(ids)
    attention[1, 15:] = 0
    answers = torch.zeros_like(ids, dtype=torch.bool)
    answers[0, 10:20] = answers[1, 5:15] = answers[2, 1:24] = True
    params = [p for p in model.parameters() if p.requires_grad]
    losses = answer_losses(model.get_base_model(), ids, attention, answers, chunk)
    ours = [losses.mean(), *torch.autograd.grad(losses.mean(), params)]
    plain = model(input_ids=ids, attention_mask=attention, labels=ids.masked_fill(~answers, -100)).loss
    theirs = [plain, *torch.autograd.grad(plain, params)]
    assert len(losses) == 43
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-7)


def test_a_run_learns_and_leaves_what_the_contract_says(tiny_qwen2: Path, tmp_path: Path) -> None:
    data = write_set(tmp_path / "data", talks(), talks(3))
    settings = config(tiny_qwen2, data, learning_rate=5e-3, epochs=6)
    result = train(settings, tmp_path / "run")
    assert result.validation_loss is not None and result.validation_loss_before is not None
    assert result.validation_loss < result.validation_loss_before - 0.5
    for name in (
        "adapter/adapter_model.safetensors",
        "adapter/run.json",
        "metrics.jsonl",
        "curves.html",
        "settings.json",
        "run.json",
    ):
        assert (tmp_path / "run" / name).stat().st_size > 0
    rows = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert [r["step"] for r in rows if "loss" in r] == list(range(1, result.steps + 1))
    again = train(settings, tmp_path / "run")
    assert again.reused and again.tokens == result.tokens
    with pytest.raises(ConfigError, match="other settings"):
        train(config(tiny_qwen2, data, learning_rate=1e-3, epochs=6), tmp_path / "run")


def test_ctrl_c_keeps_the_last_step_and_the_rest_is_as_if_nothing_had_happened(tiny_qwen2: Path, tmp_path: Path) -> None:
    data = write_set(tmp_path / "data", talks(), talks(2))
    settings = config(tiny_qwen2, data, lora=LoraSettings(r=4, dropout=0.1))
    whole = train(settings, tmp_path / "whole")

    def interrupt(stage: str, done: float, total: float | None = None, **facts: float) -> None:
        if stage == "training" and not (tmp_path / "stopped").exists():
            (tmp_path / "stopped").touch()
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Stopped, match=r"step 1 of .*again"):
        train(settings, tmp_path / "parts", progress=interrupt)
    assert not (tmp_path / "parts/run.json").exists()
    with pytest.raises(
        ConfigError, match=r"unfinished run with other settings(.|\n)*lora.r was 4, is 16(.|\n)*lora.dropout was 0.1, is 0.0"
    ):
        train(config(tiny_qwen2, data), tmp_path / "parts")
    parts = train(settings, tmp_path / "parts")
    assert (parts.steps, parts.tokens, parts.loss) == (whole.steps, whole.tokens, whole.loss)
    a, b = (load_file(run.adapter / "adapter_model.safetensors") for run in (whole, parts))
    assert a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)
    steps = [json.loads(line)["step"] for line in (tmp_path / "parts/metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(steps)


def test_bad_input_is_named(tiny_qwen2: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no conversation can be trained on"):
        train(config(tiny_qwen2, write_set(tmp_path / "empty", [])), tmp_path / "run")
    with pytest.raises(DataError, match="cutoff = 8"):
        train(config(tiny_qwen2, write_set(tmp_path / "long", talks(2)), cutoff=8), tmp_path / "run")
    with pytest.raises(DataError, match=r"manifest\.json"):
        train(config(tiny_qwen2, tmp_path / "nowhere"), tmp_path / "run")
    with pytest.raises(InputError, match="no base model 'embeded'; did you mean 'embedded'"):
        train(config(Path("embeded"), write_set(tmp_path / "data", talks(2))), tmp_path / "run")
    with pytest.raises(ConfigError, match=r"lora\.targets"):
        train(config(tiny_qwen2, tmp_path / "data", lora=LoraSettings(targets=("no_such_layer",))), tmp_path / "run")
