"""`metrics.jsonl` as a picture: loss and validation loss over tokens, offline, one file."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import NamedTuple

import jinja2

from medasst.disk import package_file

WIDTH, HEIGHT, LEFT, BOTTOM = 760, 320, 56, 36


class Point(NamedTuple):
    """Tokens seen so far, and a loss in nats per answer token."""

    tokens: float
    loss: float


def write_curves(metrics: Path, target: Path) -> None:
    """Draw `metrics` into `target`."""
    rows = [json.loads(line) for line in metrics.read_text("utf-8").splitlines()]
    steps = [Point(row["tokens"], row["loss"]) for row in rows if "loss" in row]
    validation = [Point(row["tokens"], row["validation_loss"]) for row in rows if row.get("validation_loss") is not None]
    points = [*steps, *validation]
    if not points:
        return
    high, far = max(p.loss for p in points) * 1.05 or 1.0, max(p.tokens for p in points) or 1.0

    def place(point: Point) -> Point:
        return Point(LEFT + (WIDTH - LEFT - 12) * point.tokens / far, (HEIGHT - BOTTOM) * (1 - point.loss / high) + 8)

    template = jinja2.Environment(autoescape=True).from_string(package_file("train/curves.html").read_text("utf-8"))
    target.write_text(
        template.render(
            width=WIDTH,
            height=HEIGHT + 12,
            left=LEFT,
            floor=place(Point(0, 0)).loss,
            steps=[place(p) for p in steps],
            smooth=[place(p) for p in smoothed(steps)],
            validation=[place(p) for p in validation],
            across=[(place(Point(tick, 0)).tokens, f"{tick / 1000:g}k") for tick in ticks(far)],
            up=[(place(Point(0, tick)).loss, f"{tick:g}") for tick in ticks(high)],
            last=rows[-1],
            table=[row for row in rows if row.get("validation_loss") is not None],
        ),
        "utf-8",
    )


def ticks(high: float) -> list[float]:
    """Round numbers from 0 up to `high`, at most seven."""
    unit = 10 ** math.floor(math.log10(high))
    step = next(unit * part for part in (0.2, 0.5, 1, 2) if high / (unit * part) <= 6)
    return [round(step * i, 10) for i in range(int(high / step) + 1)]


def smoothed(points: list[Point], keep: float = 0.9) -> list[Point]:
    """Exponential moving average, corrected for its start (Kingma & Ba 2015, section 3)."""
    total, result = 0.0, []
    for i, point in enumerate(points, 1):
        total = keep * total + (1 - keep) * point.loss
        result.append(Point(point.tokens, total / (1 - keep**i)))
    return result
