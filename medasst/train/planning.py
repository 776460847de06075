"""What a run will take, before a byte of weights is loaded: parameters, memory by part, steps, tokens, work, time.

1 GB is 10⁹ bytes. What a step takes is simulated (`simulation.py`); what surrounds it is added as stated in `_RESERVE`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from medasst.errors import ConfigError, ModelError
from medasst.progress import Progress
from medasst.render import Renderer
from medasst.train.batches import Schedule
from medasst.train.config import TrainConfig
from medasst.train.key import manifest_sha256
from medasst.train.launch import Precision, build, find_device, find_precision
from medasst.train.loop import all_steps, split_tokens
from medasst.train.simulation import Footprint, Simulation, Weights
from medasst.train.step import Learner
from medasst.train.tokens import TokenSet
from medasst.weights import Base, architecture, find_base, tokenizer_folder

GB = 1e9
# What isn't tensors. CPU: Python and PyTorch, and of all tensors the share that the C library's heap keeps besides (fitted to
# benchmarks/plan_memory.py). GPU: an assumption for CUDA's context and the libraries' work space; of a GPU a twentieth more is
# left for what the allocator can't hand out.
_RESERVE = {"cpu": 0.5e9, "cuda": 1.0e9}
_HEAP = {"cpu": 0.2, "cuda": 0.0}
_USABLE = {"cpu": 1.0, "cuda": 0.95}
_PROBE_SECONDS, _PROBE_STEPS = 20.0, 10
_SHORTER = 512  # tokens of a conversation that are tried where the cutoff's don't fit


@dataclass(frozen=True)
class Device:
    """Where a run is to take place.

    Attributes:
        kind: "cpu" or "cuda".
        memory: its bytes; None where they aren't known.
    """

    kind: str
    memory: int | None
    precision: Precision


@dataclass(frozen=True)
class Micro:
    """The largest micro-batch of a run: conversations side by side, tokens of each."""

    rows: int
    length: int


@dataclass(frozen=True)
class Need:
    """Memory of one setting: what lasts, and what the largest micro-batch takes beside it, on a kind of device."""

    micro: Micro
    weights: Weights
    footprint: Footprint
    kind: str

    def parts(self) -> dict[str, int]:
        """Bytes by what takes them."""
        w, f = self.weights, self.footprint
        tensors = {"weights": w.base, "adapter": w.adapter, "gradients": w.gradients, "optimizer": w.optimizer}
        tensors |= {"activations": f.activations, "logits and loss": f.loss, "other moments of it": f.passing}
        return tensors | {"around it": int(_RESERVE[self.kind] + _HEAP[self.kind] * sum(tensors.values()))}

    @property
    def bytes(self) -> int:
        """All of it."""
        return sum(self.parts().values())


@dataclass(frozen=True)
class Work:
    """What the prepared set makes of the settings, all epochs together; `padded` counts padding too."""

    conversations: int
    dropped: int
    steps: int
    tokens: int
    padded: int


@dataclass(frozen=True)
class Plan:
    """What `medasst plan` tells.

    Attributes:
        need: with the job's settings.
        other: with activations kept if the job computes them again, and the other way round.
        largest: the largest `micro_tokens` up to a whole step's that fits with the job's other settings, in whole
            conversations; 0: none does; None: memory unknown.
        ways: settings to change, and what would be needed then; only where the job doesn't fit.
        work: None where `without` says why.
        flops: floating-point operations of a token, padding too, at the largest micro-batch's length.
        seconds: of the steps alone; None without a probe or a rate.
    """

    base: str
    device: Device
    need: Need
    other: Need
    largest: int | None
    ways: tuple[tuple[str, int], ...]
    work: Work | None
    without: str
    flops: float
    seconds: float | None

    @property
    def fits(self) -> bool:
        """Whether the job fits; True where the memory isn't known."""
        return _fits(self.need, self.device)

    def check(self) -> None:
        """Raises ConfigError, naming the knobs, where the job can't fit."""
        if self.fits:
            return
        usable = _usable(self.device)
        ways = "".join(f"\n  {way}: {size / GB:.1f} GB" + (" fits" if size <= usable else "") for way, size in self.ways)
        if not any(size <= usable for _, size in self.ways):
            ways += "\n  none of these fits: take a larger device or a smaller base"
        raise ConfigError(
            f"{self.base} needs {self.need.bytes / GB:.1f} GB where {usable / GB:.1f} GB can be used; change settings:{ways}"
        )

    def summary(self) -> str:
        """The plan as lines of text."""
        return "\n".join(f"{name:<24} {value}" for name, value in self._rows())

    def _rows(self) -> Iterator[tuple[str, str]]:
        weights, micro = self.need.weights, self.need.micro
        share = weights.trainable / (weights.parameters + weights.trainable)
        yield "base", f"{self.base}, {weights.parameters:,} parameters"
        yield "learnt", f"{weights.trainable:,} parameters ({share:.3%})"
        yield "largest micro-batch", f"{micro.rows} × {micro.length} tokens, {self.device.precision}"
        for name, size in self.need.parts().items():
            yield f"  {name}", f"{size / GB:8.3f} GB"
        yield "memory", f"{self.need.bytes / GB:8.3f} GB" + ("" if self.fits else "  DOESN'T FIT")
        if self.device.memory is not None:
            yield "  of it usable", f"{_usable(self.device) / GB:8.3f} GB of {self.device.memory / GB:.1f} ({self.device.kind})"
        again = "kept" if self.other.footprint.activations > self.need.footprint.activations else "computed again"
        yield f"  activations {again}", f"{self.other.bytes / GB:8.3f} GB"
        if self.largest is not None:
            yield "largest micro_tokens", f"{self.largest:,}" if self.largest else "none fits"
        yield "work", f"{self.flops / 1e9:.1f} GFLOP a token"
        if self.work is None:
            yield "steps", self.without
            return
        work = self.work
        yield "conversations", f"{work.conversations:,}" + (f", {work.dropped:,} dropped" if work.dropped else "")
        yield "steps", f"{work.steps:,}"
        yield "tokens", f"{work.tokens:,} ({1 - work.tokens / work.padded:.1%} padding besides)"
        yield "work in all", f"{self.flops * work.padded / 1e15:,.1f} PFLOP"
        yield "time", "--probe measures it here, --tflops reckons it" if self.seconds is None else _duration(self.seconds)


