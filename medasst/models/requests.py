"""Many requests to a server at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

Q = TypeVar("Q")
A = TypeVar("A")


def as_answered(ask: Callable[[Q], A], queries: Sequence[Q], parallel: int) -> Iterator[A]:
    """Answers in the order in which they come, `parallel` under way; leaving the loop drops those not begun."""
    with ThreadPoolExecutor(parallel) as pool:
        tasks = [pool.submit(ask, query) for query in queries]
        try:
            for task in as_completed(tasks):
                yield task.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
