"""Which texts can hold personal data at all, as patterns for a column: each matches where one of its part's recognisers would.

They are for Rust's `regex`, which has no lookaround and reads a text once, so that of real texts a few in a hundred reach the
recognisers. A pattern of many parts can be slower than its parts one after another; those here are cut where that was so.
"""

from __future__ import annotations

from functools import cache

from medasst.data.privacy import accounts, names, numbers, places, scattered

Chain = tuple[str, list[tuple[str, ...]]]


@cache
def signs() -> dict[str, Chain]:
    """By part: the pattern that all texts are searched for, then what those that have it must have, of each tuple any one."""
    figures = "|".join([numbers.FIRST_SIGN, accounts.MAIL_SIGN, accounts.FIRST_SIGN])
    words = f"{names.first_sign()}|{places.FIRST_SIGN}"
    chains: dict[str, Chain] = {
        "mails": (figures, [(accounts.MAIL_SIGN,)]),
        "scattered": (scattered.SIGN, [(scattered.SECOND_SIGN,)]),
        "numbers": (figures, [(*numbers.SIGNS_OF_NUMBERS, accounts.QQ_SIGN)]),
        "accounts": (figures, [(accounts.SIGN,)]),
        "places": (words, [(places.FIRST_SIGN,), (places.SIGN,)]),
    }
    return chains | {part: (words, [some]) for part, some in names.signs().items()}
