"""Exports of every family on tiny random models, held against what was trained; what can't be exported, and why."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("xllamacpp")

from medasst import cli  # noqa: E402
from medasst.conversation import Conversation  # noqa: E402
from medasst.errors import ConfigError, MedasstError, ModelError  # noqa: E402
from medasst.export import Form, Parity, export  # noqa: E402
from medasst.export import job as export_job  # noqa: E402
from medasst.export.parity import compare, probes  # noqa: E402
from medasst.models.base import Step  # noqa: E402
from medasst.render import Renderer  # noqa: E402
from medasst.weights import find_base, merge_adapter, save_adapter  # noqa: E402

FAMILIES = ["tiny_llama", "tiny_gemma", "tiny_gemma3", "tiny_mistral", "tiny_qwen2"]
QWEN3 = (Path(__file__).parents[1] / "rendering" / "templates" / "qwen3.jinja").read_text("utf-8")


@pytest.fixture(autouse=True)
def _one_cache(own_cache: Path) -> None:
    """Nothing of this machine's cache is touched."""


def train(
    folder: Path, run: Path, targets: str | list[str] = "all-linear", template: Any = "auto", std: float = 0.05, **lora: Any
) -> Path:
    """A run's folder with a random adapter that changes every answer."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules=targets, task_type="CAUSAL_LM", **lora))
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=std)
    save_adapter(model, run / "adapter", find_base(str(folder)), Renderer.from_folder(folder, template), {})
    return run


def copied(folder: Path, target: Path, **config: Any) -> Path:
    """A base of its own, with other settings."""
    shutil.copytree(folder, target)
    settings = json.loads((target / "config.json").read_text("utf-8"))
    (target / "config.json").write_text(json.dumps(settings | config), "utf-8")
    return target


@pytest.mark.parametrize(
    ("form", "family"), [*product(["merged", "gguf"], FAMILIES), ("vllm", "tiny_llama"), ("vllm", "tiny_gemma")]
)
def test_each_family(form: Form, family: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    folder = request.getfixturevalue(family)
    if family == "tiny_mistral":  # llama.cpp reads no window of Mistral's, and some prompts here are longer than this one's
        folder = copied(folder, tmp_path / "base", sliding_window=None)
    found = export(train(folder, tmp_path / "run"), form, tmp_path / "out")
    parity = found.parity
    assert parity.prompts + parity.retold == 6 and parity.prompts >= 4 and parity.tokens + parity.ties >= 6
    assert parity.difference < {"merged": 1e-4, "gguf": 5e-3, "vllm": 1e-6}[form]
    assert found.command.startswith(("vllm serve ", "llama-server "))
    about = json.loads((tmp_path / "out" / "export.json").read_text("utf-8"))
    assert about["form"] == form and about["parity"]["tolerance"] == parity.tolerance
    files = {file.name for file in (tmp_path / "out").iterdir()}
    assert files >= {"chat_template.jinja", "generation_config.json", "tokenizer.json", "tokenizer_config.json"}
    assert ("NOTICE" in files) == ("gemma" in family)


def test_a_merged_model_is_a_base_like_any_other(tiny_llama: Path, tmp_path: Path) -> None:
    """transformers alone loads it, says what PEFT says and stops where the renderer does; and so do we, from its folder."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    run = train(tiny_llama, tmp_path / "run")
    out = export(run, "merged", tmp_path / "out").out
    merged = AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32)
    renderer, ours = Renderer.from_folder(tiny_llama), Renderer.from_folder(out)
    assert set(merged.generation_config.eos_token_id) == renderer.stop_ids == ours.stop_ids
    beside = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_llama, dtype=torch.float32), run / "adapter")
    ids = torch.tensor([renderer.prompt(Conversation.of([("user", "头疼怎么办？")]))])
    with torch.inference_mode():
        assert torch.allclose(merged(ids).logits, beside(ids).logits, atol=1e-4)
    assert ours.prompt(Conversation.of([("user", "头疼怎么办？")])) == ids[0].tolist()


@pytest.mark.parametrize("form", ["merged", "gguf"])
def test_a_block_before_the_answer_and_the_plain_template_are_in_the_export(
    form: Form, tiny_llama: Path, tmp_path: Path
) -> None:
    base = copied(tiny_llama, tmp_path / "base")
    (base / "chat_template.jinja").write_text(QWEN3, "utf-8")
    found = export(train(base, tmp_path / "run"), form, tmp_path / "thinking")
    assert found.parity.prompts == 6 and found.parity.retold == 0
    talk = Conversation.of([("user", "头疼")])
    ours = Renderer.from_folder(base)
    assert ours.tokenizer.decode(ours.prompt(talk)).endswith("<think>\n\n</think>\n\n")
    assert export(train(base, tmp_path / "plain-run", template="plain"), form, tmp_path / "plain").parity.prompts == 6


