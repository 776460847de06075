"""A base in one GGUF file → the folder that transformers and the renderer read. Needs no torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from medasst.errors import ModelError
from medasst.weights.names import Layout
from medasst.weights.tensors import Array, Gguf, GgufTensor, dequantised, read_gguf, write_safetensors

CONTROL, USER_DEFINED = 3, 4  # GGUF's kinds of tokens that are matched whole


def convert(source: Path, folder: Path, config: Mapping[str, Any]) -> None:
    """Write `config.json`, `model.safetensors` (float32, the exact dequantised values) and the tokenizer into `folder`.

    Args:
        source: the GGUF file.
        config: transformers' configuration of the model.

    Raises:
        ModelError: the file doesn't hold the model that `config` describes.
    """
    file = read_gguf(source)
    layout = Layout.of(config)
    if file.metadata.get("general.architecture") != layout.architecture:
        raise ModelError(f"{source}: holds a {file.metadata.get('general.architecture')} model, not {layout.architecture}")
    write_safetensors(folder / "model.safetensors", _named(file, layout, config, source))
    _write_json(folder / "config.json", config)
    tokenizer, about = build_tokenizer(file.metadata)
    tokenizer.save(str(folder / "tokenizer.json"))
    _write_json(folder / "tokenizer_config.json", about)


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", "utf-8")


def _named(
    file: Gguf, layout: Layout, config: Mapping[str, Any], source: Path
) -> Iterable[tuple[str, tuple[int, ...], Callable[[], Iterable[Array]]]]:
    known = {layout.gguf_name(name): name for name in layout.hf_names(config["num_hidden_layers"])}
    if config.get("tie_word_embeddings"):
        known.pop("output.weight", None)
    stored = {tensor.name: tensor for tensor in file.tensors}
    if stored.keys() != known.keys():
        odd = sorted(stored.keys() ^ known.keys())
        raise ModelError(
            f"{source}: {len(odd)} tensors are missing or unknown, e.g. {odd[0]!r}; the file or its description is wrong"
        )
    for name, hf_name in known.items():
        yield hf_name, stored[name].shape, partial(_values, layout, hf_name, stored[name])


def _values(layout: Layout, name: str, tensor: GgufTensor) -> Iterable[Array]:
    if name == "model.embed_tokens.weight":  # most of a small model: never whole in memory
        return dequantised(tensor)
    return [layout.from_gguf(name, np.concatenate(list(dequantised(tensor))))]


def build_tokenizer(metadata: Mapping[str, Any]) -> tuple[Tokenizer, dict[str, Any]]:
    """The tokenizer that a GGUF file's metadata describes, and its `tokenizer_config.json`.

    Raises:
        ModelError: neither Gemma's SentencePiece vocabulary nor SmolLM's byte-level one.
    """
    get = partial(_get, metadata)
    match get("model"), metadata["general.architecture"], get("pre"):
        case "llama", "gemma3", _:
            tokenizer = _gemma(get("tokens"), get("tokens")[get("unknown_token_id")])
        case "gpt2", _, "smollm":
            tokenizer = _smollm(get("tokens"), get("merges"))
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
    special = {f"{name}_token": tokens[get(key)] for name, key in names.items()}
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


def _smollm(tokens: list[str], merges: list[str]) -> Tokenizer:
    left_right = [(a, b) for a, _, b in (merge.partition(" ") for merge in merges)]
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, left_right))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer
