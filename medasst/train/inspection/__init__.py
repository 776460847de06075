"""A prepared set as a model would see it: what is learnt, what is too long, what is dropped and why. No weights are read."""

from medasst.train.inspection.page import write_page
from medasst.train.inspection.remarks import Remark
from medasst.train.inspection.result import Inspection, Lengths, Shown, Source, Split
from medasst.train.inspection.sequences import Piece
from medasst.train.inspection.survey import find_shown, inspect

__all__ = [
    "Inspection",
    "Lengths",
    "Piece",
    "Remark",
    "Shown",
    "Source",
    "Split",
    "find_shown",
    "inspect",
    "visible",
    "write_page",
]
