"""Patience with a server: what fails for a moment is asked again, and nothing is asked faster than the server bears."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

A = TypeVar("A")

TRIES = 6
_FIRST, _MOST = 0.5, 30.0  # seconds before the second try; the wait doubles up to that
_LONGEST = 600.0  # that a server may ask us to wait


class Passing(Exception):
    """What may go well the next time.

    Attributes:
        after: seconds that the server asked us to wait, where it did.
        busy: whether it has too much to do, so that nobody should ask meanwhile.
    """

    def __init__(self, why: str, after: float | None = None, *, busy: bool = False) -> None:
        super().__init__(why)
        self.after, self.busy = after, busy


class Patience:
    """Shared by all who ask one server at a time.

    Args:
        per_minute: requests that begin in a minute, tries included; as many as come by default.
        first, most: seconds before the second try, and the most that doubling makes of it.
    """

    def __init__(self, per_minute: int | None = None, *, first: float = _FIRST, most: float = _MOST) -> None:
        self._gap = 60.0 / per_minute if per_minute else 0.0
        self._first, self._most = first, most
        self._next = 0.0  # nobody begins before
        self._lock, self._left = threading.Lock(), threading.Event()

    def ask(self, once: Callable[[], A]) -> A:
        """The answer of the first try that goes well. Raises Passing, the last one's, where none does."""
        for tries in range(1, TRIES + 1):
            self._turn()
            if self._left.is_set():
                raise Passing("not asked any more")
            try:
                return once()
            except Passing as error:
                if tries == TRIES or (error.after or 0.0) > _LONGEST:
                    raise
                # Half of the wait is drawn, lest those who failed together come back together.
                doubled = min(self._most, self._first * 2 ** (tries - 1)) * random.uniform(0.5, 1.0)
                wait = doubled if error.after is None else error.after
                if error.busy:
                    self._hold(wait)
                else:
                    self._left.wait(wait)
        raise AssertionError("the last try returns or raises")

    def leave(self) -> None:
        """Nobody waits any longer: the answers aren't wanted any more."""
        self._left.set()

    def _turn(self) -> None:
        """Wait until it may begin."""
        while not self._left.is_set():
            with self._lock:
                wait = self._next - time.monotonic()
                if wait <= 0:
                    self._next = time.monotonic() + self._gap
                    return
            self._left.wait(wait)

    def _hold(self, seconds: float) -> None:
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)
