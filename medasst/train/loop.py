"""The training loop: one model, one optimizer, batches in a fixed order, checkpoints that resume exactly."""

from __future__ import annotations

import ctypes
import hashlib
import json
import math
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from torch import Tensor
from transformers import AutoModelForCausalLM
from transformers.utils import logging as transformers_logging

from medasst.data import load_manifest, load_split
from medasst.disk import write_json
from medasst.errors import ConfigError, DataError, ModelError, Stopped
from medasst.progress import Progress
from medasst.render import Renderer
from medasst.train.batches import Dropped, TokenSet, as_dropped, bucketed, check_template, schedule, tokenise
from medasst.train.config import TrainConfig
from medasst.train.curves import write_curves
from medasst.train.loss import answer_loss
from medasst.weights import Base, find_base, save_adapter


@dataclass(frozen=True)
class TrainResult:
    """What a run ended with. Losses are nats per answer token; `dropped` are training conversations that can't be used."""

    adapter: Path
    base: str
    steps: int
    tokens: int
    answer_tokens: int
    conversations: int
    dropped: tuple[Dropped, ...]
    loss: float
    validation_loss_before: float | None
    validation_loss: float | None
    seconds: float
    reused: bool = False

    def summary(self) -> str:
        """The run in one line, and one for each reason to drop conversations."""
        before, after = self.validation_loss_before, self.validation_loss
        change = (
            f"validation loss {before:.3f} → {after:.3f}"
            if before is not None and after is not None
            else f"loss {self.loss:.3f}"
        )
        speed = f"{self.tokens / max(self.seconds, 1e-9):.0f} tokens/s"
        state = " (finished earlier, reused)" if self.reused else ""
        line = f"trained {self.steps} steps, {self.tokens:,} tokens, {change}, {speed}{state}"
        return "\n".join([line, *map(str, self.dropped)])


@dataclass
class _Tally:
    """What grows while a run goes on; saved with every checkpoint. `seconds` is time in steps, over all resumes."""

    step: int = 0
    tokens: int = 0
    answer_tokens: int = 0
    seconds: float = 0.0
    loss: float = math.nan
    validation_before: float | None = None
    validation: float | None = None


def run(config: TrainConfig, out: Path, sample: Callable[[Any], list[str]] | None, progress: Progress) -> TrainResult:
    """See `medasst.train.train`."""
    manifest = _manifest_sha256(config.data)
    settings = _settings_key(config, manifest)
    if (finished := _finished(out, settings)) is not None:
        return finished
    device = _device(config)
    base = find_base(config.base, progress)
    renderer = Renderer.from_folder(base.folder, config.template)
    _check_vocabulary(base, renderer, base.config.get("vocab_size"))
    progress("tokenising", 0)
    tokens = _tokens(config, "train", manifest, renderer)
    batches = _batches(config, tokens)
    validation = _tokens(config, "validation", manifest, renderer)
    model = _build(config, base, device)
    _check_vocabulary(base, renderer, model.get_input_embeddings().weight.shape[0])
    out.mkdir(parents=True, exist_ok=True)
    trainer = _Trainer(
        config,
        out,
        settings=settings,
        model=model,
        device=device,
        tokens=tokens,
        batches=batches,
        validation=validation,
        progress=progress,
    )
    trainer.train(None if sample is None else lambda: sample(model))
    return trainer.finish(base, renderer, manifest)


class _Trainer:
    """Holds what a run needs; `train` may be called again after an interruption and resumes where it stopped."""

    def __init__(
        self,
        config: TrainConfig,
        out: Path,
        *,
        settings: str,
        model: PeftModel,
        device: torch.device,
        tokens: TokenSet,
        batches: list[list[int]],
        validation: TokenSet,
        progress: Progress,
    ) -> None:
        self.config, self.out, self.settings, self.model, self.device = config, out, settings, model, device
        self.tokens, self.batches, self.progress = tokens, batches, progress
        self.total_tokens = int(sum(tokens.lengths[batch].sum() for batch in self.batches))
        first = range(min(len(validation), config.validation_items))
        self.validation_batches = list(bucketed(first, validation.lengths, config.batch_tokens))
        self.validation = validation
        self.params = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.params, lr=config.learning_rate, weight_decay=config.weight_decay)
        self.tally = _Tally()

    def train(self, sample: Callable[[], list[str]] | None) -> None:
        """Take the steps that are left. Raises Stopped on Ctrl-C, after saving the last whole step."""
        self._resume()
        with _Interruption() as interruption:
            if self.tally.step == 0 and self.tally.validation_before is None:
                self.tally.validation_before = self._validate()
                self._log({"step": 0, "tokens": 0, "validation_loss": self.tally.validation_before})
            while self.tally.step < len(self.batches) and not interruption.asked:
                self._step()
                last = self.tally.step == len(self.batches)
                if last or self.tally.step % self.config.validate_every == 0:
                    self._look(sample)
                if last or interruption.asked or self.tally.step % self.config.checkpoint_every == 0:
                    self._save()
        if self.tally.step < len(self.batches):
            done = f"step {self.tally.step} of {len(self.batches)}"
            raise Stopped(f"stopped after {done}; it is saved. Run the same command again to go on.")

    def _step(self) -> None:
        started = time.perf_counter()
        batch = self.batches[self.tally.step]
        rate = _rate(self.tally.step, len(self.batches), self.config)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.model.train()
        ids, attention, answers = _collate(self.tokens, batch, self.device)
        total, count = answer_loss(self.model.get_base_model(), ids, attention, answers, self.config.loss_chunk)
        loss = total / max(count, 1)
        self._check_finite(loss.item(), "loss")
        loss.backward()  # type: ignore[no-untyped-call]
        norm = float(torch.nn.utils.clip_grad_norm_(self.params, self.config.clip))
        self._check_finite(norm, "gradient's norm")
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        seconds = time.perf_counter() - started
        tally = self.tally
        tally.step += 1
        tally.tokens += (size := int(self.tokens.lengths[batch].sum()))
        tally.answer_tokens += count
        tally.seconds += seconds
        tally.loss = loss.item()
        speed = size / seconds
        self._log(
            {
                "step": tally.step,
                "tokens": tally.tokens,
                "loss": tally.loss,
                "rate": rate,
                "norm": norm,
                "tokens_per_s": speed,
            }
        )
        self.progress("training", tally.tokens, self.total_tokens, loss=tally.loss, tokens_per_s=speed)

    def _look(self, sample: Callable[[], list[str]] | None) -> None:
        self.tally.validation = self._validate()
        if self.tally.validation is not None:
            self._log({"step": self.tally.step, "tokens": self.tally.tokens, "validation_loss": self.tally.validation})
        if sample is not None:
            with (self.out / "samples.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps({"step": self.tally.step, "answers": sample()}, ensure_ascii=False) + "\n")
        write_curves(self.out / "metrics.jsonl", self.out / "curves.html")

    @torch.no_grad()
    def _validate(self) -> float | None:
        """Mean loss per answer token over the validation conversations; None where there are none."""
        if not self.validation_batches:
            return None
        self.model.eval()
        total, count = 0.0, 0
        for done, batch in enumerate(self.validation_batches):
            self.progress("validating", done, len(self.validation_batches))
            ids, attention, answers = _collate(self.validation, batch, self.device)
            loss, n = answer_loss(self.model.get_base_model(), ids, attention, answers, self.config.loss_chunk)
            total, count = total + float(loss), count + n
        self._check_finite(total, "validation loss")
        return total / count

    def _check_finite(self, value: float, name: str) -> None:
        if not math.isfinite(value):
            remedy = "is the base's file whole? If it is, try precision = 'float32'"
            if self.tally.step:
                remedy = "lower learning_rate, or try precision = 'float32', and start anew with another --out"
            raise ModelError(f"the {name} is {value} at step {self.tally.step + 1}; {remedy}")

    def _log(self, row: dict[str, Any]) -> None:
        with (self.out / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, allow_nan=False) + "\n")

    def _save(self) -> None:
        """Write a checkpoint whole or not at all, then drop the older ones."""
        folder = self.out / "checkpoints"
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / f"step-{self.tally.step:07}.pt"
        state = {
            "settings": self.settings,
            "tally": asdict(self.tally),
            "adapter": get_peft_model_state_dict(self.model),
            "optimizer": self.optimizer.state_dict(),
            "torch_rng": torch.get_rng_state(),
        }
        unfinished = target.with_suffix(".unfinished")
        torch.save(state, unfinished)
        unfinished.replace(target)
        for old in sorted(folder.glob("step-*.pt"))[:-1]:
            old.unlink()

    def _resume(self) -> None:
        saved = sorted((self.out / "checkpoints").glob("step-*.pt"))
        metrics = self.out / "metrics.jsonl"
        if not saved:
            metrics.unlink(missing_ok=True)
            return
        state = torch.load(saved[-1], weights_only=True, map_location="cpu")
        if state["settings"] != self.settings:
            raise ConfigError(
                f"{self.out}: holds an unfinished run with other settings or other data; "
                "give another --out, or delete that folder to start anew"
            )
        set_peft_model_state_dict(self.model, state["adapter"])
        self.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["torch_rng"])
        self.tally = _Tally(**state["tally"])
        # Steps after the checkpoint will be taken and logged again.
        rows = [line for line in metrics.read_text("utf-8").splitlines() if _row_step(line) <= self.tally.step]
        metrics.write_text("".join(f"{row}\n" for row in rows), "utf-8")

    def finish(self, base: Base, renderer: Renderer, manifest: str) -> TrainResult:
        """Write the adapter and `run.json`; `run.json` comes last, it marks the run as finished."""
        tally = self.tally
        result = TrainResult(
            self.out / "adapter",
            base.name,
            tally.step,
            tally.tokens,
            tally.answer_tokens,
            len(self.tokens),
            self.tokens.dropped,
            tally.loss,
            tally.validation_before,
            tally.validation,
            tally.seconds,
        )
        about = {
            "settings": self.config.model_dump(mode="json"),
            "settings_key": self.settings,
            "result": {k: v for k, v in asdict(result).items() if k not in ("adapter", "reused")},
            "manifest_sha256": manifest,
            "fingerprints": str(self.config.data / "fingerprints.parquet"),
            "versions": {"torch": torch.__version__, **{name: _version(name) for name in ("transformers", "peft", "medasst")}},
        }
        save_adapter(self.model, result.adapter, base, renderer, about)
        write_json(self.out / "run.json", about)
        return result


