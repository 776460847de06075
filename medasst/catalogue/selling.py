"""How a product may be sold: the one place that decides. Of the shop's word and the formulary's the stricter counts.

What the tables can't resolve, what they name two ways, and what is under control online is never offered.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from medasst.catalogue.products import Label, Product, Sale, Why
from medasst.formulary import Contents, Formulary
from medasst.lexicon.amounts import strengths
from medasst.rulebook import STRICTNESS, Status

# What a shop's name holds besides the medicine's: bracketed remarks, a strength, a pack.
_AMOUNT = re.compile(
    r"[(（【\[].*?[)）】\]]|\d+(?:\.\d+)?\s*(?:mg|g|ml|l|μg|ug|mcg|iu|%|毫克|克|毫升|万?单位|片|粒|袋|支|盒|瓶|丸|贴|包|枚|板|s\b)"
    r"|[*×/:：]|[xX](?=\d)|\b(?:otc|rx)\b",
    re.IGNORECASE,
)
_IN_PIECES = re.compile("[片粒丸栓]|胶囊|颗粒|散")
_PREPARATION = 3  # ingredients
_GAPS = re.compile(r"[\s,，、·+]+")


def decide(product: Product, formulary: Formulary) -> Sale:
    """How a product may be sold, from its record as the shop tells it."""
    contents, two_ways = resolve(product, formulary)
    contents = replace(contents, amounts={**contents.amounts, **_amounts(product, contents)})
    told = contents.status
    shop: Label = "rx" if "rx" in (product.status, product.label) else product.status
    free = product.label or None
    shown = told == "dual" and free in ("otc-a", "otc-b")
    strict = shop == "rx" or told in ("rx", "banned_online") or (told == "dual" and not shown)
    why: Why = ""
    if told == "banned_online":
        why = "banned_online"
    elif two_ways:
        why = "two_ways"
    elif strict:
        why = "dual" if told == "dual" and shop != "rx" else "prescription"
    elif not contents.resolved:
        why = "unresolved"
    elif contents.control:
        why = "controlled"
    elif product.sku in formulary.withheld:
        why = "refused"
    return Sale(contents, "rx" if strict else shop, shop, told, "label" if shown and not strict else "", why)


def resolve(product: Product, formulary: Formulary) -> tuple[Contents, bool]:
    """What a product is made of, and whether its name and its list of ingredients say two things.

    The name counts where the formulary knows it, and what the list tells besides is added: a substance too many only makes the
    checks stricter. Without a known name all of the list must be known. What a formula of Chinese medicine is made of needn't
    be known herb by herb.
    """
    named = _by_name(product, formulary)
    if not product.ingredients:
        return named, False
    listed = formulary.made_of(product.name, product.ingredients)
    parts = [formulary.contents(one) for one in product.ingredients]
    if not named.resolved:
        return replace(listed, status=named.status or max(parts, key=_strictness).status), False
    mixed = any(one.kind != "substance" for one in named.substances)
    known = {one.substance for one in named.substances}
    told = [one for one in listed.substances if not mixed or one.kind == "substance"]
    more = [one for one in told if one.substance not in known]
    adding = [part for part in parts if any(one in more for one in part.substances)]
    status = max([named, *adding], key=_strictness).status
    if more and len(more) == len(told) and not mixed:
        if len(known) > 1 or len(parts) < _PREPARATION:
            return named, True
        status = named.status  # a preparation that is one row of the tables (口服补液盐), listed part by part
    # 薄荷脑 of a nose drop, which is a row by its way in, is what the name has told.
    unknown = () if mixed else tuple(one for one in listed.unknown if one not in known)
    return replace(named, substances=(*named.substances, *more), status=status, unknown=unknown), False


def _amounts(product: Product, contents: Contents) -> dict[str, float]:
    """mg of its substances in one piece, as far as the product's strength tells."""
    written = {one.name: one.substance for one in contents.substances}
    return strengths(product.strength, written, pieces=bool(_IN_PIECES.search(product.form or product.name)))


def _by_name(product: Product, formulary: Formulary) -> Contents:
    """By the name as it stands, or by every part of it that isn't the brand, the maker, a strength or a pack."""
    whole = formulary.contents(product.name)
    if whole.resolved or whole.status is not None:
        return whole
    parts = [formulary.contents(part) for part in _parts(product)]
    made_of = {part.substances for part in parts}
    if parts and all(part.resolved for part in parts) and len(made_of) == 1:
        return max(parts, key=_strictness)
    return whole


def _parts(product: Product) -> Iterator[str]:
    bare = _AMOUNT.sub(" ", product.name)
    for word in (product.brand, product.maker):
        bare = bare.replace(word, " ") if word else bare
    return (part for part in _GAPS.split(bare) if part)


def _strictness(contents: Contents) -> int:
    status: Status | None = contents.status
    return STRICTNESS.index(status) if status is not None else -1
