"""What records are named and compared by, on whole columns."""

from __future__ import annotations

import polars as pl

from medasst.conversation import turns_id
from medasst.data.tidy import normalised
from medasst.text import bucket_of_key


def comparison_key(text: pl.Expr) -> pl.Expr:
    """`text.comparison_key` on a column; the same for every character of Python's Unicode table."""
    return _letters(text, "")


def spaced_key(text: pl.Expr) -> pl.Expr:
    """`comparison_key` with a blank wherever it leaves something out."""
    return _letters(text, " ").str.strip_chars()


def _letters(text: pl.Expr, between: str) -> pl.Expr:
    return normalised(text).str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]+", between)


def comparison_keys(texts: pl.Series) -> list[str]:
    """`text.comparison_key` of each text."""
    return texts.to_frame("text").select(comparison_key(pl.col("text")))["text"].to_list()


def conversation_ids(frame: pl.DataFrame) -> pl.Series:
    """`conversation.conversation_id` of each row of `roles` and `texts`."""
    rows = zip(frame["roles"].to_list(), frame["texts"].to_list(), strict=True)
    return pl.Series("id", [turns_id(zip(roles, texts, strict=True)) for roles, texts in rows], pl.String)


def buckets(texts: pl.Series) -> list[int]:
    """`text.bucket` of each text."""
    return [bucket_of_key(key) for key in comparison_keys(texts)]
