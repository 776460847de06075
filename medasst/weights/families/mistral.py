"""Mistral 7B. llama.cpp has it as a Llama and reads no sliding window there: v0.1 differs beyond its 4,096 tokens."""

from medasst.weights.families.family import Family

MISTRAL = Family("mistral", "llama", turn_ends=("</s>",), neighbours_rotate=True)
