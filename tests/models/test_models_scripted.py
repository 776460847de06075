"""Opening systems by name, and the model that says what it is told."""

from __future__ import annotations

import math

import pytest

from medasst.conversation import Conversation
from medasst.errors import ConfigError
from medasst.models import (
    ChatModel,
    ChoiceModel,
    ChoiceQuery,
    Decoding,
    LetterModel,
    LetterQuery,
    LetterScore,
    ScriptedModel,
    SystemConfig,
    open_model,
)

TALK = Conversation.of([("user", "头疼怎么办？")])


async def test_stream_is_the_reply() -> None:
    model = ScriptedModel(["多喝水，注意休息。"])
    deltas = [delta async for delta in model.stream(TALK, Decoding())]
    assert "".join(d.text for d in deltas) == "多喝水，注意休息。"
    assert [d.finish_reason for d in deltas if d.finish_reason] == ["stop"]
    assert (deltas[-1].prompt_tokens, deltas[-1].completion_tokens) == (6, 9)


def test_queue_first_then_in_turn_and_errors_stay_single() -> None:
    model = ScriptedModel(["一", "二"])
    model.enqueue("零", ValueError("坏了"))
    done = list(model.generate([TALK] * 5, Decoding()))
    assert [c.text for c in done] == ["零", "", "一", "二", "一"]
    assert [c.error for c in done] == [None, "坏了", None, None, None]
    assert [c.finish_reason for c in done] == ["stop", "error", "stop", "stop", "stop"]
    assert len(model.calls) == 5


def test_decoding_is_obeyed() -> None:
    model = ScriptedModel(lambda talk: "答：" + talk.messages[-1].content)
    (cut,) = model.generate([TALK], Decoding(stop=("怎么",)))
    (long,) = model.generate([TALK], Decoding(max_new_tokens=3))
    assert (cut.text, cut.finish_reason) == ("答：头疼", "stop")
    assert (long.text, long.finish_reason) == ("答：头", "length")


def test_choices() -> None:
    model = ScriptedModel(score=lambda prefix, option: -float(len(option)))
    assert isinstance(model, ChoiceModel)
    assert "choices" in model.capabilities
    (score,) = model.score([ChoiceQuery("q", "题目：", ("甲", "乙乙"))])
    assert (score.logprobs, score.token_counts) == ((-1.0, -2.0), (1, 2))
    assert "choices" not in ScriptedModel().capabilities


def test_open_by_name() -> None:
    model = open_model(SystemConfig(engine="scripted", name="mock", replies=("好",)))
    assert isinstance(model, ChatModel)
    assert model.name == "mock"
    with pytest.raises(ConfigError, match=r"unknown engine 'transformer'; did you mean 'transformers'\?"):
        open_model(SystemConfig(engine="transformer"))


@pytest.mark.parametrize("settings", [{"engine": "llama.cpp"}, {"engine": "openai", "url": "http://localhost/v1"}])
def test_incomplete_settings(settings: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="needs"):
        SystemConfig.model_validate(settings)


def test_letters_and_those_outside_the_list() -> None:
    model = ScriptedModel(letter=lambda _, letter: {"A": -3.0, "C": -0.5}.get(letter))
    assert isinstance(model, LetterModel) and model.capabilities == {"stream", "letters"}
    (score,) = model.letters([LetterQuery("q", TALK, ("A", "B", "C"))])
    assert score == LetterScore("q", (-3.0, -3.0, -0.5), (True, False, True))


def test_no_infinity_reaches_json() -> None:
    score = LetterScore.among("q", ("A", "B"), {"A": float("-inf"), "x": -1.0})
    assert all(math.isfinite(x) for x in score.logprobs) and score.listed == (True, False)
    assert LetterScore.among("q", ("A",), {}).listed == (False,)
