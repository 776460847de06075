"""What is done to every text before anything is judged: expressions on a column of texts."""

from __future__ import annotations

import polars as pl

_WIDE = [chr(c) for c in (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))]
_NARROW = [chr(ord(c) - 0xFEE0) for c in _WIDE]
_TAG = (
    r"(?i)</?(?:p|br|div|span|a|b|i|u|em|strong|font|img|table|tbody|tr|td|th|ul|ol|li|h[1-6]|sup|sub|center|script|style|iframe"
    r"|section)(?:\s[^<>]*)?/?>"
)
_ENTITIES = {
    "&nbsp;": " ", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'", "&apos;": "'", "&mdash;": "—", "&middot;": "·",
    "&ldquo;": "“", "&rdquo;": "”", "&deg;": "°", "&plusmn;": "±", "&times;": "×",
    "&amp;": "&",  # last, so that nothing is decoded twice
}  # fmt: skip
_INVISIBLE = (
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\ufffe\ufff9-\ufffb\p{Co}]"
)
_BLANKS = r"[ \t\u00a0\u2000-\u200a\u3000]+"
# Left by the forms of question sites: punctuation before the first word, a section label with nothing under it.
_HEAD = r"^[，。、；：！？,;:!?\s]+"
_TAIL = r"(?:\s*(?:病情分析|问题分析|意见建议|指导意见|医生询问|生活护理|生活调理|其他提示)[:：]?\s*)+$"
_DOUBLED = r"([。！？!?])[，、,；;：:\s]+$"


def normalised(text: pl.Expr) -> pl.Expr:
    """`text.normalise` on a column."""
    return text.str.normalize("NFC").str.replace_many(_WIDE, _NARROW)


def tidied(text: pl.Expr) -> pl.Expr:
    """HTML tags, entities, control and invisible characters out; runs of blanks to one; stray ends trimmed; normalised last."""
    text = text.str.replace_all(r"\r\n?", "\n").str.replace_all(_TAG, "")
    for entity, char in _ENTITIES.items():
        text = text.str.replace_all(entity, char, literal=True)
    text = text.str.replace_all(_INVISIBLE, "").str.replace_all(_BLANKS, " ").str.replace_all(r" *\n\s*", "\n")
    text = text.str.strip_chars().str.replace(_HEAD, "").str.replace(_TAIL, "").str.replace(_DOUBLED, "$1")
    return normalised(text.str.strip_chars())