def make_plan(config: TrainConfig, *, gpu_bytes: int | None, tflops: float | None, probe: bool, progress: Progress) -> Plan:
    """See `medasst.train.plan`."""
    device = _device(config, gpu_bytes)
    shape = architecture(config.base, progress)
    todo, without = _work(config, progress)
    longest = config.cutoff if todo is None else int(todo[0].lengths.max())
    micro = _micro(config, longest)
    progress("simulating a step", 0)
    simulation = Simulation(shape, config, device.precision)
    need = _need(simulation, micro, device)
    turned = _changed(config, checkpoint_activations=not config.checkpoint_activations)
    other = _need(Simulation(shape, turned, device.precision), micro, device)
    largest = None
    if device.memory is not None:
        most = max(1, config.batch_tokens // longest)
        rows = _largest(lambda rows: _need(simulation, Micro(rows, longest), device).bytes, _usable(device), most)
        largest = rows * longest
    ways = () if _fits(need, device) else tuple(_ways(shape, config, micro, other, device))
    flops = need.footprint.flops / (micro.rows * micro.length)
    work = None if todo is None else _count(*todo)
    seconds = None if work is None or tflops is None else flops * work.padded / (tflops * 1e12)
    if probe:
        if todo is None or work is None:
            raise ConfigError(f"--probe takes steps of the prepared set: {without}")
        seconds = work.padded / _speed(config, find_base(config.base, progress), *todo, progress)
    return Plan(config.base, device, need, other, largest, ways, work, without, flops, seconds)


def _device(config: TrainConfig, gpu_bytes: int | None) -> Device:
    if gpu_bytes is not None:
        return Device("cuda", gpu_bytes, "bfloat16" if config.precision == "auto" else config.precision)
    device = find_device(config)
    precision = find_precision(config, device)
    if device.type == "cuda":
        return Device("cuda", torch.cuda.get_device_properties(device).total_memory, precision)
    return Device("cpu", _available(), precision)


def _available() -> int | None:
    """Bytes of memory that a program can still take; None where the system doesn't tell."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")), None)


def _work(config: TrainConfig, progress: Progress) -> tuple[tuple[TokenSet, Schedule] | None, str]:
    """The run's tokens and steps, or why they can't be told."""
    if not (config.data / "manifest.json").is_file():
        return None, f"not known: no prepared set in {config.data}"
    try:
        renderer = Renderer.from_folder(tokenizer_folder(config.base, progress), config.template)
    except ModelError as error:
        return None, f"not known: the base's tokenizer can't be had ({error})"
    progress("tokenising", 0)
    tokens = split_tokens(config, "train", manifest_sha256(config.data), renderer, progress)
    return (tokens, all_steps(config, tokens)), ""


def _count(tokens: TokenSet, steps: Schedule) -> Work:
    longest = tokens.lengths[steps.places[steps.batches[1:] - 1]]  # micro-batches are sorted by length
    return Work(
        conversations=len(tokens),
        dropped=sum(dropped.count for dropped in tokens.dropped),
        steps=len(steps),
        tokens=steps.tokens,
        padded=int((longest * np.diff(steps.batches)).sum()),
    )


def _micro(config: TrainConfig, longest: int) -> Micro:
    """As many of the longest as fit; where they leave a rest, shorter ones may fill it."""
    size = min(config.micro_tokens or config.batch_tokens, config.batch_tokens)
    rows = max(1, size // longest)
    return Micro(rows, max(longest, size // rows))


def _need(simulation: Simulation, micro: Micro, device: Device) -> Need:
    footprint = simulation.footprint(micro.rows, micro.length)
    return Need(micro, simulation.weights, footprint, device.kind)


def _usable(device: Device) -> float:
    return float("inf") if device.memory is None else device.memory * _USABLE[device.kind]


def _fits(need: Need, device: Device) -> bool:
    return need.bytes <= _usable(device)


def _largest(need: Callable[[int], int], usable: float, most: int) -> int:
    """The largest number of rows up to `most` whose need can be met, or 0. Needs grow about evenly, so each try is where a
    line through the last two would end."""
    known = {rows: need(rows) for rows in {1, most}}
    if known[1] > usable:
        return 0
    low, high = (most, most + 1) if known[most] <= usable else (1, most)
    while high - low > 1:
        slope = (known[high] - known[low]) / (high - low)
        guess = min(max(int(low + (usable - known[low]) / slope), low + 1), high - 1)
        known[guess] = need(guess)
        low, high = (guess, high) if known[guess] <= usable else (low, guess)
    return low


def _ways(
    shape: Mapping[str, Any], config: TrainConfig, micro: Micro, other: Need, device: Device
) -> Iterator[tuple[str, int]]:
    """Settings that need less, from the one that costs least on."""
    one = Micro(1, min(micro.length, config.cutoff))
    again = _changed(config, checkpoint_activations=True)
    if not config.checkpoint_activations:
        yield "checkpoint_activations = true", other.bytes
    if micro.rows > 1:
        yield f"micro_tokens = {one.length}", _need(Simulation(shape, config, device.precision), one, device).bytes
    sparing = Simulation(shape, again, device.precision)
    if micro.rows > 1 and not config.checkpoint_activations:
        yield f"both (micro_tokens = {one.length})", _need(sparing, one, device).bytes
    short = Micro(1, min(one.length, _SHORTER))
    if short != one:
        yield f"all of these and cutoff = {short.length}", _need(sparing, short, device).bytes
    if device.precision == "float32":
        halved = _need(Simulation(shape, again, "bfloat16"), short, device).bytes
        yield 'all of these and precision = "bfloat16"', halved


def _changed(config: TrainConfig, **changes: Any) -> TrainConfig:
    return config.model_copy(update=changes)


def _speed(config: TrainConfig, base: Base, tokens: TokenSet, steps: Schedule, progress: Progress) -> float:
    """Tokens a second, padding too, over some seconds of the run's own steps; nothing is learnt and nothing kept."""
    device = find_device(config)
    learner = Learner(build(config, base, device, find_precision(config, device)), config)
    padded, spent = 0, 0.0
    for done, step in enumerate(islice(steps, _PROBE_STEPS + 1)):
        progress("probing", done, _PROBE_STEPS + 1)
        started = time.perf_counter()
        result = learner.step(tokens, step, rate=0.0)
        if done or len(steps) == 1:  # the first warms up
            padded, spent = padded + result.padded, spent + time.perf_counter() - started
        if spent > _PROBE_SECONDS:
            break
    return padded / spent


def _duration(seconds: float) -> str:
    if seconds < 5400:
        return f"{seconds / 60:.1f} minutes for the steps alone"
    return f"{seconds / 3600:.1f} hours for the steps alone"
