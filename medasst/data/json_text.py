"""JSON as people save it: a value a line, arrays, values that follow each other, and one object that holds all records.

Which of these a file is doesn't depend on its size, and no more than one record is held at a time.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from itertools import zip_longest
from typing import IO, NamedTuple

from medasst.conversation import JSON
from medasst.data import rows
from medasst.data.rows import SYSTEM, TURN, Knows, Lines, Row, Skip, too_long

_NEXT_OBJECT = re.compile(r"\}\s*,?\s*(?=\{)")
_ARRAY = re.compile(r'\[(?!\s*")')  # a list of texts is one record: the turns of a dialogue
_BLANK = re.compile(r"[ \t\r\n,\ufeff]*")
_HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]")
_NO_COMMA = re.compile(r"\}\s+\{")  # numpy prints lists of objects so
_TURN_FIELDS = {"role", "from", "speaker", "content", "value", "utterance", "sentence", "human", "user", "assistant", "text"}
_DEEPEST = 3  # objects around the list of records
_MEMBERS = 100  # of an object that are looked at to tell what it is


def read(opened: Callable[[], IO[str]], head: str, lines_expected: bool, knows: Knows, skip: Skip) -> Iterator[Row]:
    """The records of a text that begins with a bracket, `head` being its beginning.

    Args:
        opened: the text from its beginning, as often as wanted.
        lines_expected: the file's suffix promises one value on each line.
        knows: whether an object with fields of these names is a record.
        skip: rows to pass over cheaply where that is possible; those passed are taken off.
    """
    with closing(opened()) as text:
        form = _form(text, head, lines_expected)
    if form == "document":
        yield from _document(opened, knows)
        return
    with closing(opened()) as text:
        yield from lines(text, skip) if form == "lines" else _values(text)


def _form(text: IO[str], head: str, lines_expected: bool) -> str:
    """ "lines", "values", or "document" for one object alone."""
    buffer = _Buffer(text)
    buffer.skip()
    start = buffer.line
    first = buffer.whole()
    if first is None:
        second = head.strip().partition("\n")[2].lstrip().partition("\n")[0].rstrip()
        if (lines_expected and not _one_line(text, head)) or _is_record(second):
            return "lines"
        return "values" if buffer.held.startswith("[", buffer.at) else "document"
    end = buffer.line
    buffer.skip()
    if buffer.ended:
        return "document" if isinstance(first.value, dict) else "values"
    return "lines" if start == end < buffer.line else "values"


def _one_line(text: IO[str], head: str) -> bool:
    """Whether the rest of a text is on the line that it begins with."""
    text.seek(0)
    text.read(len(head) - len(head.lstrip()))
    while part := text.read(1 << 20):
        if "\n" in part:
            _, _, more = part.partition("\n")
            return not more.strip() and not text.read(1 << 16).strip()
    return True


def _is_record(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False


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
                json.dumps(value)
            except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
                continue
            return json.loads(json.dumps(value))  # tuples become lists
        raise ValueError(str(error)) from error


def lines(text: IO[str], skip: Skip) -> Iterator[Row]:
    """A value on each line; a line that holds a list of records gives each of them."""
    numbered = Lines(text)
    for number, line in enumerate(numbered, 1):
        if line.isspace():
            continue
        if skip.left and not line.startswith("["):
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
        if isinstance(value, list) and value and _is_table_row(value[0]):
            yield from (_checked(number, each, line) for each in value)
        else:
            yield _checked(number, value, line)


def _is_table_row(value: JSON) -> bool:
    return isinstance(value, dict) and not _is_turn(value)


def _is_turn(value: JSON) -> bool:
    """Whether an object is a turn of a dialogue and no record."""
    return isinstance(value, Mapping) and bool(_TURN_FIELDS & {str(name).lower() for name in value}) and len(value) <= 8


def _checked(line: int, value: JSON, text: str) -> Row:
    """The row, unless its text can't be written: JSON may hold one half of an escaped surrogate pair."""
    if _HALF_PAIR.search(text):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            return Row(line, error="broken_encoding: half of a \\ud… pair; the character was cut in two", raw=text[:2000])
    return Row(line, value)


def _values(text: IO[str]) -> Iterator[Row]:
    """The elements of arrays, and values that follow each other over many lines."""
    buffer = _Buffer(text)
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


class _Buffer:
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


# ---- one object that holds all records ---------------------------------------------------------------------------------

Path = tuple[str, ...]


