"""What it costs to make a large set ready for training: its tokens once, and every start after that.

    python benchmarks/tokens_scale.py [--records 1500000] [--base embedded] [--kills 0] [--work DIR]

Writes the records of `corpus.py` as the training split of a prepared set, each a conversation (as they are: copies and junk
too), and then, each in a process of its own: renders them from nothing; opens them and orders three epochs. Wall and CPU
seconds are of the whole process, imports included; memory is the most that was resident, mapped pages of files included.
With `--kills N` it renders once more, is killed (SIGKILL) N times on the way, and the files must be the same bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import corpus
import polars as pl

from medasst.conversation import Conversation
from medasst.data import iterate_split
from medasst.disk import file_sha256
from medasst.render import Renderer
from medasst.train.batches import schedule
from medasst.train.tokens import TokenSet, tokenise
from medasst.weights import find_base

SHARD = 100_000
SCHEMA = pl.Schema(
    {
        "id": pl.String(),
        "source": pl.String(),
        "department": pl.String(),
        "licence": pl.String(),
        "messages": pl.List(pl.Struct({"role": pl.String(), "content": pl.String()})),
        "meta": pl.String(),
    }
)


def main() -> None:
    """Make, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_500_000)
    parser.add_argument("--base", default="embedded")
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "medasst-bench")
    parser.add_argument(
        "--part", choices=("tokens", "start"), help="one of the two, in this process: what the script itself asks"
    )
    given = parser.parse_args()
    base = find_base(given.base).folder
    data = given.work / f"tokens-{given.records}"
    if given.part:
        print(json.dumps(_part(given.part, data, base)))
        return
    make_set(data, given.records)
    command = [sys.executable, __file__, "--records", str(given.records), "--base", str(base), "--work", str(given.work)]
    caches = [data / name for name in ("cache", "cache-killed")]
    for cache in caches:
        shutil.rmtree(cache, ignore_errors=True)
    for name, part in (("tokens, from nothing", "tokens"), ("start, tokens there", "start")):
        _print(name, _measured([*command, "--part", part], caches[0]))
    if given.kills:
        for kill in range(given.kills):
            _killed([*command, "--part", "tokens"], caches[1], (kill + 1) * given.records // (given.kills + 1))
        _print(f"tokens, the rest after {given.kills} kills", _measured([*command, "--part", "tokens"], caches[1]))
        whole, killed = ({file.name: file_sha256(file) for file in cache.glob("tokens/*/*")} for cache in caches)
        print("the same bytes" if whole == killed else "NOT the same bytes")


def make_set(data: Path, records: int) -> None:
    """Write the training split of a prepared set of so many records, once."""
    if (data / "manifest.json").exists():
        return
    data.mkdir(parents=True, exist_ok=True)
    starts = range(0, records, SHARD)
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(partial(_shard, data, records), starts))
    (data / "manifest.json").write_text(json.dumps({"schema_version": 1}), "utf-8")


def _shard(data: Path, records: int, start: int) -> None:
    made = (corpus.record(7, number) for number in range(start, min(start + SHARD, records)))
    talks = (Conversation.of([("user", one.question), ("assistant", one.answer)], source="corpus") for one in made)
    frame = pl.DataFrame([talk.to_json() for talk in talks], schema=SCHEMA)
    frame.write_parquet(data / f"train-{start // SHARD:05d}.parquet", row_group_size=20_000)


def _part(part: str, data: Path, base: Path) -> Mapping[str, Any]:
    """Tokens, and for a start the order of learning; what that cost."""
    renderer = Renderer.from_folder(base, "chat")
    if part == "tokens":
        tokens = tokenise(partial(iterate_split, data, "train"), renderer, 1024, str(data))
        facts = _facts(tokens)
    else:
        tokens = tokenise(_nothing_to_read, renderer, 1024, str(data))
        order = schedule(tokens.lengths, batch_tokens=16_384, micro_tokens=4096, epochs=3, max_tokens=None, seed=7)
        facts = {"steps": len(order), "places": sum(map(len, order[0])), "tokens": order.tokens}
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {**facts, "cpu": used.ru_utime + used.ru_stime, "memory": used.ru_maxrss * 1024}


def _facts(tokens: TokenSet) -> Mapping[str, Any]:
    dropped = {one.reason: one.count for one in tokens.dropped}
    return {"sequences": len(tokens), "tokens": int(tokens.offsets[-1]), "dropped": dropped}


def _nothing_to_read(first: int) -> Any:
    raise AssertionError(f"the tokens aren't there: conversation {first} is asked for")


def _measured(command: list[str], cache: Path) -> Mapping[str, Any]:
    started = time.perf_counter()
    done = subprocess.run(command, env=_environment(cache), check=True, capture_output=True, text=True)
    return {"wall": time.perf_counter() - started, **json.loads(done.stdout.splitlines()[-1])}


def _killed(command: list[str], cache: Path, seen: int) -> None:
    """Run until so many conversations are at rest, and kill it."""
    process = subprocess.Popen(command, env=_environment(cache), stdout=subprocess.DEVNULL)
    while process.poll() is None:
        found = list(cache.glob("tokens/.*.unfinished/about.json"))
        if found and json.loads(found[0].read_text("utf-8"))["seen"] >= seen:
            process.send_signal(signal.SIGKILL)
            process.wait()
            return
        time.sleep(0.02)
    raise RuntimeError(f"it ended before {seen:,} conversations were at rest")


def _environment(cache: Path) -> dict[str, str]:
    return {**os.environ, "MEDASST_CACHE": str(cache)}


def _print(name: str, measured: Mapping[str, Any]) -> None:
    facts = ", ".join(f"{key} {value}" for key, value in measured.items() if key not in ("wall", "cpu", "memory"))
    cost = f"{measured['wall']:.1f} s, {measured['cpu']:.1f} CPU-s, {measured['memory'] / 1e6:,.0f} MB"
    print(f"{name}: {cost}; {facts}", flush=True)


if __name__ == "__main__":
    main()
