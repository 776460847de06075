"""The HTTP side: the OpenAI-compatible API and the chat page. An app is built from its parts, not imported."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import traceback
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

from anyio import CancelScope
from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, Response, StreamingResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from medasst.assistant.events import End, Event
from medasst.conversation import Conversation
from medasst.errors import InputError, MedasstError
from medasst.models import ChatModel, Decoding
from medasst.registry import did_you_mean
from medasst.service.config import ServeConfig
from medasst.service.wire import (
    ApiError,
    ChatRequest,
    Chunk,
    ChunkMaker,
    fold,
    frame,
    read_conversation,
    read_request,
)

T = TypeVar("T")

log = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"
CLOSED_BY_CLIENT = 499

SECURITY_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class Replier(Protocol):
    """What the service needs of the assistant."""

    @property
    def name(self) -> str: ...

    def reply(self, conversation: Conversation) -> AsyncIterator[Event]: ...


def create_app(assistant: Replier, bare_models: Mapping[str, ChatModel], settings: ServeConfig) -> FastAPI:
    """The service's ASGI app.

    Args:
        assistant: the guarded assistant, offered under its own name.
        bare_models: models reached past the guard, by the name they are offered under.
        settings: limits and pace; host and port matter to the server only.
    """
    app = FastAPI(title="MedAsst", docs_url=None, redoc_url=None, openapi_url=None)
    desk = Desk(assistant, bare_models, settings)
    app.add_exception_handler(ApiError, _answer_api_error)
    app.add_exception_handler(HTTPException, _answer_http_error)
    app.add_middleware(Edge)

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    @app.get("/healthz")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [desk.card(name) for name in desk.names]}

    @app.get("/v1/models/{name:path}")
    async def model(name: str) -> dict[str, Any]:
        return desk.card(name)

    @app.post("/v1/chat/completions")
    async def complete(request: Request) -> Response:
        return await desk.answer(request)

    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


class Desk:
    """Takes requests, finds who answers, and keeps the number of replies in the making in bounds."""

    def __init__(self, assistant: Replier, bare_models: Mapping[str, ChatModel], settings: ServeConfig) -> None:
        self.assistant, self.bare_models, self.settings = assistant, bare_models, settings
        self.names = (assistant.name, *bare_models)
        self._places = asyncio.Semaphore(settings.max_concurrent)
        self._waiting = 0

    def card(self, name: str) -> dict[str, Any]:
        """A model as /v1/models shows it. Raises ApiError 404."""
        if name not in self.names:
            message = f"no such model{did_you_mean(name, self.names)}"
            raise ApiError(404, message, "model_not_found", "model")
        kind = "guarded" if name == self.assistant.name else "bare"
        return {"id": name, "object": "model", "created": 0, "owned_by": "medasst", "medasst": {"kind": kind}}

    async def answer(self, request: Request) -> Response:
        """A reply, streamed or whole. Raises ApiError before the first byte of a stream leaves."""
        asked = read_request(await _read_body(request, self.settings.limits.body_bytes))
        self.card(asked.model)
        conversation = read_conversation(asked, self.settings.limits)
        if self._waiting >= self.settings.limits.waiting and self._places.locked():
            raise ApiError(429, "too many requests are waiting: try again shortly", "overloaded")
        chunks = self._chunks(asked, conversation)
        if asked.stream:
            return _EventStream(event_frames(chunks, self.settings.ping_seconds))
        return await _whole(request, chunks)

    async def _chunks(self, asked: ChatRequest, conversation: Conversation) -> AsyncIterator[Chunk]:
        make = ChunkMaker(asked.model)
        async with self._place():
            bare = self.bare_models.get(asked.model)
            source = self._bare(bare, asked, conversation, make) if bare else self._guarded(conversation, make)
            yield make.chunk("", role=True)
            async with _closing(source):
                async for chunk in source:
                    # A stream carries its usage only where it was asked for: strict clients expect choices[0].
                    if chunk["choices"] or asked.include_usage or not asked.stream:
                        yield chunk

    @contextlib.asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._places.release()

    async def _guarded(self, conversation: Conversation, make: ChunkMaker) -> AsyncIterator[Chunk]:
        begun = False
        async with _closing(self.assistant.reply(conversation)) as events:
            async for event in events:
                # The shop's own instructions steer the reply: length, temperature and stop words of a client don't.
                content = event.as_text() if begun else event.as_text().lstrip()
                begun = begun or bool(content)
                finish = "stop" if isinstance(event, End) else None
                yield make.chunk(content or None, finish=finish, medasst=event.to_json())
                if isinstance(event, End):
                    yield make.usage(event.usage)

    async def _bare(self, model: ChatModel, asked: ChatRequest, talk: Conversation, make: ChunkMaker) -> AsyncIterator[Chunk]:
        usage: dict[str, int] = {}
        async with _closing(model.stream(talk, self._decoding(asked))) as deltas:
            async for delta in deltas:
                if delta.text:
                    yield make.chunk(delta.text)
                if delta.finish_reason == "error":
                    raise ApiError(500, "the model failed: try again", "model_error")
                if delta.finish_reason:
                    usage = {"prompt_tokens": delta.prompt_tokens, "completion_tokens": delta.completion_tokens}
                    yield make.chunk(finish=delta.finish_reason)
        yield make.usage(usage)

    def _decoding(self, asked: ChatRequest) -> Decoding:
        most = self.settings.limits.new_tokens
        return Decoding(
            max_new_tokens=min(asked.token_limit or most, most),
            temperature=asked.temperature or 0.0,
            top_p=asked.top_p or 1.0,
            repetition_penalty=asked.repetition_penalty or 1.0,
            seed=asked.seed or 0,
            stop=tuple(text for text in asked.stop if text),
        )


async def _read_body(request: Request, limit: int) -> bytes:
    # A page of another site can send text/plain to this address without asking; JSON it can't.
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise ApiError(415, "send JSON with the header `Content-Type: application/json`", "unsupported_media_type")
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > limit:
            raise ApiError(413, f"the body is longer than {limit} bytes: shorten the conversation", "request_too_large")
    return bytes(body)


class _EventStream(StreamingResponse):
    """Server-sent events. The source is closed whatever ends the response, so that a lost client stops the model."""

    def __init__(self, frames: AsyncIterator[bytes]) -> None:
        super().__init__(frames, media_type="text/event-stream", headers={"x-accel-buffering": "no"})
        self._frames = frames

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with _closing(self._frames):
            await super().__call__(scope, receive, send)


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
        yield frame(_as_api_error(error).to_json())
    finally:
        await _end(chunks, pending)
    yield frame("[DONE]")


async def _whole(request: Request, chunks: AsyncIterator[Chunk]) -> Response:
    """The folded reply; a client that leaves ends it."""
    work = asyncio.ensure_future(fold(chunks))
    left = asyncio.ensure_future(_until_left(request))
    try:
        await asyncio.wait({work, left}, return_when=asyncio.FIRST_COMPLETED)
        return JSONResponse(work.result()) if work.done() else Response(status_code=CLOSED_BY_CLIENT)
    except Exception as error:
        raise _as_api_error(error) from None
    finally:
        await _end(chunks, work, left)


async def _end(source: AsyncIterator[Any], *tasks: asyncio.Future[Any] | None) -> None:
    """Cancel what reads from a source, then close it: in this order, and even where this task is being cancelled itself."""
    with CancelScope(shield=True):
        running = [task for task in tasks if task is not None]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        async with _closing(source):
            pass


@contextlib.asynccontextmanager
async def _closing(source: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """Close a source on the way out, where it can be closed: that is what stops a model."""
    try:
        yield source
    finally:
        if isinstance(source, AsyncGenerator):
            await source.aclose()


async def _until_left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _as_api_error(error: Exception) -> ApiError:
    """What a client may know of a failure. The log gets its place: its message might quote the shopper."""
    if isinstance(error, ApiError):
        return error
    place = traceback.extract_tb(error.__traceback__)[-1:]
    where = f"{place[0].filename}:{place[0].lineno}" if place else "unknown place"
    log.error("a reply failed: %s at %s", type(error).__name__, where)
    if isinstance(error, InputError):  # more than the model can read, for one
        return ApiError(400, str(error), "invalid_input")
    if isinstance(error, MedasstError):
        return ApiError(500, str(error), "model_error")
    return ApiError(500, "the reply failed: try again", "internal_error")


async def _answer_api_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)
    headers = {"retry-after": "2"} if error.status == 429 else None
    return JSONResponse(error.to_json(), error.status, headers)


async def _answer_http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    message = "no such page" if error.status_code == 404 else error.detail
    return await _answer_api_error(request, ApiError(error.status_code, message, error.detail.lower().replace(" ", "_")))


class Edge:
    """Outermost: security headers on every answer, and failures answered without a traceback that might quote a shopper."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def send_guarded(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                present = {name for name, _ in message["headers"]}
                extra = [(k.encode(), v.encode()) for k, v in SECURITY_HEADERS.items() if k.encode() not in present]
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        try:
            await self.app(scope, receive, send_guarded)
        except Exception as error:
            refused = _as_api_error(error)
            if not begun:
                await JSONResponse(refused.to_json(), refused.status)(scope, receive, send_guarded)
