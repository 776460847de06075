"""Families of models, a file each: tensors, how llama.cpp names and stores them, ends of turn.

Whether a system turn is taken isn't among these facts: it is the template's doing (Mistral's of 2023 refuses one, today's takes
one), and `medasst.render` finds it out by trying.
"""

from __future__ import annotations

from medasst.errors import ModelError
from medasst.weights.families.family import Family
from medasst.weights.families.gemma import GEMMA
from medasst.weights.families.gemma3 import GEMMA3
from medasst.weights.families.llama import LLAMA
from medasst.weights.families.mistral import MISTRAL
from medasst.weights.families.qwen2 import QWEN2

__all__ = ["FAMILIES", "Family", "family_of"]

FAMILIES = {family.model_type: family for family in (GEMMA, GEMMA3, LLAMA, MISTRAL, QWEN2)}


def family_of(model_type: str) -> Family:
    """The family of a model by its `config.json`'s model_type. Raises ModelError for one that isn't known here."""
    if model_type not in FAMILIES:
        raise ModelError(
            f"llama.cpp files can't be made for models of type {model_type!r}, only for {', '.join(sorted(FAMILIES))}; "
            'use engine = "transformers"'
        )
    return FAMILIES[model_type]
