"""The HTTP side: the OpenAI-compatible API and the chat page. An app is built from its parts, not imported."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from medasst.assistant.events import End, Event
from medasst.conversation import Conversation
from medasst.models import ChatModel, Decoding
from medasst.registry import did_you_mean
from medasst.service.config import ServeConfig
from medasst.service.stream import EventStream, as_api_error, closing, event_frames, whole
from medasst.service.wire import (
    ApiError,
    ChatRequest,
    Chunk,
    ChunkMaker,
    read_conversation,
    read_request,
)

STATIC = Path(__file__).parent / "static"

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
            return EventStream(event_frames(chunks, self.settings.ping_seconds))
        return await whole(request, chunks)

    async def _chunks(self, asked: ChatRequest, conversation: Conversation) -> AsyncIterator[Chunk]:
        make = ChunkMaker(asked.model)
        async with self._place():
            bare = self.bare_models.get(asked.model)
            source = self._bare(bare, asked, conversation, make) if bare else self._guarded(conversation, make)
            yield make.chunk("", role=True)
            async with closing(source):
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
        async with closing(self.assistant.reply(conversation)) as events:
            async for event in events:
                # The shop's own instructions steer the reply: length, temperature and stop words of a client don't.
                content = event.as_text() if begun else event.as_text().lstrip()
                begun = begun or bool(content)
                yield make.event(event, content)
                if isinstance(event, End):
                    yield make.usage(event.usage)

    async def _bare(self, model: ChatModel, asked: ChatRequest, talk: Conversation, make: ChunkMaker) -> AsyncIterator[Chunk]:
        usage: dict[str, int] = {}
        async with closing(model.stream(talk, self._decoding(asked))) as deltas:
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
            seed=random.randrange(2**31) if asked.seed is None else asked.seed,
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
            refused = as_api_error(error)
            if not begun:
                await JSONResponse(refused.to_json(), refused.status)(scope, receive, send_guarded)
