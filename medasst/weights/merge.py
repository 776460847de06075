"""A base with an adapter's update added to its weights, tensor by tensor: no torch, one tensor in memory at a time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from medasst.cache import check_space
from medasst.errors import ModelError
from medasst.progress import Progress, silent
from medasst.weights.adapter import WEIGHTS_FILE, AdapterInfo, check_adapter, odd_parts
from medasst.weights.bases import Base
from medasst.weights.tensors import Array, Output, Stored, read_safetensors, write_safetensors

_INDEX = "model.safetensors.index.json"


class _Update(NamedTuple):
    """What an adapter adds to one matrix: `scale` · B·A; (out, r) and (r, in)."""

    b: Stored
    a: Stored
    scale: float

    @property
    def shape(self) -> tuple[int, ...]:
        return self.b.shape[0], self.a.shape[1]

    def added_to(self, weight: Array) -> Array:
        weight += self.scale * (self.b.load() @ self.a.load())
        return weight


def merge_adapter(base: Base, adapter: Path, folder: Path, progress: Progress = silent) -> None:
    """Write the safetensors of `base` with the adapter's update added into `folder`: the same files, names and types.

    Raises:
        ModelError: an adapter made for another base, or one that can't be added: changed heads or embeddings, DoRA, a rank
            that varies, an update of an output layer that is the embedding too.
        MedasstError: no disk space.
    """
    info = check_adapter(adapter, base)
    updates = _updates(info, base)
    files = sorted(base.folder.glob("*.safetensors"))
    stored = {file: read_safetensors(file) for file in files}
    shapes = {tensor.name: tensor.shape for tensors in stored.values() for tensor in tensors}
    for name, update in updates.items():
        if shapes.get(name) != update.shape:
            there = f"is {shapes[name]} there" if name in shapes else "isn't there"
            raise ModelError(
                f"{adapter}: changes {name} of shape {update.shape}, which {there}: not an adapter for {base.name}"
            )
    check_space(folder, sum(file.stat().st_size for file in files))
    for done, (file, tensors) in enumerate(stored.items()):
        progress("merging", done, len(files))
        write_safetensors(folder / file.name, [_output(tensor, updates.get(tensor.name)) for tensor in tensors])
    if (base.folder / _INDEX).is_file():
        (folder / _INDEX).write_bytes((base.folder / _INDEX).read_bytes())


def _output(tensor: Stored, update: _Update | None) -> Output:
    return Output(tensor.name, tensor.shape, partial(_values, tensor, update), tensor.dtype)


def _values(tensor: Stored, update: _Update | None) -> Iterable[Array]:
    return [tensor.load() if update is None else update.added_to(tensor.load())]


def _updates(info: AdapterInfo, base: Base) -> Mapping[str, _Update]:
    """By the name of the matrix that each changes."""
    if odd := odd_parts(info.folder):
        raise ModelError(f"{info.folder}: an adapter with {', '.join(odd)} can't be merged; serve it beside its base")
    sides: dict[str, dict[str, Stored]] = {}
    for tensor in read_safetensors(info.folder / WEIGHTS_FILE):
        module, side = tensor.name.removeprefix("base_model.model.").removesuffix(".weight").rsplit(".lora_", 1)
        sides.setdefault(f"{module}.weight", {})[side] = tensor
    if "lm_head.weight" in sides and base.config.get("tie_word_embeddings"):
        raise ModelError(
            f"{info.folder}: changes the output layer, which is the embedding of {base.name} too: merged, both would change; "
            "train without lm_head among lora.targets, or serve the adapter beside its base"
        )
    return {name: _Update(side["B"], side["A"], info.scale) for name, side in sides.items()}


def stored_type(base: Base) -> str:
    """The type that most of a base's values are stored in: "F32", "F16" or "BF16"."""
    sizes: dict[str, int] = {}
    for file in base.folder.glob("*.safetensors"):
        for tensor in read_safetensors(file):
            sizes[tensor.dtype] = sizes.get(tensor.dtype, 0) + math.prod(tensor.shape)
    return max(sizes, key=lambda kind: sizes[kind])
