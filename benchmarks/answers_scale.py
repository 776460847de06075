"""What answers cost by the hundred thousand: scoring a file, a whole evaluation, and retrieval over very many records.

    python benchmarks/answers_scale.py [--pairs 100000] [--records 1500000] [--questions 256] [--work DIR]

Each in a process of its own, at a tenth of the size and at the size: memory should be nearly the same. The texts are those of
`corpus.py`; the answers to score are other records' answers. The evaluation asks a system that answers at once, stops in the
middle and is run again; its bootstrap draws 1,000 times. Wall and CPU seconds are of the whole process, imports included;
memory is the most that was resident.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import corpus
from tokens_scale import make_set

from medasst.config import parse
from medasst.conversation import Conversation
from medasst.errors import Stopped
from medasst.evaluation import EvaluateConfig, evaluate, score
from medasst.evaluation.retrieval import RetrievalModel
from medasst.models import Completion, Decoding, Delta
from medasst.models.base import Capability

_SEED = 7


class Instant:
    """Answers every question with the same words; after `last` answers as Ctrl-C does."""

    name = "instant"
    capabilities: frozenset[Capability] = frozenset({"stream"})

    def __init__(self, last: int | None = None) -> None:
        self._left = last

    def generate(self, conversations: Sequence[Conversation], decoding: Decoding) -> Iterator[Completion]:  # noqa: ARG002
        for talk in conversations:
            if self._left == 0:
                raise KeyboardInterrupt
            self._left = self._left - 1 if self._left is not None else None
            yield Completion(
                talk.id, f"您好，{talk.messages[-1].content[:40]}这种情况建议多休息，多喝水，必要时去医院检查。", "stop"
            )

    async def stream(self, conversation: Conversation, decoding: Decoding) -> AsyncIterator[Delta]:
        for completion in self.generate([conversation], decoding):
            yield Delta(completion.text, "stop")


def main() -> None:
    """Make, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--records", type=int, default=1_500_000)
    parser.add_argument("--questions", type=int, default=256)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "medasst-bench")
    parser.add_argument(
        "--part", nargs=2, metavar=("NAME", "SIZE"), help="one of them, in this process: what the script itself asks"
    )
    given = parser.parse_args()
    if given.part:
        name, size = given.part[0], int(given.part[1])
        began = time.perf_counter()
        facts = PARTS[name](given.work, size, given.questions)
        used = resource.getrusage(resource.RUSAGE_SELF)
        cost: dict[str, Any] = {
            "wall": time.perf_counter() - began,
            "cpu": used.ru_utime + used.ru_stime,
            "mib": used.ru_maxrss / 1024,
        }
        print(json.dumps({**cost, **facts}))
        return
    for name, size in (("score", given.pairs), ("evaluate", given.pairs), ("retrieval", given.records)):
        for part in (size // 10, size):
            make(given.work, name, part)
            command = [sys.executable, __file__, "--part", name, str(part), "--questions", str(given.questions)]
            done = subprocess.run([*command, "--work", str(given.work)], check=True, stdout=subprocess.PIPE, text=True)
            found = json.loads(done.stdout.splitlines()[-1])
            told = f"{found.pop('wall'):.1f} s, {found.pop('cpu'):.1f} CPU-s, {found.pop('mib'):,.0f} MiB"
            print(f"{name} {part:,}: {told}; {', '.join(f'{key} {value}' for key, value in found.items())}", flush=True)


def make(work: Path, name: str, size: int) -> None:
    """Write what a part reads, once."""
    if name == "retrieval":
        make_set(work / f"tokens-{size}", size)
    path = work / f"{name}-{size}.jsonl"
    if name == "retrieval" or path.exists():
        return
    work.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for number in range(size):
            one = corpus.record(_SEED, number)
            if name == "score":
                row: Mapping[str, Any] = {"id": number, "predict": corpus.record(_SEED, number + 1).answer, "label": one.answer}
            else:
                row = {"messages": [{"role": "user", "content": one.question}, {"role": "assistant", "content": one.answer}]}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def score_part(work: Path, size: int, _: int) -> Mapping[str, Any]:
    report = score(work / f"score-{size}.jsonl", work / "scored")
    return {"n": report.n, "bleu_4": round(report.mean["bleu_4"], 2)}


def evaluate_part(work: Path, size: int, _: int) -> Mapping[str, Any]:
    task = {"name": "answers", "kind": "qa", "path": str(work / f"evaluate-{size}.jsonl")}
    config = parse(EvaluateConfig, {"tasks": [task], "resamples": 1000, "texts": False})
    out = work / f"evaluated-{size}"
    shutil.rmtree(out, ignore_errors=True)
    try:
        evaluate(config, [Instant(size // 2)], out=out)
    except Stopped:
        report = evaluate(config, [Instant()], out=out)
    asked = json.loads((out / "run.json").read_text("utf-8"))["work"][0]
    return {
        "n": report.tasks[0].n,
        "asked again": asked["asked"],
        "rouge_l": round(report.value("instant", "answers", "rouge_l") or 0, 2),
    }


def retrieval_part(work: Path, size: int, questions: int) -> Mapping[str, Any]:
    began = time.perf_counter()
    model = RetrievalModel.over("retrieval", work / f"tokens-{size}")
    indexed = time.perf_counter()
    # Questions of records that the set doesn't hold.
    asked = [Conversation.of([("user", corpus.record(_SEED, size + n).question)]) for n in range(questions)]
    answers = list(model.generate(asked, Decoding()))
    told = {"indexing": f"{indexed - began:.1f} s", f"{questions} questions": f"{time.perf_counter() - indexed:.1f} s"}
    return told | {"answered": sum(bool(a.text) for a in answers)}


PARTS: Mapping[str, Callable[[Path, int, int], Mapping[str, Any]]] = {
    "score": score_part,
    "evaluate": evaluate_part,
    "retrieval": retrieval_part,
}


if __name__ == "__main__":
    main()
