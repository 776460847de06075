"""What the answers-only chunked cross-entropy saves over transformers' own `labels=` path: one training step of each, in turn.

    python benchmarks/answer_loss.py [--base embedded] [--rounds 5]

Prints the ratio of CPU seconds (own path = 1) and the worst relative difference of the gradients.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor
from transformers import AutoModelForCausalLM

from medasst.train.loss import answer_losses
from medasst.weights import find_base


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", default="embedded")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--length", type=int, default=192)
    parser.add_argument("--answers", type=float, default=0.5, help="share of the tokens that are learnt")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(find_base(arguments.base).folder, dtype=torch.float32)
    model = get_peft_model(model, LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"))
    params = [p for p in model.parameters() if p.requires_grad]
    for parameter in params:
        torch.nn.init.normal_(parameter, std=0.01)
    ids = torch.randint(100, 20_000, (arguments.batch, arguments.length))
    answers = torch.zeros_like(ids, dtype=torch.bool)
    answers[:, -round(arguments.length * arguments.answers) :] = True

    def ours() -> Tensor:
        return answer_losses(model.get_base_model(), ids, None, answers, 256).mean()

    def plain() -> Tensor:
        loss: Tensor = model(input_ids=ids, labels=ids.masked_fill(~answers, -100)).loss
        return loss

    seconds: dict[str, list[float]] = {"answers only, chunked": [], "labels=": []}
    gradients: dict[str, tuple[Tensor, ...]] = {}
    for _ in range(arguments.rounds + 1):
        for name, step in (("answers only, chunked", ours), ("labels=", plain)):
            seconds[name].append(_timed(step, params, gradients, name))
    figures = {name: values[1:] for name, values in seconds.items()}  # the first round warms up
    reference = statistics.median(figures["answers only, chunked"])
    for name, values in figures.items():
        median = statistics.median(values)
        print(f"{name:24} {median:7.2f} CPU-s  ({min(values):.2f}-{max(values):.2f})  ratio {median / reference:.2f}")
    first, second = gradients.values()
    worst = max(float((a - b).norm() / b.norm()) for a, b in zip(first, second, strict=True))
    print(f"worst relative gradient difference {worst:.1e}")


def _timed(step: Callable[[], Tensor], params: list[Tensor], gradients: dict[str, tuple[Tensor, ...]], name: str) -> float:
    started = time.process_time()
    gradients[name] = torch.autograd.grad(step(), params)
    return time.process_time() - started


if __name__ == "__main__":
    main()
