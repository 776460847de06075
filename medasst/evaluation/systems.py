"""What is measured: models opened only when they have something left to answer, one at a time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from medasst.data.fingerprints import FILE
from medasst.disk import file_sha256
from medasst.errors import ConfigError, ModelError
from medasst.evaluation.config import EvaluateConfig, EvaluatedSystem
from medasst.evaluation.retrieval import RetrievalModel
from medasst.models import ChatModel, Speech, SystemConfig, open_model
from medasst.models.base import Capability
from medasst.progress import Progress, silent
from medasst.weights import architecture, published
from medasst.weights import fingerprint as base_fingerprint

Opener = Callable[[], ChatModel]

# Settings that change how fast an answer comes, or what it is called, but not what it says.
_INDIFFERENT = frozenset(
    {
        *("name", "claims", "threads", "parallel", "timeout", "per_minute", "api_key_env"),
        *("adapter", "data", "of", "choice_engine", "speech", "reads"),
    }
)

_SHAPE = frozenset(
    {
        "model_type",
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
        "vocab_size",
    }
)


class Guard(Protocol):
    """Makes the guarded assistant, which this room doesn't know: whoever starts an evaluation hands it in."""

    @property
    def fingerprint(self) -> str:
        """Of the rules, the catalogue and the vetted answers that replies depend on besides the model."""
        ...

    def over(self, model: ChatModel | None, name: str, *, speech: Speech = "none", reads: bool = False) -> ChatModel:
        """The assistant, with what `model` may do in it or without one, as a model that answers with whole replies."""
        ...


@dataclass(frozen=True, slots=True)
class System:
    """A named system.

    Attributes:
        open: loads what answers; None for a system made from another's answers.
        open_choices: loads what scores choices, where that is another engine.
        fingerprint: JSON of what its answers depend on; stored beside them, so that a change is noticed.
        choice_fingerprint: what its choices depend on besides.
        of, cut_at: a system made from the answers of `of`, cut before the first `cut_at`.
        training: the fingerprints of what it was trained on besides its base, where they are told.
        stands_in: why its answers are another model's than the one that its row speaks of; "" where they aren't.
    """

    name: str
    open: Opener | None = None
    open_choices: Opener | None = None
    fingerprint: Mapping[str, Any] = field(default_factory=dict)
    choice_fingerprint: Mapping[str, Any] = field(default_factory=dict)
    of: str = ""
    cut_at: str = ""
    training: Path | None = None
    stands_in: str = ""

    @classmethod
    def holding(cls, model: ChatModel, fingerprint: Mapping[str, Any] | None = None) -> System:
        """A system around a model that is already there."""
        return cls(model.name, lambda: model, fingerprint=fingerprint or {"model": model.name})

    def opener(self, needs: Capability) -> Opener | None:
        """What loads an engine for a task that needs this of it."""
        return self.open_choices if self.open_choices and needs != "stream" else self.open

    def depends_on(self, needs: Capability) -> dict[str, Any]:
        """The fingerprint of the answers to a task that needs this of an engine."""
        return {**self.fingerprint, **(self.choice_fingerprint if needs != "stream" else {})}


def systems_of(config: EvaluateConfig, progress: Progress = silent, guard: Guard | None = None) -> list[System]:
    """The systems that a job names; nothing is loaded yet. Raises ConfigError where one needs a `guard` that isn't given."""
    named = {settings.name: settings for settings in config.systems}
    found = []
    for settings in config.systems:
        speaks = named[settings.of] if settings.of else settings
        system = _system(settings, named, progress, guard)
        found.append(replace(system, training=_training(speaks), stands_in=_stands_in(speaks)))
    return found


def _system(settings: EvaluatedSystem, named: Mapping[str, EvaluatedSystem], progress: Progress, guard: Guard | None) -> System:
    name = settings.name
    if settings.engine == "cut":
        return System(name, fingerprint=model_fingerprint(settings), of=settings.of, cut_at=settings.cut_at)
    if settings.engine == "assistant":
        return _guarded(settings, named[settings.of] if settings.of else None, progress, guard)
    choices = settings.model_copy(update={"engine": settings.choice_engine}) if settings.choice_engine else None
    return System(
        name,
        _opener(settings, progress),
        _opener(choices, progress) if choices else None,
        model_fingerprint(settings),
        {"choice_engine": settings.choice_engine} if choices else {},
    )


def _guarded(settings: EvaluatedSystem, of: EvaluatedSystem | None, progress: Progress, guard: Guard | None) -> System:
    name = settings.name
    if guard is None:
        raise ConfigError(f"system {name!r}: the guarded assistant is evaluated by the command medasst evaluate")
    fingerprint: dict[str, Any] = {"engine": "assistant", "guard": guard.fingerprint, "of": None}
    if of is None:
        return System(name, lambda: guard.over(None, name), fingerprint=fingerprint)
    opener = _opener(of, progress)
    fingerprint |= {"of": model_fingerprint(of), "speech": settings.speech, "reads": settings.reads}
    return System(
        name, lambda: guard.over(opener(), name, speech=settings.speech, reads=settings.reads), fingerprint=fingerprint
    )


def _opener(settings: EvaluatedSystem, progress: Progress) -> Opener:
    if (data := settings.data) is not None:
        return lambda: RetrievalModel.over(settings.name, data)
    return lambda: open_model(settings, progress)


def _training(settings: EvaluatedSystem) -> Path | None:
    """Fingerprints of the retrieved set, or those that an adapter has beside it or names in its run.json."""
    if settings.data:
        return settings.data / FILE
    if not settings.adapter:
        return None
    if (beside := settings.adapter / FILE).is_file():
        return beside
    try:
        return Path(json.loads((settings.adapter / "run.json").read_text("utf-8"))["fingerprints"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _stands_in(settings: EvaluatedSystem) -> str:
    if not settings.claims or not settings.base or settings.base == settings.claims:
        return ""
    try:
        given, claimed = architecture(settings.base), published()[settings.claims]
    except ModelError:
        return ""  # nothing is there to stand in; opening the model says so
    other = [name for name, size in claimed.items() if name in _SHAPE and given.get(name, size) != size]
    return f"{settings.base} isn't {settings.claims}: its config.json has another {other[0]}" if other else ""


def model_fingerprint(settings: SystemConfig) -> dict[str, Any]:
    """What a system's answers depend on: its settings, and the content of its base's folder and its adapter."""
    given: dict[str, Any] = json.loads(settings.model_dump_json(exclude_defaults=True, exclude=set(_INDIFFERENT)))
    given["engine"] = settings.engine
    if settings.base and Path(settings.base).is_dir():
        given["base"] = base_fingerprint(Path(settings.base))
    if settings.adapter:
        given["adapter"] = _sha256(settings.adapter, "adapter_*")
    if isinstance(settings, EvaluatedSystem) and settings.data:
        given["data"] = _sha256(settings.data, "manifest.json")
    return given


def _sha256(folder: Path, pattern: str) -> str:
    """Over the matching files of a folder; the empty digest where there are none, which opening the model will report."""
    return hashlib.sha256("".join(file_sha256(file) for file in sorted(folder.glob(pattern))).encode()).hexdigest()
