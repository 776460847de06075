"""Settings of an evaluation: systems, tasks, and what is the same for all of them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from medasst.config import Config, FilePath, Pattern
from medasst.errors import ConfigError
from medasst.models import Decoding, SystemConfig
from medasst.registry import did_you_mean

# Names become file names.
Name = Annotated[str, StringConstraints(pattern=r"^\w[\w.\-]*$")]


class EvaluatedSystem(SystemConfig):
    """A system under evaluation: an engine as it is served, or one of two that only an evaluation knows.

    `retrieval` answers with the training answer of the nearest question; `cut` takes the answers of another system up to
    the first `cut_at`, without generating again.
    """

    name: Name = Field(description="what results and files call it")
    choice_engine: str = Field(
        "", description='engine for choice tasks where it differs, e.g. "transformers" beside "llama.cpp"'
    )
    data: FilePath | None = Field(None, description="retrieval: the prepared set")
    of: str = Field("", description="cut: the system whose answers are cut")
    cut_at: str = Field("", description="cut: the text they end before")

    @model_validator(mode="after")
    def _fits_engine(self) -> Self:
        if (self.engine == "retrieval") != (self.data is not None):
            raise ValueError("engine 'retrieval' and the key 'data' (a prepared set) go together")
        if (self.engine == "cut") != bool(self.of and self.cut_at):
            raise ValueError("engine 'cut' and the keys 'of' and 'cut_at' go together")
        return self


class TaskConfig(Config):
    """One task: questions to answer freely ("qa") or options to choose from ("choice")."""

    name: Name = Field(description="what results and files call it")
    kind: Literal["qa", "choice"]
    path: Pattern = Field(description="a Parquet file of a prepared set, or a pattern of files with their recipe")
    recipe: str = Field("", description="how the files are read; not needed for a prepared set, or where the fields tell")
    source: str = Field("", description="only this source of a prepared set")
    split: Literal["all", "test", "validation", "train"] = Field("all", description="choice: the bucket its questions are in")
    protocol: Literal["option_text/v1", "letter/v1"] = Field("option_text/v1", description="choice: how an option is chosen")
    shots: Literal[0] = Field(0, description="choice: solved examples before the question; option_text/v1 has none")
    limit: int | None = Field(None, ge=1, description="items at most; the job's limit by default")

    @model_validator(mode="after")
    def _fits_kind(self) -> Self:
        if self.kind == "qa" and (self.split != "all" or "protocol" in self.model_fields_set):
            raise ValueError("split and protocol belong to choice tasks; a qa task reads the file of its split")
        return self


class EvaluateConfig(Config):
    """One evaluation. Decoding is greedy and without repetition penalty for every system."""

    systems: tuple[EvaluatedSystem, ...] = Field((), description="what is measured")
    tasks: tuple[TaskConfig, ...] = Field(min_length=1, description="by what")
    limit: int | None = Field(None, ge=1, description="items of a task at most; all by default")
    seed: int = Field(7, description="which items are drawn, and the bootstrap")
    data: FilePath | None = Field(None, description="the prepared set whose split a choice task's split follows")
    baseline: str = Field("", description="the system that the others are compared with; the first by default")
    max_new_tokens: int = Field(256, ge=1, description="of each answer; 256 is what results are published with")
    resamples: int = Field(10_000, ge=100, description="of the bootstrap")
    texts: bool = Field(True, description="show example texts in report.html")

    @property
    def decoding(self) -> Decoding:
        """Greedy, whatever the system."""
        return Decoding(max_new_tokens=self.max_new_tokens)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for kind, names in (("system", [s.name for s in self.systems]), ("task", [t.name for t in self.tasks])):
            if repeated := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"two {kind}s are named {repeated[0]!r}; give each its own name")
        generating = [system.name for system in self.systems if system.engine != "cut"]
        for system in self.systems:
            if system.engine == "cut" and system.of not in generating:
                raise ValueError(f"{system.name} cuts the answers of {system.of!r}{did_you_mean(system.of, generating)}")
        if self.data is None and any(task.split != "all" for task in self.tasks):
            raise ValueError("a task with a split needs data, the prepared set that was split")
        return self


def baseline_of(config: EvaluateConfig, systems: list[str]) -> str:
    """The name of the system that others are compared with. Raises ConfigError where it isn't among `systems`."""
    if config.baseline and config.baseline not in systems:
        raise ConfigError(f"baseline {config.baseline!r} is no system{did_you_mean(config.baseline, systems)}")
    return config.baseline or systems[0]
