"""The shape of a base without its weights: what `config.json` tells."""

from __future__ import annotations

import json
import tomllib
from functools import cache
from typing import Any

from medasst.disk import package_file
from medasst.errors import ModelError
from medasst.progress import Progress, silent
from medasst.weights.bases import embedded_config, tokenizer_folder


@cache
def published() -> dict[str, dict[str, Any]]:
    """The shapes that are known here by their Hugging Face id."""
    models = tomllib.loads(package_file("weights/architectures.toml").read_text("utf-8"))["models"]
    return {name: model["config"] for model in models for name in model["ids"]}


def architecture(name: str, progress: Progress = silent) -> dict[str, Any]:
    """A base's `config.json`, or of it what decides sizes: from our tables, a folder or the hub.

    Args:
        name: as `find_base` takes it.

    Raises:
        ModelError: nothing of that name, or its config.json can't be had.
    """
    if (known := embedded_config(name) or published().get(name)) is not None:
        return known
    file = tokenizer_folder(name, progress) / "config.json"
    try:
        config: dict[str, Any] = json.loads(file.read_text("utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"{file.parent}: not a model folder, there is no config.json") from error
    except ValueError as error:
        raise ModelError(f"{file}: not valid JSON ({error})") from error
    return config
