"""Tensor files without torch: GGUF and safetensors in, safetensors out, one tensor in memory at a time."""

from __future__ import annotations

import json
import math
import mmap
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from medasst.errors import ModelError

Array = NDArray[Any]


class GgufTensor(NamedTuple):
    """A stored tensor: `shape` outermost first, as numpy has it; `data` rows of quantised bytes or plain values."""

    name: str
    shape: tuple[int, ...]
    type: int
    data: Array


@dataclass(frozen=True)
class Gguf:
    """A GGUF file: metadata by key, and its tensors."""

    metadata: dict[str, Any]
    tensors: list[GgufTensor]


# https://github.com/ggml-org/ggml/blob/master/docs/gguf.md: value types by number; 8 is a string, 9 an array.
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


def read_gguf(path: Path) -> Gguf:
    """Read a GGUF file; tensors stay on disk until they are used.

    The gguf library's own reader takes 24 s for a vocabulary of 262,144; this one half a second.

    Raises:
        ModelError: not a GGUF file, or a damaged one.
    """
    try:
        with path.open("rb") as file:
            return _parse(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError, KeyError, struct.error) as error:
        raise ModelError(f"{path}: not a readable GGUF file ({error}); delete it and let it be made again") from error


def _parse(buffer: mmap.mmap) -> Gguf:
    import gguf

    cursor = _Cursor(buffer)
    magic, version, tensor_count, key_count = cursor.take("<4sIQQ")
    if magic != b"GGUF" or version not in (2, 3):
        raise ValueError("no GGUF header of version 2 or 3")
    metadata = {cursor.string(): cursor.value() for _ in range(key_count)}
    infos = []
    for _ in range(tensor_count):
        name, (dims,) = cursor.string(), cursor.take("<I")
        shape = cursor.take(f"<{dims}Q")[::-1]
        infos.append((name, shape, *cursor.take("<IQ")))
    alignment = metadata.get("general.alignment", 32)
    start = -(-cursor.at // alignment) * alignment
    plain: dict[int, np.dtype[Any]] = {0: np.dtype("<f4"), 1: np.dtype("<f2")}
    tensors = []
    for name, shape, kind, offset in infos:
        dtype = plain.get(kind, np.dtype("u1"))
        block, block_bytes = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType(kind)]
        row = (*shape[:-1], shape[-1] // block * block_bytes // dtype.itemsize)
        data = np.frombuffer(buffer, dtype, count=int(np.prod(row)), offset=start + offset).reshape(row)
        tensors.append(GgufTensor(name, shape, kind, data))
    return Gguf(metadata, tensors)


class _Cursor:
    def __init__(self, buffer: mmap.mmap) -> None:
        self.buffer, self.at = buffer, 0

    def take(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from(layout, self.buffer, self.at)
        self.at += struct.calcsize(layout)
        return values

    def string(self) -> str:
        (length,) = self.take("<Q")
        self.at += length
        return self.buffer[self.at - length : self.at].decode("utf-8", "surrogateescape")

    def value(self, kind: int | None = None) -> Any:
        if kind is None:
            (kind,) = self.take("<I")
        if kind == 8:
            return self.string()
        if kind != 9:
            return self.take("<" + _SCALARS[kind])[0]
        inner, count = self.take("<IQ")
        if inner in (8, 9):
            return [self.value(inner) for _ in range(count)]
        return list(self.take(f"<{count}{_SCALARS[inner]}"))


def dequantised(tensor: GgufTensor, rows: int = 8192) -> Iterator[Array]:
    """The float32 values of a tensor, a block of rows at a time; exact for every GGML type."""
    import gguf

    kind = gguf.GGMLQuantizationType(tensor.type)
    for start in range(0, len(tensor.data), rows):
        yield gguf.dequantize(tensor.data[start : start + rows], kind).astype(np.float32, copy=False)


class Stored(NamedTuple):
    """A tensor of a safetensors file; `load` reads it as float32, bfloat16 included, which numpy lacks."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    load: Callable[[], Array]


def read_safetensors(path: Path) -> list[Stored]:
    """What a safetensors file holds. Raises ModelError when it can't be read."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header: dict[str, Any] = json.loads(file.read(length))
    except (OSError, ValueError, struct.error) as error:
        raise ModelError(f"{path}: not a readable safetensors file ({error}); fetch or make it again") from error
    header.pop("__metadata__", None)

    def loader(dtype: str, shape: list[int], begin: int) -> Callable[[], Array]:
        def load() -> Array:
            kinds = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}
            if dtype not in kinds:
                raise ModelError(f"{path}: tensors of type {dtype} are not supported; use float32, float16 or bfloat16")
            raw = np.fromfile(path, kinds[dtype], int(np.prod(shape)), offset=8 + length + begin).reshape(shape)
            return (raw.astype("<u4") << 16).view("<f4") if dtype == "BF16" else raw.astype("<f4")

        return load

    return [
        Stored(name, info["dtype"], tuple(info["shape"]), loader(info["dtype"], info["shape"], info["data_offsets"][0]))
        for name, info in header.items()
    ]


class Output(NamedTuple):
    """A tensor to write: `values` gives its float32 values in blocks of rows; `dtype` is what they are stored as."""

    name: str
    shape: tuple[int, ...]
    values: Callable[[], Iterable[Array]]
    dtype: str = "F32"


def write_safetensors(path: Path, tensors: Iterable[Output]) -> None:
    """Write float32, float16 or bfloat16 tensors; only one block is in memory at a time."""
    tensors = list(tensors)
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for tensor in tensors:
        begin, end = end, end + (4 if tensor.dtype == "F32" else 2) * math.prod(tensor.shape)
        header[tensor.name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors:
            for block in tensor.values():
                file.write(np.ascontiguousarray(_stored(block, tensor.dtype)).data)


def _stored(block: Array, dtype: str) -> Array:
    if dtype != "BF16":
        return block.astype("<f2" if dtype == "F16" else "<f4", copy=False)
    bits: Array = np.ascontiguousarray(block, "<f4").view("<u4")
    rounded: Array = ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype("<u2")  # to the nearest, to the even one of two as near
    return rounded
