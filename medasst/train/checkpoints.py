"""Checkpoints: the last two, each whole or not there, each proving by its name that it is what was written.

A file is named `step-<step>-<first half of its sha256>.pt`. One that a power failure or a bad disk tore is passed over for the
one before it.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from pathlib import Path
from typing import Any

import torch

from medasst.disk import write_durably
from medasst.errors import DataError

KEPT = 2


class Checkpoints:
    """The checkpoints of a run in their folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Write one, then drop all but the last two.

        Raises:
            OSError: the disk is full or fails; the checkpoints before it are still there.
        """
        buffer = io.BytesIO()  # whole in memory first: a full disk is then an OSError, whatever torch makes of it
        torch.save(state, buffer)
        content = buffer.getvalue()
        for torn in self.folder.glob(".*.unfinished"):  # of a run that was killed as it wrote
            torn.unlink(missing_ok=True)
        same_step = list(self.folder.glob(f"step-{step:07}-*.pt"))
        target = self.folder / f"step-{step:07}-{_digest(content)}.pt"
        write_durably(target, content)
        for old in [*(path for path in same_step if path != target), *self._files()[KEPT:]]:
            old.unlink(missing_ok=True)

    def newest(self) -> dict[str, Any] | None:
        """The state of the last whole one; None where the run hasn't saved any.

        Raises:
            DataError: there are some, and none of them is whole.
        """
        files = self._files()
        for path in files:
            content = path.read_bytes()
            if path.stem.rpartition("-")[2] == _digest(content):
                state: dict[str, Any] = torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
                return state
            warnings.warn(f"{path}: torn or changed since it was written; going on from the one before it", stacklevel=2)
        if files:
            raise DataError("no checkpoint here is whole; delete this run's folder to start anew", self.folder)
        return None

    def _files(self) -> list[Path]:
        """The newest first."""
        return sorted(self.folder.glob("step-*.pt"), reverse=True)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def random_state() -> dict[str, Any]:
    """The state of every random number generator that training draws from, of every device."""
    gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"cpu": torch.get_rng_state(), "cuda": gpus}


def set_random_state(state: dict[str, Any]) -> None:
    """Go on from `random_state()`."""
    torch.set_rng_state(state["cpu"])
    if state["cuda"]:
        torch.cuda.set_rng_state_all(state["cuda"])
