"""What may be served to shoppers in earnest: approved rules, the shop's own catalogue, no model that is for demonstration."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from medasst.assistant.shop import Shop
from medasst.catalogue import Catalogue
from medasst.errors import ConfigError
from medasst.lexicon import Lexicon
from medasst.rulebook import Rulebook
from medasst.rulebook.decisive import decisive
from medasst.rulebook.signatures import PRODUCT, Key
from medasst.service.config import ServeConfig
from medasst.weights import is_embedded

_NAMED = 3  # keys of each kind
_KEY = 30  # characters of one


def check_production(config: ServeConfig, book: Rulebook) -> None:
    """Raises ConfigError: something isn't fit to be served in earnest; names all of it, with what to do."""
    if problems := list(_problems(config, book)):
        raise ConfigError("not fit for production:\n" + "\n".join(f"- {problem}" for problem in problems))


def _problems(config: ServeConfig, book: Rulebook) -> Iterator[str]:
    base = config.model.base if config.model is not None else None
    if base is not None and is_embedded(base):
        yield f"model: {base!r} is an embedded base, which is for demonstration; name another one, or leave the model out"
    products = _Products.of(Catalogue.open(config.catalogue, Lexicon(book)), book) if config.catalogue is not None else None
    if products is None or products.imaginary:
        named = f" ({', '.join(products.imaginary[:_NAMED])}, …)" if products is not None else ""
        remedy = "bring in the shop's own: medasst catalogue import MAPPING.toml, then catalogue = its folder"
        yield f"catalogue: products of an imaginary pharmacy, which are samples{named}; {remedy}"
    if not Shop.load(config.shop).pharmacist.reachable:
        remedy = "write phone or words under [pharmacist] of a shop.toml (docs/assistant.md), then shop = that file"
        yield f"shop: shoppers aren't told how to reach a pharmacist; {remedy}"
    undecided, refused = _unsettled(book)
    undecided += [(PRODUCT, sku) for sku in products.undecided] if products is not None else []
    sheet = (
        "medasst rulebook export --out SHEET.xlsx, let a pharmacist fill it in, medasst rulebook import SHEET.xlsx --out FOLDER"
    )
    if undecided:
        yield f"not approved as they are now: {_counted(undecided)}; {sheet}, then signed = FOLDER"
    if refused:
        yield f"refused, and in force since nothing is stricter: {_counted(refused)}; change them in an overlay and sign again"


class _Products(NamedTuple):
    """SKUs of offered products that aren't fit: of our own examples, and such that nobody approved as they are now."""

    imaginary: list[str]
    undecided: list[str]

    @classmethod
    def of(cls, catalogue: Catalogue, book: Rulebook) -> _Products:
        found = cls([], [])
        for product in catalogue.offers():
            if product.imaginary:
                found.imaginary.append(product.sku)
            signature = book.ledger.signatures.get((PRODUCT, product.sku))
            if signature is None or signature.content != product.content:
                found.undecided.append(product.sku)
        return found


def _unsettled(book: Rulebook) -> tuple[list[Key], list[Key]]:
    """The rows that nobody decided about as they are now, and those that were refused and are as they were."""
    ledger, undecided, refused = book.ledger, list[Key](), list[Key]()
    for one in decisive(book):
        if one.place not in ledger.settled:
            signature = ledger.signatures.get(one.place)
            said_no = signature is not None and signature.refused and signature.content == one.fingerprint
            (refused if said_no else undecided).append(one.place)
    return undecided, refused


def _counted(places: list[Key]) -> str:
    """How many of each kind, and the first of them."""
    by_kind: dict[str, list[str]] = defaultdict(list)
    for kind, key in places:
        by_kind[kind].append(key if len(key) <= _KEY else f"{key[:_KEY]}…")
    return ", ".join(
        f"{len(keys):,} {kind} ({', '.join(keys[:_NAMED])}{', …' if len(keys) > _NAMED else ''})"
        for kind, keys in by_kind.items()
    )
