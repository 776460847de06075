"""Qwen2 and Qwen2.5."""

from medasst.weights.families.family import Family

QWEN2 = Family("qwen2", "qwen2", turn_ends=("<|im_end|>",), biases=("q_proj", "k_proj", "v_proj"))
