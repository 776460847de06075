"""How long work tells of itself: the library calls a function, the command line draws a bar."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called as work goes on.

    Args:
        stage: what is being done, in a few words.
        done: how much of it is finished, in the unit of `total`.
        total: all of it, or None where that isn't known.
        facts: figures worth showing beside the bar (loss, tokens/s).
    """

    def __call__(self, stage: str, done: float, total: float | None = None, **facts: float) -> None: ...


def silent(stage: str, done: float, total: float | None = None, **facts: float) -> None:
    """Says nothing: the default."""
