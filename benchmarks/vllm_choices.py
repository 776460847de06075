"""Options scored through `vllm serve` and by transformers in this process: the same log-probabilities, or it fails.

    python benchmarks/vllm_choices.py

The environment, the tiny random Qwen2 and its adapter are those of vllm_parity.py. Questions with options of several lengths,
as bare texts and as conversations, are scored by the endpoint engine (`prompt_logprobs`) and by the transformers engine.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from medasst.export import export
from vllm_parity import TOLERANCE, environment, make_adapter, make_base, served

from medasst.conversation import Conversation
from medasst.models import ChoiceModel, ChoiceQuery, SystemConfig, open_model
from medasst.models.endpoint import EndpointModel

QUESTIONS = 40
_WORDS = (
    "维生素C",
    "缺乏",
    "会引起",
    "坏血病",
    "夜盲",
    "孩子",
    "38.5℃",
    "一天三次",
    "饭后",
    "HbA1c",
    "怎么办",
    "，",
    "。",
    "？",
    "\n",
    " ",
)


def main() -> None:
    """Set up, serve, score both ways, print."""
    python = environment()
    with tempfile.TemporaryDirectory() as place:
        base, run = make_base(Path(place) / "base"), Path(place) / "run"
        make_adapter(base, run)
        exported = export(run, "vllm", Path(place) / "exported")
        with served(python, exported.command, Path(place) / "vllm.log", 300) as client:
            url = f"{client.base_url}/v1".replace("//v1", "/v1")
            worst = max(compare(url, base, None), compare(url, base, run / "adapter"))
    if worst > TOLERANCE:
        sys.exit(f"log-probabilities differ by up to {worst:.2g}; at most {TOLERANCE:g} is allowed")


def compare(url: str, base: Path, adapter: Path | None) -> float:
    """The largest difference of an option's mean log-probability. Exits where tokens or a choice differ."""
    here = open_model(SystemConfig(engine="transformers", base=str(base), adapter=adapter))
    assert isinstance(here, ChoiceModel)
    there = EndpointModel(url, "tuned" if adapter else str(base))
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
    what = "adapter" if adapter else "base alone"
    told = f"{len(queries)} questions in {took:.1f} s, the same tokens and choices, means within {worst:.2g}"
    print(f"{what}: {told}", flush=True)
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
