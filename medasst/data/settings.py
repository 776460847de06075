"""What `prepare.toml` may say."""

from __future__ import annotations

import os
from typing import Literal

from pydantic import Field, model_validator

from medasst.config import Config, Pattern
from medasst.data.filters import FILTERS, CleanSettings
from medasst.data.layouts import Mapped
from medasst.data.strict import STRICT
from medasst.registry import did_you_mean
from medasst.text import bucket

Split = Literal["train", "validation", "test"]


class Source(Config):
    """A set that goes in. Give a recipe, or a layout, or a mapping, or nothing: then the layout is detected."""

    name: str = Field(pattern=r"^[\w.-]+$")
    path: Pattern
    recipe: str = ""
    layout: str = ""
    mapping: Mapped | None = None
    licence: str = ""  # in place of the recipe's
    trust: int = 1  # of two equal records the one of higher trust is kept
    weight: float = Field(default=1.0, ge=0)  # expected copies in train
    cap: int | None = Field(default=None, ge=0)  # at most so many records in train
    strict: bool = False  # nobody checked the answers: the filters of `strict` apply as well
    general: bool = False  # everyday conversations, no medicine: `general_share` counts them
    enabled: bool = True


class NearDuplicates(Config):
    """Two records are near duplicates from this exact Jaccard similarity of their character 5-grams on."""

    enabled: bool = True
    threshold: float = Field(default=0.8, ge=0.5, le=1)


class Decontaminate(Config):
    """A set whose questions must not stand in train."""

    path: Pattern
    name: str = ""
    recipe: str = ""
    layout: str = ""
    split: Literal["all", "test"] = "all"  # "test": only the questions whose bucket is the test split's


class Contamination(Config):
    """When a train question counts as a test question."""

    threshold: float = Field(default=0.8, ge=0.5, le=1)  # Jaccard similarity of the two
    contained: float = Field(default=0.9, ge=0.5, le=1)  # share of the one (of 16 or more letters) that stands in the other
    edits: int = Field(default=3, ge=0, le=3)  # letters that may differ from 12 letters on; fewer in shorter ones


class SplitSettings(Config):
    """Shares of validation and test."""

    validation: float = Field(default=0.02, ge=0, lt=1)
    test: float = Field(default=0.05, ge=0, lt=1)

    @model_validator(mode="after")
    def _leaves_train(self) -> SplitSettings:
        if self.validation + self.test >= 1:
            raise ValueError("validation and test together must leave something to train on")
        return self

    def of(self, key: str) -> Split:
        """The split of a text: the lowest buckets are test, the next validation."""
        return self.of_bucket(bucket(key))

    def of_bucket(self, place: int) -> Split:
        """The split of a bucket, 0-9999."""
        if place < round(self.test * 10_000):
            return "test"
        return "validation" if place < round(self.test * 10_000) + round(self.validation * 10_000) else "train"


class PrepareConfig(Config):
    """The settings of `medasst prepare`."""

    seed: int = 7
    texts: bool = True  # may card.html show example texts
    sources: tuple[Source, ...] = Field(min_length=1)
    clean: CleanSettings = CleanSettings()
    privacy: bool = True
    near_duplicates: NearDuplicates = NearDuplicates()
    decontaminate: tuple[Decontaminate, ...] = ()
    contamination: Contamination = Contamination()
    split: SplitSettings = SplitSettings()
    # At most so much of train comes from general sources, so that the model keeps what it can do besides; the rest is left out.
    general_share: float | None = Field(default=None, ge=0, lt=1)
    workers: int | None = Field(default=None, ge=1)  # all processors by default; the result doesn't depend on it

    @property
    def threads(self) -> int:
        """How many workers there are."""
        return self.workers or os.cpu_count() or 1

    @model_validator(mode="after")
    def _names(self) -> PrepareConfig:
        names = [source.name for source in self.sources]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"the source name {twice[0]!r} is given twice; names must differ")
        if not any(source.enabled for source in self.sources):
            raise ValueError("no source is enabled")
        known = [*FILTERS, *STRICT]
        for name in self.clean.off:
            if name not in known:
                raise ValueError(f"clean.off: no filter {name!r}{did_you_mean(name, known)}")
        return self
