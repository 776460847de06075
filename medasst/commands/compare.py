"""`medasst compare A B`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from medasst.commands.common import say, stderr

if TYPE_CHECKING:
    from medasst.evaluation.compare import Figure, ReportComparison

EPILOG = """\
examples:
  medasst compare runs/real/evaluate runs/real-r32/evaluate    what changed from A to B, and why
  medasst compare runs/real/evaluate runs/real/evaluate --systems base tuned
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Put `compare` among the commands."""
    about = "two reports: by how much they differ, item by item, and why"
    parser = commands.add_parser(
        "compare",
        help=about,
        description="B against A over the items that both have (docs/evaluation.md). Figures of another protocol or "
        "another way of scoring are shown and not subtracted.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("a", type=Path, metavar="A", help="a folder that medasst evaluate wrote")
    parser.add_argument("b", type=Path, metavar="B", help="another one, or the same with --systems")
    parser.add_argument(
        "--systems", nargs=2, metavar=("IN_A", "IN_B"), help="which system of each; by default those of one name"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/compare"), metavar="DIR", help="by default runs/compare")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> Path:
    from medasst.evaluation.compare import compare_reports, write_comparison

    systems = (arguments.systems[0], arguments.systems[1]) if arguments.systems else None
    found = compare_reports(arguments.a, arguments.b, systems)
    place = write_comparison(found, arguments.out)
    for table in _tables(found):
        stderr.print(table)
    for sentence in found.sentences():
        say(sentence)
    return place


def _tables(found: ReportComparison) -> Iterator[Table]:
    """A table a task."""
    for task in found.tasks:
        title = task.task if len(set(task.systems)) == 1 else f"{task.task}: {' → '.join(task.systems)}"
        table = Table(
            box=box.SIMPLE, title=f"{title}: {task.common} items, {task.status}", title_justify="left", title_style="bold"
        )
        for heading in ("", "A", "B", "B − A", "95 %", "p, Holm", "verdict"):
            table.add_column(heading, justify="left" if heading in ("", "verdict") else "right", no_wrap=bool(heading))
        for figure in task.figures:
            if figure.a is not None or figure.b is not None:
                table.add_row(figure.label, *_cells(figure), figure.verdict)
        yield table


def _cells(figure: Figure) -> Iterator[str]:
    digits = figure.digits
    for value in (figure.a, figure.b):
        yield "–" if value is None else f"{value:.{digits}f}"
    yield "" if figure.difference is None else f"{figure.difference:+.{digits}f}"
    yield "" if figure.low is None or figure.high is None else f"{figure.low:+.{digits}f} to {figure.high:+.{digits}f}"
    yield "" if figure.p_holm is None else f"{figure.p_holm:.3f}"
