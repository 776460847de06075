"""Adapter files: PEFT's format, and beside it what they were made for."""

from __future__ import annotations

import copy
import json
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from medasst.disk import file_sha256, write_json, written_whole
from medasst.errors import ModelError
from medasst.render import Renderer
from medasst.weights.bases import Base
from medasst.weights.tensors import read_safetensors

ABOUT_FILE = "medasst.json"
WEIGHTS_FILE = "adapter_model.safetensors"


@dataclass(frozen=True)
class AdapterInfo:
    """What an adapter folder says of itself.

    Attributes:
        base, base_fingerprint: what it was trained for; empty for an adapter made elsewhere.
        tokenizer_sha256: of the base's `tokenizer.json` at training.
        template: how its conversations were rendered.
        rendering_sha256: `Renderer.sha256` at training; empty for an adapter made elsewhere.
        r, scale: rank, and the factor of its update (alpha / r, or alpha / √r for rank-stabilised LoRA).
    """

    folder: Path
    base: str
    base_fingerprint: str
    tokenizer_sha256: str
    template: Literal["auto", "chat", "plain"]
    rendering_sha256: str
    r: int
    scale: float


def save_adapter(model: Any, folder: Path, base: Base, renderer: Renderer, run: Mapping[str, Any]) -> None:
    """Write a PEFT model's adapter (bfloat16), what it was made for, and `run.json`. An adapter there before is replaced.

    Args:
        run: what the run was: settings, results, the manifest's sha256.
    """
    import torch
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    state = get_peft_model_state_dict(model, save_embedding_layers=False)
    tensors = {name: value.detach().to("cpu", torch.bfloat16).contiguous() for name, value in state.items()}
    settings = copy.deepcopy(model.peft_config["default"])
    settings.base_model_name_or_path, settings.inference_mode = base.name, True
    about = {
        "base": base.name,
        "base_fingerprint": base.fingerprint,
        "tokenizer_sha256": file_sha256(base.folder / "tokenizer.json"),
        "template": renderer.kind,
        "rendering_sha256": renderer.sha256,
    }
    with written_whole(folder) as unfinished:
        unfinished.mkdir()
        save_file(tensors, unfinished / WEIGHTS_FILE, metadata={"format": "pt"})
        settings.save_pretrained(unfinished)
        write_json(unfinished / ABOUT_FILE, about)
        write_json(unfinished / "run.json", run)
        if renderer.template is not None:
            (unfinished / "chat_template.jinja").write_text(renderer.template, "utf-8")
        if base.notice:
            (unfinished / "NOTICE").write_text(base.notice, "utf-8")


def read_adapter(folder: Path) -> AdapterInfo:
    """What an adapter says of itself. Raises ModelError when there is none, or one of another kind than plain LoRA."""
    if not (folder / "adapter_config.json").is_file() or not (folder / WEIGHTS_FILE).is_file():
        raise ModelError(f"{folder}: no adapter there (adapter_config.json and {WEIGHTS_FILE}); train one with medasst train")
    try:
        settings = json.loads((folder / "adapter_config.json").read_text("utf-8"))
        about = json.loads((folder / ABOUT_FILE).read_text("utf-8")) if (folder / ABOUT_FILE).is_file() else {}
        rank = int(settings["r"])
        scale = settings["lora_alpha"] / (math.sqrt(rank) if settings.get("use_rslora") else rank)
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{folder}: its adapter_config.json or {ABOUT_FILE} can't be read ({error!r}); train it anew"
        ) from error
    if settings.get("peft_type") != "LORA":
        raise ModelError(f"{folder}: a {settings.get('peft_type')} adapter; only LoRA adapters are supported")
    return AdapterInfo(
        folder,
        about.get("base", ""),
        about.get("base_fingerprint", ""),
        about.get("tokenizer_sha256", ""),
        about.get("template", "auto"),
        about.get("rendering_sha256", ""),
        rank,
        scale,
    )


def odd_parts(folder: Path) -> list[str]:
    """What makes an adapter more than updates of one rank to single matrices: all that merging and other engines take."""
    settings = json.loads((folder / "adapter_config.json").read_text("utf-8"))
    keys = ("use_dora", "rank_pattern", "alpha_pattern", "modules_to_save", "fan_in_fan_out")
    odd = [key for key in keys if settings.get(key)]
    odd += ["bias"] if settings.get("bias", "none") != "none" else []
    names = [tensor.name for tensor in read_safetensors(folder / WEIGHTS_FILE)]
    return odd + [name for name in names if ".lora_A." not in name and ".lora_B." not in name][:1]


def adapted_modules(folder: Path) -> list[str]:
    """The matrices that a LoRA adapter changes: "model.layers.0.self_attn.q_proj", …"""
    names = (tensor.name.removeprefix("base_model.model.") for tensor in read_safetensors(folder / WEIGHTS_FILE))
    return sorted({name.rsplit(".lora_", 1)[0] for name in names})


def check_adapter(folder: Path, base: Base) -> AdapterInfo:
    """What an adapter says of itself, if it was made for `base`. Warns of one that doesn't say what it was made for.

    Raises:
        ModelError: no adapter, or one made for another base.
    """
    info = read_adapter(folder)
    if not info.base_fingerprint:
        warnings.warn(
            f"{folder}: made elsewhere, it doesn't say for which base; that it fits {base.name} is unverified", stacklevel=2
        )
        return info
    if info.base_fingerprint != base.fingerprint:
        raise ModelError(
            f"{folder}: made for {info.base} ({info.base_fingerprint[:12]}), not for {base.name} ({base.fingerprint[:12]}); "
            f"set base = {info.base!r}, or train an adapter for {base.name}"
        )
    if info.tokenizer_sha256 != file_sha256(base.folder / "tokenizer.json"):
        warnings.warn(f"{folder}: the tokenizer of {base.name} has changed since this adapter was trained", stacklevel=2)
    return info


def check_rendering(adapter: AdapterInfo, renderer: Renderer) -> None:
    """Warns where conversations are rendered otherwise than at the adapter's training: it then reads prompts it never saw."""
    if adapter.rendering_sha256 and adapter.rendering_sha256 != renderer.sha256:
        warnings.warn(
            f"{adapter.folder}: trained with another rendering of conversations (template = {adapter.template!r}, now "
            f"{renderer.kind!r}; tokenizer, chat template, special tokens or this program's rendering have changed); answers "
            "may be worse: leave template at 'auto' and the base's tokenizer as it was, or train anew",
            stacklevel=2,
        )
