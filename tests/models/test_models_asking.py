"""Endpoints that are busy, slow, broken or lying: asked again where that helps, counted where it doesn't, never a crash."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from email.utils import formatdate
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

pytest.importorskip("openai")

from medasst.conversation import Conversation
from medasst.errors import MedasstError, UnsupportedError
from medasst.models import ChoiceQuery, Decoding
from medasst.models.asking import HOPELESS
from medasst.models.endpoint import EndpointModel
from medasst.models.patience import TRIES, Patience
from medasst.models.requests import as_answered

Faults = dict[str, list[str]]  # what goes wrong with the first requests for a text, in turn


class Rough(ThreadingHTTPServer):
    """Repeats the last message, after what `faults` says of it; a fault of "*" meets every request."""

    faults: Faults
    asked: Counter[str]
    began: list[float]
    under_way: int = 0
    most: int = 0
    wait: float = 0.0
    retry_after: str = ""
    vllm: bool = True
    daemon_threads = True


class Handler(BaseHTTPRequestHandler):
    server: Rough

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path.endswith("/tokenize"):
            self._tokenize(body)
        elif self.path.endswith("/completions") and "prompt" in body:
            self._prompt_logprobs(body)
        else:
            self._chat(body)

    def _chat(self, body: dict[str, Any]) -> None:
        text = body["messages"][-1]["content"]
        self.server.asked[text] += 1
        self.server.began.append(time.monotonic())
        self.server.under_way += 1
        self.server.most = max(self.server.most, self.server.under_way)
        time.sleep(self.server.wait)
        self.server.under_way -= 1
        left = self.server.faults.get(text) or self.server.faults.get("*") or []
        fault = (left[0] if "*" in self.server.faults else left.pop(0)) if left else ""
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text * 2}}
        good = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
        whole = json.dumps(good).encode()
        if fault.isdigit():
            self._send(int(fault), b'{"error": {"message": "fault"}}')
        elif fault == "slow":
            time.sleep(0.6)
            self._send(200, whole)
        elif fault == "half":  # the connection goes in the middle
            self._send(200, whole[:40], size=len(whole))
        elif fault == "hang up":
            self.connection.close()
        elif fault == "html":
            self._send(200, b"<html>welcome</html>", kind="text/html")
        else:
            self._send(200, {"torn": whole[:-9], "list": b"[1, 2]", "none": b'{"choices": []}'}.get(fault, whole))

    def _tokenize(self, body: dict[str, Any]) -> None:
        """A token is a character; a chat is `role:content;`, then `A:`."""
        self.server.asked["tokenize"] += 1
        if not self.server.vllm:
            return self._send(404, b'{"error": {"message": "no such page"}}')
        text = body.get("prompt")
        if text is None:
            *before, last = body["messages"]
            text = "".join(f"{m['role'][0]}:{m['content']};" for m in before)
            text += f"A:{last['content']}" if body.get("continue_final_message") else f"{last['role'][0]}:{last['content']};A:"
        return self._send(200, json.dumps({"tokens": [ord(c) for c in text], "count": len(text)}).encode())

    def _prompt_logprobs(self, body: dict[str, Any]) -> None:
        """A character's log-probability is less a hundredth of its number modulo 100. The choices come in another order."""
        self.server.asked["scored"] += 1
        fault = (self.server.faults.get("scored") or [""]).pop(0)
        choices = []
        for index, ids in enumerate(body["prompt"]):
            column: list[Any] = [None] + [{str(i): {"logprob": -(i % 100) / 100, "rank": 1}} for i in ids[1:]]
            choice = {"index": index, "text": "", "prompt_logprobs": column[: -1 if fault == "short" else None]}
            choices.append({} if fault == "bare" else choice if fault != "without" else {"index": index, "text": ""})
        self._send(200, json.dumps({"choices": choices[::-1]}).encode())

    def _send(self, status: int, data: bytes, *, kind: str = "application/json", size: int = 0) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(size or len(data)))
        if self.server.retry_after:
            self.send_header("retry-after", self.server.retry_after)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rough]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    rough = Rough(("127.0.0.1", 0), Handler)
    rough.faults, rough.asked, rough.began = {}, Counter(), []
    thread = threading.Thread(target=rough.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield rough
    rough.shutdown()
    thread.join()
    rough.server_close()


def model(server: Rough, **settings: Any) -> EndpointModel:
    settings = {"patience": partial(Patience, first=0.001, most=0.002), "timeout": 0.3, "parallel": 4} | settings
    return EndpointModel(f"http://127.0.0.1:{server.server_port}/v1", "m", **settings)


def talks(*texts: str) -> list[Conversation]:
    return [Conversation.of([("user", text)]) for text in texts]


@pytest.mark.parametrize("fault", ["429", "500", "503", "408", "slow", "half", "hang up", "html", "torn", "list", "none"])
def test_what_passes_is_asked_again(server: Rough, fault: str) -> None:
    server.faults = {"甲": [fault, fault]}
    asked = talks("甲", "乙")
    done = {c.id: c for c in model(server).generate(asked, Decoding())}
    assert [(done[t.id].text, done[t.id].error) for t in asked] == [("甲甲", None), ("乙乙", None)]
    assert (server.asked["甲"], server.asked["乙"]) == (3, 1)


@pytest.mark.parametrize("fault", ["500", "html", "half"])
def test_what_does_not_pass_is_counted_and_stops_nobody(server: Rough, fault: str) -> None:
    server.faults = {"甲": [fault] * 100}
    asked = talks("甲", "乙")
    done = {c.id: c for c in model(server).generate(asked, Decoding())}
    assert (done[asked[0].id].finish_reason, done[asked[1].id].text) == ("error", "乙乙")
    assert "the endpoint http" in (done[asked[0].id].error or "")
    assert server.asked["甲"] == TRIES


def test_the_questions_own_failure_is_not_repeated(server: Rough) -> None:
    server.faults = {"甲": ["400"] * 100}
    (done,) = model(server).generate(talks("甲"), Decoding())
    assert (done.finish_reason, server.asked["甲"]) == ("error", 1)


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_the_server_says_how_long_to_wait(server: Rough, form: str) -> None:
    server.faults = {"甲": ["429"]}
    server.retry_after = "0.3" if form == "seconds" else formatdate(time.time() + 2, usegmt=True)
    (done,) = model(server).generate(talks("甲"), Decoding())
    assert done.text == "甲甲"
    assert server.began[1] - server.began[0] >= (0.3 if form == "seconds" else 0.9)


def test_a_wait_of_hours_is_given_up(server: Rough) -> None:
    server.faults, server.retry_after = {"甲": ["429"] * 9}, "7200"
    (done,) = model(server).generate(talks("甲"), Decoding())
    assert (done.finish_reason, server.asked["甲"]) == ("error", 1)


def test_no_more_at_a_time_and_no_more_a_minute_than_agreed(server: Rough) -> None:
    server.wait = 0.02
    asked = talks(*(f"问题{n}" for n in range(20)))
    assert len({c.text for c in model(server, parallel=3).generate(asked, Decoding())}) == 20
    assert server.most == 3
    server.began.clear()
    list(model(server, per_minute=1200).generate(asked[:8], Decoding()))
    gaps = [later - earlier for earlier, later in zip(server.began, server.began[1:], strict=False)]
    assert sum(gaps) >= 7 * 0.05 - 0.03


@pytest.mark.parametrize("fault", ["500", "401", "404"])
def test_an_endpoint_that_stays_away_is_given_up(server: Rough, fault: str) -> None:
    server.faults = {"*": [fault]}
    asked = talks(*(f"问题{n}" for n in range(HOPELESS + 30)))
    done = list(model(server).generate(asked, Decoding()))
    assert {c.id for c in done} == {t.id for t in asked}
    assert {c.finish_reason for c in done} == {"error"}
    assert sum("not asked" in (c.error or "") for c in done) >= 20
    assert len(server.asked) < HOPELESS + 5


def test_leaving_ends_all_waiting(server: Rough) -> None:
    server.faults, server.retry_after = {"甲": ["429"] * 9}, "500"
    running = model(server, parallel=2).generate(talks("乙", "甲"), Decoding())
    assert next(running).text == "乙乙"
    began = time.monotonic()
    running.close()  # type: ignore[attr-defined]
    assert time.monotonic() - began < 5


def test_a_very_long_answer_is_kept_whole(server: Rough) -> None:
    (done,) = model(server).generate(talks("长" * 5000), Decoding())
    assert (len(done.text), done.finish_reason) == (10_000, "stop")


@pytest.mark.parametrize("fault", ["html", "torn", "half", "list"])
async def test_garbage_ends_a_stream_in_words(server: Rough, fault: str) -> None:
    server.faults = {"甲": [fault] * 100}
    with pytest.raises(MedasstError):
        [delta async for delta in model(server).stream(talks("甲")[0], Decoding())]


def test_many_questions_are_not_handed_over_at_once() -> None:
    class Watched(list[int]):
        taken = 0

        def __iter__(self) -> Iterator[int]:
            for self.taken in range(10_000):
                yield self.taken

    queries = Watched()
    answers = as_answered(lambda n: n, queries, 4)
    assert next(answers) in range(8)
    assert queries.taken < 10
    answers.close()  # type: ignore[attr-defined]


def logprob(text: str) -> float:
    return -sum(ord(c) % 100 for c in text) / 100


def test_options_are_scored_by_vllms_prompt_logprobs(server: Rough) -> None:
    query = ChoiceQuery("q", "题目：缺什么？\n答案：", ("维生素C", "铁"))
    chat = ChoiceQuery("c", talks("缺什么？")[0], ("维生素C", "铁"))
    found = {s.id: s for s in model(server).score([query, chat])}
    for name in ("q", "c"):
        assert found[name].logprobs == pytest.approx((logprob("维生素C"), logprob("铁")))
        assert found[name].token_counts == (4, 1)
    assert server.asked["scored"] == 2  # a question's options together


@pytest.mark.parametrize("fault", ["short", "bare"])
def test_scores_of_something_else_are_asked_again(server: Rough, fault: str) -> None:
    server.faults = {"scored": [fault, ""]}
    (found,) = model(server).score([ChoiceQuery("q", "问", ("甲", "乙"))])
    assert (found.error, len(found.logprobs), server.asked["scored"]) == (None, 2, 2)


@pytest.mark.parametrize("options", [(), ("",), ("甲", "")])
def test_what_has_no_likelihood_is_a_failure(server: Rough, options: tuple[str, ...]) -> None:
    (found,) = model(server).score([ChoiceQuery("q", "问", options)])
    assert (found.logprobs, "no likelihood" in (found.error or "")) == ((), True)


@pytest.mark.parametrize("lacks", ["tokenize", "prompt_logprobs"])
def test_an_endpoint_that_is_not_vllm_is_unsupported(server: Rough, lacks: str) -> None:
    server.vllm = lacks != "tokenize"
    server.faults = {"scored": ["without"]}
    with pytest.raises(UnsupportedError, match=lacks):
        list(model(server).score([ChoiceQuery("q", "问", ("甲", "乙"))]))
