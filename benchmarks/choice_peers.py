"""Exam questions after five worked examples: our engine beside lm-evaluation-harness, over the same texts, by turns.

    python -m venv lmeval && lmeval/bin/pip install 'lm-eval[hf]'
    OMP_NUM_THREADS=1 python benchmarks/choice_peers.py lmeval/bin/python --base embedded --questions 24 --rounds 3

`--base` is any base that transformers loads, `--exam` any exam file; by default the questions of our samples. Prints a line of
the table of docs/performance.md: processor time per question of each (without loading), the ratio in pairs, by how much the
log-likelihoods differ at most, and how many choices are the same.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch

from medasst.config import parse
from medasst.disk import package_file
from medasst.evaluation import EvaluateConfig
from medasst.evaluation.options import ChoiceAsking, ChoiceRecord
from medasst.evaluation.task import AnyTask
from medasst.models.local import LocalModel, load
from medasst.render import Renderer
from medasst.weights import find_base

PEER = Path(__file__).with_name("choice_lm_eval.py")


class Run(NamedTuple):
    """Processor time per question, and the log-likelihood of each choice of each question."""

    milliseconds: float
    logprobs: list[list[float]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", help="a Python that has lm-eval")
    parser.add_argument("--base", default="embedded")
    parser.add_argument("--exam", default=str(package_file("samples/exam.jsonl")))
    parser.add_argument("--examples", default="", help="files of the worked examples; by default some of the questions")
    parser.add_argument("--protocol", default="letter/v1", choices=["letter/v1", "option_text/v1"])
    parser.add_argument("--questions", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=4, help="the peer's batch size")
    given = parser.parse_args()
    torch.set_num_threads(1)
    base = find_base(given.base)
    task = _task(given)
    model = LocalModel(load(base.folder), Renderer.from_folder(base.folder))
    rounds = [(_ours(model, task), _theirs(given, base.folder, task)) for _ in range(given.rounds)]
    ratios = [theirs.milliseconds / ours.milliseconds for ours, theirs in rounds]
    ours, theirs = rounds[-1]
    pairs = list(zip(ours.logprobs, theirs.logprobs, strict=True))
    worst = max(abs(a - b) for one, other in pairs for a, b in zip(one, other, strict=True))
    same = sum(one.index(max(one)) == other.index(max(other)) for one, other in pairs)
    cells = [
        f"{base.name}, {given.protocol}",
        _spread([theirs.milliseconds for _, theirs in rounds]),
        _spread([ours.milliseconds for ours, _ in rounds]),
        f"**{statistics.median(ratios):.1f}** ({min(ratios):.1f}-{max(ratios):.1f})",
        f"{worst:.0e}",
        f"{same} of {len(pairs)}",
    ]
    print("| " + " | ".join(cells) + " |")


def _task(given: argparse.Namespace) -> AnyTask:
    task: dict[str, Any] = {"name": "exam", "kind": "choice", "path": given.exam, "protocol": given.protocol}
    task |= {"chat": False, "shots": 5, "limit": given.questions, **({"shots_path": given.examples} if given.examples else {})}
    config = parse(EvaluateConfig, {"tasks": [task]})
    return config.tasks[0].task(config.common)


def _ours(model: LocalModel, task: AnyTask) -> Run:
    started = time.process_time()
    records: dict[str, ChoiceRecord] = {record.id: record for record in task.asking.answers(model, task.items)}
    spent = time.process_time() - started
    return Run(spent / len(records) * 1000, [list(records[item.id].logprobs) for item in task.items])


def _theirs(given: argparse.Namespace, folder: Path, task: AnyTask) -> Run:
    asking = cast(ChoiceAsking[Any], task.asking)
    by_letter = given.protocol == "letter/v1"
    rows = [
        {
            "prompt": asking.put(item),
            "choices": list("ABCDEFGHIJKLMNOP"[: len(item.options)]) if by_letter else list(item.options),
            "answer": item.answer,
        }
        for item in task.items
    ]
    with tempfile.TemporaryDirectory() as scratch:
        questions, found = Path(scratch) / "questions.jsonl", Path(scratch) / "found.json"
        questions.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
        command = [given.peer, str(PEER), str(folder), str(questions), str(found), str(given.batch)]
        subprocess.run(command, check=True, capture_output=True, env={"OMP_NUM_THREADS": "1", "HF_HOME": scratch})
        return Run(**json.loads(found.read_text("utf-8")))


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.0f} ms ({min(values):.0f}-{max(values):.0f})"


if __name__ == "__main__":
    main()
