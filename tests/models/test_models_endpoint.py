"""The engine for OpenAI-compatible endpoints, against a small one of ours."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

pytest.importorskip("openai")

from medasst.conversation import Conversation
from medasst.errors import ConfigError, MedasstError, UnsupportedError
from medasst.models import Decoding, LetterQuery, SystemConfig, open_model
from medasst.models.endpoint import EndpointModel

TALKS = [Conversation.of([("system", "简短"), ("user", text)]) for text in ("头疼", "咳嗽", "坏")]
USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}


class Endpoint(ThreadingHTTPServer):
    """Repeats the last message; fails on 坏; fails once, for a moment, where `hiccups` says so."""

    requests: list[dict[str, Any]]
    hiccups: int = 0
    breaks_off: bool = False
    refuses_logprobs: bool = False
    top: list[tuple[str, float]] | None = None


class Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.requests.append(body | {"key": self.headers["authorization"]})
        if self.server.hiccups:
            self.server.hiccups -= 1
            self._json(503, {"error": {"message": "busy"}})
        elif body.get("logprobs") and self.server.refuses_logprobs:
            self._json(400, {"error": {"message": "logprobs are not supported by this model"}})
        elif body["messages"][-1]["content"] == "坏":
            self._json(400, {"error": {"message": "no such thing"}})
        elif body.get("stream"):
            self._stream(body["messages"][-1]["content"])
        else:
            message = {"role": "assistant", "content": body["messages"][-1]["content"]}
            choice = {"index": 0, "finish_reason": "length", "message": message, "logprobs": self._logprobs(body)}
            self._json(200, self._head() | {"choices": [choice], "usage": USAGE})

    def _logprobs(self, body: dict[str, Any]) -> dict[str, Any] | None:
        if not body.get("logprobs") or self.server.top is None:
            return None
        top = [{"token": text, "logprob": logprob, "bytes": None} for text, logprob in self.server.top]
        return {"content": [top[0] | {"top_logprobs": top}]}

    def _head(self) -> dict[str, Any]:
        return {"id": "x", "object": "chat.completion", "created": 1, "model": "m"}

    def _json(self, status: int, value: Any) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.send_header("retry-after-ms", "1")
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, text: str) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        chunks: list[dict[str, Any]] = [{"choices": [{"index": 0, "delta": {"content": c}}]} for c in text]
        if not self.server.breaks_off:
            chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
            chunks.append({"choices": [], "usage": USAGE})
        for chunk in chunks:
            self.wfile.write(b"data: " + json.dumps(self._head() | chunk).encode() + b"\n\n")
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Endpoint(("127.0.0.1", 0), Handler)
    server.requests = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def model(endpoint: Endpoint) -> EndpointModel:
    return EndpointModel(f"http://127.0.0.1:{endpoint.server_port}/v1", "m", key="secret", parallel=2)


def test_one_bad_item_does_not_stop_the_others(model: EndpointModel, endpoint: Endpoint) -> None:
    done = {c.id: c for c in model.generate(TALKS, Decoding(stop=("用户",), repetition_penalty=1.1))}
    assert [done[t.id].text for t in TALKS] == ["头疼", "咳嗽", ""]
    assert [done[t.id].finish_reason for t in TALKS] == ["length", "length", "error"]
    assert (done[TALKS[0].id].prompt_tokens, done[TALKS[0].id].completion_tokens) == (5, 2)
    assert "no such thing" in (done[TALKS[2].id].error or "")
    request = next(r for r in endpoint.requests if r["messages"][-1]["content"] == "头疼")
    assert request["messages"] == [{"role": "system", "content": "简短"}, {"role": "user", "content": "头疼"}]
    assert (request["max_tokens"], request["temperature"], request["stop"]) == (256, 0.0, ["用户"])
    assert (request["repetition_penalty"], request["key"]) == (1.1, "Bearer secret")


def test_what_is_sent_holds_no_control_token(model: EndpointModel, endpoint: Endpoint) -> None:
    list(model.generate([Conversation.of([("user", "头疼<|im_end|>")])], Decoding()))
    assert endpoint.requests[0]["messages"][0]["content"] == "头疼< |im_end|>"


def test_what_fails_for_a_moment_is_repeated(model: EndpointModel, endpoint: Endpoint) -> None:
    endpoint.hiccups = 2
    (done,) = model.generate(TALKS[:1], Decoding())
    assert (done.text, done.error, len(endpoint.requests)) == ("头疼", None, 3)


async def test_stream(model: EndpointModel) -> None:
    deltas = [d async for d in model.stream(TALKS[0], Decoding())]
    assert [d.text for d in deltas] == ["头", "疼", ""]
    assert (deltas[-1].finish_reason, deltas[-1].prompt_tokens, deltas[-1].completion_tokens) == ("stop", 5, 2)


async def test_failures_of_a_stream(model: EndpointModel, endpoint: Endpoint) -> None:
    with pytest.raises(MedasstError, match="no such thing"):
        [d async for d in model.stream(TALKS[2], Decoding())]
    endpoint.breaks_off = True
    with pytest.raises(MedasstError, match="broke off"):
        [d async for d in model.stream(TALKS[0], Decoding())]


def test_letters_come_from_the_listed_tokens(model: EndpointModel, endpoint: Endpoint) -> None:
    endpoint.top = [("答案", -0.3), (" B", -1.5), ("B", -2.0), ("\u2581D", -4.0), ("a", -5.0)]
    scores = {s.id: s for s in model.letters([LetterQuery(t.id, t, ("A", "B", "C", "D")) for t in TALKS])}
    good = scores[TALKS[0].id]
    assert good.logprobs == (-5.0, -1.5, -5.0, -4.0)  # the least of the list bounds those outside it
    assert good.listed == (False, True, False, True)
    assert "no such thing" in (scores[TALKS[2].id].error or "")
    request = endpoint.requests[0]
    assert (request["logprobs"], request["top_logprobs"], request["max_tokens"]) == (True, 20, 1)


@pytest.mark.parametrize("refuses", [True, False])
def test_an_endpoint_without_log_probabilities_is_unsupported(model: EndpointModel, endpoint: Endpoint, refuses: bool) -> None:
    endpoint.refuses_logprobs = refuses
    with pytest.raises(UnsupportedError, match="top_logprobs"):
        list(model.letters([LetterQuery("q", TALKS[0], ("A", "B"))]))


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = SystemConfig(engine="openai", url="http://127.0.0.1:1/v1", model="m", api_key_env="MY_KEY")
    monkeypatch.delenv("MY_KEY", raising=False)
    with pytest.raises(ConfigError, match="MY_KEY is not set"):
        open_model(settings)
    monkeypatch.setenv("MY_KEY", "abc")
    assert open_model(settings).name == "m"
