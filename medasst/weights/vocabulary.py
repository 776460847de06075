"""A tokenizer.json as the vocabulary of a GGUF file.

Our prompts reach llama.cpp as ids, so its own tokenizer is only a guest here; what it says of a token's text must be right.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medasst.errors import ModelError

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6

# llama.cpp's names of the ways to split text before byte-level BPE, by a mark of the pre-tokenizer in tokenizer.json.
_SPLITS = {"individual_digits": "smollm", r"\\p{N}{1,3}": "llama-bpe", r"\\p{N}": "qwen2"}


def add_vocabulary(writer: Any, folder: Path, size: int, turn_ends: Sequence[str]) -> None:
    """Write tokens, merges or scores, special ids and the chat template.

    Args:
        size: rows of the model's embedding; ids without a token become unused ones.
        turn_ends: tokens that end a turn; the first of them that there is, is named as such.

    Raises:
        ModelError: a tokenizer that is not BPE.
    """
    data = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    config = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    model = data["model"]
    if model.get("type") != "BPE":
        raise ModelError(f"{folder}: a tokenizer of type {model.get('type')}; only BPE is supported for llama.cpp")
    tokens = [f"[PAD{i}]" for i in range(size)]
    kinds = [UNUSED] * size
    for token, i in model["vocab"].items():
        tokens[i], kinds[i] = token, NORMAL
    for added in data["added_tokens"]:
        if added["id"] < size:
            tokens[added["id"]], kinds[added["id"]] = added["content"], CONTROL if added["special"] else USER_DEFINED
    if model.get("byte_fallback"):
        _add_sentencepiece(writer, tokens, kinds, model)
        writer.add_add_space_prefix(_puts_a_blank_first(data, adds_bos=bool(config.get("add_bos_token"))))
    else:
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(_split(json.dumps(data.get("pre_tokenizer"))))
        writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in model["merges"]])
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    _add_special(writer, tokens, config)
    if end := next((token for token in turn_ends if token in tokens), ""):
        writer.add_eot_token_id(tokens.index(end))
    template = folder / "chat_template.jinja"
    text = template.read_text("utf-8") if template.is_file() else config.get("chat_template")
    if isinstance(text, str):
        writer.add_chat_template(text)


def _add_sentencepiece(writer: Any, tokens: list[str], kinds: list[int], model: dict[str, Any]) -> None:
    for i, token in enumerate(tokens):
        if len(token) == 6 and token.startswith("<0x"):
            kinds[i] = BYTE
        elif token == model.get("unk_token"):
            kinds[i] = UNKNOWN
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_scores([-float(i) for i in range(len(tokens))])  # earlier tokens merge first


def _puts_a_blank_first(data: dict[str, Any], *, adds_bos: bool) -> bool:
    """Whether a tokenizer begins a text with a blank of its own, BOS before it or not."""
    pre_tokenizer = data.get("pre_tokenizer") or {}
    if pre_tokenizer.get("type") == "Metaspace":
        scheme = pre_tokenizer.get("prepend_scheme", "always")
        return bool(scheme == "always" or (scheme == "first" and not adds_bos))
    return '"Prepend"' in json.dumps(data.get("normalizer"))


def _add_special(writer: Any, tokens: list[str], config: dict[str, Any]) -> None:
    places = {token: i for i, token in enumerate(tokens)}
    adders = {"bos": "add_bos_token_id", "eos": "add_eos_token_id", "unk": "add_unk_token_id", "pad": "add_pad_token_id"}
    for name, add in adders.items():
        token = config.get(f"{name}_token")
        token = token["content"] if isinstance(token, dict) else token
        if token in places:
            getattr(writer, add)(places[token])
    writer.add_add_bos_token(bool(config.get("add_bos_token", False)))


def _split(pre_tokenizer: str) -> str:
    return next((name for mark, name in _SPLITS.items() if mark in pre_tokenizer), "default")
