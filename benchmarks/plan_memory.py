"""How near `medasst plan` comes to the memory that training takes: the planned bytes beside the peak of a real step.

    OMP_NUM_THREADS=2 python benchmarks/plan_memory.py [--embedded]

Tiny random models of four architectures, or the embedded base of half a billion parameters (some 6 GB free), each case in a
process of its own: a step of two micro-batches for the resident set's peak (Linux' VmHWM, less what the process held before
the model), another one under PyTorch's profiler for the peak of what its allocator handed out. The second is what
`torch.cuda.max_memory_allocated` tells of a GPU; the first has what the C library's heap keeps besides.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile
from transformers import AutoConfig, AutoModelForCausalLM

from medasst.train import TrainConfig
from medasst.train.launch import Precision, build
from medasst.train.simulation import Simulation
from medasst.train.step import Learner
from medasst.train.tokens import TokenSet
from medasst.weights import Base, architecture, find_base

_SIZES = {"hidden_size": 512, "intermediate_size": 1408, "num_hidden_layers": 4, "num_attention_heads": 8}
_TINY: dict[str, dict[str, Any]] = {
    "qwen2": {"num_key_value_heads": 2, "vocab_size": 60_000},
    "llama": {"num_key_value_heads": 4, "vocab_size": 30_000},
    "gemma": {"num_key_value_heads": 8, "head_dim": 64, "vocab_size": 60_000},
    "mistral": {"num_key_value_heads": 2, "vocab_size": 32_000, "sliding_window": 4096},
}
_WAYS = [("float32", False), ("float32", True), ("bfloat16", False), ("bfloat16", True)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--embedded", action="store_true")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(_case(**json.loads(arguments.case))))
        return
    print("| model | precision | activations | micro-batch | planned, GB | allocated | planned / allocated | resident |")
    print("|---|---|---|---|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        cases = [("embedded, 0.5 billion", "embedded", 2, 256)]
        if not arguments.embedded:
            cases = [(name, _save(name, Path(folder) / name), 4, 256) for name in _TINY]
        for name, base, rows, length in cases:
            for precision, again in _WAYS[: 2 if arguments.embedded else 4]:
                case = {"base": base, "precision": precision, "again": again, "rows": rows, "length": length}
                call = [sys.executable, "-W", "ignore", __file__, "--case", json.dumps(case)]
                done = subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True)
                planned, allocated, resident = json.loads(done.stdout.splitlines()[-1])
                kept = "computed again" if again else "kept"
                print(
                    f"| {name} | {precision} | {kept} | {rows} × {length} | {planned / 1e9:.3f} "
                    f"| {allocated / 1e9:.3f} | {planned / allocated:.3f} | {resident / 1e9:.3f} |",
                    flush=True,
                )


def _save(kind: str, folder: Path) -> str:
    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, **{**_SIZES, **_TINY[kind]})
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return str(folder)


def _case(base: str, precision: Precision, again: bool, rows: int, length: int) -> tuple[int, int, int]:
    """Bytes planned, allocated at most, resident at most."""
    config = TrainConfig.model_validate(
        {"base": base, "data": ".", "lora": {"r": 8, "alpha": 16}, "checkpoint_activations": again, "precision": precision}
    )
    tokens, step = _tokens(rows * 2, length), [list(range(rows)), list(range(rows, 2 * rows))]
    found = Base("tiny", Path(base), None, "") if Path(base).is_dir() else find_base(base)
    before = _resident("VmRSS")
    learner = Learner(build(config, found, torch.device("cpu"), precision), config)
    Path("/proc/self/clear_refs").write_text("5", "ascii")  # the peak starts anew: loading is another matter
    learner.step(tokens, step, 1e-4)
    resident = _resident("VmHWM") - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        learner.step(tokens, step, 1e-4)
    changes = [e.nbytes() for e in profiler.profiler.kineto_results.events() if e.name() == "[memory]"]
    model = {t.data_ptr(): t.nbytes for t in (*learner.model.parameters(), *learner.model.buffers())}
    optimizer = sum(t.nbytes for state in learner.optimizer.state.values() for t in state.values())
    allocated = sum(model.values()) + optimizer + max(accumulate(changes))
    simulation = Simulation(architecture(base), config, precision)
    weights, footprint = simulation.weights, simulation.footprint(rows, length)
    planned = weights.base + weights.adapter + weights.gradients + weights.optimizer + footprint.bytes
    return planned, allocated, resident


def _tokens(conversations: int, length: int) -> TokenSet:
    """Random conversations, all learnt but for the first token; one a little shorter, so that something is padded."""
    rng = np.random.default_rng(0)
    lengths = np.array([length - (i == 0) for i in range(conversations)])
    offsets = np.cumsum([0, *lengths])
    mask = np.ones(offsets[-1], np.bool_)
    mask[offsets[:-1]] = False
    names = np.array([str(i) for i in range(conversations)], np.bytes_)
    source = np.zeros(conversations, np.int32)
    return TokenSet(rng.integers(0, 20_000, offsets[-1]).astype(np.int32), mask, offsets, names, source, ("random",), ())


def _resident(name: str) -> int:
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(name + ":")).split()[1])


if __name__ == "__main__":
    main()
