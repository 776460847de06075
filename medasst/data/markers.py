"""Marks of chat formats in the text of a record: `<|im_end|>`, `</s>`, `[INST]`, `<think>…</think>` and their like.

They come from exports of text that was written for some model. At the edges of a turn they are cut off, as is what a model
thought before it answered, and counted; a record that has some in the middle is set aside: nobody knows what they separate.
"""

from __future__ import annotations

import re

import polars as pl

from medasst.data.records import Record, Turns

# [MASK] is none of them: it hides a medication in some sets.
_EDGE = (
    r"<[|｜][^<>|｜\n]{1,40}[|｜]>"  # <|im_end|>, <|eot_id|>, <｜end▁of▁sentence｜>
    r"|</?(?:s|bos|eos|pad|unk|sop|eop|eot|eod|eoh|eoa|eom|sep|cls|answer)>"
    r"|<(?:start_of_turn|end_of_turn|start_of_image|end_of_text|endoftext|_user|_bot|_end|CLS|SEP|PAD|UNK|BOS|EOS)>"
    r"|<(?:reserved_|extra_id_|unused|TOKENS_UNUSED_)\d+>|<0x[0-9A-F]{2}>"
    r"|\[/?INST\]|<</?SYS>>|\[(?:gMASK|sMASK|CLS|SEP|PAD|UNK|BOS|EOS|EOT)\]|\[UNUSED_TOKEN_\d+\]"
    r"|(?m:^###\s*(?:Human|User|Assistant|Instruction|Response|Input|System)\s*[:：])"
)
_THINK = "think|thinking|thought|reasoning"
MARKER = rf"{_EDGE}|</?(?:{_THINK}|tool_call|tool_calls|tool_response)>"
_FOUND = re.compile(MARKER)
_ROLE = r"(?:system|user|assistant|model|human|bot)"
_THOUGHT = re.compile(rf"^\s*(?:<(?:{_THINK})>)?(?:(?!<(?:{_THINK})>).)*?</(?:{_THINK})>\s*", re.DOTALL)
_HEAD = re.compile(rf"^(?:\s*(?:{_EDGE})(?:{_ROLE}(?=\s*(?:\n|<)))?)+\s*")
_TAIL = re.compile(rf"(?:\s*(?:{_EDGE}))+\s*$")


def unmarked(record: Record) -> Record:
    """The record with marks cut off at both ends of its turns, and with what was thought before an answer; both are counted."""
    if not any(("<" in text or "[" in text or "###" in text) and _FOUND.search(text) for _, text in record.turns):
        return record
    turns: Turns = []
    left_out: list[str] = []
    for role, text in record.turns:
        bare = _TAIL.sub("", _HEAD.sub("", text))
        said = _THOUGHT.sub("", bare, count=1)
        left_out += ["chat marker"] * (bare != text) + ["thought before the answer"] * (said != bare)
        turns.append((role, _TAIL.sub("", _HEAD.sub("", said)).strip()))
    return record._replace(turns=turns, left_out=(*record.left_out, *left_out))


def chat_markers(_: object) -> pl.Expr:
    """Marks of a chat format stand inside a turn, where they can't just be cut off."""
    return pl.col("texts").list.join("\n").str.contains(MARKER)
