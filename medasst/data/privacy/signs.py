"""Which texts can hold personal data at all, as patterns for a column: each matches where one of its part's recognisers would.

They are for Rust's `regex`, which has no lookaround and reads a text once, so that of real texts a few in a hundred reach the
recognisers. They form a tree: what all texts are searched for comes first, and each branch of it only sees the texts that
have it. Every text is read four times, whatever the number of recognisers: for four letters and figures in a row, for a few
words that are found in no time, for words beside which names stand, and for words of places. A pattern of many parts can be
slower than its parts one after another; those here are cut where that was so. Polars keeps 32 compiled patterns of a thread:
with more of them all would be compiled anew for every column.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from medasst.data.privacy import accounts, apart, births, names, numbers, places, scattered
from medasst.data.privacy.recogniser import NUMERALS, ODD, SEPARATORS, SIGNS

_SIGN = f"[0-9A-Za-z_@＠{SIGNS}{NUMERALS}]"
# What all texts with numbers, accounts and names in Latin letters have: four signs in a row, or parts of a number.
_ANY_FIGURES = (
    rf"{_SIGN}(?:[{SEPARATORS}，\[\]]*{_SIGN}){{3}}|{scattered.CHUNKS}|{ODD}|{apart.SIGN}|下划线|分机|内线|总机转|\]\s?转"
    "|点[cC康抗科靠]|dot|[@＠]|[Ii][Dd]|号[:：]"
)
EVERY = "any"  # instead of a part: all of them


class Group(NamedTuple):
    """Patterns, any one of which a text must have, and the parts of `mask` that those texts go through, or further groups."""

    patterns: tuple[str, ...]
    parts: tuple[str, ...] = ()
    then: tuple[Group, ...] = ()


@cache
def signs() -> tuple[Group, ...]:
    """The groups; a part may be in several."""
    rare = Group(
        (f"{ODD}|{apart.SIGN}|{accounts.MAIL_SIGN}",),
        then=(Group((ODD,), (EVERY,)), Group((apart.SIGN,), ("apart",)), Group((accounts.MAIL_SIGN,), ("mails",))),
    )
    figures = Group(
        (_ANY_FIGURES,),
        then=(
            rare,
            Group((scattered.SIGN,), then=(Group(scattered.SECOND_SIGNS, ("scattered",)),)),
            Group((numbers.FIRST_SIGN,), then=(Group(numbers.SIGNS_OF_NUMBERS, ("numbers",)),)),
            Group((accounts.ID_SIGN,), ("accounts",), (Group((accounts.QQ_SIGN,), ("numbers",)),)),
            Group((accounts.CHAT_SIGN,), ("accounts",)),
            Group((accounts.NICK_SIGN,), ("accounts",)),
            Group(names.latin_signs(), ("stated",)),
        ),
    )
    return (
        figures,
        Group(
            (f"{names.FIRST_CALLED_SIGN}|{accounts.FIRST_NICK_SIGN}",),
            then=(Group((names.called_sign(),), ("stated",)), Group((accounts.NICK_SIGN,), ("accounts",))),
        ),
        Group(
            (names.first_sign(),),
            then=(
                *(Group((sign,), (part,)) for part, sign in names.signs().items()),
                Group((names.DOT,), ("stated", "of_people")),
            ),
        ),
        Group(
            (f"{places.FIRST_SIGN}|{names.other_sign()}|{births.FIRST_SIGN}",),
            then=(
                Group(births.SIGNS_OF_BIRTHS, ("births",)),
                Group(("床",), then=(Group((numbers.BED_SIGN,), ("beds",)),)),
                Group(places.SIGNS, ("places",)),
                Group((names.other_sign(),), ("stated",)),
            ),
        ),
    )
