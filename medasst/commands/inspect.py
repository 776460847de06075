"""`medasst inspect`: a prepared set as a model would see it, in the terminal and as a page."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from medasst.commands.common import add_command, bar, out_folder
from medasst.config import load, load_defaults
from medasst.errors import ConfigError
from medasst.text import visible

if TYPE_CHECKING:
    from medasst.train import TrainConfig
    from medasst.train.inspection import Inspection, Lengths, Piece, Shown

_WIDE = 128  # columns where stdout is a file
_PIECES = 400  # tokens of a conversation that the terminal shows; the page has all
_CLIPPED = 200  # characters of a turn that is not learnt
_BAR = 40  # columns


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare it."""
    about = "what a model would learn of a prepared set: lengths, what is dropped, conversations in tokens"
    parser = add_command(commands, "inspect", run, about)
    parser.description = (
        "A prepared set as a model sees it: conversations by prompt, ⟦learnt⟧ and control tokens, lengths against the cutoff, "
        "what would be dropped and why, padding, and what looks wrong. CONFIG.toml is that of medasst train, or a prepared "
        "set's folder with --base. No weights are read."
    )
    parser.add_argument("--base", metavar="BASE", help="the base; needed where CONFIG.toml is a prepared set")
    parser.add_argument("--split", choices=("train", "validation"), default="train", help="train unless told")
    parser.add_argument("--id", action="append", default=[], metavar="ID", help="show this conversation alone; may be repeated")
    parser.add_argument("--ids", action="store_true", help="show token ids")
    parser.add_argument("--samples", type=int, default=4, metavar="N", help="conversations drawn by the seed; 4 unless told")
    parser.add_argument("--limit", type=int, metavar="N", help="look at N conversations alone, for a first impression")
    parser.add_argument("--no-texts", action="store_true", help="show no text of the set, figures and ids alone")


def run(arguments: argparse.Namespace) -> Path | None:
    """Show it; returns the page, or nothing where single conversations were asked for."""
    from medasst.train.inspection import find_shown, inspect, write_page

    config = _config(arguments)
    for name, least in (("samples", 0), ("limit", 1)):
        if (given := getattr(arguments, name)) is not None and given < least:
            raise ConfigError(f"--{name} {given}: give {least} or more")
    console = Console(width=None if sys.stdout.isatty() else _WIDE, highlight=False)
    if arguments.id:
        with bar() as progress:
            asked = find_shown(config, arguments.id, progress)
        for one in asked:
            _print_conversation(console, one, ids=arguments.ids, most=None)
        return None
    with bar() as progress:
        found = inspect(
            config,
            arguments.split,
            limit=arguments.limit,
            samples=arguments.samples,
            texts=not arguments.no_texts,
            progress=progress,
        )
    for one in found.shown:
        _print_conversation(console, one, ids=arguments.ids, most=_PIECES)
    _print_figures(console, found)
    page = out_folder(arguments, "inspect") / "inspect.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    write_page(found, page)
    return page


def _config(arguments: argparse.Namespace) -> TrainConfig:
    from medasst.train import TrainConfig

    based = [f"base={arguments.base}"] if arguments.base else []
    if not arguments.config.is_dir():
        return load(TrainConfig, arguments.config, [*based, *arguments.set])
    if not based:
        raise ConfigError(f"{arguments.config}: a folder; name the base that would learn it with --base, e.g. --base embedded")
    return load_defaults(TrainConfig, [f"data={arguments.config.resolve()}", *based, *arguments.set])


