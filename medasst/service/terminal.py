"""A chat in the terminal: sentences as they come, red flags as a banner, products as panels."""

from __future__ import annotations

import asyncio
import contextlib
import tomllib
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from rich.console import Console
from rich.panel import Panel
from rich.text import Text as Line

from medasst.assistant.events import Ask, Card, Citation, Event, Finding, HandOff, Text
from medasst.conversation import Conversation, Message
from medasst.disk import package_file
from medasst.errors import MedasstError
from medasst.models import ChatModel, Decoding

SAY: dict[str, str] = tomllib.loads(package_file("service/terminal.toml").read_text("utf-8"))
BARE_DECODING = Decoding(max_new_tokens=512)


class Replier(Protocol):
    """The guarded assistant."""

    def reply(self, conversation: Conversation) -> AsyncIterator[Event]: ...


def chat(speaker: Replier | ChatModel, console: Console | None = None, read: Callable[[], str] | None = None) -> None:
    """Talk until /quit, end of input, or Ctrl-C at the prompt; Ctrl-C in a reply stops that reply.

    Args:
        speaker: the assistant, or a bare model, which is announced as such.
        console: where to write; the terminal by default.
        read: gives the next question and raises EOFError at the end; by default it asks in the terminal.
    """
    console = console or Console(highlight=False)
    read = read or _ask
    bare = isinstance(speaker, ChatModel)
    console.print(Panel(Line(SAY["bare"]), border_style="yellow") if bare else Line(SAY["greeting"]))
    turns: list[Message] = []
    while True:
        try:
            question = read().strip()
        except (EOFError, KeyboardInterrupt):
            break
        if question in ("/quit", "/exit", "/q"):
            break
        if not question:
            continue
        answer = _turn(speaker, Conversation.of([*turns, Message("user", question)]), console)
        if answer:
            turns += [Message("user", question), Message("assistant", answer)]
    console.print(Line(f"\n{SAY['goodbye']}"))


def _ask() -> str:
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 - with it input() edits lines of wide characters correctly
    return input(f"\n{SAY['prompt']}")


def _turn(speaker: Replier | ChatModel, conversation: Conversation, console: Console) -> str:
    """Show one reply; returns its text as far as it came."""
    said: list[str] = []
    show = _bare if isinstance(speaker, ChatModel) else _guarded
    try:
        asyncio.run(show(speaker, conversation, console, said))  # type: ignore[arg-type]
    except KeyboardInterrupt:
        console.print(Line(f"\n{SAY['stopped']}", style="dim"))
    except MedasstError as error:
        console.print(Line("\n" + SAY["failed"].format(error=error), style="red"))
    return "".join(said).strip()


async def _bare(model: ChatModel, conversation: Conversation, console: Console, said: list[str]) -> None:
    async for delta in model.stream(conversation, BARE_DECODING):
        said.append(delta.text)
        console.print(Line(delta.text), end="", soft_wrap=True)
    console.print()


async def _guarded(assistant: Replier, conversation: Conversation, console: Console, said: list[str]) -> None:
    mid_line = False
    async for event in assistant.reply(conversation):
        said.append(event.as_text())
        if isinstance(event, Text):
            console.print(Line(event.sentence), end="", soft_wrap=True)
            mid_line = not event.sentence.endswith("\n")
            continue
        if mid_line:
            console.print()
            mid_line = False
        if (shown := _block(event)) is not None:
            console.print(shown)


def _block(event: Event) -> Panel | Line | None:  # noqa: PLR0911 - one line per event
    """How an event that is no sentence looks."""
    match event:
        case Finding(severity="emergency" | "urgent"):
            title = SAY[event.severity]
            return Panel(Line(event.message, style="bold"), title=title, style="white on red", border_style="bold white")
        case Finding(severity="warning"):
            return Line(f"⚠ {event.message}", style="yellow")
        case Finding():
            return Line(event.message, style="dim")
        case Card():
            return _card(event)
        case Citation():
            return Line(SAY["source"].format(source=f"{event.document} {event.section}".strip()), style="dim")
        case Ask():
            options = SAY["options"].format(options=" / ".join(event.options)) if event.options else ""
            return Line.assemble((event.question, "bold"), *([("\n" + options, "dim")] if options else []))
        case HandOff():
            return Panel(Line(event.message), border_style="cyan")
    return None


def _card(card: Card) -> Panel:
    lines = [f"{card.form} {card.strength} {card.pack}".strip(), *filter(None, (card.reason, card.how, card.caution))]
    if card.citation:
        lines.append(SAY["basis"].format(citation=card.citation))
    title = Line(f"{card.name} · {SAY.get(card.status, card.status)} · ¥{card.price:.2f}", style="bold")
    return Panel(Line("\n".join(lines)), title=title, title_align="left", border_style="green")
