"""A base in one GGUF file → the folder that transformers and the renderer read. Needs no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from medasst.disk import write_json
from medasst.errors import ModelError
from medasst.weights.names import TensorMap
from medasst.weights.tensors import Array, Gguf, GgufTensor, Output, dequantised, read_gguf, write_safetensors

CONTROL, USER_DEFINED, UNUSED = 3, 4, 5  # GGUF's kinds of tokens: the first two are matched whole, the last never come up
# Qwen2's way to cut text into words, as its own tokenizer.json has it.
_QWEN2_SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def add_description(source: Path, folder: Path, config: Mapping[str, Any]) -> None:
    """Write `config.json` and the tokenizer of a GGUF file into `folder`: all that llama.cpp's engine needs beside the file.

    Raises:
        ModelError: the file holds a model of another architecture.
    """
    metadata = read_gguf(source).metadata
    architecture = TensorMap.of(config).family.architecture
    if metadata.get("general.architecture") != architecture:
        raise ModelError(f"{source}: holds a {metadata.get('general.architecture')} model, not {architecture}")
    write_json(folder / "config.json", config)
    tokenizer, about = build_tokenizer(metadata)
    tokenizer.save(str(folder / "tokenizer.json"))
    write_json(folder / "tokenizer_config.json", about)


def add_weights(source: Path, target: Path, config: Mapping[str, Any]) -> None:
    """Write a GGUF file's tensors to the safetensors file `target`: float32, the exact dequantised values.

    Raises:
        ModelError: the file doesn't hold the tensors that `config` describes.
    """
    write_safetensors(target, _named(read_gguf(source), TensorMap.of(config), config, source))


def _named(file: Gguf, tensors: TensorMap, config: Mapping[str, Any], source: Path) -> Iterable[Output]:
    known = {tensors.gguf_name(name): name for name in tensors.family.tensors(config["num_hidden_layers"])}
    stored = {tensor.name: tensor for tensor in file.tensors}
    if config.get("tie_word_embeddings"):
        known.pop("output.weight", None)
        # A file may hold the tied matrix twice, in two precisions: the output's is the finer one, and is kept.
        if (output := stored.pop("output.weight", None)) is not None:
            stored["token_embd.weight"] = output
    if stored.keys() != known.keys():
        odd = sorted(stored.keys() ^ known.keys())
        raise ModelError(
            f"{source}: {len(odd)} tensors are missing or unknown, e.g. {odd[0]!r}; the file or its description is wrong"
        )
    for name, hf_name in known.items():
        yield Output(hf_name, stored[name].shape, partial(_values, tensors, hf_name, stored[name]))


def _values(tensors: TensorMap, name: str, tensor: GgufTensor) -> Iterable[Array]:
    if name == "model.embed_tokens.weight":  # most of a small model: never whole in memory
        return dequantised(tensor)
    return [tensors.from_gguf(name, np.concatenate(list(dequantised(tensor))))]


def build_tokenizer(metadata: Mapping[str, Any]) -> tuple[Tokenizer, dict[str, Any]]:
    """The tokenizer that a GGUF file's metadata describes, and its `tokenizer_config.json`.

    Raises:
        ModelError: neither Gemma's SentencePiece vocabulary nor the byte-level one of SmolLM or Qwen2.
    """
    get = partial(_get, metadata)
    match get("model"), metadata["general.architecture"], get("pre"):
        case "llama", "gemma3", _:
            tokenizer = _gemma(get("tokens"), get("tokens")[get("unknown_token_id")])
        case "gpt2", _, "smollm":
            digits = pre_tokenizers.Digits(individual_digits=True)
            tokenizer = _byte_level(get("tokens"), get("merges"), digits, pre_tokenizers.ByteLevel(add_prefix_space=False))
        case "gpt2", _, "qwen2":
            used = [t for t, k in zip(get("tokens"), get("token_type"), strict=True) if k != UNUSED]  # the rest pads the matrix
            words = pre_tokenizers.Split(Regex(_QWEN2_SPLIT), "isolated")
            as_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
            tokenizer = _byte_level(used, get("merges"), words, as_bytes)
            tokenizer.normalizer = normalizers.NFC()
        case kind:
            raise ModelError(f"no tokenizer is known for a GGUF file with {kind}")
    tokens, kinds = get("tokens"), get("token_type")
    tokenizer.add_special_tokens(
        [AddedToken(t, normalized=False, special=True) for t, k in zip(tokens, kinds, strict=True) if k == CONTROL]
    )
    known = tokenizer.get_vocab(with_added_tokens=False)  # Gemma's runs of blanks are spelled otherwise in it
    whole = [t for t, k in zip(tokens, kinds, strict=True) if k == USER_DEFINED and t in known]
    tokenizer.add_tokens([AddedToken(t, normalized=False) for t in whole])
    names = {"bos": "bos_token_id", "eos": "eos_token_id", "unk": "unknown_token_id", "pad": "padding_token_id"}
    special = {f"{name}_token": tokens[get(key)] for name, key in names.items() if get(key) is not None}
    add_bos = bool(get("add_bos_token"))
    if add_bos:
        bos = special["bos_token"]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", pair=f"{bos} $A {bos}:1 $B:1", special_tokens=[(bos, get("bos_token_id"))]
        )
    about = {"add_bos_token": add_bos, "add_eos_token": False, **special, "tokenizer_class": "PreTrainedTokenizerFast"}
    template = metadata.get("tokenizer.chat_template")
    return tokenizer, about | ({"chat_template": template} if template else {})


def _get(metadata: Mapping[str, Any], key: str) -> Any:
    return metadata.get(f"tokenizer.ggml.{key}")


def _gemma(tokens: list[str], unknown: str) -> Tokenizer:
    # The file spells runs of blanks as blanks, the vocabulary as ▁.
    spelled = ["\u2581" * len(t) if " " in t and not t.strip() else t for t in tokens]
    vocab = {token: i for i, token in enumerate(spelled)}
    model = models.BPE(vocab, _merges(vocab), unk_token=unknown, fuse_unk=True, byte_fallback=True)
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    return tokenizer


def _merges(vocab: Mapping[str, int]) -> list[tuple[str, str]]:
    """A SentencePiece file lists no merges: every cut of a token into two tokens is one, in the tokens' order."""
    merges = []
    for token, place in vocab.items():
        cuts = ((token[:i], token[i:]) for i in range(1, len(token)))
        known = [(a, b) for a, b in cuts if a in vocab and b in vocab]
        known.sort(key=lambda pair: (vocab[pair[0]], vocab[pair[1]]))
        merges += [(place, len(a), len(b), a, b) for a, b in known]
    merges.sort(key=lambda m: (m[0], -m[1], -m[2]))
    return [(a, b) for _, _, _, a, b in merges]


def _byte_level(tokens: list[str], merges: list[str], *split: Any) -> Tokenizer:
    left_right = [(a, b) for a, _, b in (merge.partition(" ") for merge in merges)]
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, left_right))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(list(split))
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer
