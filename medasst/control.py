"""Control tokens, such as `<|im_end|>`: read as such in a template's own words, never in what people wrote.

A tokenizer can't tell the two apart in one text. So texts of people are first *hidden*: each control text in them gives way to
a private name of the same length, drawn anew by every process, so that nobody can write it. What then reads like a control
token stands in the template. A text with something hidden is encoded by a second tokenizer that knows the control tokens by
their private names alone, blanks and borders treated as ever: names and control texts change places before.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from functools import cached_property
from itertools import groupby
from typing import NamedTuple

from tokenizers import AddedToken, Tokenizer

_PRIVATE = range(0x100000, 0x10FFFE)  # a plane for private use
_BRACKETED = re.compile(r"<.+>|\[.+\]|\{.+\}", re.DOTALL)  # many vocabularies don't call <tool_call> special


class Encoded(NamedTuple):
    """Token ids, and for each the characters it stands for, (start, end)."""

    ids: list[int]
    offsets: list[tuple[int, int]]


class ControlTokens:
    """Those of a tokenizer: its special tokens, and the added ones that stand in brackets. Added words of a language are none.

    Attributes:
        ids: by their texts.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._added = dict(sorted(tokenizer.get_added_tokens_decoder().items()))
        self.ids = {t.content: i for i, t in self._added.items() if _is_control(t)}
        self._names = {text: "".join(chr(secrets.choice(_PRIVATE)) for _ in text) for text in self.ids}
        self._swap = self._names | {name: text for text, name in self._names.items()}
        self._control, self._name, self._either = (re.compile(any_of(s)) for s in (self.ids, self._names.values(), self._swap))
        # <unk> stands for every character that a vocabulary lacks, and commands nothing.
        unknown = {token.id for token in tokenizer.model.tokenize(chr(_PRIVATE.stop))}
        self._commands = frozenset(self.ids.values()) - unknown

    def hide(self, text: str) -> str:
        """What somebody wrote, as it may stand in a template: as long as before, control texts unreadable."""
        return self._control.sub(lambda found: self._names[found[0]], text)

    def encode(self, text: str) -> Encoded:
        """Ids of a template's text. Control tokens are those of the template; what was hidden in it is spelled out."""
        if not self._name.search(text):
            encoding = self._tokenizer.encode(text, add_special_tokens=False)
            # More of them than the text has: the tokenizer's normaliser made some of look-alikes.
            if sum(i in self._commands for i in encoding.ids) <= len(self._control.findall(text)):
                return Encoded(encoding.ids, encoding.offsets)
        return self._spelled_out(text)

    def _spelled_out(self, text: str) -> Encoded:
        encoding = self._second.encode(self._either.sub(lambda found: self._swap[found[0]], text), add_special_tokens=False)
        ids: list[int] = []
        offsets: list[tuple[int, int]] = []
        for token, piece, place in zip(encoding.ids, encoding.tokens, encoding.offsets, strict=True):
            real = self._real.get(token)
            parts = [real] if real is not None else [token] if token not in self._commands else self._letters(piece)
            ids += parts
            offsets += [place] * len(parts)
        return Encoded(ids, offsets)

    def _letters(self, piece: str) -> list[int]:
        """A control text that the model's own vocabulary holds as a piece, in smaller ones."""
        tokens = (token.id for letter in piece for token in self._tokenizer.model.tokenize(letter))
        return [token for token in tokens if token not in self._commands]

    @cached_property
    def _second(self) -> Tokenizer:
        first = self._tokenizer
        second = Tokenizer(first.model)  # shared, not copied
        if first.normalizer is not None:
            second.normalizer = first.normalizer
        if first.pre_tokenizer is not None:
            second.pre_tokenizer = first.pre_tokenizer
        second.add_tokens([self._renamed(token) for token in self._added.values()])
        return second

    @cached_property
    def _real(self) -> dict[int, int]:
        """The first tokenizer's ids of added tokens by those of the second."""
        by_name = {self._names.get(token.content, token.content): i for i, token in self._added.items()}
        return {i: by_name[token.content] for i, token in self._second.get_added_tokens_decoder().items()}

    def _renamed(self, token: AddedToken) -> AddedToken:
        return AddedToken(
            self._names.get(token.content, token.content),
            single_word=token.single_word,
            lstrip=token.lstrip,
            rstrip=token.rstrip,
            normalized=token.normalized,
            special=token.special,
        )


def _is_control(token: AddedToken) -> bool:
    return bool(token.content.strip()) and (token.special or _BRACKETED.fullmatch(token.content) is not None)


def any_of(words: Iterable[str]) -> str:
    """A pattern of the longest of these words that stands somewhere; thousands of them make it hardly slower."""
    ends, rest = "" in (known := set(words)), sorted(known - {""})
    if len(rest) == 1:
        return f"(?:{re.escape(rest[0])})?" if ends else re.escape(rest[0])
    tails = groupby(rest, key=lambda word: word[0])
    branches = [re.escape(first) + any_of(word[1:] for word in group) for first, group in tails]
    return f"(?:{'|'.join(branches)}){'?' if ends else ''}" if branches else "" if ends else "(?!)"
