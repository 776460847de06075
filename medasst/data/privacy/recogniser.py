"""What a kind of secret looks like, and how texts are searched for it: a pattern with its cues, then a check.

Numbers are looked for in a *view* of the text: the same length, every sign that people write for a digit (３ ③ 叁 三 幺 O l) in
its place as a digit and letters in circles or boxes as plain ones, so that a span of the view is a span of the text.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Literal

from medasst.disk import package_file

HAN = "\u4e00-\u9fff\u3400-\u4dbf〇"
HAN_LETTERS = (0x3007, *range(0x3400, 0x4DC0), *range(0x4E00, 0xA000))
NUMERALS = "零〇一二三四五六七八九幺两壹贰叁肆伍陆柒捌玖洞拐勾"  # the last as soldiers say them
# What people put between the digits of a number or the letters of an account; commas and stops part numbers from each other.
SEPARATORS = (
    r" \t\u00a0\u3000\-#$%&'()*+./<=>@\\^_`{|}~\"·\u2000-\u206f\u20d0-\u20ff\u2190-\u245f"
    r"\u2500-\u2775\u2794-\u2bff\u3008-\u3011\ufe0f"
    r"（）＊＋－．／＝＿｜～＃＆＠\U0001f000-\U0001faff"
)
View = Literal["text", "digits", "numerals"]


@cache
def words() -> dict[str, Any]:
    """`words.toml`."""
    return tomllib.loads(package_file("data/privacy/words.toml").read_text("utf-8"))


_DATA = words()["signs"]


def as_ranges(letters: Iterable[str]) -> str:
    """The inside of a character class; Python searches for single letters beyond U+FFFF one after another."""
    places = sorted(map(ord, letters))
    firsts = [chr(place) for place in places if place - 1 not in places]
    lasts = [chr(place) for place in places if place + 1 not in places]
    return "".join(f"{first}-{last}" for first, last in zip(firsts, lasts, strict=True))


_LAST_OF_BMP = "\uffff"
# Signs for digits that Unicode knows as such: raised, in circles, with stops and brackets, of mathematics, of displays.
_DIGIT_BLOCKS = (
    *((0xB2, 0xBA), (0x2070, 0x208A), (0x2460, 0x2500), (0x2776, 0x2794)),
    *((0xFF10, 0xFF1A), (0x1D7CE, 0x1D800), (0x1F100, 0x1F10D), (0x1FBF0, 0x1FBFA)),
)
_KNOWN_DIGITS = {chr(n): str(unicodedata.digit(chr(n), "")) for first, end in _DIGIT_BLOCKS for n in range(first, end)}
_OTHERS = dict(pair.split("=") for pair in _DATA["digits"].split())
_OTHERS |= {chr(0x3280 + n): str(n + 1) for n in range(9)} | {chr(0x3220 + n): str(n + 1) for n in range(9)}  # ㊀ ㈠
_DIGITS = {sign: digit for sign, digit in _KNOWN_DIGITS.items() if digit} | _OTHERS
SIGNS = as_ranges(_DIGITS)  # other signs for digits than 0-9 and Han numerals
# Letters in circles, boxes and brackets, as flags, of mathematics; and those of other alphabets that look like Latin ones.
_LETTER_BLOCKS = (
    (0x249C, 0x61),
    (0x24B6, 0x41),
    (0x24D0, 0x61),
    *((n, 0x41) for n in (0x1F110, 0x1F130, 0x1F150, 0x1F170, 0x1F1E6)),
)
_FANCY = {chr(first + n): chr(letter + n) for first, letter in _LETTER_BLOCKS for n in range(26)}
_FANCY |= {chr(n): plain for n in range(0x1D400, 0x1D6A4) if (plain := unicodedata.normalize("NFKC", chr(n))).isascii()}
_FANCY |= dict(zip(_DATA["look_like_letters"], _DATA["letters"], strict=True))
_PLAIN_LETTERS = {sign: letter for sign, letter in _FANCY.items() if sign not in _DIGITS}
LETTER_SIGNS = as_ranges(_PLAIN_LETTERS)
EMOJI_CUES = _DATA["pictures"]
ODD = f"[{LETTER_SIGNS}{EMOJI_CUES}Ａ-Ｚａ-ｚ]"  # so rare that all that has one is read in full
_HAN_DIGITS = dict(zip(NUMERALS, "0012345678912123456789079", strict=True))
# Letters count as digits only between digits, or where a telephone number would begin or end with them.
_LETTER_DIGITS = re.compile(
    r"(?<=[0-9])[OoIlSsBZz]{1,8}(?=[0-9]|[-—－\s.][0-9OoIl]{3})|(?<=[0-9][-—－\s._*])[OoIlSsBZz](?=[0-9]{2})"
    r"|(?:(?<![A-Za-z0-9])|(?<=[Qq]))[lI](?=[2-9][0-9OoIl]{2})|(?<![A-Za-z0-9])[Oo](?=[1-9lI][0-9lIoO]{1,2}[-\s－—)）.]\s?[0-9])|(?<=[0-9]{4})[Ool]{1,3}(?![A-Za-z0-9])|(?<=[0-9]\s)[Oo](?=\s[0-9])"
)
_LETTERS = str.maketrans("OoIlSsBZz", "001155822")
_LETTER_DIGIT = re.compile(r"[0-9OoIlSsBZz](?:(?<=[0-9])\s?[OoIlSsBZz]|(?<=[A-Za-z])[0-9])")
# l3o 8o42 7l6o: letters for digits in most places, so long as enough digits stand among them.
_MIXED_RUN = re.compile(r"(?<![A-Za-z0-9])[0-9OoIl](?:[-—.\s]?[0-9OoIl]){9,13}(?![A-Za-z0-9])")
_PLAIN = _PLAIN_LETTERS | _DIGITS
# Apart, for Python searches for a class of letters quickly only where none lies beyond U+FFFF.
_SIGN = re.compile(f"[{as_ranges(sign for sign in _PLAIN if sign <= _LAST_OF_BMP)}]")
_SIGN_BEYOND = re.compile(f"[{as_ranges(sign for sign in _PLAIN if sign > _LAST_OF_BMP)}]")
_BEYOND = re.compile(f"[^\0-{_LAST_OF_BMP}]")
_YAO = re.compile(f"么(?<![什怎那这多要]么)(?=[三四五六七八九][{NUMERALS}])")  # 么三七 for 幺三七
_HAN_DIGIT = re.compile(f"[{NUMERALS}]")
_MANY_DIGITS = re.compile(rf"[0-9{NUMERALS}](?:[^{HAN}A-Za-z。；、]{{0,2}}[0-9OoIl{NUMERALS}]){{4,}}")


def always(_: str) -> bool:
    """The check of patterns that need none."""
    return True


@dataclass(frozen=True)
class Recogniser:
    """One kind of secret.

    Args:
        label: what is written in its place.
        pattern: its cues and form; the group `secret` is what goes, the whole match where there is none.
        check: whether the secret's text, with spaces and separators, is really one.
        unless: no secret where this pattern ends just before it.
        view: what the pattern is matched against.
        cues: looked for only where one of these words stands; none: anywhere.
        least: looked for only where so many digits stand in a row, with whatever people put between them.
    """

    label: str
    pattern: re.Pattern[str]
    check: Callable[[str], bool] = always
    unless: re.Pattern[str] | None = None
    view: View = "text"
    cues: tuple[str, ...] = ()
    least: int = 0

    def is_cued(self, text: str) -> bool:
        """Whether one of its cues stands in a text."""
        return not self.cues or has_any(text, self.cues)

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where the secrets stand in a view of a text."""
        for match in self.pattern.finditer(text):
            start, end = match.span("secret" if "secret" in self.pattern.groupindex else 0)
            barred = self.unless and self.unless.search(text, max(0, start - 20), start)
            if not barred and self.check(text[start:end]):
                yield start, end


