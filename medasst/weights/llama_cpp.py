"""Hugging Face folders and PEFT adapters → GGUF files for llama.cpp. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from medasst.cache import building, cache_dir
from medasst.disk import file_sha256, written_whole
from medasst.errors import DependencyError, ModelError
from medasst.progress import Progress, silent
from medasst.weights.adapter import WEIGHTS_FILE, odd_parts, read_adapter
from medasst.weights.bases import GGUF_FILE, Base
from medasst.weights.families import Family
from medasst.weights.names import TensorMap
from medasst.weights.tensors import read_safetensors
from medasst.weights.vocabulary import add_vocabulary


def adapter_to_gguf(folder: Path, base: Base, out: Path | None = None) -> Path:
    """Convert a LoRA adapter for llama.cpp, once; the file lies beside the adapter.

    Args:
        folder: the PEFT adapter.
        base: what it belongs to.
        out: another place for the file; it is written anew.

    Raises:
        ModelError: kinds of adapter that llama.cpp can't hold: changed heads or embeddings, DoRA, a rank that varies.
    """
    target = out or folder / f"adapter-{file_sha256(folder / WEIGHTS_FILE)[:12]}.gguf"
    if out is None and target.is_file():
        return target
    info = read_adapter(folder)
    if odd := odd_parts(folder):
        raise ModelError(f'{folder}: llama.cpp can\'t hold an adapter with {", ".join(odd)}; use engine = "transformers"')
    tensor_map = TensorMap.of(base.config)
    writer = _writer(tensor_map.family.architecture)
    writer.add_string("general.type", "adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_string("general.name", f"{info.base or base.name} adapter")
    writer.add_float32("adapter.lora.alpha", info.scale * info.r)  # llama.cpp divides by the rank
    for tensor in read_safetensors(folder / WEIGHTS_FILE):
        name = tensor.name.removeprefix("base_model.model.")
        module, side = name.removesuffix(".weight").rsplit(".lora_", 1)
        value = tensor.load()
        # Rows of the product B·A are rows of B: only B is stored otherwise.
        value = tensor_map.to_gguf(f"{module}.weight", value) if side == "B" else value
        writer.add_tensor(f"{tensor_map.gguf_name(f'{module}.weight')}.lora_{side.lower()}", value)
    return _finish(writer, target)


def _writer(architecture: str) -> Any:
    try:
        import gguf
    except ModuleNotFoundError as error:
        raise DependencyError("gguf", "serve") from error
    return gguf.GGUFWriter(None, architecture)


def _finish(writer: Any, target: Path) -> Path:
    """Write all and give the file its name at the end, so that no half-written one is ever taken for whole."""
    with written_whole(target) as unfinished:
        writer.write_header_to_file(unfinished)
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    return target


def base_to_gguf(base: Base, progress: Progress = silent) -> Path:
    """The base as a GGUF file, made once and cached where there is none: same values, same type, vocabulary of its tokenizer.

    Raises:
        ModelError: an architecture, tokenizer or rope scaling that isn't supported.
        MedasstError: no disk space.
    """
    if base.gguf is not None:
        return base.gguf
    target = cache_dir() / "gguf" / base.fingerprint[:16]
    files = sorted(base.folder.glob("*.safetensors"))
    with building(target, sum(file.stat().st_size for file in files) + 2**26) as folder:
        if folder is not None:
            progress(f"converting {base.name} for llama.cpp, once", 0)
            write_gguf(base, folder / GGUF_FILE)
    return target / GGUF_FILE


def write_gguf(base: Base, target: Path, turn_end: str = "") -> None:
    """Write a base's safetensors, tokenizer and chat template as one GGUF file: same values, same type.

    Args:
        turn_end: the token that ends a turn; by default what its family's templates write.

    Raises:
        ModelError: an architecture, tokenizer or rope scaling that isn't supported.
    """
    config = base.config
    files = sorted(base.folder.glob("*.safetensors"))
    tensor_map = TensorMap.of(config)
    writer = _writer(tensor_map.family.architecture)
    _add_sizes(writer, tensor_map.family, config, base.name)
    add_vocabulary(writer, base.folder, config["vocab_size"], [turn_end] if turn_end else tensor_map.family.turn_ends)
    import gguf

    tensors = [t for file in files for t in read_safetensors(file)]
    if config.get("tie_word_embeddings"):
        tensors = [t for t in tensors if t.name != "lm_head.weight"]
    for tensor in tensors:
        # Vectors stay float32: llama.cpp wants them so, and they weigh nothing.
        kind = gguf.GGMLQuantizationType["F32" if len(tensor.shape) == 1 else tensor.dtype]
        size = gguf.GGML_QUANT_SIZES[kind][1] * int(np.prod(tensor.shape))
        writer.add_tensor_info(tensor_map.gguf_name(tensor.name), tensor.shape, np.dtype(np.float32), size, raw_dtype=kind)
    writer.write_header_to_file(target)
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for tensor in tensors:
        kind = gguf.GGMLQuantizationType["F32" if len(tensor.shape) == 1 else tensor.dtype]
        writer.write_tensor_data(gguf.quantize(tensor_map.to_gguf(tensor.name, tensor.load()), kind))
    writer.close()


def _add_sizes(writer: Any, family: Family, config: Mapping[str, Any], name: str) -> None:
    rope = config.get("rope_parameters") or {}
    if "full_attention" in rope:  # transformers 5 keeps one per kind of layer
        rope = rope["full_attention"]
    scaling = config.get("rope_scaling") or rope
    if (scaling.get("rope_type") or scaling.get("type") or "default") != "default":
        raise ModelError(f'{name}: rope scaling {scaling} is not supported for llama.cpp; use engine = "transformers"')
    heads = config["num_attention_heads"]
    head_dim = config.get("head_dim") or config["hidden_size"] // heads
    writer.add_name(name)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.get("num_key_value_heads") or heads)
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(rope.get("rope_theta") or config.get("rope_theta") or 10000.0)
    writer.add_vocab_size(config["vocab_size"])
    if not family.sliding_window:
        writer.add_rope_dimension_count(head_dim)
    elif config.get("sliding_window"):
        writer.add_sliding_window(config["sliding_window"])
