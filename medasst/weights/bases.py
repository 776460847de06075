"""Find a base model: an embedded one, a local folder or file, or a Hugging Face id."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock

from medasst.cache import building, cache_dir, check_space
from medasst.disk import file_sha256, package_file, write_json, write_text, written_whole
from medasst.errors import MedasstError, ModelError
from medasst.progress import Progress, silent
from medasst.registry import did_you_mean
from medasst.weights.convert import add_description, add_weights
from medasst.weights.fetch import Source, fetch, is_listed

EMBEDDED = "qwen2.5-coder-0.5b"
GGUF_FILE = "model.gguf"
ORIGIN_FILE = "origin.json"
_ID = re.compile(r"[\w.-]+/[\w.-]+")  # of a model on the hub
_DESCRIPTION = ["*.json", "*.jinja", "*.model", "*.txt"]  # files of a model that hold no weights


@dataclass(frozen=True)
class Base:
    """A base model at hand.

    Attributes:
        name: what adapters and results call it.
        folder: Hugging Face format: config.json, tokenizer.json, tokenizer_config.json, and safetensors unless left out.
        gguf: the same weights for llama.cpp, where they exist already.
        fingerprint: sha256 over the weight files; that of its origin for a converted base.
        licence: its name, empty where it isn't known here.
        terms: what a person should be shown once.
        notice: what has to lie beside an adapter made for it.
    """

    name: str
    folder: Path
    gguf: Path | None
    fingerprint: str
    licence: str = ""
    terms: str = ""
    notice: str = ""

    @property
    def config(self) -> dict[str, Any]:
        """Its `config.json`."""
        config: dict[str, Any] = json.loads((self.folder / "config.json").read_text("utf-8"))
        return config


@cache
def _facts() -> dict[str, Any]:
    return tomllib.loads(package_file("weights/bases.toml").read_text("utf-8"))


def embedded() -> list[str]:
    """Names of the embedded bases, the default one first."""
    return [name for name, fact in _facts().items() if "mirror" in fact]


def embedded_config(name: str) -> dict[str, Any] | None:
    """What an embedded base's `config.json` says, without fetching it; None for other names."""
    fact = _facts().get(EMBEDDED if name == "embedded" else name, {})
    config: dict[str, Any] | None = fact.get("config")
    return config


def is_embedded(name: str) -> bool:
    """Whether a base is one of the embedded: by its name, its file, its folder (or a copy of it), or its id on the hub."""
    path = Path(name)
    if name == "embedded" or name in embedded() or path.is_file():  # no other model can be given as a file
        return True
    if (path / ORIGIN_FILE).is_file():
        return True
    hub = {_facts()[one]["hub"]["id"].lower().removesuffix("-gguf") for one in embedded() if "hub" in _facts()[one]}
    return name.lower().removesuffix("-gguf") in hub or path.resolve() in {_place(one).resolve() for one in embedded()}


def is_here(name: str) -> bool:
    """Whether an embedded base was fetched before."""
    return _place(EMBEDDED if name == "embedded" else name).exists()


def find_base(name: str, progress: Progress = silent, *, weights: bool = True) -> Base:
    """Find a base and make it ready; an embedded one is fetched and converted once, and cached.

    Args:
        name: "embedded" (Qwen2.5-Coder-0.5B-Instruct), another embedded base, the GGUF file of one that is already on this
            machine, a local folder, or a Hugging Face id.
        progress: told how far fetching and converting are.
        weights: whether an embedded base's safetensors are needed; llama.cpp does without.

    Raises:
        ModelError: nothing of that name, or it can't be had; the message says what to do.
        MedasstError: no disk space.
    """
    name = EMBEDDED if name == "embedded" else name
    if name in embedded():
        return _embedded(name, progress, weights=weights)
    path = Path(name).expanduser()
    if path.is_file():
        return _from_file(path, progress, weights=weights)
    if path.is_dir():
        return _from_folder(path.resolve(), str(path.resolve()))
    if _ID.fullmatch(name):
        return _from_folder(_download(name, progress), name)
    hint = did_you_mean(name, ["embedded", *embedded()])
    raise ModelError(
        f"no base model {name!r}{hint}; a base is one of those, a local folder, or a Hugging Face id like Qwen/Qwen2-7B"
    )


def tokenizer_folder(name: str, progress: Progress = silent) -> Path:
    """Where a base's tokenizer and settings lie, named as for `find_base`. No weights are fetched from the hub, or read.

    Raises:
        ModelError: nothing of that name, or it can't be had; the message says what to do.
    """
    if not is_embedded(name):
        if (path := Path(name).expanduser()).is_dir():
            return path.resolve()
        if _ID.fullmatch(name):
            return _download(name, progress, weights=False)
    return find_base(name, progress, weights=False).folder


