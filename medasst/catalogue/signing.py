"""What of a product a pharmacist answers for, and which products decide something for a shopper: those that are offered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from medasst.catalogue.catalogue import Catalogue
from medasst.catalogue.products import Product

IMAGINARY = "（虚构）"  # how the makers of our own examples are marked
# Prices, packs and numbers change without anything else being said of the product.
_NO_CONTENT = {"sku", "price", "stock", "pack", "codes", "leaflet"}


def offered(catalogue: Catalogue) -> Iterator[Product]:
    """The products that are shown to shoppers."""
    return iter(catalogue.over_the_counter)


def product_content(product: Product) -> dict[str, Any]:
    """The record as the shop tells it and what it was resolved to, without who checked what."""
    leaflet = {key: section.model_dump(exclude={"checked"}) for key, section in product.leaflet.items()}
    made_of = [one.name for one in product.contents.substances]
    record = product.model_dump(mode="json", exclude=_NO_CONTENT, exclude_defaults=True)
    return {**record, "leaflet": leaflet, "made_of": made_of, "sold": product.sale.formulary}
