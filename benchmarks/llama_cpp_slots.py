"""What more answers at a time bring on this machine: greedy answers to our own sample questions, numbers of slots in turn.

    python benchmarks/llama_cpp_slots.py [--slots 1 4 8 32] [--at-once 4] [--questions 32] [--rounds 3]

Prints tokens a second with the spread, the ratio to the first number of slots.
With `--at-once` so many are asked at a time whatever the slots: what slots cost that nobody uses.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import medasst
from medasst.conversation import Conversation
from medasst.data import read_conversations
from medasst.models import Decoding, SystemConfig
from medasst.models.llama_cpp import open_model


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", default="embedded")
    parser.add_argument("--slots", type=int, nargs="+", default=[1, 4, 8, 32])
    parser.add_argument("--at-once", type=int)
    parser.add_argument("--questions", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    samples = Path(medasst.__file__).parent / "samples" / "qa.jsonl"
    asked = [talk for talk, _ in zip(read_conversations(str(samples)), range(arguments.questions), strict=False)]
    questions = [Conversation(f"{n}", talk.messages[:1]) for n, talk in enumerate(asked)]
    decoding = Decoding(max_new_tokens=arguments.tokens)
    rates: dict[int, list[float]] = {slots: [] for slots in arguments.slots}
    for _ in range(arguments.rounds):
        for slots, measured in rates.items():
            model = open_model(SystemConfig(engine="llama.cpp", base=arguments.base, parallel=slots))
            model.parallel = arguments.at_once or slots
            try:
                started = time.perf_counter()
                tokens = sum(completion.completion_tokens for completion in model.generate(questions, decoding))
                measured.append(tokens / (time.perf_counter() - started))
            finally:
                model.close()
    one = statistics.median(rates[arguments.slots[0]])
    for slots, measured in rates.items():
        median = statistics.median(measured)
        print(f"{slots:3} slots {median:7.1f} tokens/s ({min(measured):.1f}-{max(measured):.1f})  ratio {median / one:.2f}")


if __name__ == "__main__":
    main()
