"""What the shop says of itself, and the answers to its matters, to courtesies, and to what is nothing for its counter."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints

from medasst.assistant.acts import Act, Answer, Refer
from medasst.config import Config, load
from medasst.disk import package_file
from medasst.errors import ConfigError
from medasst.registry import did_you_mean
from medasst.rulebook import MatterRow
from medasst.safety import Context, Rules
from medasst.text import sentences

_CLOSED = re.compile(r"[。！？!?；;…”）)]$")


def _closed(text: str) -> str:
    """A sentence with its closing mark."""
    return text if _CLOSED.search(text) else text + "。"


def _dialled(number: str) -> str:
    if len(re.findall(r"\d", number)) < 3 or not re.fullmatch(r"[\d+()（） 转-]+", number):
        raise ValueError("no phone number; write digits, blanks, + ( ) - and 转, or leave the key out")
    return number


Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_closed)]
Phrase = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)]


class Reach(Config):
    """How to reach a pharmacist of the shop.

    Attributes:
        phone: with the hours in which somebody answers, "每天8:00到22:00".
        words: another way, in whole sentences.
    """

    phone: Annotated[Phrase, AfterValidator(_dialled)] | None = None
    hours: Phrase | None = None
    words: Words | None = None


class Shop(Config):
    """What a shop says of itself: its `shop.toml`. Nothing in it is needed; what is left out is said to be unknown.

    Attributes:
        name: as shoppers know it.
        words: the shop's own words by the ids of `matters.toml`.
    """

    name: Phrase | None = None
    pharmacist: Reach = Reach()
    words: Mapping[str, Words] = Field(default_factory=dict)

    @classmethod
    def load(cls, path: Path | None, rules: Rules) -> Self:
        """Read a shop's words; None: a shop that says nothing of itself.

        Raises:
            ConfigError: no such file, no TOML, an unknown key or matter, empty or overlong words, a phone number that is none,
                or words that no reply may say (an advertisement, a promise); names file, key and remedy.
        """
        if path is None:
            return cls()
        shop = load(cls, path)
        known = [row.id for row in rules.book.matters if row.kind == "shop"]
        for matter, words in shop.words.items():
            if matter not in known:
                raise ConfigError(
                    f"{path}: words.{matter}: no such matter{did_you_mean(matter, known)}; "
                    "the ids stand in matters.toml, docs/assistant.md lists them"
                )
            _sayable(words, f"{path}: words.{matter}", rules)
        _sayable(shop.pharmacist.words or "", f"{path}: pharmacist.words", rules)
        return shop

    @classmethod
    def from_samples(cls, rules: Rules) -> Self:
        """The imaginary pharmacy of `medasst/samples`."""
        return cls.load(package_file("samples/shop.toml"), rules)


def _sayable(words: str, where: str, rules: Rules) -> None:
    for sentence in sentences(words):
        verdict = rules.check_sentence(sentence, Context())
        if not verdict.ok:
            raise ConfigError(
                f"{where}: {sentence!r} can't be said to a shopper (rule {verdict.rule} of output.toml); reword it"
            )


class ShopTalk:
    """Answers that need no medicine: the shop's matters, courtesies, what it declines.

    Args:
        rules: with the table of matters and of how to reach somebody.
        shop: what the shop says of itself.
    """

    def __init__(self, rules: Rules, shop: Shop) -> None:
        self.shop = shop
        self._rows, self._say = rules.book.matters.rows, rules.book.reach
        self._name = shop.name or self._say.some_shop

    @property
    def reach(self) -> tuple[str, ...]:
        """How to reach a pharmacist: the shop's phone, its other ways; where it told none, where to look."""
        reach = self.shop.pharmacist
        if reach.phone and reach.hours:
            phone = [self._say.phone_and_hours.format(phone=reach.phone, hours=reach.hours)]
        else:
            phone = [self._say.phone.format(phone=reach.phone)] if reach.phone else []
        return (*phone, *sentences(reach.words or "")) or (self._say.nobody,)

    def say(self, matters: Iterable[str]) -> list[Act]:
        """What is said to matters, an act each; whom to reach, once, behind the last."""
        rows = [self._rows[matter] for matter in dict.fromkeys(matters)]
        acts = [self._act(row, self._told(row)) for row in rows]
        unsaid = [row.name for row in rows if row.name and row.id not in self.shop.words]
        closing = [self._say.unsaid.format(matters=self._say.between.join(unsaid))] if unsaid else []
        if unsaid or any(row.reach for row in rows):
            closing += self.reach
        acts = [act for act in acts if act.sentences]
        return [*acts, Answer(tuple(closing))] if closing else acts

    def _told(self, row: MatterRow) -> tuple[str, ...]:
        """What is true in every shop, then the shop's own words."""
        fixed = [sentence.format(shop=self._name) for sentence in row.answer]
        return (*fixed, *sentences(self.shop.words.get(row.id, "")))

    def _act(self, row: MatterRow, told: Sequence[str]) -> Answer | Refer:
        if row.kind == "decline":
            return Refer(row.id, tuple(told), "decline")
        if row.id == "pharmacist":
            return Refer(row.id, tuple(told))
        return Answer(tuple(told), brief=row.brief.format(shop=self._name))
