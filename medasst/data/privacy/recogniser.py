"""What a kind of secret looks like, and how texts are searched for it: a pattern with its cues, then a check.

Numbers are looked for in a *view* of the text: the same length, every sign that people write for a digit (３ ③ 叁 三 幺 O l) in
its place as a digit, so that a span of the view is a span of the text.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from medasst.disk import package_file

HAN = "\u4e00-\u9fff\u3400-\u4dbf〇"
NUMERALS = "零〇一二三四五六七八九幺两壹贰叁肆伍陆柒捌玖"
# What people put between the digits of a number or the letters of an account; commas and stops part numbers from each other.
SEPARATORS = (
    r" \t\u00a0\u3000\-#$%&'()*+./<=>@\\^_`{|}~\"·\u2000-\u206f\u2190-\u245f\u2500-\u2775\u2794-\u2bff\u3008-\u3011\ufe0f"
    r"（）＊＋－．／＝＿｜～＃＆＠\U0001f000-\U0001faff"
)
View = Literal["text", "digits", "numerals"]

_FIGURES = {"0": "⓪⓿О", "O": "Ο○◯"} | {
    str(n): "".join(chr(start + n - 1) for start in (0x2460, 0x2474, 0x2488, 0x2776, 0x2780, 0x278A, 0x24F5))
    for n in range(1, 10)
}
_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉", "01234567890123456789", strict=True))
_MATHEMATICAL = {chr(0x1D7CE + n): str(n % 10) for n in range(50)}
_DIGITS = str.maketrans(
    {sign: digit for digit, signs in _FIGURES.items() for sign in signs}
    | {chr(0xFF10 + n): str(n) for n in range(10)}
    | _SUPERSCRIPTS
    | _MATHEMATICAL
    | {"З": "3", "Ƽ": "5"}
)
SIGNS = "".join(map(chr, _DIGITS))  # other signs for digits than 0-9 and Han numerals
_HAN_DIGITS = str.maketrans(NUMERALS, "001234567891" + "2" + "123456789")
# Letters count as digits only between digits, or where a telephone number would begin or end with them.
_LETTER_DIGITS = re.compile(
    r"(?<=[0-9])[OoIlSsBZz]{1,8}(?=[0-9]|[-—－\s.][0-9OoIl]{3})|(?<=[0-9][-—－\s._*])[OoIlSsBZz](?=[0-9]{2})"
    r"|(?:(?<![A-Za-z0-9])|(?<=[Qq]))[lI](?=[2-9][0-9OoIl]{2})|(?<![A-Za-z0-9])[Oo](?=[1-9lI][0-9lIoO]{1,2}[-\s－—)）.]\s?[0-9])|(?<=[0-9]{4})[Ool]{1,3}(?![A-Za-z0-9])"
)
_LETTERS = str.maketrans("OoIlSsBZz", "001155822")
_LETTER_DIGIT = re.compile(r"[0-9][OoIlSsBZz]|[OoSsBZzlI][0-9]")
_OTHER_DIGIT = re.compile(f"[{SIGNS}]")
_HAN_DIGIT = re.compile(f"[{NUMERALS}]")
_MANY_DIGITS = re.compile(rf"[0-9{NUMERALS}](?:[^{HAN}A-Za-z，。；、]{{0,2}}[0-9{NUMERALS}]){{4,}}")


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


def view_of(text: str, view: View) -> str:
    """The text with its figures as digits; of equal length."""
    if view == "text":
        return text
    if _OTHER_DIGIT.search(text):
        text = text.translate(_DIGITS)
    if _LETTER_DIGIT.search(text):
        text = _LETTER_DIGITS.sub(lambda match: match[0].translate(_LETTERS), text)
    return text.translate(_HAN_DIGITS) if view == "numerals" else text


def has_numerals(text: str) -> bool:
    """Whether digits are written as Han numerals, many in a row."""
    return any(_HAN_DIGIT.search(match[0]) for match in _MANY_DIGITS.finditer(text))


@cache
def words() -> dict[str, Any]:
    """`words.toml`."""
    return tomllib.loads(package_file("data/privacy/words.toml").read_text("utf-8"))


def any_of(text: str) -> str:
    """An alternation of the words of a text, longest first."""
    return "|".join(sorted(map(re.escape, set(text.split())), key=lambda word: (-len(word), word)))
