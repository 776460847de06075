"""Long and hostile conversations: read to the end, in bounded steps, beside the event loop."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from sample_shop import ASSISTANT as BARE

from medasst.assistant import Ask, Assistant, Card, Event, Finding, plain_text
from medasst.conversation import Conversation, Message
from medasst.safety import Facts


def users(*turns: str) -> Conversation:
    """User turns, each but the last one answered."""
    return Conversation.of([m for turn in turns for m in (("user", turn), ("assistant", "好的。"))][:-1])


async def collect(assistant: Assistant, conversation: Conversation, *, unread: bool = False) -> list[Event]:
    return [event async for event in assistant.reply(conversation, unread=unread)]


HOSTILE = [
    "头孢",
    "没有胸痛",
    "一",
    "没怀孕",
    "在吃着了过",
    "嗯",
    "没有发烧、",
    "对甲过敏",
    "谢谢你啊",
    "3个月",
    "\u0301",
    "👍",
]
CHAT = ["今天好一点了", "昨晚睡得不错", "吃了点粥", "窗外下雨了"]


def test_what_was_said_six_hundred_turns_ago_still_counts() -> None:
    chat = CHAT * 150
    allergic = BARE.draft(users("我对布洛芬过敏", *chat, "头疼能吃布洛芬吗"))
    assert not [e for e in allergic.body if isinstance(e, Card)]
    danger = BARE.draft(users("胸口疼得厉害", *chat, "我35岁，头疼吃什么药"))
    assert isinstance(danger.body[0], Finding) and danger.body[0].rule == "acute_coronary"
    assert [e for e in BARE.draft(users(*chat, "我35岁，头疼吃什么药")).body if isinstance(e, Card)]


def test_turns_left_out_make_allergy_pregnancy_and_drugs_unknown() -> None:
    talk = users("我没有怀孕", "我35岁，头疼吃什么药")
    assert [e for e in BARE.draft(talk).body if isinstance(e, Card)]
    unread = BARE.draft(talk, unread=True)
    assert not [e for e in unread.body if isinstance(e, Card)]
    assert isinstance(unread.body[0], Finding) and unread.body[0].rule == "person.unread"
    asks = [e for e in unread.tail if isinstance(e, Ask)]
    assert len(asks) == 1 and all(word in asks[0].question for word in ("过敏", "怀孕", "吃什么药"))
    facts = Facts.of(BARE.rules.patient(["我没有怀孕，不哺乳"]), unread=True)
    assert (facts.pregnant, facts.nursing, facts.unread) == (None, None, True)
    assert Facts.of(BARE.rules.patient(["我怀孕了"]), unread=True).pregnant is True


def test_an_emergency_is_the_same_where_turns_were_left_out() -> None:
    talk = users("胸口疼得厉害，出冷汗")
    assert BARE.draft(talk, unread=True) == BARE.draft(talk)


def test_a_list_of_allergies_that_never_ends_counts_as_unknown() -> None:
    facts = Facts.of(BARE.rules.patient(["".join(f"对第{n}种药过敏，" for n in range(400))]))
    assert facts.unread and len(facts.allergies) < 100
    few = Facts.of(BARE.rules.patient(["对花粉过敏，对海鲜过敏"]))
    assert few.allergies == ("花粉", "海鲜") and not few.unread


def emergencies(*turns: str) -> set[str]:
    told = BARE.rules.state([Message("user", turn) for turn in turns])
    return {alarm.rule.id for alarm in BARE.rules.alarms(told) if alarm.level == "emergency"}


def test_earlier_emergencies_stand_while_other_things_are_said() -> None:
    turns = ["宝宝两个月了", "胃口还行", "发烧了", "没有胸痛", "头有点晕"]
    first = emergencies(*turns[:3])
    assert first and first <= emergencies(*turns)


def test_what_is_said_over_two_turns_is_read_together() -> None:
    asked = [Message("user", "孩子发烧"), Message("assistant", "请问孩子多大、体重多少公斤？"), Message("user", "3个月了")]
    assert BARE.rules.state(asked).current.slot("age").number == 3


def test_denials_stay_denials_however_many() -> None:
    assert not emergencies("没有胸痛，" * 3) and not emergencies("没有胸痛，" * 500)


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_over_and_over_gets_a_reply(text: str) -> None:
    turns = [text * (4000 // len(text))] * 6
    assert plain_text([*(draft := BARE.draft(users(*turns, "嗯" * 60 + "谢"))).body, *draft.tail])


@pytest.mark.parametrize("text", ["？", "……", "👍", "：）"])
def test_a_turn_without_a_letter_is_answered(text: str) -> None:
    draft = BARE.draft(users(text))
    assert draft.body or draft.tail


async def test_the_loop_goes_on_while_a_conversation_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, go_on = threading.Event(), threading.Event()
    drafted = Assistant._drafted

    def slowly(self: Assistant, conversation: Conversation, *, unread: bool) -> Any:
        reading.set()
        assert go_on.wait(60)
        return drafted(self, users("头疼"), unread=unread)

    monkeypatch.setattr(Assistant, "_drafted", slowly)
    long = asyncio.create_task(collect(BARE, users("头疼" * 10_000)))
    async with asyncio.timeout(60):
        while not reading.is_set():
            await asyncio.sleep(0.001)
    monkeypatch.undo()
    short = await asyncio.wait_for(collect(BARE, users("胸口疼得厉害")), 60)  # not behind the long one
    assert isinstance(short[0], Finding) and not long.done()
    go_on.set()
    await long
