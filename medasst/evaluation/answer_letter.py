"""A written answer → the letter of the option that it chooses. Strict first, then lenient, else nothing: never a default.

The words are in `answer_letter.toml`, with examples that run as tests.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Literal, NamedTuple

from medasst.config import Config
from medasst.disk import package_file

VERSION = "answer_letter/v1"
Way = Literal["strict", "lenient", "unparsed"]

_OPENING, _CLOSING = r"[\s(\[{\"'【《「『“‘*_]*", r"[\s)\]}\"'】》」』”’*_.。,:;、!]*"
_LETTER = re.compile(r"(?<![A-Za-z0-9\\°])([A-Z])(?![A-Za-z0-9+\-'′’])")
_BARE = re.compile(rf"{_OPENING}([A-Za-z]){_CLOSING}")
_LEAD = re.compile(rf"{_OPENING}([A-Z])(?![A-Za-z0-9]){_CLOSING}(.*)")
_SEPARATED = re.compile(rf"{_OPENING}[A-Z]\s*[)\]】.。,:;、]")
_NEXT = re.compile(r"\s*(?:和|及|与|或|、|,|/|\+|&)\s*([A-Z])(?![A-Za-z])")
_LISTED = re.compile(r"(?:^|\s)\(?([A-Z])\s*[.、):]\s*\S", re.MULTILINE)
_THOUGHTS = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_BLANKS = re.compile(r"[\s,.。;:、!?\"'()\[\]*]+")


class Read(NamedTuple):
    """The letter, "" where the answer names none or several, and how it was found."""

    letter: str
    way: Way


class Words(Config):
    """The table's words.

    Attributes:
        before, after: what a letter beside it is part of, such as 维生素 and 型: no answer.
        rejected_before, rejected_after: what says of an option that it is wrong.
        strict, lenient: patterns by their order; the first that finds something decides. `{letter}` stands for the letter.
    """

    before: tuple[str, ...]
    after: tuple[str, ...]
    rejected_before: tuple[str, ...]
    rejected_after: tuple[str, ...]
    strict: tuple[str, ...]
    lenient: tuple[str, ...]


@cache
def _words() -> Words:
    table = tomllib.loads(package_file("evaluation/answer_letter.toml").read_text("utf-8"))
    return Words.model_validate(table["words"])


@cache
def _patterns(way: Literal["strict", "lenient"]) -> tuple[re.Pattern[str], ...]:
    letter = rf"{_OPENING}{_LETTER.pattern}"
    return tuple(re.compile(p.replace("{letter}", letter), re.IGNORECASE) for p in getattr(_words(), way))


def read_letter(text: str, options: Mapping[str, str]) -> Read:
    """The option that a written answer chooses.

    Strict: the answer, or its first line, is a letter (with its option's text), or says outright that the answer is one.
    Lenient: it calls one right, names only one, or holds one option's text. Nothing where it names several, none, one that
    there isn't, or a letter with another option's text.

    Args:
        options: texts by letter.
    """
    said = unicodedata.normalize("NFKC", _THOUGHTS.sub("", text)).strip()
    texts = {letter: _squash(unicodedata.normalize("NFKC", option)) for letter, option in options.items()}
    found: set[str]
    for way, ways in (("strict", _strict(said, texts)), ("lenient", _lenient(said, texts))):
        for found in ways:
            if found:
                (letter, *more) = sorted(found)
                return Read(letter, way) if not more and letter in options else Read("", "unparsed")  # type: ignore[arg-type]
    return Read("", "unparsed")


def _strict(said: str, texts: Mapping[str, str]) -> Iterator[set[str]]:
    line = said.partition("\n")[0]
    if (bare := _BARE.fullmatch(line)) and bare[1].isupper():
        yield {bare[1]}
    yield _leading(said, line, texts)
    for pattern in _patterns("strict"):
        yield _found(pattern, said)


def _lenient(said: str, texts: Mapping[str, str]) -> Iterator[set[str]]:
    if bare := _BARE.fullmatch(said.partition("\n")[0]):
        yield {bare[1].upper()}
    for pattern in _patterns("lenient"):
        yield _found(pattern, said)
    yield _named(said)
    yield _by_text(said, texts)


def _leading(said: str, line: str, texts: Mapping[str, str]) -> set[str]:
    """A letter that the answer begins with, before its option's text or a mark. A list of options chooses none."""
    lead = _LEAD.fullmatch(line)
    if lead is None or not _counts(line, lead.start(1), lead.end(1)) or len(set(_LISTED.findall(said))) > 1:
        return set()
    letter, rest = lead[1], _squash(lead[2])
    if several := _chain(line, lead.end(1)):
        return {letter, *several}
    own = bool(rest) and rest.startswith(texts.get(letter) or "\0")
    others = {other for other, text in texts.items() if text and rest.startswith(text) and other != letter}
    if others and not own:
        return {letter, *others}  # the letter says one thing, the text another
    if _rejects(line, lead.start(1), lead.end(1)):
        return set()
    return {letter} if own or _SEPARATED.match(line) else set()


def _found(pattern: re.Pattern[str], said: str) -> set[str]:
    found: set[str] = set()
    for match in pattern.finditer(said):
        start, end = match.span(1)
        if match[1].isupper() and _counts(said, start, end) and not said[: match.start()].endswith(_words().rejected_before):
            found |= {match[1], *_chain(said, end)}
    return found


def _named(said: str) -> set[str]:
    """The letters that stand alone; one that is called wrong doesn't count, but others do."""
    alone = [m for m in _LETTER.finditer(said) if _counts(said, *m.span(1))]
    return {m[1] for m in alone if not _rejects(said, *m.span(1))}


def _by_text(said: str, texts: Mapping[str, str]) -> set[str]:
    """The options whose text the answer holds; one within another that is held doesn't count."""
    squashed = _squash(said)
    held = {letter: text for letter, text in texts.items() if text and text in squashed}
    longest = {letter for letter, text in held.items() if not any(text != other and text in other for other in held.values())}
    rejected = tuple(map(_squash, _words().rejected_before))
    return {letter for letter in longest if not squashed[: squashed.index(held[letter])].endswith(rejected)}


def _counts(said: str, start: int, end: int) -> bool:
    """Whether a letter is an option's, not part of a word: 维生素A, A型, A patient."""
    before, after = said[:start].rstrip(), said[end:].lstrip()
    latin = after[:1].isascii() and after[:1].isalpha() and not after.startswith(("is ", "is:"))
    return not (before.endswith(_words().before) or after.startswith(_words().after) or (latin and said[end : end + 1] == " "))


def _rejects(said: str, start: int, end: int) -> bool:
    before, after = said[:start].rstrip(" (选项"), said[end:].lstrip(" )选项")
    return before.endswith(_words().rejected_before) or after.startswith(_words().rejected_after)


def _chain(said: str, end: int) -> list[str]:
    """Further letters of an enumeration: A和B, A、C."""
    found = []
    while (match := _NEXT.match(said, end)) and _counts(said, *match.span(1)):
        found.append(match[1])
        end = match.end()
    return found


def _squash(text: str) -> str:
    return _BLANKS.sub("", text).lower()
