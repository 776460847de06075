"""Token ids → pieces of text that a person can read: each with its ids, and whether it is learnt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import groupby
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from medasst.render import Rendered, Renderer

_BROKEN = "\ufffd"  # what decoding gives for bytes that are no whole character
_LONGEST = 8  # tokens that one character is looked for in; none has more than four bytes of its own


class Piece(NamedTuple):
    """Neighbouring tokens that make whole characters: mostly one token, several where a character is spelled in bytes.

    Attributes:
        learnt: the model learns to write it.
        special: a control token, such as an end of turn.
    """

    text: str
    ids: tuple[int, ...]
    learnt: bool
    special: bool


class Reader:
    """Reads the tokens of one renderer."""

    def __init__(self, renderer: Renderer) -> None:
        self._tokenizer = renderer.tokenizer
        self._control = frozenset(renderer.control.ids.values())
        # Decoders take the blank from a first token, so each text is read after this one.
        self._anchor = self._tokenizer.encode("a", add_special_tokens=False).ids
        self._before = self._decoded([])

    def pieces(self, rendered: Rendered) -> list[Piece]:
        """A sequence in pieces; the ids of all of them are its ids."""
        found: list[Piece] = []
        tokens = [(i, learnt, i in self._control) for i, learnt in zip(rendered.ids, rendered.mask, strict=True)]
        for (learnt, special), run in groupby(tokens, key=lambda token: token[1:]):
            ids = [i for i, *_ in run]
            parts = [(i,) for i in ids] if special else self._characters(ids)
            found += [Piece(self._text(part), part, learnt, special) for part in parts]
        return found

    @cached_property
    def fragments(self) -> npt.NDArray[np.bool_]:
        """Whether a token is part of a character, by id: what a vocabulary spells in bytes."""
        rows = 1 + max(self._tokenizer.get_vocab().values())
        texts = self._tokenizer.decode_batch([[i] for i in range(rows)], skip_special_tokens=False)
        return np.array([_BROKEN in text for text in texts], np.bool_)

    def _characters(self, ids: Sequence[int]) -> Iterator[tuple[int, ...]]:
        start = 0
        while start < len(ids):
            ends = range(start + 1, min(start + _LONGEST, len(ids)) + 1)
            end = next((end for end in ends if _BROKEN not in self._text(ids[start:end])), start + 1)
            yield tuple(ids[start:end])
            start = end

    def _text(self, ids: Sequence[int]) -> str:
        return self._decoded(ids).removeprefix(self._before)

    def _decoded(self, ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode([*self._anchor, *ids], skip_special_tokens=False))
