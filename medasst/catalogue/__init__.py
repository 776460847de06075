"""The shop's products: records, how they may be sold, search. `medasst.intake` makes a catalogue of a shop's own file."""

from medasst.catalogue.catalogue import Catalogue
from medasst.catalogue.products import SECTIONS, Codes, Label, Match, Product, Sale, Section, Why

__all__ = ["SECTIONS", "Catalogue", "Codes", "Label", "Match", "Product", "Sale", "Section", "Why"]
