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
from medasst.data.markers import chat_markers
from medasst.data.tidy import OPEN_END


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


def drop_reason(settings: CleanSettings) -> pl.Expr:
    """The name of the first filter that drops the record; null where none does."""
    reason = pl.lit(None, pl.String)
    for name, drops in reversed(FILTERS.items()):
        if name not in settings.off:
            reason = pl.when(drops(settings)).then(pl.lit(name)).otherwise(reason)
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


_ADVERTISING = "|".join(
    (
        # contact
        r"(?:加|添加)(?:我|我们|医生|老师)?(?:的)?(?:微信|薇信|QQ|qq)|\[(?:微信|QQ)\]|关注(?:我们?的?)?微信",
        r"(?:预约|免费)(?:热线|电话)|(?:拨打|致电).{0,12}\[电话\]|(?:网上|在线)预约|免费(?:咨询|预约|挂号|会诊)|欢迎(?:来电|在线咨询|前来)",
        r"点击.{0,8}(?:咨询|链接|这里|进入|查看)|点.{0,6}(?:在线专家|咨询图标|专家图标)|咨询图标|(?:https?://|www\.)[A-Za-z0-9]",
        # a hospital or its doctors
        r"(?:我院|我们医院|我们?中心|本院|我科)[^没不无]{0,30}(?:专家|疗法|技术|预约|欢迎|治愈|采用|中药|治疗)|欢迎(?:您|你)?(?:来|到)(?:我院|我们|本院)",
        r"立字据|签(?:约|协议)治|全额退款|包干|(?:国际|国内|世界)(?:领先|首创|先进).{0,8}(?:地位|技术|设备|水平|工艺|系统|疗法|介入)",
        # a cure beyond belief
        r"(?:独创|首创|独家).{0,16}(?:疗法|疗效|配方|体系)|包治|根治各种|无效退款|祖传.{0,4}(?:秘方|配方|中药|方)|奇方秘方|祖国医学.{0,20}独",
        r"传统中药.{0,110}(?:配合|独[到特]|根治|自愈|治愈|转阴|存活)|(?:独[到特]).{0,4}(?:见解)?的?(?:疗效|配方|治疗方法|方剂)",
        r"见效快[，,].{0,6}(?:疗效|效果)|(?:疗效|效果).{0,4}[，,]见效快|疗效(?:确切|独特)[，,].{0,12}患者|(?:安全|彻底).{0,6}无(?:任何)?毒?副作用|效果.{0,4}[，,]无(?:任何)?毒?副作用",
        r"(?:彻底|快速|完全)(?:根治|自愈|治愈|清除).{0,12}不(?:会)?(?:再)?(?:病发|反冲|复发|反弹)|免疫.{0,6}(?:联合|四联|复肾).{0,3}疗法|[^三四二]联疗法",
        r"已经逐渐被取代|摆脱病魔|长期带瘤生存|无需手术[，、](?:无需|化疗|放疗)",
        # a product
        r"经典国药|整体疗[肝肾]|目前最有效的保肝降酶|(?:长期|大量|高价|现金)(?:供求|收购|回收|求购|出售)",
    )
)


@_filter
def advertising(_: CleanSettings) -> pl.Expr:
    """Contact details, links, promotion of a hospital, of a product or of a miracle cure."""
    return pl.col("answer").str.contains(_ADVERTISING)


@cache
def _swaps() -> dict[str, list[str]]:
    swaps: dict[str, list[str]] = tomllib.loads((Path(__file__).parent / "swaps.toml").read_text("utf-8"))
    return swaps


@_filter
def paraphrased(settings: CleanSettings) -> pl.Expr:
    """Machine paraphrase: marks of it, a clear one counting two, are more than `max_swaps` in 300 characters.

    In untouched sets about one answer in a thousand has so many. Words of good Chinese count too: damage brings several.
    """
    clear = pl.col("answer").str.extract_many(_swaps()["clear"]).list.n_unique()
    faint = pl.col("answer").str.extract_many(_swaps()["faint"]).list.n_unique()
    return 2 * clear + faint > settings.max_swaps * (pl.col("answer").str.len_chars() / 300).clip(1)


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
