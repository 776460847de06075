"""The prescription gate: no indication, dose or card of a prescription drug reaches a shopper, whoever wrote the sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Literal

from medasst import config
from medasst.catalogue import Catalogue
from medasst.catalogue.lay import clauses, plain
from medasst.catalogue.names import NameFinder
from medasst.config import Config
from medasst.safety.doses import has_dose
from medasst.text import comparison_key

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
    by_symptom: str
    document: str
    section: str

    @classmethod
    @cache
    def read(cls) -> PrescriptionData:
        """The table of this package."""
        return config.load(cls, Path(__file__).with_name("prescription.toml"))


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
        self._caution, self._indication = _any(data.caution), _any(data.indication)

    def mentions(self, text: str) -> list[str]:
        """The prescription drugs, and kinds of them, that `text` names, as it calls them."""
        return [span.name for span in self._names.find(text) if span.values[0] != "free"]

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
        return [sentence.format(drug=drug) for sentence in self.data.answer]


def _any(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))
