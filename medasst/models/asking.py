"""One request to an endpoint until it is answered, or there is no hope: which failures pass, which are the question's own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import TypeVar

import openai

from medasst.models.patience import Passing, Patience

A = TypeVar("A")

HOPELESS = 24  # questions in a row that the endpoint itself failed, after which the others aren't asked
# What reading a reply that isn't what it should be comes to.
GARBAGE = (ValueError, TypeError, AttributeError, LookupError)
_MOMENTARY = (408, 409, 425, 429)  # and all from 500 on
_BUSY = (429, 503)
_DOOR = (401, 403, 404)  # nobody gets in: whatever is asked


class Failed(Exception):
    """No answer, and why. `status`: the last reply's, if there was one."""

    def __init__(self, why: str, status: int | None = None) -> None:
        super().__init__(why)
        self.status = status


class Asking:
    """Asks one endpoint, from many threads.

    Args:
        client: must not repeat anything itself.
        explain: an error in words.
    """

    def __init__(self, client: openai.OpenAI, patience: Patience, explain: Callable[[Exception], str]) -> None:
        self._client, self._patience, self._explain = client, patience, explain
        self._lost, self._last, self._lock = 0, "", threading.Lock()

    def __call__(self, once: Callable[[openai.OpenAI], A]) -> A:
        """What `once` makes of the client; it raises what openai raises, or one of GARBAGE. Raises Failed."""
        if self._lost >= HOPELESS:
            raise Failed(f"not asked, as the last {HOPELESS} failed; {self._last}")
        try:
            found = self._patience.ask(lambda: self._try(once))
        except Passing as error:
            cause = error.__cause__
            raise self._lose(str(error), cause.status_code if isinstance(cause, openai.APIStatusError) else None) from error
        except openai.APIStatusError as error:
            lose = self._lose if error.status_code in _DOOR else Failed
            raise lose(self._explain(error), error.status_code) from error
        with self._lock:
            self._lost = 0
        return found

    def _try(self, once: Callable[[openai.OpenAI], A]) -> A:
        try:
            return once(self._client)
        except openai.APIStatusError as error:
            if error.status_code in _MOMENTARY or error.status_code >= 500:
                busy = error.status_code in _BUSY
                raise Passing(self._explain(error), _asked_to_wait(error.response.headers), busy=busy) from error
            raise
        except openai.OpenAIError as error:  # no connection, too slow, broken off
            raise Passing(self._explain(error)) from error
        except GARBAGE as error:
            told = ValueError(f"the reply is none that we know ({type(error).__name__}: {error})")
            raise Passing(self._explain(told)) from error

    def _lose(self, why: str, status: int | None) -> Failed:
        """A failure that isn't the question's."""
        with self._lock:
            self._lost += 1
            self._last = why
        return Failed(why, status)


def _asked_to_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds, as a server says them: a number, a date, or OpenAI's milliseconds."""
    with suppress(KeyError, ValueError):
        return max(0.0, float(headers["retry-after-ms"]) / 1000)
    with suppress(KeyError, ValueError):
        return max(0.0, float(headers["retry-after"]))
    with suppress(KeyError, ValueError):
        return max(0.0, parsedate_to_datetime(headers["retry-after"]).timestamp() - time.time())
    return None
