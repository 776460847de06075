"""What is done to every text before anything is judged: expressions on a column of texts."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import polars as pl

from medasst.data.asked import without_labels, without_title
from medasst.data.boilerplate import cut_boilerplate, cut_platform
from medasst.data.exam_notes import KEY
from medasst.data.phrases import slips
from medasst.data.repeats import said_once
from medasst.data.simplified import simplified_series

_WIDE = [chr(c) for c in (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))]
_NARROW = [chr(ord(c) - 0xFEE0) for c in _WIDE]
_TAG = (
    r"(?i)</?(?:p|br|div|span|a|b|i|u|em|strong|font|img|table|tbody|tr|td|th|ul|ol|li|h[1-6]|sup|sub|center|script|style|iframe"
    r"|section)(?:\s[^<>]*)?/?>"
)
_ENTITIES = {
    "&nbsp;": " ", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'", "&apos;": "'", "&mdash;": "—", "&middot;": "·",
    "&ldquo;": "“", "&rdquo;": "”", "&deg;": "°", "&plusmn;": "±", "&times;": "×",
    "&amp;": "&",
}  # fmt: skip
_INVISIBLE = (
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\ufffe\ufff9-\ufffb\p{Co}]"
)
_BLANKS = r"[ \t\u00a0\u2000-\u200a\u3000]+"
# Left by the forms of question sites: punctuation before the first word, a section label with nothing under it.
_HEAD = r"^[，。、；：！？．）】」』,;:!?)\s]+([^，。、；：！？．）】」』,;:!?)\s])"  # a turn that is nothing else (？？) stays
_TAIL = r"(?:\s*(?:病情分析|问题分析|意见建议|指导意见|医生询问|生活护理|生活调理|其他提示)[:：]?\s*)+$"
_DOUBLED = r"([。！？!?])[，、,；;：:\s]+$"

# A text that stops short: at a word that joins, at a bracket just opened, at a comma after a clause that leads on.
# Words that end with the letter of a joining word (现在, 温和, 参与) are told by the letter before.
_JOINS = (
    "因为|由于|以及|并且|而且|但是|或者|例如|比如|包括|如果|所以|因此|虽然|通过|根据|其中"
    "|[^参给赋授]与|[^温缓柔饱中平总共]和|[^来涉危波累普遍触顾]及|[^现存所实内潜正好自还外]在|[^不核应反绝面相校]对|[^合兼]并|[^服听随]从|[或把被将且]"
)
_LEADS = (
    "如果|若是?|假如|要是|倘若|一旦|因为|由于|虽然|尽管|即使|除了|对于|关于|通过|经过|根据|按照|随着|为了|所以|因此|首先|其次|另外"
    "|此外|但是?|而且|并且"
)
# Two marks where one belongs, left by a cut (症状，。建议) or typed (多喝水。。), and a letter struck after the last stop.
_TWO_MARKS = r"[，、,;；][，、,。！？!?]|[。！？][，、,;；：:。]|[:：][，、,。]|\.。|。\.|\s\n|\n\s|[。！？][A-Za-z]$"
_LOST_YOU = "^的(这种)?(情况|症状)"  # a public set cuts 你 off the beginning
_PART = r"[^，。！？；、：,.!?;:\n]"
OPEN_END = (
    rf"(?:(?:{_JOINS})|[：:（(“《]|在{_PART}{{0,8}}(?:医生|医师|专家|药师)的)\s*$"
    rf"|(?:^|[，。！？；、：,.!?;:\s])(?:{_LEADS}){_PART}{{0,30}}[，,、]\s*$"
    rf"|{_PART}(?:之?后|时|以后|来说|而言|的话|期间|之前|情况下|同时)[，,、]\s*$"
)


def normalised(text: pl.Expr) -> pl.Expr:
    """`text.normalise` on a column."""
    return text.str.normalize("NFC").str.replace_many(_WIDE, _NARROW)


def tidied(text: pl.Expr) -> pl.Expr:
    """HTML tags, entities, control and invisible characters out; runs of blanks to one; stray ends trimmed; normalised last."""
    text = text.str.replace_all(r"\r\n?|\|#\|", "\n").str.replace_all(_TAG, "")
    text = text.str.replace_many(list(_ENTITIES), list(_ENTITIES.values()))  # in one pass: nothing is decoded twice
    text = text.str.replace_all(_INVISIBLE, "").str.replace_all(_BLANKS, " ").str.replace_all(r" *\n\s*", "\n")
    text = text.str.strip_chars().str.replace(_HEAD, "$1").str.replace(_TAIL, "").str.replace(_DOUBLED, "$1")
    return normalised(text.str.strip_chars())


class Tidied(NamedTuple):
    """Texts of turns, and for each step that is counted which of them it changed."""

    texts: pl.Series
    steps: dict[str, pl.Series]


Step = Callable[[pl.Series], pl.Series]


def tidied_turns(texts: pl.Series, roles: pl.Series, simplify: bool = True, boilerplate: bool = True) -> Tidied:
    """The texts of turns tidied; the users' lose the forms of sites, the assistant's boilerplate and what they say twice, and
    their punctuation is mended."""
    texts = texts.to_frame("text").select(tidied(pl.col("text")))["text"]
    if simplify:
        texts = simplified_series(texts)
    whole = pl.int_range(len(texts), eager=True)
    asked = whole.filter((roles == "user").fill_null(value=False))
    answers = whole.filter((roles == "assistant").fill_null(value=False))
    told = _Told(texts)
    told.step("decimal point", whole, _decimals)
    told.step("blank between words", answers, _joined)
    if boilerplate:
        told.step("label of a form", asked, without_labels)
        told.step("title said again", asked, without_title)
        told.step("letters lost by a site", answers, _slips)
    _settle(told, answers, boilerplate)
    return Tidied(told.texts, told.steps)


class _Told:
    """Texts on their way through the steps, and what each changed."""

    def __init__(self, texts: pl.Series) -> None:
        self.texts = texts
        self.steps: dict[str, pl.Series] = {}

    def step(self, name: str, places: pl.Series, change: Step) -> pl.Series:
        """Change the texts at some places; returns the places of those that changed. A step without a name isn't counted."""
        before = self.texts.gather(places)
        after = change(before.clone())  # `scatter` writes in place
        moved = places.filter((after != before).fill_null(value=False))
        if len(moved):
            self.texts = self.texts.clone().scatter(places, after)
        if name:
            known = self.steps.get(name, pl.repeat(False, len(self.texts), dtype=pl.Boolean, eager=True))
            self.steps[name] = known.clone().scatter(moved, True) if len(moved) else known
        return moved


