"""Work on many chunks at once, with results in the order of the input, so that the number of workers changes nothing else."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import TypeVar

from loky import get_reusable_executor

Item = TypeVar("Item")
Result = TypeVar("Result")
IDLE = 60  # seconds after which a process without work ends, also one that a killed run left


def in_order(function: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """`map`, by threads: for steps whose heavy part (Polars, numpy, zstd) runs outside Python's lock.

    At most `workers` + 1 items are read ahead, so memory is bounded however long the input is. Leaving the loop early waits
    for what is under way and drops the rest.
    """
    if workers == 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(workers) as pool:
        yield from _in_order(pool, function, items, workers)


def in_order_by_processes(function: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """`in_order` by processes, for steps that are mostly Python; function, items and results must pickle."""
    if workers == 1:
        yield from map(function, items)
    else:
        yield from _in_order(get_reusable_executor(workers, timeout=IDLE), function, items, workers)


def _in_order(pool: Executor, function: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
