"""Cross-entropy at the answers' positions, without ever holding all logits.

With a vocabulary of 150,000 to 260,000 the logits are the largest tensors of a step. Prompts and padding need none, and
where the output embedding is frozen, as it is under LoRA, the gradient can be formed chunk by chunk in the forward pass.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class _ChunkedCrossEntropy(torch.autograd.Function):
    """Cross-entropy of softmax(hidden @ weight.T) against each target; `weight` gets no gradient."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, chunk: int) -> Tensor:
        gradient = torch.empty_like(hidden)
        losses = torch.empty(len(hidden), dtype=torch.promote_types(hidden.dtype, torch.float32), device=hidden.device)
        for start in range(0, len(hidden), chunk):
            part, target = hidden[start : start + chunk], targets[start : start + chunk]
            # Vocabulary first, (vocabulary, chunk): on a CPU this product is half again as fast as hidden @ weight.T.
            logits = (weight @ part.T).to(losses.dtype)
            picked = logits.gather(0, target[None])[0]
            top = logits.amax(0)
            logits.sub_(top).exp_()  # the softmax's numerators, in place
            norm = logits.sum(0)
            losses[start : start + chunk] = norm.log() + top - picked
            # d loss / d hidden = softmax @ W − W[target]; dividing after the product saves a pass over the logits.
            expected = (logits.T.to(weight.dtype) @ weight).to(losses.dtype).div_(norm[:, None])
            gradient[start : start + chunk] = expected.sub_(weight[target]).to(gradient.dtype)
        ctx.save_for_backward(gradient)
        return losses

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * grad_outputs[0][:, None].to(gradient.dtype), None, None, None


def answer_losses(model: Any, ids: Tensor, attention: Tensor | None, answers: Tensor, chunk: int) -> Tensor:
    """Cross-entropy of a causal language model at each token it is to learn.

    Args:
        model: a transformers causal model, with or without PEFT layers inside.
        ids: token ids, (batch, length), padded on the right.
        attention: 1 where there is a token, (batch, length); None where nothing is padded.
        answers: True at tokens to be predicted, (batch, length).
        chunk: positions whose logits exist at one time.

    Returns:
        In nats, (answer tokens,), row after row; float32, or the model's precision where that is finer.
    """
    body = getattr(model, model.base_model_prefix)
    hidden = body(input_ids=ids, attention_mask=attention, use_cache=False).last_hidden_state
    learnt = answers[:, 1:]
    return losses_at(model, hidden[:, :-1][learnt], ids[:, 1:][learnt], chunk)


def losses_at(model: Any, hidden: Tensor, targets: Tensor, chunk: int) -> Tensor:
    """The same where the positions are picked already: last hidden states (answer tokens, width), the tokens after them."""
    head = model.get_output_embeddings()
    softcap = getattr(model.config, "final_logit_softcapping", None)
    if type(head) is nn.Linear and head.bias is None and not head.weight.requires_grad and not softcap:
        losses: Tensor = _ChunkedCrossEntropy.apply(hidden, head.weight, targets, chunk)
        return losses
    # An adapted or capped head: autograd does it, at the answers' positions alone.
    logits = head(hidden)
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    if softcap:
        logits = softcap * torch.tanh(logits / softcap)
    return nn.functional.cross_entropy(logits, targets, reduction="none")
