"""Reading beside the event loop, so that nobody's text holds everybody up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")

SHORT = 8000  # characters or bytes that are read in some hundredths of a second


class Lanes:
    """Threads for short texts, and one for long ones: a short text never waits behind a long one."""

    def __init__(self) -> None:
        self._short = ThreadPoolExecutor(2, "short texts")
        self._long = ThreadPoolExecutor(1, "long texts")

    async def run(self, size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work` returns for its arguments, which hold a text of `size` characters or bytes."""
        lane = self._short if size <= SHORT else self._long
        return await asyncio.get_running_loop().run_in_executor(lane, lambda: work(*args, **kwargs))
