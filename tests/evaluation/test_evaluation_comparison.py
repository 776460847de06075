"""The published comparison's job files, on tiny random models of each architecture: all is asked, nothing gets a figure."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from medasst.config import load  # noqa: E402
from medasst.errors import ConfigError  # noqa: E402
from medasst.evaluation import EvalReport, EvaluateConfig, evaluate  # noqa: E402
from medasst.render import Renderer  # noqa: E402
from medasst.weights import find_base, published, save_adapter  # noqa: E402

CONFIGS = Path(__file__).parents[2] / "configs"
BASES = sorted(folder.name for folder in (CONFIGS / "bases").iterdir())
ANSWERS = ["多喝温水，注意休息。", "体温高了可以吃退烧药。", "请去医院看看。"]
Overrides = Callable[..., list[str]]


@pytest.fixture(scope="session")
def tiny(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, tuple[Path, Path]]:
    """A random model of each architecture and a random adapter for it."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    made = {}
    for kind in ("qwen2", "llama", "gemma", "mistral"):
        base = find_base(str(request.getfixturevalue(f"tiny_{kind}")))
        model = AutoModelForCausalLM.from_pretrained(base.folder, dtype=torch.float32)
        torch.manual_seed(1)
        model = get_peft_model(model, LoraConfig(r=2, lora_alpha=4, target_modules="all-linear", task_type="CAUSAL_LM"))
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=0.1)
        adapter = tmp_path_factory.mktemp(kind) / "adapter"
        save_adapter(model, adapter, base, Renderer.from_folder(base.folder), {})
        made[kind] = (base.folder, adapter)
    return made


@pytest.fixture
def overrides(tiny: Mapping[str, tuple[Path, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Overrides:
    """What puts tiny models and a few items in the place of a job's own."""
    questions = [
        {
            "question": f"第{n}题，缺什么会得坏血病？",
            "options": {"A": "维生素C", "B": "铁", "C": "钙", "D": "碘"},
            "answer": "A",
        }
        for n in range(3)
    ]
    (tmp_path / "cmexam-test").mkdir()
    rows = "".join(json.dumps(q, ensure_ascii=False) + "\n" for q in questions)
    (tmp_path / "cmexam-test/test.jsonl.gz").write_bytes(gzip.compress(rows.encode()))
    talks = [
        {"messages": [{"role": "user", "content": f"第{n}天发烧了怎么办？"}, {"role": "assistant", "content": answer}]}
        for n, answer in enumerate(ANSWERS)
    ]
    (tmp_path / "qa.jsonl").write_text("".join(json.dumps(t, ensure_ascii=False) + "\n" for t in talks), "utf-8")
    monkeypatch.setenv("MEDASST_DATA", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: (_ for _ in ()).throw(OSError("no network")))

    def stand_ins(job: Path, **more: str) -> list[str]:
        found = ["limit=3", "max_new_tokens=6", "resamples=100", f"tasks.0.path={tmp_path / 'qa.jsonl'}"]
        for place, system in enumerate(load(EvaluateConfig, job).systems):
            kind = published()[system.claims]["model_type"]
            base, adapter = tiny[kind]
            found += [f"systems.{place}.base={base}", *(f"systems.{place}.{key}={value}" for key, value in more.items())]
            found += [f"systems.{place}.adapter={adapter}"] if system.adapter else []
        return found

    return stand_ins


def run(job: Path, settings: list[str], out: Path) -> EvalReport:
    return evaluate(load(EvaluateConfig, job, settings), out=out)


def asked(out: Path) -> int:
    return sum(part["asked"] for part in json.loads((out / "run.json").read_text("utf-8"))["work"])


def test_the_comparison_runs_on_every_architecture_and_stand_ins_get_no_figure(overrides: Overrides, tmp_path: Path) -> None:
    job, out = CONFIGS / "comparison.toml", tmp_path / "out"
    report = run(job, overrides(job), out)
    assert len(report.results) == 16 and not report.comparisons and not report.groups and not report.outcomes
    assert {(row.status, row.value, row.n) for row in report.results} == {("not run", None, 0)}
    assert all("its config.json has another" in row.why for row in report.results)
    assert report.summary().count("mistral-7b-tuned not run here") == 2
    files = sorted((out / "predictions").glob("*/*.jsonl"))
    records = [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]
    assert (len(files), len(records), asked(out)) == (16, 48, 48)
    assert all(record["finish_reason"] != "error" for record in records)

    report = run(job, overrides(job, claims=""), out)  # under their own colours they have figures, and nothing is asked again
    assert asked(out) == 0
    assert {row.status for row in report.results} == {"ok"}
    assert {(row.system, row.task) for row in report.results} == {
        (f"{base}{tuned}", task)
        for base in ("qwen2-7b", "llama-3-8b", "gemma-7b", "mistral-7b")
        for tuned in ("", "-tuned")
        for task in ("qa", "cmexam-test")
    }


@pytest.mark.parametrize("name", BASES)
def test_each_base_is_evaluated_before_and_after_its_training(name: str, overrides: Overrides, tmp_path: Path) -> None:
    job = CONFIGS / "bases" / name / "evaluate.toml"
    report = run(job, [*overrides(job), "limit=1"], tmp_path / "out")
    assert [(row.system, row.status, row.value) for row in report.results] == [
        (system, "not run", None) for _ in range(2) for system in ("base", "tuned")
    ]
    assert asked(tmp_path / "out") == 4


@pytest.mark.parametrize("name", BASES)
def test_what_is_evaluated_is_what_was_trained(name: str, overrides: Overrides) -> None:
    from medasst.train import TrainConfig

    folder = CONFIGS / "bases" / name
    trained, job = load(TrainConfig, folder / "train.toml"), load(EvaluateConfig, folder / "evaluate.toml")
    assert {system.base for system in job.systems} == {system.claims for system in job.systems} == {trained.base}
    assert job.systems[1].adapter == CONFIGS.parent / "runs" / name / "train/adapter"


def test_weights_that_cannot_be_had_are_told_and_no_error(overrides: Overrides, tmp_path: Path) -> None:
    job = CONFIGS / "comparison.toml"
    settings = [part for part in overrides(job) if not part.startswith("systems.")]
    report = run(job, settings, tmp_path / "out")
    assert {(row.status, row.value) for row in report.results} == {("not run", None)}
    assert all("can't be had from the model hub" in row.why for row in report.results)
    assert "not run here" in (tmp_path / "out/report.html").read_text("utf-8")


def test_a_claim_must_be_a_model_that_is_known(tmp_path: Path) -> None:
    given: dict[str, Any] = {"name": "m", "base": "x/y", "claims": "Qwen/Qwen2-8B"}
    (tmp_path / "job.toml").write_text('[[tasks]]\nname = "t"\nkind = "qa"\npath = "x"\n', "utf-8")
    with pytest.raises(ConfigError, match="did you mean 'Qwen/Qwen2-7B'"):
        load(EvaluateConfig, tmp_path / "job.toml", [f"systems={json.dumps([given])}".replace('": ', '" = ')])