@pytest.mark.parametrize("form", ["merged", "gguf"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_base_of_16_bits_stays_one(form: Form, dtype: str, tiny_llama: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM

    base = copied(tiny_llama, tmp_path / "base", tie_word_embeddings=False)
    AutoModelForCausalLM.from_pretrained(base, dtype=getattr(torch, dtype)).save_pretrained(base)
    found = export(train(base, tmp_path / "run"), form, tmp_path / "out")
    assert 1e-6 < found.parity.difference < found.parity.tolerance
    if form == "merged":
        assert {t.dtype for t in load_file(tmp_path / "out" / "model.safetensors").values()} == {getattr(torch, dtype)}


def test_another_base_is_refused(tiny_llama: Path, tiny_mistral: Path, tmp_path: Path) -> None:
    run = train(tiny_llama, tmp_path / "run")
    with pytest.raises(ModelError, match=r"made for .*tiny-llama"):
        export(run, "merged", tmp_path / "out", base=str(tiny_mistral))
    assert not (tmp_path / "out").exists()


def test_an_adapter_of_elsewhere_that_does_not_fit_is_refused(tiny_llama: Path, tiny_mistral: Path, tmp_path: Path) -> None:
    run = train(tiny_llama, tmp_path / "run")
    (run / "adapter" / "medasst.json").unlink()
    with pytest.raises(ModelError, match="name it with --base"):
        export(run, "merged", tmp_path / "out")
    with pytest.warns(UserWarning, match="unverified"), pytest.raises(ModelError, match="not an adapter for"):
        export(run, "merged", tmp_path / "out", base=str(tiny_mistral))


def test_an_adapted_output_layer(tiny_llama: Path, tmp_path: Path) -> None:
    """vLLM would leave it out; merged it is right where the layer is its own, and refused where it is the embedding too."""
    untied = copied(tiny_llama, tmp_path / "untied", tie_word_embeddings=False)
    from transformers import AutoModelForCausalLM

    AutoModelForCausalLM.from_pretrained(untied, dtype=torch.float32).save_pretrained(untied)
    run = train(untied, tmp_path / "run", targets=["q_proj", "lm_head"])
    with pytest.raises(ModelError, match=r"lm_head.*vLLM leaves out"):
        export(run, "vllm", tmp_path / "out")
    forms: tuple[Form, ...] = ("merged", "gguf")
    assert all(export(run, form, tmp_path / form).parity.tokens for form in forms)
    tied = train(tiny_llama, tmp_path / "tied", targets=["q_proj", "lm_head"])
    with pytest.raises(ModelError, match=r"embedding of .* too"):
        export(tied, "merged", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form", ["merged", "vllm"])
def test_kinds_of_adapter_that_a_form_cannot_hold(form: Form, tiny_llama: Path, tmp_path: Path) -> None:
    run = train(tiny_llama, tmp_path / "run", rank_pattern={"q_proj": 2})
    with pytest.raises(ModelError, match="rank_pattern"):
        export(run, form, tmp_path / "out")


def test_unfinished_training_and_a_taken_place(tiny_llama: Path, tmp_path: Path) -> None:
    (tmp_path / "begun" / "checkpoints").mkdir(parents=True)
    with pytest.raises(ModelError, match="hasn't finished"):
        export(tmp_path / "begun", "vllm", tmp_path / "out")
    run = train(tiny_llama, tmp_path / "run")
    export(run / "adapter", "vllm", tmp_path / "out")
    with pytest.raises(ConfigError, match="already there"):
        export(run, "vllm", tmp_path / "out")


@pytest.mark.parametrize("form", ["merged", "gguf"])
def test_an_export_that_says_something_else_is_not_kept(
    form: Form, tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here the update is forgotten."""
    run = train(tiny_llama, tmp_path / "run", std=0.5)
    nothing = train(tiny_llama, tmp_path / "nothing", std=0.0)

    def forgets(base: Any, adapter: Path, folder: Path, progress: Callable[..., None]) -> None:
        merge_adapter(base, nothing / "adapter", folder, progress)

    monkeypatch.setattr(export_job, "merge_adapter", forgets)
    with pytest.raises(MedasstError, match="isn't what was trained, nothing was kept"):
        export(run, form, tmp_path / "exports" / "out")
    assert not list((tmp_path / "exports").iterdir())


def test_a_template_that_makes_another_prompt_is_not_kept(
    tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_job, "exported_template", lambda renderer: renderer.template + "?")
    with pytest.raises(MedasstError, match="another prompt"):
        export(train(tiny_llama, tmp_path / "run"), "gguf", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_answers_may_part_only_at_a_tie_and_end_alike(tiny_llama: Path) -> None:
    renderer = Renderer.from_folder(tiny_llama)
    end = min(renderer.stop_ids)

    def held(right: list[Step], mine: list[Step], tolerance: float = 0.1) -> Parity:
        count = len(probes())
        return compare(
            [right] * count, [mine] * count, renderer.prompt, renderer=renderer, template=renderer, tolerance=tolerance
        )

    tie = [Step(5, {5: -0.7, 6: -0.75})], [Step(6, {5: -0.74, 6: -0.71})]
    assert held(*tie).ties == 6 and held(*tie).tokens == 0
    with pytest.raises(MedasstError, match="part at token 1"):
        held([Step(5, {5: -0.1, 6: -2.0})], [Step(6, {5: -0.15, 6: -0.14})])
    with pytest.raises(MedasstError, match=r"up to 0\.2"):
        held([Step(5, {5: -0.1})], [Step(5, {5: -0.3})])
    with pytest.raises(MedasstError, match="up to inf"):
        held([Step(5, {5: -0.1, 7: -3.0})], [Step(5, {5: -0.1})])
    ended = [Step(5, {5: -0.1}), Step(end, {end: -0.1})]
    assert held(ended, ended[:1]).tokens == 6
    with pytest.raises(MedasstError, match="has 2 tokens"):
        held([*ended[:1], Step(5, {5: -0.1})], ended[:1])


def test_the_command(tiny_llama: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = train(tiny_llama, tmp_path / "run")
    out = tmp_path / "out"
    assert cli.main(["export", str(run), "--to", "vllm", "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert printed.out.strip() == str(out)
    assert "log-probabilities within" in printed.err and f"--max-lora-rank 8 --lora-modules tuned={out}" in printed.err
    assert cli.main(["export", str(tmp_path), "--to", "vllm", "--out", str(tmp_path / "x")]) == 2
