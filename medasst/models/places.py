"""How many answers a model works on at a time. Who finds no place waits in a line of bounded length, or is told at once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from medasst.conversation import Conversation
from medasst.errors import MedasstError
from medasst.models.base import Capability, ChatModel, Completion, Decoding, Delta


class Busy(MedasstError):
    """Every place is taken and the line is full, or, with `stopping`, the places are closed."""

    def __init__(self, *, stopping: bool = False) -> None:
        super().__init__(
            "the service is stopping: try again" if stopping else "too many requests are waiting: try again shortly"
        )
        self.stopping = stopping


class Places:
    """Places of a model, given in the order of asking.

    Args:
        size: answers in the making at a time.
        line: how many may wait for a place.
    """

    def __init__(self, size: int, line: int = 0) -> None:
        self.size, self.line = size, line
        self.closed = False
        self._taken: set[Place] = set()
        self._waiting: deque[Place] = deque()

    def enter(self) -> Place:
        """A place, or one in the line; it counts from now on until it is left. Raises Busy."""
        if self.closed:
            raise Busy(stopping=True)
        place = Place(self)
        if len(self._taken) < self.size:
            self._give(place)
        elif len(self._waiting) < self.line:
            self._waiting.append(place)
        else:
            raise Busy()
        return place

    def close(self) -> None:
        """End: answers in the making end with what they have, and who waits is told that the places are closed."""
        self.closed = True
        for place in (*self._taken, *self._waiting):
            place.close()

    def _give(self, place: Place) -> None:
        self._taken.add(place)
        place.given.set()

    def _leave(self, place: Place) -> None:
        if place in self._waiting:
            self._waiting.remove(place)
        self._taken.discard(place)
        while self._waiting and len(self._taken) < self.size:
            self._give(self._waiting.popleft())


class Place:
    """One place, from `Places.enter` until it is left. Belongs to the event loop in which it was made."""

    def __init__(self, places: Places) -> None:
        self.given = asyncio.Event()
        self._places, self._closed = places, asyncio.Event()

    async def stream(self, model: ChatModel, conversation: Conversation, decoding: Decoding) -> AsyncIterator[Delta]:
        """The model's answer once it is this place's turn; without its end where the places close. Raises Busy before it."""
        await self.given.wait()
        if self._closed.is_set():
            raise Busy(stopping=True)
        closed = asyncio.ensure_future(self._closed.wait())
        deltas = model.stream(conversation, decoding)
        running: list[asyncio.Future[Any]] = [closed]
        try:
            while True:
                running[1:] = [pending := asyncio.ensure_future(anext(deltas))]
                await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                if not pending.done():
                    return
                yield pending.result()
        except StopAsyncIteration:
            return
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            if hasattr(deltas, "aclose"):
                await deltas.aclose()

    def leave(self) -> None:
        """Free it for the next in line. May be called more than once."""
        self._places._leave(self)

    def close(self) -> None:
        """End what is said in it."""
        self._closed.set()
        self.given.set()


class Placed:
    """A model that answers in places: where none is free, a stream raises Busy at once.

    Args:
        model: the model behind it.
        places: shared by all who use the model this way.
    """

    def __init__(self, model: ChatModel, places: Places) -> None:
        self._model, self._places = model, places

    @property
    def name(self) -> str:
        return self._model.name

    @property
    def capabilities(self) -> frozenset[Capability]:
        return self._model.capabilities

    async def stream(self, conversation: Conversation, decoding: Decoding) -> AsyncIterator[Delta]:
        place = self._places.enter()
        try:
            answer = place.stream(self._model, conversation, decoding)
            try:
                async for delta in answer:
                    yield delta
            finally:
                await answer.aclose()  # type: ignore[attr-defined]
        finally:
            place.leave()

    def generate(self, conversations: Sequence[Conversation], decoding: Decoding) -> Iterator[Completion]:
        return self._model.generate(conversations, decoding)
