"""Ctrl-C and SIGTERM, as the training loop takes them."""

from __future__ import annotations

import signal
import threading
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)  # a person at the keyboard; a cluster that wants its machine back


class Interruption:
    """The first signal asks the loop to end after the step it is in; the second ends it at once, unsaved."""

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():  # Python hears signals nowhere else
            self._before = {which: signal.signal(which, self._note) for which in _SIGNALS}
        return self

    def _note(self, *_: object) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def __exit__(self, *_: object) -> None:
        for which, before in self._before.items():
            signal.signal(which, before)
