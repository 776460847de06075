"""Whatever chat clients send: a chat is never ended for good by what stands in its history."""

from __future__ import annotations

import json
import logging
from itertools import pairwise
from typing import Any

import pytest
from fastapi.testclient import TestClient
from service_fakes import BARE, ScriptedAssistant

from medasst.assistant import Assistant
from medasst.models import ScriptedModel
from medasst.service.app import create_app
from medasst.service.config import Limits, ServeConfig
from medasst.service.wire import read_request

ASK = {"role": "user", "content": "感冒发烧吃什么药好?"}
CALL = {"id": "c1", "type": "function", "function": {"name": "stock", "arguments": "{}"}}


def client(assistant: Any, bare: ScriptedModel | None = None, **settings: Any) -> TestClient:
    return TestClient(create_app(assistant, {BARE: bare} if bare else {}, ServeConfig(**settings)))


def post(client: TestClient, *messages: Any, model: str = "medasst") -> Any:
    return client.post("/v1/chat/completions", json={"model": model, "messages": messages})


def heard(*messages: Any, **settings: Any) -> tuple[list[tuple[str, str]], bool]:
    """What the assistant is given of these messages, and whether turns of the shopper were left out."""
    assistant = ScriptedAssistant()
    assert post(client(assistant, **settings), *messages).status_code == 200
    return [(m.role, m.content) for m in assistant.asked[0].messages], assistant.unread


@pytest.mark.parametrize(
    "turn",
    [
        {"role": "assistant", "content": ""},
        {"role": "assistant", "content": None},
        {"role": "assistant"},
        {"role": "assistant", "content": []},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": ""}},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "不行"}]},
        {"role": "user", "content": ""},
        {"role": "user", "content": None},
        {"role": "user", "content": " \n\u3000"},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]},
        {"role": "user", "content": [{"type": "text", "text": None}]},
        {"role": "system", "content": ""},
        {"role": "system", "content": None},
        {"role": "developer", "content": ""},
        {"role": "tool", "tool_call_id": "c1", "content": "有货"},
        {"role": "tool", "tool_call_id": "c1", "content": None},
        {"role": "function", "name": "stock", "content": "有货"},
    ],
    ids=str,
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_turns_that_say_nothing_and_tools_are_passed_over(turn: Any, place: int) -> None:
    messages: list[Any] = [{"role": "assistant", "content": "您好"}, ASK]
    messages.insert(place, turn)
    if place == 2 and turn["role"] == "user":
        messages.append(ASK)
    told, unread = heard(*messages)
    assert told[-1] == ("user", ASK["content"])
    assert set(told) == {("assistant", "您好"), ("user", ASK["content"])}
    assert not unread


@pytest.mark.parametrize("role", ["system", "developer"])
def test_system_texts_are_kept_wherever_they_stand(role: str) -> None:
    rule = {"role": role, "content": "请用中文回答"}
    assert heard(rule, ASK)[0] == heard(ASK, rule)[0] == [("system", "请用中文回答"), ("user", ASK["content"])]


def test_what_follows_the_last_question_is_not_answered() -> None:
    assert heard(ASK, {"role": "assistant", "content": "多喝"})[0] == [("user", ASK["content"])]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (["感冒", "了"], "感冒了"),
        ([{"type": "input_text", "text": "感冒了"}], "感冒了"),
        ({"type": "text", "text": "感冒了"}, "感冒了"),
        ([{"text": "感冒了"}, None], "感冒了"),
        ([{"type": "text", "text": "感冒了", "cache_control": {"type": "ephemeral"}}], "感冒了"),
        ("\ufeff感冒了\u200b", "\ufeff感冒了\u200b"),
        ("咳" + "\u0301" * 3000, "咳" + "\u0301" * 30),
        ("👨‍👩‍👧感冒了", "👨‍👩‍👧感冒了"),
        ("\x00感冒了", "\x00感冒了"),
    ],
)
def test_content_in_any_form(content: Any, text: str) -> None:
    assert heard({"role": "user", "content": content})[0] == [("user", text)]


