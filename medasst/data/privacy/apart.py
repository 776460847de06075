"""Names and addresses written letter by letter: 赵 守 义 主 任, 杜@怀@民, 幸 福 小 区 7 - 3 - 402.

They are looked for in the text without the signs between single letters, and told by their places in the text itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from medasst.data.privacy.recogniser import HAN

# No brackets or quotation marks: 指（趾）甲, 为"寒"的.
_BETWEEN = r" \t\u00a0\u3000\-#&*+./=@\\^_|~·＊＋－．／＝＿｜～＃＆＠"
_BETWEEN += r"\u2022-\u2027\u2190-\u22ff\u2500-\u27bf\ufe0f\U0001f000-\U0001faff"
_GAP = rf"[{_BETWEEN}]{{1,3}}"
_THREE = rf"[{HAN}]{_GAP}[{HAN}]{_GAP}[{HAN}]"
_RUN = re.compile(rf"{_THREE}(?:{_GAP}(?:[{HAN}]|[0-9A-Za-z]{{1,4}}))*")
_SIGNS = re.compile(_GAP)
# For an automaton, unbounded repeats are the simpler ones.
SIGN = rf"[{HAN}][{_BETWEEN}]+[{HAN}][{_BETWEEN}]+[{HAN}]"


_SENTENCE = re.compile(r"[^。；;！!？?\n]+")


class Closed(NamedTuple):
    """A sentence without such signs, and where each of its letters stands in the text."""

    text: str
    places: list[int]


@lru_cache(maxsize=16)  # several finders look at them
def closed(text: str) -> tuple[Closed, ...]:
    """The sentences in which three single letters stand apart."""
    return tuple(_closed(text)) if _RUN.search(text) else ()


def _closed(text: str) -> Iterator[Closed]:
    for sentence in _SENTENCE.finditer(text):
        left_out: set[int] = set()
        for run in _RUN.finditer(text, *sentence.span()):
            for gap in _SIGNS.finditer(text, *run.span()):
                figures = text[gap.start() - 1].isdigit() and text[gap.end() : gap.end() + 1].isdigit()
                kept = gap.start() + gap[0].find("-") if figures and "-" in gap[0] else -1  # 9 - 2 - 301
                left_out |= {place for place in range(*gap.span()) if place != kept}
        if left_out:
            places = [place for place in range(*sentence.span()) if place not in left_out]
            yield Closed("".join([text[place] for place in places]), places)


def spans(text: str, finder: Callable[[str], Iterable[tuple[int, int]]]) -> Iterator[tuple[int, int]]:
    """What the finder finds in closed sentences and has such signs in the text itself."""
    for sentence in closed(text):
        for start, end in finder(sentence.text):
            first, last = sentence.places[start], sentence.places[end - 1] + 1
            if last - first > end - start:
                yield first, last
