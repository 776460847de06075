"""A shop's own product file → rows checked one by one → a catalogue, with a report that the shop can read.

It stands apart from the catalogue so that what serves needs none of the readers of files.
"""

from medasst.intake.importer import Intake, bring_in
from medasst.intake.mapping import CatalogueMapping

__all__ = ["CatalogueMapping", "Intake", "bring_in"]