def replaced(text: str, spans: Iterable[tuple[int, int]], label: str) -> str:
    """The text with the label in place of each span, given in order; one that overlaps an earlier one is passed over."""
    parts = []
    done = 0
    for start, end in spans:
        if start >= done and start < end:
            parts += [text[done:start], label]
            done = end
    return "".join([*parts, text[done:]]) if parts else text


def has_any(text: str, words: Iterable[str]) -> bool:
    """Whether one of the words stands in a text; a third of what `any` costs."""
    for word in words:  # noqa: SIM110
        if word in text:
            return True
    return False


@lru_cache(maxsize=16)  # all that is looked for in a text is looked for in the same few views
def view_of(text: str, view: View) -> str:
    """The text with its figures as digits; of equal length."""
    if view == "text":
        return text
    if view == "digits":
        # Few of a text's letters are such signs: far quicker than `str.translate`.
        text = _SIGN.sub(lambda match: _PLAIN[match[0]], text)
        return _without_letters(_SIGN_BEYOND.sub(lambda match: _PLAIN[match[0]], text) if _BEYOND.search(text) else text)
    digits = _YAO.sub("1", view_of(text, "digits"))
    for numeral, digit in _HAN_DIGITS.items():
        digits = digits.replace(numeral, digit)
    return _without_letters(digits)


def _without_letters(text: str) -> str:
    """The text with digits for the letters that stand for them."""
    if not _LETTER_DIGIT.search(text):
        return text
    text = _MIXED_RUN.sub(_as_digits, text)
    return _LETTER_DIGITS.sub(lambda match: match[0].translate(_LETTERS), text)


def _as_digits(match: re.Match[str]) -> str:
    return match[0].translate(_LETTERS) if sum(char.isdigit() for char in match[0]) > 4 else match[0]


def has_numerals(text: str) -> bool:
    """Whether digits are written as Han numerals, many in a row."""
    return any(_HAN_DIGIT.search(match[0]) for match in _MANY_DIGITS.finditer(text))


def led_by(text: str) -> str:
    """`any_of`, but Python passes quickly over letters that begin none of the words."""
    return f"(?=[{re.escape(''.join(sorted({word[0] for word in text.split()})))}])(?:{any_of(text)})"


def any_of(text: str) -> str:
    """An alternation of the words of a text, longest first."""
    return "|".join(sorted(map(re.escape, set(text.split())), key=lambda word: (-len(word), word)))
