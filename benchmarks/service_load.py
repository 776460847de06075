"""What the service does under load: danger beside a busy model, texts made to hold it up, many connections, much talk.

    python benchmarks/service_load.py [danger blocking rate memory chats] [--base BASE] [--conversations 1000] [--chats 8]

Starts the service in a process of its own on a free loopback port and ends it. The load is open: requests leave on
time, however late the answers are. The model is a scripted one that holds its place; `--base` serves a real one by
llama.cpp for `memory`, and for `chats`, which needs one.
Prints one line a figure. Runs for about two minutes, with a real model as long as its conversations take.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from medasst.config import parse
from medasst.conversation import Conversation
from medasst.models import Decoding, Delta, SystemConfig, engines
from medasst.service.config import ServeConfig
from medasst.service.server import serve

DANGER = "胸口疼，出冷汗"
ORDINARY = "头疼吃什么药"
HOSTILE = {
    "头孢 2,000 times": ["头孢" * 2000],
    "没有胸痛 1,000 times": ["没有胸痛" * 1000],
    "没怀孕 1,300 times": ["没怀孕" * 1300],
    "一 4,000 times": ["一" * 4000],
    "500 allergies": ["".join(f"对甲{n}过敏" for n in range(500))],
    "combining marks": ["咳" + "\u0301\u0323" * 1900],
    "20 turns of 3,600": ["没有发烧、发烧、咳嗽、" * 330] * 20,
    "500 turns of 4,000": ["在吃头孢，没怀孕，胸口不疼" * 300] * 500,
}


class Held:
    """A model that says a sentence and then keeps its place for a while."""

    name, capabilities = "held", frozenset({"stream"})

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    async def stream(self, _conversation: Conversation, _decoding: Decoding) -> AsyncIterator[Delta]:
        yield Delta("请多喝温水，注意休息。")
        await asyncio.sleep(self.seconds)
        yield Delta("", "stop", 10, 10)


@engines.register("held")
def _held(config: SystemConfig, _progress: object) -> Any:
    return Held(float(config.replies[0]))


class Service:
    """The service in a process of its own, until the block is left."""

    def __init__(self, model: dict[str, Any]) -> None:
        self._settings = json.dumps({"port": 0, "model": model})

    def __enter__(self) -> Service:
        command = [sys.executable, __file__, "--serve", self._settings]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self._process.stdout is not None
        place = urlsplit(self._process.stdout.readline().strip())
        self.host, self.port = place.hostname or "", place.port or 0
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    @property
    def megabytes(self) -> float:
        """Memory that is its own (resident, not shared with files)."""
        status = Path(f"/proc/{self._process.pid}/status").read_text("utf-8")
        return int(next(line for line in status.splitlines() if line.startswith("RssAnon")).split()[1]) / 1024

    async def connect(self) -> Wire:
        return Wire(*await asyncio.open_connection(self.host, self.port, limit=2**24))


class Wire:
    """One connection, kept open from request to request."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, body: bytes, until: bytes) -> float:
        """Seconds until the reply to a request holds `until`; inf where it is refused."""
        head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        return await self._timed(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body, until)

    async def probe(self) -> float:
        """Seconds that /healthz takes."""
        return await self._timed(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", b'{"status":"ok"}')

    async def _timed(self, request: bytes, until: bytes) -> float:
        started = time.perf_counter()
        self.writer.write(request)
        head = await self.reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            return float("inf")
        await self.reader.readuntil(until)
        return time.perf_counter() - started

    async def end(self) -> None:
        """Read what is left of a stream, so that the next request can follow."""
        await self.reader.readuntil(b"0\r\n\r\n")


def body(*turns: str, model: str = "medasst") -> bytes:
    messages = [m for turn in turns for m in ({"role": "user", "content": turn}, {"role": "assistant", "content": "好的。"})]
    request = {"model": model, "messages": messages[:-1], "stream": True}
    return json.dumps(request, ensure_ascii=False).encode()


async def danger() -> None:
    """The first sentence of a red flag while every place of the model is taken."""
    for label, talks in {
        "8 guarded": [body(ORDINARY)] * 8,
        "40 bare": [body(ORDINARY, model="medasst-bare")] * 40,
        "8 guarded, 40 bare": [body(ORDINARY)] * 8 + [body(ORDINARY, model="medasst-bare")] * 40,
    }.items():
        with Service({"engine": "held", "replies": ["60"]}) as service:
            await (await service.connect()).ask(body(ORDINARY, DANGER), b'"finding"')  # warm
            busy = [asyncio.create_task((await service.connect()).ask(talk, b"[DONE]")) for talk in talks]
            times = await _dangers(service)
            for task in busy:
                task.cancel()
        print(f"danger beside {label}: first sentence {_milliseconds(times)}", flush=True)


async def _dangers(service: Service) -> list[float]:
    """Twenty red flags within two seconds, a second after the load began."""
    await asyncio.sleep(1)
    asking = []
    for _ in range(20):
        asking.append(asyncio.create_task(_first_sentence(service)))
        await asyncio.sleep(0.1)
    return await asyncio.gather(*asking)


async def _first_sentence(service: Service) -> float:
    wire = await service.connect()
    with contextlib.suppress(TimeoutError, asyncio.IncompleteReadError):
        async with asyncio.timeout(15):
            return await wire.ask(body(DANGER), b"120")
    return float("inf")


async def blocking() -> None:
    """How long /healthz waits while a text made to hold the service up is read; and how long that takes."""
    with Service({"engine": "held", "replies": ["0"]}) as service:
        await (await service.connect()).ask(body(ORDINARY), b"[DONE]")
        print(f"healthz alone: {_milliseconds(await _probed(service, asyncio.sleep(2)))}", flush=True)
        for label, turns in HOSTILE.items():
            talk = body(*turns)
            wire = await service.connect()
            reading = asyncio.create_task(_bounded(wire.ask(talk, b"[DONE]")))
            waits = await _probed(service, reading)
            took = await reading
            answered = f"answered in {took:.2f} s" if took != float("inf") else "refused"
            print(f"{label}: {answered}; healthz {_milliseconds(waits)}", flush=True)


async def _bounded(work: Any) -> float:
    with contextlib.suppress(TimeoutError, asyncio.IncompleteReadError):
        async with asyncio.timeout(60):
            return float(await work)
    return float("inf")


async def _probed(service: Service, work: Any) -> list[float]:
    """Times of /healthz, asked every 10 ms until `work` is done."""
    task, wire, times = asyncio.ensure_future(work), await service.connect(), []
    while True:
        times.append(await wire.probe())
        if task.done():
            return times
        await asyncio.sleep(0.01)


async def rate() -> None:
    """Ordinary messages at a given rate over 200 connections: how many are answered, and when."""
    for a_second in (20, 50, 100, 200):
        with Service({"engine": "held", "replies": ["0"]}) as service:
            free: asyncio.Queue[Wire] = asyncio.Queue()
            for _ in range(200):
                free.put_nowait(await service.connect())
            started = time.perf_counter()
            tasks = []
            for n in range(a_second * 5):
                await asyncio.sleep(max(0.0, started + n / a_second - time.perf_counter()))
                tasks.append(asyncio.create_task(_message(free, time.perf_counter())))
            times = await asyncio.gather(*tasks)
            took = time.perf_counter() - started
        good = [t for t in times if t != float("inf")]
        lost = len(times) - len(good)
        print(f"{a_second} messages/s: {len(good) / took:.0f} answered a second, {lost} not; {_milliseconds(good)}", flush=True)


async def _message(free: asyncio.Queue[Wire], due: float) -> float:
    """From when the message was due: waiting for a connection counts."""
    wire = await free.get()
    try:
        async with asyncio.timeout(30):
            if await wire.ask(body(ORDINARY), b"[DONE]\n\n") == float("inf"):
                return float("inf")
            await wire.end()
    except (TimeoutError, OSError, asyncio.IncompleteReadError):
        return float("inf")
    free.put_nowait(wire)
    return time.perf_counter() - due


async def chats(base: str | None, at_once: int) -> None:
    """Guarded chats with a real model: how long they take, in how many the model was heard to its end; danger beside them."""
    with Service({"engine": "llama.cpp", "base": base}) as service:
        asking = [asyncio.create_task(_chat(service, question)) for question in _QUESTIONS[:at_once]]
        times = await _dangers(service)
        told = await asyncio.gather(*asking)
    heard = sum(through for _, through, _ in told)
    busy = sum(busy for _, _, busy in told)
    ends = ", ".join(f"{seconds:.1f}" for seconds, _, _ in sorted(told))
    print(
        f"{at_once} guarded chats: the model heard out in {heard}, told to be busy in {busy}; ended after {ends} s",
        flush=True,
    )
    print(f"danger beside them: first sentence {_milliseconds(times)}", flush=True)


_ASKED = ("头疼吃什么药", "拉肚子怎么办", "脚气痒用什么药膏")
_QUESTIONS = [f"{who}{what}" for who in ("我", "老公", "同事", "朋友") for what in _ASKED]


async def _chat(service: Service, question: str) -> tuple[float, bool, bool]:
    """How long a chat took, whether the model was heard in it, and whether it was told to be busy."""
    wire = await service.connect()
    started = time.perf_counter()
    await wire.ask(body(question), b'"role":"assistant"')
    reply = (await wire.reader.readuntil(b"[DONE]")).decode()
    lines = [json.loads(line[6:]) for line in reply.split("\n") if line.startswith("data: {")]
    events = [line["medasst"] for line in lines if "medasst" in line]
    return time.perf_counter() - started, events[-1]["usage"]["completion_tokens"] > 0, "model_busy" in reply


async def memory(base: str | None, conversations: int) -> None:
    """Memory of the service as conversations come and go, each of its own words."""
    model = {"engine": "llama.cpp", "base": base} if base else {"engine": "held", "replies": ["0"]}
    with Service(model) as service:
        wire = await service.connect()
        for n, name in zip(range(conversations + 1), _names(), strict=False):
            if n in (10, conversations // 4, conversations // 2, conversations):
                print(f"memory after {n} conversations: {service.megabytes:.0f} MB", flush=True)
            talk = body(f"我叫{name}，{ORDINARY}，" + f"昨天{name}也是这样，" * 40, model="medasst-bare")
            request = json.loads(talk) | {"max_tokens": 2}
            await wire.ask(json.dumps(request, ensure_ascii=False).encode(), b"[DONE]\n\n")
            await wire.end()


def _names() -> Iterator[str]:
    while True:
        for first in "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许":
            for second in "天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往秋收冬藏闰余成岁律吕调阳云腾致雨露结为霜金生丽水玉出昆冈":
                yield first + second


def _milliseconds(times: list[float]) -> str:
    ordered = sorted(times)
    middle, high = statistics.median(ordered), ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    return f"median {middle * 1000:.0f} ms, 99 % {high * 1000:.0f} ms, most {ordered[-1] * 1000:.0f} ms (n {len(times)})"


def main() -> None:
    """Measure what is asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["danger", "blocking", "rate", "memory"])
    parser.add_argument("--base", help="for memory and chats: a base that llama.cpp serves")
    parser.add_argument("--conversations", type=int, default=1000)
    parser.add_argument("--chats", type=int, default=8)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(parse(ServeConfig, json.loads(arguments.serve)), ready=lambda url: print(url, flush=True))
        return
    parts: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
        "danger": danger,
        "blocking": blocking,
        "rate": rate,
        "memory": lambda: memory(arguments.base, arguments.conversations),
        "chats": lambda: chats(arguments.base, arguments.chats),
    }
    for part in arguments.parts:
        asyncio.run(parts[part]())


if __name__ == "__main__":
    main()
