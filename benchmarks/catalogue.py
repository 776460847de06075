"""How fast a large catalogue is ready and answers, and what it takes of memory, against what the shop asks for.

    python benchmarks/catalogue.py [--products 50000]

The shop is made up: every product is one of our samples under another maker's name, strength, pack and price. Its words are
asked for by name, by alias, misspelt, by complaint and by wording. A process of its own serves from the cached index, so that
its memory is that of a service which didn't build it. One line of JSON a figure.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import product as parts_of
from pathlib import Path
from typing import Any

from medasst.catalogue.catalogue import SAMPLES

LIMITS = {
    "first build s": 60.0,
    "ready s": 5.0,
    "median ms": 5.0,
    "p99 ms": 20.0,
    "resident MB": 400.0,
}
_BRANDS = [
    "".join(parts)
    for parts in parts_of("晨露康宁安泰和顺松柏竹梅兰荷", "源济春民仁益华丰禾润泽清", ("", "堂", "牌", "堂牌", "记", "坊"))
]
_STRENGTHS = ("0.1g", "0.25g", "0.5g", "5mg", "10mg", "5ml", "15g", "")
_PACKS = ("6片/盒", "10片/盒", "12粒/盒", "24粒/盒", "10袋/盒", "100ml/瓶", "20g/支")
_ASKED = ("{}", "{}怎么吃", "有没有{}", "请问{}多少钱一盒", "{}，用什么药", "孩子{}怎么办", "我{}两天了")
_ALIKE = {
    "芬": "分",
    "酚": "分",
    "胺": "安",
    "他": "它",
    "定": "丁",
    "酸": "算",
    "霉": "美",
    "利": "力",
    "乳": "汝",
    "石": "时",
}
QUERIES = 2_000


def shop(count: int, seed: int = 7) -> Iterator[dict[str, Any]]:
    """Products made up of the samples'."""
    chance = random.Random(seed)
    samples = [json.loads(line) for line in SAMPLES.read_text("utf-8").splitlines()]
    for number in range(count):
        row = dict(samples[number % len(samples)])
        brand = chance.choice(_BRANDS)
        row["sku"] = f"S{number:06d}"
        row["brand"], row["maker"] = brand, f"{brand}制药（虚构）"
        if chance.random() < 0.8:
            row["name"] = f"{brand} {row['name']}"
        row["strength"] = chance.choice([row["strength"], *_STRENGTHS])
        row["pack"], row["price"] = chance.choice(_PACKS), round(chance.uniform(3, 90), 1)
        row["stock"] = chance.choice([0, *range(1, 60)])
        yield row


def queries(seed: int = 7) -> list[str]:
    """What shoppers ask, of every kind in the same number."""
    chance = random.Random(seed)
    samples = [json.loads(line) for line in SAMPLES.read_text("utf-8").splitlines()]

    def one(kind: int) -> str:
        row: dict[str, Any] = chance.choice(samples)
        name: str = chance.choice([row["name"], *row["aliases"]])
        if kind == 0:
            return name
        if kind == 1:
            return "".join(_ALIKE.get(char, char) for char in row["name"])
        if kind == 2:
            return f"{chance.choice(_BRANDS)}的{name}"
        if kind == 3 and row["leaflet"].get("indications"):
            text: str = row["leaflet"]["indications"]["text"]
            start = chance.randrange(max(1, len(text) - 12))
            return text[start : start + 12]
        told: str = chance.choice(row["symptoms"] or [name])
        return told

    return [chance.choice(_ASKED).format(one(number % 5)) for number in range(QUERIES)]


def build(path: Path) -> None:
    """First build: the index of a file of products in an empty cache."""
    from medasst.catalogue import Catalogue
    from medasst.lexicon import Lexicon
    from medasst.rulebook import Rulebook

    lexicon = Lexicon(Rulebook.load())
    began = time.perf_counter()
    catalogue = Catalogue.open(path, lexicon)
    built = time.perf_counter()
    offered = len(catalogue.over_the_counter)
    tell("first build s", built - began, products=len(catalogue), offered=offered, names=len(set(catalogue.product_names())))
    began = time.perf_counter()
    Catalogue.open(path, lexicon)
    tell("ready s", time.perf_counter() - began, of="catalogue alone")


def serve(path: Path) -> None:
    """A service's process: ready from the cached index, searches, whole replies, memory."""
    began = time.perf_counter()
    from medasst.assistant import Assistant
    from medasst.conversation import Conversation, Message

    imported = time.perf_counter()
    assistant = Assistant.from_samples(products=path)
    gc.collect()
    gc.freeze()  # as the service does once it is loaded
    tell("ready s", time.perf_counter() - imported, of="assistant, its tables, vetted answers", imports_s=imported - began)
    shelf = assistant.catalogue.over_the_counter
    asked = queries()
    shelf.find("预热")
    times(shelf.find, asked, "find")
    times(shelf.named, asked, "named")
    lexicon = assistant.rules.lexicon
    complaints = [told for text in asked if (told := shelf.complaints(lexicon.read(text)))]
    times(shelf.suited, complaints, "suited")
    talks = [Conversation.of([Message("user", text)]) for text in asked[:400]]
    times(assistant.draft, talks, "whole reply without a model")
    status = Path("/proc/self/status").read_text("utf-8").splitlines()
    tell("resident MB", next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024)


def times(work: Callable[[Any], Any], over: Sequence[Any], what: str) -> None:
    """Median and 99th of a hundred over single calls, by the clock and in processor time, to which other work adds less."""
    clock: list[float] = []
    cpu: list[float] = []
    for one in over:
        began, used = time.perf_counter(), time.process_time()
        work(one)
        cpu.append((time.process_time() - used) * 1000)
        clock.append((time.perf_counter() - began) * 1000)
    clock.sort()
    cpu.sort()
    half, most = len(clock) // 2, int(len(clock) * 0.99)
    tell("median ms", clock[half], of=what, calls=len(clock), cpu_ms=cpu[half])
    tell("p99 ms", clock[most], of=what, calls=len(clock), most=clock[-1], cpu_ms=cpu[most], cpu_most=cpu[-1])


def tell(figure: str, value: float, **facts: Any) -> None:
    """A figure beside its limit."""
    told = {name: round(fact, 2) if isinstance(fact, float) else fact for name, fact in facts.items()}
    limit = LIMITS[figure]
    line = {"figure": figure, "value": round(value, 2), "limit": limit, "ratio": round(value / limit, 3), **told}
    print(json.dumps(line, ensure_ascii=False), flush=True)


def main() -> None:
    """Make the shop, then build and serve in processes of their own."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--products", type=int, default=50_000)
    parser.add_argument("--part", choices=["build", "serve"], help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        {"build": build, "serve": serve}[arguments.part](arguments.file)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "products.jsonl"
        with path.open("w", encoding="utf-8") as file:
            for row in shop(arguments.products):
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
        own = {**os.environ, "MEDASST_CACHE": str(Path(folder) / "cache")}
        for part in ("build", "serve"):
            subprocess.run([sys.executable, __file__, "--part", part, "--file", str(path)], env=own, check=True)


if __name__ == "__main__":
    main()
