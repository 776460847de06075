"""What is known of one family of models."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """One of the architectures that llama.cpp files can be made for.

    Attributes:
        model_type: Hugging Face's name, in `config.json`.
        architecture: GGUF's.
        turn_ends: tokens that end a turn in its chat templates.
        norms: inside a layer.
        attention: projections and norms of a layer's attention.
        biases: of which of them.
        neighbours_rotate: llama.cpp rotates neighbouring rows of a head of q and k, transformers those half a head apart.
        norms_from_one: transformers keeps a norm's distance from 1, llama.cpp the factor.
        sliding_window: whether llama.cpp wants to know of it.
    """

    model_type: str
    architecture: str
    turn_ends: tuple[str, ...]
    norms: tuple[str, ...] = ("input_layernorm", "post_attention_layernorm")
    attention: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj")
    biases: tuple[str, ...] = ()
    neighbours_rotate: bool = False
    norms_from_one: bool = False
    sliding_window: bool = False

    def tensors(self, layers: int) -> list[str]:
        """Hugging Face's names of all tensors of an unmodified model; the output head is among them though often tied."""
        attention = [f"self_attn.{part}" for part in self.attention]
        inside = [f"{n}.weight" for n in (*self.norms, *attention, *(f"mlp.{part}_proj" for part in ("gate", "up", "down")))]
        inside += [f"self_attn.{part}.bias" for part in self.biases]
        outside = [f"{name}.weight" for name in ("model.embed_tokens", "model.norm", "lm_head")]
        return [*outside, *(f"model.layers.{i}.{name}" for i in range(layers) for name in inside)]
