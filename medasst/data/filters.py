"""The filters that drop a record: pure functions from settings to a column expression, true where the record goes.

They read `texts` (all turns) and the columns of `views`. The first filter that is true, in the order of this file, is
the reason that is counted. Each can be switched off by name.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import polars as pl
from pydantic import Field

from medasst.config import Config
from medasst.data.boilerplate import PLATFORM
from medasst.data.exam_notes import KEY
from medasst.data.markers import chat_markers
from medasst.data.phrases import every, phrases
from medasst.data.strict import STRICT
from medasst.data.tidy import OPEN_END
from medasst.data.unsafe import unsafe_medicine


class CleanSettings(Config):
    """Limits and switches. Lengths are in characters."""

    simplify: bool = True  # traditional Chinese becomes simplified
    boilerplate: bool = True  # labels, greetings and good wishes are cut from answers

    min_question: int = Field(default=2, ge=0)  # letters, digits and Han characters of all questions together
    min_answer: int = Field(default=10, ge=0)  # the same of all answers together
    max_turn: int = Field(default=4_000, ge=1)
    max_total: int = Field(default=16_000, ge=1)
    min_han: float = Field(default=0.3, ge=0, le=1)  # least share of Han among the letters of the answers
    max_repeated: float = Field(default=0.3, ge=0, le=1)  # share of the answers that may be clauses said before
    max_swaps: int = Field(default=2, ge=0)  # marks of machine paraphrase in 300 characters, a clear one counting two
    off: tuple[str, ...] = ()  # names of filters that are switched off


Filter = Callable[[CleanSettings], pl.Expr]
FILTERS: dict[str, Filter] = {}


def _filter(function: Filter) -> Filter:
    FILTERS[function.__name__] = function
    return function


def drop_reason(settings: CleanSettings, strict: bool = False) -> pl.Expr:
    """The name of the first filter that drops the record; null where none does. `strict`: those for unchecked answers too."""
    found = {name: drops(settings) for name, drops in FILTERS.items()}
    if strict:
        found |= {name: drops() for name, drops in STRICT.items()}
    reason = pl.lit(None, pl.String)
    for name, drops in reversed(found.items()):
        if name not in settings.off:
            reason = pl.when(drops).then(pl.lit(name)).otherwise(reason)
    return reason


def views() -> list[pl.Expr]:
    """From `roles` and `texts`: `question` (the first user turn), `answer` (all assistant turns, a line each).

    `question_letters` (of all user turns: many a dialogue begins with 在吗) and `answer_letters` are what is left with nothing
    but letters and digits; `clauses` are the answers' clauses of six or more characters.
    """
    asked, answer = said_by("user"), said_by("assistant").list.join("\n")
    return [
        asked.list.first().alias("question"),
        answer.alias("answer"),
        asked.list.join("\n").str.replace_all(_NO_LETTER, "").alias("question_letters"),
        answer.str.replace_all(_NO_LETTER, "").alias("answer_letters"),
        answer.str.extract_all(r"[^，。；！？、,;!?\n\s]{6,}").alias("clauses"),
    ]


HELPERS = ("question_letters", "answer_letters", "clauses")  # columns of `views` that only the filters need
_NO_LETTER = r"[^\p{L}\p{N}]+"
_ASKS = 400  # characters; a longer text that only asks is none


def said_by(role: str) -> pl.Expr:
    """The texts of one speaker's turns."""
    return pl.col("texts").list.gather(pl.col("roles").list.eval((pl.element() == role).arg_true()))


def _lengths() -> pl.Expr:
    return pl.col("texts").list.eval(pl.element().str.len_chars())


@_filter
def empty_turn(_: CleanSettings) -> pl.Expr:
    """A turn is empty once tidied."""
    return _lengths().list.min() == 0


_filter(chat_markers)  # at the ends of turns they were cut off before


