"""A record as it stands in a file, and what every reader of text needs: lines of bounded length, places passed over."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import IO, NamedTuple

from medasst.conversation import JSON

LONGEST = 1_000_000  # characters of one record; a longer one is set aside, not loaded
# A turn of a written-down dialogue begins so. Who speaks is the layouts' business.
TURN = re.compile(
    r"^\s*(病人|患者|用户|顾客|医生|医师|药师|客服|助手|问|答|[Pp]atient|[Dd]octor|[Uu]ser|[Aa]ssistant|Human|Q|A)\s*[:：]\s*",
    re.MULTILINE,
)
SYSTEM = ("system", "system_prompt", "system_message")  # fields beside the turns, of a row or of a document around all rows
Knows = Callable[[Iterable[str]], bool]  # whether fields of these names, and maybe others, make a record


class Row(NamedTuple):
    """One record as it stands in a file. `error` says why it has no value, or one that UTF-8 can't write; `raw` is then what
    could be read of it.

    `part` is the file inside an archive, or the sheet of a workbook, where there are several.
    """

    line: int
    value: JSON = None
    error: str = ""
    raw: str = ""
    part: str = ""


class Skip:
    """How many rows are still to be passed over, because a run before has them, and the line of the last one passed."""

    def __init__(self, left: int = 0) -> None:
        self.left, self.line = left, 0


class Lines:
    """Lines of bounded length. What a line has beyond `LONGEST` characters is passed over; `cut` then says so."""

    def __init__(self, text: IO[str]) -> None:
        self._text, self.cut = text, False

    def __iter__(self) -> Iterator[str]:
        while line := self._text.readline(LONGEST):
            if len(line) == LONGEST and not line.endswith("\n"):
                self.cut = True
                while (part := self._text.readline(LONGEST)) and not part.endswith("\n"):
                    pass
                # Without quotation marks a table's cut row ends here.
                line = line.replace('"', "") + "\n"
            yield line


def too_long(line: int, raw: str) -> Row:
    """The row of a record that is over the limit."""
    return Row(line, error=f"too_long: one record of more than {LONGEST:,} characters; split it or leave it out", raw=raw[:200])
