"""Which encoding a text file is in, told by its bytes."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from typing import IO

from medasst.data.packed import DAMAGED, told_by_disk

HEAD = 65_536  # bytes by which the form of a text file is told
_ASCII = re.compile(r"[\x00-\x7f]+")


def sniffed(opened: Callable[[], IO[bytes]]) -> tuple[str, str]:
    """The encoding ("" if it is none of ours) and the beginning of the text."""
    head = sample = b""
    with opened() as file:
        try:
            # Escaped JSON may begin with megabytes of ASCII: judge by what isn't.
            while len(sample) < 1_000_000 and (part := file.read(HEAD)):
                head = head or part
                if sample or not part.isascii() or b"\0" in part[:1000]:
                    sample += part
        except DAMAGED as error:
            if told_by_disk(error):
                raise
            # Judge by what there is; reading it reports the damage.
    encoding = _encoding(sample)
    return encoding, head.decode(encoding or "utf-8", "replace").lstrip("\ufeff")


def _encoding(sample: bytes) -> str:
    if sample[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}:
        return "utf-16"
    if wide := _utf_16_without_mark(sample[:4000]):
        return wide
    text = codecs.getincrementaldecoder("utf-8-sig")("replace").decode(sample, final=False)
    lost = text.count("\ufffd")
    if not lost or lost < 0.1 * len(_beyond_ascii(text)):  # a few stray bytes are broken records, not another encoding
        return "utf-8-sig"
    if _is_chinese(sample.decode("gb18030", "replace")):
        return "gb18030"
    return "utf-8-sig" if lost < 20 else ""


def _utf_16_without_mark(sample: bytes) -> str:
    """Digits, line ends and Latin letters have a zero byte beside them, few others (一) hold one; other texts have none."""
    low, high = sample[1::2].count(0), sample[::2].count(0)
    if max(low, high) < max(0.02 * len(sample), 1) or min(low, high) > 0.5 * max(low, high):
        return ""
    return "utf-16-le" if low > high else "utf-16-be"


def _is_chinese(text: str) -> bool:
    """Whether most characters are common ones: almost any bytes decode as GB18030, Big5 and Shift-JIS too."""
    seen = _beyond_ascii(text)[:20_000]
    common = seen.encode("gb2312", "ignore")[::2]  # first bytes: those below D8 are punctuation and the 3,755 commonest
    return sum(byte < 0xD8 for byte in common) > 0.55 * len(seen)


def _beyond_ascii(text: str) -> str:
    return "".join(_ASCII.split(text))
