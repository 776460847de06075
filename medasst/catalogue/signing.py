"""What of a product a pharmacist answers for, and which products decide something for a shopper: those that are offered."""

from __future__ import annotations

from typing import Any, NamedTuple

from medasst.catalogue.products import Product
from medasst.rulebook.signatures import fingerprint

_IMAGINARY = "（虚构）"  # how the makers of our own examples are marked
# Prices, packs and numbers change without anything else being said of the product.
_NO_CONTENT = {"sku", "price", "stock", "pack", "codes", "leaflet"}


class Offered(NamedTuple):
    """What decides whether an offered product may be served in earnest.

    Attributes:
        content: a hash of what a pharmacist answers for; imaginary: one of our own examples.
    """

    sku: str
    content: str
    imaginary: bool

    @classmethod
    def of(cls, product: Product) -> Offered:
        """Of a product about which was decided how it is sold."""
        return cls(product.sku, fingerprint(_content(product)), product.maker.endswith(_IMAGINARY))


def _content(product: Product) -> dict[str, Any]:
    """The record as the shop tells it and what it was resolved to, without who checked what."""
    leaflet = {key: section.model_dump(exclude={"checked"}) for key, section in product.leaflet.items()}
    made_of = [one.name for one in product.contents.substances]
    record = product.model_dump(mode="json", exclude=_NO_CONTENT, exclude_defaults=True)
    return {**record, "leaflet": leaflet, "made_of": made_of, "sold": product.sale.formulary}
