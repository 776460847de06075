"""Places of a model: bounded, in order, and closed at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from medasst.conversation import Conversation
from medasst.models import Decoding, Delta, ScriptedModel
from medasst.models.places import Busy, Placed, Places

TALK = Conversation.of([("user", "你好")])


class Endless:
    """Says a word, then nothing more until it is stopped."""

    name, capabilities = "endless", frozenset({"stream"})

    def __init__(self) -> None:
        self.stopped = 0

    async def stream(self, conversation: Conversation, decoding: Decoding) -> AsyncIterator[Delta]:
        try:
            yield Delta("您好。")
            await asyncio.Event().wait()
        finally:
            self.stopped += 1


async def test_a_full_house_sends_away_and_the_line_moves_in_order() -> None:
    places = Places(1, line=2)
    first, second, third = (places.enter() for _ in range(3))
    with pytest.raises(Busy, match="waiting"):
        places.enter()
    assert [p.given.is_set() for p in (first, second, third)] == [True, False, False]
    first.leave()
    first.leave()
    assert [p.given.is_set() for p in (second, third)] == [True, False]
    third.leave()  # who leaves the line makes room in it
    places.enter()
    second.leave()


async def test_a_burst_counts_before_anything_has_begun() -> None:
    places = Places(2, line=3)
    entered = [places.enter() for _ in range(5)]
    with pytest.raises(Busy):
        places.enter()
    for place in entered:
        place.leave()
    assert places.enter().given.is_set()


async def test_a_place_says_what_the_model_says() -> None:
    placed = Placed(ScriptedModel(["多喝水，注意休息。"], step=3), Places(1))
    for _ in range(3):
        deltas = [delta async for delta in placed.stream(TALK, Decoding())]
        assert "".join(delta.text for delta in deltas) == "多喝水，注意休息。"
        assert deltas[-1].finish_reason == "stop"


async def test_failures_pass_and_free_the_place() -> None:
    placed = Placed(ScriptedModel([RuntimeError("gone")]), Places(1))
    for _ in range(2):
        with pytest.raises(RuntimeError, match="gone"):
            await anext(aiter(placed.stream(TALK, Decoding())))


async def test_no_place_is_told_at_once_and_a_left_stream_frees_it() -> None:
    model = Endless()
    placed = Placed(model, Places(1))
    speaking = placed.stream(TALK, Decoding())
    assert (await anext(speaking)).text == "您好。"
    with pytest.raises(Busy):
        await anext(aiter(placed.stream(TALK, Decoding())))
    await speaking.aclose()  # type: ignore[attr-defined]
    assert model.stopped == 1
    assert (await anext(aiter(placed.stream(TALK, Decoding())))).text == "您好。"


async def test_closing_ends_what_is_said_and_tells_who_waits() -> None:
    model, places = Endless(), Places(1, line=1)
    place, waiting = places.enter(), places.enter()
    said = asyncio.create_task(_all(place.stream(model, TALK, Decoding())))
    await asyncio.sleep(0.01)
    places.close()
    assert await said == ["您好。"]
    assert model.stopped == 1
    with pytest.raises(Busy, match="stopping"):
        await _all(waiting.stream(model, TALK, Decoding()))
    with pytest.raises(Busy, match="stopping"):
        places.enter()


async def _all(stream: AsyncIterator[Delta]) -> list[str]:
    return [delta.text async for delta in stream]
