"""What masking costs in several checkouts, by turns, so that other work on the machine touches all of them alike.

    git worktree add --detach FOLDER bf289c8    # the few patterns of the first version
    MEDASST_DATA=… python benchmarks/masking_turns.py FOLDER . [--rounds 9]

Every turn is a process of its own that masks the texts of the real sets (`privacy.py`) in one column, after a warm-up. Printed
are processor time for a record, and how many times the first checkout's it is: medians, in brackets the lowest and highest.
"""

from __future__ import annotations

import argparse
import inspect
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl


def main() -> None:
    """Measure the checkouts by turns and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkouts", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--texts", type=Path, help=argparse.SUPPRESS)  # a turn: masks them with the one checkout
    arguments = parser.parse_args()
    if arguments.texts:
        print(spent(arguments.texts))
        return
    import privacy  # not above: a turn only imports what its checkout has

    with tempfile.TemporaryDirectory() as folder:
        texts = Path(folder) / "texts.parquet"
        frame = privacy.real(Path(os.environ["MEDASST_DATA"]))
        frame.write_parquet(texts)
        count = frame["id"].n_unique()
        rounds = [[turn(checkout, texts) / count * 1e6 for checkout in arguments.checkouts] for _ in range(arguments.rounds)]
    for place, checkout in enumerate(arguments.checkouts):
        each = [times[place] for times in rounds]
        ratio = [times[place] / times[0] for times in rounds]
        print(f"{checkout}: {shown(each)} µs of processor time a record, {shown(ratio)} times {arguments.checkouts[0]}")


def turn(checkout: Path, texts: Path) -> float:
    """Processor seconds of masking the texts in a process that imports the checkout."""
    command = [sys.executable, __file__, str(checkout), "--texts", str(texts)]
    environment = os.environ | {"PYTHONPATH": str(checkout.resolve())}
    return float(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)


def spent(texts: Path) -> float:
    """Processor seconds of masking the texts here; the first version had no word for texts that are simplified already."""
    from medasst.data.privacy import masked_series  # of the checkout that PYTHONPATH leads to

    column = pl.read_parquet(texts)["text"]
    options = {"simplified": True} if "simplified" in inspect.signature(masked_series).parameters else {}
    masked_series(column.head(1000), **options)
    begun = time.process_time()
    masked_series(column, **options)
    return time.process_time() - begun


def shown(values: list[float]) -> str:
    """Median, lowest and highest."""
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


if __name__ == "__main__":
    main()
