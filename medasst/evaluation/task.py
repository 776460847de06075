"""What a task is made of: items, how they are asked, how the answers are scored.

A kind of task is one file. It registers its settings under `kind`; they know how to make the task (`qa.py`, `choice.py`,
`dialogue.py`).
"""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, Literal, NamedTuple, Protocol, TypeAlias, TypeVar

import numpy as np
from pydantic import Field, ModelWrapValidatorHandler, StringConstraints, ValidationInfo, model_validator

from medasst.config import Config
from medasst.errors import InputError
from medasst.evaluation.rows import Rows
from medasst.evaluation.shelf import Picked, Shelf
from medasst.evaluation.statistics import (
    NO_DIFFERENCE,
    Bootstrap,
    Difference,
    Interval,
    bootstrap_ratio,
    clustered_wilson,
    paired_ratio,
    paired_share,
)
from medasst.models import ChatModel, Decoding
from medasst.models.base import Capability
from medasst.registry import Registry

# Names become file names.
Name = Annotated[str, StringConstraints(pattern=r"^\w[\w.\-]*$")]
Outcome = Literal["stop", "length", "unparsed", "error"]


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to ask. `prompt` is what readers and files see of it, `label` the reference."""

    id: str
    source: str
    prompt: str
    label: str

    @property
    def asked(self) -> tuple[str, ...]:
        """The user turns in it, as a training set would hold them."""
        return (self.prompt,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One item with its answer, as it rests on disk.

    `finish_reason`: "length" was cut off at the token limit, "unparsed" names nothing that was asked for, "error" is no answer,
    and `error` says why.
    """

    id: str
    source: str
    prompt: str
    predict: str = ""
    label: str
    finish_reason: Outcome
    error: str | None = None

    def answers(self, item: Item) -> bool:
        """Whether this very item was asked, not another one of its id."""
        return (self.id, self.source, self.prompt, self.label) == (item.id, item.source, item.prompt, item.label)


class Scores(Protocol):
    """What one answer scores: a NamedTuple of numbers."""

    def _asdict(self) -> dict[str, Any]: ...


I = TypeVar("I", bound=Item)  # noqa: E741
R = TypeVar("R", bound=Record)
S = TypeVar("S", bound=Scores)


class Asking(ABC, Generic[I, R]):
    """How items are asked: a protocol with a name and a version.

    Attributes:
        protocol: the name.
        needs: what an engine must be able to do.
        record: what answers are kept as.
    """

    protocol: str
    needs: Capability
    record: type[R]

    @abstractmethod
    def answers(self, model: ChatModel, items: Sequence[I]) -> Iterator[R]:
        """A record of each item, in any order. Raises UnsupportedError if the engine turns out to be unable."""

    @abstractmethod
    def failed(self, item: I, why: str) -> R:
        """The record of an item without an answer."""

    def example(self, item: I) -> str:
        """All that a model is asked for an item, with roles or worked examples where it has them."""
        return item.prompt

    def written(self, record: R) -> str | None:
        """What the model wrote; None where it wrote nothing because likelihoods were asked for."""
        return record.predict if self.needs == "stream" else None

    def cut(self, record: R, before: str) -> R | None:  # noqa: ARG002
        """The record as if the text `before` had stopped the answer; None where answers can't be cut."""
        return None


class Measured(NamedTuple):
    """A figure with its 95 % interval, NaN where there is none, over `n` things."""

    interval: Interval
    n: int


class Differing(NamedTuple):
    """The paired difference of a figure over `n` things that both have."""

    difference: Difference
    n: int


