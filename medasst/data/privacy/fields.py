"""Personal data by where it stands: fields called phone, 姓名, idcard, whatever their values look like; names of files."""

from __future__ import annotations

import re
from functools import cache

from medasst.data.privacy.recogniser import words

_SEPARATORS = re.compile(r"[\s_\-./:]+")
_PEOPLE = {
    "patient",
    "user",
    "doctor",
    "customer",
    "client",
    "member",
    "family",
    "contact",
    "nurse",
    "person",
    "full",
    "real",
    "nick",
    "first",
    "last",
}


@cache
def label_of(field: str) -> str:
    """The placeholder for every value of a field of this name; "" where the name tells nothing."""
    parts = _parts(field)
    whole = "".join(parts)
    known = _known().get(whole, "")
    if known:
        return known
    if "name" in parts and _PEOPLE & set(parts):
        return "[姓名]"
    if parts[:2] == ["id", "card"] or parts[-2:] in (["id", "no"], ["id", "number"]):
        return "[身份证]"
    told = _told()
    for part in [*parts, whole]:
        if part.rstrip("0123456789") in told:
            return told[part.rstrip("0123456789")]
    return next((label for word, label in told.items() if not word.isascii() and word in whole), "")


def _parts(field: str) -> list[str]:
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", field)
    return [part.lower() for part in _SEPARATORS.split(apart) if part] or [""]


@cache
def _known() -> dict[str, str]:
    return {name.lower(): label for label, names in words()["columns"].items() for name in names.split()}


@cache
def _told() -> dict[str, str]:
    """The words of a field's name that make it personal: user_phone, phone2, 患者电话."""
    return {name: label for label, names in words()["column_parts"].items() for name in names.split()}


@cache
def _written() -> re.Pattern[str]:
    """A field and its value in a piece of JSON, a Python dict or a table: "phone": 123, 'name': '王', 姓名=王."""
    return re.compile(
        r"""(?P<q>\\?["'])(?P<field>[^"'\\:{}\[\],\n]{1,30})(?P=q)\s*[:=]\s*(?P<value>\\?"(?:[^"\\\n]|\\.)*\\?"?|'(?:[^'\\\n]|\\.)*'?|[^\s,}\]"']+)"""
    )


def without_fields(text: str) -> str:
    """A piece of raw data with the values of personal fields replaced, even where the piece is broken."""

    def instead(match: re.Match[str]) -> str:
        label = label_of(match["field"].strip())
        value = match["value"]
        if not label or value.strip("\"'\\") in {"", "null", "None", "true", "false"} or value[0] in "{[":
            return match[0]
        quote = value[0] if value[0] in "\"'" else ""
        return match[0][: match.start("value") - match.start()] + f"{quote}{label}{quote}"

    return _written().sub(instead, text)
