"""The training loop: batches in a fixed order, looks at the validation set, checkpoints that resume exactly.

What a step is stands in `step.py`; how the model is made in `launch.py`; what is told in `report.py`.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import torch
from peft import PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
from torch import Tensor

from medasst.conversation import Conversation
from medasst.data import iterate_split, load_manifest
from medasst.disk import write_json
from medasst.errors import ConfigError, DataError, ModelError, Stopped
from medasst.progress import Progress
from medasst.render import Renderer
from medasst.train.batches import Schedule, bucketed, schedule
from medasst.train.checkpoints import Checkpoints, random_state, set_random_state
from medasst.train.config import TrainConfig
from medasst.train.interruption import Interruption
from medasst.train.key import check_key, manifest_sha256, run_key, write_key
from medasst.train.launch import build, check_vocabulary, find_device, find_precision
from medasst.train.report import Answer, Report
from medasst.train.step import Learner, Losses, NotFiniteError, join, rate_at
from medasst.train.tokens import Dropped, TokenSet, as_dropped, check_template, tokenise
from medasst.weights import Base, find_base, save_adapter

# Answers conversations with the model as it is, in at most so many tokens each; handed in, since training knows no engine.
Sampler = Callable[[Any, Renderer, Sequence[Conversation], int], Iterable[Answer]]


@dataclass(frozen=True)
class TrainResult:
    """What a run ended with. Losses are nats per answer token; `dropped` are training conversations that can't be used.

    Attributes:
        steps: taken; fewer than planned where `patience` ended the run.
        kept_step: the step whose adapter was kept.
        validation_loss: of the adapter that was kept.
    """

    adapter: Path
    base: str
    steps: int
    kept_step: int
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
        best = f" (best at step {self.kept_step}, kept)" if self.kept_step != self.steps else ""
        speed = f"{self.tokens / max(self.seconds, 1e-9):.0f} tokens/s"
        state = " (finished earlier, reused)" if self.reused else ""
        line = f"trained {self.steps} steps, {self.tokens:,} tokens, {change}{best}, {speed}{state}"
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
    best: float | None = None
    best_step: int = 0
    worse: int = 0  # validations since the best


def run(config: TrainConfig, out: Path, sample: Sampler | None, progress: Progress) -> TrainResult:
    """See `medasst.train.train`."""
    manifest = manifest_sha256(config.data)
    device = find_device(config)
    precision = find_precision(config, device)
    base = find_base(config.base, progress)
    renderer = Renderer.from_folder(base.folder, config.template)
    key = run_key(config, base, renderer, manifest=manifest, device=device.type, precision=precision)
    if check_key(out, key):
        return _finished(out)
    check_vocabulary(base, renderer, base.config.get("vocab_size"))
    progress("tokenising", 0)
    tokens = split_tokens(config, "train", manifest, renderer, progress)
    steps = all_steps(config, tokens)
    validation = split_tokens(config, "validation", manifest, renderer, progress)
    model = build(config, base, device, precision)
    check_vocabulary(base, renderer, model.get_input_embeddings().weight.shape[0])
    out.mkdir(parents=True, exist_ok=True)
    write_key(out, config, key)
    trainer = _Trainer(config, out, model=model, tokens=tokens, steps=steps, validation=validation, progress=progress)
    questions = _questions(config) if sample is not None and config.sample_items else []
    trainer.train(None if sample is None else lambda: sample(model, renderer, questions, config.sample_tokens), questions)
    return trainer.finish(base, renderer, manifest)


class _Trainer:
    """Holds what a run needs; `train` may be called again after an interruption and resumes where it stopped."""

    def __init__(
        self,
        config: TrainConfig,
        out: Path,
        *,
        model: PeftModel,
        tokens: TokenSet,
        steps: Schedule,
        validation: TokenSet,
        progress: Progress,
    ) -> None:
        self.config, self.out, self.model, self.progress = config, out, model, progress
        self.tokens, self.steps, self.validation = tokens, steps, validation
        first = range(min(len(validation), config.validation_items))
        self.validation_batches = bucketed(first, validation.lengths, config.micro_tokens or config.batch_tokens)
        self.learner = Learner(model, config)
        self.checkpoints = Checkpoints(out / "checkpoints")
        self.report = Report(out, steps.tokens, progress)
        self.tally = _Tally()
        self.saved_step = 0
        self.best: dict[str, Tensor] = {}  # the adapter of the best validation

    @property
    def _over(self) -> bool:
        patience = self.config.patience
        return self.tally.step == len(self.steps) or (patience is not None and self.tally.worse >= patience)

    def train(self, sample: Callable[[], Iterable[Answer]] | None, questions: Sequence[Conversation]) -> None:
        """Take the steps that are left. Raises Stopped on Ctrl-C or SIGTERM, after saving the last whole step."""
        self._resume()
        with Interruption() as interruption:
            if self.tally.step == 0:
                self.tally.validation_before = self._validate()
            while not self._over and not interruption.asked:
                self._step()
                last = self.tally.step == len(self.steps)
                looks = last or self.tally.step % self.config.validate_every == 0
                if looks:
                    self._look()
                if self._over or self.tally.step % self.config.checkpoint_every == 0:
                    self._save()
                if looks and not interruption.asked:
                    self._answer(sample, questions)
                if looks:
                    self.report.draw()
            if self.tally.step != self.saved_step:
                self._save()
        if not self._over:
            done = f"step {self.tally.step} of {len(self.steps)}"
            raise Stopped(f"stopped after {done}; it is saved. Run the same command again to go on.")

    def _step(self) -> None:
        started = time.perf_counter()
        tally = self.tally
        rate = rate_at(tally.step, len(self.steps), self.config)
        try:
            result = self.learner.step(self.tokens, self.steps[tally.step], rate)
        except NotFiniteError as error:
            raise self._bad_batch(error, self.tokens) from error
        seconds = time.perf_counter() - started
        tally.step += 1
        tally.tokens += result.tokens
        tally.answer_tokens += result.losses.answer_tokens
        tally.seconds += seconds
        tally.loss = result.losses.mean
        self.report.step(tally.step, result, self.tokens, rate=rate, done=tally.tokens, seconds=seconds, spent=tally.seconds)

    def _look(self) -> None:
        """Measure the validation set, note the best."""
        tally = self.tally
        tally.validation = self._validate()
        if tally.validation is not None:
            if tally.best is None or tally.validation < tally.best:
                tally.best, tally.best_step, tally.worse = tally.validation, tally.step, 0
                self.best = {name: value.to("cpu", copy=True) for name, value in self._adapter().items()}
            else:
                tally.worse += 1

    def _answer(self, sample: Callable[[], Iterable[Answer]] | None, questions: Sequence[Conversation]) -> None:
        """Let some questions be answered; whatever random numbers that draws are none of the training's own."""
        if sample is None or not questions:
            return
        self.progress("answering", 0)
        self.model.eval()
        state = random_state()
        asked = {talk.id: talk.messages[-1].content for talk in questions}
        self.report.answers(self.tally.step, self.tally.tokens, asked, sample())
        set_random_state(state)

    def _validate(self) -> float | None:
        """Mean loss per answer token over the validation conversations; None where there are none."""
        parts: list[Losses] = []
        for done, batch in enumerate(self.validation_batches):
            self.progress("validating", done, len(self.validation_batches))
            try:
                parts.append(self.learner.measure(self.validation, batch))
            except NotFiniteError as error:
                raise self._bad_batch(error, self.validation) from error
        if not parts:
            return None
        losses = join(parts)
        self.report.validation(self.tally.step, self.tally.tokens, losses, self.validation)
        return losses.mean

    def _bad_batch(self, error: NotFiniteError, tokens: TokenSet) -> ModelError:
        """The error that names what was no number, and at which conversations; they are saved in `bad_batch.json`."""
        step = self.tally.step + 1
        ids = [tokens.name(place) for place in error.places]
        rows = [
            {"id": name, "source": tokens.sources[tokens.source[place]], "tokens": int(tokens.lengths[place])}
            for name, place in zip(ids, error.places, strict=True)
        ]
        target = self.out / "bad_batch.json"
        write_json(target, {"step": step, "what": error.what, "value": str(error.value), "conversations": rows})
        remedy = "is the base's file whole? If it is, try precision = 'float32'"
        if self.tally.step:
            remedy = "lower learning_rate, or try precision = 'float32', and start anew with another --out"
        more = f" and {len(ids) - 3} more" if len(ids) > 3 else ""
        return ModelError(
            f"the {error.what} is {error.value} at step {step}, on {', '.join(ids[:3])}{more} ({target}); {remedy}"
        )

    def _adapter(self) -> dict[str, Tensor]:
        adapter: dict[str, Tensor] = get_peft_model_state_dict(self.model, save_embedding_layers=False)
        return adapter

    def _save(self) -> None:
        state = {
            "tally": asdict(self.tally),
            "adapter": self._adapter(),
            "best": self.best,
            "optimizer": self.learner.optimizer.state_dict(),
            "random": random_state(),
        }
        self.checkpoints.save(self.tally.step, state)
        self.saved_step = self.tally.step

    def _resume(self) -> None:
        state = self.checkpoints.newest()
        self.report.resume(None if state is None else state["tally"]["step"])
        if state is None:
            return
        set_peft_model_state_dict(self.model, state["adapter"])
        self.learner.optimizer.load_state_dict(state["optimizer"])
        set_random_state(state["random"])
        self.tally, self.best = _Tally(**state["tally"]), state["best"]
        self.saved_step = self.tally.step

    def finish(self, base: Base, renderer: Renderer, manifest: str) -> TrainResult:
        """Write the adapter and `run.json`; `run.json` comes last, it marks the run as finished."""
        tally = self.tally
        keeps_best = self.config.keep == "best" and bool(self.best)
        if keeps_best:
            set_peft_model_state_dict(self.model, self.best)
        result = TrainResult(
            self.out / "adapter",
            base.name,
            tally.step,
            tally.best_step if keeps_best else tally.step,
            tally.tokens,
            tally.answer_tokens,
            len(self.tokens),
            self.tokens.dropped,
            tally.loss,
            tally.validation_before,
            tally.best if keeps_best else tally.validation,
            tally.seconds,
        )
        about = {
            "settings": self.config.model_dump(mode="json"),
            "result": {k: v for k, v in asdict(result).items() if k not in ("adapter", "reused")},
            "manifest_sha256": manifest,
            "fingerprints": str(self.config.data / "fingerprints.parquet"),
            "versions": {"torch": torch.__version__, **{name: version(name) for name in ("transformers", "peft", "medasst")}},
        }
        save_adapter(self.model, result.adapter, base, renderer, about)
        write_json(self.out / "run.json", about)
        return result


