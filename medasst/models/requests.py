"""Many requests to a server at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from medasst.conversation import Conversation
from medasst.models.base import Completion


def as_answered(
    complete: Callable[[Conversation], Completion], conversations: Sequence[Conversation], parallel: int
) -> Iterator[Completion]:
    """Completions in the order in which they end, `parallel` under way; leaving the loop drops those not begun."""
    with ThreadPoolExecutor(parallel) as pool:
        tasks = [pool.submit(complete, conversation) for conversation in conversations]
        try:
            for task in as_completed(tasks):
                yield task.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