@_filter
def masked_word(_: CleanSettings) -> pl.Expr:
    """`[MASK` or the like stands where a word was, such as a drug's name."""
    return pl.col("texts").list.join("\n").str.contains(r"\[(?:MASK|BLANK|REDACTED)|<mask>")


_BROKEN = (
    r"\x{FFFD}|锟斤拷|烫烫烫|屯屯屯|Ã[\x{80}-\x{BF}]|â€|&#x?[0-9a-fA-F]{2,6};"
    r"|(?:[\x{E4}-\x{E9}][\x{A0}-\x{BF}]{0,2}){3}"  # UTF-8 read as Latin-1: æ¨å¥½ for 您好
)


@_filter
def broken_encoding(_: CleanSettings) -> pl.Expr:
    """U+FFFD, or the well-known marks of a wrong decoding."""
    return pl.col("texts").list.join("\n").str.contains(_BROKEN)


@_filter
def question_short(settings: CleanSettings) -> pl.Expr:
    """Fewer than `min_question` letters and digits in all questions together."""
    return pl.col("question_letters").str.len_chars() < settings.min_question


@_filter
def answer_short(settings: CleanSettings) -> pl.Expr:
    """Fewer than `min_answer` letters and digits in all answers together."""
    return pl.col("answer_letters").str.len_chars() < settings.min_answer


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
    """The answer is the question again, going by letters and digits."""
    asked, answered = pl.col("question_letters"), pl.col("answer_letters")
    # Both branches of a when/then are worked out for every row: only texts of one length are put into small letters.
    alike = asked.str.len_chars() == answered.str.len_chars()
    asked, answered = (pl.when(alike).then(text).otherwise(pl.lit("")).str.to_lowercase() for text in (asked, answered))
    return alike & (asked == answered)


@_filter
def wrong_language(settings: CleanSettings) -> pl.Expr:
    """Fewer than `min_han` of the answers' letters are Han characters."""
    answer = pl.col("answer_letters")
    letters = answer.str.len_chars() - answer.str.count_matches(r"\p{N}")
    return letters - answer.str.count_matches(r"[\p{L}--\p{Han}]") < settings.min_han * letters.clip(1)


_WAITING = "|".join(
    (
        r"(?:您|你)的(?:问题|咨询|提问|留言)(?:我们)?已?经?(?:收到|提交|受理|转给.{0,8})",
        r"请(?:您|你)?(?:耐心|稍后|稍等|稍作)?等[待候].{0,8}(?:回复|解答|回答|答复|联系)",
        r"(?:医生|客服|专家|我们)(?:正在|会|将)(?:尽快|为您|为你|第一时间|在.{1,8}内)*(?:回复|解答|联系)(?:您|你)?",
        r"(?:暂无|没有)(?:医生)?(?:回答|回复|解答)|(?:该|此)(?:回答|回复|答案)(?:已|被)(?:删除|屏蔽|隐藏)",
        r"(?:付费|登录|注册|关注)后(?:可|才能|即可)(?:查看|阅读)|点击查看(?:答案|全部|详情)",
    )
)
_COURTESY = (
    r"(?:您|你)好|(?:谢谢|感谢)(?:您|你)?的?|信任|支持|理解|咨询|提问|关注|配合|(?:祝|希望|愿)(?:您|你)?|身体|健康|生活|工作|愉快|顺利|早日|康复|万事如意"
    r"|不客气|不用谢|再见|对(?:您|你)?有(?:所)?帮助|我的(?:回答|建议)|医生|的|与|和|[^\p{L}\p{N}]"
)


@_filter
def placeholder(settings: CleanSettings) -> pl.Expr:
    """The answers promise a reply, say that it is gone or costs, or are courtesy; what else they say is under `min_answer`."""
    text = pl.col("answer")
    likely = (text.str.len_chars() < 200) & text.str.contains(rf"{_WAITING}|(?:您|你)好|祝|谢")
    left = pl.when(likely).then(text).otherwise(pl.lit(""))  # spares the others the work
    left = left.str.replace_all(_WAITING, "").str.replace_all(_COURTESY, "")
    return likely & (left.str.len_chars() < settings.min_answer)


