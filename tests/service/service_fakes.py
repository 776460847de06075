"""A scripted assistant and a real server on loopback."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from medasst.assistant.events import AI_LABEL, Ask, Card, Citation, End, Event, Finding, HandOff, Text
from medasst.conversation import Conversation
from medasst.service.listen import Server, address, open_socket

BARE = "medasst-bare"
LABEL = Finding(AI_LABEL, "info", "本回答由人工智能生成，仅供参考，不能代替医生诊断和药师指导。", "1")
NOTICED = Finding(AI_LABEL, "info", f"请按药品说明书或者在药师指导下购买和使用。{LABEL.message}", "1")

COLD = (
    Text("普通感冒多为病毒引起，一般一周左右自行好转。"),
    Text("发热或浑身酸痛时，可以用对乙酰氨基酚缓解。\n"),
    Text("服药期间不要饮酒，也不要同时吃其他含对乙酰氨基酚的感冒药。"),
    Citation("对乙酰氨基酚片说明书", "注意事项", "服用本品期间不得饮酒或含有酒精的饮料。"),
    Citation("对乙酰氨基酚片说明书", "适应症"),
    Card("OTC-002", "用于缓解发热和轻至中度疼痛。", "对乙酰氨基酚片说明书·适应症",
         "对乙酰氨基酚片", "片剂", "0.5g", "12片/盒", 9.8, "otc-a"),
    Citation("板蓝根颗粒说明书", "功能主治"),
    Card("OTC-019", "用于咽喉肿痛等感冒不适。", "板蓝根颗粒说明书·功能主治",
         "板蓝根颗粒", "颗粒剂", "10g", "20袋/包", 15.5, "otc-b"),
    Ask("请问是谁用药？", ("成人", "三岁以下儿童", "孕妇或哺乳期")),
    NOTICED,
    End("stop", {"prompt_tokens": 31, "completion_tokens": 17}),
)  # fmt: skip
CHEST_PAIN = (
    Finding("chest_pain", "emergency", "胸痛伴出汗、憋气可能是急性心肌梗死，请立即拨打 120，停止活动，不要自行驾车。", "1"),
    Text("等待急救时请坐下或半躺，解开衣领，身边留人。"),
    LABEL,
    End("red_flag"),
)
PRESCRIPTION = (
    Text("阿莫西林胶囊是处方药，需要医生开具处方，我不能介绍它的适应症和用量。", "prescription_gate"),
    HandOff("prescription", "请先就诊或在线复诊开方，凭处方由药师审核后购买。"),
    Text("请不要用家里剩下的抗菌药自行治疗。"),
    LABEL,
    End("prescription"),
)
SCRIPTS = {"胸痛": CHEST_PAIN, "胸口": CHEST_PAIN, "阿莫西林": PRESCRIPTION}


class ScriptedAssistant:
    """Says its script; keeps what it was asked, and how many replies were ended early."""

    name = "medasst"

    def __init__(self, pause: float = 0.0, failure: Exception | None = None, fail_at: int = 0) -> None:
        self.pause, self.failure, self.fail_at = pause, failure, fail_at
        self.asked: list[Conversation] = []
        self.active = self.peak = self.closed = 0
        self.unread = False

    async def reply(self, conversation: Conversation, *, unread: bool = False) -> AsyncIterator[Event]:
        self.unread = unread
        self.asked.append(conversation)
        question = conversation.messages[-1].content
        script = next((events for word, events in SCRIPTS.items() if word in question), COLD)
        self.active += 1
        self.peak = max(self.peak, self.active)
        try:
            for place, event in enumerate(script):
                if self.failure and place == self.fail_at:
                    raise self.failure
                await asyncio.sleep(self.pause)
                yield event
        except (GeneratorExit, asyncio.CancelledError):
            self.closed += 1
            raise
        finally:
            self.active -= 1


@contextmanager
def running(app: Any) -> Iterator[str]:
    """The app on a real server; yields its address."""
    with open_socket("127.0.0.1", 0) as listener:
        ready = threading.Event()
        # Access logs on: a test looks for shoppers' words in them.
        config = uvicorn.Config(app, log_config=None, log_level="info", lifespan="off", timeout_graceful_shutdown=1)
        server = Server(config, ready.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        assert ready.wait(60)
        try:
            yield address(listener)
        finally:
            server.should_exit = True
            thread.join(30)


def eventually(holds: Callable[[], bool], seconds: float = 60.0) -> bool:
    """Whether something comes true soon."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True
