"""What all answers about products are made from: the shelf, the sentences, and how a leaflet is cut and quoted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from medasst.assistant.acts import Answer, Source, Warn
from medasst.assistant.asked import reader
from medasst.assistant.request import Request
from medasst.catalogue import Catalogue, Product, Section
from medasst.lexicon import plain
from medasst.rulebook import AskRow
from medasst.safety import PersonFinding, Rules
from medasst.text import sentences

SPOKEN = 2  # products that one answer tells of
OTHERS = 2  # other products that are named
CHILD_AGE = "child_age"  # the question
_SHORT = 2  # sentences of a section that one answer holds
_LONG = 110  # characters of a section after which no further sentence is added
_KEPT = 8192  # sections that are kept as they were cut
_NOTHING_KNOWN = ("尚不明确", "如与其他药物同时使用可能会发生")


class Desk:
    """One shop's shelf and rules as the answers about products use them.

    Attributes:
        shelf: what is offered. say: the sentences of `asks.toml`; rows: its rows by id.
        looks: what a leaflet's sentence holds that answers a row, by the row's id.
    """

    def __init__(self, catalogue: Catalogue, rules: Rules) -> None:
        self.shelf, self.rules = catalogue.over_the_counter, rules
        table = rules.book.asks
        self.say: Mapping[str, str] = table.says
        self.rows = reader(rules.lexicon).rows
        self.looks = {row.id: re.compile(row.sentence, re.VERBOSE) for row in table.ask if row.sentence}

    def told(self, product: Product, row: AskRow, looks: re.Pattern[str] | None) -> Answer | None:
        """The sentences of a leaflet that answer, of the first section that holds any."""
        for key in row.sections:
            section = product.section(key)
            if section is not None and (text := picked(section.text, looks)):
                return self.quote(product, section, text)
        return None

    def quote(self, product: Product, section: Section, text: str) -> Answer:
        """A leaflet as it is cited."""
        said = sentences(self.say["leaflet"].format(product=product.short_name, text=text))
        return Answer(tuple(said), (Source(section.document, section.section),), (product,))

    def common(self, row: AskRow) -> Answer:
        """What is commonly known of what a row asks."""
        return Answer((row.general,), (Source(self.say["common"], row.id),))

    def asked_age(self, request: Request) -> bool:
        """Whether a child's age was asked for before."""
        return any(asked.question.id == CHILD_AGE for asked in request.told.asked)

    def stopped(self, product: Product, request: Request) -> bool:
        """Whether something speaks against it for this person."""
        return any(finding.stops for finding in self.rules.checks(product, request.told.current))

    def fits(self, product: Product, request: Request) -> bool:
        """Whether it may be named: nothing stops it, but for the age of a child of whom that isn't known yet."""
        findings = self.rules.checks(product, request.told.current)
        young = bool(request.facts.child) and request.facts.child_months is None and product.for_children
        return age_alone(findings) if young else not any(finding.stops for finding in findings)


def picked(text: str, looks: re.Pattern[str] | None, most: int = _SHORT) -> str:
    """The first few sentences of a section that say something, or those that hold something, with a closing mark."""
    found = [one for one in _cut(text) if (looks.search(plain(one).text) if looks else not one.startswith(_NOTHING_KNOWN))]
    kept: list[str] = []
    for sentence in found[:most]:
        if kept and len("".join(kept)) + len(sentence) > _LONG:
            break
        kept.append(sentence)
    said = "".join(kept).strip()
    return said if not said or said[-1] in "。！？" else said.rstrip("；;，,") + "。"


@lru_cache(maxsize=_KEPT)
def _cut(text: str) -> tuple[str, ...]:
    return tuple(sentences(text))


@lru_cache(maxsize=_KEPT)
def any_of(names: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, sorted(filter(None, names), key=len, reverse=True))) or r"(?!)")


def age_alone(findings: Iterable[PersonFinding]) -> bool:
    """Whether nothing stops it but that the age must be known."""
    return all(finding.kind == "age" and finding.severity == "ask" for finding in findings if finding.stops)


def about(product: Product, *, with_form: bool = False) -> str:
    """Form, strength and pack, as far as the record tells them."""
    told = (product.form if with_form else "", product.strength, product.pack)
    return "，".join(one for one in told if one)


def source(section: Section) -> Source:
    return Source(section.document, section.section)


def warning(finding: PersonFinding) -> Warn:
    return Warn(finding.rule, "warning", finding.sentence, finding.version)


def unique(products: Iterable[Product]) -> list[Product]:
    return list({product.sku: product for product in products}.values())


@lru_cache(maxsize=2048)
def _symptoms(symptoms: tuple[str, ...], rules: Rules) -> frozenset[str]:
    found = (one for symptom in symptoms for one in rules.lexicon.read(symptom).findings())
    return frozenset(one.concept for one in found)


def treats(product: Product, rules: Rules) -> frozenset[str]:
    """The complaints that a product is for, as its record tells; kept."""
    return _symptoms(product.symptoms, rules)
