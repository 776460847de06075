"""The API's answers and refusals, in process."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from service_fakes import BARE, ScriptedAssistant, eventually

from medasst.assistant.events import plain_text
from medasst.conversation import Conversation
from medasst.errors import MedasstError, ModelError
from medasst.models import Decoding, Delta, ScriptedModel
from medasst.service.app import SECURITY_HEADERS, create_app
from medasst.service.config import Limits, ServeConfig
from medasst.service.stream import event_frames

QUESTION = [{"role": "user", "content": "感冒发烧吃什么药好?"}]


@pytest.fixture
def client(app: Any) -> TestClient:
    return TestClient(app)


def ask(client: TestClient, **body: Any) -> Any:
    return client.post("/v1/chat/completions", json={"model": "medasst", "messages": QUESTION, **body})


def frames(text: str) -> list[Any]:
    """Data of a stream's frames."""
    blocks = [block for block in text.split("\n\n") if block and not block.startswith(":")]
    assert all(block.startswith("data: ") and "\n" not in block for block in blocks)
    return [block[6:] if block == "data: [DONE]" else json.loads(block[6:]) for block in blocks]


def test_models_name_the_guarded_and_the_bare_one(client: TestClient) -> None:
    models = client.get("/v1/models").json()
    assert [(m["id"], m["medasst"]["kind"], m["owned_by"]) for m in models["data"]] == [
        ("medasst", "guarded", "medasst"),
        (BARE, "bare", "medasst"),
    ]
    assert client.get("/v1/models/medasst").json()["object"] == "model"
    assert client.get("/v1/models/none").json()["error"]["code"] == "model_not_found"
    assert client.get("/healthz").json() == {"status": "ok"}


def test_without_a_model_there_is_no_bare_one(assistant: ScriptedAssistant) -> None:
    client = TestClient(create_app(assistant, {}, ServeConfig()))
    assert [m["id"] for m in client.get("/v1/models").json()["data"]] == ["medasst"]
    assert ask(client, model=BARE).status_code == 404


def test_a_whole_reply_is_the_stream_folded(client: TestClient) -> None:
    whole = ask(client).json()
    stream = frames(ask(client, stream=True).text)
    assert stream[-1] == "[DONE]"
    assert stream[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert [f["choices"][0]["finish_reason"] for f in stream[:-1]] == [None] * (len(stream) - 2) + ["stop"]
    assert len({(f["id"], f["created"], f["model"]) for f in stream[:-1]}) == 1
    events = [f["medasst"] for f in stream[:-1] if "medasst" in f]
    assert [e["seq"] for e in events] == list(range(11))
    assert len({e["reply_id"] for e in events}) == 1
    assert [e["type"] for e in events] == [e["type"] for e in whole["medasst"]["events"]]
    assert events[5]["name"] == "对乙酰氨基酚片"
    text = "".join(f["choices"][0]["delta"].get("content") or "" for f in stream[:-1])
    assert text.strip() == whole["choices"][0]["message"]["content"]
    assert "普通感冒" in text
    assert "【商品】板蓝根颗粒" in text
    assert whole["usage"] == {"prompt_tokens": 31, "completion_tokens": 17, "total_tokens": 48}
    assert whole["object"] == "chat.completion"
    assert whole["choices"][0]["finish_reason"] == "stop"


async def test_content_is_the_replys_plain_text(client: TestClient, assistant: ScriptedAssistant) -> None:
    whole = ask(client).json()
    events = [event async for event in assistant.reply(assistant.asked[0])]
    assert whole["choices"][0]["message"]["content"] == plain_text(events)


def test_the_assistant_gets_the_turns_as_sent(client: TestClient, assistant: ScriptedAssistant) -> None:
    turns = [("user", "咳嗽"), ("assistant", "多久了？"), ("user", "两天")]
    messages = [{"role": role, "content": text} for role, text in turns[:-1]]
    messages.append({"role": "user", "content": [{"type": "text", "text": "两"}, {"type": "text", "text": "天"}]})
    assert ask(client, messages=messages).status_code == 200
    assert [(m.role, m.content) for m in assistant.asked[0].messages] == turns


def test_usage_is_streamed_only_where_asked_for(client: TestClient) -> None:
    plain = frames(ask(client, stream=True).text)
    assert all(f["choices"] for f in plain[:-1])
    counted = frames(ask(client, stream=True, stream_options={"include_usage": True}).text)
    assert counted[-2]["choices"] == []
    assert counted[-2]["usage"]["total_tokens"] == 48


def test_the_bare_model_gets_the_decoding(client: TestClient, bare: ScriptedModel) -> None:
    bare.enqueue("一二三四五六七八")
    answer = ask(client, model=BARE, max_tokens=3, temperature=0.5, top_p=0.9, stop="七", seed=3).json()
    assert answer["choices"][0]["message"]["content"] == "一二三"
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] > 0
    assert "medasst" not in answer
    _, decoding = bare.calls[-1]
    assert (decoding.max_new_tokens, decoding.temperature, decoding.top_p, decoding.stop, decoding.seed) == (
        3,
        0.5,
        0.9,
        ("七",),
        3,
    )
    ask(client, model=BARE, max_completion_tokens=100_000)
    assert bare.calls[-1][1].max_new_tokens == Limits().new_tokens
    assert bare.calls[-1][1].temperature == 0


