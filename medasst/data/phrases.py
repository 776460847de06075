"""The patterns of `phrases.toml`: what question sites, exam books and advertisements say over and over."""

from __future__ import annotations

import tomllib
from functools import cache
from typing import Any

from medasst.disk import package_file


@cache
def _tables() -> dict[str, dict[str, Any]]:
    return tomllib.loads(package_file("data/phrases.toml").read_text("utf-8"))


def phrases(table: str, name: str) -> str:
    """One regular expression, for Polars and for `re`; the alternatives of a list in one group."""
    found: str | list[str] = _tables()[table][name]
    return found if isinstance(found, str) else f"(?:{'|'.join(found)})"


def slips() -> list[tuple[str, str]]:
    """Pattern and replacement (`${1}`) of letters that a public set lost."""
    return [(slip["is"], slip["of"]) for slip in _tables()["slips"].values()]


def every(table: str) -> str:
    """All patterns of a table as one."""
    return "|".join(phrases(table, name) for name in _tables()[table])
