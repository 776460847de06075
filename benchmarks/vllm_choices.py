"""Options scored through a vLLM server and by transformers in this process: the same log-probabilities, or it fails.

    vllm serve BASE --enable-lora --lora-modules tuned=ADAPTER --dtype float32 …
    python benchmarks/vllm_choices.py URL NAME BASE [--adapter ADAPTER]

URL ends in /v1; NAME is the model's name there: `tuned` with the adapter, else BASE. Questions of random words with options of
several lengths, as bare texts and as conversations by turns.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from medasst.conversation import Conversation
from medasst.models import ChoiceModel, ChoiceQuery, SystemConfig, open_model
from medasst.models.endpoint import EndpointModel

QUESTIONS = 40
TOLERANCE = 1e-4  # nats, of an option's mean
_WORDS = ("维生素C", "缺乏", "会引起", "坏血病", "夜盲", "孩子", "38.5℃", "一天三次", "饭后", "HbA1c", "怎么办", "，", "。")


def main() -> None:
    """Score both ways, print, fail where they differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("name")
    parser.add_argument("base", type=Path)
    parser.add_argument("--adapter", type=Path)
    given = parser.parse_args()
    if (worst := compare(given.url, given.name, given.base, given.adapter)) > TOLERANCE:
        sys.exit(f"log-probabilities differ by up to {worst:.2g}; at most {TOLERANCE:g} is allowed")


def compare(url: str, name: str, base: Path, adapter: Path | None) -> float:
    """The largest difference of an option's mean log-probability. Exits where tokens or a choice differ."""
    here = open_model(SystemConfig(engine="transformers", base=str(base), adapter=adapter))
    assert isinstance(here, ChoiceModel)
    there = EndpointModel(url, name)
    queries = list(questions())
    right = {score.id: score for score in here.score(queries)}
    began = time.perf_counter()
    found = {score.id: score for score in there.score(queries)}
    took, worst = time.perf_counter() - began, 0.0
    for query in queries:
        ours, theirs = right[query.id], found[query.id]
        if theirs.error or ours.token_counts != theirs.token_counts:
            sys.exit(f"{query}: vLLM {theirs}, transformers {ours}")
        means = [[x / n for x, n in zip(s.logprobs, s.token_counts, strict=True)] for s in (ours, theirs)]
        worst = max(worst, *(abs(a - b) for a, b in zip(*means, strict=True)))
        if means[0].index(max(means[0])) != means[1].index(max(means[1])):
            sys.exit(f"{query}: another choice, {means}")
    told = f"{len(queries)} questions in {took:.1f} s, the same tokens and choices, means within {worst:.2g}"
    print(f"{name}: {told}")
    return worst


def questions() -> Iterator[ChoiceQuery]:
    """Random words, asked as a text and as a conversation by turns."""
    rng = random.Random(3)
    for n in range(QUESTIONS):
        text = "".join(rng.choices(_WORDS, k=rng.randint(3, 30))).strip() + "？"
        options = tuple("".join(rng.choices(_WORDS[:11], k=rng.randint(1, 6))).strip() for _ in range(4))
        prefix = f"题目：{text}\n答案：" if n % 2 else Conversation.of([("user", text)])
        yield ChoiceQuery(str(n), prefix, options)


if __name__ == "__main__":
    main()