@dataclass(frozen=True, slots=True)
class Metric(Generic[S]):
    """The sum of `of` over the sum of `per`, over the items that are `among` its own: by default a mean over all of them.

    `compared` ones are shown as bars, and systems by their paired differences. Scores come with the cluster of each item:
    those of one hang together.
    """

    name: str
    label: str
    of: Callable[[S], float]
    per: Callable[[S], float] = lambda _: 1.0
    among: Callable[[S], bool] = lambda _: True
    compared: bool = False
    digits: int = 1
    less_is_better: bool = False

    def measure(self, scores: Sequence[S], clusters: Sequence[str], how: Bootstrap) -> Measured:
        """The figure over all of these scores."""
        own, groups = self._own(scores, clusters)
        return Measured(bootstrap_ratio(*self._parts(own), groups, how), len(own))

    def difference(self, ours: Sequence[S], theirs: Sequence[S], clusters: Sequence[str], how: Bootstrap) -> Differing:
        """Our figure less theirs over the same items, in order, those that are among both."""
        ours, theirs, groups = self._both(ours, theirs, clusters)
        return Differing(paired_ratio(self._parts(ours), self._parts(theirs), groups, how), len(ours))

    def _own(self, scores: Sequence[S], clusters: Sequence[str]) -> tuple[list[S], list[str]]:
        own = [(score, cluster) for score, cluster in zip(scores, clusters, strict=True) if self.among(score)]
        return [score for score, _ in own], [cluster for _, cluster in own]

    def _both(self, ours: Sequence[S], theirs: Sequence[S], clusters: Sequence[str]) -> tuple[list[S], list[S], list[str]]:
        both = [(a, b, c) for a, b, c in zip(ours, theirs, clusters, strict=True) if self.among(a) and self.among(b)]
        return [a for a, _, _ in both], [b for _, b, _ in both], [c for _, _, c in both]

    def _parts(self, scores: Sequence[S]) -> tuple[list[float], list[float]]:
        return [self.of(score) for score in scores], [self.per(score) for score in scores]


@dataclass(frozen=True, slots=True)
class Share(Metric[S]):
    """How many in a hundred: `of` is 0 or 100. The interval is Wilson's, which needs no resampling and is one for 0 too."""

    def measure(self, scores: Sequence[S], clusters: Sequence[str], how: Bootstrap) -> Measured:  # noqa: ARG002
        own, groups = self._own(scores, clusters)
        found = clustered_wilson(self._hits(own), groups)
        return Measured(Interval(*(100.0 * figure for figure in found)), len(own))

    def difference(self, ours: Sequence[S], theirs: Sequence[S], clusters: Sequence[str], how: Bootstrap) -> Differing:
        ours, theirs, groups = self._both(ours, theirs, clusters)
        return Differing(paired_share(self._hits(ours), self._hits(theirs), groups, how).scaled(100.0), len(ours))

    def _hits(self, scores: Sequence[S]) -> list[bool]:
        return [self.of(score) > 0 for score in scores]


@dataclass(frozen=True, slots=True)
class Percentile(Metric[S]):
    """The `at`th percentile of all `values` of the items, without an interval or a difference; `of` is not used."""

    values: Callable[[S], Sequence[float]] = lambda _: ()
    at: float = 50.0

    def measure(self, scores: Sequence[S], clusters: Sequence[str], how: Bootstrap) -> Measured:  # noqa: ARG002
        values = [value for score in scores for value in self.values(score)]
        figure = float(np.percentile(values, self.at)) if values else math.nan
        return Measured(Interval(figure, math.nan, math.nan), len(values))

    def difference(self, ours: Sequence[S], theirs: Sequence[S], clusters: Sequence[str], how: Bootstrap) -> Differing:  # noqa: ARG002
        return Differing(NO_DIFFERENCE, 0)