def user(content: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content}]}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({"messages": []}, (400, "empty_messages", "messages")),
        ({"messages": None}, (422, "invalid_value", "messages")),
        ({"messages": "你好"}, (422, "invalid_value", "messages")),
        ({"messages": [{"content": "你好"}]}, (400, "missing_required_parameter", "messages.0.role")),
        ({"messages": [{"role": "tool", "content": "你好"}]}, (400, "invalid_value", "messages")),
        ({"messages": [{"role": "system", "content": "你好"}]}, (400, "invalid_value", "messages")),
        ({"messages": [*QUESTION, {"role": "poet", "content": "好"}]}, (400, "invalid_value", "messages.1.role")),
        ({"messages": [*QUESTION, {"role": "user", "content": ""}]}, (400, "empty_message", "messages.1.content")),
        (user("\u200b\ufeff"), (400, "empty_message", "messages.0.content")),
        (user(""), (400, "empty_message", "messages.0.content")),
        (user(" \n"), (400, "empty_message", "messages.0.content")),
        (user(None), (400, "empty_message", "messages.0.content")),
        (user("咳" * 4001), (400, "context_length_exceeded", "messages.0.content")),
        (user([{"type": "image_url", "image_url": {"url": "x"}}]), (400, "unsupported_content", "messages.0.content")),
        (user(5), (422, "invalid_value", "messages.0.content")),
        ({"model": "gpt-4"}, (404, "model_not_found", "model")),
        ({"model": 3}, (422, "invalid_value", "model")),
        ({"n": 2}, (400, "unsupported_parameter", "n")),
        ({"tools": [{"type": "function"}]}, (400, "unsupported_parameter", "tools")),
        ({"response_format": {"type": "json_object"}}, (400, "unsupported_parameter", "response_format")),
        ({"logprobs": True}, (400, "unsupported_parameter", "logprobs")),
        ({"max_tokens": 0}, (422, "invalid_value", "max_tokens")),
        ({"temperature": 3}, (422, "invalid_value", "temperature")),
        ({"stop": ["a"] * 5}, (422, "invalid_value", "stop")),
        ({"stream": "maybe"}, (422, "invalid_value", "stream")),
    ],
)
def test_bad_requests_are_refused_before_a_stream_begins(
    client: TestClient, assistant: ScriptedAssistant, stream: bool, body: dict[str, Any], refusal: tuple[int, str, str]
) -> None:
    answer = ask(client, **{"stream": stream, **body})
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == refusal
    assert error["type"] == "invalid_request_error"
    assert error["message"]
    assert assistant.asked == []


