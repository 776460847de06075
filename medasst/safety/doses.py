"""Doses in a text: a number with a unit of medicine, or a frequency."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_NUMBER = r"(?:[0-9]{1,8}(?:\.[0-9]{1,8})?|[零一二两三四五六七八九十半百]{1,8})"
_UNIT = r"(?:mg|μg|ug|mcg|ml|iu|毫克|微克|克|毫升|升|单位|片|粒|颗|袋|包|支|滴|丸|喷|瓶|枚|揿|板|勺|盖|g(?![a-z])|l(?![a-z]))"
_DOSE = re.compile(
    rf"{_NUMBER}(?:个|多|几)?(?:[-~～至到—]{_NUMBER})?{_UNIT}"
    rf"|(?:每|一)(?:日|天|晚|早|次|隔?[0-9一二三四六八十]{{0,8}}(?:个)?小时)"
    rf"(?:[内里]?(?:口服|服用?|吃|用|涂|抹|喷|滴|含|喝)?)?[^，。；]{{0,3}}{_NUMBER}(?:[-~～至到—]{_NUMBER})?(?:次|回|遍|{_UNIT})"
    rf"|{_NUMBER}(?:[-~～至到—]{_NUMBER})?(?:次|回)(?:/|每)?(?:日|天)"
    rf"|每{_NUMBER}(?:[-~～至到—]{_NUMBER})?个?小时"
    rf"|(?:早晚|早中晚|睡前|饭前|饭后|三餐后?)各?(?:吃|服|用|涂|抹|含)?{_NUMBER}(?:次|{_UNIT})"
    rf"|(?:加倍|双倍|翻倍|减半|加量|减量)(?:吃|服|用)?"
    r"|\b(?:bid|tid|qd|qid|prn)\b"
)
_GAPS = re.compile(r"[\s,，、;；(（]+")
_LOOSE = " 　,，、;；()（）"
_OF_THE_NAME = re.compile("[a-z][0-9]|[0-9.]{2}")  # 维生素B1片, not one tablet of 维生素B; the 5 of 25mg
_SHORTEST = 2  # characters of a medicine's name


def doses(text: str) -> list[str]:
    """Every dose in a `plain` text."""
    return [match[0] for match in _DOSE.finditer(text)]


def has_dose(text: str) -> bool:
    """Whether a `plain` text holds a dose."""
    return bool(_DOSE.search(text))


def told_amounts(name: str) -> Iterator[tuple[str, str]]:
    """The ways to part a medicine's name from how much of it, where both were written into one field: 布洛芬 2片.

    Only an end that is nothing but doses counts as an amount; the longest comes first.
    """
    text = unicodedata.normalize("NFKC", name).lower()
    for start in range(_SHORTEST, len(text) if len(text) == len(name) else 0):
        rest = _GAPS.sub(" ", text[start:]).strip(_LOOSE)
        inside = _OF_THE_NAME.match(text, start - 1)
        if not inside and _DOSE.match(rest) and not _DOSE.sub("", rest).strip(_LOOSE):
            yield name[:start].rstrip(_LOOSE), name[start:].strip(_LOOSE)
