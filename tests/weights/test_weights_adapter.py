"""Adapter files say what they were made for, and never load onto another base unnoticed."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from medasst.errors import ModelError  # noqa: E402
from medasst.models import SystemConfig, open_model  # noqa: E402
from medasst.render import Renderer  # noqa: E402
from medasst.weights import Base, check_adapter, find_base, read_adapter, save_adapter  # noqa: E402


@pytest.fixture
def base(tiny_llama: Path, own_cache: Path) -> Base:
    return find_base(str(tiny_llama))


@pytest.fixture
def model(base: Base) -> Any:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base.folder, dtype=torch.float32)
    model = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM"))
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    return model


@pytest.fixture
def adapter(model: Any, base: Base, tmp_path: Path) -> Path:
    folder = tmp_path / "run" / "adapter"
    save_adapter(model, folder, base, Renderer.from_folder(base.folder), {"manifest_sha256": "abc", "note": "试"})
    return folder


def test_what_it_says(adapter: Path, base: Base) -> None:
    info = check_adapter(adapter, base)
    assert (info.base, info.base_fingerprint) == (base.name, base.fingerprint)
    assert (info.template, info.r, info.scale) == ("chat", 4, 2.0)
    assert json.loads((adapter / "run.json").read_text("utf-8")) == {"manifest_sha256": "abc", "note": "试"}
    assert (adapter / "chat_template.jinja").read_text("utf-8") == Renderer.from_folder(base.folder).template
    assert not (adapter / "NOTICE").exists()
    assert str(base.folder) in json.loads((adapter / "adapter_config.json").read_text("utf-8"))["base_model_name_or_path"]


def test_peft_loads_it_in_bfloat16(adapter: Path, model: Any, base: Base) -> None:
    from peft import PeftModel
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM

    assert {t.dtype for t in load_file(adapter / "adapter_model.safetensors").values()} == {torch.bfloat16}
    again = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base.folder, dtype=torch.float32), adapter)
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.inference_mode():
        assert torch.allclose(again(ids).logits, model(ids).logits, atol=2e-2)
        with model.disable_adapter():
            assert not torch.allclose(again(ids).logits, model(ids).logits, atol=2e-2)


def test_a_gemma_adapter_carries_its_notice(model: Any, base: Base, tmp_path: Path) -> None:
    gemma = replace(base, notice="Gemma is provided under …")
    save_adapter(model, tmp_path / "a", gemma, Renderer.from_folder(base.folder), {})
    assert (tmp_path / "a" / "NOTICE").read_text("utf-8") == "Gemma is provided under …"


def test_saving_again_replaces(adapter: Path, model: Any, base: Base) -> None:
    (adapter / "stale.gguf").touch()
    save_adapter(model, adapter, base, Renderer.from_folder(base.folder, "plain"), {})
    assert not (adapter / "stale.gguf").exists()
    assert read_adapter(adapter).template == "plain"
    assert [p.name for p in adapter.parent.iterdir()] == ["adapter"]


@pytest.mark.parametrize("engine", ["transformers", "llama.cpp"])
def test_another_base_is_refused(engine: str, adapter: Path, base: Base, tiny_gemma3: Path) -> None:
    with pytest.raises(ModelError) as error:
        open_model(SystemConfig(engine=engine, base=str(tiny_gemma3), adapter=adapter))
    assert base.name in str(error.value)
    assert str(tiny_gemma3) in str(error.value)


def test_an_adapter_of_elsewhere_is_unverified(adapter: Path, base: Base) -> None:
    (adapter / "medasst.json").unlink()
    with pytest.warns(UserWarning, match="unverified"):
        assert check_adapter(adapter, base).template == "auto"


def test_a_changed_tokenizer_is_told(adapter: Path, base: Base) -> None:
    about = json.loads((adapter / "medasst.json").read_text("utf-8"))
    (adapter / "medasst.json").write_text(json.dumps(about | {"tokenizer_sha256": "0"}), "utf-8")
    with pytest.warns(UserWarning, match="tokenizer"):
        check_adapter(adapter, base)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("adapter_config.json", None, "no adapter there"),
        ("adapter_model.safetensors", None, "no adapter there"),
        ("adapter_config.json", "{", "can't be read"),
        ("medasst.json", "nonsense", "can't be read"),
        ("adapter_config.json", '{"peft_type": "LOHA", "r": 4, "lora_alpha": 4}', "LOHA"),
    ],
)
def test_damaged_adapters(file: str, content: str | None, message: str, adapter: Path) -> None:
    (adapter / file).unlink()
    if content is not None:
        (adapter / file).write_text(content, "utf-8")
    with pytest.raises(ModelError, match=message):
        read_adapter(adapter)


def test_the_trained_template_is_kept(model: Any, base: Base, tmp_path: Path) -> None:
    save_adapter(model, tmp_path / "a", base, Renderer.from_folder(base.folder, "plain"), {})
    tuned = open_model(SystemConfig(base=str(base.folder), adapter=tmp_path / "a"))
    assert tuned.renderer.kind == "plain"  # type: ignore[attr-defined]
    assert open_model(SystemConfig(base=str(base.folder))).renderer.kind == "chat"  # type: ignore[attr-defined]


def test_another_rendering_than_in_training_is_told(adapter: Path, base: Base) -> None:
    with pytest.warns(UserWarning, match=r"another rendering of conversations \(template = 'chat', now 'plain'"):
        open_model(SystemConfig(base=str(base.folder), adapter=adapter, template="plain"))
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*another rendering")
        open_model(SystemConfig(base=str(base.folder), adapter=adapter))
