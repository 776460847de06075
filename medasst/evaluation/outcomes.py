"""What became of a system's answers to a task besides their scores: a figure is worth no more than the answers under it."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections import Counter
from dataclasses import dataclass
from functools import cache

from medasst.disk import package_file
from medasst.evaluation.measure import Answered
from medasst.evaluation.task import AnyTask

_TOLD = 120  # characters in which who declines says so
_LONG = 8  # characters from which it tells something that two answers are the same


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Counts of `n` items. The last three are None where nothing is written because likelihoods are asked for.

    Attributes:
        truncated: ended by the token limit. failed: no answer. unparsed: an answer that names nothing that was asked for.
        empty: nothing but blanks. refused: declines to answer. identical: the same text as the answer to another item.
    """

    system: str
    task: str
    n: int
    truncated: int
    failed: int
    unparsed: int
    empty: int | None
    refused: int | None
    identical: int | None


def outcomes(system: str, task: AnyTask, answered: Answered) -> Outcomes:
    """The counts of one system on one task; memory grows by some bytes an answer."""
    reasons: Counter[str] = Counter()
    same: Counter[bytes] = Counter()
    empty = refused = 0
    for record in answered.records:
        reasons[record.finish_reason] += 1
        if record.finish_reason == "error" or (text := task.asking.written(record)) is None:
            continue
        text = text.strip()
        empty += not text
        refused += declines(text)
        if len(text) >= _LONG:
            same[hashlib.blake2b(text.encode(), digest_size=8).digest()] += 1
    told = (empty, refused, sum(n for n in same.values() if n > 1)) if task.asking.needs == "stream" else (None, None, None)
    counts = reasons["length"], reasons["error"], reasons["unparsed"]
    return Outcomes(system, task.name, sum(reasons.values()), *counts, *told)


def declines(text: str) -> bool:
    """Whether an answer declines to answer."""
    return any(pattern.search(text[:_TOLD]) for pattern in _patterns())


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    table = tomllib.loads(package_file("evaluation/outcomes.toml").read_text("utf-8"))
    return tuple(map(re.compile, table["refused"]["patterns"]))