class Scoring(ABC, Generic[I, R, S]):
    """How answers are scored.

    Attributes:
        version: of how answers are read and scored: figures of two versions aren't compared.
        kept: what an item's scores are, on disk by its fields.
        headline: the metric that a single line names.
        note: what a reader of the figures must know about them.
    """

    version: str
    kept: type[S]
    metrics: tuple[Metric[S], ...]
    headline: str
    note: str = ""

    @abstractmethod
    def score(self, item: I, record: R) -> S:
        """What one answer scores; one that isn't there scores what nothing scores."""

    def scores(self, items: Sequence[I], records: Sequence[R]) -> Iterator[S]:
        """What each item's answer scores, in order."""
        for item, record in zip(items, records, strict=True):
            yield self.score(item, record)

    def cluster(self, item: I) -> str:
        """What the item hangs together with: items of one cluster are drawn together. By default it stands alone."""
        return item.id

    def groups(self, item: I) -> tuple[str, ...]:  # noqa: ARG002
        """What the item is reported with besides the whole, such as its category; of several kinds perhaps."""
        return ()


@dataclass(frozen=True, slots=True)
class Drawn(Generic[I]):
    """The items that are asked, of `available` different ones; `repeated` counts those whose id came before."""

    items: Sequence[I]
    available: int
    repeated: int


@dataclass(frozen=True, slots=True)
class Task(Generic[I, R, S]):
    """Items, how to ask, how to score.

    Attributes:
        source: where the items come from, for readers.
        unit: what an item is called, in the plural.
        rows: what became of the rows that were read.
        left_out: items that this way of asking can't ask.
        chance: what guessing gets of the headline metric, where that means anything.
    """

    name: str
    kind: str
    source: str
    unit: str
    asking: Asking[I, R]
    scoring: Scoring[I, R, S]
    drawn: Drawn[I]
    rows: Rows
    left_out: int = 0
    chance: float | None = None

    @property
    def items(self) -> Sequence[I]:
        """What is asked, in the order of the draw."""
        return self.drawn.items


AnyTask: TypeAlias = Task[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class Common:
    """What a job says for all of its tasks."""

    decoding: Decoding
    limit: int | None
    seed: int
    prepared: Path | None


class TaskConfig(Config):
    """Settings that every kind of task has. Validating picks the kind. `scoring`: how the kind's answers are scored."""

    scoring: ClassVar[type[Scoring[Any, Any, Any]]]

    name: Name = Field(description="what results and files call it")
    kind: str = Field(description='"qa", "choice" or "dialogue"')
    limit: int | None = Field(None, ge=1, description="items at most; the job's limit by default")

    @model_validator(mode="wrap")
    @classmethod
    def _of_its_kind(cls, given: Any, handler: ModelWrapValidatorHandler[TaskConfig], info: ValidationInfo) -> TaskConfig:
        if cls is not TaskConfig or not isinstance(given, Mapping) or not isinstance(given.get("kind"), str):
            return handler(given)
        try:
            kind = KINDS[given["kind"]]
        except InputError as error:
            raise ValueError(str(error)) from None
        return kind.model_validate(given, context=info.context)

    @property
    def needs_prepared(self) -> bool:
        """Whether the job must name the prepared set."""
        return False

    def task(self, common: Common) -> AnyTask:
        """Read the items and draw from them.

        Raises:
            DataError: there is no item, or a file can't be read.
        """
        raise NotImplementedError


KINDS: Registry[type[TaskConfig]] = Registry("kind of task")


def draw(found: Iterable[I], limit: int | None, seed: int) -> Drawn[I]:
    """`limit` of the items. Each one's place depends on seed and id alone: a larger limit or more data never reshuffles.

    Of one id the first stays. What is read goes to disk, and of what a limit leaves out hardly anything does.
    """
    shelf: Shelf[I] = Shelf()
    kept: list[tuple[bytes, int]] = []
    known: set[bytes] = set()
    repeated, last = 0, b"\xff" * 32
    for item in found:
        place = hashlib.sha256(f"{seed}:{item.id}".encode()).digest()
        if (short := place[:16]) in known:
            repeated += 1
            continue
        known.add(short)
        if place <= last:
            kept.append((place, len(shelf)))
            shelf.append(item)
        if limit and len(kept) >= 2 * limit + 1000:
            kept = sorted(kept)[:limit]
            last = kept[-1][0]
    return Drawn(Picked(shelf, (number for _, number in sorted(kept)[:limit])), len(known), repeated)
