"""A text as it is matched: simplified, half width, lower case, without blanks, and the way back to what was written."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import opencc

_SHORT = 200  # characters
_ALIKE = str.maketrans({"疼": "痛", "囗": "口", "喱": "哩"})


@dataclass(frozen=True, slots=True)
class Script:
    """A form of a text with the places of its characters in that text.

    Attributes:
        text: what is searched.
        at: for each character of `text`, its place in the text below (one more at the end).
        blank_before: places in `text` before which a blank was left out.
    """

    text: str
    at: Sequence[int]
    blank_before: frozenset[int] = frozenset()

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where `text[start:end]` stands in the text below."""
        return self.at[start], self.at[end - 1] + 1

    def without(self, pattern: re.Pattern[str]) -> Script:
        """The text with every match of `pattern` left out; `at` leads to this one."""
        kept: list[int] = []
        last = 0
        for match in pattern.finditer(self.text):
            kept.extend(range(last, match.start()))
            last = match.end()
        kept.extend(range(last, len(self.text)))
        return Script("".join([self.text[place] for place in kept]), [*kept, len(self.text)])


def plain(text: str) -> Script:
    """The text as wordings are written in the tables: simplified, half width, lower case, 疼 as 痛, without blanks.

    Line breaks stay (they end a sentence); half surrogates and control characters go.
    """
    return _kept(text) if len(text) <= _SHORT else _plain(text)


def _plain(text: str) -> Script:
    chars: list[str] = []
    at: list[int] = []
    blanks: set[int] = set()
    for place, char in enumerate(text):
        form = _form(char)
        if form == " " or char == "…":  # 喘得…厉害: told between breaths
            blanks.add(len(chars))
            continue
        chars.extend(form)
        at.extend([place] * len(form))
    return Script("".join(chars), (*at, len(text)), frozenset(blanks))


_kept = lru_cache(maxsize=2048)(_plain)  # one reply looks at the same sentences a dozen times


def wording(text: str) -> str:
    """The plain form of a short text, where the way back isn't needed: a wording of a table."""
    return "".join([_form(char) for char in text]).replace(" ", "")


@lru_cache(maxsize=1 << 16)
def _form(char: str) -> str:
    if char == "\n":
        return char
    if char.isspace():
        return " "
    if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Mn"):
        return ""
    form = unicodedata.normalize("NFKC", char).lower()
    if len(form) == 1 and form >= "\u3400":
        form = _simplified().get(form, form)
    # A normal form may bring blanks of its own (㍘ → 0点).
    return form.translate(_ALIKE).replace(" ", "")


@cache
def _simplified() -> dict[str, str]:
    every = [chr(code) for code in (*range(0x3400, 0x4DC0), *range(0x4E00, 0xA000))]
    converted = opencc.OpenCC("t2s").convert("\n".join(every)).split("\n")
    return {old: new for old, new in zip(every, converted, strict=True) if old != new and len(new) == 1}