class _Interruption:
    """The first Ctrl-C asks the loop to end after the step it is in; the second ends it at once, unsaved."""

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> _Interruption:
        self._before = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self._note)
        return self

    def _note(self, *_: object) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def __exit__(self, *_: object) -> None:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self._before)


def _keep_memory() -> None:
    """Tell glibc to keep what is freed: fresh pages for every large tensor cost a CPU run about a tenth of its time."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(-4, 0)  # M_MMAP_MAX: no mapping of its own for a large block
        libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD


def _device(config: TrainConfig) -> torch.device:
    """Raises ConfigError where this machine doesn't have it."""
    found = torch.cuda.is_available()
    if config.device == "cuda" and not found:
        built = "" if torch.version.cuda else "; this PyTorch is built without it"
        raise ConfigError(f'device = "cuda": PyTorch finds no CUDA device here{built}; use device = "auto" or "cpu"')
    return torch.device(("cuda" if found else "cpu") if config.device == "auto" else config.device)


def _check_vocabulary(base: Base, renderer: Renderer, rows: int | None) -> None:
    if rows is not None and renderer.ids_needed > rows:
        raise ModelError(
            f"{base.folder}: the tokenizer has {renderer.ids_needed:,} ids, the model's embedding {rows:,} rows; "
            "enlarge it with transformers' resize_token_embeddings, or take the tokenizer that belongs to the model"
        )


