"""Tidying equals the shared normalisation, and each filter drops what it names and keeps its neighbour."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medasst.data.filters import FILTERS, CleanSettings, drop_reason, views
from medasst.data.tidy import normalised, tidied
from medasst.text import normalise

GOOD = "建议先休息两天，多喝温水，如果体温超过三十八度五再吃退烧药。"


def reason(question: str, answer: str, **settings: object) -> str | None:
    frame = pl.DataFrame({"roles": [["user", "assistant"]], "texts": [[question, answer]]})
    frame = frame.with_columns(views()).with_columns(drop_reason(CleanSettings.model_validate(settings)).alias("reason"))
    value = frame["reason"][0]
    return None if value is None else str(value)


@given(st.lists(st.text(max_size=30), min_size=1, max_size=4))
def test_the_column_normalises_as_the_function_does(texts: list[str]) -> None:
    texts = [text.encode("utf-8", "ignore").decode() for text in texts]
    assert pl.DataFrame({"t": texts}).select(normalised(pl.col("t")))["t"].to_list() == [normalise(text) for text in texts]


@given(st.text(alphabet="头痛，。：<br>&nbsp;amp \n\t\u200b\u3000Ａ１e\u0301意见建议", max_size=40))
def test_tidying_twice_changes_nothing_more(text: str) -> None:
    frame = pl.DataFrame({"t": [text]}).select(tidied(pl.col("t")))
    again = frame.select(tidied(pl.col("t")))["t"][0]
    assert again == normalise(again)


@pytest.mark.parametrize(
    ("raw", "tidy"),
    [
        ("头痛<br/>怎么办<p class='x'>", "头痛怎么办"),
        ("血糖&lt;6&nbsp;正常", "血糖<6 正常"),
        ("体重<50kg，年龄>60", "体重<50kg，年龄>60"),
        ("头\u200b痛\ufeff　　ＡＢ１２", "头痛 AB12"),
        ("一\r\n\r\n\n二", "一\n二"),
        ("，你好。", "你好。"),
        ("多休息。意见建议：", "多休息。"),
        ("多休息。、", "多休息。"),
    ],
)
def test_tidied(raw: str, tidy: str) -> None:
    assert pl.DataFrame({"t": [raw]}).select(tidied(pl.col("t")))["t"][0] == tidy


@pytest.mark.parametrize(
    ("name", "question", "answer"),
    [
        ("empty_turn", "头痛怎么办", ""),
        ("broken_encoding", "头痛怎么办", GOOD + "锟斤拷"),
        ("broken_encoding", "头痛\ufffd怎么办", GOOD),
        ("question_short", "痛", GOOD),
        ("answer_short", "头痛怎么办", "多休息。"),
        ("turn_long", "头痛怎么办", "建议多休息" * 900),
        ("echo", GOOD, GOOD.replace("，", " ")),
        ("wrong_language", "头痛怎么办", "Take a rest and drink some water, please."),
        ("cut_off", "头痛怎么办", "建议先休息两天，多喝温水，"),
        ("cut_off", "头痛怎么办", "建议先休息两天，多喝温水。如果"),
        ("advertising", "头痛怎么办", "可以点击在线咨询，了解头痛的更多治疗方法。"),
        ("advertising", "头痛怎么办", "欢迎来我院就诊，我院专家坐诊多年经验丰富。"),
        ("repetition", "头痛怎么办", "建议先休息两天。建议先休息两天。建议先休息两天。"),
    ],
)
def test_each_filter_drops_what_it_names_and_can_be_switched_off(name: str, question: str, answer: str) -> None:
    assert reason(question, answer) == name
    assert reason(question, answer, off=(name,)) != name


@pytest.mark.parametrize(
    "answer",
    [
        GOOD,
        GOOD.rstrip("。"),  # a missing full stop alone is no sign of a cut
        "结膜干燥症；目劄病；产后目病；干眼",
        "请到正规医院就诊，可以提前预约挂号再去检查。",
        "血常规（WBC、CRP）和胸片都要查，结果出来再看。",
    ],
)
def test_sound_answers_pass(answer: str) -> None:
    assert reason("头痛怎么办", answer) is None


def test_every_filter_is_documented() -> None:
    assert FILTERS
    assert all(function.__doc__ for function in FILTERS.values())
