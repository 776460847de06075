"""Bases and adapters: finding, fingerprints, files in and out, and llama.cpp's form of both."""

from medasst.cache import cache_dir
from medasst.weights.adapter import (
    AdapterInfo,
    adapted_modules,
    check_adapter,
    check_rendering,
    odd_parts,
    read_adapter,
    save_adapter,
)
from medasst.weights.architecture import architecture, published
from medasst.weights.bases import EMBEDDED, Base, find_base, fingerprint, is_embedded, is_here, terms_notice, tokenizer_folder
from medasst.weights.llama_cpp import adapter_to_gguf, base_to_gguf, write_gguf
from medasst.weights.merge import merge_adapter, stored_type

__all__ = [
    "EMBEDDED",
    "AdapterInfo",
    "Base",
    "adapted_modules",
    "adapter_to_gguf",
    "architecture",
    "base_to_gguf",
    "cache_dir",
    "check_adapter",
    "check_rendering",
    "find_base",
    "fingerprint",
    "is_embedded",
    "is_here",
    "merge_adapter",
    "odd_parts",
    "published",
    "read_adapter",
    "save_adapter",
    "stored_type",
    "terms_notice",
    "tokenizer_folder",
    "write_gguf",
]
