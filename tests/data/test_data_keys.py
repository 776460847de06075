"""What columns are compared and named by is what single texts are: split and contamination depend on it."""

from __future__ import annotations

import unicodedata

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from medasst.conversation import Message, conversation_id
from medasst.data.keys import buckets, comparison_keys, conversation_ids
from medasst.text import bucket, comparison_key


def test_every_character_counts_alike() -> None:
    """Every character of Python's Unicode table; Polars may know newer ones."""
    every = [f"a{chr(code)}b" for code in range(0x110000) if unicodedata.category(chr(code)) not in {"Cn", "Cs"}]
    assert comparison_keys(pl.Series(every)) == [comparison_key(text) for text in every]


TEXTS = st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cn", "Cs"]), max_size=20), min_size=1, max_size=5)


@given(TEXTS)
def test_columns_say_what_single_texts_say(texts: list[str]) -> None:
    column = pl.Series(texts, dtype=pl.String)
    assert comparison_keys(column) == [comparison_key(text) for text in texts]
    assert buckets(column) == [bucket(text) for text in texts]
    roles = ["user", "assistant"] * len(texts)
    frame = pl.DataFrame({"roles": [roles[: len(texts)]], "texts": [texts]})
    expected = conversation_id(Message(role, text) for role, text in zip(roles, texts, strict=False))  # type: ignore[arg-type]
    assert conversation_ids(frame).to_list() == [expected]