class Shape(NamedTuple):
    """What a value of a document is, as far as needed to tell where the records are.

    `first` is the first element of a list, or the value itself where it is neither list nor object; `members` are the first of
    an object; `size` is how many elements or members there are.
    """

    kind: str  # "list", "object" or "value"
    first: JSON = None
    members: Mapping[str, Shape] = {}
    size: int = 0


def _shape(buffer: _Buffer, depth: int = 0) -> Shape:
    """The shape of the value that begins here, which is passed over; of one that isn't whole, what there is of it."""
    if buffer.opens("["):
        first, size = None, 0
        for row in buffer.elements():
            first, size = (first if size else row.value), size + 1
        return Shape("list", first, size=size)
    if depth <= _DEEPEST and buffer.opens("{"):
        members: dict[str, Shape] = {}
        size = 0
        for name in buffer.members():
            size += 1
            if len(members) < _MEMBERS:
                members[name] = _shape(buffer, depth + 1)
            else:
                _pass_over(buffer)
        return Shape("object", members=members, size=size)
    return Shape("value", buffer.value().value)


def _pass_over(buffer: _Buffer) -> None:
    if buffer.whole() is None:  # too large to be held
        _shape(buffer)


class Plan(NamedTuple):
    """Where a document's records are: "record" (it is one), "lists" or "members" at `paths`, "columns" or "split" at the first.

    `names` are the columns' headings, `other` lists of objects that are none of the records, `shared` fields of all of them.
    """

    kind: str
    paths: tuple[Path, ...] = ((),)
    names: tuple[str, ...] = ()
    other: tuple[Path, ...] = ()
    shared: Mapping[str, JSON] = {}


def _document(opened: Callable[[], IO[str]], knows: Knows) -> Iterator[Row]:
    with closing(opened()) as text:
        buffer = _Buffer(text)
        plan = planned(_shape(buffer), knows)
        buffer.skip()
        alone = buffer.ended and not buffer.lost
    if plan.kind == "record" and not alone:  # broken, or only the first of several
        with closing(opened()) as text:
            yield from _values(text)
        return
    if plan.kind in {"columns", "split"}:
        yield from (_columns if plan.kind == "columns" else _split)(opened, plan)
    else:
        with closing(opened()) as text:
            buffer = _Buffer(text)
            buffer.skip()
            for row in [buffer.value()] if plan.kind == "record" else _found(buffer, (), plan):
                shared = plan.shared and isinstance(row.value, dict)
                yield row._replace(value={**plan.shared, **row.value}) if shared else row
    for path in plan.other:
        told = f"the list under {'.'.join(path)!r} is none of the records and is passed over; give it a file of its own"
        problem = f"other_list: {told}"
        yield Row(1, error=problem)


def planned(shape: Shape, knows: Knows) -> Plan:
    """What to do with a document: the surest signs first."""
    members = shape.members
    lists = dict(_lists(shape, ()))
    sure = tuple(path for path, first in lists.items() if knows(_names(first)))
    if knows(name for name, m in members.items() if m.kind == "value" and isinstance(m.first, str)):
        return Plan("record", other=tuple(path for path in sure if path != ("history",)))
    if names := _column_names(members, knows):
        return Plan("columns", names=names)
    if {"columns", "data"} <= members.keys() and members["data"].kind == "list" and isinstance(members["data"].first, list):
        return Plan("split")
    if sure or (lists and not knows(members)):
        shared = {name: members[name].first for name in SYSTEM if name in members and members[name].kind == "value"}
        other = tuple(path for path in lists if sure and path not in sure)
        return Plan("lists", sure or tuple(lists), other=other, shared=shared)
    held = [path for path, inner in _objects(shape) if _holds_records(inner, knows)]
    return Plan("members", (held[0],)) if held and not knows(members) else Plan("record")


def _objects(shape: Shape) -> Iterator[tuple[Path, Shape]]:
    """The document and the objects in it."""
    yield (), shape
    yield from (((name,), member) for name, member in shape.members.items() if member.kind == "object")


def _names(value: JSON) -> Iterable[str]:
    """The fields of a row; some exports put the record one object deeper."""
    if not isinstance(value, Mapping):
        return ()
    return value["row"] if isinstance(value.get("row"), Mapping) else value


def _lists(shape: Shape, path: Path) -> Iterator[tuple[Path, JSON]]:
    """The lists of a document, at any depth that is looked at, whose elements may be records, each with the first."""
    for name, member in shape.members.items():
        first = member.first
        if member.kind == "object":
            yield from _lists(member, (*path, name))
        elif member.kind == "list" and (_is_table_row(first) or (isinstance(first, list) and first)):
            if name == "conversation" and isinstance(first, dict) and all(isinstance(said, str) for said in first.values()):
                continue  # questions with their answers: turns of one dialogue
            yield (*path, name), first