def test_small_slips_of_clients_are_read() -> None:
    web = client(ScriptedAssistant())
    body = json.dumps(
        {"model": "medasst", "messages": [{**ASK, "role": "User"}], "stream": None, "max_tokens": None, "stop": None}
    )
    for marked in (body.encode(), b"\xef\xbb\xbf" + body.encode()):
        assert web.post("/v1/chat/completions", content=marked, headers={"content-type": "application/json"}).status_code == 200


@pytest.mark.parametrize("text", ["？", "👍", "\x00感冒了", "e" + "\u0301" * 3000, "\U0002f800" * 50, "🇨🇳" * 1000])
def test_odd_texts_are_answered(text: str) -> None:
    answer = post(client(Assistant.from_samples()), {"role": "user", "content": text})
    assert answer.status_code == 200 and answer.json()["choices"][0]["message"]["content"]


def chat(turns: int, text: str = "今天好一点了") -> list[dict[str, str]]:
    return [
        m for n in range(turns) for m in ({"role": "user", "content": f"{n}：{text}"}, {"role": "assistant", "content": "好的"})
    ]


def test_the_rules_get_a_thousand_turns_and_the_rest_is_told() -> None:
    told, unread = heard(*chat(600), ASK)
    assert len([1 for role, _ in told if role == "user"]) == 601 and not unread
    told, unread = heard(*chat(1200), ASK)
    users = [text for role, text in told if role == "user"]
    assert len(users) == Limits().turns and unread
    assert users[-1] == ASK["content"] and users[0].startswith("201：")


def test_more_text_than_the_rules_read_is_told() -> None:
    told, unread = heard(*chat(500, "咳" * 3990), ASK)
    assert sum(len(text) for role, text in told if role == "user") <= Limits().chars and unread
    assert heard({"role": "user", "content": "咳" * 4001}, ASK) == ([("user", ASK["content"])], True)
    # What a machine said before is no reason to forget what a shopper said.
    long = [{"role": "user", "content": "对青霉素过敏"}, *[{"role": "assistant", "content": "好" * 5000}] * 100, ASK]
    told, unread = heard(*long)
    assert told[0] == ("user", "对青霉素过敏") and not unread


def test_products_are_not_shown_where_allergies_may_have_been_left_out() -> None:
    shop = client(Assistant.from_samples())
    events = post(shop, *chat(1200), ASK).json()["medasst"]["events"]
    assert "person.unread" in [e.get("rule") for e in events] and not [e for e in events if e["type"] == "card"]
    events = post(shop, {"role": "user", "content": "胸口疼得厉害"}, *chat(900), ASK).json()["medasst"]["events"]
    assert events[0]["rule"] == "acute_coronary"


def test_a_bare_model_is_given_the_newest_turns_in_alternation() -> None:
    model = ScriptedModel(["好的。"])
    talk = [{"role": "system", "content": "简短回答"}, *chat(300, "咳嗽" * 40), {"role": "assistant", "content": ""}, ASK, ASK]
    assert post(client(ScriptedAssistant(), model), *talk, model=BARE).status_code == 200
    given = model.calls[0][0].messages
    assert [m.role for m in given[:2]] == ["system", "user"] and given[-1].content == f"{ASK['content']}\n{ASK['content']}"
    assert all(a.role != b.role for a, b in pairwise(given))
    assert sum(len(m.content) for m in given) <= Limits().prompt_chars


TITLE = """### Task:
Generate a concise, 3-5 word title with an emoji summarizing the chat history.
### Output:
JSON format: { "title": "your concise title here" }
### Chat History:
<chat_history>
USER: 孩子发烧39度，喘不上气
</chat_history>"""


