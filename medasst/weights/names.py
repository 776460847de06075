"""How Hugging Face and llama.cpp name and store the same tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from medasst.errors import DependencyError, ModelError
from medasst.weights.tensors import Array

# Hugging Face's model_type → GGUF's architecture.
ARCHITECTURES = {"gemma3_text": "gemma3", "llama": "llama", "qwen2": "qwen2"}


class TensorMap(NamedTuple):
    """One model's tensors in both worlds.

    Attributes:
        architecture: GGUF's name of it.
        names: the gguf library's tensor-name map.
        heads: attention heads of q and of k.
    """

    architecture: str
    names: Any
    heads: tuple[int, int]

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> TensorMap:
        """The tensors of a model by its `config.json`. Raises ModelError for an architecture not known here."""
        try:
            import gguf
        except ModuleNotFoundError as error:
            raise DependencyError("gguf", "serve") from error
        kind = config.get("model_type", "")
        if kind not in ARCHITECTURES:
            raise ModelError(
                f"llama.cpp files can't be made for models of type {kind!r}, only for {', '.join(sorted(ARCHITECTURES))}; "
                'use engine = "transformers"'
            )
        arch = ARCHITECTURES[kind]
        number = next(k for k, v in gguf.MODEL_ARCH_NAMES.items() if v == arch)
        heads = config["num_attention_heads"]
        return cls(
            arch,
            gguf.get_tensor_name_map(number, config["num_hidden_layers"]),
            (heads, config.get("num_key_value_heads", heads)),
        )

    def hf_names(self, layers: int) -> list[str]:
        """Hugging Face's names of all tensors of an unmodified model; the output head is among them though often tied."""
        gemma = self.architecture == "gemma3"
        norms = ["input_layernorm", "post_attention_layernorm"]
        norms += ["pre_feedforward_layernorm", "post_feedforward_layernorm"] if gemma else []
        attention = [f"self_attn.{part}_proj" for part in "qkvo"]
        attention += ["self_attn.q_norm", "self_attn.k_norm"] if gemma else []
        inside = [f"{n}.weight" for n in (*norms, *attention, *(f"mlp.{part}_proj" for part in ("gate", "up", "down")))]
        inside += [f"self_attn.{part}_proj.bias" for part in "qkv"] if self.architecture == "qwen2" else []
        outside = [f"{name}.weight" for name in ("model.embed_tokens", "model.norm", "lm_head")]
        return [*outside, *(f"model.layers.{i}.{name}" for i in range(layers) for name in inside)]

    def gguf_name(self, name: str) -> str:
        """GGUF's name of a tensor."""
        found = self.names.get_name(name, (".weight", ".bias"))
        if found is None:
            raise ModelError(f"no llama.cpp name for the tensor {name!r} of a {self.architecture} model")
        return str(found)

    def to_gguf(self, name: str, value: Array) -> Array:
        """The values as llama.cpp stores them. `name` is Hugging Face's."""
        if self.architecture == "llama" and (heads := self._rotary_heads(name)):
            return _permute(value, heads)
        if self.architecture == "gemma3" and name.endswith("norm.weight"):
            return value + 1  # llama.cpp keeps the factor, transformers its distance from 1
        return value

    def from_gguf(self, name: str, value: Array) -> Array:
        """The inverse of `to_gguf`."""
        if self.architecture == "llama" and (heads := self._rotary_heads(name)):
            return _permute(value, heads, inverse=True)
        if self.architecture == "gemma3" and name.endswith("norm.weight"):
            return value - 1
        return value

    def _rotary_heads(self, name: str) -> int:
        return next((h for part, h in zip(("q_proj", "k_proj"), self.heads, strict=True) if f".{part}." in f"{name}."), 0)


def _permute(value: Array, heads: int, *, inverse: bool = False) -> Array:
    """llama.cpp rotates neighbouring rows of a Llama head, transformers those half a head apart."""
    inner = (value.shape[0] // heads // 2, 2) if inverse else (2, value.shape[0] // heads // 2)
    return np.swapaxes(value.reshape(heads, *inner, *value.shape[1:]), 1, 2).reshape(value.shape)
