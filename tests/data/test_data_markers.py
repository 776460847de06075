"""Marks of chat formats: cut off at the ends of turns, and a reason to set a record aside where they stand inside."""

from __future__ import annotations

import polars as pl
import pytest

from medasst.data.markers import chat_markers, unmarked
from medasst.data.records import Record


def cleaned(answer: str) -> tuple[str, bool, tuple[str, ...]]:
    """An answer without marks, whether it is set aside all the same, and what was left out of it."""
    record = unmarked(Record([("user", "头痛怎么办"), ("assistant", answer)]))
    turns = [text for _, text in record.turns]
    aside = pl.DataFrame({"texts": [turns]}).select(chat_markers(None)).item()
    return turns[1], aside, record.left_out


MARKED = [
    "先休息。</s>",
    "<s>先休息。</s>",
    "先休息。<|im_end|>",
    "<|im_start|>assistant\n先休息。<|im_end|>\n",
    "<|start_header_id|>assistant<|end_header_id|>\n\n先休息。<|eot_id|>",
    "<start_of_turn>model\n先休息。<end_of_turn>",
    "[/INST] 先休息。 </s>",
    "[gMASK]<sop>先休息。",
    "<｜Assistant｜>先休息。<｜end▁of▁sentence｜>",
    "先休息。<eos><pad><pad>",
    "### Assistant: 先休息。",
    "先休息。[UNUSED_TOKEN_145]",
]


@pytest.mark.parametrize("answer", MARKED)
def test_marks_at_the_ends_are_cut_off_and_counted(answer: str) -> None:
    assert cleaned(answer) == ("先休息。", False, ("chat marker",))


@pytest.mark.parametrize(
    "answer", ["<think>\n发热吗？\n</think>\n\n先休息。", "发热吗？\n</think>先休息。", "<think></think>先休息。"]
)
def test_what_was_thought_before_an_answer_is_left_out_and_counted(answer: str) -> None:
    assert cleaned(answer) == ("先休息。", False, ("thought before the answer",))


@pytest.mark.parametrize(
    "answer",
    [
        "先休息。<|im_end|>\n<|im_start|>user\n还要吃药吗",
        "先休息。</s>再喝水。",
        "先休息。[INST] 还要吃药吗 [/INST] 不用。",
        "先休息。\n### Human: 还要吃药吗",
        "<think>发热吗？先休息。",
        '<tool_call>{"name": "stock"}</tool_call>',
    ],
)
def test_a_mark_inside_sets_the_record_aside(answer: str) -> None:
    assert cleaned(answer)[1]


@pytest.mark.parametrize(
    "answer", ["血压<140/90，>60岁", "[MASK]一天三次", "a<b>c</b>", "见[1]、[2]", "T<38.5℃|无不适|>3天", "### 用药"]
)
def test_other_brackets_are_none_of_them(answer: str) -> None:
    assert cleaned(answer) == (answer, False, ())
