"""Bases and adapters: finding, fingerprints, files in and out, and llama.cpp's form of both."""

from medasst.cache import cache_dir
from medasst.weights.adapter import AdapterInfo, check_adapter, check_rendering, read_adapter, save_adapter
from medasst.weights.architecture import architecture
from medasst.weights.bases import EMBEDDED, Base, find_base, fingerprint, is_embedded, is_here, terms_notice, tokenizer_folder
from medasst.weights.llama_cpp import adapter_to_gguf, base_to_gguf

__all__ = [
    "EMBEDDED",
    "AdapterInfo",
    "Base",
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
    "read_adapter",
    "save_adapter",
    "terms_notice",
    "tokenizer_folder",
]
