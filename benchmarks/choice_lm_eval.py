"""The peer's side of choice_peers.py: the log-likelihood of each choice after its prompt, by lm-evaluation-harness itself.

    PEER_PYTHON benchmarks/choice_lm_eval.py MODEL_FOLDER QUESTIONS.jsonl FOUND.json BATCH

Runs where lm-eval is installed and MedAsst isn't.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import torch

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}

from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager


def main(model: str, questions: str, found: str, batch: str) -> None:
    """Ask, and write `milliseconds` of processor time per question and `logprobs`."""
    torch.set_num_threads(1)
    task = {
        "task": "exam",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": questions}},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "{{prompt}}",
        "doc_to_choice": "choices",
        "doc_to_target": "answer",
        "target_delimiter": "",
        "num_fewshot": 0,
    }
    lm = HFLM(pretrained=model, device="cpu", dtype="float32", batch_size=int(batch))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "exam.yaml").write_text(json.dumps(task), "utf-8")  # JSON is YAML, too
        manager = TaskManager(include_path=folder)
        started = time.process_time()
        result = simple_evaluate(model=lm, tasks=["exam"], task_manager=manager, log_samples=True, bootstrap_iters=0)
        spent = time.process_time() - started
    rows = sorted(result["samples"]["exam"], key=lambda row: row["doc_id"])
    logprobs = [[_number(answer) for answer in row["resps"]] for row in rows]
    Path(found).write_text(json.dumps({"milliseconds": spent / len(rows) * 1000, "logprobs": logprobs}), "utf-8")


def _number(answer: object) -> float:
    while isinstance(answer, list | tuple):
        answer = answer[0]
    return float(str(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