def _place(name: str) -> Path:
    return cache_dir() / "bases" / f"{name}-{_facts()[name]['sha256'][:12]}"


def _embedded(name: str, progress: Progress, *, weights: bool, file: Path | None = None) -> Base:
    """An embedded base, from `file` where the user has it already."""
    fact, place = _facts()[name], _place(name)
    with building(place, fact["file_bytes"]) as folder:
        if folder is not None:
            if file is None:
                _fetch(name, folder / GGUF_FILE, progress)
            else:
                _link(file, folder / GGUF_FILE)
            add_description(folder / GGUF_FILE, folder, fact["config"])
            write_json(folder / ORIGIN_FILE, {"name": name, "sha256": fact["sha256"]})
    if weights:
        _convert(name, place, fact, progress)
    return Base(
        name,
        place,
        place / GGUF_FILE,
        fact["sha256"],
        licence=fact["licence"],
        terms=fact["terms"].strip(),
        notice=_notice(fact["config"]),
    )


def _fetch(name: str, target: Path, progress: Progress) -> None:
    try:
        fetch(Source.of(name, _facts()[name]), target, cache_dir() / "downloads" / name, progress)
    except ModelError as error:
        others = [other for other in embedded() if other != name]
        known = [other for other in others if is_here(other)] or [o for o in others if is_listed(Source.of(o, _facts()[o]))]
        way_out = f"base = {known[0]!r} still works" if known else "no other embedded base can be had now either"
        raise ModelError(f"{name} can't be fetched: {error}. Check the network and pip; {way_out}") from error


def _convert(name: str, place: Path, fact: Mapping[str, Any], progress: Progress) -> None:
    target = place / "model.safetensors"
    if target.exists():
        return
    with FileLock(place.with_name(f".{place.name}.lock")):
        if not target.exists():
            progress(f"converting {name}, once", 0)
            check_space(place, fact["weights_bytes"])
            with written_whole(target) as unfinished:
                add_weights(place / GGUF_FILE, unfinished, fact["config"])


def _link(file: Path, target: Path) -> None:
    try:
        os.link(file, target)
    except OSError:  # another file system
        shutil.copyfile(file, target)


def _from_file(path: Path, progress: Progress, *, weights: bool) -> Base:
    known = {_facts()[name]["sha256"]: name for name in embedded()}
    if (name := known.get(file_sha256(path))) is None:
        raise ModelError(
            f"{path}: no embedded base's file ({', '.join(embedded())}); give another model as its Hugging Face folder"
        )
    return _embedded(name, progress, weights=weights, file=path)


def _download(name: str, progress: Progress, *, weights: bool = True) -> Path:
    from huggingface_hub import snapshot_download

    progress(f"fetching {name} from the hub", 0)
    try:
        return Path(snapshot_download(name, allow_patterns=[*_DESCRIPTION, "*.safetensors"] if weights else _DESCRIPTION))
    except Exception as error:  # the hub client raises many kinds; each means that the model can't be had
        raise ModelError(
            f"{name}: can't be had from the model hub ({type(error).__name__}); check the name, the network and "
            f"HF_ENDPOINT, or give a local folder, or an embedded base: {', '.join(['embedded', *embedded()])}"
        ) from error


def _from_folder(folder: Path, name: str) -> Base:
    missing = [file for file in ("config.json", "tokenizer.json", "tokenizer_config.json") if not (folder / file).is_file()]
    if missing:
        raise ModelError(
            f"{folder}: not a model folder, {', '.join(missing)} missing; save it there with transformers' save_pretrained"
        )
    if (known := next((name for name in embedded() if _place(name) == folder), None)) is not None:
        return _embedded(known, silent, weights=True)
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
        return memory.read_text("utf-8")
    lines = "".join(f"{file_sha256(f)}  {f.name}\n" for f in weights)
    found = hashlib.sha256(lines.encode()).hexdigest()
    try:
        write_text(memory, found)
    except OSError as error:
        raise MedasstError(f"{memory.parent}: can't be written ({error}); set MEDASST_CACHE to a folder of yours") from error
    return found


def terms_notice(base: Base) -> str | None:
    """The base's terms the first time they are asked for, then None: a marker in the cache remembers."""
    marker = cache_dir() / "terms" / hashlib.sha256(base.terms.encode()).hexdigest()[:16]
    if not base.terms or marker.exists():
        return None
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.touch()
    return base.terms
