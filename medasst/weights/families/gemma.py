"""Gemma 1."""

from medasst.weights.families.family import Family

GEMMA = Family("gemma", "gemma", turn_ends=("<end_of_turn>",), norms_from_one=True)
