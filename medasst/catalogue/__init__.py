"""The shop's products: records, leaflets, search."""

from medasst.catalogue.products import SECTIONS, Catalogue, Match, Product, Section

__all__ = ["SECTIONS", "Catalogue", "Match", "Product", "Section"]
