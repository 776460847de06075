"""What turns conversations into text or scores choices. An engine is imported when a system that uses it is opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any

from medasst.conversation import Conversation
from medasst.errors import DependencyError
from medasst.models.base import (
    ChatModel,
    ChoiceModel,
    ChoiceQuery,
    ChoiceScore,
    Completion,
    Decoding,
    Delta,
    LetterModel,
    LetterQuery,
    LetterScore,
)
from medasst.models.config import Speech, SystemConfig
from medasst.models.scripted import ScriptedModel
from medasst.progress import Progress, silent
from medasst.registry import Registry
from medasst.render import Renderer

__all__ = [
    "ChatModel",
    "ChoiceModel",
    "ChoiceQuery",
    "ChoiceScore",
    "Completion",
    "Decoding",
    "Delta",
    "LetterModel",
    "LetterQuery",
    "LetterScore",
    "ScriptedModel",
    "Speech",
    "SystemConfig",
    "engines",
    "open_model",
    "sample_answers",
]

Engine = Callable[[SystemConfig, Progress], ChatModel]

engines: Registry[Engine] = Registry("engine")
engines.register("scripted")(lambda config, _: ScriptedModel(config.replies, name=config.label))


def _engine(name: str, module: str, extra: str) -> None:
    """File an engine whose module, with its heavy packages, is imported on first use."""

    def open_engine(config: SystemConfig, progress: Progress) -> ChatModel:
        try:
            engine = import_module(f"medasst.models.{module}")
        except ModuleNotFoundError as error:
            raise DependencyError(error.name or module, extra) from error
        model: ChatModel = engine.open_model(config, progress)
        return model

    engines.register(name)(open_engine)


_engine("transformers", "local", "train")
_engine("llama.cpp", "llama_cpp", "serve")
_engine("openai", "endpoint", "serve")


def open_model(config: SystemConfig, progress: Progress = silent) -> ChatModel:
    """Load a system's model.

    Raises:
        ConfigError: no such engine.
        ModelError: no such base, or an adapter for another one.
        DependencyError: the engine's packages are not installed.
    """
    return engines[config.engine](config, progress)


def sample_answers(
    model: Any, renderer: Renderer, conversations: Sequence[Conversation], max_new_tokens: int
) -> Iterator[Completion]:
    """Greedy answers of a transformers model that is in memory, in evaluation mode: what training shows at each validation."""
    from medasst.models.local import LocalModel

    return LocalModel(model, renderer).generate(conversations, Decoding(max_new_tokens=max_new_tokens))
