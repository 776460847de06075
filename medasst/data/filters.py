"""The filters that drop a record: pure functions from settings to a column expression, true where the record goes.

They read `question` (the first user turn), `answer` (all assistant turns, a line each) and `texts` (all turns). The first
filter that is true, in the order of this file, is the reason that is counted. Each can be switched off by name.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
from pydantic import Field

from medasst.config import Config
from medasst.text import comparison_key


class CleanSettings(Config):
    """Limits and switches. Lengths are in characters."""

    min_question: int = Field(default=2, ge=0)  # letters, digits and Han characters of the first question
    min_answer: int = Field(default=10, ge=0)  # the same of all answers together
    max_turn: int = Field(default=4_000, ge=1)
    max_total: int = Field(default=16_000, ge=1)
    min_han: float = Field(default=0.3, ge=0, le=1)  # least share of Han among the letters of the answers
    max_repeated: float = Field(default=0.3, ge=0, le=1)  # share of the answers that may be clauses said before
    off: tuple[str, ...] = ()  # names of filters that are switched off


Filter = Callable[[CleanSettings], pl.Expr]
FILTERS: dict[str, Filter] = {}


def _filter(function: Filter) -> Filter:
    FILTERS[function.__name__] = function
    return function


def drop_reason(settings: CleanSettings) -> pl.Expr:
    """The name of the first filter that drops the record; null where none does."""
    reason = pl.lit(None, pl.String)
    for name, drops in reversed(FILTERS.items()):
        if name not in settings.off:
            reason = pl.when(drops(settings)).then(pl.lit(name)).otherwise(reason)
    return reason


def views() -> list[pl.Expr]:
    """The columns `question` and `answer`, from `roles` and `texts`."""
    return [_said_by("user").list.first().alias("question"), _said_by("assistant").list.join("\n").alias("answer")]


def _said_by(role: str) -> pl.Expr:
    return pl.col("texts").list.gather(pl.col("roles").list.eval((pl.element() == role).arg_true()))


def _lengths() -> pl.Expr:
    return pl.col("texts").list.eval(pl.element().str.len_chars())


def _count(column: str, pattern: str) -> pl.Expr:
    return pl.col(column).str.count_matches(pattern)


@_filter
def empty_turn(_: CleanSettings) -> pl.Expr:
    """A turn is empty once tidied."""
    return _lengths().list.min() == 0


@_filter
def broken_encoding(_: CleanSettings) -> pl.Expr:
    """U+FFFD, or the well-known marks of a wrong decoding."""
    return (
        pl.col("texts").list.join("\n").str.contains(r"\x{FFFD}|锟斤拷|烫烫烫|屯屯屯|Ã[\x{80}-\x{BF}]|â€|&#x?[0-9a-fA-F]{2,6};")
    )


@_filter
def question_short(settings: CleanSettings) -> pl.Expr:
    """Fewer than `min_question` letters and digits in the first question."""
    return _count("question", r"[\p{L}\p{N}]") < settings.min_question


@_filter
def answer_short(settings: CleanSettings) -> pl.Expr:
    """Fewer than `min_answer` letters and digits in all answers together."""
    return _count("answer", r"[\p{L}\p{N}]") < settings.min_answer


@_filter
def turn_long(settings: CleanSettings) -> pl.Expr:
    """A turn of more than `max_turn` characters."""
    return _lengths().list.max() > settings.max_turn


@_filter
def total_long(settings: CleanSettings) -> pl.Expr:
    """More than `max_total` characters in all."""
    return _lengths().list.sum() > settings.max_total


@_filter
def echo(_: CleanSettings) -> pl.Expr:
    """The answer is the question again."""
    same_length = _count("question", r"[\p{L}\p{N}]") == _count("answer", r"[\p{L}\p{N}]")  # spares most rows the Python call
    keys = [pl.when(same_length).then(pl.col(name)).map_elements(comparison_key, pl.String) for name in ("question", "answer")]
    return (keys[0] == keys[1]).fill_null(value=False)


@_filter
def wrong_language(settings: CleanSettings) -> pl.Expr:
    """Fewer than `min_han` of the answers' letters are Han characters."""
    return _count("answer", r"\p{Han}") < settings.min_han * _count("answer", r"\p{L}").clip(1)


_JOINING = (
    "因为|由于|以及|并且|而且|但是|或者|例如|比如|包括|如果|所以|因此|虽然|通过|根据|对于|关于|其中"
    "|[和与及或在把被将从对向且并]"
)


@_filter
def cut_off(_: CleanSettings) -> pl.Expr:
    """The last answer ends in a comma, a colon, an opening bracket or a joining word.

    A missing full stop alone is no sign: a third of real answers lack it and nearly all of those are whole.
    """
    return pl.col("texts").list.last().str.contains(rf"(?:[，,、：:（(“《]|(?:{_JOINING}))\s*$")


_ADVERTISING = "|".join(
    (
        r"(?:加|添加)(?:我|我们|医生|老师)?(?:的)?(?:微信|薇信|QQ|qq)|\[(?:微信|QQ)\]|关注(?:我们?的?)?微信",
        r"(?:预约|免费)(?:热线|电话)|(?:拨打|致电).{0,12}\[电话\]|(?:网上|在线)预约|免费(?:咨询|预约|挂号|会诊)",
        r"点击.{0,8}(?:咨询|链接|这里|进入|查看)|(?:https?://|www\.)[A-Za-z0-9]",
        r"(?:我院|我们医院|本院|我科).{0,30}(?:专家|疗法|技术|预约|欢迎|治愈)|欢迎(?:您|你)?(?:来|到)(?:我院|我们|本院)",
        r"(?:独创|首创|独家|国际领先|国内领先|世界领先).{0,16}(?:疗法|疗效|配方|体系)|包治|根治各种|无效退款|祖传秘方",
    )
)


@_filter
def advertising(_: CleanSettings) -> pl.Expr:
    """Contact details, links, promotion of a hospital or of a miracle cure."""
    return pl.col("answer").str.contains(_ADVERTISING)


@_filter
def repetition(settings: CleanSettings) -> pl.Expr:
    """More than `max_repeated` of the answers are clauses (six or more characters) that were said before."""
    clauses = pl.col("answer").str.extract_all(r"[^，。；！？、,;!?\n\s]{6,}")
    total = clauses.list.eval(pl.element().str.len_chars()).list.sum()
    once = clauses.list.unique().list.eval(pl.element().str.len_chars()).list.sum()
    return total - once > settings.max_repeated * total.clip(1)
