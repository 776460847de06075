"""What the trainer says before any work, and the records that it goes on without. On a tiny random Llama."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from test_train_run import QUESTIONS, config, talks, write_set
from tokenizers import AddedToken, Tokenizer
from transformers import AutoModelForCausalLM

from medasst.config import parse
from medasst.conversation import Conversation
from medasst.errors import ConfigError, ModelError
from medasst.train import TrainConfig, loop, train
from medasst.train.launch import find_precision

CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
PROMPT = "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
ONE_QUESTION = "{% if messages | length > 2 %}{{ raise_exception('one question only') }}{% endif %}"
THINKS = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.role == 'assistant' and loop.last %}<think>\n\n</think>\n\n{% endif %}{{ m.content }}<|im_end|>\n{% endfor %}"
)
FORGETS = "{% set messages = messages[-2:] %}" + CHATML


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDASST_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def made(tiny_llama: Path, tmp_path: Path) -> Callable[..., Path]:
    """The tiny base with another chat template, with more tokens or with other weights."""

    def make(template: str = CHATML + PROMPT, tokens: list[Any] | None = None, rows: int = 0, tied: bool = True) -> Path:
        folder = tmp_path / "base"
        shutil.copytree(tiny_llama, folder)
        about = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
        (folder / "tokenizer_config.json").write_text(json.dumps(about | {"chat_template": template}), "utf-8")
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.add_tokens(tokens or [])
        tokenizer.save(str(folder / "tokenizer.json"))
        if rows or not tied:
            model = AutoModelForCausalLM.from_pretrained(tiny_llama, tie_word_embeddings=tied)
            model.resize_token_embeddings(rows or model.config.vocab_size)
            model.save_pretrained(folder)
        return folder

    return make


def two_turns(talk: Conversation) -> Conversation:
    return Conversation.of([*talk.messages, ("user", "还有呢"), ("assistant", "没有了。")])


def no_work(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    def reached(*_: object, **__: object) -> None:
        raise AssertionError("work began")

    for name in names:
        monkeypatch.setattr(loop, name, reached)


@pytest.mark.parametrize("given", [{"device": "cuda"}, {"device": "cuda", "precision": "bfloat16"}])
def test_no_cuda(made: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, str]) -> None:
    no_work(monkeypatch, "find_base", "tokenise")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ConfigError, match=r'device = "cuda": PyTorch finds no CUDA device.*device = "auto" or "cpu"'):
        train(config(made(), write_set(tmp_path / "data", talks()), **given), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("device", ["mps", "gpu", "cuda:1", "CUDA"])
def test_other_device_names(device: str) -> None:
    with pytest.raises(ConfigError, match="'auto', 'cpu' or 'cuda'"):
        parse(TrainConfig, {"base": "embedded", "data": "x", "device": device})


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize(
    ("tokens", "rows", "template"),
    [
        ([AddedToken("<|药房|>", special=True)], 0, CHATML.replace("<|im_end|>", "<|药房|>") + PROMPT),
        (["阿莫西林", "布洛芬"], 0, CHATML + PROMPT),
        ([], 300, CHATML + PROMPT),
    ],
    ids=["control token in the template", "added words", "smaller embedding"],
)
def test_a_tokenizer_larger_than_the_embedding(
    made: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tokens: list[Any],
    rows: int,
    template: str,
    tied: bool,
) -> None:
    base = made(template, tokens, rows, tied)
    ids, size = 320 + len(tokens), rows or 320
    no_work(monkeypatch, "tokenise")
    with pytest.raises(ModelError, match=rf"has {ids} ids.*{size} rows.*resize_token_embeddings"):
        train(config(base, write_set(tmp_path / "data", talks())), tmp_path / "run")


def test_a_token_that_never_comes_up_needs_no_row(made: Callable[..., Path], tmp_path: Path) -> None:
    base = made(tokens=[AddedToken("[PAD]", special=True)])
    assert train(config(base, write_set(tmp_path / "data", talks()), epochs=1), tmp_path / "run").steps > 0


@pytest.mark.parametrize("epochs", [0.001, 0.04])
def test_nothing_to_train(made: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epochs: float) -> None:
    no_work(monkeypatch, "build")
    data = write_set(tmp_path / "data", talks())
    with pytest.raises(ConfigError, match=rf"nothing to train: epochs = {epochs} of 10 conversations .* to 0\.1 or more"):
        train(config(made(), data, epochs=epochs), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_least_epochs_that_are_named_train(made: Callable[..., Path], tmp_path: Path) -> None:
    run = train(config(made(), write_set(tmp_path / "data", talks()), epochs=0.1, max_tokens=1), tmp_path / "run")
    assert run.steps == 1


@pytest.mark.parametrize(("key", "value"), [("epochs", "inf"), ("learning_rate", "nan"), ("learning_rate", "inf")])
def test_settings_are_finite(key: str, value: str) -> None:
    with pytest.raises(ConfigError, match=rf"{key}: Input should be a finite number"):
        parse(TrainConfig, {"base": "embedded", "data": "x", key: float(value)})


@pytest.mark.parametrize("validation", [0, 2])
def test_no_nan_is_written(made: Callable[..., Path], tmp_path: Path, validation: int) -> None:
    data = write_set(tmp_path / "data", talks(), talks(validation))
    given = {"learning_rate": 1e30, "warmup": 0.0, "validate_every": 1}
    with pytest.raises(ModelError, match=r"is (nan|inf) at step \d+, on .*; lower learning_rate"):
        train(config(made(), data, **given), tmp_path / "run")
    rows = (tmp_path / "run/metrics.jsonl").read_text("utf-8").splitlines()
    assert rows and not [row for row in rows if "NaN" in row or "Infinity" in row]
    assert not (tmp_path / "run/run.json").exists()


def test_a_base_of_nan_is_told(made: Callable[..., Path], tmp_path: Path) -> None:
    base = made(rows=320)
    weights = load_file(base / "model.safetensors")
    save_file({name: value * float("nan") for name, value in weights.items()}, base / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"loss is nan at step 1, on .*; is the base's file whole"):
        train(config(base, write_set(tmp_path / "data", talks())), tmp_path / "run")


@pytest.mark.parametrize("template", [THINKS + PROMPT, FORGETS + PROMPT])
def test_a_template_that_rewrites_earlier_turns_has_a_sequence_for_each(
    made: Callable[..., Path], tmp_path: Path, template: str
) -> None:
    data = write_set(tmp_path / "data", [two_turns(talk) for talk in talks(2)])
    assert train(config(made(template), data, epochs=0.5), tmp_path / "run").conversations == 4


def test_a_template_whose_answers_do_not_follow_its_prompt_names_the_plain_one(
    made: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, base = write_set(tmp_path / "data", talks(2)), made(CHATML + PROMPT.replace("\n{%", "\n<think>\n{%"))
    with pytest.raises(ModelError, match=r"answers don't follow the prompt.*template = \"plain\""):
        train(config(base, data), tmp_path / "run")
    assert train(config(base, data, template="plain", epochs=0.5), tmp_path / "run").conversations == 2


def test_records_that_a_template_refuses_are_dropped_and_counted(made: Callable[..., Path], tmp_path: Path) -> None:
    odd = [two_turns(talk) for talk in talks(3)]
    data = write_set(tmp_path / "data", [*odd, *talks()], odd[:1])  # all that validate are refused: they don't decide
    given = config(made(ONE_QUESTION + CHATML + PROMPT), data, epochs=1)
    result = train(given, tmp_path / "run")
    (dropped,) = result.dropped
    assert (dropped.count, set(dropped.ids), result.conversations) == (3, {talk.id for talk in odd}, 10)
    assert "one question only" in dropped.reason and odd[0].id in result.summary()
    written = json.loads((tmp_path / "run/run.json").read_text("utf-8"))["result"]["dropped"]
    assert [(row["count"], row["reason"]) for row in written] == [(3, dropped.reason)]
    assert train(given, tmp_path / "run").dropped == result.dropped


def test_a_template_that_refuses_most_stops_the_run(
    made: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_work(monkeypatch, "build")
    data = write_set(tmp_path / "data", [*map(two_turns, talks(6)), *talks(5)])
    with pytest.raises(ModelError, match=r"6 of 11 .*\n6 dropped: .*one question only"):
        train(config(made(ONE_QUESTION + CHATML + PROMPT), data), tmp_path / "run")


def test_a_large_set_is_given_up_early(made: Callable[..., Path], tmp_path: Path) -> None:
    many = [two_turns(Conversation.of([("user", f"{q}{i}"), ("assistant", "休息。")])) for i in range(250) for q in QUESTIONS]
    with pytest.raises(ModelError, match="1,000 of 1,000"):
        train(config(made(ONE_QUESTION + CHATML + PROMPT), write_set(tmp_path / "data", many)), tmp_path / "run")


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{% for m in messages %}{{ m.content }}", r"chat template can't be read, line 1: .*endfor.*plain"),
        ("\n{{ messages | shouted }}", r"chat template can't be read, line 2: .*shouted"),
        ("{{ shop.name }}" + CHATML, r"refuses it \('shop' is undefined\)"),
        ("{{ messages[0].content + 1 }}", r"refuses it \(TypeError: "),
    ],
)
def test_a_broken_template(made: Callable[..., Path], tmp_path: Path, template: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        train(config(made(template), write_set(tmp_path / "data", talks())), tmp_path / "run")


def test_a_gpu_without_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda including_emulation: False)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda device: "Tesla T4")
    gpu = torch.device("cuda")
    given = {"base": "embedded", "data": "x"}
    assert find_precision(parse(TrainConfig, given), gpu) == "float32"
    with pytest.raises(ConfigError, match=r"Tesla T4 doesn't have it; use precision = \"auto\" or \"float32\""):
        find_precision(parse(TrainConfig, {**given, "precision": "bfloat16"}), gpu)
