"""Llama 2 and 3, and what is built like them, such as SmolLM2."""

from medasst.weights.families.family import Family

LLAMA = Family("llama", "llama", turn_ends=("<|eot_id|>", "<|im_end|>"), neighbours_rotate=True)
