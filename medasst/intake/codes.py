"""The numbers by which others know a product: whether each has its form, and its check digit where a rule is published.

Sources, none of which was open to us in the original:
批准文号: 药品注册管理办法 (2020, 总局令第27号), article 123, and the forms of 2007 (局令第28号), article 171, still found on
packages.
本位码: 关于实施国家药品编码管理的通知 (国食药监办〔2009〕315号): 86, 9, ten digits, a check digit by GB 18937. It is
computed as a GTIN's; public summaries say so, and two public numbers agree.
GTIN: GS1 General Specifications, 7.9.
医保药品代码: 医保药品分类与代码 (国家医疗保障局): 23 characters for western, 20 for Chinese medicines, no check digit.
追溯码: NMPAB/T 1002-2019: the first 7 of 20 digits stand for the product; or a GTIN of 14 digits.
ATC: WHO Collaborating Centre for Drug Statistics Methodology.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from medasst.text import normalise

_APPROVAL = re.compile(r"国药准字(?:[HZSJBTF]|[HZS][CJ])[0-9]{8}|B?[HZS]C?[0-9]{8}")
_INSURANCE = re.compile(r"X[A-Z0-9]{22}|[ZT][A-Z0-9]{19}")
_ATC = re.compile(r"[ABCDGHJLMNPRSV][0-9]{2}(?:[A-Z](?:[A-Z](?:[0-9]{2})?)?)?")


def checked(kind: str, value: str) -> str | None:
    """A code as it is written by the rule, or None where it has another form or a wrong check digit."""
    code = re.sub(r"[\s\-]", "", normalise(value)).upper()
    return code if _KINDS[kind](code) else None


def _gtin(code: str) -> bool:
    return len(code) in (8, 12, 13, 14) and _checks(code)


def _national(code: str) -> bool:
    return len(code) == 14 and code.startswith("869") and _checks(code)


def _trace(code: str) -> bool:
    return re.fullmatch("[0-9]{7}", code) is not None or (len(code) == 14 and _checks(code))


def _checks(code: str) -> bool:
    """From the right every second digit counts three times, the check digit once; the sum is a multiple of ten."""
    if not (code.isascii() and code.isdigit()):
        return False
    return sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(code))) % 10 == 0


_KINDS: Mapping[str, Callable[[str], object]] = {
    "approval": _APPROVAL.fullmatch,
    "national": _national,
    "insurance": _INSURANCE.fullmatch,
    "trace": _trace,
    "gtin": _gtin,
    "atc": _ATC.fullmatch,
}
