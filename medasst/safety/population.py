"""Who may not simply take a product: pregnancy, children, age, allergy, chronic disease, other drugs.

Rules read the leaflet's own words. A product passes for a group only where the leaflet plainly allows it; what it leaves
open, and what it makes depend on a doctor, goes to the pharmacist.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from medasst.catalogue import Product
from medasst.lexicon import Lexicon, plain
from medasst.lexicon.values import number
from medasst.safety.facts import Facts
from medasst.text import sentences

_FORBIDS = re.compile(
    r"禁用|禁止|忌用|不宜|慎用|不得|不要|不能|避免|不推荐|不建议|不应|不适|咨询|遵医嘱|医师指导|医生指导|医师判断|医师决定|尚不明确|尚未确[立定]|未确定|未进行|无可靠|权衡|风险|应先就医|直接就医"
)
_EXCESS = re.compile(r"不得(?:长期)?(?:过量|超量)(?:服用|使用)?")  # forbids too much, not the product
_ALLOWS = re.compile(r"(?<!不)可以?(?:使?用|服用|按|作为)|均可|(?<!不)适用于|本品用于|可用于")
_BOUND = re.compile(r"([0-9]+|[一二两三四五六七八九十]+)(岁|个月|月龄)(?:以下|以内|内|及以下)|小于([0-9]+)(岁|个月)")
_OVER = re.compile(r"([0-9]+)(岁)(?:及?以上|及以上)")


class Concern(NamedTuple):
    """Why a product is not simply for this person; `message` is for the shopper, with the leaflet's words."""

    rule: str
    message: str


def concerns(product: Product, facts: Facts, lexicon: Lexicon) -> list[Concern]:
    """What speaks against showing `product` to this person; empty if nothing that is known does."""
    return [Concern(f"population.{rule}", message) for rule, message in _concerns(product, facts, lexicon)]


def _concerns(product: Product, facts: Facts, lexicon: Lexicon) -> Iterator[tuple[str, str]]:
    say, words = lexicon.book.messages.population, lexicon.book.leaflets
    text = _text(product, "pregnancy")
    for group in ("pregnant", "nursing"):
        if getattr(facts, group) and not _plainly_allowed(text):
            yield group, say[group].format(product=product.name, text=text or say["unknown"].format(product=product.name))
    if facts.child and (against := child_text(product, facts.child_months)) is not None:
        yield "child", say["child"].format(product=product.name, text=against or say["unknown"].format(product=product.name))
    if facts.elderly and _FORBIDS.search(text := _text(product, "elderly")):
        yield "elderly", say["elderly"].format(product=product.name, text=text)
    for allergen in facts.allergies:
        if _related(product, allergen, words.kin):
            yield "allergy", say["allergy"].format(product=product.name, what=allergen)
    for disease in facts.chronic:
        stems = [stem for name in lexicon.broader(disease) if (stem := words.disease.get(name))] or [re.escape(disease)]
        if text := _warning(product, "|".join(sorted(stems))):
            yield "chronic", say["chronic"].format(product=product.name, what=disease, text=text)
    for drug in facts.drugs:
        text = _warning(product, re.escape(drug), ("interactions", "contraindications", "cautions"))
        key = "drugs" if text else "drugs_unknown"
        yield "drugs", say[key].format(product=product.name, what=drug, text=text)


def _text(product: Product, key: str) -> str:
    section = product.section(key)
    return section.text if section else ""


def _plainly_allowed(text: str) -> bool:
    """Allowed in words, and nothing forbidden but excess (不得超量)."""
    bare = re.sub("使用前请?咨询医师或药师", "", _EXCESS.sub("", text))
    return bool(_ALLOWS.search(bare)) and not _FORBIDS.search(bare)


def child_text(product: Product, months: int | None) -> str | None:
    """The leaflet's words against giving it to a child of this age, or None if it is made for that age.

    A clause with an age bound counts below that age; without the child's age every bound counts.
    """
    text = _text(product, "children")
    against = [s for s in sentences(text) if _FORBIDS.search(_EXCESS.sub("", s)) and _applies(s, months)]
    if against:
        return "".join(against)
    return None if product.for_children or _ALLOWS.search(text) else text


def _applies(sentence: str, months: int | None) -> bool:
    bounds = [_months(*(m.group(1, 2) if m[1] else m.group(3, 4))) for m in _BOUND.finditer(sentence)]
    if not bounds or months is None:
        return True
    # 1岁以下…，6个月以下…: the widest bound decides; a rule for everybody else in the same sentence counts too.
    rest = _OVER.search(sentence)
    return months < max(bounds) or rest is not None or "其他" in sentence


def _months(amount: str, unit: str) -> int:
    return int(number(amount)) * (12 if unit == "岁" else 1)


def _warning(product: Product, stem: str, keys: tuple[str, ...] = ("contraindications", "cautions", "interactions")) -> str:
    """The first leaflet sentence that warns of it."""
    return next((s.strip() for key in keys for s in sentences(_text(product, key)) if re.search(stem, plain(s).text)), "")


def _related(product: Product, allergen: str, kinship: Mapping[str, str]) -> bool:
    """Whether the product holds what the shopper is allergic to, is named so, or its leaflet warns of that allergy."""
    stem = next((kin for name, kin in kinship.items() if name in allergen), re.escape(allergen))
    if allergen in ("", "本品"):
        return False
    own = [plain(word).text for word in (*product.names, *product.ingredients)]
    if any(re.search(stem, word) or (len(word) >= 2 and word in allergen) for word in own):
        return True
    return any(
        re.search(stem, s) and "过敏" in s
        for key in ("contraindications", "cautions")
        for s in sentences(plain(_text(product, key)).text)
    )