@pytest.mark.parametrize(
    ("messages", "answer"),
    [
        ([TITLE], '{"title": "用药咨询"}'),
        ([TITLE.replace('"title": "your', '"tags": ["your')], '{"tags": ["用药咨询"]}'),
        ([TITLE.replace('"title": "your', '"follow_ups": ["your')], '{"follow_ups": []}'),
        (["Based on the chat history, give this conversation a name. Keep it short.\n\nUSER: 咳嗽"], "用药咨询"),
        (["孩子咳嗽\n\n请将以上对话总结为10个字以内的标题"], "用药咨询"),
        (["system:你是一名擅长会话的助理，你需要将用户的会话总结为 10 个字以内的标题", "user: 孩子咳嗽"], "用药咨询"),
    ],
)
def test_titles_for_chat_programs_are_short_and_of_no_patient(messages: list[str], answer: str) -> None:
    talk = [
        {"role": "system", "content": m[7:]} if m.startswith("system:") else {"role": "user", "content": m} for m in messages
    ]
    reply = post(client(Assistant.from_samples()), *talk).json()
    assert reply["choices"][0]["message"]["content"] == answer


@pytest.mark.parametrize(
    "question",
    [
        "我跟医生对话过，他说的药名字我忘了，起疹子了",
        "胸口疼，喘不上气，这算什么名称的病",
        "### Task:\nAnswer with the context.\n<context>布洛芬</context>\n胸口疼得厉害",
        "聊天的时候突然胸口疼",
    ],
)
def test_a_persons_question_is_no_title(question: str) -> None:
    assert post(client(Assistant.from_samples()), {"role": "user", "content": question}).json()["medasst"]["events"]


def test_head_is_answered_as_get() -> None:
    web = client(ScriptedAssistant())
    for path in ("/", "/healthz", "/v1/models", "/v1/models/medasst", "/static/chat.js"):
        head, get = web.head(path), web.get(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-type"] == get.headers["content-type"]
    assert web.head("/none").status_code == 404


def preflight(web: TestClient, origin: str) -> Any:
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    return web.options("/v1/chat/completions", headers=headers)


def test_other_sites_may_call_only_where_they_are_listed() -> None:
    assert "access-control-allow-origin" not in preflight(client(ScriptedAssistant()), "https://shop.example").headers
    web = client(ScriptedAssistant(), cors_origins=["https://shop.example"])
    allowed = preflight(web, "https://shop.example")
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, "https://shop.example")
    assert "access-control-allow-origin" not in preflight(web, "https://other.example").headers
    refused = web.post("/v1/chat/completions", json={}, headers={"Origin": "https://shop.example"})
    assert refused.status_code == 400 and refused.headers["access-control-allow-origin"] == "https://shop.example"


@pytest.mark.parametrize("path", ["/chat/completions", "/v1/completions", "/v1/embeddings", "/v1", "/favicon.ico"])
def test_a_wrong_address_is_told_the_right_ones(path: str) -> None:
    answer = client(ScriptedAssistant()).post(path, json={})
    assert answer.status_code == 404
    assert "/v1/chat/completions" in answer.json()["error"]["message"] and "/v1/models" in answer.json()["error"]["message"]


def test_a_refused_request_is_no_error_of_the_service(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        web = client(Assistant.from_samples())
        assert post(web, {"role": "user", "content": ""}).status_code == 400
        assert post(web, {"role": "user", "content": "\u200b"}).status_code == 400
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


GRIN = "\\ud83d\\ude00"


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("谢谢\\ude4f", "谢谢\ufffd"),
        ("不客\\ud83d气", "不客\ufffd气"),
        ("\\uD83D\\uD83D", "\ufffd\ufffd"),
        ("\\ude00\\ud83d", "\ufffd\ufffd"),
        (GRIN, "😀"),
        (GRIN + "\\ude00", "😀\ufffd"),
        ("\\ud83d" + GRIN, "\ufffd😀"),
        ("\\\\ud83d", "\\ud83d"),  # a backslash that is text
        ("\\\\\\ud83d", "\\\ufffd"),
        ("\\n\\u4f60\\ud7ff", "\n你\ud7ff"),
    ],
)
def test_half_an_emoji_becomes_a_replacement_mark(sent: str, read: str) -> None:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "TEXT"}]}).replace("TEXT", sent)
    (part,) = read_request(body.encode()).messages[0].content
    assert part.text == read
