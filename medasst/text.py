"""Text tools every room may use: normalising, comparison keys, sentences."""

from __future__ import annotations

import hashlib
import re
import unicodedata

# Full-width ASCII letters and digits (０-９ Ａ-Ｚ ａ-ｚ); full-width punctuation stays, it is Chinese punctuation.
_HALF_WIDTH = {wide: wide - 0xFEE0 for wide in (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))}
_WIDE = re.compile("[０-９Ａ-Ｚａ-ｚ]")
_NOT_WORD = re.compile(r"[\W_]+")
_SENTENCE = re.compile(r"[^。！？!?；;\n]*(?:[。！？!?；;]+[”’」』）)]*|\n+|$)")
_UNSEEN = {"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"}  # control, format, private use, unassigned, separators of lines


def normalise(text: str) -> str:
    """NFC, and full-width ASCII letters and digits to half width; Chinese punctuation unchanged."""
    composed = unicodedata.normalize("NFC", text)
    return composed.translate(_HALF_WIDTH) if _WIDE.search(composed) else composed  # a search costs a tenth of a translation


def comparison_key(text: str) -> str:
    """What two texts are compared by: normalised, lower case, letters, digits and Han characters only."""
    return _NOT_WORD.sub("", normalise(text).lower())


def says_nothing(text: str) -> bool:
    """Whether a text holds nothing to see: blanks, line breaks, marks without width."""
    return not any(char.isprintable() and not char.isspace() for char in text)


def bucket(text: str) -> int:
    """The split bucket, 0-9999: sha256 of the text's comparison key mod 10,000."""
    return bucket_of_key(comparison_key(text))


def bucket_of_key(key: str) -> int:
    """The split bucket of a text whose comparison key is at hand."""
    return int(hashlib.sha256(key.encode()).hexdigest(), 16) % 10_000


def sentences(text: str) -> list[str]:
    """The text cut after 。！？；, their half-width forms, and line breaks; joined again it is the text."""
    return [part for part in _SENTENCE.findall(text) if part]


def visible(text: str) -> str:
    """A text with what can't be seen, or would command a terminal, as its code: `⟨U+200B⟩`. Line breaks and tabs stay."""
    return "".join(
        f"⟨U+{ord(char):04X}⟩" if unicodedata.category(char) in _UNSEEN and char not in "\n\t" else char for char in text
    )
