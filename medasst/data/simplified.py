"""Traditional Chinese → simplified, characters and phrases but no regional vocabulary.

OpenCC's `tw2s`, which unlike `t2s` also tells 看著 → 看着 from 著名.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

import opencc
import polars as pl

# GB 2312 has these too (in names, say 於), but in running text they are traditional.
_TRADITIONAL_ALL_THE_SAME = "後於麽"
# Words of simplified medical Chinese: 磺胺甲噁唑 (the official name of the drug), 癥瘕 (told apart from 症).
_MEDICAL = "噁癥"
_FIRST = {"噁心": "恶心", "麽": "么"}  # what the converter leaves, or what `keep` would
_HAN = (*range(0x3400, 0x4DC0), *range(0x4E00, 0xA000))


class _Rules(NamedTuple):
    converter: opencc.OpenCC
    only: str  # characters that simplified text never has
    keep: frozenset[str]  # characters that stay whatever the converter says


@cache
def _rules() -> _Rules:
    converter = opencc.OpenCC("tw2s")
    every = [chr(code) for code in _HAN]
    table = {old: new for old, new in zip(every, converter.convert("\n".join(every)).split("\n"), strict=True) if old != new}
    # Simple forms that few fonts and no tokenizer know (嗰 → 𠮶), and those that would be converted again (薴 → 苧 → 苎).
    keep = {old for old, new in table.items() if not "\u4e00" <= new <= "\u9fff" or new in table} | {"噁"}
    only = {old for old in table if old not in keep and not _in_gb2312(old)} | set(_TRADITIONAL_ALL_THE_SAME)
    return _Rules(converter, "".join(sorted(only - set(_MEDICAL))), frozenset(keep))


def _in_gb2312(char: str) -> bool:
    """Whether a character belongs to the national set of simplified Chinese (GB/T 2312-1980)."""
    try:
        char.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


def simplify(text: str) -> str:
    """The text in simplified characters. Phrases decide where a character alone can't: 頭髮 → 头发, 乾燥 → 干燥 but 乾隆 stays.

    A text without a single character that is only traditional is returned as it is: 皇后, 著名, 慰藉 are simplified Chinese.
    """
    return _converted(text) if _compiled().search(text) else text


def traditional_sign() -> str:
    """A regular expression that matches in every text that has a character of traditional Chinese only."""
    return f"[{_rules().only}]|噁心"


@cache
def _compiled() -> re.Pattern[str]:
    # The same; Python searches quickly for a class of letters, but not for an alternation.
    return re.compile(f"[{_rules().only}噁](?:(?<!噁)|心)")


def simplified_series(texts: pl.Series) -> pl.Series:
    """`simplify` on each text; only those with a traditional character go through Python."""
    places = texts.str.contains(traditional_sign()).fill_null(value=False).arg_true()
    return texts.scatter(places, [_converted(text) for text in texts.gather(places)]) if len(places) else texts


def _converted(text: str) -> str:
    rules = _rules()
    for old, new in _FIRST.items():
        text = text.replace(old, new)
    simple: str = rules.converter.convert(text)
    if len(simple) != len(text):  # not with the present tables, in which each character gives one
        return simple
    return "".join([old if old in rules.keep else new for old, new in zip(text, simple, strict=True)])
