"""How a run is followed: `metrics.jsonl`, `samples.jsonl`, `curves.html`, the progress bar, warnings."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from medasst.disk import write_text
from medasst.progress import Progress
from medasst.train.curves import write_curves
from medasst.train.step import Losses, StepResult, shown
from medasst.train.tokens import TokenSet
from medasst.train.watch import Watch


class Answer(Protocol):
    """An answer that the model gave while it was trained; `finish_reason` is "stop" where it ended by itself."""

    @property
    def id(self) -> str: ...

    @property
    def text(self) -> str: ...

    @property
    def finish_reason(self) -> str: ...


class Report:
    """What a run tells of itself.

    Args:
        total_tokens: of all steps.
    """

    def __init__(self, out: Path, total_tokens: int, progress: Progress) -> None:
        self.out, self.total_tokens, self.progress = out, total_tokens, progress
        self._watch = Watch()

    def resume(self, step: int | None) -> None:
        """Go on after `step`: later rows go, they will come again. None: from the start."""
        for name in ("metrics.jsonl", "samples.jsonl"):
            path = self.out / name
            rows = path.read_text("utf-8").splitlines() if step is not None and path.exists() else []
            kept = [row for row in rows if _step(row) <= (step or 0)]
            if path.exists():
                write_text(path, "".join(f"{row}\n" for row in kept))
            if name == "metrics.jsonl":
                for row in kept:
                    self._watch.read(json.loads(row))

    def step(
        self, step: int, result: StepResult, tokens: TokenSet, *, rate: float, done: int, seconds: float, spent: float
    ) -> None:
        """A step was taken.

        Args:
            done: tokens learnt from so far.
            seconds: that this step took.
            spent: seconds that all steps took.
        """
        speed = result.tokens / seconds
        self._write(
            {
                "step": step,
                "tokens": done,
                "loss": result.losses.mean,
                "answer_tokens": result.losses.answer_tokens,
                "rate": rate,
                "norm": result.norm,
                "tokens_per_s": speed,
                "padding": 1 - result.tokens / result.padded,
                "seconds_left": spent / done * (self.total_tokens - done),
                **_by_source(result.losses, tokens),
            }
        )
        self.progress("training", done, self.total_tokens, loss=result.losses.mean, tokens_per_s=speed)

    def validation(self, step: int, done: int, losses: Losses, tokens: TokenSet) -> None:
        """The validation set was measured."""
        self._write({"step": step, "tokens": done, "validation_loss": losses.mean, **_by_source(losses, tokens)})

    def answers(self, step: int, done: int, prompts: Mapping[str, str], answers: Iterable[Answer]) -> None:
        """Some validation questions were answered.

        Args:
            prompts: what was asked, by conversation id.
        """
        given = [a for a in answers if a.finish_reason != "error"]
        if not given:
            return
        rows = [
            {"id": a.id, "question": prompts.get(a.id, ""), "answer": a.text, "ended": a.finish_reason == "stop"} for a in given
        ]
        self._append("samples.jsonl", {"step": step, "answers": rows})
        self._write({"step": step, "tokens": done, "ended": sum(row["ended"] is True for row in rows) / len(rows)})

    def draw(self) -> None:
        """Write `curves.html` anew."""
        write_curves(self.out / "metrics.jsonl", self.out / "curves.html")

    def _write(self, row: dict[str, Any]) -> None:
        self._append("metrics.jsonl", row)
        if (warning := self._watch.read(row)) is not None:
            self._append("metrics.jsonl", {"step": row["step"], "tokens": row["tokens"], "warning": warning})
            warnings.warn(f"step {row['step']}: {warning}", stacklevel=2)

    def _append(self, name: str, row: dict[str, Any]) -> None:
        with (self.out / name).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")


def _by_source(losses: Losses, tokens: TokenSet) -> dict[str, Any]:
    sources = shown(losses.by_source(tokens))
    return {"sources": sources} if sources else {}


def _step(line: str) -> float:
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):  # a line torn by a kill
        return float("inf")
