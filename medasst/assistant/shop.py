"""What the shop says of itself, and the answers to its matters, to courtesies, and to what is nothing for its counter."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, PrivateAttr, StringConstraints

from medasst.assistant.acts import Act, Answer, Refer
from medasst.assistant.matters import Matters
from medasst.assistant.request import Request
from medasst.config import Config, load
from medasst.disk import package_file
from medasst.errors import ConfigError
from medasst.registry import did_you_mean
from medasst.rulebook import AskKind, MatterRow
from medasst.safety import Context, Rules
from medasst.text import sentences

_KINDS: frozenset[AskKind] = frozenset({"shop", "photo", "thanks", "greeting"})
_HUMAN = "pharmacist"
_SHOWN = 10  # failed examples of one message
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

    @property
    def reachable(self) -> bool:
        """Whether it tells a way; hours alone are none."""
        return bool(self.phone or self.words)


class Shop(Config):
    """What a shop says of itself: its `shop.toml`. Nothing in it is needed; what is left out is said to be unknown.

    Attributes:
        name: as shoppers know it.
        words: the shop's own words by the ids of `matters.toml`.
    """

    name: Phrase | None = None
    pharmacist: Reach = Reach()
    words: Mapping[str, Words] = Field(default_factory=dict)

    _file: str = PrivateAttr("shop.toml")

    @classmethod
    def load(cls, path: Path | None) -> Self:
        """Read a shop's words; None: a shop that says nothing of itself.

        Raises:
            ConfigError: no such file, no TOML, an unknown key, empty or overlong words, a phone number that is none; names
                file, key and remedy.
        """
        if path is None:
            return cls()
        shop = load(cls, path)
        shop._file = str(path)
        return shop

    @classmethod
    def from_samples(cls) -> Self:
        """The imaginary pharmacy of `medasst/samples`."""
        return cls.load(package_file("samples/shop.toml"))

    def check(self, rules: Rules) -> None:
        """Raises ConfigError: words for a matter that isn't in the table, or that no reply may say (an advertisement)."""
        known = [row.id for row in rules.book.matters if row.kind == "shop"]
        for matter in self.words:
            if matter not in known:
                meant = did_you_mean(matter, known) or "; docs/assistant.md lists them"
                raise ConfigError(f"{self._file}: words.{matter}: there is no such matter in matters.toml{meant}")
        told = {f"words.{matter}": words for matter, words in self.words.items()}
        for key, words in {**told, "pharmacist.words": self.pharmacist.words or ""}.items():
            for sentence in sentences(words):
                if not (verdict := rules.check_sentence(sentence, Context())).ok:
                    refused = f"{sentence!r} can't be said to a shopper (rule {verdict.rule} of output.toml)"
                    raise ConfigError(f"{self._file}: {key}: {refused}; word it another way")


class ShopTalk:
    """Answers that need no medicine: the shop's matters, courtesies, what it declines.

    Args:
        rules: with the table of matters and of how to reach somebody.
        shop: what the shop says of itself.

    Raises:
        ConfigError: the shop's words can't be used (see `Shop.check`), or an example of a shop's own table of matters doesn't
            come out; names file and line.
    """

    def __init__(self, rules: Rules, shop: Shop) -> None:
        shop.check(rules)
        if not rules.book.own and (failed := list(islice(Matters(rules.book).failures(rules.lexicon), _SHOWN))):
            raise ConfigError("\n".join(failed))
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

    @property
    def _direct(self) -> tuple[str, ...]:
        """The same in other words, so that who asks for somebody hears it however often it stood beside an answer."""
        reach = self.shop.pharmacist
        if not (reach.phone and reach.hours):
            return self.reach
        return (self._say.direct.format(phone=reach.phone, hours=reach.hours), *sentences(reach.words or ""))

    def answer(self, request: Request) -> list[Act]:
        """What is said to the matters that the last turn asks about, to a courtesy, and to what is nothing for this counter."""
        return self.say(asked.key or asked.kind for asked in request.asks if asked.kind in _KINDS)

    def say(self, matters: Iterable[str]) -> list[Act]:
        """An act for each of these matters; what the shop gave no words for is named once, with whom to reach."""
        rows = [self._rows[matter] for matter in dict.fromkeys(matters)]
        unsaid = [row for row in rows if row.name and row.id not in self.shop.words]
        closing: tuple[str, ...] = ()
        if unsaid:
            closing = (self._say.unsaid.format(matters=self._say.between.join(row.name for row in unsaid)),)
        needy = [row for row in rows if row.reach or row in unsaid]
        acts: list[Act] = []
        for row in rows:
            last = bool(needy) and row is needy[-1]
            told = (*self._told(row), *((*closing, *(self._direct if row.id == _HUMAN else self.reach)) if last else ()))
            if told:
                acts.append(self._act(row, told))
        return acts

    def _told(self, row: MatterRow) -> tuple[str, ...]:
        """What is true in every shop, then the shop's own words."""
        fixed = [sentence.format(shop=self._name) for sentence in row.answer]
        return (*fixed, *sentences(self.shop.words.get(row.id, "")))

    def _act(self, row: MatterRow, told: tuple[str, ...]) -> Act:
        if row.kind == "decline":
            return Refer(row.id, told, "decline")
        return Refer(row.id, told) if row.id == _HUMAN else Answer(told, brief=row.brief.format(shop=self._name))
