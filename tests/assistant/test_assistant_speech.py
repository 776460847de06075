"""The model's part: what it may word, answer and read, and that nothing it does badly reaches anybody or keeps them waiting."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import AsyncIterator, Callable

import pytest
from sample_shop import ASSISTANT as BARE

from medasst.assistant import Assistant, Card, End, Event, Finding, Text, plain_text
from medasst.assistant.events import AI_LABEL, Ask, HandOff
from medasst.assistant.heard import Ear, Notes
from medasst.assistant.reading import READ
from medasst.assistant.reply import OWN_WORDS
from medasst.assistant.shop import Shop
from medasst.conversation import Conversation
from medasst.models import Decoding, Delta, ScriptedModel, Speech
from medasst.models.places import Placed, Places
from medasst.safety import Context

HEADACHE = "我35岁，头疼吃什么药"
KNOWLEDGE = "为什么人会打哈欠"
REST = "到安静、暗一点的地方休息，补足水和睡眠。"  # the first sentence that the counter says to a headache
RESTED = "找个安静、暗一点的地方休息，水和睡眠补足了。"
OWN = "打哈欠多半是困了或者待在闷的地方久了。开窗透透气、起来走一走就会好些。"


def talk(*turns: str) -> Conversation:
    """User and assistant turns in alternation."""
    return Conversation.of([("user" if place % 2 == 0 else "assistant", turn) for place, turn in enumerate(turns)])


def reply(assistant: Assistant, *turns: str) -> list[Event]:
    async def collect() -> list[Event]:
        return [event async for event in assistant.reply(talk(*turns))]

    return asyncio.run(collect())


def speaking(model: object, speech: Speech = "wording", *, reads: bool = False, patience: float = 20.0) -> Assistant:
    parts = BARE.catalogue, BARE.rules, BARE.vetted
    settings = {"shop": Shop.from_samples(), "speech": speech, "reads": reads, "patience": patience}
    return Assistant(*parts, model, **settings)  # type: ignore[arg-type]


def of(kind: type, events: list[Event]) -> list:
    return [event for event in events if isinstance(event, kind)]


def said(events: list[Event]) -> list[str]:
    return [event.as_text() for event in events]


def reworded(change: Callable[[str], str]) -> ScriptedModel:
    """A model that changes each numbered line it is given."""

    def script(conversation: Conversation) -> str:
        lines = re.findall(r"^(\d+)\. (.+)$", conversation.messages[-1].content, re.MULTILINE)
        return "\n".join(f"{number}. {change(text)}" for number, text in lines)

    return ScriptedModel(script)


# Nothing, unless it is allowed


@pytest.mark.parametrize("turn", [HEADACHE, KNOWLEDGE])
def test_a_model_without_leave_says_nothing_and_is_not_asked(turn: str) -> None:
    model = ScriptedModel([f"1. {RESTED}"])
    assert said(reply(speaking(model, "none"), turn)) == said(reply(BARE, turn)) and not model.calls


@pytest.mark.parametrize("turn", ["胸口压榨一样疼", "来一盒阿莫西林", "孩子2个月，发烧39度"])
def test_beside_a_danger_or_a_prescription_no_model_is_asked(turn: str) -> None:
    model = ScriptedModel([f"1. {RESTED}"])
    assert said(reply(speaking(model, "answers", reads=True), turn)) == said(reply(BARE, turn)) and not model.calls


# Wording


def test_a_sentence_leaves_in_the_models_words_and_only_once() -> None:
    model = ScriptedModel([f"1. {RESTED}"])
    events = reply(speaking(model), HEADACHE)
    texts = [event.sentence for event in of(Text, events)]
    assert texts[0] == RESTED and REST not in "".join(texts)
    assert said(events)[1:] == said(reply(BARE, HEADACHE))[1:]
    assert events[-1].usage["completion_tokens"] == len(f"1. {RESTED}")


def test_a_model_sees_free_sentences_alone() -> None:
    model = ScriptedModel([""])
    reply(speaking(model), HEADACHE)
    prompt = "".join(message.content for message in model.calls[0][0].messages)
    assert REST in prompt and "35" not in prompt
    for kept in ("布洛芬", "0.5g", "就医", "元"):
        assert kept not in prompt


def test_what_was_said_in_the_models_words_is_not_said_again() -> None:
    assistant = speaking(ScriptedModel([f"1. {RESTED}"]))
    first = plain_text(reply(assistant, HEADACHE))
    again = plain_text(reply(assistant, HEADACHE, first, "头疼得厉害，吃什么"))
    assert RESTED in first and REST not in again and RESTED not in again


@pytest.mark.parametrize(
    "theirs",
    [
        "到安静、暗一点的地方休息，补足水和睡眠，不用管它。",  # denies
        "到安静、暗一点的地方休息三天，补足水和睡眠。",  # a number
        "到安静的地方休息，补足水和睡眠，吃片布洛芬。",  # a medicine
        "到安静、暗一点的地方休息，补足水和睡眠，胸痛也一样。",  # a finding
        "到安静、暗一点的地方休息，补足水和睡眠就能保证好。",  # a promise
        "到安静、暗一点的地方休息，补足水。再去医院看。",  # two sentences
        "多喝温水，注意休息。",  # another sentence
        "\ufffd个安静、暗一点的地方休息，水和睡眠补足了。",  # half a character
        "到安静、暗一点的地方休息，补足水和睡眠，早点睡，早点起，多走走，多晒太阳。",  # more
        REST,  # nothing new
    ],
)
def test_another_meaning_keeps_the_composed_sentence(theirs: str) -> None:
    assert said(reply(speaking(ScriptedModel([f"1. {theirs}"])), HEADACHE)) == said(reply(BARE, HEADACHE))


@pytest.mark.parametrize("turn", [HEADACHE, "我嗓子疼两天了，没别的病", "孩子5岁，蚊子咬了很痒", "有痔疮平时要注意什么"])
def test_whatever_is_worded_warnings_cards_and_questions_stand(turn: str) -> None:
    plainly = reply(BARE, turn)
    worded = reply(speaking(reworded(lambda text: "您" + text.rstrip("。；") + "就好。")), turn)
    for kind in (Card, Finding, Ask, HandOff):
        assert of(kind, worded) == of(kind, plainly)
    grounds = plain_text(plainly)
    for text in of(Text, worded):
        if text not in plainly:
            assert BARE.rules.check_sentence(text.sentence, Context("model", grounds)).ok


@pytest.mark.parametrize("turn", [HEADACHE, KNOWLEDGE])
def test_whatever_a_model_says_each_sentence_that_leaves_passes_the_check(turn: str) -> None:
    parts = [
        "孕妇",
        "可以吃",
        "阿莫西林",
        "一次两片",
        "。",
        "布洛芬",
        "多喝温水",
        "注意休息",
        "，",
        "！",
        "根治",
        "请咨询药师",
        "输液",
        "头痛",
        "打哈欠",
        "困了",
        "没事",
        "孩子",
        "mg",
        "3",
        "每日",
    ]
    parts += ["\n1. ", "\n2. ", "到安静、暗一点的地方休息，", "补足水和睡眠", "服药期间不得饮酒", "用于缓解轻至中度疼痛"]
    chance = random.Random(7)
    plainly = reply(BARE, turn)
    composed = {text.sentence for text in of(Text, plainly)}
    free = Context("model", plain_text(plainly), own_words=turn == KNOWLEDGE)
    for _ in range(40):
        model = ScriptedModel(["".join(chance.choices(parts, k=chance.randint(3, 25)))])
        events = reply(speaking(model, "answers", reads=True), turn)
        assert of(Card, events) == of(Card, plainly)
        for text in of(Text, events):
            assert text.sentence in composed or BARE.rules.check_sentence(text.sentence, free).ok, text.sentence


# Bad engines


class Slow:
    """Speaks a piece, then too late, and remembers whether it was stopped."""

    name, capabilities = "slow", frozenset({"stream"})

    def __init__(self, first: str = "1. ", *, stubborn: bool = False) -> None:
        self.first, self.stubborn, self.stopped = first, stubborn, False

    async def stream(self, conversation: Conversation, decoding: Decoding) -> AsyncIterator[Delta]:
        try:
            yield Delta(self.first)
            until = time.monotonic() + 3
            while time.monotonic() < until:
                try:
                    await asyncio.sleep(3)
                except asyncio.CancelledError:
                    if not self.stubborn:
                        raise
            yield Delta(RESTED, "stop")
        finally:
            self.stopped = True


class Dying:
    """Breaks off in the middle of a line."""

    name, capabilities = "dying", frozenset({"stream"})

    async def stream(self, conversation: Conversation, decoding: Decoding) -> AsyncIterator[Delta]:
        yield Delta(RESTED[:12])
        raise RuntimeError("secret")


class Endless:
    """Says the same for ever."""

    name, capabilities = "endless", frozenset({"stream"})

    async def stream(self, conversation: Conversation, decoding: Decoding) -> AsyncIterator[Delta]:
        while True:
            yield Delta("多喝水，多喝水。\n")


BAD = {
    "empty": ScriptedModel([""]),
    "fails": ScriptedModel([RuntimeError("secret")]),
    "dies": Dying(),
    "hangs": Slow(),
    "deaf": Slow(stubborn=True),
    "endless": Endless(),
    "english": ScriptedModel(["1. Rest in a quiet dark room and drink water.\n2. Take two pills."]),
    "loop": ScriptedModel(["1. 休息休息休息休息休息休息休息休息休息休息\n" * 40]),
    "leak": ScriptedModel(["你是网上药店的助手，用通俗的中文回答。\n把下面每句话换个说法，像药店柜台的人那样亲切、简短。"]),
    "roles": ScriptedModel(["用户：我头疼\n助手：1. 吃阿莫西林，一次两粒，每天三次。"]),
    "garbage": ScriptedModel(["�� <eos> 1. {{{ ]] ￥#@！\n2. �"]),
    "long": ScriptedModel(["1. " + "到安静的地方休息，" * 1200]),
    "dose": ScriptedModel(["布洛芬一次吃三片，每天四次。保证治好。加我微信wx123。"]),
    "stops": ScriptedModel(["不用担心，降压药先停了吧。"]),
}


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("turn", [HEADACHE, KNOWLEDGE])
def test_a_bad_engine_leaves_the_reply_as_it_was_composed_in_time(kind: str, turn: str) -> None:
    async def timed() -> tuple[list[Event], float]:
        began = time.monotonic()
        assistant = speaking(BAD[kind], "answers", reads=True, patience=0.3)
        return [event async for event in assistant.reply(talk(turn))], time.monotonic() - began

    events, seconds = asyncio.run(timed())
    assert seconds < 2.9
    assert said(events) == said(reply(BARE, turn))
    assert isinstance(events[-1], End) and events[-2].rule == AI_LABEL
    if kind == "hangs":
        assert BAD[kind].stopped  # type: ignore[union-attr]


def test_what_stands_before_the_first_free_sentence_does_not_wait() -> None:
    async def first() -> Event:
        events = speaking(Slow()).reply(talk("我在吃华法林，头疼能吃布洛芬吗，平时要注意什么"))
        event = await asyncio.wait_for(anext(events), timeout=5)
        await events.aclose()  # type: ignore[attr-defined]
        return event

    assert isinstance(asyncio.run(first()), Finding)


def test_what_a_model_said_in_time_counts() -> None:
    events = reply(speaking(Slow(f"1. {RESTED}\n2. "), patience=0.3), HEADACHE)
    assert of(Text, events)[0].sentence == RESTED and of(Card, events)


def test_a_reader_who_leaves_stops_the_model() -> None:
    async def leave() -> Slow:
        slow = Slow(f"1. {RESTED}\n2. ")
        events = speaking(slow, reads=True).reply(talk(HEADACHE))
        await anext(events)
        await events.aclose()  # type: ignore[attr-defined]
        return slow

    assert asyncio.run(leave()).stopped


def test_where_no_place_is_free_the_reply_says_so() -> None:
    async def collect() -> list[Event]:
        places = Places(1)
        place = places.enter()
        events = [event async for event in speaking(Placed(ScriptedModel([RESTED]), places)).reply(talk(HEADACHE))]
        place.leave()
        return events

    assert [one.rule for one in of(Finding, asyncio.run(collect()))][-2:] == ["model_busy", AI_LABEL]


def test_failures_are_noted_without_the_shoppers_words(caplog: pytest.LogCaptureFixture) -> None:
    async def listen() -> Notes:
        notes = Notes()
        async for _ in Ear(ScriptedModel([RuntimeError(HEADACHE)]), Decoding(), 1.0).pieces(
            talk("x"), re.compile("。"), 99, notes
        ):
            pass
        return notes

    assert asyncio.run(listen()).refused == ["error"] and HEADACHE not in caplog.text


# Its own words


def test_what_nobody_wrote_an_answer_to_is_answered_in_its_own_words_and_marked() -> None:
    events = reply(speaking(ScriptedModel([OWN]), "answers"), KNOWLEDGE)
    mark, *rest = events
    assert isinstance(mark, Finding) and mark.rule == OWN_WORDS and "AI" in mark.message and "药师" in mark.message
    assert "".join(text.sentence for text in of(Text, rest)) == OWN
    assert of(HandOff, rest) and "没有可靠的资料" not in plain_text(events)


def test_the_first_refused_sentence_ends_the_answer() -> None:
    model = ScriptedModel(["打哈欠多半是困了。困得厉害就吃两片咖啡因。起来走一走就会好些。"])
    assert [text.sentence for text in of(Text, reply(speaking(model, "answers"), KNOWLEDGE))] == ["打哈欠多半是困了。"]


@pytest.mark.parametrize(
    "turns",
    [
        (HEADACHE,),
        ("布洛芬为什么伤胃",),
        ("我在吃华法林", "记下了。", KNOWLEDGE),
        ("胸口压榨一样疼", "请拨打120。", KNOWLEDGE),
        ("店里几点关门",),
        ("水银体温计打碎了怎么办",),
        ("谢谢",),
    ],
)
def test_it_answers_no_complaint_no_medicine_no_shop_and_nobody_in_danger(turns: tuple[str, ...]) -> None:
    events = reply(speaking(ScriptedModel([OWN]), "answers"), *turns)
    assert OWN_WORDS not in [finding.rule for finding in of(Finding, events)] and OWN not in plain_text(events)


def test_wording_alone_answers_nothing() -> None:
    model = ScriptedModel([OWN])
    assert said(reply(speaking(model, "wording"), KNOWLEDGE)) == said(reply(BARE, KNOWLEDGE)) and not model.calls


# Reading


def reads(answer: str) -> Assistant:
    return speaking(ScriptedModel([answer]), "none", reads=True)


def test_signs_that_a_model_read_are_asked_about_and_take_nothing_away() -> None:
    turn = "我爸嗓子疼，胸口像压了块磨盘，吃什么药"
    plainly = reply(BARE, "我爸嗓子疼，心里不得劲，吃什么药")
    events = reply(reads("不适：胸痛（心里不得劲）"), "我爸嗓子疼，心里不得劲，吃什么药")
    (asked,) = [finding for finding in of(Finding, events) if finding.rule == READ]
    assert "胸痛" in asked.message and "？" in asked.message and asked.severity == "warning"
    assert [event for event in events if event is not asked][:-1] == plainly[:-1]
    assert of(Finding, reply(BARE, turn))


@pytest.mark.parametrize(
    "answer",
    [
        "不适：胸痛（胸口压着疼）",  # words that nobody wrote
        "不适：胸痛",
        "不适：无（心里不得劲）",
        "胸痛，请马上打120！",
        "不适：月亮（心里不得劲）",
        "年龄：70岁（我今年七十）",
    ],
)
def test_what_does_not_stand_in_the_turn_is_not_read(answer: str) -> None:
    turn = "我爸嗓子疼，心里不得劲，吃什么药"
    assert said(reply(reads(answer), turn)) == said(reply(BARE, turn))


def test_a_slot_that_a_model_read_is_asked_for_once_and_never_where_it_is_known() -> None:
    turn, question = "我嗓子疼，肚里有货了，能吃什么", BARE.rules.questions["pregnant"].text
    answer = "怀孕：是（肚里有货了）"
    plainly, events = reply(BARE, turn), reply(reads(answer), turn)
    new = [event for event in events if event not in plainly]
    assert [ask.question for ask in new if isinstance(ask, Ask)] in ([question], [])
    assert len(of(Ask, events)) <= 2
    told = reply(reads(answer), "我35岁，没怀孕也没喂奶，嗓子疼，肚里有货了，能吃什么")
    assert question not in [ask.question for ask in of(Ask, told)]
