"""Which token of a local engine's vocabulary a letter is, right after the prompt that asks for it."""

from __future__ import annotations

from typing import NamedTuple

from medasst.conversation import Conversation, Message
from medasst.errors import ModelError
from medasst.models.base import LetterQuery
from medasst.render import Renderer


class NextLetters(NamedTuple):
    """A prompt's ids, and the id that each letter would have as the next one."""

    prompt: list[int]
    letters: list[int]


def next_letters(renderer: Renderer, query: LetterQuery) -> NextLetters:
    """The letter is rendered as the answer, as training would: whether it is "A" or "▁A" is the template's doing.

    Raises:
        ModelError: the template doesn't lead to a letter as one token of its own.
    """
    prompt = renderer.prompt(query.conversation)
    return NextLetters(prompt, [_next_id(renderer, query.conversation, prompt, letter) for letter in query.letters])


def _next_id(renderer: Renderer, conversation: Conversation, prompt: list[int], letter: str) -> int:
    answered = Conversation.of([*conversation.messages, Message("assistant", letter)])
    place = len(prompt)
    rendered = renderer.train(answered, cutoff=place + 100)
    if rendered is None or rendered.ids[:place] != prompt or not any(rendered.mask[place : place + 1]):
        raise ModelError(
            f"the template leaves the letter {letter} no token of its own after the prompt; use template = 'plain'"
        )
    found = rendered.ids[place]
    if renderer.decode([found]).strip() != letter:
        raise ModelError(f"the letter {letter} is more than one token here; use protocol = 'option_text/v1'")
    return found
