"""Birth dates, where the text says that somebody was born then: 出生年月：1987年3月, 生于2001.11.30, 一九七五年腊月廿三生的."""

from __future__ import annotations

import re

from medasst.data.privacy.recogniser import SIGNS, Recogniser

_HAN = "〇零○一二三四五六七八九"
_YEAR = rf"(?:(?:19|20)[0-9]{{2}}|[一二][九〇零○][{_HAN}]{{2}}|(?:[0-9]{{2}}|[{_HAN}]{{2}})(?=\s?年))"
_MONTH = "(?:闰?(?:1[0-2]|0?[1-9]|十[一二]?|[一二三四五六七八九正冬腊]))"
_CALENDAR = "[农阴阳公新旧]历"
_ONE = "[一二三四五六七八九]"
_DAY = f"(?:3[01]|[12][0-9]|0?[1-9]|初(?:{_ONE}|十)|[二三]?十{_ONE}?|廿{_ONE}?|卅|{_ONE})"
_DAY_OF_YEAR = rf"{_MONTH}\s?(?:月份?|[-—./．、])\s?{_DAY}(?![0-9])\s?[日号]?"
_DATE = (
    rf"(?:(?<![0-9]){_YEAR}\s?(?:年(?:\s?{_CALENDAR})?|[-—./．、])\s?{_DAY_OF_YEAR}"
    r"|(?<![0-9])(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])(?![0-9]))"
)
_SAYS = rf"(?:[是为于在:：\s（(“]|{_CALENDAR}|身份证上){{0,5}}"
_CUES = ("生", "诞", "irth", "DOB", "dob")
BIRTHS = [
    Recogniser(
        "[生日]",
        re.compile(
            rf"(?:出生(?:日期|年月日?|时间|日)?|生日|生辰|诞辰|生于|DOB|dob|[Bb]irth(?:day|date|\sdate)?){_SAYS}(?P<secret>{_DATE})"
        ),
        view="digits",
        cues=_CUES,
    ),
    # Less than a whole date only where a field of its own or a birthday tells it.
    Recogniser(
        "[生日]",
        re.compile(
            rf"(?:出生(?:日期|年月日?)|生日){_SAYS}(?P<secret>{_YEAR}\s?[年./-]\s?{_MONTH}\s?月?(?![0-9])|{_DAY_OF_YEAR})(?!\s?聚)"
        ),
        view="digits",
        cues=_CUES,
    ),
    Recogniser(
        "[生日]",
        re.compile(
            rf"(?P<secret>{_DATE})\s?(?:[（(]?{_CALENDAR}[)）]?)?\s?(?:[在于]?[^，。；\s0-9]{{0,6}}(?:出生(?!缺陷|后|率|人口)|降生)"
            r"|生(?:人|的|(?![^，。；、,.!！？\s）)]))|诞生|的?生日)"
        ),
        view="digits",
        cues=_CUES,
    ),
]
# Unbounded repeats: for an automaton they are the simpler ones.
_FIGURE = rf"[0-9OoIl{SIGNS}{_HAN}十正冬腊廿初卅闰]"
_PARTED = r"[-—./．、]"
FIRST_SIGN = rf"出生|生日|生辰|诞辰|生于|降生|诞生|DOB|dob|[Bb]irth|(?:[日号]|{_FIGURE})\s?生"
SIGNS_OF_BIRTHS = (
    rf"(?:出生|生日|生辰|诞辰|生于|DOB|dob|irth)[^，。；\n]*(?:{_FIGURE}{_FIGURE}\s?(?:年(?:\s?{_CALENDAR})?|{_PARTED})\s?{_FIGURE}"
    rf"|{_FIGURE}\s?(?:月份?|{_PARTED})\s?{_FIGURE}|[0-9]{{8}})",
    rf"(?:{_FIGURE}{_FIGURE}\s?(?:年(?:\s?{_CALENDAR})?|{_PARTED})\s?{_FIGURE}+\s?(?:月份?|{_PARTED})\s?{_FIGURE}|[0-9]{{8}})[^，。；\n]*生",
)
