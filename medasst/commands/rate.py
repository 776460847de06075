"""`medasst rate FOLDER…` writes a blind sheet, `medasst rate --read SHEET…` reads it back."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from medasst.commands.common import say, stderr
from medasst.errors import ConfigError

if TYPE_CHECKING:
    from medasst.evaluation.ratings import RatingReport, Share

EPILOG = """\
examples:
  medasst rate runs/real/evaluate --systems base tuned --out runs/rate/sheet.xlsx
  medasst rate --read runs/rate/sheet-li.xlsx runs/rate/sheet-wang.xlsx --key runs/rate/sheet.key.json

Give raters the sheet, never the key: it says whose answer is on which side.
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Put `rate` among the commands."""
    parser = commands.add_parser(
        "rate",
        help="people judge: a blind sheet of two systems' answers, and its ratings read back",
        description="A sheet with the answers of two systems side by side, in random order, five questions a pharmacist can "
        "answer and which is better; filled in, it is read back (docs/evaluation.md).",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "paths", type=Path, nargs="+", metavar="PATH", help="one or two evaluations; with --read, filled-in sheets"
    )
    parser.add_argument("--read", action="store_true", help="read sheets that were filled in")
    parser.add_argument("--systems", nargs=2, metavar=("ONE", "OTHER"), help="whose answers; not needed where there are two")
    parser.add_argument("--task", action="append", default=[], metavar="NAME", help="only of this task; may be repeated")
    parser.add_argument("--limit", type=int, default=60, metavar="N", help="lines at most; 60 unless told")
    parser.add_argument("--seed", type=int, default=7, help="which items, in which order, on which side; 7 unless told")
    parser.add_argument("--key", type=Path, metavar="FILE", help="with --read: the key; by default the one beside the sheet")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="runs/rate/sheet.xlsx unless told, .csv too; with --read runs/rate/ratings.json",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> Path:
    return _read(arguments) if arguments.read else _write(arguments)


def _write(arguments: argparse.Namespace) -> Path:
    from medasst.evaluation.rating_sheet import key_place, write_sheet

    if arguments.limit < 1:
        raise ConfigError("--limit: at least 1 line")
    out = arguments.out or Path("runs/rate/sheet.xlsx")
    systems = (arguments.systems[0], arguments.systems[1]) if arguments.systems else None
    key = write_sheet(arguments.paths, out, systems=systems, tasks=arguments.task, limit=arguments.limit, seed=arguments.seed)
    say(key.summary())
    say(f"the key, which raters may not see: {key_place(out)}")
    return Path(out)


def _read(arguments: argparse.Namespace) -> Path:
    from medasst.evaluation.ratings import read_ratings, write_ratings

    report = read_ratings(arguments.paths, arguments.key)
    out = arguments.out or Path("runs/rate/ratings.json")
    write_ratings(report, out)
    stderr.print(_table(report))
    for sentence in report.sentences():
        say(sentence)
    return Path(out)


def _table(report: RatingReport) -> Table:
    table = Table(box=box.SIMPLE)
    for title in ("yes, in percent", *report.systems, "second − first", "p (Holm)", "verdict", "ratings", "alpha"):
        table.add_column(title, justify="left" if title in ("yes, in percent", "verdict") else "right")
    for one in report.questions:
        p, alpha = ("–" if value is None else f"{value:.{digits}f}" for value, digits in ((one.p_holm, 3), (one.alpha, 2)))
        change = "–"
        if one.difference is not None and one.low is not None and one.high is not None:
            change = f"{one.difference:+.0f} [{one.low:+.0f}, {one.high:+.0f}]"
        table.add_row(one.name, _share(one.first), _share(one.second), change, p, one.verdict, str(one.first.n), alpha)
    return table


def _share(share: Share) -> str:
    if share.value is None:
        return "–"
    return f"{share.value:.0f} [{share.low:.0f}, {share.high:.0f}]"
