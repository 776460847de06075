"""What `medasst prepare` costs at N/10 and at N records, and whether what comes out is right.

    python benchmarks/prepare_scale.py [--records 1500000] [--rounds 3] [--work DIR]

Makes the two corpora of `corpus.py` once, prepares the small one `--rounds` times and the large one once, each in a process of
its own, and prints a table. Memory is the sum over the command and all its worker processes of what each holds (the
proportional set size, where pages that several share count once), sampled five times a second; CPU seconds are user and
system time of all of them. Then the large result is held against the truth: exact copies that survived, personal data that
shows anywhere, near duplicates in a sample against an exact comparison of all its pairs.
"""

from __future__ import annotations

import argparse
import math
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import corpus
import numpy as np
import polars as pl
import psutil  # type: ignore[import-untyped]
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from medasst.data import duplicates, stages
from medasst.data.filters import CleanSettings
from medasst.data.records import Record
from medasst.data.settings import Source, SplitSettings
from medasst.shingles import Shingles, minhash, ngrams, shingles
from medasst.text import normalise

THRESHOLD = 0.8
HASHES = {"id", "matched_id"}  # of some million hexadecimal names a few hold a planted account (a7673954)
Pairs = NDArray[np.int64]


class Cost(NamedTuple):
    """What one run took: seconds by the clock, seconds of processors, bytes at the most."""

    wall: float
    cpu: float
    memory: float


class Score(NamedTuple):
    """How the pairs that stand in one found cluster agree with those that the truth connects."""

    pairs: int
    found: int
    both: int

    @property
    def recall(self) -> float:
        """Share of the true pairs that were found."""
        return self.both / self.pairs if self.pairs else 1.0

    @property
    def precision(self) -> float:
        """Share of the found pairs that are true."""
        return self.both / self.found if self.found else 1.0


def main() -> None:
    """Make, measure, check and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_500_000)
    parser.add_argument("--rounds", type=int, default=3, help="runs of the small corpus")
    parser.add_argument("--sample", type=int, default=20_000, help="records whose pairs are all compared")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "medasst-bench")
    arguments = parser.parse_args()
    costs: dict[int, list[Cost]] = {}
    for records, rounds in ((arguments.records // 10, arguments.rounds), (arguments.records, 1)):
        folder = made(arguments.work, records, arguments.seed)
        costs[records] = [prepared(folder) for _ in range(rounds)]
    _print_costs(costs)
    folder = made(arguments.work, arguments.records, arguments.seed)
    _print_copies(folder)
    _print_leaks(folder)
    _print_near(arguments.seed, arguments.sample, arguments.records)


# ---- what it costs ---------------------------------------------------------------------------------------------------


def made(work: Path, records: int, seed: int) -> Path:
    """The folder of a corpus, made if it isn't there, with its `prepare.toml`."""
    folder = work / f"corpus-{records}-{seed}"
    if not folder.exists():
        part = folder.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        corpus.write(part, records, seed=seed)
        part.rename(folder)
    sources = [f'[[sources]]\nname = "{name}"\npath = "part-{name}-*"\nlicence = "none"\n' for name in corpus.LAYOUTS]
    (folder / "prepare.toml").write_text("\n".join(sources), "utf-8")
    return folder


def prepared(folder: Path) -> Cost:
    """Run `medasst prepare` from nothing on a corpus; the result stays in `out`."""
    for name in ("out", "out.work"):
        shutil.rmtree(folder / name, ignore_errors=True)
    command = [sys.executable, "-m", "medasst", "prepare", str(folder / "prepare.toml"), "--out", str(folder / "out")]
    started = time.perf_counter()
    with (folder / "log.txt").open("w") as log:
        process = psutil.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        watch = _Watch(process)
        watch.start()
        code = process.wait()
        wall = time.perf_counter() - started
        watch.join()
    if code:
        sys.exit(f"medasst prepare ended with {code}:\n{(folder / 'log.txt').read_text('utf-8')[-2000:]}")
    return Cost(wall, watch.cpu, watch.memory)


