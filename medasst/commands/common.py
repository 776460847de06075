"""What commands share: how they are declared, where results go, how work tells of itself on stderr."""

from __future__ import annotations

import argparse
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from medasst.progress import Progress as ProgressCall

LOG_EVERY = 30.0  # seconds between lines where stderr is a file
stderr = Console(stderr=True, highlight=False)


def add_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], Path | None],
    summary: str,
    *,
    config: str | None = "",
    out: bool = True,
) -> argparse.ArgumentParser:
    """Add a command. `config`: "" for a required job file, "?" for an optional one, None for none."""
    parser = commands.add_parser(name, help=summary, description=textwrap.fill(summary[0].upper() + summary[1:] + "."))
    if config is not None:
        optional = {"nargs": "?"} if config == "?" else {}
        parser.add_argument("config", type=Path, metavar="CONFIG.toml", help="the job's settings; see configs/", **optional)  # type: ignore[arg-type]
        parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a setting, e.g. lora.r=8")
    if out:
        parser.add_argument("--out", type=Path, metavar="DIR", help="where the result goes")
    parser.set_defaults(run=run)
    return parser


def out_folder(arguments: argparse.Namespace, job: str) -> Path:
    """`--out`, or `runs/<name of the config's folder>/<job>`; a second job file beside the first (prepare-all.toml) gets a
    folder of its own (data-all)."""
    command, _, variant = arguments.config.stem.partition("-")
    own = f"{job}-{variant}" if variant and command == arguments.command else job
    return Path(arguments.out or Path("runs") / arguments.config.resolve().parent.name / own)


def say(text: str) -> None:
    """One line on stderr, as it is."""
    stderr.print(text, markup=False, soft_wrap=True)


def lines() -> ProgressCall:
    """A line on stderr when a stage begins, and again now and then while it lasts."""
    said: dict[str, float] = {}

    def show(stage: str, done: float, total: float | None = None, **facts: float) -> None:
        if stage not in said or time.monotonic() - said[stage] > LOG_EVERY:
            said[stage] = time.monotonic()
            say(f"{stage}  {done / total:.0%}  {_facts(facts)}".rstrip() if total else stage)

    return show


def _facts(facts: Mapping[str, float]) -> str:
    return "  ".join(f"{name.replace('_per_', '/').replace('_', ' ')} {value:.4g}" for name, value in facts.items())


@contextmanager
def bar() -> Iterator[ProgressCall]:
    """One bar per stage on stderr: share done, facts such as the loss, time gone and time left; lines where it is a file."""
    if not stderr.is_terminal:
        yield lines()
        return
    columns = [
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[facts]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=False),
    ]
    with Progress(*columns, console=stderr, refresh_per_second=4) as shown:
        stages: dict[str, TaskID] = {}

        def show(stage: str, done: float, total: float | None = None, **facts: float) -> None:
            if stage not in stages:
                for task in stages.values():
                    shown.stop_task(task)
                stages[stage] = shown.add_task(stage, total=total, facts="")
            shown.update(stages[stage], completed=done, total=total, facts=_facts(facts))

        yield show
