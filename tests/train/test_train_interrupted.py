"""Runs that are killed, whose files tear, whose disk is full, whose settings change meanwhile. On a tiny random Llama."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from test_train_run import config, talks, write_set

from medasst import disk
from medasst.errors import ConfigError, DataError, ModelError, Stopped
from medasst.progress import Progress
from medasst.train import LoraSettings, TrainConfig, train
from medasst.train.checkpoints import Checkpoints
from medasst.train.loop import TrainResult
from medasst.train.report import Answer


class Killed(BaseException):
    """Ends a run wherever it is; nothing of ours catches it."""


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDASST_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def settings(tiny_llama: Path, tmp_path: Path) -> TrainConfig:
    data = write_set(tmp_path / "data", talks(), talks(2))
    lora = LoraSettings(r=4, dropout=0.1)
    return config(
        tiny_llama, data, lora=lora, epochs=2, batch_tokens=400, micro_tokens=200, validate_every=2, learning_rate=2e-3
    )


def killed_after(step: int) -> Progress:
    """Kills at the moment that a step is told: it is logged, and not saved yet."""
    seen = 0

    def progress(stage: str, done: float, total: float | None = None, **facts: float) -> None:
        nonlocal seen
        seen += stage == "training"
        if seen == step:
            raise Killed

    return progress


def outcome(run: TrainResult) -> tuple[object, ...]:
    """What has to be the same, bit for bit."""
    weights = {name: value.tolist() for name, value in load_file(run.adapter / "adapter_model.safetensors").items()}
    return run.steps, run.kept_step, run.tokens, run.answer_tokens, run.loss, run.validation_loss, weights


def curve(out: Path) -> list[tuple[object, ...]]:
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text("utf-8").splitlines()]
    return [(row["step"], row.get("loss"), row.get("norm"), row.get("validation_loss")) for row in rows]


def test_killed_at_any_step_a_run_ends_as_if_nothing_had_happened(settings: TrainConfig, tmp_path: Path) -> None:
    whole = train(settings, tmp_path / "whole")
    assert whole.steps >= 7
    for step in range(1, whole.steps + 1):
        out = tmp_path / f"killed-{step}"
        with pytest.raises(Killed):
            train(settings, out, progress=killed_after(step))
        again = train(settings, out)
        assert outcome(again) == outcome(whole) and curve(out) == curve(tmp_path / "whole")


def test_killed_by_the_system(settings: TrainConfig, tmp_path: Path) -> None:
    whole = train(settings, tmp_path / "whole")
    code = (
        "import json, os, signal, sys\nfrom pathlib import Path\nfrom medasst.train import TrainConfig, train\n"
        "def progress(stage, done, total=None, **facts):\n"
        "    if stage == 'training' and os.path.getsize(sys.argv[2] + '/metrics.jsonl') > int(sys.argv[3]):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "train(TrainConfig.model_validate_json(sys.argv[1]), Path(sys.argv[2]), progress=progress)\n"
    )
    command = [sys.executable, "-c", code, settings.model_dump_json(), str(tmp_path / "parts"), "900"]
    assert subprocess.run(command, check=False, capture_output=True).returncode == -signal.SIGKILL
    assert outcome(train(settings, tmp_path / "parts")) == outcome(whole)


def test_sigterm_is_as_ctrl_c(settings: TrainConfig, tmp_path: Path) -> None:
    def terminate(stage: str, done: float, total: float | None = None, **facts: float) -> None:
        if stage == "training":
            signal.raise_signal(signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Stopped, match=r"step 1 of .*it is saved"):
        train(settings, tmp_path / "run", progress=terminate)
    assert signal.getsignal(signal.SIGTERM) == before
    assert len(list((tmp_path / "run/checkpoints").glob("*.pt"))) == 1


def test_two_checkpoints_and_a_torn_one_is_passed_over(settings: TrainConfig, tmp_path: Path) -> None:
    whole, out = train(settings, tmp_path / "whole"), tmp_path / "run"
    with pytest.raises(Killed):
        train(settings, out, progress=killed_after(5))
    older, newer = sorted((out / "checkpoints").iterdir())
    assert [path.name[:12] for path in (older, newer)] == ["step-0000002", "step-0000004"]
    newer.write_bytes(newer.read_bytes()[:-1000])
    with pytest.warns(UserWarning, match=rf"{newer.name}: torn"):
        assert outcome(train(settings, out)) == outcome(whole)


@pytest.mark.parametrize(
    "harm", [lambda content: content[:9], lambda content: content[:-40] + b"?" + content[-39:], lambda _: b""]
)
def test_no_whole_checkpoint_is_told(settings: TrainConfig, tmp_path: Path, harm: Callable[[bytes], bytes]) -> None:
    with pytest.raises(Killed):
        train(settings, tmp_path / "run", progress=killed_after(5))
    for path in (tmp_path / "run/checkpoints").iterdir():
        path.write_bytes(harm(path.read_bytes()))
    with pytest.warns(UserWarning, match="torn"), pytest.raises(DataError, match="no checkpoint here is whole; delete"):
        train(settings, tmp_path / "run")


def test_a_full_disk_leaves_the_checkpoint_before(
    settings: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, written = train(settings, tmp_path / "whole"), os.fsync
    synced = 0

    def full(file: int) -> None:
        nonlocal synced
        synced += 1
        if synced > 2:  # the first checkpoint's file and folder came through
            raise OSError(errno.ENOSPC, "No space left on device")
        written(file)

    monkeypatch.setattr(disk.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        train(settings, tmp_path / "run")
    assert [path.name[:12] for path in (tmp_path / "run/checkpoints").iterdir()] == ["step-0000002"]
    monkeypatch.setattr(disk.os, "fsync", written)
    assert outcome(train(settings, tmp_path / "run")) == outcome(whole)


def test_checkpoints_hold_every_device_and_drop_what_a_kill_left(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.newest() is None
    for step in (1, 2, 3, 3):
        checkpoints.save(step, {"step": step, "values": torch.ones(4)})
    (tmp_path / ".step-0000009.pt.unfinished").write_bytes(b"torn")
    checkpoints.save(4, {"step": 4})
    assert sorted(path.name[:12] for path in tmp_path.iterdir()) == ["step-0000003", "step-0000004"]
    assert checkpoints.newest() == {"step": 4}


@pytest.fixture
def unfinished(settings: TrainConfig, tmp_path: Path) -> Path:
    with pytest.raises(Killed):
        train(settings, tmp_path / "run", progress=killed_after(3))
    return tmp_path / "run"


def test_other_settings_are_named(settings: TrainConfig, unfinished: Path) -> None:
    changes = {"learning_rate": 1e-3, "seed": 8, "micro_tokens": 100, "precision": "bfloat16"}
    with pytest.raises(ConfigError) as caught:
        train(settings.model_copy(update=changes), unfinished)
    lines = [line.strip() for line in str(caught.value).splitlines()[1:]]
    assert lines == [
        "precision was float32, is bfloat16",
        "seed was 7, is 8",
        "micro_tokens was 200, is 100",
        "learning_rate was 0.002, is 0.001",
    ]


def test_what_decides_nothing_may_change(settings: TrainConfig, unfinished: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(settings.data, tmp_path / "elsewhere")
    changed = settings.model_copy(update={"data": moved, "checkpoint_every": 7, "threads": 1, "device": "cpu"})
    assert train(changed, unfinished).steps >= 7


def test_other_data_are_named(settings: TrainConfig, unfinished: Path) -> None:
    write_set(settings.data, talks(9), talks(2))
    with pytest.raises(ConfigError, match=r"\n  the data \(manifest\.json\) was \w{12}, is \w{12}$"):
        train(settings, unfinished)


@pytest.mark.parametrize("finished", [False, True])
def test_other_weights_of_the_base_are_named(settings: TrainConfig, unfinished: Path, tmp_path: Path, finished: bool) -> None:
    base = shutil.copytree(settings.base, tmp_path / "base")
    here = settings.model_copy(update={"base": str(base)})
    assert train(here, unfinished).steps >= 7  # the same weights elsewhere
    if not finished:
        (unfinished / "run.json").unlink()
    weights = load_file(base / "model.safetensors")
    save_file({name: value * 1.01 for name, value in weights.items()}, base / "model.safetensors", {"format": "pt"})
    with pytest.raises(ConfigError, match=r"\n  the base's weights was \w{12}, is \w{12}$"):
        train(here, unfinished)


def test_another_chat_template_is_named(settings: TrainConfig, unfinished: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\n  the rendering \(tokenizer and chat template\) was"):
        train(settings.model_copy(update={"template": "plain"}), unfinished)


def test_other_versions_are_named_but_what_is_finished_is_reused(settings: TrainConfig, unfinished: Path) -> None:
    path = unfinished / "settings.json"
    path.write_text(path.read_text("utf-8").replace(torch.__version__.partition("+")[0], "1.0"), "utf-8")
    with pytest.raises(ConfigError, match=r"\n  torch's version was 1\.0.*, is "):
        train(settings, unfinished)
    path.write_text(path.read_text("utf-8").replace("1.0+", f"{torch.__version__.partition('+')[0]}+"), "utf-8")
    train(settings, unfinished)
    path.write_text(path.read_text("utf-8").replace(torch.__version__.partition("+")[0], "1.0"), "utf-8")
    assert train(settings, unfinished).reused


@pytest.mark.parametrize("text", [None, "{", "[]", "{}"])
def test_a_run_that_does_not_say_of_what_is_refused(settings: TrainConfig, unfinished: Path, text: str | None) -> None:
    (unfinished / "settings.json").unlink()
    if text is not None:
        (unfinished / "settings.json").write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=r"an unfinished run, but no readable settings\.json"):
        train(settings, unfinished)


def test_a_bad_batch_is_saved_and_the_last_checkpoint_stands(
    settings: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medasst.train import step

    losses, taken = step.answer_losses, 0

    def fails(model: torch.nn.Module, *rest: object) -> torch.Tensor:
        nonlocal taken
        taken += model.training
        found: torch.Tensor = losses(model, *rest)  # type: ignore[arg-type]
        if taken == 9:
            return found * torch.where(torch.arange(len(found)) == 1, torch.nan, 1.0)
        return found

    monkeypatch.setattr(step, "answer_losses", fails)
    with pytest.raises(ModelError, match=r"the loss is nan at step \d, on \w{16} \(.*bad_batch\.json\)"):
        train(settings, tmp_path / "run")
    told = json.loads((tmp_path / "run/bad_batch.json").read_text("utf-8"))
    (row,) = told["conversations"]
    assert row["id"] in {talk.id for talk in talks()} and told["what"] == "loss"
    assert list((tmp_path / "run/checkpoints").glob("*.pt"))


def test_ctrl_c_while_answering_keeps_the_step(settings: TrainConfig, tmp_path: Path) -> None:
    whole = train(settings, tmp_path / "whole")

    def sample(*_: object) -> list[Answer]:
        signal.raise_signal(signal.SIGINT)
        return []

    given = settings.model_copy(update={"checkpoint_every": 100})
    with pytest.raises(Stopped, match=r"step 2 of .*it is saved"):
        train(given, tmp_path / "run", sample=sample)
    assert [path.name[:12] for path in (tmp_path / "run/checkpoints").iterdir()] == ["step-0000002"]
    assert outcome(train(given, tmp_path / "run")) == outcome(whole)
