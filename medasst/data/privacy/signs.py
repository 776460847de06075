"""Which texts can hold personal data at all, as patterns for a column: each matches where one of its part's recognisers would.

They are for Rust's `regex`, which has no lookaround and reads a text once, so that of real texts a few in a hundred reach the
recognisers.
"""

from __future__ import annotations

from functools import cache

from medasst.data.privacy import accounts, names, numbers, places
from medasst.data.privacy.recogniser import HAN, NUMERALS, SIGNS


@cache
def signs() -> dict[str, tuple[str, ...]]:
    """By part: patterns that a text must all have, the one that is quickest to search for first."""
    figures = rf"[A-Za-z0-9_@＠{SIGNS}]|[{NUMERALS}][^{HAN}A-Za-z，。；、]{{0,2}}[{NUMERALS}]|床"
    letters = f"{accounts.MAIL_SIGN}|{accounts.SIGN}"
    words = f"{names.first_sign()}|{places.FIRST_SIGN}"
    return {
        "mails": (figures, letters, accounts.MAIL_SIGN),
        "numbers": (figures, numbers.SIGN),
        "accounts": (figures, letters, accounts.SIGN),
        "places": (words, places.FIRST_SIGN, places.SIGN),
        "names": (words, names.SIGN),
    }
