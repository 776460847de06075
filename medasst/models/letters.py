"""Which token of a local engine's vocabulary a letter is, right after what asks for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from medasst.errors import MedasstError, ModelError
from medasst.models.base import LetterQuery, LetterScore
from medasst.render import Renderer

_TAIL = 16  # characters before a letter that may decide how it is written


class NextLetters(NamedTuple):
    """A prompt's ids, and the id that each letter would have as the next one."""

    id: str
    prompt: list[int]
    letters: list[int]


def next_letters(renderer: Renderer, queries: Iterable[LetterQuery]) -> Iterator[NextLetters | LetterScore]:
    """The prompt and letters of each query, or the score of a failed one where a letter is no token of its own.

    A letter is rendered as the answer, as training would: whether it is "A" or "▁A" is the template's doing, or the text's.
    """
    known: dict[tuple[str, str], int] = {}
    for query in queries:
        try:
            yield _next(renderer, query, known)
        except MedasstError as error:
            yield LetterScore(query.id, (), (), error=str(error))


def _next(renderer: Renderer, query: LetterQuery, known: dict[tuple[str, str], int]) -> NextLetters:
    """`known`: ids by what a letter comes after: rendering long worked examples for each letter anew costs much."""
    ids, start = renderer.choice(query.prefix, query.letters[0])
    tail = query.prefix[-_TAIL:] if isinstance(query.prefix, str) else ""
    found = []
    for letter in query.letters:
        if (tail, letter) not in known:
            known[tail, letter] = _id_of(letter, *renderer.choice(query.prefix, letter), ids[:start])
        found.append(known[tail, letter])
    return NextLetters(query.id, ids[:start], found)


def _id_of(letter: str, ids: list[int], start: int, prompt: list[int]) -> int:
    if len(ids) != start + 1 or ids[:start] != prompt:
        raise ModelError(f"the letter {letter} is more than one token here; use protocol = 'option_text/v1'")
    return ids[start]