class _Watch(threading.Thread):
    """Looks at a process and its descendants until it ends."""

    def __init__(self, process: psutil.Process) -> None:
        super().__init__(daemon=True)
        self.process, self.memory, self._cpu = process, 0.0, dict[tuple[int, float], float]()

    def run(self) -> None:
        while self.process.is_running() and self.process.status() != psutil.STATUS_ZOMBIE:
            with suppress(psutil.NoSuchProcess):
                tree = [self.process, *self.process.children(recursive=True)]
                self.memory = max(self.memory, sum(self._look(process) for process in tree))
            time.sleep(0.2)

    def _look(self, process: psutil.Process) -> float:
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            times = process.cpu_times()
            self._cpu[process.pid, process.create_time()] = times.user + times.system
            held = process.memory_full_info()
            return float(getattr(held, "pss", held.uss))
        return 0.0

    @property
    def cpu(self) -> float:
        """Processor seconds of all processes, each as it was last seen."""
        return sum(self._cpu.values())


def _print_costs(costs: dict[int, list[Cost]]) -> None:
    print("| records | wall | CPU seconds | records/s | µs CPU/record | peak memory |\n|---:|---:|---:|---:|---:|---:|")
    each: list[float] = []
    for records, runs in costs.items():
        wall, cpu = (statistics.median(getattr(run, name) for run in runs) for name in ("wall", "cpu"))
        spread = f" ({min(run.cpu for run in runs):.1f}-{max(run.cpu for run in runs):.1f})" if len(runs) > 1 else ""
        memory = max(run.memory for run in runs)
        each.append(cpu / records)
        row = f"{wall:.1f} s | {cpu:.1f}{spread} | {records / wall:,.0f} | {cpu / records * 1e6:.1f} | {memory / 1e9:.2f} GB"
        print(f"| {records:,} | {row} |")
    last = next(reversed(costs.values()))[-1]
    print(f"\nCPU per record, large over small: {each[1] / each[0]:.2f} (goal ≤ 1.3)")
    print(f"Large run: {last.wall / 60:.1f} minutes (goal ≤ 10), {last.memory / 1e9:.2f} GB (goal ≤ 4)")


# ---- whether it is right ---------------------------------------------------------------------------------------------


def _print_copies(folder: Path) -> None:
    """Of an original and its exact copies at most one may be left."""
    lost = pl.read_parquet(folder / "out" / "rejected-*.parquet", columns=["file", "line", "stage", "reason"])
    truth = corpus.truth(folder).join(lost, on=["file", "line"], how="left")
    print("\n| kind | records | left | dropped as |\n|---|---:|---:|---|")
    for (kind,), rows in sorted(truth.group_by("kind")):
        reasons = rows.drop_nulls("reason").group_by("reason").len().sort("len", descending=True).head(4)
        told = ", ".join(f"{reason} {count:,}" for reason, count in reasons.iter_rows())
        print(f"| {kind} | {len(rows):,} | {rows['reason'].null_count():,} | {told} |")
    same = truth.filter(pl.col("kind").is_in(["original", "exact"])).with_columns(
        text=pl.when(pl.col("kind") == "exact").then("original").otherwise("record")
    )
    groups = same.group_by("text").agg(pl.len(), left=pl.col("reason").is_null().sum())
    copies = int((groups["len"] - 1).sum())
    over = int((groups["left"].cast(pl.Int64) - 1).clip(0).sum())
    print(f"\nExact copies: {copies:,}, of which dropped (or their original) {copies - over:,}: {1 - over / copies:.4%}")


def _print_leaks(folder: Path) -> None:
    """Planted personal data, by kind, in any text of the result, whether kept or rejected."""
    known = corpus.truth(folder)["personal"].explode().drop_nulls().struct.unnest().unique()
    # A name is ordinary Chinese, and the number of a bed short: they count as shown only in the words that tell them.
    common = pl.col("value").str.contains(r"^\p{Han}+$") | (pl.col("value").str.len_chars() < 6)
    sought = pl.when(common).then("told").otherwise("value")
    known = known.with_columns(sought=sought.map_elements(normalise, pl.String))
    shown: set[str] = set()
    for path in sorted((folder / "out").rglob("*")):
        for text in _texts(path) if path.is_file() else ():
            shown.update(text.str.extract_many(known["sought"].unique().implode()).explode().drop_nulls())
    print("\n| personal data | planted | shown in the result |\n|---|---|---|")
    table = known.with_columns(shown=pl.col("sought").is_in(shown)).group_by("kind").agg(pl.len(), pl.col("shown").sum())
    for kind, count, seen in [*table.sort("kind").iter_rows(), ("all", len(known), int(table["shown"].sum()))]:
        print(f"| {kind} | {count:,} | {seen:,} |")


