"""What a cell of a shop's file says: texts, lists, prices, counts, how a product is sold."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from medasst.conversation import JSON
from medasst.disk import package_file
from medasst.text import comparison_key, normalise

_NOTHING = frozenset({"", "-", "--", "—", "——", "/", "\\", "null", "none", "nan", "n/a", "#n/a"})
_UNIT = "盒|瓶|支|袋|包|件|个|板|罐|箱|条|提|组|套|打|桶|贴|片|粒|丸|枚|双|台"
_CURRENCY = re.compile(rf"^(?:¥|cny|rmb|人民币)|(?:元|块|圆|cny|rmb)?(?:[/每]?(?:{_UNIT}))?$", re.IGNORECASE)
_PRICED_BY = re.compile(rf"(?:{_UNIT})$")
_MANY = frozenset("箱件条提组套打板片粒丸枚")  # of these a package may hold several, or be one of several
_AMOUNT = re.compile(r"(?:[0-9]{1,3}(?:[,，][0-9]{3})+|[0-9]+)(?:\.[0-9]+)?")


def text(value: JSON) -> str:
    """A cell as text; what people write into empty cells is empty. A list keeps its items in lines."""
    if isinstance(value, list):
        return "\n".join(filter(None, map(text, value)))
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # a code that a table took for a number
    said = normalise(str(value)).strip() if value is not None and not isinstance(value, dict) else ""
    return "" if said.lower() in _NOTHING else said


def items(said: str, separators: Sequence[str]) -> tuple[str, ...]:
    """The items of a list in a cell, each once. Separators inside brackets part nothing: 麦芽（炒，研）."""
    parts, depth, begun = [], 0, ""
    for char in said:
        depth += (char in "(（") - (char in ")）")
        if depth <= 0 and (char in separators or char == "\n"):
            parts.append(begun)
            begun, depth = "", 0
        else:
            begun += char
    return tuple(dict.fromkeys(part.strip() for part in (*parts, begun) if part.strip()))


def price(said: str) -> float | None:
    """Yuan, of 12.80, ¥12.80, 12.8元, 1,280.00 元/盒; None of what isn't one amount above nothing (面议, 12-15)."""
    bare = re.sub(r"\s", "", unicodedata.normalize("NFKC", said))
    bare = _CURRENCY.sub("", bare)
    if not _AMOUNT.fullmatch(bare):
        return None
    yuan = float(re.sub("[,，]", "", bare))
    return yuan if yuan > 0 else None


def price_unit(said: str, pack: str) -> str:
    """What a price is told by, where that may not be the package that is sold: 12元/箱, 3元/片; empty where nothing says so."""
    unit = _PRICED_BY.search(re.sub(r"\s", "", said))
    if unit is None:
        return ""
    sold_by = re.search(rf"[/每]({_UNIT})$", re.sub(r"\s", "", pack))
    return unit[0] if (unit[0] != sold_by[1] if sold_by else unit[0] in _MANY) else ""


def no_medicine(status: str, approval: str) -> str:
    """The word or approval number by which a product is none (a device, a health food, a cosmetic); empty where it is one."""
    told = words()["no_medicine"]
    if key(status) in {key(word) for word in told["status"]}:
        return status
    return approval if any(letters in approval for letters in told["approval"]) else ""


def count(said: str) -> int | None:
    """Pieces, of 35 or 35.0; None of what is no count."""
    match = re.fullmatch(r"([0-9]{1,9})(?:\.0*)?(?:件|盒|个|瓶|支)?", said)
    return int(match[1]) if match else None


def status(said: str, own: Mapping[str, str]) -> str | None:
    """otc-a, otc-b, dual or rx of a shop's word for it; None of an unknown one. `own`: the shop's words, by `key`."""
    word = key(said)
    return own.get(word) or _statuses().get(word)


def key(word: str) -> str:
    """What words for how a product is sold are compared by."""
    return comparison_key(word)


@cache
def words() -> dict[str, Any]:
    """What the report calls things."""
    return tomllib.loads(package_file("intake/words.toml").read_text("utf-8"))


@cache
def _statuses() -> dict[str, str]:
    return {key(word): kind for kind, ways in words()["status"].items() for word in ways}
