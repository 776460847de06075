"""What is true of medicines, whoever sells them: what they are made of, what doesn't go together, for whom not, how much."""

from medasst.formulary.contents import Contents, Substance
from medasst.formulary.formulary import Formulary, Interaction

__all__ = ["Contents", "Formulary", "Interaction", "Substance"]
