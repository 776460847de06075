"""How a reply travels: as server-sent events or whole; and what ends it when the client has left."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import traceback
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any, TypeVar

from anyio import CancelScope
from fastapi import Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from medasst.errors import InputError, MedasstError
from medasst.models.places import Busy
from medasst.service.wire import ApiError, Chunk, fold, frame

T = TypeVar("T")

log = logging.getLogger(__name__)

CLOSED_BY_CLIENT = 499


class EventStream(StreamingResponse):
    """Server-sent events. The source is closed whatever ends the response, so that a lost client stops the model.

    Args:
        frames: what is sent.
        ended: called at the end, also where nothing was sent.
    """

    def __init__(self, frames: AsyncIterator[bytes], ended: Callable[[], None]) -> None:
        super().__init__(frames, media_type="text/event-stream", headers={"x-accel-buffering": "no"})
        self._frames, self._ended = frames, ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with closing(self._frames):
                await super().__call__(scope, receive, send)
        finally:
            self._ended()


async def event_frames(chunks: AsyncIterator[Chunk], ping_seconds: float) -> AsyncGenerator[bytes, None]:
    """Chunks as frames, a comment where they are long in coming, a failure as the last frame but [DONE]."""
    pending: asyncio.Future[Chunk] | None = None
    try:
        while True:
            pending = pending or asyncio.ensure_future(anext(chunks))
            done, _ = await asyncio.wait({pending}, timeout=ping_seconds)
            if not done:
                yield b": ping\n\n"
                continue
            finished, pending = pending, None
            yield frame(finished.result())
    except StopAsyncIteration:
        pass
    except Exception as error:
        yield frame(as_api_error(error).to_json())
    finally:
        await _end(chunks, pending)
    yield frame("[DONE]")


async def whole(request: Request, chunks: AsyncIterator[Chunk]) -> Response:
    """The folded reply; a client that leaves ends it."""
    work = asyncio.ensure_future(fold(chunks))
    left = asyncio.ensure_future(_until_left(request))
    try:
        await asyncio.wait({work, left}, return_when=asyncio.FIRST_COMPLETED)
        return JSONResponse(work.result()) if work.done() else Response(status_code=CLOSED_BY_CLIENT)
    except Exception as error:
        raise as_api_error(error) from None
    finally:
        await _end(chunks, work, left)


async def _end(source: AsyncIterator[Any], *tasks: asyncio.Future[Any] | None) -> None:
    """Cancel what reads from a source, then close it: in this order, and even where this task is being cancelled itself."""
    with CancelScope(shield=True):
        running = [task for task in tasks if task is not None]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        async with closing(source):
            pass


@contextlib.asynccontextmanager
async def closing(source: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """Close a source on the way out, where it can be closed: that is what stops a model."""
    try:
        yield source
    finally:
        if isinstance(source, AsyncGenerator):
            await source.aclose()


async def _until_left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def as_api_error(error: Exception) -> ApiError:
    """What a client may know of a failure. The log gets its place: its message might quote the shopper."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, Busy):
        return ApiError(503, str(error), "stopping") if error.stopping else ApiError(429, str(error), "overloaded")
    place = traceback.extract_tb(error.__traceback__)[-1:]
    where = f"{place[0].filename}:{place[0].lineno}" if place else "unknown place"
    asked_for_it = isinstance(error, InputError)  # more than the model can read, for one
    log.log(logging.INFO if asked_for_it else logging.ERROR, "a reply failed: %s at %s", type(error).__name__, where)
    if asked_for_it:
        return ApiError(400, str(error), "invalid_input")
    if isinstance(error, MedasstError):
        return ApiError(500, str(error), "model_error")
    return ApiError(500, "the reply failed: try again", "internal_error")
