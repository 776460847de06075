"""Prepared set → packed batches → LoRA supervised fine-tuning → adapter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medasst.errors import DependencyError
from medasst.progress import Progress, silent
from medasst.train.config import LoraSettings, TrainConfig

if TYPE_CHECKING:
    from medasst.train.loop import TrainResult

__all__ = ["LoraSettings", "TrainConfig", "train"]


def train(
    config: TrainConfig,
    out: Path,
    sample: Callable[[Any], list[str]] | None = None,
    progress: Progress = silent,
) -> TrainResult:
    """Fine-tune and write `adapter/`, `checkpoints/`, `metrics.jsonl`, `curves.html`, `run.json` into `out`.

    A finished run with the same settings is returned as it is; an unfinished one goes on from its last checkpoint.

    Args:
        sample: given the model after each validation, answers a few questions; they land in `samples.jsonl`.

    Raises:
        InputError: a base that can't be found, an empty set, settings that differ from those of the run in `out`.
        Stopped: Ctrl-C; the last step is saved.
    """
    try:
        from medasst.train.loop import run
    except ModuleNotFoundError as error:
        raise DependencyError(error.name or "torch", "train") from error
    return run(config, out, sample, progress)
