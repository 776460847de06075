"""Texts on their way out and in: ids that come one by one → text that may leave; what no template may take for its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

# <|im_end|>, </s>, <start_of_turn>, <<SYS>>, [INST]: the first character of what may be a control token of some vocabulary.
_MARK = re.compile(r"<(?=[|｜]|<?/?[A-Za-z_][\w▁:-]{0,60}>)|\[(?=[|｜]|/?[A-Za-z]*[A-Z_]{3,}[A-Z_0-9]*\])")


def harmless(text: str) -> str:
    """The text with a blank after the first character of whatever looks like a control token: nobody else's template, whose
    vocabulary we don't know, can read one in it."""
    return _MARK.sub(lambda match: f"{match[0]} ", text)


def cut_at(text: str, stops: Sequence[str]) -> tuple[str, bool]:
    """`text` before the first stop text, and whether there was one."""
    end = min((i for stop in stops if (i := text.find(stop)) >= 0), default=-1)
    return (text, False) if end < 0 else (text[:end], True)


class TextStream:
    """Decodes growing ids. A character cut in two waits for its rest, a beginning stop text for its end.

    Args:
        decode: ids → text.
        stops: texts that end the answer.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str], stops: Sequence[str] = ()) -> None:
        self.ids: list[int] = []
        self.stopped = False
        self._decode, self._stops, self._sent = decode, stops, 0

    def push(self, ids: Sequence[int]) -> str:
        """Take ids; return what may leave now."""
        self.ids += ids
        text = self._decode(self.ids)
        if text.endswith("\ufffd"):
            return ""
        return self._advance(text, hold=True)

    def end(self) -> str:
        """What was held back."""
        return self._advance(self._decode(self.ids), hold=False)

    def _advance(self, text: str, *, hold: bool) -> str:
        if self.stopped:
            return ""
        text, self.stopped = cut_at(text, self._stops)
        end = len(text)
        if hold and not self.stopped:
            end -= max((n for stop in self._stops for n in range(1, len(stop)) if text.endswith(stop[:n])), default=0)
        piece = text[self._sent : end]
        self._sent = max(self._sent, end)
        return piece
