"""What a person should know before training: of the template, tried on a question of our own, and of the set."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from medasst.conversation import Conversation, Message
from medasst.errors import Refused
from medasst.render import Renderer

_SYSTEM, _QUESTION = "SSSS", "QQQQ"

# Texts that a person should look at once, by what is odd about them.
ODD = {
    "unseen characters": re.compile(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ue000-\uf8ff\ufeff]"
    ),
    "broken characters": re.compile("\ufffd"),
    "emoji and rare characters": re.compile("[\U00010000-\U0010ffff]"),
    "decomposed letters": re.compile("[\u0300-\u036f]"),
}
CUT_OFF = re.compile(r"[，、：；,:;（(]\s*\Z")  # no answer that was written to its end ends so


class Remark(NamedTuple):
    """Something to know. `warning`: it should be mended or understood first; `ids`: the first conversations it is about."""

    level: Literal["warning", "note"]
    text: str
    ids: tuple[str, ...] = ()


# What is told of a set, by what was found in some of its conversations.
OF_SETS: dict[str, tuple[Literal["warning", "note"], str]] = {
    "doubled BOS": ("warning", "doubled BOS: {counted} with it twice at the start; take it out of the template"),
    "answers that never end": ("warning", "answers that never end: {counted} with an answer whose last token ends no answer"),
    "answers cut off": ("warning", "{counted} with an answer that ends in a comma or colon: cut off by its source?"),
    "empty system text": ("note", "empty system turn: {counted} with a blank system text; it is left out"),
    "system text without a turn": (
        "note",
        "{counted} with a system text, for which this template has no turn; it goes before the first question",
    ),
    "control tokens as text": ("note", "{counted} with a control token as text; it is spelled out and commands nothing"),
    "several sequences": (
        "note",
        "{counted} in several sequences, since the template writes an earlier answer otherwise than when it was asked for; "
        "what stands before is read anew each time",
    ),
    "unseen characters": ("note", "{counted} with characters that can't be seen (zero-width, control, private use)"),
    "broken characters": ("note", "{counted} with U+FFFD, which stands for what an earlier reader couldn't decode"),
}


def of_template(renderer: Renderer, warned: Iterable[str] = ()) -> Iterator[Remark]:
    """Remarks that hold whatever the set.

    Args:
        warned: what reading the tokenizer already warned of.
    """
    yield from (Remark("warning", text) for text in warned)
    if (form := renderer.form) is None:  # rendering for training says so and ends
        return
    if not renderer.stop_ids.intersection(renderer.control.encode(form.end, continued=True).ids):
        yield Remark(
            "warning",
            f"no end token: an answer ends with {form.end!r}, which is no token that ends one, so the trained model "
            "would never stop; the vocabulary's end has to be among the added tokens of tokenizer.json",
        )
    if form.opening:
        yield Remark(
            "note",
            f"the template puts {form.opening!r} before an answer but not into its own prompt: here it ends the prompt, and "
            "so it has to wherever the model is served",
        )
    if (own := _own_system(renderer)) is not None:
        if own.strip():
            yield Remark("note", f"where a conversation has no system text, the template writes one of its own: {own!r}")
        else:
            yield Remark(
                "warning", "empty system turn: where a conversation has no system text, the template writes an empty one"
            )


def _own_system(renderer: Renderer) -> str | None:
    """The system text that a template writes where none is given; None where it then writes no system turn."""
    ask = Message("user", _QUESTION)
    try:
        given, without = (_prompt(renderer, messages) for messages in ([Message("system", _SYSTEM), ask], [ask]))
    except Refused:
        return None
    head, _, tail = given.partition(_SYSTEM)
    between = tail.partition(_QUESTION)[0] + _QUESTION
    if not renderer.control.first(between) or not without.startswith(head) or between not in without:
        return None
    return without.removeprefix(head).partition(between)[0]


def _prompt(renderer: Renderer, messages: list[Message]) -> str:
    ids = renderer.prompt(Conversation.of(messages))
    return str(renderer.tokenizer.decode(ids, skip_special_tokens=False))
