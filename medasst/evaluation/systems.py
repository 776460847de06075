"""What is measured: models opened only when they have something left to answer, one at a time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medasst.evaluation.config import EvaluateConfig, EvaluatedSystem
from medasst.evaluation.retrieval import RetrievalModel
from medasst.models import ChatModel, open_model
from medasst.progress import Progress, silent
from medasst.weights import fingerprint as base_fingerprint

Opener = Callable[[], ChatModel]

# Settings that change how fast an answer comes, or what it is called, but not what it says.
_INDIFFERENT = frozenset({"name", "threads", "parallel", "api_key_env", "adapter", "data"})


@dataclass(frozen=True, slots=True)
class System:
    """A named system.

    Attributes:
        open: loads what answers; None for a system made from another's answers.
        open_choices: loads what scores choices, where that is another engine.
        fingerprint: JSON of what its answers depend on; stored beside them, so that a change is noticed.
        of, cut_at: a system made from the answers of `of`, cut before the first `cut_at`.
    """

    name: str
    open: Opener | None = None
    open_choices: Opener | None = None
    fingerprint: Mapping[str, Any] = field(default_factory=dict)
    of: str = ""
    cut_at: str = ""

    @classmethod
    def holding(cls, model: ChatModel, fingerprint: Mapping[str, Any] | None = None) -> System:
        """A system around a model that is already there, such as the guarded assistant."""
        return cls(model.name, lambda: model, fingerprint=fingerprint or {"model": model.name})


def systems_of(config: EvaluateConfig, progress: Progress = silent) -> list[System]:
    """The systems that a job names; nothing is loaded yet."""
    return [_system(settings, progress) for settings in config.systems]


def _system(settings: EvaluatedSystem, progress: Progress) -> System:
    fingerprint = _fingerprint(settings)
    if settings.engine == "cut":
        return System(settings.name, fingerprint=fingerprint, of=settings.of, cut_at=settings.cut_at)
    data = settings.data
    if data is not None:
        return System(settings.name, lambda: RetrievalModel.over(settings.name, data), fingerprint=fingerprint)

    def tell(stage: str) -> None:
        progress(stage, 0)

    choices = settings.model_copy(update={"engine": settings.choice_engine}) if settings.choice_engine else None
    return System(
        settings.name,
        lambda: open_model(settings, tell),
        (lambda: open_model(choices, tell)) if choices else None,
        fingerprint,
    )


def _fingerprint(settings: EvaluatedSystem) -> dict[str, Any]:
    given: dict[str, Any] = json.loads(settings.model_dump_json(exclude_defaults=True, exclude=set(_INDIFFERENT)))
    given["engine"] = settings.engine
    if settings.base and Path(settings.base).is_dir():
        given["base"] = base_fingerprint(Path(settings.base))
    if settings.adapter:
        given["adapter"] = _sha256(settings.adapter, "adapter_*")
    if settings.data:
        given["data"] = _sha256(settings.data, "manifest.json")
    return given


def _sha256(folder: Path, pattern: str) -> str:
    """Over the matching files of a folder; the empty digest where there are none, which opening the model will report."""
    digest = hashlib.sha256()
    for file in sorted(folder.glob(pattern)):
        digest.update(file.read_bytes())
    return digest.hexdigest()
