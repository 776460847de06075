"""Vignettes made from messages: the same danger in other words, and the same words without the danger.

Of a message that must raise a level come its variants without commas, minimised, misspelt, with a disease before it or a
question after it, all of one pair, for they must be judged alike; and what must raise nothing: the danger denied, long
over, somebody else's, or asked about in general, a pair of its own. Which template is taken depends on the message's id
alone, so that more messages never change the others.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

from medasst import config
from medasst.config import Config
from medasst.disk import package_file, write_text
from medasst.evaluation.vignettes import Category, Level, Vignette, Want

T = TypeVar("T")
_MARKS = re.compile(r"[，,、。！!？?；;：:\s]+")


@dataclass(frozen=True, slots=True)
class Danger:
    """A message that must raise a level.

    Attributes:
        id: names its variants; of its own for each message.
        text: one turn of a shopper.
        level: the levels that are right for it, none of them "self".
        words: wordings of the danger that fit after 没有 and 有过 (胸口疼, 抽搐); those that stand in `text` may be misspelt.
        concept: its name, for general questions (心梗); without one there are none.
    """

    id: str
    text: str
    level: tuple[Level, ...]
    words: tuple[str, ...] = ()
    concept: str = ""


class VariantTable(Config):
    """What `variants.toml` holds."""

    version: str
    keeps: Mapping[str, tuple[str, ...]]
    drops: Mapping[str, tuple[str, ...]]
    misspelt: Mapping[str, str]

    @classmethod
    @cache
    def read(cls) -> VariantTable:
        """The table of this package."""
        return config.load(cls, package_file("evaluation/variants.toml"))


def variants(dangers: Iterable[Danger], table: VariantTable | None = None) -> Iterator[Vignette]:
    """The vignettes of each message: itself, what keeps its danger, what doesn't. One that can't be made is left out."""
    table = table or VariantTable.read()
    for danger in dangers:
        for kind, text in {"plain": danger.text, **_keeping(danger, table)}.items():
            yield _vignette(danger, kind, text, danger.level)
        for kind, text in _dropping(danger, table).items():
            yield _vignette(danger, kind, text, ("self",))


def write_vignettes(path: Path, vignettes: Iterable[Vignette]) -> None:
    """A file that a task of kind "dialogue" reads."""
    rows = (json.dumps(each.model_dump(mode="json", exclude_defaults=True), ensure_ascii=False) for each in vignettes)
    write_text(path, "".join(f"{row}\n" for row in rows))


def _keeping(danger: Danger, table: VariantTable) -> dict[str, str]:
    made = {kind: _pick(danger, kind, forms).format(text=danger.text) for kind, forms in table.keeps.items()}
    bare = _MARKS.sub("", danger.text)
    if bare != danger.text:
        made["no_commas"] = bare
    if misspelt := _misspelt(danger, table.misspelt):
        made["misspelt"] = misspelt
    return made


def _dropping(danger: Danger, table: VariantTable) -> dict[str, str]:
    made = {}
    for kind, forms in table.drops.items():
        if danger.concept and kind == "general":
            made[kind] = _pick(danger, kind, forms).format(concept=danger.concept)
        elif danger.words and kind != "general":
            made[kind] = _pick(danger, kind, forms).format(word=_pick(danger, f"{kind} word", danger.words))
    return made


def _misspelt(danger: Danger, slips: Mapping[str, str]) -> str:
    """The message with one character of one wording of its danger exchanged; "" where none can be."""
    places = [
        start + offset
        for word in danger.words
        if (start := danger.text.find(word)) >= 0
        for offset, char in enumerate(word)
        if char in slips
    ]
    if not places:
        return ""
    place = _pick(danger, "misspelt", places)
    return danger.text[:place] + slips[danger.text[place]] + danger.text[place + 1 :]


def _pick(danger: Danger, kind: str, choices: Sequence[T]) -> T:
    digest = hashlib.sha256(f"{danger.id}:{kind}".encode()).digest()
    return choices[int.from_bytes(digest[:8]) % len(choices)]


def _vignette(danger: Danger, kind: str, text: str, level: tuple[Level, ...]) -> Vignette:
    raised = "self" not in level
    urgent: tuple[Category, ...] = ("emergency", "today", "days")
    category = next((name for name in urgent if name in level), "false_alarm")
    return Vignette(
        id=f"{danger.id}-{kind}",
        category=category,
        turns=(text,),
        want=(Want(turn=1, level=level),),
        pair=danger.id if raised else f"{danger.id}-not",
        why=kind,
    )