def _batches(config: TrainConfig, tokens: TokenSet) -> list[list[int]]:
    """Every batch of the run. Raises InputError where there is nothing to train on."""
    check_template(tokens.dropped, len(tokens) + sum(d.count for d in tokens.dropped))
    if not len(tokens):
        reasons = "".join(f"\n{dropped}" for dropped in tokens.dropped)
        raise DataError(f"no conversation can be trained on; prepare a larger set or raise cutoff{reasons}", config.data)
    batches = schedule(tokens.lengths, config.batch_tokens, config.epochs, config.max_tokens, config.seed)
    if not batches:
        least = 1 / len(tokens)
        raise ConfigError(
            f"nothing to train: epochs = {config.epochs:g} of {len(tokens):,} conversations is less than one; "
            f"raise epochs to {least:.1g} or more"
        )
    return batches


def _build(config: TrainConfig, base: Base, device: torch.device) -> PeftModel:
    """The base with fresh LoRA layers; the seed decides their first values."""
    if config.threads:
        torch.set_num_threads(config.threads)
    precision = config.precision if config.precision != "auto" else "float32" if device.type == "cpu" else "bfloat16"
    if device.type == "cpu" and sys.platform == "linux":
        _keep_memory()
    torch.manual_seed(config.seed)
    random.seed(config.seed)
    transformers_logging.disable_progress_bar()  # its bar for a local file would tear ours
    try:
        model = AutoModelForCausalLM.from_pretrained(base.folder, dtype=getattr(torch, precision)).to(device)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(f"{base.folder}: transformers can't load this model ({error})") from error
    targets = config.lora.targets if isinstance(config.lora.targets, str) else list(config.lora.targets)
    lora = LoraConfig(
        r=config.lora.r,
        lora_alpha=config.lora.alpha,
        lora_dropout=config.lora.dropout,
        target_modules=targets,
        task_type="CAUSAL_LM",
    )
    try:
        return get_peft_model(model, lora)
    except ValueError as error:
        raise ConfigError(f"lora.targets: {error}") from error


def _tokens(config: TrainConfig, split: Literal["train", "validation"], manifest: str, renderer: Renderer) -> TokenSet:
    return tokenise(load_split(config.data, split), renderer, config.cutoff, f"{manifest}/{split}")


def _collate(tokens: TokenSet, batch: Sequence[int], device: torch.device) -> tuple[Tensor, Tensor | None, Tensor]:
    """(ids, attention or None where nothing is padded, answers), padded on the right with 0."""
    rows = [tokens[i] for i in batch]
    width = max(len(row.ids) for row in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    attention, answers = torch.zeros_like(ids), torch.zeros_like(ids, dtype=torch.bool)
    for i, row in enumerate(rows):
        ids[i, : len(row.ids)] = torch.tensor(row.ids)
        attention[i, : len(row.ids)] = 1
        answers[i, : len(row.mask)] = torch.tensor(row.mask)
    padded = not bool(attention.all())
    return ids.to(device), attention.to(device) if padded else None, answers.to(device)


def _rate(step: int, steps: int, config: TrainConfig) -> float:
    """Linear warm-up, then a cosine down to a tenth."""
    warmup = max(1, round(steps * config.warmup))
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    return config.learning_rate * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * done)))


def _manifest_sha256(data: Path) -> str:
    """Names a prepared set. Raises DataError where there is none."""
    load_manifest(data)
    return hashlib.sha256((data / "manifest.json").read_bytes()).hexdigest()


def _settings_key(config: TrainConfig, manifest: str) -> str:
    """Changes with whatever changes the result; paths, threads and how often one looks don't."""
    shown = config.model_dump(
        mode="json", exclude={"data", "threads", "validate_every", "checkpoint_every", "validation_items"}
    )
    return hashlib.sha256(json.dumps([shown, manifest, 2], sort_keys=True).encode()).hexdigest()


def _finished(out: Path, settings: str) -> TrainResult | None:
    try:
        about = json.loads((out / "run.json").read_text("utf-8"))
    except FileNotFoundError:
        return None
    if about["settings_key"] != settings:
        raise ConfigError(
            f"{out}: holds a finished run with other settings or other data; give another --out, or delete that folder"
        )
    result = about["result"] | {"dropped": as_dropped(about["result"]["dropped"])}
    return TrainResult(out / "adapter", reused=True, **result)


def _row_step(line: str) -> int:
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):  # a line torn by a kill
        return 2**62


def _version(package: str) -> str:
    from importlib.metadata import version

    return version(package)