def test_bodies_that_are_no_request(client: TestClient) -> None:
    def post(body: bytes, kind: str = "application/json") -> tuple[int, str]:
        answer = client.post("/v1/chat/completions", content=body, headers={"content-type": kind})
        return answer.status_code, answer.json()["error"]["code"]

    assert post(b"{") == (400, "invalid_json")
    assert post(b"\xff\xfe") == (400, "invalid_json")
    assert post(b"[]") == (400, "invalid_json")
    assert post(b"[" * 10_000) == (400, "invalid_json")
    assert post(b"[" * 100_000) == (413, "request_too_large")
    assert post(b"{}") == (400, "missing_required_parameter")
    assert post(b"{}", "text/plain") == (415, "unsupported_media_type")
    assert post(b" " * (Limits().body_bytes + 1)) == (413, "request_too_large")
    assert post(b"[" + b"{}," * 30_000 + b"{}]") == (413, "request_too_large")
    assert post(b'{"messages": [' + b"1," * 30_000 + b'1], "model": "medasst"}') == (422, "invalid_value")
    assert post(b'"' + b"\\u54b3" * 700_000 + b'"') == (413, "request_too_large")


def test_unknown_pages_and_methods_answer_in_the_error_form(client: TestClient) -> None:
    assert client.get("/v1/nothing").json()["error"]["code"] == "not_found"
    answer = client.get("/v1/chat/completions")
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")
    assert client.get("/static/../app.py").status_code == 404


def test_every_answer_carries_the_security_headers(client: TestClient) -> None:
    for answer in (client.get("/"), client.get("/static/chat.js"), client.get("/none"), ask(client), ask(client, stream=True)):
        assert {name: answer.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
        assert "access-control-allow-origin" not in answer.headers


def test_the_page_obeys_its_own_policy(client: TestClient) -> None:
    page = client.get("/").text
    assert "style=" not in page
    assert "<style" not in page
    assert "onclick" not in page
    assert "//" not in page.replace("<!doctype html>", "")
    for asset in ("chat.js", "chat.css", "icon.svg"):
        assert f"static/{asset}" in page
        assert client.get(f"/static/{asset}").status_code == 200
    script = client.get("/static/chat.js").text
    assert "innerHTML" not in script
    assert "localStorage" not in script


@pytest.mark.parametrize(
    ("failure", "status", "code", "message"),
    [
        (MedasstError("the engine stopped: start it again"), 500, "model_error", "the engine stopped: start it again"),
        (ModelError("3000 tokens, the model takes 2048"), 400, "invalid_input", "3000 tokens, the model takes 2048"),
        (RuntimeError("in the prompt 我得了性病"), 500, "internal_error", "the reply failed: try again"),
    ],
)
def test_failures_reach_the_client_without_the_words_of_the_shopper(
    failure: Exception, status: int, code: str, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = TestClient(create_app(ScriptedAssistant(failure=failure, fail_at=2), {}, ServeConfig()))
    with caplog.at_level(logging.DEBUG):
        stream = frames(ask(client, stream=True).text)
        whole = ask(client)
    assert stream[-1] == "[DONE]"
    kind = "server_error" if status == 500 else "invalid_request_error"
    assert stream[-2]["error"] == {"message": message, "type": kind, "param": None, "code": code}
    assert stream[1]["medasst"]["type"] == "text"
    assert (whole.status_code, whole.json()) == (status, {"error": stream[-2]["error"]})
    assert f"{type(failure).__name__} at " in caplog.text
    assert "性病" not in caplog.text


def test_a_bare_model_that_fails_ends_in_an_error(client: TestClient, bare: ScriptedModel) -> None:
    bare.enqueue(MedasstError("out of memory"))
    assert ask(client, model=BARE).json()["error"]["code"] == "model_error"


def test_a_silent_stream_sends_comments() -> None:
    slow = ScriptedAssistant(pause=0.03)
    client = TestClient(create_app(slow, {}, ServeConfig(ping_seconds=0.01)))
    text = ask(client, stream=True).text
    assert ": ping\n\n" in text
    assert [f["medasst"]["seq"] for f in frames(text)[1:-1]] == list(range(11))


def test_no_word_of_a_conversation_is_logged(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        ask(client)
        ask(client, stream=True)
        ask(client, model=BARE)
        ask(client, n=2)
        ask(client, messages=[{"role": "感冒发烧", "content": "感冒发烧"}])
    assert "POST" in caplog.text  # the client's own log line: logging does work
    for words in ("感冒", "发烧", "对乙酰", "多喝水"):
        assert words not in caplog.text


class Held:
    """Answers once it may; knows how many answers are in the making."""

    name, capabilities = "held", frozenset({"stream"})

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.active = self.peak = 0

    async def stream(self, conversation: Conversation, decoding: Decoding) -> AsyncIterator[Delta]:
        self.active += 1
        self.peak = max(self.peak, self.active)
        try:
            yield Delta("您好")
            await self.go_on.wait()
            yield Delta("。", "stop", 3, 2)
        finally:
            self.active -= 1


def held_app(model: Any, waiting: int) -> Any:
    return create_app(ScriptedAssistant(), {BARE: model}, ServeConfig(places={"bare": 2}, limits=Limits(waiting=waiting)))


@pytest.mark.parametrize("stream", [False, True])
async def test_too_many_requests_to_a_bare_model_are_sent_away_and_danger_never_waits(stream: bool) -> None:
    model = Held()
    body = {"model": BARE, "messages": QUESTION, "stream": stream}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(held_app(model, 1)), base_url="http://test") as client:
        # A burst: nothing has begun yet, but all of it counts.
        burst = [asyncio.create_task(client.post("/v1/chat/completions", json=body)) for _ in range(8)]
        while model.active < 2 or sum(task.done() for task in burst) < 5:
            await asyncio.sleep(0.001)
        danger = {"model": "medasst", "messages": [{"role": "user", "content": "胸口疼，出冷汗"}]}
        told = await client.post("/v1/chat/completions", json=danger)  # with every place taken
        assert told.json()["medasst"]["events"][0]["severity"] == "emergency"
        model.go_on.set()
        answers = await asyncio.gather(*burst)
    refused = [answer for answer in answers if answer.status_code != 200]
    assert [(answer.status_code, answer.json()["error"]["code"]) for answer in refused] == [(429, "overloaded")] * 5
    assert all(answer.headers["retry-after"] for answer in refused)
    assert model.peak == 2
    assert eventually(lambda: model.active == 0)


async def test_places_come_back_whoever_leaves_when() -> None:
    model = Held()
    app = held_app(model, 0)
    for _ in range(4):  # twice the places
        await _leave_at_once(app)
    assert eventually(lambda: model.active == 0)
    model.go_on.set()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        assert (await client.post("/v1/chat/completions", json={"model": BARE, "messages": QUESTION})).status_code == 200


async def _leave_at_once(app: Any) -> None:
    """A streamed request whose client is gone before the first byte."""
    body = json.dumps({"model": BARE, "messages": QUESTION, "stream": True}).encode()
    messages = [{"type": "http.request", "body": body, "more_body": False}, {"type": "http.disconnect"}]
    scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "raw_path": b"", "query_string": b"",
             "headers": [(b"content-type", b"application/json")], "http_version": "1.1", "scheme": "http",
             "asgi": {"version": "3.0", "spec_version": "2.3"}, "root_path": "", "client": None, "server": None}  # fmt: skip

    async def receive() -> Any:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Any) -> None: ...

    await app(scope, receive, send)


