"""Plans: counts of the published bases to the last parameter, memory beside what PyTorch's allocator gives out, what fits."""

from __future__ import annotations

import json
import shutil
import tomllib
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_train_run import config, talks, write_set
from torch.profiler import ProfilerActivity, profile

from medasst import cli
from medasst.disk import package_file
from medasst.errors import ConfigError, ModelError
from medasst.train import TrainConfig, plan, train
from medasst.train.launch import Precision, build
from medasst.train.planning import Micro, _largest, _micro
from medasst.train.simulation import Simulation
from medasst.train.step import Learner
from medasst.train.tokens import TokenSet
from medasst.weights import Base, architecture

MODELS = tomllib.loads(package_file("weights/architectures.toml").read_text("utf-8"))["models"]
LEARNT = {"qwen2": 20_185_088, "llama": 20_971_520, "gemma": 25_001_984, "mistral": 20_971_520}
CONFIGS = Path(__file__).parents[2] / "configs" / "bases"


@pytest.fixture(autouse=True)
def _cache(own_cache: Path) -> None: ...


def job(base: Path | str, **settings: Any) -> TrainConfig:
    return TrainConfig.model_validate({"base": str(base), "data": "nowhere", "lora": {"r": 8, "alpha": 16}, **settings})


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model["config"]["model_type"])
def test_counts_of_the_published_bases(model: dict[str, Any]) -> None:
    weights = Simulation(model["config"], job(model["ids"][0]), "bfloat16").weights
    assert (weights.parameters, weights.trainable) == (model["parameters"], LEARNT[model["config"]["model_type"]])
    assert (weights.base, weights.adapter) == (2 * weights.parameters, 4 * weights.trainable)


def test_every_job_of_a_published_base_can_be_planned_without_a_hub() -> None:
    bases = {tomllib.loads(file.read_text("utf-8"))["base"] for file in CONFIGS.glob("*/train.toml")}
    assert bases == {name for model in MODELS for name in model["ids"]}


