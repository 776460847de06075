"""Prepared set → packed batches → LoRA supervised fine-tuning → adapter."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medasst.errors import DependencyError
from medasst.progress import Progress, silent
from medasst.train.config import LoraSettings, TrainConfig

if TYPE_CHECKING:
    from medasst.train.loop import Sampler, TrainResult
    from medasst.train.planning import Plan

__all__ = ["LoraSettings", "TrainConfig", "plan", "train"]


def train(
    config: TrainConfig,
    out: Path,
    sample: Sampler | None = None,
    progress: Progress = silent,
) -> TrainResult:
    """Fine-tune and write `adapter/`, `checkpoints/`, `metrics.jsonl`, `curves.html`, `settings.json`, `run.json` into `out`.

    A finished run with the same settings, data and base is returned as it is; an unfinished one goes on from its last
    checkpoint, and ends as if it had never been interrupted.

    Args:
        sample: given model, renderer, conversations and the most tokens of an answer, answers them; asked after each
            validation, answers land in `samples.jsonl`.

    Raises:
        InputError: a base that can't be found, an empty set, a run in `out` that something else decides: the message names it.
        ModelError: a loss or gradient that is no number; `bad_batch.json` holds the conversations' ids.
        Stopped: Ctrl-C or SIGTERM; the last step is saved.
    """
    try:
        from medasst.train.loop import run
    except ModuleNotFoundError as error:
        raise DependencyError(error.name or "torch", "train") from error
    return run(config, out, sample, progress)


def plan(
    config: TrainConfig,
    *,
    gpu_bytes: int | None = None,
    tflops: float | None = None,
    probe: bool = False,
    progress: Progress = silent,
) -> Plan:
    """What a run would take, before a byte of weights is loaded (but for `probe`).

    Args:
        gpu_bytes: plan for a GPU of this memory that needn't be here; otherwise for the device that the settings come to.
        tflops: what the device sustains, in 10¹² floating-point operations a second, to reckon the time.
        probe: load the base and measure the time on some steps.

    Raises:
        InputError: a base whose configuration can't be had or planned; settings that don't go together. A job that
            doesn't fit is a plan whose `check` raises.
    """
    try:
        from medasst.train.planning import make_plan
    except ModuleNotFoundError as error:
        raise DependencyError(error.name or "torch", "train") from error
    return make_plan(config, gpu_bytes=gpu_bytes, tflops=tflops, probe=probe, progress=progress)
