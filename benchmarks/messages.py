"""Which level single messages get, against the level that their writers gave them.

    python benchmarks/messages.py [benchmarks/suites/messages.jsonl] [--show]

For trials of triage on fresh messages: a table of levels, wanted against told. `--show` lists those that come out otherwise.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

from medasst.dialogue import of_turns
from medasst.lexicon import Lexicon
from medasst.rulebook import URGENCY, Rulebook
from medasst.safety import Triage

SUITE = Path(__file__).parent / "suites" / "messages.jsonl"


def main() -> None:
    """Judge each message, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", type=Path, nargs="?", default=SUITE)
    parser.add_argument("--show", action="store_true", help="list the messages that come out otherwise")
    arguments = parser.parse_args()
    book = Rulebook.load()
    lexicon = Lexicon(book)
    triage = Triage(book, lexicon)
    counts: Counter[tuple[str, str]] = Counter()
    for row in map(json.loads, arguments.suite.read_text("utf-8").splitlines()):
        alarms = triage.alarms(of_turns([row["text"]], lexicon))
        told = max((alarm.level for alarm in alarms), key=URGENCY.index, default="self")
        counts[row["level"], told] += 1
        if arguments.show and told != row["level"]:
            print(f"{row['level']}, told {told}: {row['text']}")
    print("wanted".ljust(10), *(level.rjust(10) for level in URGENCY))
    for wanted in URGENCY:
        print(wanted.ljust(10), *(str(counts[wanted, told]).rjust(10) for told in URGENCY))


if __name__ == "__main__":
    main()
