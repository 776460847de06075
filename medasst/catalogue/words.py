"""Texts as the index holds them: words, pairs of characters, and the sounds of names."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from functools import lru_cache

import jieba
from pypinyin import lazy_pinyin

from medasst.lexicon import plain
from medasst.text import comparison_key

jieba.setLogLevel(logging.WARNING)
_HAN = re.compile("[\u3400-\u9fff]+")
_LATIN = re.compile("[a-z]+")
_RUN = re.compile("[\u3400-\u9fff]+|[a-z]+|[0-9]+")
# Sounds that ears and keyboards of the south don't tell apart.
_ALIKE = (("zh", "z"), ("ch", "c"), ("sh", "s"), ("ang", "an"), ("eng", "en"), ("ing", "in"))


def warm_up() -> None:
    """Load the segmenter's words, which the first text would wait for."""
    jieba.initialize()


def name_key(text: str) -> str:
    """What names are compared by: simplified, letters, digits and Han characters only, 疼 as 痛."""
    return plain(comparison_key(text)).text


@lru_cache(maxsize=1 << 12)
def tokens(text: str) -> tuple[str, ...]:
    """The words of two characters and more, and the pairs of neighbouring characters, each once."""
    found: dict[str, None] = {}
    for run in _RUN.findall(plain(text).text):
        if not _HAN.match(run):
            found[run] = None
            continue
        found |= dict.fromkeys(word for word in jieba.cut(run) if len(word) > 1)
        found |= dict.fromkeys(run[place : place + 2] for place in range(len(run) - 1))
    return tuple(found)


def sounds(text: str) -> tuple[str, ...]:
    """The syllables of a text in pinyin, those alike made one; Latin words are read as pinyin where they can be."""
    found: list[str] = []
    for run in _RUN.findall(plain(text).text):
        if _HAN.match(run):
            found += map(_sound, run)
        elif _LATIN.match(run):
            found += _syllables(run) or [run]
    return tuple(found)


def sound_pairs(text: str) -> tuple[str, ...]:
    """Neighbouring syllables as one token each."""
    said = sounds(text)
    return tuple(dict.fromkeys(said[place] + said[place + 1] for place in range(len(said) - 1)))


@lru_cache(maxsize=1 << 14)
def _sound(char: str) -> str:
    return _folded(lazy_pinyin(char)[0])


def _folded(syllable: str) -> str:
    for old, new in _ALIKE:
        if syllable.startswith(old) and len(old) == 2:
            syllable = new + syllable[2:]
        elif syllable.endswith(old):
            syllable = syllable[: -len(old)] + new
    return syllable


_SYLLABLE = re.compile(
    "(?:zh|ch|sh|[bpmfdtnlgkhjqxrzcsyw])?(?:iang|iong|uang|ang|eng|ing|ong|iao|ian|uai|uan|ai|ei|ao|ou|an|en|in|un|er|"
    "ia|ie|iu|ua|uo|ui|ue|ve|a|o|e|i|u|v)"
)


def _syllables(word: str) -> list[str]:
    """A Latin word as syllables of pinyin (buluofen), or none where it isn't made of them."""
    parts = list(_split(word))
    return [_folded(part) for part in parts] if len(parts) > 1 and "".join(parts) == word else []


def _split(word: str) -> Iterator[str]:
    place = 0
    while match := _SYLLABLE.match(word, place):
        # A consonant that another syllable needs stays with it: fang|an, but fan|gan is told by nothing; the longest counts.
        yield match[0]
        place = match.end()
