"""What is cut from users' turns: the labels of a site's form, a title that the text says again."""

from __future__ import annotations

import re

import polars as pl

from medasst.data.phrases import phrases

_LABELS = phrases("asked", "labels")
_OPTIONS = r"\n[A-E]\. "  # an exam question, whose words are its own
_MARKS = "，。！？；：、,.!?;:…~～ \n"
_OPEN = "，、,;；:： \n"
_NO_LETTER = re.compile(r"[\W_]+")
_TITLE = 6  # characters of the shortest title that counts


def without_labels(texts: pl.Series) -> pl.Series:
    """Texts without the labels of a form (病情描述：, 想得到怎样的帮助：); what one holds that was said before goes."""
    places = (texts.str.contains(_LABELS) & ~texts.str.contains(_OPTIONS)).fill_null(value=False).arg_true()
    return texts.scatter(places, [_unlabelled(text) for text in texts.gather(places)]) if len(places) else texts


def without_title(texts: pl.Series) -> pl.Series:
    """Texts whose beginning, a title, is said again right after it, without it."""
    again = pl.Series([_again(text) for text in texts], dtype=pl.Boolean)
    places = again.arg_true()
    return texts.scatter(places, [_untitled(text) for text in texts.gather(places)]) if len(places) else texts


def _unlabelled(text: str) -> str:
    said = ""
    for part in re.split(_LABELS, text):
        letters = _NO_LETTER.sub("", part)
        if not letters or letters in _NO_LETTER.sub("", said):
            continue
        said = said.rstrip(_OPEN)
        said += ("。" if said and said[-1] not in "。！？!?." else "") + part.strip(" \n").lstrip(_MARKS)
    return said.rstrip(_OPEN) or text


def _title(text: str) -> int:
    """Where the text begins anew with all that stood before; 0 if nowhere."""
    start = text.find(text[:_TITLE], _TITLE)
    while start > 0:
        title = text[:start].rstrip(_MARKS)
        if len(title) >= _TITLE and text.startswith(title, start):
            return start
        start = text.find(text[:_TITLE], start + 1)
    return 0


def _again(text: str | None) -> bool:
    return text is not None and len(text) >= 2 * _TITLE and "\nA. " not in text and _title(text) > 0


def _untitled(text: str) -> str:
    while start := _title(text):
        text = text[start:]
    return text
