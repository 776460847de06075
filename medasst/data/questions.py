"""What of a record is compared with the questions of a test: each user turn, reduced to what it asks.

A text loses what people put around a question: greetings and thanks, the letters before an exam question's options, all
punctuation. What is left is its core. Of a core, the letters outside the words in which anything may be asked (怎么办,
下列哪项) are its content: 您好，请问口臭怎么办？ has the core 口臭怎么办 and the content 口臭.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import polars as pl

from medasst.data.keys import comparison_key, spaced_key
from medasst.data.simplified import simplified_series

# A stem and its options: （A）… A、… A …, then B, and C unless each begins a line; the marks alone don't count.
_MARK = r"[(（\[【]?\s*{}\s*[)）\]】.．、:：,，\s]\s*"
_A, _B, _C = (_MARK.format(f"[{letters}]") + r"\S" for letters in ("Aa①", "Bb②", "Cc③"))
_STEMS = (rf"(?s)^(.*?\n)\s*{_A}.*?\n\s*{_B}", rf"(?s)^(.*?[^A-Za-z0-9]){_A}.*?{_B}.*?{_C}")
_MARKS = r"(^|[^A-Za-z0-9])[(（\[【]?\s*[A-Ha-h①-⑧]\s*[)）\]】.．、:：,，\s]\s*"

_NUMBER = r"^\s*[(（]?\d{1,3}(?:[)）．、]\s*|\.\s*(\D))"  # before an exam question
_STEM_CONTENT = 3  # letters of content that a stem needs to be compared without its options
_SPOKEN = 60  # letters of the longest text whose sentences are told apart
CORE = {
    "later": pl.Boolean,
    "core": pl.String,
    "letters": pl.Int64,
    "content": pl.Int64,
    "stem": pl.Int64,
    "sentences": pl.String,
}


class _Words(NamedTuple):
    before: str  # regular expressions: sentences of courtesy, then words of it
    after: str
    opening: str
    closing: str
    asking: list[str]
    every: list[str]  # all of these, and the aspects of a question
    courtesy: list[str]


@cache
def _words() -> _Words:
    data = tomllib.loads((Path(__file__).with_suffix(".toml")).read_text("utf-8"))
    opening, closing, asking, every, courtesy = (
        sorted({word for name in names for word in data[name].split()}, key=lambda word: (-len(word), word))
        for names in (
            ["opening"],
            ["closing"],
            ["opening", "closing", "asking"],
            ["opening", "closing", "asking", "aspects"],
            ["opening", "closing", "courtesy"],
        )
    )
    said, stop = f"(?:{'|'.join(courtesy)})", r"[^\p{L}\p{N}]"
    return _Words(
        before=f"(?i)^{stop}*(?:{said}+{stop}+)+",
        after=f"(?i){stop}(?:{said}+{stop}*)+$",
        opening=f"^(?:.{{0,4}}[您你]们?好)?(?:{'|'.join(opening)})*",
        closing=f"(?:{'|'.join(closing)})+$",
        asking=asking,
        every=every,
        courtesy=courtesy,
    )


def content(text: pl.Expr) -> pl.Expr:
    """How many letters of a comparison key stand outside the words in which anything may be asked; digits don't count."""
    left = text.str.replace_many(_words().every, [""] * len(_words().every), leftmost=True)
    return left.str.count_matches(r"\P{N}").cast(pl.Int64)


def content_of(text: str) -> int:
    """`content` of one comparison key."""
    return sum(not unicodedata.category(char).startswith("N") for char in _any_of("every").sub("", text))


def asks_only(text: str) -> bool:
    """Whether a piece of a comparison key is nothing but words in which anything may be asked; 病因, 症状 are more."""
    return not _any_of("asking").sub("", text)


class Manners(NamedTuple):
    """Letters of a text in words of courtesy, and others."""

    courteous: int
    other: int


def manners(text: str) -> Manners:
    """What a piece of a comparison key, blanks in it or not, is made of."""
    text = text.replace(" ", "")
    other = len(_any_of("courtesy").sub("", text))
    return Manners(len(text) - other, other)


@cache
def _any_of(kind: str) -> re.Pattern[str]:
    return re.compile("|".join(getattr(_words(), kind)))


