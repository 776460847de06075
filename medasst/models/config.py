"""Settings of a system: an engine with a base, and an adapter on it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from medasst.config import Config, FilePath
from medasst.render import TemplateKind

# What a model may say beside the guarded assistant: nothing; the assistant's sentences in other words; also its own answers.
Speech = Literal["none", "wording", "answers"]


class SystemConfig(Config):
    """One model as it is evaluated or served."""

    name: str = Field("", description="what results call it; by default the model's or the base's name")
    engine: str = Field("transformers", description='"transformers", "llama.cpp", "openai" or "scripted"')
    base: str | None = Field(None, description='"embedded", "smollm2", a Hugging Face id or a local folder')
    adapter: FilePath | None = Field(None, description="a LoRA adapter trained for that base")
    template: TemplateKind = "auto"

    url: str | None = Field(None, description="openai: the endpoint, ending in /v1")
    model: str | None = Field(None, description="openai: the model's name there")
    api_key_env: str | None = Field(None, description="openai: the environment variable that holds the key")
    timeout: float = Field(300.0, gt=0, description="openai: seconds that a reply may keep us waiting for its next piece")
    per_minute: int | None = Field(None, ge=1, description="openai: requests a minute at most; as many as it bears by default")

    threads: int | None = Field(None, ge=1, description="CPU threads; all by default")
    parallel: int | None = Field(None, ge=1, description="answers in the making at a time; the engine's own default if unset")
    context: int = Field(2048, ge=64, description="llama.cpp: tokens of prompt and answer that one conversation may take")
    replies: tuple[str, ...] = Field((), description="scripted: what it says, in turn, over and over")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.engine in ("transformers", "llama.cpp") and not self.base:
            raise ValueError(f"engine {self.engine!r} needs a base, e.g. base = 'embedded'")
        if self.engine == "openai" and not (self.url and self.model):
            raise ValueError("engine 'openai' needs url and model")
        return self

    @property
    def label(self) -> str:
        """The name, or what it is called without one."""
        return self.name or self.model or self.base or self.engine
