"""Official clients against a real server on loopback."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import subprocess
import sys
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from service_fakes import BARE, ScriptedAssistant, eventually, running

from medasst.errors import ModelError
from medasst.models import ScriptedModel
from medasst.service.app import create_app
from medasst.service.config import ServeConfig

QUESTION: Any = [{"role": "user", "content": "感冒发烧吃什么药好?"}]


def client(url: str, **settings: Any) -> OpenAI:
    return OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=60, **settings)


def test_the_official_client_streams_and_waits(url: str) -> None:
    with client(url) as ai:
        assert [m.id for m in ai.models.list()] == ["medasst", BARE]
        whole = ai.chat.completions.create(model="medasst", messages=QUESTION)
        assert whole.usage is not None
        assert whole.usage.total_tokens == 48
        assert (whole.model_extra or {})["medasst"]["events"][0]["type"] == "text"
        chunks = list(ai.chat.completions.create(model="medasst", messages=QUESTION, stream=True))
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        assert text.strip() == whole.choices[0].message.content
        assert [(c.model_extra or {})["medasst"]["type"] for c in chunks[1:]][-2:] == ["finding", "end"]
        bare = ai.chat.completions.create(model=BARE, messages=QUESTION)
        assert bare.choices[0].message.content == "多喝水，注意休息。"


async def test_the_async_client_runs_requests_side_by_side(assistant: ScriptedAssistant, url: str) -> None:
    assistant.pause = 0.01

    async def one(ai: AsyncOpenAI, stream: bool) -> str:
        if not stream:
            answer = await ai.chat.completions.create(model="medasst", messages=QUESTION)
            return answer.choices[0].message.content or ""
        chunks = await ai.chat.completions.create(model="medasst", messages=QUESTION, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in chunks]).strip()

    async with AsyncOpenAI(base_url=f"{url}/v1", api_key="none", timeout=30) as ai:
        answers = await asyncio.gather(*(one(ai, n % 2 == 0) for n in range(12)))
    assert len(set(answers)) == 1
    assert assistant.peak > 1
    assert eventually(lambda: assistant.active == 0)


def test_errors_arrive_as_the_clients_own(url: str) -> None:
    with client(url) as ai:
        with pytest.raises(openai.NotFoundError) as missing:
            ai.chat.completions.create(model="gpt-4", messages=QUESTION, stream=True)
        assert missing.value.code == "model_not_found"
        with pytest.raises(openai.BadRequestError) as empty:
            ai.chat.completions.create(model="medasst", messages=[])
        assert (empty.value.code, empty.value.param) == ("empty_messages", "messages")


def test_a_failure_in_mid_stream_raises_in_the_client() -> None:
    broken = ScriptedAssistant(failure=ModelError("the engine stopped"), fail_at=1)
    with running(create_app(broken, {}, ServeConfig())) as url, client(url) as ai:
        got = []
        with pytest.raises(openai.APIError, match="the engine stopped"):
            got.extend(ai.chat.completions.create(model="medasst", messages=QUESTION, stream=True))
        assert any(chunk.choices[0].delta.content for chunk in got)


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_stops_the_reply(assistant: ScriptedAssistant, url: str, stream: bool) -> None:
    assistant.pause = 5
    place = urlsplit(url)
    body = json.dumps({"model": "medasst", "messages": QUESTION, "stream": stream}).encode()
    with socket.create_connection((place.hostname, place.port)) as wire:
        headers = f"Host: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        wire.sendall(f"POST /v1/chat/completions HTTP/1.1\r\n{headers}".encode() + body)
        assert eventually(lambda: assistant.active == 1)
    assert eventually(lambda: assistant.closed == 1 and assistant.active == 0)


def test_chinese_survives_frames_cut_anywhere(url: str) -> None:
    """Read byte by byte, the stream is the same text: no frame depends on where the network cuts it."""
    with client(url) as ai, ai.chat.completions.with_streaming_response.create(
        model="medasst", messages=QUESTION, stream=True
    ) as answer:  # fmt: skip
        raw = b"".join(answer.iter_bytes(1))
    datas = [json.loads(line[6:]) for line in raw.decode().split("\n") if line.startswith("data: {")]
    assert "普通感冒多为病毒引起" in "".join(d["choices"][0]["delta"].get("content") or "" for d in datas)


def test_curl_as_in_the_readme(url: str) -> None:
    body = json.dumps({"model": "medasst", "messages": QUESTION, "stream": True})
    command = ["curl", "-sN", f"{url}/v1/chat/completions", "-H", "Content-Type: application/json", "-d", body]
    try:
        out = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout.decode()
    except FileNotFoundError:
        pytest.skip("no curl")
    assert out.startswith('data: {"id":"chatcmpl-')
    assert out.endswith("data: [DONE]\n\n")


def test_server_logs_hold_no_words(url: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "uvicorn"), client(url) as ai:
        ai.chat.completions.create(model="medasst", messages=QUESTION)
    assert eventually(lambda: '"POST /v1/chat/completions HTTP/1.1" 200' in caplog.text)
    server_logs = "".join(r.getMessage() for r in caplog.records if r.name.startswith(("uvicorn", "medasst")))
    assert "感冒" not in server_logs


def test_the_shop_rooms_need_no_torch() -> None:
    """Serving vetted knowledge installs without the training extra."""
    code = (
        "import sys, medasst.service.app, medasst.service.terminal; sys.exit(bool({'torch', 'transformers'} & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=300).returncode == 0


def test_a_scripted_model_is_served_like_any(url: str, bare: ScriptedModel) -> None:
    bare.enqueue("甲。乙。丙。")
    with client(url) as ai:
        answer = ai.chat.completions.create(model=BARE, messages=QUESTION, stop=["丙"], max_tokens=50)
    assert answer.choices[0].message.content == "甲。乙。"
    assert answer.choices[0].finish_reason == "stop"
