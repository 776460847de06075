"""The whole chain on the samples: prepare → fine-tune → measure → serve. What `make demo` runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from medasst.config import load
from medasst.data import PrepareConfig, prepare
from medasst.errors import ConfigError
from medasst.evaluation import EvaluateConfig, evaluate
from medasst.models import sample_answers
from medasst.progress import Progress, silent
from medasst.service.config import ServeConfig
from medasst.train import TrainConfig, train
from medasst.weights import find_base, terms_notice

CONFIGS = Path(__file__).parents[1] / "configs" / "demo"


@dataclass(frozen=True)
class DemoResult:
    """Where the demo left its report and its adapter, and the base's name."""

    report: Path
    adapter: Path
    base: str


def demo(out: Path, progress: Progress = silent, say: Callable[[str], None] = lambda _: None) -> DemoResult:
    """Run the chain into `out`; what an earlier run finished is reused, what it began is continued.

    Args:
        progress: told how far the work is.
        say: told, in words, what each step brought.

    Raises:
        ConfigError: MedAsst was installed without its repository, so the demo's job files are missing.
    """
    if not CONFIGS.is_dir():
        raise ConfigError(f"{CONFIGS}: not there; the demo runs in a clone of the repository, not from an installed package")
    out = out.resolve()
    base = find_base("embedded", progress)
    if (terms := terms_notice(base)) is not None:
        say(terms)
    prepared = prepare(load(PrepareConfig, CONFIGS / "prepare.toml"), out / "data", progress)
    say(prepared.summary())
    settings = load(TrainConfig, CONFIGS / "train.toml", [f"data={out / 'data'}"])
    trained = train(settings, out / "train", sample=sample_answers, progress=progress)
    say(trained.summary())
    report = evaluate(load(EvaluateConfig, CONFIGS / "evaluate.toml", _places(out)), out=out, progress=progress)
    say(report.summary())
    return DemoResult(out / "report.html", trained.adapter, base.name)


def serve_config(result: DemoResult, host: str | None = None, port: int | None = None) -> ServeConfig:
    """Settings that serve the adapter of a demo."""
    given = {"model.base": result.base, "model.adapter": result.adapter, "host": host, "port": port}
    overrides = [f"{key}={value}" for key, value in given.items() if value is not None]
    return load(ServeConfig, CONFIGS / "serve.toml", overrides)


def _places(out: Path) -> list[str]:
    """Where the evaluation of a demo in `out` finds its parts, as overrides of the job file."""
    data = out / "data"
    adapter = out / "train" / "adapter"
    return [f"data={data}", f"systems.1.adapter={adapter}", f"systems.2.data={data}", f"tasks.0.path={data / 'test.parquet'}"]