# The public cMedQA2 cuts its answers at 250 characters, blanks included.
_LIMIT = (232, 250)
_FULL_STOP = r"[。！？!?.…；;）)”\"~～]\s*$"


@_filter
def cut_off(_: CleanSettings) -> pl.Expr:
    """The last answer stops short (`tidy.OPEN_END`), or has no full stop and the length at which a large public set cuts.

    A missing full stop alone is no sign: a third of real answers lack it and nearly all of those are whole.
    """
    last = pl.col("texts").list.last()
    at_limit = last.str.len_chars().is_between(*_LIMIT) & ~last.str.contains(_FULL_STOP)
    return at_limit | last.str.contains(OPEN_END)


@_filter
def advertising(_: CleanSettings) -> pl.Expr:
    """Contact details, links, promotion of a hospital, of a product or of a miracle cure."""
    return pl.col("answer").str.contains(every("advertising"))


@_filter
def platform_talk(_: CleanSettings) -> pl.Expr:
    """What a platform says in the doctor's name is all that a turn holds, or stands where it couldn't be cut."""
    return pl.col("answer").str.contains(PLATFORM)


@_filter
def rewritten(_: CleanSettings) -> pl.Expr:
    """Whoever rewrote a dialogue left a note on the work, or blanks to be filled."""
    return pl.col("answer").str.contains(phrases("rewritten", "notes"))


@_filter
def only_asks(settings: CleanSettings) -> pl.Expr:
    """The answers only ask the patient back: what is said besides questions and courtesy is under `min_answer`."""
    text = pl.col("answer")
    asks = text.str.contains(r"[？?]|吗|呢|没有|多久|多大|几天")
    left = pl.when(asks & (text.str.len_chars() < _ASKS)).then(text).otherwise(pl.lit(""))
    left = left.str.replace_all(phrases("asks", "clause"), "").str.replace_all(phrases("asks", "polite"), "")
    return asks & (text.str.len_chars() < _ASKS) & (left.str.replace_all(_NO_LETTER, "").str.len_chars() < settings.min_answer)


@cache
def _swaps() -> dict[str, list[str]]:
    swaps: dict[str, list[str]] = tomllib.loads((Path(__file__).parent / "swaps.toml").read_text("utf-8"))
    return swaps


@_filter
def paraphrased(settings: CleanSettings) -> pl.Expr:
    """Machine paraphrase: marks of it, a clear one counting two, are more than `max_swaps` in 300 characters.

    In untouched sets about one answer in a thousand has so many. Words of good Chinese count too: damage brings several. Exams
    write like an office, with many of them.
    """
    clear = pl.col("answer").str.extract_many(_swaps()["clear"]).list.n_unique()
    faint = pl.col("answer").str.extract_many(_swaps()["faint"]).list.n_unique()
    many = 2 * clear + faint > settings.max_swaps * (pl.col("answer").str.len_chars() / 300).clip(1)
    return many & ~pl.col("answer").str.starts_with(KEY)


_UNIT = 8  # letters


@_filter
def repetition(settings: CleanSettings) -> pl.Expr:
    """More than `max_repeated` of the answers' clauses were said before, or they begin with one word over and over."""
    said, new = (column.list.join("").str.len_chars() for column in (pl.col("clauses"), pl.col("clauses").list.unique()))
    start = pl.col("answer_letters").str.head(3 * _UNIT)
    length = start.str.len_chars().cast(pl.Int64)
    # Moved on by its own length, a text of one repeated word is itself.
    word = pl.any_horizontal(
        (start.str.slice(size) == start.str.head(length - size)) & (length >= max(2 * size, _UNIT))
        for size in range(1, _UNIT + 1)
    )
    return (said - new > settings.max_repeated * said.clip(1)) | word


_filter(unsafe_medicine)
