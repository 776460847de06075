"""What an answer says twice in the same words is said once: question sites and crawlers paste a text two or three times over.

A repeat is taken out where the second copy begins like a sentence said before and runs on alike to the end of a sentence or of
the text, or follows the first copy at once. Phrases that recur inside different sentences stay: a list may say 每日三次 of each
drug.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import polars as pl

_LEAST = 12  # characters of a repeat
_LONGEST = 4_000  # characters of a text that is looked into: `max_turn`, by default, drops what is longer
_STOPS = "。！？!?\n"
_PAUSES = _STOPS + "，,；;、"
_CLAUSE = r"[^，。；！？、,;!?\n\s]{6,}"
# Courtesy between the copies goes with the second.
_COURTESY = re.compile(r"(?:(?:您|你)好|很?高兴(?:为您|回答).{0,8}|根据(?:您|你)的.{0,8})[，,、。.！!：:\s]*$")


class _Repeat(NamedTuple):
    """The text from `start` to `end` was said before."""

    start: int
    end: int


def said_once(texts: pl.Series) -> pl.Series:
    """Answers without their repeats; only those in which a clause recurs go through Python."""
    clauses = texts.str.extract_all(_CLAUSE)
    recurs = (clauses.list.n_unique() < clauses.list.len()) & (texts.str.len_chars() <= _LONGEST)
    places = recurs.fill_null(value=False).arg_true()
    return texts.scatter(places, [without_repeats(text) for text in texts.gather(places)]) if len(places) else texts


def without_repeats(text: str) -> str:
    """The text with each passage that it repeats, of twelve characters or more, said once. Twice changes nothing more."""
    while (found := _first_repeat(text)) is not None:
        before, after = text[: found.start], text[found.end :]
        if before and before[-1] not in _PAUSES and after[:1] not in _PAUSES:
            before += "。"
        elif before[-1:] in _PAUSES:
            after = after.lstrip(_PAUSES)
        text = before + after
    return text


def _first_repeat(text: str) -> _Repeat | None:
    seen: dict[str, int] = {}
    for start in range(len(text) - _LEAST + 1):
        first = seen.setdefault(text[start : start + _LEAST], start)
        if first != start and _begins(text, first, _PAUSES) and (found := _repeat(text, first, start)) is not None:
            return found
    return None


def _begins(text: str, place: int, after: str) -> bool:
    return not place or text[place - 1] in after


def _repeat(text: str, first: int, start: int) -> _Repeat | None:
    """What of the copy at `start` can be taken out, given that its first characters were said at `first`."""
    end = start
    while end < len(text) and text[end] == text[first + end - start]:
        end += 1
    apart = start - first
    if end - start >= apart:  # the copies touch: 建议多休息，建议多休息，…
        return _Repeat(start, start + (end - start) // apart * apart)
    if not (_begins(text, first, _STOPS) or _begins(text, start, _STOPS)):
        return None
    if end < len(text):
        end = max(text.rfind(stop, start, end) for stop in _STOPS) + 1
    if end - start < _LEAST:
        return None
    courtesy = _COURTESY.search(text, 0, start)
    return _Repeat(courtesy.start() if courtesy else start, end)
