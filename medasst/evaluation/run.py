"""An evaluation from settings to report: ask, score, compare, write."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from medasst.errors import ConfigError, Stopped
from medasst.evaluation.ask import Run, ask_all
from medasst.evaluation.config import EvaluateConfig, baseline_of
from medasst.evaluation.measure import Answered, item_scores
from medasst.evaluation.page import write_page
from medasst.evaluation.predictions import Record
from medasst.evaluation.report import EvalReport, build_report
from medasst.evaluation.systems import System, systems_of
from medasst.evaluation.tasks import Task, load_task
from medasst.models import ChatModel
from medasst.progress import Progress, silent

_VERSIONS = ("medasst", "jieba", "nltk", "rouge-chinese", "rapidfuzz", "numpy")


def evaluate(
    config: EvaluateConfig, systems: Sequence[System | ChatModel] | None = None, *, out: Path, progress: Progress = silent
) -> EvalReport:
    """Ask every system every task's items, score the answers, compare the systems, write it all into `out`.

    A second call with the same `out` asks only what is missing, failed, or changed.

    Args:
        config: the job.
        systems: what is measured; by default the systems that `config` names. Models that are already there may stand
            among them.
        out: gets predictions/, scores/, report.json, report.html and run.json.
        progress: called as items are answered and scored.

    Raises:
        ConfigError: no system, two of one name, a baseline that is none of them.
        DataError: a task without items.
        ModelError: a system's model can't be loaded.
        Stopped: Ctrl-C; every answer so far is kept.
    """
    started = time.time()
    measured = [
        s if isinstance(s, System) else System.holding(s)
        for s in (systems_of(config, progress) if systems is None else systems)
    ]
    names = [system.name for system in measured]
    if not names or len(set(names)) < len(names):
        raise ConfigError("an evaluation needs systems, each with its own name; add a [[systems]] table to the job file")
    baseline = baseline_of(config, names)
    run = Run(config, out, progress)
    tasks = [load_task(task, limit=config.limit, seed=config.seed, prepared=config.data) for task in config.tasks]
    try:
        asked = ask_all(run, measured, tasks)
    except KeyboardInterrupt:
        raise Stopped(
            f"stopped; the answers so far are in {out / 'predictions'}. Run the same command again to go on."
        ) from None
    answered = {key: _scored(run, key, tasks, records) for key, records in asked.items()}
    report = build_report(config, names, baseline, tasks, answered)
    _write_json(out / "report.json", {"schema_version": 1, **asdict(report)})
    write_page(out / "report.html", report, tasks, answered, texts=config.texts)
    _write_json(out / "run.json", _facts(config, run.work, time.time() - started))
    return report


def _scored(run: Run, key: tuple[str, str], tasks: Sequence[Task], records: Sequence[Record]) -> Answered:
    """The records with their items' scores, which are written down so that any figure can be traced to its items."""
    system, name = key
    task = next(task for task in tasks if task.config.name == name)
    scores = []
    for done, (item, record) in enumerate(zip(task.items, records, strict=True), 1):
        scores.append(item_scores(item, record))
        run.progress(f"scoring {system}: {name}", done, len(records))
    path = run.out / "scores" / system / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "".join(json.dumps({"id": item.id, **s}) + "\n" for item, s in zip(task.items, scores, strict=True)), "utf-8"
    )
    return Answered(records, scores)


def _facts(config: EvaluateConfig, work: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
    machine = {
        "system": platform.system(),
        "arch": platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "python": sys.version.split()[0],
    }
    return {
        "settings": config.model_dump(mode="json"),
        "versions": {package: version(package) for package in _VERSIONS},
        "machine": machine,
        "seconds": round(seconds, 1),
        "work": work,
    }


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False) + "\n", "utf-8")
