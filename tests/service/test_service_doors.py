"""What stands before the app, and the server's bounds, on real sockets."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi.testclient import TestClient
from service_fakes import ScriptedAssistant, eventually

from medasst.config import parse
from medasst.errors import ConfigError
from medasst.service.app import create_app
from medasst.service.config import ServeConfig
from medasst.service.doors import Entrance, OwnHost
from medasst.service.server import serve

ASK = {"model": "medasst", "messages": [{"role": "user", "content": "我35岁，头疼吃什么药"}], "stream": True}


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8000", 200),
        ("127.0.0.1:1", 200),
        ("127.8.9.1", 200),
        ("[::1]:8000", 200),
        ("shop.localhost", 200),
        ("proxy.example", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.nip.io", 421),
        ("10.0.0.1", 421),
        ("", 421),
    ],
)
def test_only_names_of_this_machine_are_served(host: str, status: int) -> None:
    app = OwnHost(create_app(ScriptedAssistant(), {}, ServeConfig()), ["proxy.example"])
    assert TestClient(app).get("/healthz", headers={"Host": host}).status_code == status


def test_an_entrance_says_that_it_loads_until_it_has_an_app() -> None:
    entrance = Entrance()
    web = TestClient(entrance)
    for answer in (web.get("/healthz"), web.post("/v1/chat/completions", json=ASK)):
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "loading")
        assert answer.headers["retry-after"]
    entrance.app = create_app(ScriptedAssistant(), {}, ServeConfig())
    assert web.get("/healthz").status_code == 200


def test_places_need_slots() -> None:
    model = {"engine": "scripted", "parallel": 3}
    with pytest.raises(ConfigError, match=r"parallel is 3, places are 4"):
        parse(ServeConfig, {"model": model})
    assert parse(ServeConfig, {"model": model, "places": {"guarded": 1, "bare": 2}}).slots == 3


SERVE = """
import asyncio, json, resource, sys, time
from medasst.config import parse
from medasst.models import Delta, engines
from medasst.service.config import ServeConfig
from medasst.service.server import serve

settings, loading, files = json.loads(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
if files:
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))


class Slow:
    name, capabilities = "slow", frozenset(["stream"])

    async def stream(self, conversation, decoding):
        yield Delta("请多喝温水，注意休息。用药之前请")
        await asyncio.sleep(3600)


@engines.register("slow")
def load(config, progress):
    time.sleep(loading)
    return Slow()


port = lambda url: print(url, flush=True)
serve(parse(ServeConfig, {"port": 0, **settings}), progress=None, ready=port)
"""


@contextlib.contextmanager
def service(settings: dict[str, Any] | None = None, loading: float = 0, files: int = 0) -> Iterator[subprocess.Popen[str]]:
    given = {"model": {"engine": "slow"}, **(settings or {})}
    command = [sys.executable, "-c", SERVE, json.dumps(given), str(loading), str(files)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def url_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_sigterm_ends_open_replies_properly() -> None:
    with service({"speech": "wording"}) as process:
        url = url_of(process)
        with httpx.stream("POST", f"{url}/v1/chat/completions", json=ASK, timeout=60) as answer:
            lines = answer.iter_lines()
            got = [next(line for line in lines if line)]  # the reply has begun, the model words its sentences
            process.send_signal(signal.SIGTERM)
            got += [line for line in lines if line]
        _, errors = process.communicate(timeout=60)
    events = [json.loads(line[6:])["medasst"] for line in got if '"medasst":{"reply_id"' in line]
    assert got[-1] == "data: [DONE]"
    assert events[-1]["type"] == "end" and events[-2]["rule"] == "ai_label"
    assert any(event["type"] == "card" for event in events)
    said = "".join(event.get("sentence", "") for event in events)
    assert "请就医" in said and "用药之前请" not in said  # what people wrote stands, half a sentence of the model's doesn't
    assert errors == ""


def test_the_port_answers_while_the_model_loads(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with service({"port": port}, loading=3) as process:
        where = f"http://127.0.0.1:{port}/healthz"

        def answers() -> int:
            with contextlib.suppress(httpx.HTTPError):
                return httpx.get(where, timeout=60).status_code
            return 0

        assert eventually(lambda: answers() == 503)
        assert url_of(process).endswith(f":{port}")
        assert answers() == 200


def test_a_model_that_cannot_be_loaded_ends_the_service() -> None:
    with pytest.raises(ConfigError, match="unknown engine 'abacus'"):
        serve(parse(ServeConfig, {"port": 0, "model": {"engine": "abacus", "base": "none"}}))


HALF_A_BODY = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
)


def connect(url: str, data: bytes = b"") -> socket.socket:
    place = urlsplit(url)
    wire = socket.create_connection((place.hostname, place.port), timeout=60)
    wire.sendall(data)
    return wire


def test_half_open_connections_neither_silence_the_service_nor_fill_the_log() -> None:
    with service(files=256) as process, contextlib.ExitStack() as wires:
        url = url_of(process)
        for _ in range(400):
            wires.enter_context(connect(url, b"GET /healthz HTTP/1.1\r\n"))
        for _ in range(3):
            assert httpx.get(f"{url}/healthz", timeout=60).status_code == 200
        body = {**ASK, "messages": [{"role": "user", "content": "胸口疼，出冷汗"}]}
        assert "acute_coronary" in httpx.post(f"{url}/v1/chat/completions", json=body, timeout=60).text
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert "connections are open" in errors and len(errors.splitlines()) <= 4
    assert "Traceback" not in errors


def test_connections_that_dawdle_are_closed() -> None:
    limits = {"header_seconds": 0.2, "body_seconds": 0.2}
    with service({"limits": limits}) as process:
        url = url_of(process)
        with connect(url) as silent, connect(url, b"POST / HTTP/1.1\r\nHost:") as half:
            assert silent.recv(1) == b""
            assert half.recv(1) == b""
        with connect(url, HALF_A_BODY) as slow:
            assert b" 408 " in slow.recv(100)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert len(errors.splitlines()) == 2 and "Traceback" not in errors


def test_a_client_that_leaves_while_it_sends_is_no_error() -> None:
    with service() as process:
        url = url_of(process)
        connect(url, HALF_A_BODY).close()
        with connect(url, HALF_A_BODY) as wire:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")  # leaves with a reset
        assert httpx.get(f"{url}/healthz", timeout=60).status_code == 200
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert errors == ""
