"""How much personal data the masking finds, by kind, and how much it touches that is none.

    [MEDASST_DATA=…] python benchmarks/privacy.py [SUITE.jsonl …] [--planted 200] [--show] [--tagger]

Three measures. Of the suites (by default `privacy.jsonl`, written by people who hadn't read the patterns): lines with `kind`,
`text` and, where something must go, `secret` and `form` (plain, or disguised to get past a filter); lines without a secret must
come back unchanged. Of planted data: so many of each kind by the grammar in `corpus.toml`, written apart from the patterns. Of
the real sets under MEDASST_DATA: the share of records that the masking changes at all, secrets or not, and the processor time
for a record; `--show` prints what changed, to be read and not to be kept. `--tagger` adds what jieba's tagger finds of names.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import random
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import corpus
import polars as pl
from jieba import posseg

from medasst.conversation import turns_id
from medasst.data.privacy import mask, masked_series
from medasst.data.recipes import read_conversations
from medasst.data.simplified import simplified_series
from medasst.text import normalise

HERE = Path(__file__).parent
SOURCES = {
    "huatuo26m-test": "huatuo26m",
    "cmtmedqa-test": "cmtmedqa",
    "cmdd": "cmdd",
    "dialmed": "dialmed",
    "bentsao-instruct": "bentsao",
    "cmedqa2-test": "cmedqa2",
    "toyhom-im": "toyhom",
    "medicalgpt-sft-1k": "medicalgpt-sft",
    "liver-cancer-lit": "liver-cancer",
}


class Line(NamedTuple):
    """A line of a suite; `secret` is empty where all of the text must stay."""

    suite: str
    kind: str
    form: str
    text: str
    secret: str

    def kept(self) -> bool:
        """Whether the masking did what it should."""
        text = normalise(self.text)
        masked = mask(text)
        return normalise(self.secret) not in masked if self.secret else masked == text


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", type=Path, nargs="*", default=[HERE / "privacy.jsonl"])
    parser.add_argument("--planted", type=int, default=200)
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--tagger", action="store_true")
    arguments = parser.parse_args()
    lines = [line for path in arguments.suites for line in read(path)]
    for suite in dict.fromkeys(line.suite for line in lines):
        print_recall(f"suite {suite}", [line for line in lines if line.suite == suite])
    print_recall("planted", planted(arguments.planted))
    root = os.environ.get("MEDASST_DATA")
    frame = real(Path(root)) if root else None
    if frame is not None:
        print_real(frame, arguments.show)
    if arguments.tagger:
        print_tagger([line for line in lines if line.kind.startswith("name") and line.secret], frame)


def read(path: Path) -> Iterator[Line]:
    """The lines of a suite."""
    for raw in path.read_text("utf-8").splitlines():
        row = json.loads(raw)
        yield Line(row.get("suite", path.stem), row["kind"], row.get("form", ""), row["text"], row.get("secret") or "")


def planted(count: int, seed: int = 7) -> Iterator[Line]:
    """So many secrets of each kind, six in ten plain."""
    r = random.Random(seed)
    for kind in corpus.secret_kinds():
        for _ in range(count):
            secret = corpus.secret(r, kind)
            yield Line("planted", kind, "plain" if secret.form == "plain" else "disguised", f"{secret.told}。", secret.value)


def print_recall(title: str, lines: Iterable[Line]) -> None:
    """A table by kind: plain, disguised, both; below it what must stay."""
    right: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for line in lines:
        columns = (line.form or "plain", "all") if line.secret else ("stays",)
        for column in columns:
            for kind in (line.kind, "**all**"):
                right[kind, column].append(line.kept())
    kinds = sorted({kind for kind, column in right if column == "all"}, key=lambda kind: (kind == "**all**", kind))
    print(f"\n{title}\n\n| kind | plain | disguised | both | |\n|---|---|---|---|---|")
    for kind in kinds:
        cells = [_of(right[kind, column]) for column in ("plain", "disguised", "all")]
        whole = right[kind, "all"]
        print(f"| {kind} | {' | '.join(cells)} | {sum(whole) / len(whole):.0%} |")
    if right["**all**", "stays"]:
        print(f"\nOf what must stay, unchanged: {_of(right['**all**', 'stays'])}")


def _of(right: list[bool]) -> str:
    return f"{sum(right)} of {len(right)}" if right else ""


def real(root: Path) -> pl.DataFrame:
    """The texts of the real sets, a row each: `id` of the record and `text`, simplified as `prepare` does."""
    rows = [row for folder, recipe in SOURCES.items() for row in _texts(root / folder, recipe)]
    frame = pl.DataFrame(rows, schema={"id": pl.String, "text": pl.String}, orient="row")
    return frame.with_columns(simplified_series(frame["text"]))


def print_real(frame: pl.DataFrame, show: bool) -> None:
    """How many real records are changed, and what it costs."""
    masked_series(frame["text"].head(1000), simplified=True)
    begun = time.process_time()
    masked = masked_series(frame["text"], simplified=True)
    spent = time.process_time() - begun
    touched = frame.filter(frame["text"] != masked)["id"].n_unique()
    count = frame["id"].n_unique()
    share, each = touched / count, spent / count * 1e6
    print(f"\nReal records: {count:,}, changed {touched} ({share:.3%}), {each:.1f} µs of processor time each")
    for before, after in zip(frame["text"], masked, strict=True):
        if show and before != after:
            print(" ", "; ".join(_changes(before, after)))


def print_tagger(names: list[Line], frame: pl.DataFrame | None) -> None:
    """How many names jieba's tagger finds, in how many real texts it sees one, and what it costs."""
    posseg.initialize()
    found = sum(any(line.secret in word for word in _tagged(line.text)) for line in names)
    print(f"\njieba.posseg finds {found} of {len(names)} names; the rules {sum(line.kept() for line in names)}")
    if frame is not None:
        texts = frame["text"].gather_every(120).to_list()
        begun = time.process_time()
        seen = sum(any(_tagged(text)) for text in texts)
        each = (time.process_time() - begun) / len(texts)
        print(f"It sees names in {seen / len(texts):.0%} of {len(texts):,} real texts; {each * 1e3:.1f} ms a text")


def _tagged(text: str) -> list[str]:
    return [pair.word for pair in posseg.cut(text) if pair.flag.startswith("nr") and len(pair.word) > 1]


def _texts(folder: Path, recipe: str) -> Iterator[tuple[str, str]]:
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        for conversation in read_conversations(str(path), recipe):
            turns = [(message.role, message.content) for message in conversation.messages]
            yield from ((turns_id(turns), normalise(text)) for _, text in turns)


def _changes(before: str, after: str) -> Iterator[str]:
    for kind, start, end, first, last in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind != "equal":
            yield f"{before[max(0, start - 8) : start]}«{before[start:end]}» → {after[first:last]}"


if __name__ == "__main__":
    main()
