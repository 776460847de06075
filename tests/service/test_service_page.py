"""The chat page in a headless Chromium; skipped where there is none."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from service_fakes import COLD, ScriptedAssistant, eventually, running

from medasst.errors import ModelError
from medasst.models import ScriptedModel
from medasst.service.app import create_app
from medasst.service.config import ServeConfig

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium installed")

PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 800}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any, url: str) -> Iterator[Any]:
    """The page at phone width; a script error or a refusal by its own policy fails the test."""
    page = browser.new_page(viewport=PHONE)
    page.set_default_timeout(60_000)
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda message: troubles.append(message.text) if "Content Security Policy" in message.text else None)
    page.goto(url)
    page.wait_for_selector("#models label")
    yield page
    page.close()
    assert troubles == []


def put(page: Any, question: str) -> None:
    page.fill("#question", question)
    page.press("#question", "Enter")


def settled(page: Any) -> None:
    page.wait_for_selector("#stop", state="hidden")


@pytest.mark.parametrize("size", [PHONE, DESKTOP])
def test_an_ordinary_answer_shows_products_sources_and_the_label(page: Any, size: Any) -> None:
    page.set_viewport_size(size)
    page.click("#suggestions button >> nth=0")
    settled(page)
    assert "感冒发烧" in page.inner_text(".user p")
    body = page.inner_text(".reply .body")
    for words in ("一般一周左右自行好转。", "¥9.80", "甲类", "乙类", "片剂 · 0.5g · 12片/盒", "按药品说明书", "人工智能"):
        assert words in body
    assert page.locator(".body > p").first.inner_text().count("。") == 2  # two sentences of one paragraph
    assert "查看依据" in body
    assert "·适应症" not in body  # folded away until asked for, and no line of its own
    page.click(".card summary >> nth=0")
    assert "对乙酰氨基酚片说明书·适应症" in page.inner_text(".reply .body")
    assert page.locator(".cards").count() == 1
    assert "不得饮酒" not in body
    page.click(".citation summary")
    assert "不得饮酒" in page.inner_text(".citation")
    assert page.is_hidden("#welcome")
    assert page.is_hidden("#alarm")
    assert page.is_visible(".reply h3 .ai")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_red_flag_is_pinned_and_calls(page: Any) -> None:
    put(page, "胸口痛，出冷汗")
    settled(page)
    assert "危及生命" in page.inner_text("#alarm strong")
    assert "120" in page.inner_text("#alarm a")
    assert "急性心肌梗死" in page.inner_text(".note.emergency")
    assert page.get_attribute("#alarm a", "href") == "tel:120"
    put(page, "感冒了吃什么")
    settled(page)
    assert page.is_visible("#alarm")  # a later turn doesn't take it away
    page.click("#new")
    assert page.is_hidden("#alarm")
    assert page.is_visible("#welcome")


def test_prescription_drugs_lead_to_the_pharmacist(page: Any) -> None:
    put(page, "阿莫西林怎么吃")
    settled(page)
    assert "处方药" in page.inner_text(".by-rule")
    assert "药师" in page.inner_text(".hand-off")
    assert page.locator(".card").count() == 0


def test_later_questions_carry_the_conversation(page: Any, assistant: ScriptedAssistant) -> None:
    put(page, "感冒发烧")
    settled(page)
    page.click(".options button >> nth=0")
    settled(page)
    turns = assistant.asked[1].messages
    assert [m.role for m in turns] == ["user", "assistant", "user"]
    assert turns[1].content.startswith("普通感冒")
    assert turns[2].content == "成人"


def test_enter_of_an_input_method_does_not_send(page: Any, assistant: ScriptedAssistant) -> None:
    page.fill("#question", "感冒")
    enter = "(composing) => question.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', isComposing: composing}))"
    page.evaluate(enter, True)
    page.press("#question", "Shift+Enter")
    assert page.input_value("#question") == "感冒\n"
    assert assistant.asked == []
    page.evaluate(enter, False)
    assert eventually(lambda: len(assistant.asked) == 1)
    settled(page)


def test_stop_keeps_what_was_said(page: Any, assistant: ScriptedAssistant) -> None:
    assistant.pause = 2
    put(page, "感冒发烧")
    page.wait_for_selector(".body > p")
    page.click("#stop")
    settled(page)
    body = page.inner_text(".reply .body")
    assert "普通感冒" in body
    assert "已停止回答" in body
    assert "人工智能" not in body
    assert eventually(lambda: assistant.active == 0)
    assert assistant.closed == 1


def test_a_failure_offers_another_try(page: Any, assistant: ScriptedAssistant) -> None:
    assistant.failure, assistant.fail_at = ModelError("stopped"), 1
    put(page, "感冒发烧")
    page.wait_for_selector(".failure button")
    assistant.failure = None
    page.click(".failure button")
    page.wait_for_selector(".card")
    settled(page)
    assert page.locator(".failure").count() == 0
    assert page.locator(".user").count() == 1
    assert page.locator(".reply").count() == 1


def focused(page: Any) -> str:
    return str(page.evaluate("document.activeElement.id"))


def test_the_focus_stays_where_one_goes_on(page: Any, assistant: ScriptedAssistant) -> None:
    page.focus("#suggestions button >> nth=0")
    page.keyboard.press("Enter")
    settled(page)
    assert focused(page) == "question"
    page.focus(".options button >> nth=0")
    page.keyboard.press("Enter")
    settled(page)
    assert page.evaluate("document.activeElement.textContent") == "成人"  # it is still there: the focus too
    page.fill("#question", "感冒")
    page.focus("#send")
    page.keyboard.press("Enter")
    settled(page)
    assert focused(page) == "question"
    assistant.failure = ModelError("stopped")
    put(page, "感冒")
    page.wait_for_selector(".failure button")
    assistant.failure = None
    page.focus(".failure button")
    page.keyboard.press("Enter")
    page.wait_for_selector(".failure", state="detached")
    settled(page)
    assert focused(page) == "question"


def test_all_turns_are_sent(page: Any, assistant: ScriptedAssistant) -> None:
    for n in range(14):
        put(page, f"第{n}句")
        settled(page)
    assert [m.content for m in assistant.asked[-1].messages if m.role == "user"] == [f"第{n}句" for n in range(14)]


def test_half_an_answer_is_no_turn(page: Any, assistant: ScriptedAssistant) -> None:
    put(page, "我对青霉素过敏")
    settled(page)
    assistant.failure, assistant.fail_at = ModelError("stopped"), 2
    put(page, "感冒发烧")
    page.wait_for_selector(".failure button")
    assert page.locator(".reply.partial .body > p").count() > 0
    assistant.failure = None
    page.click(".failure button")
    settled(page)
    turns = [m.role for m in assistant.asked[-1].messages]
    assert turns == ["user", "assistant", "user"]
    assistant.failure = ModelError("stopped")
    put(page, "吃了两天")
    page.wait_for_selector(".failure button")
    assistant.failure = None
    put(page, "还是发烧")  # one goes on without another try
    settled(page)
    told = assistant.asked[-1].messages
    assert [m.content for m in told if m.role == "user"] == ["我对青霉素过敏", "感冒发烧", "吃了两天", "还是发烧"]
    assert [m.role for m in told] == ["user", "assistant", "user", "assistant", "user", "user"]


def test_at_four_hundred_per_cent_there_is_room_to_read(page: Any) -> None:
    page.set_viewport_size({"width": 320, "height": 256})
    put(page, "胸口痛，出冷汗")
    settled(page)
    alarm, box = page.locator("#alarm").bounding_box(), page.locator("#composer .box").bounding_box()
    assert box["y"] - (alarm["y"] + alarm["height"]) >= 120  # between what stays in view
    assert box["y"] + box["height"] <= 256
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator(".user").bounding_box()["y"] < box["y"]
    page.mouse.wheel(0, 3000)
    assert eventually(lambda: bool(page.evaluate("scrollY + innerHeight >= document.documentElement.scrollHeight - 1")))
    assert page.is_visible("#alarm a")


def test_a_lost_connection_is_told(page: Any) -> None:
    cut = 'data: {"choices":[{"index":0,"delta":{"content":"普通"},"finish_reason":null}]}\n\n'
    page.route("**/v1/chat/completions", lambda route: route.fulfill(body=cut, content_type="text/event-stream"))
    put(page, "感冒")
    page.wait_for_selector(".failure")
    assert "中断" in page.inner_text(".failure")
    page.route("**/v1/chat/completions", lambda route: route.abort())
    page.click(".failure button")
    page.wait_for_selector(".failure >> text=连不上")


def test_the_bare_model_comes_with_a_warning_and_its_text_stays_text(page: Any, bare: ScriptedModel) -> None:
    bare.enqueue("<img src=x onerror=alert(1)>多喝水。")
    put(page, "感冒发烧")
    settled(page)
    page.click("#models label >> nth=1")
    assert page.is_visible("#bare-warning")
    assert page.locator(".reply").count() == 0  # the two don't share a conversation
    put(page, "感冒")
    settled(page)
    assert page.inner_text(".reply.bare .body") == "<img src=x onerror=alert(1)>多喝水。"
    assert "未经检查" in page.inner_text(".reply.bare h3")
    page.click("#models label >> nth=0")
    assert page.is_hidden("#bare-warning")
    assert page.locator(".card").count() == 2


def test_without_a_model_there_is_nothing_to_switch(browser: Any) -> None:
    with running(create_app(ScriptedAssistant(), {}, ServeConfig())) as url:
        page = browser.new_page(viewport=PHONE)
        page.goto(url)
        page.wait_for_load_state("networkidle")
        assert page.is_hidden("#models")
        page.close()


def test_chinese_cut_in_two_by_the_network_stays_whole(page: Any) -> None:
    """A proxy may cut a stream inside a character; each byte arrives alone here."""
    text = COLD[0].sentence  # type: ignore[union-attr]
    chunk = {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}
    body = f": ping\n\ndata: {json.dumps(chunk, ensure_ascii=False)}\n\ndata: [DONE]\n\n".encode()

    page.evaluate(
        """bytes => { window.fetch = async () => new Response(new ReadableStream({ async start(stream) {
          for (const byte of bytes) { stream.enqueue(new Uint8Array([byte])); await new Promise((go) => setTimeout(go)); }
          stream.close();
        } })); }""",
        list(body),
    )
    put(page, "感冒")
    settled(page)
    assert page.inner_text(".reply .body") == text


def test_keys_reach_everything_and_motion_can_be_off(page: Any) -> None:
    page.emulate_media(reduced_motion="reduce")
    seen = set()
    for _ in range(12):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.id || document.activeElement.tagName + document.activeElement.type"))
    assert seen >= {"question", "INPUTradio", "BUTTONbutton"}
    assert page.get_attribute("#log", "aria-live") == "polite"
    assert page.get_attribute("#alarm", "role") == "alert"
