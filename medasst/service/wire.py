"""The OpenAI wire format: requests read and checked, replies and errors written. Knows nothing of models."""

from __future__ import annotations

import itertools
import json
import re
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple
from unicodedata import combining

from pydantic import BaseModel, BeforeValidator, ConfigDict, FailFast, Field, ValidationError

from medasst.assistant.events import End, Event
from medasst.conversation import ROLES, Conversation, Message
from medasst.errors import MedasstError
from medasst.safety.check import CheckError, CheckRequest, read_check
from medasst.service.config import Limits
from medasst.text import says_nothing

Chunk = dict[str, Any]

# Of a body: braces and brackets that open, commas, escaped characters. Each costs the parser much more than a letter does.
_MOST_OPENED, _MOST_COMMAS, _MOST_ESCAPED = 10_000, 60_000, 600_000
_ROLES: dict[str, str] = {**{role: role for role in ROLES}, "developer": "system", "tool": "tool", "function": "tool"}
_MOST_MARKS = 30  # combining marks in a row, as in Unicode's stream-safe text format


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

    @property
    def headers(self) -> dict[str, str]:
        """Of the answer: when to come back, and no second request after one that was not read to its end."""
        later = {429: "2", 503: "2"}.get(self.status)
        return {**({"retry-after": later} if later else {}), **({"connection": "close"} if self.status in (408, 413) else {})}

    def to_json(self) -> dict[str, Any]:
        """The body of the answer."""
        kind = "invalid_request_error" if self.status < 500 and self.status != 429 else "server_error"
        return {"error": {"message": str(self), "type": kind, "param": self.param, "code": self.code}}


class _Part(BaseModel):
    type: str = "text"
    text: str | None = None

    @property
    def is_text(self) -> bool:
        return self.type in ("text", "input_text", "output_text")


def _as_parts(content: object) -> object:
    """Text, one part, a list of either, or nothing: clients send all of them."""
    if isinstance(content, str | dict):
        content = [content]
    if not isinstance(content, list):
        return [] if content is None else content
    return [{"text": part} if isinstance(part, str) else part for part in content if part is not None]


def _as_list(stop: object) -> object:
    return [stop] if isinstance(stop, str) else stop or []


class _Message(BaseModel):
    role: str
    content: Annotated[list[_Part], FailFast(), BeforeValidator(_as_parts)] = []

    @property
    def text(self) -> str:
        """What its text parts say; others are not read."""
        return "".join(part.text or "" for part in self.content if part.is_text)


class _StreamOptions(BaseModel):
    include_usage: bool = False


class ChatRequest(BaseModel):
    """Body of POST /v1/chat/completions. Unknown fields are ignored, as clients send many."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    model: str
    messages: Annotated[list[_Message], FailFast()]
    stream: bool | None = None
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


# One half of an escaped surrogate pair, left by a client that cut an emoji in two: strict UTF-8 has no place for it.
_HALF_PAIR = re.compile(
    rb"""(?<!\\)((?:\\\\)*)  # an even number of backslashes is text
    \\u[dD](?:
        [89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])  # a first half without its second
        | (?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD])[c-fC-F][0-9a-fA-F]{2}  # a second half without its first
    )""",
    re.VERBOSE,
)


def read_request(body: bytes) -> ChatRequest:
    """Parse and check what can be checked without knowing the models. Raises ApiError 400, 413 or 422."""
    _bounded(body)
    try:
        request = ChatRequest.model_validate_json(_HALF_PAIR.sub(rb"\1\\ufffd", body.removeprefix(b"\xef\xbb\xbf")))
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


def read_check_request(body: bytes) -> CheckRequest:
    """Medicines and a patient to be checked. Raises ApiError 400, 413 or 422."""
    _bounded(body)
    try:
        return read_check(_HALF_PAIR.sub(rb"\1\\ufffd", body))
    except CheckError as error:
        status, code = (422, "invalid_value") if error.field else (400, "invalid_json")
        raise ApiError(status, str(error), code, error.field or None) from None


def _bounded(body: bytes) -> None:
    """One call parses it all and lets nobody else run meanwhile, so what it may meet is bounded first."""
    if body.count(b"{") + body.count(b"[") > _MOST_OPENED or body.count(b",") > _MOST_COMMAS:
        raise ApiError(413, "more parts than a conversation has: shorten it", "request_too_large")
    if body.count(b"\\u") > _MOST_ESCAPED:
        raise ApiError(413, "too many characters are escaped: send UTF-8, or shorten the conversation", "request_too_large")


def _explain(error: ValidationError) -> ApiError:
    problem = error.errors(include_input=False, include_url=False)[0]
    param = ".".join(map(str, problem["loc"]))
    if problem["type"] == "json_invalid":
        return ApiError(400, "the body is not valid JSON in UTF-8", "invalid_json")
    if not problem["loc"]:
        return ApiError(400, "the body must be a JSON object with `model` and `messages`", "invalid_json")
    if problem["type"] == "missing":
        return ApiError(400, f"`{param}` is missing", "missing_required_parameter", param)
    return ApiError(422, f"`{param}`: {problem['msg']}", "invalid_value", param)


class Heard(NamedTuple):
    """A request's conversation up to its last user turn. `unread`: user turns were left out, as there were too many."""

    conversation: Conversation
    unread: bool


