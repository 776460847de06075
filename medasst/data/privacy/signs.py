"""Which texts can hold personal data at all, as patterns for a column: each matches where one of its part's recognisers would.

They are for Rust's `regex`, which has no lookaround and reads a text once, so that of real texts a few in a hundred reach the
recognisers. Every text is read four times, whatever the number of recognisers: for four letters and figures in a row, for the
commonest letters of "is called" (in no time), for words beside which names stand, and for words of places. A pattern of many
parts can be slower than its parts one after another; those here are cut where that was so.
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
    "|点[cC康抗科靠]|dot|[@＠]"
)


class Group(NamedTuple):
    """A pattern that all texts are searched for; then by part what those that have it must have, of each tuple any one."""

    first: str
    then: dict[str, list[tuple[str, ...]]]


@cache
def signs() -> list[Group]:
    """The groups; a part may be in several."""
    return [
        Group(
            _ANY_FIGURES,
            {
                "any": [(ODD,)],
                "apart": [(apart.SIGN,)],
                "mails": [(accounts.MAIL_SIGN,)],
                "scattered": [(scattered.SIGN,), (scattered.SECOND_SIGN,)],
                "numbers": [(numbers.FIRST_SIGN, accounts.QQ_SIGN), (*numbers.SIGNS_OF_NUMBERS, accounts.QQ_SIGN)],
                "accounts": [accounts.SIGNS_OF_ACCOUNTS],
                "stated": [names.latin_signs()],
            },
        ),
        Group(
            f"{names.FIRST_CALLED_SIGN}|{accounts.FIRST_NICK_SIGN}",
            {"stated": [(names.called_sign(),)], "accounts": [(accounts.NICK_SIGN,)]},
        ),
        Group(names.first_sign(), {part: [some] for part, some in names.signs().items()}),
        Group(
            f"{places.FIRST_SIGN}|{names.other_sign()}|{births.FIRST_SIGN}",
            {
                "births": [births.SIGNS_OF_BIRTHS],
                "beds": [(numbers.BED_SIGN,)],
                "places": [places.SIGNS],
                "stated": [(names.other_sign(),)],
            },
        ),
    ]