def _texts(path: Path) -> Iterator[pl.Series]:
    if path.suffix != ".parquet":
        yield pl.Series([path.read_text("utf-8")])
        return
    frame = pl.scan_parquet(path)
    for name, kind in frame.collect_schema().items():
        if kind == pl.String and name not in HASHES:
            yield frame.select(name).collect()[name]
        elif name == "messages":
            yield frame.select(pl.col(name).list.eval(pl.element().struct.field("content")).list.join("\n")).collect()[name]


def _print_near(seed: int, size: int, records: int) -> None:
    frame = sampled(seed, size, records)
    texts = stages.comparison_texts(frame)
    score = compared(true_pairs(texts), found_clusters(frame, texts))
    print(f"\nNear duplicates in {len(texts):,} records without exact copies, against all pairs of Jaccard ≥ {THRESHOLD}:")
    print(f"recall {score.recall:.4f} (goal ≥ 0.97), precision {score.precision:.4f} (goal 1);")
    print(f"{score.pairs:,} pairs connected in truth, {score.found:,} in one found cluster, {score.both:,} in both")


def sampled(seed: int, size: int, records: int) -> pl.DataFrame:
    """About `size` records of a corpus, whole families of copies, cleaned and identified, one record per id."""
    limit = size / records
    rows = []
    for number in range(records):
        root = corpus.root(seed, number)
        if (root * 2654435761 & 0xFFFFFFFF) / 2**32 < limit:
            item = corpus.record(seed, number)
            rows.append(("", number, Record([("user", item.question), ("assistant", item.answer)])))
    frame = stages.cleaned(stages.to_frame(rows), CleanSettings(), privacy=True).filter(pl.col("reason").is_null())
    frame = stages.identified(frame, Source(name="sample", path=""), "", SplitSettings())
    return frame.unique("id", maintain_order=True).with_row_index("row")


def found_clusters(frame: pl.DataFrame, texts: Sequence[str]) -> NDArray[np.int64]:
    """The cluster of each record as `duplicates.near` sees it: the place of the record that is kept for it."""

    def sets(rows: NDArray[np.uint32]) -> Shingles:
        return shingles([texts[row] for row in rows])

    dropped = duplicates.near(frame.select("row", "trust", "id"), minhash(ngrams(texts)), sets, THRESHOLD)
    place = {id_: n for n, id_ in enumerate(frame["id"])}
    clusters = np.arange(len(texts))
    for row, kept in dropped.iter_rows():
        clusters[row] = place[kept]
    return clusters


def true_pairs(texts: Sequence[str], n: int = 5) -> Pairs:
    """All pairs of texts whose sets of character n-grams have Jaccard similarity ≥ THRESHOLD, by no code of the product.

    Exact: two such sets must share one of the rarest |x| - ⌈0.8 |x|⌉ + 1 n-grams of each (Chaudhuri, Ganti, Kaushik 2006), so
    pairs without are passed over and the rest are compared in full.
    """
    sets = [{text[i : i + n] for i in range(max(len(text) - n + 1, 1))} for text in texts]
    often: dict[str, int] = defaultdict(int)
    for grams in sets:
        for gram in grams:
            often[gram] += 1
    holders: dict[str, list[int]] = defaultdict(list)
    pairs = []
    for place, grams in enumerate(sets):
        rare = sorted(grams, key=lambda gram: (often[gram], gram))
        rare = rare[: len(grams) - math.ceil(THRESHOLD * len(grams) - 1e-9) + 1]
        for other in {other for gram in rare for other in holders[gram]}:
            common = len(grams & sets[other])
            if common / (len(grams) + len(sets[other]) - common) >= THRESHOLD:
                pairs.append((other, place))
        for gram in rare:
            holders[gram].append(place)
    return np.array(pairs, np.int64).reshape(-1, 2)


def compared(pairs: Pairs, clusters: NDArray[np.int64]) -> Score:
    """Pairs within the components of the true pairs against pairs within the found clusters."""
    size = len(clusters)
    graph = coo_matrix((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(size, size))
    components = connected_components(graph, directed=False)[1]
    both = np.unique(np.stack([components, clusters], axis=1), axis=0, return_counts=True)[1]
    true, found = (_within(np.unique(labels, return_counts=True)[1]) for labels in (components, clusters))
    return Score(true, found, _within(both))


def _within(sizes: NDArray[np.int64]) -> int:
    return int((sizes * (sizes - 1) // 2).sum())


if __name__ == "__main__":
    main()
