"""From settings to a model that is ready to learn: device, precision, base, LoRA layers."""

from __future__ import annotations

import ctypes
import random
import sys
from functools import partial
from typing import Any, Literal

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers import AutoModelForCausalLM
from transformers.utils import logging as transformers_logging

from medasst.errors import ConfigError, ModelError
from medasst.render import Renderer
from medasst.train.config import TrainConfig
from medasst.train.lora import fuse
from medasst.weights import Base

Precision = Literal["float32", "bfloat16"]


def find_device(config: TrainConfig) -> torch.device:
    """Raises ConfigError where this machine doesn't have it."""
    found = torch.cuda.is_available()
    if config.device == "cuda" and not found:
        built = "" if torch.version.cuda else "; this PyTorch is built without it"
        raise ConfigError(f'device = "cuda": PyTorch finds no CUDA device here{built}; use device = "auto" or "cpu"')
    return torch.device(("cuda" if found else "cpu") if config.device == "auto" else config.device)


def find_precision(config: TrainConfig, device: torch.device) -> Precision:
    """The precision of the base's weights and of the activations. Raises ConfigError where the device doesn't have it."""
    able = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    if config.precision == "auto":
        return "bfloat16" if able else "float32"
    if config.precision == "bfloat16" and device.type == "cuda" and not able:
        name = torch.cuda.get_device_name(device)
        raise ConfigError(f'precision = "bfloat16": {name} doesn\'t have it; use precision = "auto" or "float32"')
    return config.precision


def check_vocabulary(base: Base, renderer: Renderer, rows: int | None) -> None:
    """Raises ModelError where the tokenizer has ids that the embedding has no row for."""
    if rows is not None and renderer.ids_needed > rows:
        raise ModelError(
            f"{base.folder}: the tokenizer has {renderer.ids_needed:,} ids, the model's embedding {rows:,} rows; "
            "enlarge it with transformers' resize_token_embeddings, or take the tokenizer that belongs to the model"
        )


def build(config: TrainConfig, base: Base, device: torch.device, precision: Precision) -> PeftModel:
    """The base with fresh LoRA layers in float32; the seed decides their first values.

    Raises:
        ModelError: a base that transformers can't load.
        ConfigError: `lora.targets` that it doesn't have.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    if device.type == "cpu" and sys.platform == "linux":
        _keep_memory()
    torch.manual_seed(config.seed)
    random.seed(config.seed)
    transformers_logging.disable_progress_bar()  # its bar for a local file would tear ours
    try:
        # A device map of one place reads the files straight onto it: no second copy in the machine's own memory.
        model = AutoModelForCausalLM.from_pretrained(base.folder, dtype=getattr(torch, precision), device_map={"": device})
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(f"{base.folder}: transformers can't load this model ({error})") from error
    return adapt(model, config, precision)


def adapt(model: Any, config: TrainConfig, precision: Precision) -> PeftModel:
    """A causal model of transformers with LoRA layers in float32, ready to learn; on the meta device too.

    Raises:
        ConfigError: `lora.targets` that it doesn't have, or activations that can't be computed again.
    """
    targets = config.lora.targets if isinstance(config.lora.targets, str) else list(config.lora.targets)
    lora = LoraConfig(
        r=config.lora.r,
        lora_alpha=config.lora.alpha,
        lora_dropout=config.lora.dropout,
        target_modules=targets,
        task_type="CAUSAL_LM",
    )
    try:
        adapted = get_peft_model(model, lora)
    except ValueError as error:
        raise ConfigError(f"lora.targets: {error}") from error
    fuse(adapted)
    if config.checkpoint_activations:
        if not model.supports_gradient_checkpointing:
            raise ConfigError(f"checkpoint_activations: transformers can't do it for {type(model).__name__}; leave it out")
        model.gradient_checkpointing_enable({"use_reentrant": False})
    if precision == "bfloat16":
        _compute_norms_again(model)
    return adapted


def _compute_norms_again(model: nn.Module) -> None:
    """Keep what goes into each norm instead of what it makes of it: norms work in float32, twice the size of the rest."""
    for module in model.modules():
        if type(module).__name__.endswith("Norm"):
            module.forward = partial(checkpoint, module.forward, use_reentrant=False, preserve_rng_state=False)


def _keep_memory() -> None:
    """Tell glibc to keep what is freed: fresh pages for every large tensor cost a CPU run about a tenth of its time."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(-4, 0)  # M_MMAP_MAX: no mapping of its own for a large block
        libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD
