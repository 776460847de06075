"""What a model makes of the assistant's replies: vignettes played without it, worded, read and answered by it, and by it alone.

    python benchmarks/speech.py benchmarks/suites/replies-2.jsonl --limit 25 --base embedded [--adapter DIR] --out runs/speech

Each way's transcripts lie in `<out>/<way>.jsonl`, a vignette a line, and are kept: an interrupted run goes on, and one under
other settings is refused. Printed is one line of Markdown a way: what `medasst evaluate` counts, how many replies hold
anything of the model's, how long a shopper waits for the first and for the last word. `answers` runs here without a licence.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from medasst.assistant import Assistant
from medasst.assistant.events import AI_LABEL, End, Event, Finding, plain_text
from medasst.conversation import Conversation, Message
from medasst.disk import PACKAGE, file_sha256, write_text
from medasst.evaluation.dialogue import DialogueItem, DialogueRecord, DialogueScores, DialogueTask, Judging
from medasst.evaluation.systems import model_fingerprint
from medasst.evaluation.task import Common
from medasst.models import ChatModel, Decoding, SystemConfig, open_model

WAYS = ("none", "wording", "reading", "answers", "bare")
BARE = Decoding(max_new_tokens=160)
BARE_BRIEF = "你是网上药店的药师助手，用中文简短回答顾客。"


@dataclass(frozen=True)
class Turn:
    """One reply: its text, seconds until its first and its last word, and whether it holds anything of the model's."""

    reply: str
    first: float
    last: float
    changed: bool
    tokens: int


class Player:
    """Plays vignettes in one way."""

    def __init__(self, way: str, model: ChatModel | None, assistant: Assistant) -> None:
        self.way, self._model, self._plain = way, model, assistant
        speech = {"wording": "wording", "answers": "answers"}.get(way, "none")
        self._assistant = Assistant.from_samples(model, speech=speech, reads=way == "reading")  # type: ignore[arg-type]

    def play(self, item: DialogueItem) -> list[Turn]:
        """Every turn, our own replies between."""
        messages: list[Message] = []
        turns: list[Turn] = []
        for said in item.vignette.turns:
            messages.append(Message("user", said))
            turn = asyncio.run(self._bare(messages) if self.way == "bare" else self._guarded(messages))
            messages.append(Message("assistant", turn.reply or "（没有回答）"))
            turns.append(turn)
        return turns

    async def _guarded(self, messages: Sequence[Message]) -> Turn:
        talk = Conversation.of(messages)
        began, first = time.perf_counter(), 0.0
        events: list[Event] = []
        async for event in self._assistant.reply(talk):
            first = first or time.perf_counter() - began
            events.append(event)
        last = time.perf_counter() - began
        plainly = [event async for event in self._plain.reply(talk)]
        tokens = next((event.usage.get("completion_tokens", 0) for event in events if isinstance(event, End)), 0)
        return Turn(plain_text(events), first, last, _told(events) != _told(plainly), tokens)

    async def _bare(self, messages: Sequence[Message]) -> Turn:
        assert self._model is not None
        talk = Conversation.of([Message("system", BARE_BRIEF), *messages]).newest(1500)
        began, first, tokens = time.perf_counter(), 0.0, 0
        pieces: list[str] = []
        async for delta in self._model.stream(talk, BARE):
            first = first or time.perf_counter() - began
            pieces.append(delta.text)
            tokens += delta.completion_tokens
        return Turn("".join(pieces), first, time.perf_counter() - began, True, tokens)


def _told(events: Sequence[Event]) -> list[str]:
    return [event.as_text() for event in events if not (isinstance(event, Finding) and event.rule in (AI_LABEL, "model_busy"))]


def played(way: str, items: Sequence[DialogueItem], out: Path, player: Player, until: float) -> dict[str, list[Turn]]:
    """The transcripts of a way, as far as the time goes; what was played before is read."""
    file = out / f"{way}.jsonl"
    lines = file.read_text("utf-8").split("\n")[:-1] if file.exists() else []
    known = {row["id"]: [Turn(**turn) for turn in row["turns"]] for row in map(json.loads, lines)}
    for item in items:
        if item.id in known:
            continue
        if time.monotonic() > until:
            break
        known[item.id] = player.play(item)
        row = {"id": item.id, "said": item.vignette.turns, "turns": [asdict(turn) for turn in known[item.id]]}
        with file.open("a", encoding="utf-8") as sink:
            sink.write(json.dumps(row, ensure_ascii=False) + "\n")
        print(f"{way}: {len(known)} of {len(items)}", file=sys.stderr)
    return {item.id: known[item.id] for item in items if item.id in known}


def figures(way: str, items: Sequence[DialogueItem], turns: dict[str, list[Turn]]) -> str:
    """A row of the table."""
    done = [item for item in items if item.id in turns]
    records = [
        DialogueRecord(
            id=item.id,
            source=item.source,
            prompt=item.prompt,
            label=item.label,
            predict="",
            finish_reason="stop",
            replies=tuple(turn.reply for turn in turns[item.id]),
        )
        for item in done
    ]
    scores = list(Judging().scores(done, records))
    replies = [turn for item in done for turn in turns[item.id]]
    waits = [turn.last for turn in replies]
    cells = [
        way,
        str(len(done)),
        str(len(replies)),
        *(_share(scores, name) for name in ("passed", "missed", "needless", "leaked", "offered", "asked_again", "repeated")),
        "–" if way == "none" else f"{sum(turn.changed for turn in replies)}",
        f"{statistics.mean(len(turn.reply) for turn in replies):.0f}",
        *(f"{value:.2f}" for value in (statistics.median(t.first for t in replies), statistics.median(waits), _p95(waits))),
    ]
    return f"| {' | '.join(cells)} |"


def _share(scores: Sequence[DialogueScores], name: str) -> str:
    known = [value for one in scores if (value := getattr(one, name)) is not None]
    return f"{sum(known) / 100:.0f}/{len(known)}" if known else "–"


def _p95(values: Sequence[float]) -> float:
    return sorted(values)[min(len(values) - 1, int(0.95 * len(values)))]


def _settings(given: argparse.Namespace, model: SystemConfig) -> str:
    tables = sorted(file for file in PACKAGE.glob("rulebook/*.toml") if file.is_file())
    told: dict[str, Any] = {
        "suite": file_sha256(given.suite),
        "model": model_fingerprint(model),
        "tables": [file_sha256(file) for file in tables],
    }
    return json.dumps(told, sort_keys=True) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", type=Path, help="vignettes")
    parser.add_argument("--limit", type=int, default=25, help="vignettes, drawn by a seed; 25 unless told")
    parser.add_argument("--base", default="embedded")
    parser.add_argument("--adapter", type=Path)
    parser.add_argument("--engine", default="llama.cpp")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=["none", "wording", "reading", "bare"])
    parser.add_argument("--minutes", type=float, default=10.0, help="after which no vignette is begun; run it again to go on")
    parser.add_argument("--out", type=Path, default=Path("runs/speech"))
    given = parser.parse_args(arguments)
    model = SystemConfig(engine=given.engine, base=given.base, adapter=given.adapter, parallel=1)
    given.out.mkdir(parents=True, exist_ok=True)
    header, settings = given.out / "settings.json", _settings(given, model)
    if header.exists() and header.read_text("utf-8") != settings:
        parser.error(f"{given.out} holds a run of another suite, model or other tables; give another --out")
    write_text(header, settings)
    task = DialogueTask(name="speech", kind="dialogue", path=str(given.suite), limit=given.limit)
    items = task.task(Common(BARE, None, 7, None)).items
    for row in _rows(given, model, items):
        print(row, flush=True)
    return 0


def _rows(given: argparse.Namespace, model: SystemConfig, items: Sequence[DialogueItem]) -> Iterator[str]:
    until = time.monotonic() + 60 * given.minutes
    opened = open_model(model) if set(given.ways) != {"none"} else None
    assistant = Assistant.from_samples()
    yield f"{given.suite.name}, {model.base}{' tuned' if model.adapter else ''}, {os.cpu_count()} cores"
    heads = "way|n|replies|passed|missed|needless|leaked|offered|asked again|repeated|changed|characters|first s|p50 s|p95 s"
    yield f"| {heads.replace('|', ' | ')} |"
    yield f"|{'---|' * (heads.count('|') + 1)}"
    for way in given.ways:
        player = Player(way, opened, assistant)
        turns = played(way, items, given.out, player, until)
        if turns:
            yield figures(way, items, turns)
    if close := getattr(opened, "close", None):
        close()


if __name__ == "__main__":
    sys.exit(main())
