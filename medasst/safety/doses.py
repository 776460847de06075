"""Doses in a text: a number with a unit of medicine, or a frequency."""

from __future__ import annotations

import re

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


def doses(text: str) -> list[str]:
    """Every dose in a `plain` text."""
    return [match[0] for match in _DOSE.finditer(text)]


def has_dose(text: str) -> bool:
    """Whether a `plain` text holds a dose."""
    return bool(_DOSE.search(text))
