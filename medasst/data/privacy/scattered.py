"""Numbers that people take apart to get past a filter: 138（不要）6204（骚扰）7935, 138哈1234哈5678, or in two halves.

Groups of digits with a few letters between them are put together. What they make must be a whole number of its kind, and the
text must speak of one nearby, or the parts stand as telephone numbers are read out: three, four, four, equal signs between.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from medasst.data.privacy.numbers import is_landline, is_luhn, is_private, like_id_card, like_old_id_card
from medasst.data.privacy.recogniser import HAN, SEPARATORS

_GROUP = re.compile("[0-9]+")
_UNITS = "元块岁次片粒天周度盒个克毫分斤米厘月日年支瓶袋倍号时到至或和~～%％×"
_INSIDE = r"0-9A-Za-z。；;！!？?:：\n\[\]"  # of no gap
_GAP = re.compile(rf"[^{_INSIDE}{_UNITS}][^{_INSIDE}]{{0,5}}|[（(<【][^）)>】\n]{{1,6}}[）)>】]")
_SIGNS_ONLY = re.compile(f"[{SEPARATORS}]*")
_BRACKETED = re.compile(r"[（(<【>）)】].*")
_LETTERS = re.compile(f"[{HAN}]")
_SENTENCE = re.compile(r"[。；;！!？?\n]")
_CUES = {
    "[电话]": re.compile(
        r"电话|手机|联系|号码|致电|拨|打|找我|加我|回我|我号|的号|这号|本号|[Tt]el|[Pp]hone|短信|微信|分.次|分.段|去掉|汉字|间隔"
    ),
    "[身份证]": re.compile(r"身份|证|出生|实名|[Ss][Ff][Zz]"),
    "[银行卡]": re.compile(r"卡|账号|账户|帐号|银行|[工建农招交中]行|打款|收款|退款|转账"),
}
_BEFORE, _AFTER = 14, 10  # letters around a number in which its cue stands
_MOST = 20  # groups
# Ten digits at least with little between them, and a cue or the way in which numbers are read out.
SIGN = r"[0-9](?:[^0-9A-Za-z。；;！!？?:：\n]*[0-9]){9}"
_READ_OUT = r"1[3-9][0-9][^0-9A-Za-z]{1,8}[0-9]{4}[^0-9]|0[1-9][0-9]{1,2}[（(<【]"
SECOND_SIGN = "|".join([*(cue.pattern for cue in _CUES.values()), _READ_OUT])


class Number(NamedTuple):
    """Where a number stands, and its placeholder."""

    start: int
    end: int
    label: str


def spans(view: str) -> Iterator[Number]:
    """Where such numbers stand in a view of a text, in which every sign for a digit is one."""
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
    found = None
    for used in range(2, len(groups) + 1):
        last = groups[used - 1]
        if last.end() - groups[0].start() > 90 or not _GAP.fullmatch(view, groups[used - 2].end(), last.start()):
            break
        if label := _label(view, groups[:used]):
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
    read_out = alike and (sizes == [3, 4, 4] or (bracketed and len(gaps) == 1))
    around = _around(view, groups[0].start(), groups[-1].end())
    return next((kind for kind in kinds if (kind == "[电话]" and read_out) or _CUES[kind].search(around)), "")


def _around(view: str, start: int, end: int) -> str:
    before, after = view[max(0, start - _BEFORE) : start], view[end : end + _AFTER]
    return f"{_SENTENCE.split(before)[-1]} {_SENTENCE.split(after)[0]}"


def _kinds(digits: str) -> Iterator[str]:
    """What the digits can be, all together."""
    if re.fullmatch("1[3-9][0-9]{9}", digits) or (is_landline(digits) and is_private(digits)):
        yield "[电话]"
    if (len(digits) == 18 and like_id_card(digits)) or (len(digits) == 15 and like_old_id_card(digits)):
        yield "[身份证]"
    if 16 <= len(digits) <= 19 and (digits.startswith("62") or is_luhn(digits)):
        yield "[银行卡]"
