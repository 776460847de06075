"""How well messages are read, and how fast: labelled sentences against the lexicon of the rulebook.

    python benchmarks/sentences.py benchmarks/suites/sentences.jsonl [--show]

A mention is found if one of the same kind overlaps it (the inexact match of the 2010 i2b2 challenge), each counting once.
Assertion and person are judged on the mentions that were found; F1 of assertion is the micro average, which there equals
accuracy, and beside it the mean over assertions. `--show` lists what comes out otherwise: not for the sealed part.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medasst.dialogue import of_turns
from medasst.lexicon import Lexicon, Mention
from medasst.rulebook import Rulebook
from medasst.safety import Triage


@dataclass
class Tally:
    """Counts over the sentences read so far."""

    found: int = 0
    missed: int = 0
    extra: int = 0
    exact: int = 0
    person: int = 0
    told: Counter[tuple[str, str]] = field(default_factory=Counter)

    def assertion_f1(self, name: str) -> float:
        """Of one assertion, over the mentions that were found."""
        right = self.told[name, name]
        wrong = sum(n for (label, said), n in self.told.items() if (label == name) != (said == name))
        return 2 * right / (2 * right + wrong) if right else 0.0


def labels(row: Mapping[str, Any]) -> Iterator[tuple[int, int, Mapping[str, Any]]]:
    """The labelled mentions of a sentence with their places."""
    for mention in row["mentions"]:
        start = -1
        for _ in range(mention.get("nth", 1)):
            start = row["text"].index(mention["text"], start + 1)
        yield start, start + len(mention["text"]), mention


def compare(row: Mapping[str, Any], read: Sequence[Mention], tally: Tally) -> list[str]:
    """Count one sentence; what came out otherwise, in words."""
    left = list(read)
    otherwise: list[str] = []
    for start, end, label in labels(row):
        near = [m for m in left if m.kind == label["kind"] and min(end, m.end) > max(start, m.start)]
        if not near:
            tally.missed += 1
            otherwise.append(f"missed {label['text']}")
            continue
        mention = max(near, key=lambda m: min(end, m.end) - max(start, m.start))
        left.remove(mention)
        tally.found += 1
        tally.exact += (mention.start, mention.end) == (start, end)
        tally.person += mention.person == label["person"]
        tally.told[label["assertion"], mention.assertion] += 1
        for what in ("assertion", "person"):
            if getattr(mention, what) != label[what]:
                otherwise.append(f"{label['text']}: {label[what]}, read as {getattr(mention, what)}")
    tally.extra += len(left)
    return otherwise + [f"extra {m.words} ({m.concept})" for m in left]


def main() -> None:
    """Read, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", type=Path)
    parser.add_argument("--show", action="store_true", help="list the sentences that come out otherwise")
    arguments = parser.parse_args()
    rows = [json.loads(line) for line in arguments.suite.read_text("utf-8").splitlines()]
    began = time.perf_counter()
    book = Rulebook.load()
    lexicon = Lexicon(book)
    triage = Triage(book, lexicon)
    loaded = time.perf_counter() - began
    tally, reading, whole = Tally(), [], []
    for row in rows:
        began = time.perf_counter()
        read = lexicon.read(row["text"])
        reading.append(1000 * (time.perf_counter() - began))
        otherwise = compare(row, read.mentions, tally)
        began = time.perf_counter()
        triage.alarms(of_turns([row["text"]], lexicon))
        whole.append(1000 * (time.perf_counter() - began))
        if arguments.show and otherwise:
            print(row["id"], row["text"], "|", "; ".join(otherwise))
    precision, recall = tally.found / (tally.found + tally.extra), tally.found / (tally.found + tally.missed)
    right = sum(n for (label, said), n in tally.told.items() if label == said)
    names = sorted({label for label, _ in tally.told})
    print(f"{len(rows)} sentences, {tally.found + tally.missed} mentions, {tally.exact / tally.found:.3f} of the spans exact")
    print(f"mentions: precision {precision:.3f}, recall {recall:.3f}, F1 {2 * precision * recall / (precision + recall):.3f}")
    mean = statistics.mean(map(tally.assertion_f1, names))
    print(f"assertion: F1 {right / tally.found:.3f} (micro), {mean:.3f} (mean); person: {tally.person / tally.found:.3f} right")
    print("by assertion: " + ", ".join(f"{name} {tally.assertion_f1(name):.3f}" for name in names))
    print(f"rulebook and rules loaded in {loaded:.2f} s")
    for what, times in (("reading", reading), ("reading, state and triage", whole)):
        print(f"{what}: median {statistics.median(times):.2f} ms, slowest {max(times):.1f} ms")


if __name__ == "__main__":
    main()
