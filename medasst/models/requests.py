"""Many requests to a server at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

Q = TypeVar("Q")
A = TypeVar("A")


def as_answered(
    ask: Callable[[Q], A], queries: Sequence[Q], parallel: int, leave: Callable[[], object] = lambda: None
) -> Iterator[A]:
    """Answers in the order in which they come, `parallel` under way; leaving the loop drops those not begun.

    `leave` is called first then, to end what those under way wait for.
    """
    left = iter(queries)
    with ThreadPoolExecutor(parallel) as pool:
        waiting: set[Future[A]] = set()
        try:
            # Twice as many handed over as are under way: nobody is idle, and a hundred thousand don't stand in memory.
            while waiting := waiting | {pool.submit(ask, query) for query in islice(left, 2 * parallel - len(waiting))}:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for task in done:
                    yield task.result()
        finally:
            leave()
            pool.shutdown(wait=False, cancel_futures=True)
