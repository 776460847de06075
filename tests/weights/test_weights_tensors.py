"""Tensor files: read and written as the libraries do it."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest

from medasst.errors import ModelError
from medasst.weights.names import _permute
from medasst.weights.tensors import Output, dequantised, read_gguf, read_safetensors, write_safetensors


@pytest.fixture
def gguf_file(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    writer = gguf.GGUFWriter(tmp_path / "t.gguf", "llama")
    writer.add_array("tokenizer.ggml.tokens", ["感冒", "<0x0A>", ""])
    writer.add_array("some.floats", [0.5, -1.0])
    writer.add_bool("flag", True)
    writer.add_float32("eps", 1e-6)
    writer.add_tensor("plain", rng.normal(size=(3, 5)).astype(np.float32))
    writer.add_tensor("half", rng.normal(size=(7,)).astype(np.float16))
    for kind in ("Q8_0", "Q5_0", "Q4_1", "BF16"):
        quantised = gguf.GGMLQuantizationType[kind]
        writer.add_tensor(kind, gguf.quantize(rng.normal(size=(20, 64)).astype(np.float32), quantised), raw_dtype=quantised)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return tmp_path / "t.gguf"


def test_gguf_as_the_library_reads_it(gguf_file: Path) -> None:
    ours, theirs = read_gguf(gguf_file), gguf.GGUFReader(gguf_file)
    fields = {name: field.contents() for name, field in theirs.fields.items() if not name.startswith("GGUF.")}
    assert ours.metadata == fields
    assert [t.name for t in ours.tensors] == [t.name for t in theirs.tensors]
    for mine, other in zip(ours.tensors, theirs.tensors, strict=True):
        assert mine.shape == tuple(int(n) for n in reversed(other.shape))
        values = np.concatenate(list(dequantised(mine, rows=8)))
        assert np.array_equal(values, gguf.dequantize(other.data, other.tensor_type))


@pytest.mark.parametrize("keep", [0, 3, 40, -100])
def test_a_damaged_gguf(gguf_file: Path, keep: int) -> None:
    gguf_file.write_bytes(gguf_file.read_bytes()[:keep])
    with pytest.raises(ModelError, match="not a readable GGUF file"):
        read_gguf(gguf_file)


def test_safetensors_as_the_library_reads_them(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    values = {"a.weight": np.arange(12, dtype=np.float32).reshape(4, 3), "b": np.float32([1.5])}
    rows = [Output(name, v.shape, lambda v=v: [v[:1], v[1:]]) for name, v in values.items()]
    write_safetensors(tmp_path / "t.safetensors", rows)
    loaded = load_file(tmp_path / "t.safetensors")
    assert all(np.array_equal(loaded[name], values[name]) for name in values)
    ours = {t.name: t.load() for t in read_safetensors(tmp_path / "t.safetensors")}
    assert all(np.array_equal(ours[name], values[name]) for name in values)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_half_precision_is_exact(dtype: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    value = torch.randn(5, 6).to(getattr(torch, dtype))
    save_file({"x": value, "y": value[0].clone()}, tmp_path / "t.safetensors")
    found = {tensor.name: tensor.load() for tensor in read_safetensors(tmp_path / "t.safetensors")}
    assert found.keys() == {"x", "y"}
    assert np.array_equal(found["x"], value.float().numpy()) and np.array_equal(found["y"], value[0].float().numpy())


@pytest.mark.parametrize(("dtype", "name"), [("bfloat16", "BF16"), ("float16", "F16")])
def test_half_precision_is_rounded_as_torch_rounds(dtype: str, name: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file

    value = torch.randn(50, 60)
    write_safetensors(tmp_path / "t.safetensors", [Output("x", (50, 60), lambda: [value.numpy()], name)])
    assert torch.equal(load_file(tmp_path / "t.safetensors")["x"], value.to(getattr(torch, dtype)))


def test_other_types_are_refused(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"x": np.zeros(3, np.int64)}, tmp_path / "t.safetensors")
    with pytest.raises(ModelError, match="I64"):
        read_safetensors(tmp_path / "t.safetensors")[0].load()


def test_permuting_is_undone() -> None:
    value = np.arange(8 * 3).reshape(8, 3)
    there = _permute(value, 2)
    assert there[:, 0].tolist() == [0, 6, 3, 9, 12, 18, 15, 21]
    assert np.array_equal(_permute(there, 2, inverse=True), value)
