"""What decides the outcome of a run: a run is resumed or reused only where all of it is the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from medasst.data import load_manifest
from medasst.disk import write_json
from medasst.errors import ConfigError
from medasst.render import Renderer
from medasst.train.config import TrainConfig
from medasst.weights import Base

FILE = "settings.json"
_VERSIONS = ("torch", "transformers", "peft", "medasst")
# Of the settings: where things lie, how many threads work and how often a checkpoint or a sample is written change no outcome;
# base, data and precision stand below as what they turned out to be.
_APART = {"base", "data", "template", "device", "precision", "threads", "checkpoint_every", "sample_items", "sample_tokens"}

Key = Mapping[str, Any]


def manifest_sha256(data: Path) -> str:
    """Names a prepared set. Raises DataError where there is none."""
    load_manifest(data)
    return hashlib.sha256((data / "manifest.json").read_bytes()).hexdigest()


def run_key(config: TrainConfig, base: Base, renderer: Renderer, *, manifest: str, device: str, precision: str) -> Key:
    """All that decides the outcome, by name.

    Args:
        manifest: sha256 of the prepared set's manifest.
        device, precision: what "auto" came to.
    """
    settings = config.model_dump(mode="json", exclude=_APART)
    return {
        "the data (manifest.json)": manifest,
        "the base's weights": base.fingerprint,
        "the rendering (tokenizer and chat template)": renderer.sha256,
        "device": device,
        "precision": precision,
        **dict(_flat(settings)),
        **{f"{package}'s version": version(package) for package in _VERSIONS},
    }


def check_key(out: Path, key: Key) -> bool:
    """Whether `out` holds a finished run; True only for one with the same key, versions aside.

    Raises:
        ConfigError: it holds a run with another key; the message names every difference.
    """
    finished = (out / "run.json").exists()
    begun = finished or any((out / "checkpoints").glob("*.pt"))
    if not begun:
        return False
    kind = "a finished" if finished else "an unfinished"
    way_out = "give another --out, or delete that folder to start anew"
    try:
        before = json.loads((out / FILE).read_text("utf-8"))["key"]
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigError(f"{out}: holds {kind} run, but no readable {FILE} that says of what; {way_out}") from None
    differences = [
        f"{name} was {_shown(before.get(name))}, is {_shown(key.get(name))}"
        for name in dict.fromkeys([*before, *key])
        if before.get(name) != key.get(name) and not (finished and name.endswith("'s version"))
    ]
    if differences:
        listed = "".join(f"\n  {line}" for line in differences)
        raise ConfigError(f"{out}: holds {kind} run with other settings, data, base or versions; {way_out}:{listed}")
    return finished


def write_key(out: Path, config: TrainConfig, key: Key) -> None:
    """Write the resolved settings and the key beside the result."""
    write_json(out / FILE, {"settings": config.model_dump(mode="json"), "key": key})


def _flat(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for name, value in settings.items():
        rows += _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else [(prefix + name, value)]
    return rows


def _shown(value: Any) -> str:
    text = "not set" if value is None else str(value)
    return text[:12] if len(text) == 64 else text