def _print_conversation(console: Console, one: Shown, *, ids: bool, most: int | None) -> None:
    counted = f" · {one.tokens:,} tokens, {one.learnt:,} learnt" if one.sequences else ""
    source = f" · {one.source}" if one.source else ""
    console.rule(f"[bold]{escape(one.why)}[/] {one.id}{escape(source)}{counted}", align="left", style="dim")
    if one.dropped:
        console.print(Text(f"dropped because: {visible(one.dropped)}", style="bold yellow"))
        for message in one.messages:
            clipped = visible(message.content[:_CLIPPED]) + ("…" if len(message.content) > _CLIPPED else "")
            console.print(Text.assemble((f"{message.role}  ", "bold dim"), (clipped, "dim")))
    if one.shortened:
        console.print(Text(f"its oldest turns were left out: whole, it has {one.whole:,} tokens", style="yellow"))
    for sequence in one.sequences:
        shown = sequence[:most]
        console.print(Text.assemble(*_marked(shown, ids=ids)))
        if len(shown) < len(sequence):
            console.print(Text(f"… and {len(sequence) - len(shown):,} more, on the page", style="dim"))


def _marked(pieces: tuple[Piece, ...], *, ids: bool) -> Iterator[tuple[str, str]]:
    """Pieces with their colours; ⟦ ⟧ around what is learnt, so that it shows without colours too."""
    learning = False
    for piece in pieces:
        if piece.learnt != learning:
            yield ("⟦" if piece.learnt else "⟧"), "bold green"
            learning = piece.learnt
        if ids:
            yield visible(piece.text).replace("\n", "↵"), _style(piece)
            yield f"·{'+'.join(map(str, piece.ids))}{chr(10) if piece.text.endswith(chr(10)) else ' '}", "dim"
        else:
            yield visible(piece.text).replace("\n", "↵\n"), _style(piece)
    if learning:
        yield "⟧", "bold green"


def _style(piece: Piece) -> str:
    if piece.special:
        return "bold magenta" if piece.learnt else "magenta"
    return "green" if piece.learnt else ""


def _print_figures(console: Console, found: Inspection) -> None:
    console.rule("[bold]the set[/]", align="left", style="dim")
    part = "" if found.complete else ", not all,"
    console.print(
        Text(
            f"{found.seen:,} conversations{part} of {found.split}, {found.template} template, cutoff {found.cutoff:,}: "
            f"{found.sequences:,} sequences, {found.tokens:,} tokens, {found.learnt / max(found.tokens, 1):.1%} learnt; "
            f"{found.steps:,} steps, {found.padding:.1%} padding"
        )
    )
    if found.lengths.bars:
        _print_lengths(console, found.lengths, found.cutoff)
    if len(found.sources) > 1:
        table = Table("source", box=box.SIMPLE)
        for title in ("conversations", "median tokens", "over the cutoff", "dropped"):
            table.add_column(title, justify="right")
        for source in found.sources:
            figures = (source.conversations, source.median, source.over, source.dropped)
            table.add_row(escape(source.name) or "–", *(f"{figure:,}" for figure in figures))
        console.print(table)
    for reason in found.dropped:
        console.print(Text(visible(str(reason)), style="yellow"))
    for remark in sorted(found.remarks, key=lambda remark: remark.level != "warning"):
        ids = f" (first ids: {', '.join(remark.ids)})" if remark.ids else ""
        style = "bold yellow" if remark.level == "warning" else "dim"
        console.print(Text.assemble((f"{remark.level}: ", style), visible(remark.text), (ids, "dim")))


def _print_lengths(console: Console, lengths: Lengths, cutoff: int) -> None:
    at = ", ".join(f"{percent} % up to {tokens:,}" for percent, tokens in lengths.percentiles if percent < 100)
    over = f"{lengths.over:,} over the cutoff ({lengths.over / lengths.seen:.1%}), {lengths.shortened:,} of them shortened"
    console.print(Text(f"tokens of a conversation: {at}, the longest {lengths.percentiles[-1][1]:,}; {over}"))
    most = max(count for *_, count in lengths.bars)
    names = [f"{low:,}–{high - 1:,}" for low, high, _ in lengths.bars]
    width = max(map(len, names))
    for name, (low, _, count) in zip(names, lengths.bars, strict=True):
        beyond = low > cutoff
        drawn = "█" * max(round(_BAR * count / most), count > 0)
        end = "  over the cutoff" if beyond else ""
        console.print(
            Text.assemble(f"{name:>{width}}  ", (drawn, "yellow" if beyond else "blue"), f" {count:,}", (end, "yellow"))
        )
