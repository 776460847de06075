"""The HTTP side: the OpenAI-compatible API and the chat page. An app is built from its parts, not imported."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from medasst.assistant.events import End, Event
from medasst.assistant.lanes import Lanes
from medasst.conversation import Conversation
from medasst.disk import package_file
from medasst.models import ChatModel, Decoding
from medasst.models.places import Busy, Place, Places
from medasst.registry import did_you_mean
from medasst.safety.check import FORMATS as CHECK_FORMATS
from medasst.safety.check import Checker
from medasst.service import chores
from medasst.service.config import Limits, ServeConfig
from medasst.service.stream import EventStream, as_api_error, closing, event_frames, whole
from medasst.service.wire import (
    ApiError,
    ChatRequest,
    Chunk,
    ChunkMaker,
    Heard,
    read_check_request,
    read_conversation,
    read_request,
)

log = logging.getLogger(__name__)

STATIC = package_file("service/static")
READ = ["GET", "HEAD"]
PAGES = ("/", "/healthz", "/v1/models", "/v1/models/{name}")
CHAT, CHECK = "/v1/chat/completions", "/v1/check"

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

    def reply(self, conversation: Conversation, *, unread: bool = False) -> AsyncIterator[Event]: ...


def create_app(
    assistant: Replier, bare_models: Mapping[str, ChatModel], settings: ServeConfig, checker: Checker | None = None
) -> FastAPI:
    """The service's ASGI app.

    Args:
        assistant: the guarded assistant, offered under its own name.
        bare_models: models reached past the guard, by the name they are offered under.
        settings: limits and pace; host and port matter to the server only.
        checker: checks medicines against a patient without a chat; None: that isn't offered.
    """
    app = FastAPI(title="MedAsst", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.desk = desk = Desk(assistant, bare_models, settings, checker)
    app.add_exception_handler(ApiError, _answer_api_error)
    app.add_exception_handler(Busy, _answer_api_error)
    app.add_exception_handler(HTTPException, _answer_http_error)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "HEAD", "POST"],
            allow_headers=["*"],
        )
    app.add_middleware(Edge)

    @app.api_route("/", methods=READ)
    async def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    @app.api_route("/healthz", methods=READ)
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.api_route("/v1/models", methods=READ)
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [desk.described(name) for name in desk.names]}

    @app.api_route("/v1/models/{name:path}", methods=READ)
    async def model(name: str) -> dict[str, Any]:
        return desk.described(name)

    @app.post(CHAT)
    async def complete(request: Request) -> Response:
        return await desk.answer(request)

    if checker is not None:

        @app.post(CHECK)
        async def check(request: Request) -> JSONResponse:
            return JSONResponse(await desk.check(request))

    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


class Desk:
    """Takes requests and finds who answers. Bare answers have places and a line; guarded replies begin at once."""

    def __init__(
        self,
        assistant: Replier,
        bare_models: Mapping[str, ChatModel],
        settings: ServeConfig,
        checker: Checker | None = None,
    ) -> None:
        self.assistant, self.bare_models, self.settings, self._checker = assistant, bare_models, settings, checker
        self.names = (assistant.name, *bare_models)
        self._lanes = Lanes()
        self._places = Places(settings.places.bare, settings.limits.waiting)

    def close(self) -> None:
        """The service is stopping: bare answers end with what they have, and new ones are refused."""
        self._places.close()

    def described(self, name: str) -> dict[str, Any]:
        """A model as /v1/models shows it. Raises ApiError 404."""
        if name not in self.names:
            message = f"no such model{did_you_mean(name, self.names)}"
            raise ApiError(404, message, "model_not_found", "model")
        kind = "guarded" if name == self.assistant.name else "bare"
        told = {"kind": kind, "mode": "production" if self.settings.production else "demonstration"}
        return {"id": name, "object": "model", "created": 0, "owned_by": "medasst", "medasst": told}

    async def answer(self, request: Request) -> Response:
        """A reply, streamed or whole. Raises ApiError before the first byte of a stream leaves."""
        body = await _read_body(request, self.settings.limits)
        asked, heard = await self._lanes.run(len(body), self._read, body)
        self.described(asked.model)
        place = self._places.enter() if asked.model in self.bare_models else None
        chunks = self._chunks(asked, heard, place)
        leave = place.leave if place else _stay
        if asked.stream:
            return EventStream(event_frames(chunks, self.settings.ping_seconds), leave)
        try:
            return await whole(request, chunks)
        finally:
            leave()

    async def check(self, request: Request) -> dict[str, Any]:
        """Medicines held against a patient; `?format=cds-hooks` gives cards. Raises ApiError 400 or 422."""
        form = request.query_params.get("format", "json")
        if form not in CHECK_FORMATS:
            message = f"no such format{did_you_mean(form, CHECK_FORMATS)}"
            raise ApiError(400, message, "invalid_value", "format")
        body = await _read_body(request, self.settings.limits)
        return await self._lanes.run(len(body), self._checked, body, form)

    def _checked(self, body: bytes, form: str) -> dict[str, Any]:
        assert self._checker is not None
        return self._checker.written(read_check_request(body), form)

    def _read(self, body: bytes) -> tuple[ChatRequest, Heard]:
        asked = read_request(body)
        return asked, read_conversation(asked, self.settings.limits)

    async def _chunks(self, asked: ChatRequest, heard: Heard, place: Place | None) -> AsyncIterator[Chunk]:
        make = ChunkMaker(asked.model)
        yield make.chunk("", role=True)
        source = self._bare(place, asked, heard.conversation, make) if place else self._guarded(heard, make)
        async with closing(source):
            async for chunk in source:
                # A stream carries its usage only where it was asked for: strict clients expect choices[0].
                if chunk["choices"] or asked.include_usage or not asked.stream:
                    yield chunk

    async def _guarded(self, heard: Heard, make: ChunkMaker) -> AsyncIterator[Chunk]:
        if (fixed := chores.answer(heard.conversation)) is not None:
            yield make.chunk(fixed, finish="stop")
            yield make.usage({})
            return
        begun = False
        async with closing(self.assistant.reply(heard.conversation, unread=heard.unread)) as events:
            async for event in events:
                # The shop's own instructions steer the reply: length, temperature and stop words of a client don't.
                content = event.as_text() if begun else event.as_text().lstrip()
                begun = begun or bool(content)
                yield make.event(event, content)
                if isinstance(event, End):
                    yield make.usage(event.usage)

    async def _bare(self, place: Place, asked: ChatRequest, talk: Conversation, make: ChunkMaker) -> AsyncIterator[Chunk]:
        model, prompt = self.bare_models[asked.model], talk.newest(self.settings.limits.prompt_chars)
        usage: dict[str, int] = {}
        finish = "length"  # what it is where the service stops before the model does
        async with closing(place.stream(model, prompt, self._decoding(asked))) as deltas:
            async for delta in deltas:
                if delta.text:
                    yield make.chunk(delta.text)
                if delta.finish_reason == "error":
                    raise ApiError(500, "the model failed: try again", "model_error")
                if delta.finish_reason:
                    usage = {"prompt_tokens": delta.prompt_tokens, "completion_tokens": delta.completion_tokens}
                    finish = delta.finish_reason
        yield make.chunk(finish=finish)
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


def _stay() -> None:
    """Guarded replies have no place to leave."""


async def _read_body(request: Request, limits: Limits) -> bytes:
    # A page of another site can send text/plain to this address without asking; JSON it can't.
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise ApiError(415, "send JSON with the header `Content-Type: application/json`", "unsupported_media_type")
    body = bytearray()
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for piece in request.stream():
                body += piece
                if len(body) > limits.body_bytes:
                    too_large = f"the body is longer than {limits.body_bytes} bytes: shorten the conversation"
                    raise ApiError(413, too_large, "request_too_large")
    except TimeoutError:
        log.warning("a body did not arrive within %g s: refused", limits.body_seconds)
        raise ApiError(408, f"the body did not arrive within {limits.body_seconds:g} s", "request_timeout") from None
    return bytes(body)


async def _answer_api_error(_request: Request, error: Exception) -> JSONResponse:
    refused = as_api_error(error)
    return JSONResponse(refused.to_json(), refused.status, refused.headers)


async def _answer_http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    there = f"there are {', '.join(READ)} of {', '.join(PAGES)} and POST of {CHAT}, {CHECK}"
    message = {404: f"no such page; {there}", 405: f"{request.method} is not answered here; {there}"}.get(error.status_code)
    refused = ApiError(error.status_code, message or error.detail, error.detail.lower().replace(" ", "_"))
    return JSONResponse(refused.to_json(), refused.status, error.headers)


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
        except ClientDisconnect:
            pass  # nobody is left to answer
        except Exception as error:
            refused = as_api_error(error)
            if not begun:
                await JSONResponse(refused.to_json(), refused.status)(scope, receive, send_guarded)
