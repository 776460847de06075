"""`metrics.jsonl` as pictures over tokens: loss and validation loss, each source, gradient, speed. Offline, one file."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jinja2

from medasst.disk import package_file, write_text
from medasst.train.watch import Average

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 760, 56, 12, 8, 36
_HIGH, _LOW = 320, 150  # heights of the first chart and of the smaller ones
_MOST = 800  # points of a line: more can't be seen
_COLOURS = ("#0f766e", "#c2410c", "#4f46e5", "#a16207", "#be185d", "#0369a1", "#4d7c0f", "#6b7280")


class Point(NamedTuple):
    """Tokens seen so far, and a value."""

    tokens: float
    value: float


@dataclass(frozen=True)
class Series:
    """A line, or dots alone."""

    name: str
    colour: str
    points: Sequence[Point]
    line: bool = True
    dots: float = 0.0  # radius


@dataclass(frozen=True)
class Chart:
    """Series over the same axes, as places on the page."""

    title: str
    height: int
    series: Sequence[Series]
    up: Sequence[tuple[float, str]]
    across: Sequence[tuple[float, str]]


def write_curves(metrics: Path, target: Path) -> None:
    """Draw `metrics` into `target`."""
    rows = [json.loads(line) for line in metrics.read_text("utf-8").splitlines()]
    if not any("loss" in row or row.get("validation_loss") is not None for row in rows):
        return
    steps = [row for row in rows if "loss" in row]
    validations = [row for row in rows if row.get("validation_loss") is not None]
    ended = {row["step"]: row["ended"] for row in rows if "ended" in row}
    far = max(row["tokens"] for row in rows) or 1.0
    template = jinja2.Environment(autoescape=True).from_string(package_file("train/curves.html").read_text("utf-8"))
    page = template.render(
        width=WIDTH,
        left=LEFT,
        right=WIDTH - RIGHT,
        charts=[_placed(*chart, far) for chart in _charts(steps, validations) if any(s.points for s in chart[2])],
        last=rows[-1],
        step=steps[-1] if steps else None,
        warnings=[row for row in rows if "warning" in row],
        validations=[{**row, "ended": ended.get(row["step"])} for row in validations],
        sources=list(dict.fromkeys(name for row in validations for name in row.get("sources", {}))),
    )
    write_text(target, page)


def _charts(steps: list[dict[str, Any]], validations: list[dict[str, Any]]) -> list[tuple[str, int, list[Series]]]:
    loss = _points(steps, "loss")
    whole = [
        Series("step", "#9dbdb8", loss, line=False, dots=1.6),
        Series("moving average", _COLOURS[0], smoothed(loss)),
        Series("validation", _COLOURS[1], _points(validations, "validation_loss"), dots=3.5),
    ]
    return [
        ("loss, nats per answer token", _HIGH, whole),
        ("training loss by source, moving average", _LOW, _by_source(steps, dots=0)),
        ("validation loss by source", _LOW, _by_source(validations, dots=3)),
        ("norm of the gradient before clipping", _LOW, [Series("", _COLOURS[0], _points(steps, "norm"))]),
        ("learning rate × 10⁶", _LOW, [Series("", _COLOURS[0], [Point(t, v * 1e6) for t, v in _points(steps, "rate")])]),
        ("tokens per second", _LOW, [Series("", _COLOURS[0], _points(steps, "tokens_per_s"))]),
        ("padding, share of what is computed", _LOW, [Series("", _COLOURS[0], _points(steps, "padding"))]),
    ]


def _by_source(rows: list[dict[str, Any]], dots: float) -> list[Series]:
    names = dict.fromkeys(name for row in rows for name in row.get("sources", {}))
    lines = []
    for i, name in enumerate(names):
        points = [Point(row["tokens"], row["sources"][name]["loss"]) for row in rows if name in row.get("sources", {})]
        lines.append(Series(name or "–", _COLOURS[i % len(_COLOURS)], points if dots else smoothed(points), dots=dots))
    return lines


def _points(rows: list[dict[str, Any]], key: str) -> list[Point]:
    return [Point(row["tokens"], row[key]) for row in rows if key in row]


def _placed(title: str, height: int, series: list[Series], far: float) -> Chart:
    high = max(p.value for s in series for p in s.points) * 1.05 or 1.0

    def place(point: Point) -> Point:
        across = LEFT + (WIDTH - LEFT - RIGHT) * point.tokens / far
        return Point(across, TOP + (height - BOTTOM) * (1 - point.value / high))

    return Chart(
        title,
        height,
        [Series(s.name, s.colour, [place(p) for p in thinned(s.points)], s.line, s.dots) for s in series],
        [(place(Point(0, tick)).value, f"{tick:g}") for tick in ticks(high, 6 if height == _HIGH else 3)],
        [(place(Point(tick, 0)).tokens, _counted(tick)) for tick in ticks(far, 6)],
    )


def _counted(tokens: float) -> str:
    return "0" if not tokens else f"{tokens / 1e6:g}M" if tokens >= 1e6 else f"{tokens / 1000:g}k"


def ticks(high: float, most: int) -> list[float]:
    """Round numbers from 0 up to `high`, at most `most` after 0."""
    unit = 10 ** math.floor(math.log10(high))
    step = next(unit * part for part in (0.2, 0.5, 1, 2, 5) if high / (unit * part) <= most)
    return [round(step * i, 10) for i in range(int(high / step) + 1)]


def smoothed(points: Sequence[Point]) -> list[Point]:
    """The moving average of the values."""
    average = Average()
    return [Point(point.tokens, average.add(point.value)) for point in points]


def thinned(points: Sequence[Point], most: int = _MOST) -> list[Point]:
    """At most `most` points, the first and the last among them."""
    if len(points) <= most:
        return list(points)
    return [points[round(i * (len(points) - 1) / (most - 1))] for i in range(most)]
