"""One export: written beside its name, held against training's model, and only then given its name."""

from __future__ import annotations

import gc
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from medasst import __version__
from medasst.disk import file_sha256, write_json, written_whole
from medasst.errors import ConfigError, DependencyError, MedasstError, ModelError
from medasst.export.parity import Parity, compare, traces
from medasst.models.base import Step
from medasst.progress import Progress, silent
from medasst.render import Renderer, exported_template
from medasst.weights import (
    AdapterInfo,
    Base,
    adapted_modules,
    check_adapter,
    check_rendering,
    find_base,
    merge_adapter,
    odd_parts,
    read_adapter,
    stored_type,
    write_gguf,
)

Form = Literal["merged", "gguf", "vllm"]
FORMS: tuple[Form, ...] = get_args(Form)
GGUF_FILE = "model.gguf"
ABOUT_FILE = "export.json"

# In nats, by what the weights are stored as. docs/training.md has what was measured. Rounding W + B·A to 16 bits is most of it;
# llama.cpp keeps keys and values in float16.
_TOLERANCES: dict[Form, dict[str, float]] = {
    "merged": {"F32": 1e-3, "F16": 0.03, "BF16": 0.15},
    "gguf": {"F32": 0.1, "F16": 0.15, "BF16": 0.3},
    "vllm": dict.fromkeys(("F32", "F16", "BF16"), 1e-4),
}
_TOKENIZER = ("tokenizer.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "tokenizer.model")
_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # that vLLM's --max-lora-rank takes
_CONTEXT = 2048  # tokens that the check's longest prompt and answer may take in llama.cpp


@dataclass(frozen=True)
class ExportResult:
    """Where an export lies, how near it came, and how it is run."""

    form: Form
    out: Path
    base: str
    parity: Parity
    command: str

    def summary(self) -> str:
        """Two lines: what was checked, how it is run."""
        return f"{self.form} of an adapter for {self.base}: {self.parity}\nrun it with: {self.command}"


class _Parts(NamedTuple):
    """What an export is made of. `template`: the chat template for other engines."""

    base: Base
    adapter: AdapterInfo
    renderer: Renderer
    template: str


def export(run: Path, form: Form, out: Path, *, base: str | None = None, progress: Progress = silent) -> ExportResult:
    """Write what another engine runs of a trained adapter, and hold it against the base with the adapter, in float32.

    Nothing is left in `out` where it fails. The check loads the model in float32: four bytes a parameter.

    Args:
        run: a finished run of training, or an adapter's folder.
        form: "merged" (safetensors with the update added), "gguf" (the same for llama.cpp), "vllm" (the adapter apart).
        out: a folder that isn't there yet, or an empty one.
        base: where the adapter's base is now, if it isn't where it was trained.

    Raises:
        ConfigError: `out` is taken.
        ModelError: no adapter, another base, or a kind of adapter that the form can't hold.
        MedasstError: the export isn't what was trained; or no disk space.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out}: already there; give another --out, or delete it")
    parts = _parts(run, base, progress)
    _check_form(parts, form)
    kind = stored_type(parts.base)
    tolerance = _TOLERANCES[form][kind]
    with written_whole(out) as unfinished:
        unfinished.mkdir()
        _WRITERS[form](parts, unfinished, progress)
        try:
            parity = _check(parts, form, unfinished, tolerance, progress)
        except MedasstError as error:
            raise type(error)(f"the {form} export isn't what was trained, nothing was kept: {error}") from error
        command = _command(parts, form, out)
        about = {
            "form": form,
            "base": parts.base.name,
            "base_fingerprint": parts.base.fingerprint,
            "adapter_sha256": file_sha256(parts.adapter.folder / "adapter_model.safetensors"),
            "rendering_sha256": parts.renderer.sha256,
            "template": parts.renderer.kind,
            "weights": kind,
            "parity": asdict(parity),
            "command": command,
            "medasst": __version__,
        }
        write_json(unfinished / ABOUT_FILE, about)
    return ExportResult(form, out, parts.base.name, parity, command)


def _parts(run: Path, base: str | None, progress: Progress) -> _Parts:
    folder = run / "adapter" if (run / "adapter").is_dir() else run
    if folder == run and (run / "checkpoints").is_dir():
        raise ModelError(f"{run}: training hasn't finished there; give its command again, it goes on")
    info = read_adapter(folder)
    if not (name := base or info.base):
        raise ModelError(f"{folder}: doesn't say which base it was made for; name it with --base")
    found = find_base(name, progress)
    info = check_adapter(folder, found)
    renderer = Renderer.from_folder(found.folder, info.template)
    check_rendering(info, renderer)
    return _Parts(found, info, renderer, exported_template(renderer))


def _check_form(parts: _Parts, form: Form) -> None:
    """Raises ModelError where the engine of a form would leave out a part of the adapter."""
    if form != "vllm":
        return
    folder = parts.adapter.folder
    if odd := odd_parts(folder):
        raise ModelError(f"{folder}: vLLM can't hold an adapter with {', '.join(odd)}; use --to merged")
    if "lm_head" in adapted_modules(folder):
        raise ModelError(
            f"{folder}: changes the output layer (lm_head), which vLLM leaves out of a prompt's log-probabilities "
            "(vllm-project/vllm#51594); use --to merged, or train without lm_head among lora.targets"
        )
    if parts.adapter.r > _RANKS[-1]:
        raise ModelError(f"{folder}: of rank {parts.adapter.r}, vLLM takes {_RANKS[-1]} at most; use --to merged")


def _write_merged(parts: _Parts, folder: Path, progress: Progress) -> None:
    merge_adapter(parts.base, parts.adapter.folder, folder, progress)
    shutil.copyfile(parts.base.folder / "config.json", folder / "config.json")
    _describe(parts, folder)


def _write_gguf(parts: _Parts, folder: Path, progress: Progress) -> None:
    merged = folder / "merged"
    merged.mkdir()
    _write_merged(parts, merged, progress)
    progress("writing GGUF", 0)
    write_gguf(replace(parts.base, folder=merged, gguf=None), folder / GGUF_FILE, parts.renderer.turn_end)
    shutil.rmtree(merged)
    _describe(parts, folder)


def _write_vllm(parts: _Parts, folder: Path, _progress: Progress) -> None:
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        shutil.copyfile(parts.adapter.folder / name, folder / name)
    _describe(parts, folder)


_WRITERS: dict[Form, Callable[[_Parts, Path, Progress], None]] = {
    "merged": _write_merged,
    "gguf": _write_gguf,
    "vllm": _write_vllm,
}


def _describe(parts: _Parts, folder: Path) -> None:
    """Write tokenizer, chat template, generation settings, and the notice that has to lie beside."""
    base, renderer = parts.base, parts.renderer
    for name in _TOKENIZER:
        if (base.folder / name).is_file():
            shutil.copyfile(base.folder / name, folder / name)
    config: dict[str, Any] = json.loads((base.folder / "tokenizer_config.json").read_text("utf-8"))
    config.pop("chat_template", None)  # it has a file of its own
    write_json(folder / "tokenizer_config.json", config | {"add_bos_token": bool(renderer.bos)})
    (folder / "chat_template.jinja").write_text(parts.template, "utf-8")
    write_json(folder / "generation_config.json", _generation(renderer))
    if base.notice:
        (folder / "NOTICE").write_text(base.notice, "utf-8")


def _generation(renderer: Renderer) -> dict[str, Any]:
    """Greedy, as training's samples are, and every id that ends an answer."""
    ids = {f"{name}_token_id": renderer.special.get(f"{name}_token") for name in ("bos", "pad")}
    known = {name: renderer.tokenizer.token_to_id(text) for name, text in ids.items() if text}
    return {**known, "eos_token_id": sorted(renderer.stop_ids), "do_sample": False}


def _check(parts: _Parts, form: Form, folder: Path, tolerance: float, progress: Progress) -> Parity:
    try:
        from medasst.models.local import LocalModel, load, prompt_maker
    except ModuleNotFoundError as error:
        raise DependencyError(error.name or "torch", "train") from error
    base, renderer = parts.base, parts.renderer
    template = Renderer.from_folder(folder, "chat")
    hold = partial(compare, renderer=renderer, template=template, tolerance=tolerance)

    def answers(model_folder: Path, adapter: Path | None) -> list[list[Step]]:
        found = traces(LocalModel(load(model_folder, adapter, exact=True), renderer), renderer)
        gc.collect()  # before the next one is loaded
        return found

    progress("asking what was trained", 0)
    reference = answers(base.folder, parts.adapter.folder)
    progress("asking the export", 0)
    if form == "gguf":
        from medasst.models.llama_cpp import LlamaCppModel

        model = LlamaCppModel(folder / GGUF_FILE, renderer, name="llama.cpp", parallel=1, context=_CONTEXT)
        try:
            return hold(reference, traces(model, renderer), model.prompt_ids)
        finally:
            model.close()
    found = answers(folder, None) if form == "merged" else answers(base.folder, folder)
    return hold(reference, found, prompt_maker(folder))


def _command(parts: _Parts, form: Form, out: Path) -> str:
    """How an export is run."""
    place = out.resolve()
    if form == "merged":
        return f"vllm serve {place}"
    if form == "gguf":
        return f"llama-server --model {place / GGUF_FILE} --jinja"
    hub_id = "/" in parts.base.name and not Path(parts.base.name).is_dir()
    base = parts.base.name if hub_id else parts.base.folder
    rank = next(rank for rank in _RANKS if rank >= parts.adapter.r)
    return (
        f"vllm serve {base} --enable-lora --max-lora-rank {rank} --lora-modules tuned={place} "
        f"--chat-template {place / 'chat_template.jinja'} --generation-config {place}"
    )
