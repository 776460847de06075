"""The terminal chat."""

from __future__ import annotations

import io
from collections.abc import Iterable

import pytest
from rich.console import Console
from service_fakes import ScriptedAssistant

from medasst.errors import ModelError
from medasst.models import ChatModel, ScriptedModel
from medasst.service.terminal import Replier, chat


def talk(speaker: Replier | ChatModel, questions: Iterable[str | BaseException]) -> str:
    """What the terminal shows; an exception among the questions is raised at the prompt, and the input then ends."""
    console = Console(file=io.StringIO(), width=100, highlight=False)
    rest = iter(questions)

    def read() -> str:
        question = next(rest, EOFError())
        if isinstance(question, BaseException):
            raise question
        return question

    chat(speaker, console, read)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_reply_shows_sentences_products_and_sources() -> None:
    shown = talk(ScriptedAssistant(), ["感冒发烧吃什么药", "/quit", "不应问到"])
    for words in (
        "一般一周左右自行好转。",
        "对乙酰氨基酚片 · OTC 甲类 · ¥9.80",
        "来源：对乙酰氨基酚片说明书",
        "可选：成人",
        "人工智能",
    ):
        assert words in shown


def test_a_red_flag_is_a_banner() -> None:
    shown = talk(ScriptedAssistant(), ["胸痛"])
    assert "紧急：请先拨打 120" in shown
    assert shown.index("紧急") < shown.index("等待急救")


def test_later_turns_know_the_earlier_ones() -> None:
    assistant = ScriptedAssistant()
    talk(assistant, ["感冒了", "  ", "胸痛"])
    assert [m.role for m in assistant.asked[1].messages] == ["user", "assistant", "user"]
    assert "普通感冒多为病毒引起" in assistant.asked[1].messages[1].content


@pytest.mark.parametrize("end", [EOFError(), KeyboardInterrupt(), "/quit"])
def test_the_prompt_ends_kindly(end: str | BaseException) -> None:
    assert "祝您健康" in talk(ScriptedAssistant(), [end])


def test_ctrl_c_stops_a_reply_but_not_the_chat() -> None:
    assistant = ScriptedAssistant(failure=KeyboardInterrupt(), fail_at=1)  # type: ignore[arg-type]
    shown = talk(assistant, ["感冒了", "还是感冒"])
    assert shown.count("（已停止）") == 2
    assert len(assistant.asked) == 2


def test_a_failing_model_is_reported() -> None:
    shown = talk(ScriptedModel([ModelError("the engine stopped: start it again")]), ["你好"])
    assert "the engine stopped: start it again" in shown


def test_a_bare_model_is_announced_and_its_markup_is_text() -> None:
    shown = talk(ScriptedModel(["[red]布洛芬[/red] 一次 [姓名]"]), ["你好"])
    assert "裸模型" in shown
    assert "[red]布洛芬[/red] 一次 [姓名]" in shown