def _holds_records(shape: Shape, knows: Knows) -> bool:
    """Whether the members of an object are records or dialogues, under names of their own."""
    inner = list(shape.members.values())
    if not inner:
        return False
    if all(m.kind == "object" for m in inner):
        return all(knows(m.members) for m in inner[:2])
    turns = all(m.kind == "list" and (_is_turn(m.first) or isinstance(m.first, str)) for m in inner)
    return turns and len(inner) > 1 and not any(name in ("messages", "conversations") for name in shape.members)


def _column_names(members: Mapping[str, Shape], knows: Knows) -> tuple[str, ...]:
    """The headings where an object holds a table by columns: lists of one length, or objects with row numbers."""
    numbered = [n for n, m in members.items() if m.kind == "object" and m.members and all(k.isdigit() for k in m.members)]
    if numbered:
        return tuple(numbered)
    listed = {n: m for n, m in members.items() if m.kind == "list" and not _is_table_row(m.first)}
    if len({m.size for m in listed.values()}) != 1 or not (knows(listed) or _is_bare_table(members)):
        return ()
    firsts = [m.first for m in listed.values()]
    turns = any(_is_turn(first) or (isinstance(first, str) and TURN.match(first)) for first in firsts)
    return () if turns else tuple(listed)


def _is_bare_table(members: Mapping[str, Shape]) -> bool:
    """Whether an object of unknown names can't be anything but columns: lists of texts alone."""
    texts = all(m.kind == "list" and m.size > 1 and isinstance(m.first, str | int | float | None) for m in members.values())
    return texts and len(members) > 1


def _found(buffer: _Buffer, path: Path, plan: Plan) -> Iterator[Row]:
    """The rows that the plan names below `path`, where the buffer stands."""
    if path in plan.paths:
        if plan.kind == "lists" and buffer.opens("["):
            yield from buffer.elements()
        elif buffer.opens("{"):
            for _ in buffer.members():
                yield buffer.value()
    elif any(wanted[: len(path)] == path for wanted in plan.paths) and buffer.opens("{"):
        for name in buffer.members():
            yield from _found(buffer, (*path, name), plan)
        if buffer.lost and not buffer.told and not path:
            yield Row(buffer.line, error=buffer.lost)
    else:
        _pass_over(buffer)


def _columns(opened: Callable[[], IO[str]], plan: Plan) -> Iterator[Row]:
    """The rows of a table that is stored by columns: all columns are read side by side."""
    with ExitStack() as stack:
        texts = [stack.enter_context(closing(opened())) for _ in plan.names]
        columns = [_under(_Buffer(text), name) for text, name in zip(texts, plan.names, strict=True)]
        for cells in zip_longest(*columns):
            if None in cells:
                told = ", ".join(name for name, cell in zip(plan.names, cells, strict=True) if cell is None)
                yield Row(1, error=f"bad_columns: the column {told} is shorter than the others; rows without it are left out")
                return
            bad = next((cell for cell in cells if cell.error), None)
            yield bad or Row(cells[0].line, {name: cell.value for name, cell in zip(plan.names, cells, strict=True)})


def _under(buffer: _Buffer, wanted: str) -> Iterator[Row]:
    """The elements or members of what stands under a name of the document."""
    plan = Plan("lists" if _opens_list(buffer, wanted) else "members", ((),))
    yield from _found(buffer, (), plan)


def _opens_list(buffer: _Buffer, wanted: str) -> bool:
    """Go to the value under a name; whether it is a list."""
    if buffer.opens("{"):
        for name in buffer.members():
            if name == wanted:
                break
            _pass_over(buffer)
    return buffer.held.startswith("[", buffer.at)


def _split(opened: Callable[[], IO[str]], _: Plan) -> Iterator[Row]:
    """Headings under `columns`, rows of cells under `data`."""
    with closing(opened()) as text:
        names = [str(row.value) for row in _under(_Buffer(text), "columns")]
    with closing(opened()) as text:
        for row in _under(_Buffer(text), "data"):
            if row.error or not isinstance(row.value, list) or len(row.value) != len(names):
                yield row if row.error else Row(row.line, error=f"bad_columns: a row of {len(names)} cells should stand here")
            else:
                yield row._replace(value=dict(zip(names, row.value, strict=True)))
