"""An evaluation from settings to report: ask, score, compare, write."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from medasst.disk import write_json, written_whole
from medasst.errors import ConfigError, Stopped
from medasst.evaluation.ask import Run, Work, ask_all
from medasst.evaluation.config import EvaluateConfig, baseline_of
from medasst.evaluation.measure import Answered
from medasst.evaluation.page import write_page
from medasst.evaluation.report import EvalReport, build_report
from medasst.evaluation.shelf import figures
from medasst.evaluation.systems import Guard, System, systems_of
from medasst.evaluation.task import AnyTask, Record
from medasst.models import ChatModel
from medasst.progress import Progress, silent

_VERSIONS = ("medasst", "jieba", "nltk", "rouge-chinese", "rapidfuzz", "numpy", "scipy")


def evaluate(
    config: EvaluateConfig,
    systems: Sequence[System | ChatModel] | None = None,
    *,
    out: Path,
    progress: Progress = silent,
    guard: Guard | None = None,
    command: str = "",
) -> EvalReport:
    """Ask every system every task's items, score the answers, compare the systems, write it all into `out`.

    A second call with the same `out` asks only what is missing, failed, or changed.

    Args:
        config: the job.
        systems: what is measured; by default the systems that `config` names. Models that are already there may stand
            among them.
        out: gets predictions/, scores/, report.json, report.html and run.json.
        progress: called as items are answered and scored.
        guard: makes the guarded assistant, for a job that names it.
        command: what repeats this evaluation, for readers.

    Raises:
        MedasstError: a scripted system of known answers doesn't score what arithmetic says.
        ConfigError: no system, two of one name, a baseline that is none of them.
        DataError: a task without items.
        ModelError: a system's model can't be loaded.
        Stopped: Ctrl-C; every answer so far is kept.
    """
    started = time.time()
    measured = [
        s if isinstance(s, System) else System.holding(s)
        for s in (systems_of(config, progress, guard) if systems is None else systems)
    ]
    names = [system.name for system in measured]
    if not names or len(set(names)) < len(names):
        raise ConfigError("an evaluation needs systems, each with its own name; add a [[systems]] table to the job file")
    baseline = baseline_of(config, names)
    run = Run(out, progress, tell_absent=config.absent == "tell")
    tasks = [settings.task(config.common) for settings in config.tasks]
    try:
        asked = ask_all(run, measured, tasks)
    except KeyboardInterrupt:
        raise Stopped(
            f"stopped; the answers so far are in {out / 'predictions'}. Run the same command again to go on."
        ) from None
    by_name = {task.name: task for task in tasks}
    answered = {(system, name): _scored(run, system, by_name[name], records) for (system, name), records in asked.items()}
    not_run = run.absent | {(s.name, task.name): s.stands_in for s in measured if s.stands_in for task in tasks}
    answered = {key: one for key, one in answered.items() if key not in not_run}
    report = build_report(config, measured, baseline, tasks, answered, not_run=not_run)
    facts = _facts(config, run.work, time.time() - started, command)
    facts["systems"] = {system.name: dict(system.fingerprint) for system in measured}
    write_json(out / "report.json", report.to_json())
    write_page(out / "report.html", report, tasks, answered, facts=facts, texts=config.texts)
    write_json(out / "run.json", facts)
    return report


def _scored(run: Run, system: str, task: AnyTask, records: Sequence[Record]) -> Answered:
    """The records with their items' scores, which are written down so that any figure can be traced to its items."""
    scores = figures(task.scoring.kept)
    clusters: list[str] = []
    path = run.out / "scores" / system / f"{task.name}.jsonl"
    with written_whole(path) as unfinished, unfinished.open("w", encoding="utf-8") as sink:
        for item, score in zip(task.items, task.scoring.scores(task.items, records), strict=True):
            scores.append(score)
            clusters.append(sys.intern(task.scoring.cluster(item)))
            sink.write(json.dumps({"id": item.id, "cluster": clusters[-1], **score._asdict()}) + "\n")
            run.progress(f"scoring {system}: {task.name}", len(scores), len(records))
    return Answered(records, scores, clusters)


def _facts(config: EvaluateConfig, work: Sequence[Work], seconds: float, command: str) -> dict[str, Any]:
    machine = {
        "system": platform.system(),
        "arch": platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "python": sys.version.split()[0],
    }
    return {
        "command": command,
        "settings": config.model_dump(mode="json"),
        "versions": {package: version(package) for package in _VERSIONS},
        "machine": machine,
        "seconds": round(seconds, 1),
        "work": [asdict(part) for part in work],
    }
