"""Numbers that people take apart to get past a filter: 138（不要）6204（骚扰）7935, 138哈1234哈5678, 前三位138中间6204最后7935.

Groups of digits with a few letters between them are put together. What they make must be a whole number of its kind, and the
text must speak of one nearby or of its parts (前三位, 后面是), or the parts stand as telephone numbers are read out: three,
four, four, or as identity numbers are: place, birth date, the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from medasst.data.privacy.numbers import is_landline, is_luhn, is_private, like_id_card, like_old_id_card
from medasst.data.privacy.recogniser import HAN, NUMERALS, SEPARATORS, SIGNS

_GROUP = re.compile("[0-9]+(?:(?<=[0-9]{3})[Xx](?![A-Za-z0-9]))?")
_UNITS = "元块岁次片粒天周度盒个克毫分斤米厘月日年支瓶袋倍号时到至或和~～%％×"
# How a part of a number is told: 前三位, 中间四个数, 最后是; the figure in it is none of the number.
_PART = (
    r"前面?|开头|打头|头|先|中间|中段|后面?|最后|末尾?|尾巴?|接着|接下来|跟着|紧跟|然后|再|下面|剩下?|其余|加上|连着|还有|第"
)
_COUNT = re.compile(r"[0-9](?<![0-9]{2})[0-9]?(?=\s?(?:位数?字?|个数字?|段|截|半截|组|节|部分))")
_INSIDE = r"0-9A-Za-z。；;！!？?:：\n\[\]"  # of no gap
_GAP = re.compile(
    rf"[^{_INSIDE}{_UNITS}][^{_INSIDE}]{{0,5}}|[（(<【][^）)>】\n]{{1,6}}[）)>】]"
    rf"|[^0-9A-Za-z。；\n]{{0,4}}(?:{_PART})[^0-9A-Za-z。；\n]{{0,8}}"
)
_HAS_PART = re.compile(_PART)
_PART_BEFORE = re.compile(rf"(?:{_PART})(?:\s?[的那几0-9]?\s?(?:位|个数|段|截|组|部分|半|边|面))?数?字?[\s是为:：]*$")
_SIGNS_ONLY = re.compile(f"[{SEPARATORS}]*")
_BRACKETED = re.compile(r"[（(<【>）)】].*")
_LETTERS = re.compile(f"[{HAN}]")
_SENTENCE = re.compile(r"[。；;！!？?\n]")
_CUES = {
    "[电话]": re.compile(
        r"电话|手机|联系|号码|致电|拨|打|找我|加我|回我|我号|的号|这号|本号|[Tt]el|[Pp]hone|短信|微信|分.次|分.段|区号|座机|固话|宅电|去掉|汉字|间隔"
    ),
    "[身份证]": re.compile(r"身份|证|出生|实名|[Ss][Ff][Zz]"),
    "[银行卡]": re.compile(r"卡|账号|账户|帐号|银行|[工建农招交中]行|打款|收款|退款|转账"),
}
_BEFORE, _AFTER = 14, 10  # letters around a number in which its cue stands
_MOST = 20  # groups
_SHORTEST, _LONGEST = 10, 19  # digits
_FIGURE = f"[0-9{NUMERALS}{SIGNS}]"
_FIGURES, _STOP = re.compile(_FIGURE), re.compile(r"[A-Za-z。；;！!？?\n]")
# Parts of three digits with words between, or single digits with a letter between.
CHUNKS = rf"{_FIGURE}{_FIGURE}{{2}}[^A-Za-z0-9。；\n]{{1,8}}{_FIGURE}{{3}}|{_FIGURE}(?:[^A-Za-z0-9。；\n]{_FIGURE}){{4}}"
_CHUNKS = re.compile(rf"{CHUNKS}|{_FIGURE}(?:[{SEPARATORS}]*{_FIGURE}){{3}}")
# Ten digits at least with little between them, and a cue or the way in which numbers are read out.
SIGN = rf"{_FIGURE}(?:[^A-Za-z。；;！!？?\n]*{_FIGURE}){{9}}"
_READ_OUT = (
    rf"{_FIGURE}{{3}}[^0-9A-Za-z]{{1,8}}{_FIGURE}{{4}}[^0-9]|{_FIGURE}{{6}}[^0-9A-Za-z]{{1,8}}{_FIGURE}{{8}}"
    rf"|[0零〇]{_FIGURE}{{2,3}}[（(<【]"
)
SECOND_SIGNS = (
    "|".join([*(cue.pattern for cue in _CUES.values()), rf"(?:{_PART})[^0-9A-Za-z。；\n]*{_FIGURE}{{2}}"]),
    _READ_OUT,
)


class Number(NamedTuple):
    """Where a number stands, and its placeholder."""

    start: int
    end: int
    label: str


def has_many(text: str) -> bool:
    """What `SIGN` says, in time proportional to the text, and that some digits stand together."""
    return _CHUNKS.search(text) is not None and any(len(_FIGURES.findall(clause)) >= _SHORTEST for clause in _STOP.split(text))


def spans(view: str) -> Iterator[Number]:
    """Where such numbers stand in a view of a text, in which every sign for a digit is one."""
    view = _COUNT.sub(lambda match: " " * len(match[0]), view)
    groups = list(_GROUP.finditer(view))
    place = 0
    while place < len(groups):
        longest = _longest(view, groups[place : place + _MOST])
        if longest:
            number, used = longest
            yield number
            place += used
        else:
            place += 1


def _longest(view: str, groups: list[re.Match[str]]) -> tuple[Number, int] | None:
    """The longest number that begins with the first group, and how many groups it takes."""
    found, digits = None, len(groups[0][0])
    for used in range(2, len(groups) + 1):
        last = groups[used - 1]
        digits += len(last[0])
        if (
            digits > _LONGEST
            or last.end() - groups[0].start() > 90
            or not _GAP.fullmatch(view, groups[used - 2].end(), last.start())
        ):
            break
        if digits >= _SHORTEST and (label := _label(view, groups[:used])):
            found = Number(groups[0].start(), last.end(), label), used
    return found


def _label(view: str, groups: list[re.Match[str]]) -> str:
    """The placeholder for the number that these groups make; "" where they make none."""
    kinds = [*_kinds("".join(group[0] for group in groups))]
    gaps = [view[left.end() : right.start()] for left, right in pairwise(groups)]
    if not kinds or all(_SIGNS_ONLY.fullmatch(gap) for gap in gaps):
        return ""  # with signs only between its digits it is plain enough for `numbers`
    sizes = [len(group[0]) for group in groups]
    bracketed = all(_BRACKETED.match(gap) for gap in gaps)
    alike = bracketed or len(set(gaps)) == 1
    # 1817257500了解，为了做一个
    if (not alike or len(gaps) == 1) and min(sizes) < 2 and any(_LETTERS.search(gap) for gap in gaps):
        return ""
    in_parts = all(_HAS_PART.search(gap) for gap in gaps) and (
        len(gaps) > 1 or _PART_BEFORE.search(view, max(0, groups[0].start() - _BEFORE), groups[0].start())
    )
    read_out = alike and (sizes == [3, 4, 4] or (bracketed and len(gaps) == 1))
    around = _around(view, groups[0].start(), groups[-1].end())
    formed = {"[电话]": read_out or in_parts, "[身份证]": sizes in ([6, 8, 4], [6, 4, 4, 4])}
    return next((kind for kind in kinds if formed.get(kind) or _CUES[kind].search(around)), "")


def _around(view: str, start: int, end: int) -> str:
    before, after = view[max(0, start - _BEFORE) : start], view[end : end + _AFTER]
    return f"{_SENTENCE.split(before)[-1]} {_SENTENCE.split(after)[0]}"


def _kinds(digits: str) -> Iterator[str]:
    """What the digits can be, all together."""
    if re.fullmatch("1[3-9][0-9]{9}", digits) or (is_landline(digits) and is_private(digits)):
        yield "[电话]"
    if (len(digits) == 18 and like_id_card(digits)) or (len(digits) == 15 and like_old_id_card(digits)):
        yield "[身份证]"
    if 16 <= len(digits) <= 19 and digits.isdigit() and (digits.startswith("62") or is_luhn(digits)):
        yield "[银行卡]"
