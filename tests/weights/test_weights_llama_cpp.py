"""Tiny random models, written for llama.cpp: its greedy answers are those of transformers, adapter included."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("xllamacpp")

from medasst.conversation import Conversation  # noqa: E402
from medasst.errors import ModelError  # noqa: E402
from medasst.models import Decoding, SystemConfig, open_model  # noqa: E402
from medasst.models.llama_cpp import LlamaCppModel  # noqa: E402
from medasst.render import Renderer  # noqa: E402
from medasst.weights import adapter_to_gguf, base_to_gguf, find_base, save_adapter  # noqa: E402
from medasst.weights.convert import add_description, add_weights  # noqa: E402
from medasst.weights.names import TensorMap  # noqa: E402
from medasst.weights.tensors import read_safetensors  # noqa: E402

TALKS = [Conversation.of([("user", text)]) for text in ("感冒发烧吃什么药好？", "孩子咳嗽有痰怎么办？", "我头疼得厉害")]
FAMILIES = ["tiny_llama", "tiny_gemma", "tiny_gemma3", "tiny_mistral", "tiny_qwen2"]


def make_adapter(folder: Path, out: Path, targets: str | list[str] = "all-linear", **settings: Any) -> Path:
    """A random adapter, strong enough to change every answer."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules=targets, task_type="CAUSAL_LM", **settings))
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.5)
    base = find_base(str(folder))
    save_adapter(model, out, base, Renderer.from_folder(folder), {"seed": 1})
    return out


def answers(engine: str, base: Path, adapter: Path | None) -> dict[str, str]:
    model = open_model(SystemConfig(engine=engine, base=str(base), adapter=adapter, threads=1, context=256, parallel=2))
    found = {c.id: f"{c.finish_reason} {c.error} {c.text}" for c in model.generate(TALKS, Decoding(max_new_tokens=5))}
    if isinstance(model, LlamaCppModel):
        model.close()
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_engines_agree(family: str, request: pytest.FixtureRequest, own_cache: Path, tmp_path: Path) -> None:
    folder = request.getfixturevalue(family)
    adapter = make_adapter(folder, tmp_path / "adapter")
    plain, tuned = answers("transformers", folder, None), answers("transformers", folder, adapter)
    assert plain != tuned
    assert answers("llama.cpp", folder, None) == plain
    assert answers("llama.cpp", folder, adapter) == tuned


@pytest.mark.parametrize("family", ["tiny_llama", "tiny_gemma3", "tiny_qwen2"])
def test_there_and_back(family: str, request: pytest.FixtureRequest, own_cache: Path, tmp_path: Path) -> None:
    """A base written as GGUF and converted again has the same tensors and the same tokenizer."""
    folder = request.getfixturevalue(family)
    base = find_base(str(folder))
    file = base_to_gguf(base)
    add_description(file, tmp_path, base.config)
    add_weights(file, tmp_path / "model.safetensors", base.config)
    before = {t.name: t.load() for t in read_safetensors(folder / "model.safetensors")}
    after = {t.name: t.load() for t in read_safetensors(tmp_path / "model.safetensors")}
    assert before.keys() == after.keys()
    assert all(np.abs(before[name] - after[name]).max() < 1e-6 for name in before)
    old, new = Renderer.from_folder(folder), Renderer.from_folder(tmp_path)
    for text in ("感冒了，发烧38.5℃  怎么办？\n", "😷 I feel ill."):
        ids = new.tokenizer.encode(text, add_special_tokens=False).ids
        assert ids == old.tokenizer.encode(text, add_special_tokens=False).ids
        assert new.decode(ids) == text


def test_conversions_are_made_once(tiny_llama: Path, own_cache: Path, tmp_path: Path) -> None:
    base = find_base(str(tiny_llama))
    adapter = make_adapter(tiny_llama, tmp_path / "adapter")
    files = [base_to_gguf(base), adapter_to_gguf(adapter, base)]
    times = [file.stat().st_mtime_ns for file in files]
    assert [base_to_gguf(base), adapter_to_gguf(adapter, base)] == files
    assert [file.stat().st_mtime_ns for file in files] == times


def test_a_retrained_adapter_is_converted_anew(tiny_llama: Path, own_cache: Path, tmp_path: Path) -> None:
    base = find_base(str(tiny_llama))
    first = adapter_to_gguf(make_adapter(tiny_llama, tmp_path / "adapter"), base)
    second = adapter_to_gguf(make_adapter(tiny_llama, tmp_path / "adapter", targets=["q_proj"]), base)
    assert second != first
    assert not first.exists()


def test_what_llama_cpp_cannot_hold(tiny_llama: Path, own_cache: Path, tmp_path: Path) -> None:
    adapter = make_adapter(tiny_llama, tmp_path / "adapter", rank_pattern={"q_proj": 2})
    with pytest.raises(ModelError, match="rank_pattern"):
        adapter_to_gguf(adapter, find_base(str(tiny_llama)))


def test_rope_scaling_is_refused(tiny_llama: Path, own_cache: Path, tmp_path: Path) -> None:
    for file in tiny_llama.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text("utf-8"))
    config["rope_parameters"] = {"rope_type": "yarn", "factor": 4.0, "rope_theta": 1e4}
    (tmp_path / "config.json").write_text(json.dumps(config), "utf-8")
    with pytest.raises(ModelError, match="rope scaling"):
        base_to_gguf(find_base(str(tmp_path)))


def test_unknown_architecture() -> None:
    with pytest.raises(ModelError, match=r"'gpt2'.*transformers"):
        TensorMap.of({"model_type": "gpt2"})
