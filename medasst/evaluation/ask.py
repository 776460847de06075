"""Asking: every system every task's missing items, each answer on disk as it arrives."""

from __future__ import annotations

import json
import string
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from medasst.errors import InputError, UnsupportedError
from medasst.evaluation.config import EvaluateConfig
from medasst.evaluation.measure import chosen
from medasst.evaluation.predictions import PredictionFile, Record, asked, failed
from medasst.evaluation.systems import Opener, System
from medasst.evaluation.tasks import Item, Task
from medasst.models import ChatModel, ChoiceModel, ChoiceQuery, Completion, Decoding, LetterModel, LetterQuery
from medasst.progress import Progress

Answers = dict[tuple[str, str], list[Record]]  # by system and task; a task that a system can't do is absent


@dataclass(slots=True)
class Run:
    """What one evaluation shares between its steps."""

    config: EvaluateConfig
    out: Path
    progress: Progress
    work: list[dict[str, Any]] = field(default_factory=list)  # for run.json

    def predictions(self, system: System, task: Task) -> PredictionFile:
        fingerprint = {k: v for k, v in system.fingerprint.items() if task.config.kind == "choice" or k != "choice_engine"}
        header = {"system": fingerprint, "protocol": protocol(self.config, task)}
        return PredictionFile(self.out / "predictions" / system.name, task.config.name, header)


def protocol(config: EvaluateConfig, task: Task) -> str:
    """How a task is asked, as results name it."""
    return task.config.protocol if task.config.kind == "choice" else f"greedy_{config.max_new_tokens}/v1"


def ask_all(run: Run, systems: Sequence[System], tasks: Sequence[Task]) -> Answers:
    found: Answers = {}
    for system in systems:
        if system.open:
            found |= {(system.name, task): records for task, records in _ask(run, system, system.open, tasks)}
    for system in systems:
        if not system.open:
            found |= {(system.name, task): records for task, records in _cut(run, system, tasks, found)}
    return found


def _ask(run: Run, system: System, open_model: Opener, tasks: Sequence[Task]) -> Iterator[tuple[str, list[Record]]]:
    """Every task's records. A model is loaded when its first missing item comes up, and let go before the next one is."""
    rounds = [(open_model, list(tasks))]
    if system.open_choices:
        kinds = [[task for task in tasks if task.config.kind == kind] for kind in ("qa", "choice")]
        rounds = [(open_model, kinds[0]), (system.open_choices, kinds[1])]
    for opener, group in rounds:
        with _Lazy(opener) as model:
            for task in group:
                if (records := _ask_task(run, system, model, task)) is not None:
                    yield task.config.name, records


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


def _ask_task(run: Run, system: System, model: _Lazy, task: Task) -> list[Record] | None:
    """One task's records, asking only for what is missing; None where the engine can't do it."""
    store = run.predictions(system, task)
    known = store.usable(task.items)
    missing = [item for item in task.items if item.id not in known]
    began, stage = time.perf_counter(), f"{system.name}: {task.config.name}"
    if missing:
        asker = model()
        letters = task.config.protocol == "letter/v1"
        if task.config.kind == "choice" and ("letters" if letters else "choices") not in asker.capabilities:
            return None
        run.progress(stage, len(known), len(task.items))
        choose = _choose_letter if letters else _choose
        answers = choose(asker, missing) if task.config.kind == "choice" else _generate(asker, missing, run.config.decoding)
        try:
            for done, record in enumerate(answers, len(known) + 1):
                store.append(record)
                run.progress(stage, done, len(task.items))
        except UnsupportedError:
            return None
    seconds = round(time.perf_counter() - began, 1)
    superseded = str(store.superseded) if store.superseded else None
    run.work.append(
        {"system": system.name, "task": task.config.name, "asked": len(missing), "reused": len(known), "seconds": seconds}
        | ({"superseded": superseded} if superseded else {})
    )
    return store.final(task.items)


def _generate(model: ChatModel, items: Sequence[Item], decoding: Decoding) -> Iterator[Record]:
    by_id = {item.id: item for item in items}
    completions: Iterable[Completion] = model.generate([item.history for item in items if item.history], decoding)
    for completion in completions:
        item = by_id[completion.id]
        if completion.finish_reason == "error":
            yield failed(item, completion.error or "the engine failed")
        else:
            yield asked(item) | {"predict": _writable(completion.text), "finish_reason": completion.finish_reason}


def _writable(text: str) -> str:
    """UTF-8 has no lone surrogates, but a JSON reply may: they become question marks."""
    return text.encode("utf-8", "replace").decode()


def _choose(model: ChatModel, items: Sequence[Item]) -> Iterator[Record]:
    by_id = {item.id: item for item in items}
    for score in cast(ChoiceModel, model).score([ChoiceQuery(item.id, item.prompt, item.options) for item in items]):
        item = by_id[score.id]
        if score.error or len(score.logprobs) != len(item.options):
            yield failed(item, score.error or "the engine scored another number of options")
            continue
        record = asked(item) | {"logprobs": list(score.logprobs), "token_counts": list(score.token_counts)}
        yield record | {"predict": item.options[chosen(record)[0]], "finish_reason": "stop"}


def _choose_letter(model: ChatModel, items: Sequence[Item]) -> Iterator[Record]:
    by_id = {item.id: item for item in items}
    queries = [
        LetterQuery(item.id, item.history, tuple(string.ascii_uppercase[: len(item.options)])) for item in items if item.history
    ]
    for score in cast(LetterModel, model).letters(queries):
        item = by_id[score.id]
        if score.error or len(score.logprobs) != len(item.options):
            yield failed(item, score.error or "the engine scored another number of letters")
            continue
        record = asked(item) | {"logprobs": list(score.logprobs), "listed": list(score.listed)}
        if not any(score.listed):
            yield record | {"predict": "", "finish_reason": "unparsed"}
        else:
            yield record | {"predict": item.options[chosen(record)[0]], "finish_reason": "stop"}


def _cut(run: Run, system: System, tasks: Sequence[Task], found: Answers) -> Iterator[tuple[str, list[Record]]]:
    """The answers of another system up to the first `cut_at`; choices can't be cut."""
    for task in tasks:
        if task.config.kind == "choice":
            continue
        if (system.of, task.config.name) not in found:
            raise InputError(f"system {system.name!r} cuts the answers of {system.of!r}, which is not evaluated")
        records = [_cut_record(record, system.cut_at) for record in found[system.of, task.config.name]]
        path = run.out / "predictions" / system.name / f"{task.config.name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), "utf-8")
        yield task.config.name, records


def _cut_record(record: Record, cut_at: str) -> Record:
    """What a server with this stop text would have sent: the blanks before it go too."""
    before, found, _ = record["predict"].partition(cut_at)
    return record | {"predict": before.rstrip(), "finish_reason": "stop"} if found else record
