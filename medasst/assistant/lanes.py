"""Reading beside the event loop, so that nobody's text holds everybody up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")

# Characters or bytes. Whatever a text of the first size says, it is read within some milliseconds; one of the second, within
# a tenth of a second.
AT_ONCE, SHORT = 500, 8000


class Lanes:
    """Threads for short texts and one for long ones, so that a short one never waits behind it. The shortest need no thread."""

    def __init__(self) -> None:
        self._short = ThreadPoolExecutor(2, "short texts")
        self._long = ThreadPoolExecutor(1, "long texts")

    async def run(self, size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work` returns for its arguments, which hold a text of `size` characters or bytes."""
        if size <= AT_ONCE:
            return work(*args, **kwargs)
        lane = self._short if size <= SHORT else self._long
        return await asyncio.get_running_loop().run_in_executor(lane, lambda: work(*args, **kwargs))
