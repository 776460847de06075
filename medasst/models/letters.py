"""Which token of a local engine's vocabulary a letter is, right after the prompt that asks for it."""

from __future__ import annotations

from typing import NamedTuple

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
        ModelError: a letter is no token of its own.
    """
    return NextLetters(renderer.prompt(query.conversation), [_next_id(renderer, query, letter) for letter in query.letters])


def _next_id(renderer: Renderer, query: LetterQuery, letter: str) -> int:
    ids, start = renderer.choice(query.conversation, letter)
    if len(ids) != start + 1:
        raise ModelError(f"the letter {letter} is more than one token here; use protocol = 'option_text/v1'")
    return ids[start]
