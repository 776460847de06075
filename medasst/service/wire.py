"""The OpenAI wire format: requests read and checked, replies and errors written. Knows nothing of models."""

from __future__ import annotations

import itertools
import json
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from medasst.assistant.events import End, Event
from medasst.conversation import ROLES, Conversation, Message, Role
from medasst.errors import MedasstError
from medasst.service.config import Limits

Chunk = dict[str, Any]


class ApiError(MedasstError):
    """A refused request, in the form that OpenAI clients read.

    Args:
        status: HTTP status.
        message: what is wrong and what to do; never a shopper's words.
        code: the reason as a word, for programs.
        param: the field at fault.
    """

    def __init__(self, status: int, message: str, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.param = status, code, param

    def to_json(self) -> dict[str, Any]:
        """The body of the answer."""
        kind = "invalid_request_error" if self.status < 500 and self.status != 429 else "server_error"
        return {"error": {"message": str(self), "type": kind, "param": self.param, "code": self.code}}


class _Part(BaseModel):
    type: str
    text: str = ""


def _as_parts(content: object) -> object:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content or []


def _as_list(stop: object) -> object:
    return [stop] if isinstance(stop, str) else stop or []


class _Message(BaseModel):
    role: str
    content: Annotated[list[_Part], BeforeValidator(_as_parts)] = []


class _StreamOptions(BaseModel):
    include_usage: bool = False


class ChatRequest(BaseModel):
    """Body of POST /v1/chat/completions. Unknown fields are ignored, as clients send many."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    model: str
    messages: list[_Message]
    stream: bool = False
    stream_options: _StreamOptions | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    repetition_penalty: Annotated[float, Field(ge=1, le=2)] | None = None  # not OpenAI's, but vLLM's and llama.cpp's too
    seed: int | None = None
    stop: Annotated[list[str], BeforeValidator(_as_list), Field(max_length=4)] = []
    n: int | None = None
    logprobs: bool | None = None
    tools: list[Any] | None = None
    functions: list[Any] | None = None
    response_format: dict[str, Any] | None = None

    @property
    def token_limit(self) -> int | None:
        """The wished-for length under its new name or its old one."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def include_usage(self) -> bool:
        """Whether a stream ends with its usage."""
        return self.stream_options is not None and self.stream_options.include_usage


def read_request(body: bytes) -> ChatRequest:
    """Parse and check what can be checked without knowing the models. Raises ApiError 400 or 422."""
    try:
        data = json.loads(body)
        # Half a surrogate pair is valid JSON but no text: nothing behind this line could encode it.
        json.dumps(data, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise ApiError(400, "the body is not valid JSON in UTF-8", "invalid_json") from None
    if not isinstance(data, dict):
        raise ApiError(400, "the body must be a JSON object with `model` and `messages`", "invalid_json")
    try:
        request = ChatRequest.model_validate(data)
    except ValidationError as error:
        raise _explain(error) from None
    if request.n not in (None, 1):
        raise ApiError(400, "one reply per request: leave `n` out or set it to 1", "unsupported_parameter", "n")
    format_type = (request.response_format or {}).get("type", "text")
    unsupported = {
        "tools": request.tools,
        "functions": request.functions,
        "logprobs": request.logprobs,
        "response_format": format_type != "text",
    }
    for name, value in unsupported.items():
        if value:
            raise ApiError(400, f"`{name}` is not supported: leave it out", "unsupported_parameter", name)
    return request


def _explain(error: ValidationError) -> ApiError:
    problem = error.errors(include_input=False, include_url=False)[0]
    param = ".".join(map(str, problem["loc"]))
    if problem["type"] == "missing":
        return ApiError(400, f"`{param}` is missing", "missing_required_parameter", param)
    return ApiError(422, f"`{param}`: {problem['msg']}", "invalid_value", param)


def read_conversation(request: ChatRequest, limits: Limits) -> Conversation:
    """The request's messages as a conversation that ends with the user. Raises ApiError 400."""
    if not request.messages:
        raise ApiError(400, "`messages` is empty: send at least one user message", "empty_messages", "messages")
    if len(request.messages) > limits.messages:
        raise ApiError(400, f"more than {limits.messages} messages: send fewer", "context_length_exceeded", "messages")
    turns = [_read_message(message, f"messages.{i}", limits) for i, message in enumerate(request.messages)]
    if turns[-1].role != "user":
        raise ApiError(400, "the last message must be the user's", "invalid_value", f"messages.{len(turns) - 1}.role")
    return Conversation.of(turns)


def _read_message(message: _Message, place: str, limits: Limits) -> Message:
    roles: dict[str, Role] = {role: role for role in ROLES} | {"developer": "system"}
    if message.role not in roles:
        raise ApiError(400, f"unknown role: use one of {', '.join(ROLES)}", "invalid_value", f"{place}.role")
    if any(part.type != "text" for part in message.content):
        raise ApiError(400, "only text is read: leave other content parts out", "unsupported_content", f"{place}.content")
    text = "".join(part.text for part in message.content)
    if not text.strip():
        raise ApiError(400, "the message is empty", "empty_message", f"{place}.content")
    if len(text) > limits.message_chars:
        too_long = f"longer than {limits.message_chars} characters: shorten it"
        raise ApiError(400, too_long, "context_length_exceeded", f"{place}.content")
    return Message(roles[message.role], text)


class ChunkMaker:
    """Writes the chunks of one reply; they share an id, a time and a model name, and its events are numbered from 0."""

    def __init__(self, model: str) -> None:
        self._reply_id, self._seq = uuid.uuid4().hex, itertools.count()
        self._head = {
            "id": f"chatcmpl-{self._reply_id}",
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": model,
        }

    def chunk(self, content: str | None = None, *, role: bool = False, finish: str | None = None, **extra: Any) -> Chunk:
        """One piece of a reply; `extra` lands beside `choices`."""
        delta: dict[str, Any] = {"role": "assistant"} if role else {}
        if content is not None:
            delta["content"] = content
        return {**self._head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **extra}

    def event(self, event: Event, content: str) -> Chunk:
        """One event of the assistant, numbered, with what a reader of plain text sees of it."""
        numbered = {"reply_id": self._reply_id, "seq": next(self._seq), **event.to_json()}
        return self.chunk(content or None, finish="stop" if isinstance(event, End) else None, medasst=numbered)

    def usage(self, usage: Mapping[str, int]) -> Chunk:
        """The chunk without choices that closes a stream and counts its tokens."""
        return {**self._head, "choices": [], "usage": count(usage)}


def count(usage: Mapping[str, int]) -> dict[str, int]:
    """Usage with its total; what is not known is 0."""
    prompt, completion = usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


async def fold(chunks: AsyncIterator[Chunk]) -> dict[str, Any]:
    """A whole completion from its chunks: the stream is the primitive."""
    text, finish, usage, events, head = "", "stop", count({}), list[Any](), Chunk()
    async for chunk in chunks:
        head = head or {key: chunk[key] for key in ("id", "created", "model")}
        usage = chunk.get("usage") or usage
        if "medasst" in chunk:
            events.append(chunk["medasst"])
        for choice in chunk["choices"]:
            text += choice["delta"].get("content") or ""
            finish = choice["finish_reason"] or finish
    choice = {"index": 0, "message": {"role": "assistant", "content": text.strip()}, "finish_reason": finish}
    extra = {"medasst": {"events": events}} if events else {}
    return {**head, "object": "chat.completion", "choices": [choice], "usage": usage, **extra}


def frame(data: Chunk | Literal["[DONE]"]) -> bytes:
    """One server-sent event. JSON escapes line breaks, so a frame is always one line."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"data: {text}\n\n".encode()