def given_out(folder: Path, settings: TrainConfig, precision: Precision, rows: int, length: int) -> int:
    """Bytes that PyTorch's allocator has given out at the worst moment of a step of two micro-batches."""
    rng = np.random.default_rng(0)
    lengths = np.array([length - (i == 0) for i in range(2 * rows)])
    offsets = np.cumsum([0, *lengths])
    mask = np.ones(offsets[-1], np.bool_)
    mask[offsets[:-1]] = False
    names = np.array([str(i) for i in range(2 * rows)], np.bytes_)
    ids = rng.integers(3, 300, offsets[-1]).astype(np.int32)
    tokens = TokenSet(ids, mask, offsets, names, np.zeros(2 * rows, np.int32), ("shop",), ())
    learner = Learner(build(settings, Base("tiny", folder, None, ""), torch.device("cpu"), precision), settings)
    step = [list(range(rows)), list(range(rows, 2 * rows))]
    learner.step(tokens, step, 1e-4)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        learner.step(tokens, step, 1e-4)
    changes = [event.nbytes() for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
    lasting = {t.data_ptr(): t.nbytes for t in (*learner.model.parameters(), *learner.model.buffers())}
    optimizer = sum(t.nbytes for state in learner.optimizer.state.values() for t in state.values())
    return sum(lasting.values()) + optimizer + max(accumulate(changes))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("again", [False, True])
def test_memory_is_what_the_allocator_gives_out(tiny_llama: Path, precision: Precision, again: bool) -> None:
    settings = job(tiny_llama, checkpoint_activations=again, lora={"r": 8, "dropout": 0.1})
    simulation = Simulation(architecture(str(tiny_llama)), settings, precision)
    weights, footprint = simulation.weights, simulation.footprint(8, 128)
    planned = weights.base + weights.adapter + weights.gradients + weights.optimizer + footprint.bytes
    assert planned == pytest.approx(given_out(tiny_llama, settings, precision, 8, 128), rel=0.05)


def test_activations_that_are_computed_again_take_less_memory_and_more_work(tiny_llama: Path) -> None:
    shape = architecture(str(tiny_llama))
    kept, again = (
        Simulation(shape, job(tiny_llama, checkpoint_activations=on), "float32").footprint(4, 64) for on in (False, True)
    )
    assert again.activations < kept.activations / 3 and kept.flops < again.flops < 1.5 * kept.flops


def test_steps_and_tokens_are_those_of_the_run(tiny_llama: Path, tmp_path: Path) -> None:
    settings = config(tiny_llama, write_set(tmp_path / "data", talks()))
    found = plan(settings, tflops=1e-6, probe=False)
    result = train(settings, tmp_path / "out")
    assert found.work is not None and found.seconds == pytest.approx(found.flops * found.work.padded / 1e6)
    assert (found.work.steps, found.work.tokens, found.work.conversations) == (
        result.steps,
        result.tokens,
        result.conversations,
    )
    assert found.fits and found.largest is not None and found.largest > 0
    probed = plan(settings, probe=True)
    assert probed.seconds is not None and 0 < probed.seconds < 600


def test_the_plan_needs_no_weights_and_no_set(tiny_llama: Path, tmp_path: Path) -> None:
    shutil.copy(tiny_llama / "config.json", tmp_path / "config.json")
    found = plan(job(tmp_path), gpu_bytes=24 * 10**9)
    assert found.device.precision == "bfloat16" and found.work is None and "no prepared set" in found.summary()
    with pytest.raises(ConfigError, match="--probe takes steps of the prepared set"):
        plan(job(tmp_path), gpu_bytes=24 * 10**9, probe=True)


def test_what_cannot_fit_is_refused_with_what_to_change(
    tiny_llama: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "train.toml"
    file.write_text(f'base = "{tiny_llama}"\ndata = "nowhere"\nbatch_tokens = 20_000\nloss_chunk = 4096\n', "utf-8")
    assert cli.main(["plan", str(file), "--gpu", "1.2"]) == 2
    printed = capsys.readouterr()
    assert "DOESN'T FIT" in printed.out and "Traceback" not in printed.err
    assert "checkpoint_activations = true: " in printed.err and "micro_tokens = 1024: 1.0 GB fits" in printed.err
    assert cli.main(["plan", str(file), "--gpu", "1.2", "--set", "micro_tokens=1024"]) == 0
    assert cli.main(["plan", str(file), "--gpu", "0.5"]) == 2
    assert "none of these fits: take a larger device or a smaller base" in capsys.readouterr().err
    assert cli.main(["plan", str(file), "--gpu", "0"]) == 2


def test_the_largest_micro_batch_fits_and_one_conversation_more_does_not(tiny_llama: Path) -> None:
    settings = job(tiny_llama, cutoff=128, batch_tokens=40_000, loss_chunk=4096)
    largest = plan(settings, gpu_bytes=1_130_000_000).largest
    assert largest is not None and 0 < largest < 39_000 and largest % 128 == 0
    most, more = (
        plan(settings.model_copy(update={"micro_tokens": size}), gpu_bytes=1_130_000_000) for size in (largest, largest + 128)
    )
    assert most.fits and not more.fits


@pytest.mark.parametrize("usable", [0, 5, 12, 29, 30, 100, 1000])
def test_the_search_for_the_largest(usable: int) -> None:
    def need(rows: int) -> int:
        return max(5 + 2 * rows, 7 * rows)

    assert _largest(need, usable, 100) == max((rows for rows in range(1, 101) if need(rows) <= usable), default=0)


def test_micro_batches_are_as_full_as_the_schedule_may_make_them() -> None:
    assert _micro(job("x", batch_tokens=4096), 1024) == Micro(4, 1024)
    assert _micro(job("x", batch_tokens=4096, micro_tokens=1500), 1024) == Micro(1, 1500)
    assert _micro(job("x", batch_tokens=256), 1024) == Micro(1, 1024)


@pytest.mark.parametrize(
    ("content", "message"), [({"model_type": "no-such-model"}, "can't make a model"), ({}, "can't make a model")]
)
def test_a_model_that_transformers_does_not_know(tmp_path: Path, content: dict[str, str], message: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps(content), "utf-8")
    with pytest.raises(ModelError, match=message):
        plan(job(tmp_path))