def split_tokens(
    config: TrainConfig, split: Literal["train", "validation"], manifest: str, renderer: Renderer, progress: Progress
) -> TokenSet:
    """A split as token ids, from the cache where they are there already; `manifest` is the sha256 of the set's manifest."""
    total = load_manifest(config.data)["splits"][split]["records"]
    source = partial(iterate_split, config.data, split)
    return tokenise(source, renderer, config.cutoff, f"{manifest}/{split}", total=total, progress=progress)


def all_steps(config: TrainConfig, tokens: TokenSet) -> Schedule:
    """Every step of the run. Raises InputError where there is nothing to train on."""
    check_template(tokens.dropped, len(tokens) + sum(d.count for d in tokens.dropped))
    if not len(tokens):
        reasons = "".join(f"\n{dropped}" for dropped in tokens.dropped)
        raise DataError(f"no conversation can be trained on; prepare a larger set or raise cutoff{reasons}", config.data)
    steps = schedule(
        tokens.lengths,
        batch_tokens=config.batch_tokens,
        micro_tokens=config.micro_tokens or config.batch_tokens,
        epochs=config.epochs,
        max_tokens=config.max_tokens,
        seed=config.seed,
    )
    if not steps:
        least = 1 / len(tokens)
        raise ConfigError(
            f"nothing to train: epochs = {config.epochs:g} of {len(tokens):,} conversations is less than one; "
            f"raise epochs to {least:.1g} or more"
        )
    return steps


def _questions(config: TrainConfig) -> list[Conversation]:
    """The first validation conversations, each up to its last answer."""
    found = (
        talk.before(last)
        for talk in iterate_split(config.data, "validation")
        if (last := max((i for i, m in enumerate(talk.messages) if m.role == "assistant"), default=0))
    )
    return list(islice(found, config.sample_items))


def _finished(out: Path) -> TrainResult:
    about = json.loads((out / "run.json").read_text("utf-8"))
    result = about["result"] | {"dropped": as_dropped(about["result"]["dropped"])}
    return TrainResult(out / "adapter", reused=True, **result)
