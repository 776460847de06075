"""How Hugging Face and llama.cpp name and store the same tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from medasst.errors import DependencyError, ModelError
from medasst.weights.families import Family, family_of
from medasst.weights.tensors import Array


class TensorMap(NamedTuple):
    """One model's tensors in both worlds.

    Attributes:
        family: what is known of its kind.
        names: the gguf library's tensor-name map.
        heads: attention heads of q and of k.
    """

    family: Family
    names: Any
    heads: tuple[int, int]

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> TensorMap:
        """The tensors of a model by its `config.json`. Raises ModelError for an architecture not known here."""
        try:
            import gguf
        except ModuleNotFoundError as error:
            raise DependencyError("gguf", "serve") from error
        family = family_of(config.get("model_type", ""))
        number = next(k for k, v in gguf.MODEL_ARCH_NAMES.items() if v == family.architecture)
        heads = config["num_attention_heads"]
        return cls(
            family,
            gguf.get_tensor_name_map(number, config["num_hidden_layers"]),
            (heads, config.get("num_key_value_heads") or heads),
        )

    def gguf_name(self, name: str) -> str:
        """GGUF's name of a tensor."""
        found = self.names.get_name(name, (".weight", ".bias"))
        if found is None:
            raise ModelError(f"no llama.cpp name for the tensor {name!r} of a {self.family.architecture} model")
        return str(found)

    def to_gguf(self, name: str, value: Array) -> Array:
        """The values as llama.cpp stores them. `name` is Hugging Face's."""
        if heads := self._rotary_heads(name):
            return _permute(value, heads)
        return value + 1 if self._from_one(name) else value

    def from_gguf(self, name: str, value: Array) -> Array:
        """The inverse of `to_gguf`."""
        if heads := self._rotary_heads(name):
            return _permute(value, heads, inverse=True)
        return value - 1 if self._from_one(name) else value

    def _from_one(self, name: str) -> bool:
        return self.family.norms_from_one and name.endswith("norm.weight")

    def _rotary_heads(self, name: str) -> int:
        """Heads whose rows are stored in another order; 0 where none are."""
        if not self.family.neighbours_rotate:
            return 0
        return next((h for part, h in zip(("q_proj", "k_proj"), self.heads, strict=True) if f".{part}." in f"{name}."), 0)


def _permute(value: Array, heads: int, *, inverse: bool = False) -> Array:
    """Rows half a head apart become neighbours."""
    inner = (value.shape[0] // heads // 2, 2) if inverse else (2, value.shape[0] // heads // 2)
    return np.swapaxes(value.reshape(heads, *inner, *value.shape[1:]), 1, 2).reshape(value.shape)
