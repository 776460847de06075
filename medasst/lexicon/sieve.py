"""Many regular expressions over one text: those that can't match, for want of a character, aren't tried."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from re import _constants as ops  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any, Generic, TypeVar

T = TypeVar("T")
_MARKS = frozenset("\0,。;!? ")  # stand in nearly every text, and tell nothing
_WIDE = 100  # a range of more characters than this tells nothing either


class Sieve(Generic[T]):
    """Expressions with what each stands for. Of hundreds that begin anywhere (`(?:也|都)*没`) a text can hold a few.

    Each expression is one or more alternatives, each with sets of characters, one of which the text must have for it to match.
    A set is one bit of a number; what a text has is the bits of its characters together.
    """

    def __init__(self, patterns: Iterable[tuple[re.Pattern[str], T]]) -> None:
        bits: dict[frozenset[str], int] = {}
        self._patterns: list[tuple[tuple[int, ...], re.Pattern[str], T]] = []
        for pattern, value in patterns:
            ways = [
                sum({bits.setdefault(need, 1 << len(bits)) for need in needs if need.isdisjoint(_MARKS)})
                for needs in _ways(pattern)
            ]
            self._patterns.append((tuple(ways), pattern, value))
        self._bits: dict[str, int] = {}
        for need, bit in bits.items():
            for char in need:
                self._bits[char] = self._bits.get(char, 0) | bit

    def among(self, text: str) -> Iterator[tuple[re.Pattern[str], T]]:
        """Those that may match in a text, in their order."""
        has = 0
        for char in text:
            has |= self._bits.get(char, 0)
        for ways, pattern, value in self._patterns:
            for way in ways:
                if has & way == way:
                    yield pattern, value
                    break


def _ways(pattern: re.Pattern[str]) -> list[list[frozenset[str]]]:
    """The alternatives of an expression, each as the sets of characters that it needs one of."""
    if pattern.flags & re.IGNORECASE:
        return [[]]
    tree = _parser.parse(pattern.pattern, pattern.flags)
    if len(tree) == 1 and tree[0][0] is ops.BRANCH:
        return [_needs(each) for each in tree[0][1][1]]
    return [_needs(tree)]


def _needs(tree: Sequence[tuple[Any, Any]]) -> list[frozenset[str]]:
    return [need for op, argument in tree for need in _needed(op, argument)]


def _needed(op: Any, argument: Any) -> list[frozenset[str]]:
    """What one node of an expression needs; nothing where it isn't sure to need anything."""
    if op is ops.LITERAL:
        return [frozenset(chr(argument))]
    if op is ops.IN:
        return _any_of(argument)
    if op is ops.BRANCH:
        each = [_needs(branch) for branch in argument[1]]
        return [frozenset().union(*(min(needs, key=len) for needs in each))] if all(each) else []
    if op in (ops.MAX_REPEAT, ops.MIN_REPEAT):
        return _needs(argument[2]) if argument[0] else []
    if op is ops.SUBPATTERN:
        return [] if argument[1] & re.IGNORECASE else _needs(argument[3])
    return _needs(argument[1]) if op is ops.ASSERT else []


def _any_of(chosen: Sequence[tuple[Any, Any]]) -> list[frozenset[str]]:
    """The characters of a set such as `[0-9两]`; nothing of what it is that isn't in it."""
    chars: set[str] = set()
    for op, argument in chosen:
        if op is ops.LITERAL:
            chars.add(chr(argument))
        elif op is ops.RANGE and argument[1] - argument[0] < _WIDE:
            chars.update(map(chr, range(argument[0], argument[1] + 1)))
        else:
            return []
    return [frozenset(chars)]