async def test_closing_ends_open_answers_with_done() -> None:
    model = Held()
    app = held_app(model, 1)
    body = {"model": BARE, "messages": QUESTION, "stream": True}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        open_ones = [asyncio.create_task(client.post("/v1/chat/completions", json=body)) for _ in range(3)]
        while model.active < 2:
            await asyncio.sleep(0.001)
        app.state.desk.close()
        answers = [frames((await answer).text) for answer in open_ones]
        late = await client.post("/v1/chat/completions", json=body)
    assert [answer[-1] for answer in answers] == ["[DONE]"] * 3
    finished = [a for a in answers if "error" not in a[-2]]
    assert [a[-2]["choices"][0]["finish_reason"] for a in finished] == ["length"] * 2
    waited = next(a for a in answers if "error" in a[-2])
    assert waited[-2]["error"]["code"] == "stopping"
    assert (late.status_code, late.json()["error"]["code"]) == (503, "stopping")


async def test_a_stream_closed_between_two_frames_closes_its_source() -> None:
    closed = asyncio.Event()

    async def source() -> AsyncIterator[dict[str, Any]]:
        try:
            while True:
                yield {"choices": []}
        finally:
            closed.set()

    stream = event_frames(source(), ping_seconds=10)
    assert await anext(stream) == b'data: {"choices":[]}\n\n'
    await stream.aclose()
    assert closed.is_set()