def cores_of(asked: pl.Series) -> pl.Series:
    """For each record the cores of its user turns, as a list of structs of CORE; `later` is false for those of the first turn.

    Args:
        asked: for each record the list of its user turns.
    """
    texts = asked.to_frame("text").with_row_index("row").with_columns(later=pl.int_ranges(pl.col("text").list.len()))
    found = cores(texts.explode("text", "later").drop_nulls("text").with_columns(pl.col("later") > 0))
    lists = found.group_by("row").agg(pl.struct(list(CORE)).alias("cores"))
    every = pl.DataFrame({"row": range(len(asked))}, schema={"row": pl.UInt32}).join(lists, on="row", how="left").sort("row")
    return every["cores"].fill_null([]).cast(pl.List(pl.Struct(CORE)))


def cores_asked(asked: Iterable[Sequence[str]], first: int = 0, *, simplify: bool = False) -> pl.DataFrame:
    """The `cores` of questions that are no records, each as its user turns; `row` counts them from `first` on.

    Args:
        simplify: traditional Chinese becomes simplified before, as it does in records.
    """
    rows = [(row, turn > 0, text) for row, turns in enumerate(asked, first) for turn, text in enumerate(turns)]
    texts = pl.DataFrame(rows, schema={"row": pl.UInt32, "later": pl.Boolean, "text": pl.String}, orient="row")
    return cores(texts.with_columns(simplified_series(texts["text"])) if simplify else texts)


def cores(texts: pl.DataFrame) -> pl.DataFrame:
    """Of `row, later, text` the distinct cores, with `row` and CORE's columns; an empty one is left out.

    A text with lettered options gives two: with them (its first `stem` letters are the stem's; 0 in any other core), and the
    stem alone, if that tells one question from others. `sentences` is the text again if it is short,
    with blanks between its parts.
    """
    texts = _cut(texts.with_columns(pl.col("text").str.replace(_NUMBER, "$1")), _words().before)
    texts = texts.with_columns(stem=pl.coalesce(pl.col("text").str.extract(stem) for stem in _STEMS), bare=pl.lit(value=False))
    whole, stems = _cut(texts.filter(pl.col("stem").is_null()), _words().after), texts.filter(pl.col("stem").is_not_null())
    if len(stems):
        options = pl.col("text").str.slice(pl.col("stem").str.len_chars()).str.replace_all(_MARKS, "$1")
        with_options = stems.with_columns(text=pl.col("stem") + options)
        whole = pl.concat([whole, with_options, stems.with_columns(text="stem", bare=pl.lit(value=True))])
    opened = comparison_key(pl.col("stem")).fill_null("").str.replace(_words().opening, "")
    stem = pl.when(pl.col("bare")).then(0).otherwise(opened.str.len_chars())
    found = whole.select("row", "later", "bare", sentences=spaced_key(pl.col("text")), stem=stem.cast(pl.Int64))
    key = pl.col("sentences").str.replace_all(" ", "", literal=True)
    shown = (key.str.len_chars() <= _SPOKEN) & (pl.col("stem") == 0)
    found = found.with_columns(
        _within(key.str.replace(_words().opening, "").str.replace(_words().closing, ""), key),
        sentences=pl.when(shown).then("sentences").otherwise(pl.lit("")),
    )
    found = found.with_columns(letters=pl.col("core").str.len_chars().cast(pl.Int64), content=content(pl.col("core")))
    alone = ~pl.col("bare") | (pl.col("content") >= _STEM_CONTENT)
    found = found.filter((pl.col("core") != "") & alone).sort("row", "later", "core", "stem", "sentences")
    return found.unique(["row", "core"], keep="first", maintain_order=True).select("row", *CORE)


def _cut(texts: pl.DataFrame, courtesy: str) -> pl.DataFrame:
    """The texts without sentences of courtesy, unless nothing else is said."""
    cut = pl.col("text").str.replace(courtesy, "")
    return texts.with_columns(text=pl.when(cut.str.contains(r"[\p{L}\p{N}]")).then(cut).otherwise("text"))


def _within(cut: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """The text cut, unless next to nothing is left."""
    return pl.when(cut.str.len_chars() < 2).then(whole).otherwise(cut).alias("core")
