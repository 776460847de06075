"""Asking: every system every task's missing items, each answer on disk as it arrives."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medasst.errors import InputError, ModelError, UnsupportedError
from medasst.evaluation.predictions import PredictionFile, write_records
from medasst.evaluation.shelf import LazySequence
from medasst.evaluation.systems import Opener, System
from medasst.evaluation.task import AnyTask, Record
from medasst.models import ChatModel
from medasst.progress import Progress

Answers = dict[tuple[str, str], Sequence[Record]]  # by system and task; a task that a system can't do is absent


@dataclass(frozen=True, slots=True)
class Work:
    """What a system had to do for a task; `superseded` is where answers under other settings went, `unreadable` counts lines of
    its file that held no answer."""

    system: str
    task: str
    asked: int
    reused: int
    seconds: float
    superseded: str | None
    unreadable: int


@dataclass(slots=True)
class Run:
    """What one evaluation shares between its steps.

    `tell_absent`: a system whose weights can't be had is no error; `absent` says why, by system and task.
    """

    out: Path
    progress: Progress
    tell_absent: bool = False
    absent: dict[tuple[str, str], str] = field(default_factory=dict)
    work: list[Work] = field(default_factory=list)

    def predictions(self, system: System, task: AnyTask) -> PredictionFile[Any, Any]:
        """The answers of a system to a task, as far as they are on disk."""
        header = {"system": system.depends_on(task.asking.needs), "protocol": task.asking.protocol}
        return PredictionFile(self.out / "predictions" / system.name, task, header)


def ask_all(run: Run, systems: Sequence[System], tasks: Sequence[AnyTask]) -> Answers:
    """The records of every system and task. Raises InputError where a system is cut from one that isn't there."""
    found: Answers = {}
    for system in systems:
        if system.open:
            found |= {(system.name, task): records for task, records in _ask(run, system, tasks)}
    for system in systems:
        if not system.open:
            found |= {(system.name, task): records for task, records in _cut(run, system, tasks, found)}
    return found


def _ask(run: Run, system: System, tasks: Sequence[AnyTask]) -> Iterator[tuple[str, Sequence[Record]]]:
    """Every task's records. A model is loaded when its first missing item comes up, and let go before the next one is."""
    rounds: dict[Opener, list[AnyTask]] = {}
    for task in tasks:
        if opener := system.opener(task.asking.needs):
            rounds.setdefault(opener, []).append(task)
    for opener, group in rounds.items():
        with _Lazy(opener) as model:
            for task in group:
                if (records := _ask_task(run, system, model, task)) is not None:
                    yield task.name, records


class _Lazy:
    """A model that loads when first asked for, and closes if it can."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self._model: ChatModel | None = None

    def __enter__(self) -> _Lazy:
        return self

    def __exit__(self, *_: object) -> None:
        close = getattr(self._model, "close", None)
        if close:
            close()
        self._model = None

    def __call__(self) -> ChatModel:
        if self._model is None:
            self._model = self._opener()
        return self._model


def _ask_task(run: Run, system: System, model: _Lazy, task: AnyTask) -> Sequence[Record] | None:
    """One task's records, asking only for what is missing; None where the engine can't do it."""
    store = run.predictions(system, task)
    missing = store.missing(task.items)
    known = len(task.items) - len(missing)
    began, stage = time.perf_counter(), f"{system.name}: {task.name}"
    if missing:
        try:
            capabilities = model().capabilities
        except ModelError as error:
            if not run.tell_absent:
                raise
            run.absent[system.name, task.name] = str(error)
            return None
        if task.asking.needs not in capabilities:
            return None
        run.progress(stage, known, len(task.items))
        try:
            for done, record in enumerate(task.asking.answers(model(), missing), known + 1):
                store.append(record)
                run.progress(stage, done, len(task.items))
        except UnsupportedError:
            return None
    seconds = round(time.perf_counter() - began, 1)
    superseded = str(store.superseded) if store.superseded else None
    run.work.append(Work(system.name, task.name, len(missing), known, seconds, superseded, store.unreadable))
    return store.final(task.items)


def _cut(run: Run, system: System, tasks: Sequence[AnyTask], found: Answers) -> Iterator[tuple[str, Sequence[Record]]]:
    """The answers of another system up to the first `cut_at`, to the tasks whose answers can be cut."""
    for task in tasks:
        whole = found.get((system.of, task.name))
        if whole is None:
            if why := run.absent.get((system.of, task.name)):
                run.absent[system.name, task.name] = why
            elif task.asking.needs == "stream":
                raise InputError(f"system {system.name!r} cuts the answers of {system.of!r}, which is not evaluated")
            continue
        records = _Cut(task, whole, system.cut_at)
        if whole and records.possible:
            write_records(run.out / "predictions" / system.name / f"{task.name}.jsonl", records)
            yield task.name, records


class _Cut(LazySequence[Record]):
    """Answers to a task as if the text `before` had stopped each."""

    def __init__(self, task: AnyTask, whole: Sequence[Record], before: str) -> None:
        self._task, self._whole, self._before = task, whole, before

    @property
    def possible(self) -> bool:
        """Whether answers to such a task can be cut at all."""
        return self._task.asking.cut(self._whole[0], self._before) is not None

    def at(self, place: int) -> Record:
        whole = self._whole[place]
        return self._task.asking.cut(whole, self._before) or whole

    def __len__(self) -> int:
        return len(self._whole)
