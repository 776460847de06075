"""A LoRA layer whose forward and backward pass are one step: the same numbers as PEFT's own, less time and memory.

PEFT computes `base(x) + lora_B(lora_A(x)) * scale` in five operations, each with a tensor of its own as large as the result,
and keeps `x` a second time where the adapter's precision is another than the base's. Here the update is added in place by the
matrix product itself, forward and backward; kept for the backward pass are `x` as it came and the (tokens, r) middle.

The adapter stays in float32, whatever the base's precision: in bfloat16 the steps of the optimizer would be rounded away.
"""

from __future__ import annotations

from typing import Any

import torch
from peft.tuners.lora import Linear as PeftLinear
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class _LoraProduct(torch.autograd.Function):
    """x @ weight.T + bias + scale · (dropped @ a.T) @ b.T; `weight` and `bias` are frozen, they get no gradient."""

    @staticmethod
    def forward(  # noqa: PLR0917  (torch hands them on by place)
        ctx: Any, x: Tensor, dropped: Tensor, weight: Tensor, bias: Tensor | None, a: Tensor, b: Tensor, scale: float
    ) -> Tensor:
        middle = _rows(dropped) @ a.to(x.dtype).T
        out = nn.functional.linear(_rows(x), weight, bias).addmm_(middle, b.to(x.dtype).T, alpha=scale)
        ctx.save_for_backward(dropped, middle, weight, a, b)
        ctx.same, ctx.scale, ctx.shape = x is dropped, scale, x.shape
        return out.view(*x.shape[:-1], -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None, Tensor, Tensor, None]:
        dropped, middle, weight, a, b = ctx.saved_tensors
        out = _rows(gradient)
        inner = (out @ b.to(out.dtype)).mul_(ctx.scale)  # d loss / d middle
        for_b = (out.T @ middle).mul_(ctx.scale).to(b.dtype)
        for_a = (inner.T @ _rows(dropped)).to(a.dtype)
        for_x = for_dropped = None
        if ctx.needs_input_grad[0]:
            for_x = out @ weight
            if ctx.same:
                for_x.addmm_(inner, a.to(out.dtype))
            else:
                for_dropped = (inner @ a.to(out.dtype)).view(ctx.shape)
            for_x = for_x.view(ctx.shape)
        return for_x, for_dropped, None, None, for_a, for_b, None


def _rows(x: Tensor) -> Tensor:
    return x.reshape(-1, x.shape[-1])


class FusedLinear(PeftLinear):  # type: ignore[misc]
    """PEFT's LoRA layer over a linear one, with the forward pass above while its one adapter is being learnt."""

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """As PEFT's own, (…, in) → (…, out)."""
        if self.disable_adapters or self.merged or not torch.is_grad_enabled() or args or kwargs:
            out: Tensor = super().forward(x, *args, **kwargs)
            return out
        (name,) = self.active_adapters
        base, dropped = self.base_layer, self.lora_dropout[name](x)
        a, b = self.lora_A[name].weight, self.lora_B[name].weight
        fused: Tensor = _LoraProduct.apply(  # type: ignore[no-untyped-call]
            x, dropped, base.weight, base.bias, a, b, self.scaling[name]
        )
        return fused


def fuse(model: nn.Module) -> int:
    """Give a PEFT model's plain LoRA layers over frozen linear layers this forward pass; how many there were.

    Others (over embeddings, with variants such as DoRA) keep PEFT's own.
    """
    layers = [layer for layer in model.modules() if type(layer) is PeftLinear and _is_plain(layer)]
    for layer in layers:
        layer.__class__ = FusedLinear  # the layer, its parameters and their names stay as they are
    return len(layers)


def _is_plain(layer: Any) -> bool:
    base = layer.base_layer
    frozen = not any(parameter.requires_grad for parameter in base.parameters())
    return type(base) is nn.Linear and frozen and not layer.lora_variant and not any(layer.lora_bias.values())
