"""Gemma 3, text alone."""

from medasst.weights.families.family import Family

GEMMA3 = Family(
    "gemma3_text",
    "gemma3",
    turn_ends=("<end_of_turn>",),
    norms=("input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm"),
    attention=("q_proj", "k_proj", "v_proj", "o_proj", "q_norm", "k_norm"),
    norms_from_one=True,
    sliding_window=True,
)
