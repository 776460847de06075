"""How well the catalogue's search finds, and how fast: queries that somebody wrote from the products alone.

    python benchmarks/search.py [benchmarks/suites/queries.jsonl] [--catalogue FILE] [--show]

A query counts as answered if one of the first five products is one that its writer held relevant (recall@5 of queries). By
kind of query, with 95 % Wilson intervals, and the time of a search. `--show` lists what isn't answered.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import defaultdict
from pathlib import Path

from medasst.catalogue import Catalogue
from medasst.evaluation.statistics import wilson
from medasst.lexicon import Lexicon
from medasst.rulebook import Rulebook

SUITE = Path(__file__).parent / "suites" / "queries.jsonl"
_FIRST = 5


def main() -> None:
    """Search for each, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", type=Path, nargs="?", default=SUITE)
    parser.add_argument("--catalogue", type=Path, help="a catalogue; by default the samples")
    parser.add_argument("--show", action="store_true", help="list the queries that aren't answered")
    arguments = parser.parse_args()
    lexicon = Lexicon(Rulebook.load())
    shop = Catalogue.open(arguments.catalogue, lexicon) if arguments.catalogue else Catalogue.from_samples(lexicon)
    shelf = shop.over_the_counter
    answered: dict[str, list[bool]] = defaultdict(list)
    took: list[float] = []
    for row in map(json.loads, arguments.suite.read_text("utf-8").splitlines()):
        start = time.perf_counter()
        found = [match.product.sku for match in shelf.find(row["query"], _FIRST)]
        took.append(1000 * (time.perf_counter() - start))
        right = bool(set(found) & set(row["relevant"]))
        for kind in (row["kind"], "all"):
            answered[kind].append(right)
        if arguments.show and not right:
            print(f"{row['kind']}: {row['query']} → {' '.join(found) or 'nothing'}; wanted {' '.join(row['relevant'][:6])}")
    for kind, rights in sorted(answered.items(), key=lambda item: (item[0] == "all", item[0])):
        share = wilson(sum(rights), len(rights))
        print(f"{kind:12} {share.value:6.1%} [{share.low:.0%}, {share.high:.0%}] of {len(rights)}")
    took.sort()
    print(f"search: median {statistics.median(took):.1f} ms, p99 {took[int(0.99 * len(took))]:.1f} ms, {len(shelf)} products")


if __name__ == "__main__":
    main()
