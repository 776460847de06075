"""Settings of an evaluation: systems, tasks, and what is the same for all of them."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, SerializeAsAny, field_validator, model_validator

from medasst.config import Config, FilePath
from medasst.errors import ConfigError
from medasst.evaluation.task import Common, Name, TaskConfig
from medasst.models import Decoding, Speech, SystemConfig
from medasst.registry import did_you_mean
from medasst.weights import published


class EvaluatedSystem(SystemConfig):
    """A system under evaluation: an engine as it is served, or one of three that only an evaluation knows.

    `retrieval` answers with the training answer of the nearest question; `cut` takes the answers of another system up to
    the first `cut_at`, without generating again; `assistant` is the guarded assistant of the shop, with what another
    system's model may do in it, or without a model.
    """

    name: Name = Field(description="what results and files call it")
    choice_engine: str = Field(
        "", description='engine for choice tasks where it differs, e.g. "transformers" beside "llama.cpp"'
    )
    data: FilePath | None = Field(None, description="retrieval: the prepared set")
    of: str = Field("", description="cut: the system whose answers are cut; assistant: the system whose model it has")
    cut_at: str = Field("", description="cut: the text they end before")
    speech: Speech = Field("wording", description='assistant: what its model may say; "answers" needs no licence here')
    reads: bool = Field(False, description="assistant: whether its model also reads turns")
    claims: str = Field(
        "", description="the published model that its row speaks of; weights of another shape are asked, but get no figure"
    )

    @field_validator("claims")
    @classmethod
    def _known(cls, name: str) -> str:
        if name and name not in published():
            raise ValueError(f"no published shape of {name!r}{did_you_mean(name, list(published()))}")
        return name

    @model_validator(mode="after")
    def _fits_engine(self) -> Self:
        if (self.engine == "retrieval") != (self.data is not None):
            raise ValueError("engine 'retrieval' and the key 'data' (a prepared set) go together")
        if (self.engine == "cut") != bool(self.cut_at) or (self.engine == "cut" and not self.of):
            raise ValueError("engine 'cut' and the keys 'of' and 'cut_at' go together")
        if self.of and self.engine not in ("cut", "assistant"):
            raise ValueError("the key 'of' belongs to the engines 'cut' and 'assistant'")
        if {"speech", "reads"} & self.model_fields_set and not (self.engine == "assistant" and self.of):
            raise ValueError("the keys 'speech' and 'reads' belong to an engine 'assistant' with 'of'")
        return self


class EvaluateConfig(Config):
    """One evaluation. Decoding is greedy and without repetition penalty for every system."""

    systems: tuple[EvaluatedSystem, ...] = Field((), description="what is measured")
    tasks: tuple[SerializeAsAny[TaskConfig], ...] = Field(min_length=1, description="by what")
    limit: int | None = Field(None, ge=1, description="items of a task at most; all by default")
    seed: int = Field(7, description="which items are drawn, and the bootstrap")
    data: FilePath | None = Field(None, description="the prepared set whose split a choice task's split follows")
    baseline: str = Field("", description="the system that the others are compared with; the first by default")
    max_new_tokens: int = Field(256, ge=1, description="of each answer; 256 is what results are published with")
    resamples: int = Field(10_000, ge=100, description="of the bootstrap")
    absent: Literal["stop", "tell"] = Field(
        "stop", description='a system whose weights can\'t be had: an error, or "tell", a row that says "not run here"'
    )
    texts: bool = Field(True, description="show example texts in report.html")

    @property
    def common(self) -> Common:
        """What holds for every task. Decoding is greedy, whatever the system."""
        return Common(Decoding(max_new_tokens=self.max_new_tokens), self.limit, self.seed, self.data)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for kind, names in (("system", [s.name for s in self.systems]), ("task", [t.name for t in self.tasks])):
            if repeated := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"two {kind}s are named {repeated[0]!r}; give each its own name")
        others = {"cut": ("cut",), "assistant": ("cut", "assistant")}
        for system in self.systems:
            known = [other.name for other in self.systems if other.engine not in others.get(system.engine, ())]
            if system.of and system.of not in known:
                raise ValueError(f"{system.name} is made of {system.of!r}{did_you_mean(system.of, known)}")
        if self.data is None and any(task.needs_prepared for task in self.tasks):
            raise ValueError("a task with a split needs data, the prepared set that was split")
        return self


def baseline_of(config: EvaluateConfig, systems: list[str]) -> str:
    """The name of the system that others are compared with. Raises ConfigError where it isn't among `systems`."""
    if config.baseline and config.baseline not in systems:
        raise ConfigError(f"baseline {config.baseline!r} is no system{did_you_mean(config.baseline, systems)}")
    return config.baseline or systems[0]
