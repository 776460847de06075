"""What the pieces of our training step save on a CPU: one optimizer step of each variant over the same conversations, in turn.

    OMP_NUM_THREADS=1 python benchmarks/train_step.py [--rounds 7]

A random Qwen2 with the proportions of a 7B model (vocabulary projection 11 % of the work), LoRA r 8 on all linear layers,
conversations of 40 to 320 tokens, 1,024 tokens a step. Prints non-padding tokens per CPU-second, the ratio to ours in pairs
with its 95 % interval (Student's t), and the worst relative difference of the gradients.
"""

from __future__ import annotations

import argparse
import copy
import random
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from peft.tuners.lora import Linear as PeftLinear
from transformers import Qwen2Config, Qwen2ForCausalLM

from medasst.train import LoraSettings, TrainConfig
from medasst.train.batches import Step, schedule
from medasst.train.launch import build
from medasst.train.lora import FusedLinear
from medasst.train.step import Batch, Learner
from medasst.train.tokens import TokenSet
from medasst.weights import Base

T_95 = {4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}  # two-sided, by the number of pairs


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, choices=sorted(T_95))
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    tokens = _tokens()
    steps = schedule(tokens.lengths, batch_tokens=1024, micro_tokens=1024, epochs=1, max_tokens=None, seed=7)[:4]
    with tempfile.TemporaryDirectory() as folder:
        ours = _learner(Path(folder))
    variants = {"ours": ours, "PEFT's own layers": _unfused(ours), "padded as they come": ours}
    plans = dict.fromkeys(variants, steps) | {"padded as they come": _unsorted(steps)}
    speeds: dict[str, list[float]] = {name: [] for name in variants}
    for round_ in range(rounds + 1):
        order = list(variants)
        random.Random(round_).shuffle(order)
        for name in order:
            speeds[name].append(_speed(variants[name], tokens, plans[name]))
    for name, values in speeds.items():
        low, mean, high = _ratio(speeds["ours"][1:], values[1:])  # the first round warms up
        print(f"{name:20} {statistics.median(values[1:]):7.0f} tokens/CPU-s   ours / it {mean:.3f} ({low:.3f}-{high:.3f})")
    worst = _difference(ours, variants["PEFT's own layers"], tokens, steps[0])
    print(f"worst relative difference of a gradient: {worst:.1e}")


def _tokens() -> TokenSet:
    rng = np.random.default_rng(7)
    lengths = rng.integers(40, 320, 64)
    offsets = np.cumsum([0, *lengths])
    mask = np.ones(offsets[-1], np.bool_)
    for start, length in zip(offsets, lengths, strict=False):
        mask[start : start + length // 3] = False
    names = np.array([str(i) for i in range(len(lengths))], np.bytes_)
    ids = rng.integers(0, 4000, offsets[-1]).astype(np.int32)
    return TokenSet(ids, mask, offsets, names, np.zeros(len(lengths), np.int32), ("random",), ())


def _learner(folder: Path) -> Learner:
    torch.manual_seed(0)
    shape = {"hidden_size": 384, "intermediate_size": 1056, "num_hidden_layers": 8, "num_attention_heads": 6}
    Qwen2ForCausalLM(Qwen2Config(**shape, num_key_value_heads=2, vocab_size=4000)).save_pretrained(folder)
    config = TrainConfig(base=str(folder), data=folder, lora=LoraSettings(r=8, alpha=16))
    model = build(config, Base("random", folder, None, ""), torch.device("cpu"), "float32")
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    return Learner(model, config)


def _unfused(learner: Learner) -> Learner:
    model = copy.deepcopy(learner.model)
    for layer in model.modules():
        if type(layer) is FusedLinear:
            layer.__class__ = PeftLinear
    return Learner(model, learner.config)


def _unsorted(steps: list[Step]) -> list[Step]:
    """The same conversations in as many steps, mixed: short ones stand beside long ones."""
    places = [place for step in steps for batch in step for place in batch]
    random.Random(7).shuffle(places)
    size = -(-len(places) // len(steps))
    return [[places[i : i + size]] for i in range(0, len(places), size)]


def _speed(learner: Learner, tokens: TokenSet, steps: list[Step]) -> float:
    started = time.process_time()
    done = sum(learner.step(tokens, step, 0.0).tokens for step in steps)
    return done / (time.process_time() - started)


def _ratio(ours: list[float], theirs: list[float]) -> tuple[float, float, float]:
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    mean, half = statistics.mean(ratios), T_95[len(ratios)] * statistics.stdev(ratios) / len(ratios) ** 0.5
    return mean - half, mean, mean + half


def _difference(a: Learner, b: Learner, tokens: TokenSet, step: Step) -> float:
    pairs = zip(_gradient(a, tokens, step), _gradient(b, tokens, step), strict=True)
    return max(float((x - y).norm() / y.norm()) for x, y in pairs)


def _gradient(learner: Learner, tokens: TokenSet, step: Step) -> list[torch.Tensor]:
    learner.accumulate([Batch.of(tokens, places, learner.device) for places in step])
    found = [p.grad.clone() for p in learner.params if p.grad is not None]
    learner.optimizer.zero_grad()
    return found


if __name__ == "__main__":
    main()
