"""The prescription gate: no indication, dose or card of a prescription drug reaches a shopper, whoever wrote the sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Literal

from medasst import config
from medasst.catalogue import Catalogue
from medasst.catalogue.lay import clauses, plain
from medasst.catalogue.names import NameFinder
from medasst.config import Config
from medasst.disk import package_file
from medasst.safety.doses import has_dose
from medasst.text import comparison_key

_TAKING = re.compile(
    r"(?:在|正在|同时|一直|长期|平时|每[天晚]|天天|晚上|以前|之前|小时候|现在|目前|最近|今[天早]|昨[天晚]|刚刚?|已经|也|还|常年?|(?:给|医生)开)"
    r"[^能要想可]{0,3}(?:吃|服|用|打|喝|换|开|注射)(?:着|了|过|的是?|[一半两]片|[一两]粒|点)*$"
)
_TOOK = re.compile(r"(?:吃|服|用|打|喝|换)(?:着|了|过|的是?|[一半两]片|[一两]粒)*$")
_ASKING = re.compile(
    r"买|拿|来[一二两]?[盒瓶支板]|卖|给我|给他|换成|开[点一]|怎么|几|多少|吗|呢|么|能|可以|可不可|行不|行吗|要不要|好不好|管用|有没有|推荐|想|哪"
)
_NOT_TOLERATED = re.compile(r"[^，。！？；]{0,12}过敏")
_REACH = 40  # characters before a drug's name in which its taking is told
_Label = Literal["drug", "kind", "free"]


class PrescriptionData(Config):
    """What `prescription.toml` holds; its comments say what the fields mean."""

    version: str
    families: tuple[str, ...]
    kinds: tuple[str, ...]
    dual: tuple[str, ...]
    over_the_counter: tuple[str, ...]
    caution: tuple[str, ...]
    indication: tuple[str, ...]
    answer: tuple[str, ...]
    some_drug: str
    by_symptom: str
    document: str
    section: str

    @classmethod
    @cache
    def read(cls) -> PrescriptionData:
        """The table of this package."""
        return config.load(cls, package_file("safety/prescription.toml"))


class PrescriptionGate:
    """Knows prescription drugs by the catalogue's names and by families of generic names.

    Args:
        catalogue: its prescription products are gated; a name of an over-the-counter product is free, unless a
            prescription product bears it too.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.data = data = PrescriptionData.read()
        gated = {comparison_key(name) for p in catalogue.products if p.prescription for name in (*p.names, *p.ingredients)}
        free = {comparison_key(name) for p in catalogue.products if not p.prescription for name in p.names} - gated
        sold = {comparison_key(item) for p in catalogue.products if not p.prescription for item in (*p.names, *p.ingredients)}
        gated |= {comparison_key(name) for name in data.families} - free
        gated |= {key for name in data.dual if (key := comparison_key(name)) not in sold}
        free |= {comparison_key(name) for name in data.over_the_counter} - gated
        kinds = {comparison_key(name) for name in data.kinds} - free - gated
        labels: list[tuple[str, _Label]] = [(name, "drug") for name in gated]
        labels += [(name, "kind") for name in kinds]
        labels += [(name, "free") for name in free]
        self._names: NameFinder[_Label] = NameFinder(labels)
        self._fragments = {comparison_key(name) for name in data.families}
        self._caution, self._indication = _any(data.caution), _any(data.indication)

    def mentions(self, text: str) -> list[str]:
        """The prescription drugs, and kinds of them, that `text` names, as it calls them."""
        return [span.name for span in self._names.find(text) if span.values[0] != "free"]

    def taken(self, text: str) -> list[str]:
        """The drugs, of any kind, that `text` tells of taking (在吃华法林, 平时吃一片安眠药), not those it asks for."""
        told: list[str] = []
        for clause in map(comparison_key, clauses(plain(text))):
            asking, called = bool(_ASKING.search(clause)), clause.find("叫")
            for span in self._names.find(clause):
                named_so = told and 0 <= called < span.start
                if named_so or _tells(clause, span.start, short=len(span.name) <= 2, asking=asking):
                    told.append(span.name)
        return told

    def asked(self, text: str) -> list[str]:
        """The prescription drugs that `text` asks for: named, and neither told of as taken nor as not tolerated."""
        told = {
            *self.taken(text),
            *(span.name for m in _NOT_TOLERATED.finditer(plain(text)) for span in self._names.find(m[0])),
        }
        return [name for name in dict.fromkeys(self.mentions(text)) if name not in told]

    def names(self, text: str) -> list[str]:
        """Every drug that `text` names and this shop knows of, sold freely or not."""
        return [span.name for span in self._names.find(text)]

    def subject(self, text: str) -> bool | None:
        """Whether the drug named last in `text` needs a prescription; None if it names none."""
        labels = [span.values[0] for span in self._names.find(text)]
        return labels[-1] != "free" if labels else None

    def allows(self, sentence: str, *, by_model: bool, about: bool | None = None) -> bool:
        """Whether the sentence may reach a shopper.

        It may if it names no prescription drug, or, written by a person, only warns of one. A dose right after talk
        of a prescription drug is that drug's.

        Args:
            about: whether the drug named last before this sentence needs a prescription.
        """
        labels = [span.values[0] for span in self._names.find(sentence)]
        named = {label for label in labels if label != "free"}
        if by_model and named:
            return False
        text = plain(sentence)
        if self._doses(text, about):
            return False
        if not named:
            return True
        cautious = "drug" not in named or self._caution.search(text)
        return bool(cautious) and not self._indication.search(text)

    def _doses(self, text: str, about: bool | None) -> bool:
        """Whether a clause gives a dose while its talk is of a prescription drug."""
        for clause in clauses(text):
            if self.mentions(clause):
                about = True
            elif (named := self.subject(clause)) is not None:
                about = named
            if about and has_dose(clause):
                return True
        return False

    def answer(self, drug: str) -> list[str]:
        """The fixed way: a prescription, a doctor, a pharmacist."""
        called = self.data.some_drug if drug in self._fragments else drug
        return [sentence.format(drug=called) for sentence in self.data.answer]


def _tells(clause: str, start: int, *, short: bool, asking: bool) -> bool:
    """Whether the clause tells of taking the drug named at `start`; a short name may be the end of one (依那普利)."""
    for end in range(start, max(start - 4 if short else start - 1, -1), -1):
        before = clause[max(0, end - _REACH) : end]
        if _TAKING.search(before) or (not asking and _TOOK.search(before)):
            return True
    return False


def _any(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))