def _settle(told: _Told, places: pl.Series, boilerplate: bool) -> None:
    """Answers cut and mended until nothing moves: what is cut may uncover more. No step undoes another."""
    while len(places):
        moved: list[pl.Series] = []
        if boilerplate:
            moved.append(told.step("talk of the platform", places, cut_platform))
            moved.append(told.step("courtesy and labels", places, cut_boilerplate))
        moved.append(told.step("said twice", places, said_once))
        moved.append(told.step("", places, _mended))
        places = pl.concat(moved).unique().sort()


# 38。5 for 38.5: a site turned every full stop into a Chinese one. Before a mark of a list (38。2、) the digit is its number.
_DECIMAL = r"(\d)。(\d{1,2})([^\d、．.)）]|$)"
_HAN_BLANK = r"(\p{Han}) +(\p{Han})"


def _decimals(texts: pl.Series) -> pl.Series:
    places = texts.str.contains(_DECIMAL).fill_null(value=False).arg_true()
    if not len(places):
        return texts
    # Twice: of 4。5。7 the middle belongs to both.
    mended = texts.gather(places).str.replace_all(_DECIMAL, "${1}.${2}${3}").str.replace_all(_DECIMAL, "${1}.${2}${3}")
    return texts.scatter(places, mended)


def _joined(texts: pl.Series) -> pl.Series:
    """Blanks between Han characters out, but for the first line of an exam's answer, which repeats an option."""
    places = (texts.str.contains(_HAN_BLANK) & ~texts.str.starts_with(KEY)).fill_null(value=False).arg_true()
    if not len(places):
        return texts
    joined = texts.gather(places).str.replace_all(_HAN_BLANK, "${1}${2}").str.replace_all(_HAN_BLANK, "${1}${2}")
    return texts.scatter(places, joined)


def _slips(texts: pl.Series) -> pl.Series:
    for pattern, right in slips():
        texts = texts.str.replace_all(pattern, right)
    return texts


def _mended(answers: pl.Series) -> pl.Series:
    """Answers with one mark where two stood, the first word that a set cut off, and a full stop in place of a last comma."""
    places = answers.str.contains(_TWO_MARKS).fill_null(value=False).arg_true()
    if len(places):
        answers = answers.scatter(places, answers.gather(places).to_frame("text").select(_punctuated(pl.col("text")))["text"])
    whole = pl.col("text").str.replace(_HEAD, "$1").str.replace(_TAIL, "").str.replace(_LOST_YOU, "你的$1$2")
    frame = answers.to_frame("text").with_columns(whole)
    return frame.select(_closed(pl.col("text")))["text"]


def _punctuated(text: pl.Expr) -> pl.Expr:
    text = text.str.replace_all(r"[，、,;；.\s]+([。！？!?])", "$1").str.replace_all(r"([。！？])[，、,;；：:。.]+", "$1")
    text = text.str.replace_all(r"([，,、:：])[，、,。]+", "$1").str.replace(r"([。！？])[A-Za-z]$", "$1")
    return text.str.replace_all(r" *\n\s*", "\n")


def _closed(text: pl.Expr) -> pl.Expr:
    """Sources that forbid a last full stop leave a comma: eight of ten such answers are whole (`benchmarks/filters.py`)."""
    return pl.when(text.str.contains(OPEN_END)).then(text).otherwise(text.str.replace(r"[，,、]+\s*$", "。"))
