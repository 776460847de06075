"""Control tokens, such as `<|im_end|>`: read as such in a template's own words, never in what people wrote.

A tokenizer can't tell the two apart in one text. So texts of people are first *hidden*: each control text in them gives way to
a private name of the same length, drawn anew by every process, so that nobody can write it. What then reads like a control
token stands in the template. A text with something hidden is encoded by a second tokenizer that knows the control tokens by
their private names alone, blanks and borders treated as ever: names and control texts change places before. Texts that go on
from others have encoders of their own, without the blank that many vocabularies put at the start.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import groupby
from typing import Any, NamedTuple

from tokenizers import AddedToken, Tokenizer

_PRIVATE = range(0x100000, 0x10FFFE)  # a plane for private use
_ANY_PRIVATE = re.compile(f"[{chr(_PRIVATE.start)}-{chr(_PRIVATE.stop)}]")
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

    def first(self, text: str) -> str:
        """The first control token that a template's text has, or ""."""
        found = self._control.search(text)
        return found[0] if found else ""

    def encode(self, text: str, *, continued: bool = False) -> Encoded:
        """Ids of a template's text. Control tokens are those of the template; what was hidden in it is spelled out.

        Args:
            continued: the text goes on from another, so that no blank is put before it as many vocabularies do at the start.
        """
        if not self._hides(text):
            found = self._encoder_of(continued=continued).encode(text)
            if self._faithful(text, found.ids):
                return found
        return self._spelled_out(text, continued=continued)

    def encode_all(self, texts: Sequence[str], *, continued: bool = False) -> list[list[int]]:
        """The ids that `encode` gives for each of many texts; several are encoded at a time."""
        plain = [place for place, text in enumerate(texts) if not self._hides(text)]
        found = dict(zip(plain, self._encoder_of(continued=continued).encode_all([texts[i] for i in plain]), strict=True))
        return [
            ids
            if (ids := found.get(place)) is not None and self._faithful(text, ids)
            else self._spelled_out(text, continued=continued).ids
            for place, text in enumerate(texts)
        ]

    def _hides(self, text: str) -> bool:
        """Whether something hidden is in it. The names are hundreds: most texts are told by one look for their plane."""
        return _ANY_PRIVATE.search(text) is not None and self._name.search(text) is not None

    def _faithful(self, text: str, ids: Sequence[int]) -> bool:
        """Whether all control tokens are the text's own; if there are more, the normaliser made some of look-alikes."""
        return self._commands.isdisjoint(ids) or sum(map(self._commands.__contains__, ids)) <= len(self._control.findall(text))

    def _encoder_of(self, *, continued: bool) -> _Encoder:
        return self._continued if continued else self._whole

    def _spelled_out(self, text: str, *, continued: bool = False) -> Encoded:
        encoder = self._continued_renamed if continued else self._renamed
        encoding = encoder.tokenizer.encode(
            self._either.sub(lambda found: self._swap[found[0]], text), add_special_tokens=False
        )
        ids: list[int] = []
        offsets: list[tuple[int, int]] = []
        for token, piece, place in zip(encoding.ids, encoding.tokens, encoding.offsets, strict=True):
            real = encoder.added.get(token)
            parts = [real] if real is not None else [token] if token not in self._commands else self._letters(piece)
            ids += parts
            offsets += [place] * len(parts)
        return Encoded(ids, offsets)

    def _letters(self, piece: str) -> list[int]:
        """A control text that the model's own vocabulary holds as a piece, in smaller ones."""
        tokens = (token.id for letter in piece for token in self._tokenizer.model.tokenize(letter))
        return [token for token in tokens if token not in self._commands]

    @cached_property
    def _whole(self) -> _Encoder:
        return _Encoder(self._tokenizer, {})

    @cached_property
    def _continued(self) -> _Encoder:
        parts = self._parts
        return self._whole if parts == _without_prefix(parts) else self._encoder(_without_prefix(parts), {})

    @cached_property
    def _renamed(self) -> _Encoder:
        return self._encoder(self._parts, self._names)

    @cached_property
    def _continued_renamed(self) -> _Encoder:
        parts = _without_prefix(self._parts)
        return self._renamed if parts == self._parts else self._encoder(parts, self._names)

    @property
    def _parts(self) -> dict[str, Any]:
        """How text is normalised and cut before the model sees it, as tokenizer.json has it."""
        parts = {"normalizer": self._tokenizer.normalizer, "pre_tokenizer": self._tokenizer.pre_tokenizer}
        return {name: part and json.loads(part.__getstate__()) for name, part in parts.items()}

    def _encoder(self, parts: Mapping[str, Any], names: Mapping[str, str]) -> _Encoder:
        """One with the same model, other parts and other names of added tokens."""
        tokenizer = Tokenizer(self._tokenizer.model)  # shared, not copied
        empty = {"version": "1.0", "added_tokens": [], "model": {"type": "BPE", "vocab": {}, "merges": []}}
        given = Tokenizer.from_str(json.dumps({**empty, "post_processor": None, "decoder": None, **parts}))
        if given.normalizer is not None:
            tokenizer.normalizer = given.normalizer
        if given.pre_tokenizer is not None:
            tokenizer.pre_tokenizer = given.pre_tokenizer
        tokenizer.add_tokens([_renamed(token, names) for token in self._added.values()])
        ids = {names.get(token.content, token.content): i for i, token in self._added.items()}
        return _Encoder(tokenizer, {i: ids[t.content] for i, t in tokenizer.get_added_tokens_decoder().items()})


class _Encoder(NamedTuple):
    """A tokenizer, and the ids of its added tokens → those of the tokenizer that it stands for."""

    tokenizer: Tokenizer
    added: dict[int, int]

    def encode(self, text: str) -> Encoded:
        """Ids as the tokenizer that it stands for has them."""
        encoding = self.tokenizer.encode(text, add_special_tokens=False)
        return Encoded(self._real(encoding.ids), encoding.offsets)

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each of many texts."""
        found = self.tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [self._real(encoding.ids) for encoding in found]

    def _real(self, ids: list[int]) -> list[int]:
        return [self.added.get(i, i) for i in ids] if self.added else ids


def _renamed(token: AddedToken, names: Mapping[str, str]) -> AddedToken:
    return AddedToken(
        names.get(token.content, token.content),
        single_word=token.single_word,
        lstrip=token.lstrip,
        rstrip=token.rstrip,
        normalized=token.normalized,
        special=token.special,
    )


def _without_prefix(part: Any) -> Any:
    """A part of a tokenizer that puts no blank before a text."""
    if isinstance(part, list):
        return [_without_prefix(one) for one in part if not (isinstance(one, dict) and one.get("type") == "Prepend")]
    if not isinstance(part, dict):
        return part
    inside = {key: _without_prefix(value) for key, value in part.items()}
    match part.get("type"):
        case "Metaspace":
            return inside | {"prepend_scheme": "never"}
        case "ByteLevel":
            return inside | {"add_prefix_space": False}
        case "Prepend":
            return None
        case _:
            return inside


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
