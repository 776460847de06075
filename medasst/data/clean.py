"""Cleaning: what is done to every text, and the filters that drop a record. Both are column expressions.

A filter reads the columns `question` (the first user turn), `answer` (all assistant turns, a line each), `texts` (all turns)
and is true where the record is to be dropped. Each has a name, a default and a switch (`[clean]` in the job file).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import polars as pl
from pydantic import Field

from medasst.config import Config
from medasst.text import comparison_key


class CleanSettings(Config):
    """Limits and switches. Lengths are in characters."""

    min_question: int = Field(2, ge=0)  # letters, digits and Han characters of the first question
    min_answer: int = Field(10, ge=0)  # the same of all answers together
    max_turn: int = Field(4_000, ge=1)
    max_total: int = Field(16_000, ge=1)
    min_han: float = Field(0.3, ge=0, le=1)  # least share of Han among the letters of the answers
    max_repeated: float = Field(0.3, ge=0, le=1)  # share of the answers that may be clauses said before
    off: tuple[str, ...] = ()  # names of filters that are switched off


class Filter(NamedTuple):
    """Why and when a record is dropped."""

    name: str
    about: str
    drops: Callable[[CleanSettings], pl.Expr]


_WIDE = [chr(c) for c in (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))]
_NARROW = [chr(ord(c) - 0xFEE0) for c in _WIDE]
_TAG = (
    r"(?i)</?(?:p|br|div|span|a|b|i|u|em|strong|font|img|table|tbody|tr|td|th|ul|ol|li|h[1-6]|sup|sub|center|script|style|iframe|section)"
    r"(?:\s[^<>]*)?/?>"
)
_ENTITIES = {"&nbsp;": " ", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'", "&apos;": "'", "&mdash;": "—", "&middot;": "·",
             "&ldquo;": "“", "&rdquo;": "”", "&deg;": "°", "&plusmn;": "±", "&times;": "×", "&amp;": "&"}  # fmt: skip
_INVISIBLE = (
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\ufffe\ufff9-\ufffb\p{Co}]"
)


def normalised(text: pl.Expr) -> pl.Expr:
    """`text.normalise` on a column."""
    return text.str.normalize("NFC").str.replace_many(_WIDE, _NARROW)


def tidied(text: pl.Expr) -> pl.Expr:
    """HTML tags, entities, control and invisible characters out; runs of blanks to one; normalised last."""
    text = text.str.replace_all(r"\r\n?", "\n").str.replace_all(_TAG, "")
    for entity, char in _ENTITIES.items():  # in this order: &amp; last, so that nothing is decoded twice
        text = text.str.replace_all(entity, char, literal=True)
    text = text.str.replace_all(_INVISIBLE, "").str.replace_all(r"[ \t\u00a0\u2000-\u200a\u3000]+", " ")
    return normalised(text.str.replace_all(r" *\n\s*", "\n").str.strip_chars())


# Left by the forms of question sites: punctuation before the first word, a section label with nothing under it.
_HEAD = r"^[，。、；：！？,;:!?\s]+"
_TAIL = r"(?:\s*(?:病情分析|问题分析|意见建议|指导意见|医生询问|生活护理|生活调理|其他提示)[:：]?\s*)+$"


def trimmed(text: pl.Expr) -> pl.Expr:
    """Stray punctuation at the head, empty section labels and doubled punctuation at the end taken off."""
    return (
        text.str.replace(_HEAD, "").str.replace(_TAIL, "").str.replace(r"([。！？!?])[，、,；;：:\s]+$", "$1").str.strip_chars()
    )


def views() -> list[pl.Expr]:
    """The columns that filters read, from `roles` and `texts`."""
    users, answers = _first_of("user"), pl.col("texts").list.gather(_where("assistant")).list.join("\n")
    return [users.alias("question"), answers.alias("answer")]


def _where(role: str) -> pl.Expr:
    return pl.col("roles").list.eval((pl.element() == role).arg_true())


def _first_of(role: str) -> pl.Expr:
    return pl.col("texts").list.gather(_where(role)).list.first()


def _key(column: str) -> pl.Expr:
    return pl.col(column).map_elements(comparison_key, return_dtype=pl.String)


_ADVERTISING = (
    r"(?:加|添加)(?:我|我们|医生|老师)?(?:的)?(?:微信|薇信|QQ|qq)|\[(?:微信|QQ)\]|(?:预约|免费)(?:热线|电话)|(?:拨打|致电).{0,12}\[电话\]|"
    r"网上预约|在线预约|免费(?:咨询|预约|挂号|会诊)|点击.{0,8}(?:咨询|链接|这里|进入|查看)|(?:我院|我们医院|本院|我科).{0,30}(?:专家|疗法|技术|预约|欢迎|治愈)|"
    r"(?:https?://|www\.)[A-Za-z0-9]|(?:独创|首创|独家|国际领先|国内领先|世界领先).{0,16}(?:疗法|疗效|配方|体系)|"
    r"(?:包治|根治各种|无效退款|祖传秘方)|欢迎(?:您|你)?(?:来|到)(?:我院|我们|本院)"
)
_UNFINISHED = r"(?:[，,、：:（(“《]|(?:因为|由于|以及|并且|而且|但是|或者|例如|比如|包括|如果|所以|因此|虽然|通过|根据|对于|关于|其中|[和与及或在把被将从对向且并]))\s*$"
_MOJIBAKE = r"锟斤拷|烫烫烫|屯屯屯|\x{FFFD}|Ã[\x{80}-\x{BF}]|(?:â€)|&#x?[0-9a-fA-F]{2,6};"

FILTERS: tuple[Filter, ...] = (
    Filter("empty_turn", "a turn is empty once tidied", lambda _: pl.col("texts").list.eval(pl.element().str.len_chars() == 0).list.any()),
    Filter("broken_encoding", "U+FFFD or the marks of a wrong decoding", lambda _: pl.col("texts").list.join("\n").str.contains(_MOJIBAKE)),
    Filter("question_short", "fewer than `min_question` letters in the first question", lambda s: _letters("question") < s.min_question),
    Filter("answer_short", "fewer than `min_answer` letters in all answers", lambda s: _letters("answer") < s.min_answer),
    Filter("turn_long", "a turn of more than `max_turn` characters", lambda s: pl.col("texts").list.eval(pl.element().str.len_chars()).list.max() > s.max_turn),
    Filter("total_long", "more than `max_total` characters", lambda s: pl.col("texts").list.eval(pl.element().str.len_chars()).list.sum() > s.max_total),
    Filter("echo", "the answer repeats the question", lambda _: _key("question") == _key("answer")),
    Filter("wrong_language", "fewer than `min_han` of the answers' letters are Han", lambda s: _han_share("answer") < s.min_han),
    Filter("cut_off", "the last answer ends in a comma, an opening bracket or a joining word", lambda _: pl.col("texts").list.last().str.contains(_UNFINISHED)),
    Filter("advertising", "contact details, promotion of a hospital or a miracle cure", lambda _: pl.col("answer").str.contains(_ADVERTISING)),
    Filter("repetition", "more than `max_repeated` of the answers was said before", lambda s: _repeated() > s.max_repeated),
)  # fmt: skip


def _letters(column: str) -> pl.Expr:
    return pl.col(column).str.count_matches(r"[\p{L}\p{N}]")


def _han_share(column: str) -> pl.Expr:
    return pl.col(column).str.count_matches(r"\p{Han}") / pl.col(column).str.count_matches(r"\p{L}").clip(1)


def _repeated() -> pl.Expr:
    """Share of the answers' clauses (of six or more characters) that were said before, by characters."""
    clauses = pl.col("answer").str.extract_all(r"[^，。；！？、,;!?\n\s]{6,}")
    lengths = clauses.list.eval(pl.element().str.len_chars()).list.sum()
    once = clauses.list.unique().list.eval(pl.element().str.len_chars()).list.sum()
    return (lengths - once) / lengths.clip(1)


def drop_reason(settings: CleanSettings) -> pl.Expr:
    """The name of the first filter that drops the record; null where none does. Raises KeyError on an unknown name in `off`."""
    reason = pl.lit(None, pl.String)
    for filter_ in reversed(FILTERS):
        if filter_.name not in settings.off:
            reason = pl.when(filter_.drops(settings)).then(pl.lit(filter_.name)).otherwise(reason)
    return reason