def read_conversation(request: ChatRequest, limits: Limits) -> Heard:
    """What is asked, and what was said before it.

    Only the last user message must have text. What follows it, tool messages, empty ones and parts that are no text are
    passed over: a client can't take them back, and they must not end its chat. Raises ApiError 400.
    """
    messages = request.messages
    if not messages:
        raise ApiError(400, "`messages` is empty: send at least one user message", "empty_messages", "messages")
    roles = [_role(message, place) for place, message in enumerate(messages)]
    if "user" not in roles:
        raise ApiError(400, "no message of the user's: send at least one", "invalid_value", "messages")
    last = len(roles) - 1 - roles[::-1].index("user")
    turns = [_asked(messages[last], f"messages.{last}.content", limits)]
    earlier = ((role, text) for role, message in zip(roles[:last][::-1], messages[:last][::-1], strict=True)
               if role in ("user", "assistant") and not says_nothing(text := message.text))  # fmt: skip
    users, chars, others, unread = 1, len(turns[0].content), 0, False
    for role, text in earlier:
        if role == "assistant":
            others += len(text)
            if others <= limits.chars // 8:  # no rule reads them, and a model only the newest
                turns.append(Message("assistant", _calm(text)))
        elif users < limits.turns and chars + len(text) <= limits.chars and len(text) <= limits.message_chars:
            users, chars = users + 1, chars + len(text)
            turns.append(Message("user", _calm(text)))
        else:
            unread = True
    said = (message.text for message, role in zip(messages, roles, strict=True) if role == "system")
    system = [Message("system", _calm(text)) for text in said if text.strip() and len(text) <= limits.chars // 8]
    return Heard(Conversation.of([*system, *reversed(turns)]), unread)


def _role(message: _Message, place: int) -> str:
    """The message's role, `tool` for all that programs say."""
    role = message.role.lower()
    if role not in _ROLES:
        raise ApiError(400, f"unknown role: use one of {', '.join(_ROLES)}", "invalid_value", f"messages.{place}.role")
    return _ROLES[role]


def _asked(message: _Message, place: str, limits: Limits) -> Message:
    """The message that is answered."""
    if any(not part.is_text for part in message.content):
        raise ApiError(400, "only text is read: leave other content parts out", "unsupported_content", place)
    text = message.text
    if len(text) > limits.message_chars:
        too_long = f"longer than {limits.message_chars} characters: shorten it"
        raise ApiError(400, too_long, "context_length_exceeded", place)
    if says_nothing(text):
        raise ApiError(400, "the message is empty", "empty_message", place)
    return Message("user", _calm(text))


def _calm(text: str) -> str:
    """Text without the rest of an endless row of combining marks: to put one in order takes its length squared."""
    if text.isascii():
        return text
    kept: list[str] = []
    row = 0
    for char in text:
        row = row + 1 if combining(char) else 0
        if row <= _MOST_MARKS:
            kept.append(char)
    return "".join(kept)


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
