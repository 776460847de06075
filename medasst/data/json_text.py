"""JSON as a stream: a value a line, arrays, values that follow each other; no more than one value is held at a time."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from typing import IO

from medasst.conversation import JSON
from medasst.data import rows
from medasst.data.rows import Lines, Row, Skip, too_long

_NEXT_OBJECT = re.compile(r"\}\s*,?\s*(?=\{)")
_ARRAY = re.compile(r'\[(?!\s*")')  # a list of texts is one record: the turns of a dialogue
_BLANK = re.compile(r"[ \t\r\n,\ufeff]*")
_HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]")
_NO_COMMA = re.compile(r"\}\s+\{")  # numpy prints lists of objects so
_TURN_FIELDS = {"role", "from", "speaker", "content", "value", "utterance", "sentence", "human", "user", "assistant", "text"}


def loose(text: str) -> JSON:
    """The value of a JSON text, or of one as Python prints it: with single quotes, True and None. Raises ValueError."""
    text = text.strip().strip("\ufeff").strip()
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        if not text.startswith(("{", "[")):
            raise ValueError(str(error)) from error
        for attempt in (text, text.rstrip(","), _NO_COMMA.sub("}, {", text)):
            try:
                value = ast.literal_eval(attempt)
                plain = json.loads(json.dumps(value))  # tuples become lists
            except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
                continue
            if not isinstance(value, tuple):  # {…}, {…} is no value
                return plain
        raise ValueError(str(error)) from error


def lines(text: IO[str], skip: Skip) -> Iterator[Row]:
    """A value on each line; a line that holds a list of records gives each of them."""
    numbered = Lines(text)
    for number, line in enumerate(numbered, 1):
        if line.isspace():
            continue
        if skip.left and line.startswith("{"):  # what begins otherwise may be a list of several records
            numbered.cut = False
            skip.left, skip.line = skip.left - 1, number
            continue
        if numbered.cut:
            numbered.cut = False
            yield too_long(number, line)
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            try:
                value = loose(line)
            except ValueError as error:
                yield Row(number, error=f"not_json: {error}; a line must hold one whole JSON value", raw=line.strip()[:2000])
                continue
        if isinstance(value, list) and value and is_table_row(value[0]):
            yield from (_checked(number, each, line) for each in value)
        else:
            yield _checked(number, value, line)


def is_table_row(value: JSON) -> bool:
    """Whether a value may be a record: an object that is no turn."""
    return isinstance(value, dict) and not is_turn(value)


def is_turn(value: JSON) -> bool:
    """Whether an object is a turn of a dialogue and no record."""
    return isinstance(value, Mapping) and bool(_TURN_FIELDS & {str(name).lower() for name in value}) and len(value) <= 8


def _checked(line: int, value: JSON, text: str) -> Row:
    """The row, unless its text can't be written: JSON may hold one half of an escaped surrogate pair."""
    if _HALF_PAIR.search(text):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            return Row(
                line, value, error="broken_encoding: half of a \\ud… pair; the character was cut in two", raw=text[:2000]
            )
    return Row(line, value)


def values(text: IO[str]) -> Iterator[Row]:
    """The elements of arrays, and values that follow each other over many lines."""
    buffer = Buffer(text)
    while True:
        buffer.skip()
        if buffer.ended:
            return
        if _ARRAY.match(buffer.held, buffer.at):
            buffer.at += 1
            yield from buffer.elements()
        elif buffer.held[buffer.at] in '[{"':
            yield buffer.value()
        else:
            problem = "not_json: text after the end of the array or value; put one value on each line"
            yield Row(buffer.line, error=problem, raw=buffer.held[buffer.at :][:2000])
            return
        if buffer.lost:
            return


class Buffer:
    """What is held of a stream of JSON values: `held[at:]` is yet to be read, and begins on `line`.

    `lost` says, once it is so, why nothing after this place can be understood, `told` whether a row has said so.
    """

    def __init__(self, text: IO[str]) -> None:
        self._text, self.held, self.at, self.line = text, "", 0, 1
        self._read_all, self.lost, self.told = False, "", False
        self._scan = json.JSONDecoder().raw_decode

    @property
    def ended(self) -> bool:
        """Whether nothing is left, after `skip`."""
        return self.at == len(self.held) and self._read_all

    def _more(self) -> None:
        # Double what is held, so that a long element costs linear time.
        rest = self.held[self.at :]
        part = self._text.read(max(1 << 18, len(rest)))
        self._read_all = not part
        self.held, self.at = rest + part, 0

    def _pass(self, end: int) -> None:
        self.line += self.held.count("\n", self.at, end)
        self.at = end

    def skip(self) -> None:
        """Go to the next value or bracket."""
        while True:
            match = _BLANK.match(self.held, self.at)
            self._pass(match.end() if match else self.at)
            if self.at < len(self.held) or self._read_all:
                return
            self._more()

    def whole(self) -> Row | None:
        """The next value, passed over; None where it isn't valid or is over the limit."""
        while True:
            try:
                value, end = self._scan(self.held, self.at)
            except (ValueError, RecursionError):
                end = 0
            if end and (end < len(self.held) or self._read_all):
                row = _checked(self.line, value, self.held[self.at : end])
                self._pass(end)
                return row
            if self._read_all or len(self.held) - self.at > rows.LONGEST:
                return None
            self._more()

    def value(self) -> Row:
        """The next value, or what was wrong with it; then the place is before the next object, or all is `lost`."""
        if (row := self.whole()) is not None:
            return row
        after = _NEXT_OBJECT.search(self.held, self.at)
        if not after and not self._read_all:
            row = too_long(self.line, self.held[self.at : self.at + 200])
            while not after and not self._read_all:
                self._pass(max(self.at, len(self.held) - 100))  # the brackets may stand across two parts
                self._more()
                after = _NEXT_OBJECT.search(self.held, self.at)
        else:
            end = after.end() if after else self.at + 2000
            problem = "not_json: this element is not valid JSON" + ("" if after else "; what follows it is lost")
            row = Row(self.line, error=problem, raw=self.held[self.at : end][:2000])
        if after:
            self._pass(after.end())
        else:
            self.lost, self.told = row.error, True
        return row

    def opens(self, bracket: str) -> bool:
        """Whether a list or an object begins here; it is entered."""
        self.skip()
        found = self.held.startswith(bracket, self.at)
        self.at += found
        return found

    def _closes(self, bracket: str) -> bool:
        """Whether the list or object ends here, or all is lost; it is left."""
        self.skip()
        if self.ended and not self.lost:
            kind = "array" if bracket == "]" else "object"
            self.lost = f"not_json: the {kind} is not closed; the file is truncated, fetch it again"
        found = self.held.startswith(bracket, self.at)
        self.at += found
        return found or bool(self.lost)

    def elements(self) -> Iterator[Row]:
        """The elements of the array that was entered; where its end is missing, a last row says so."""
        while not self._closes("]"):
            yield self.value()
        if self.lost and not self.told:
            self.told = True
            yield Row(self.line, error=self.lost)

    def members(self) -> Iterator[str]:
        """The names of the object that was entered; the value of each must be taken before the next."""
        while not self._closes("}"):
            row = self.whole()
            self.skip()
            if row is None or not isinstance(row.value, str) or not self.held.startswith(":", self.at):
                self.lost = "not_json: a name and a colon should stand here; what follows is lost"
                return
            self.at += 1
            self.skip()
            yield row.value
