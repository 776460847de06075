"""JSON files as people save them: which form a file has, and where in one object that holds all records these are.

Which form it is doesn't depend on the file's size, and no more than one record is held at a time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from itertools import zip_longest
from typing import IO, NamedTuple

from medasst.conversation import JSON
from medasst.data.json_text import Buffer, is_table_row, is_turn, lines, values
from medasst.data.rows import SYSTEM, TURN, Knows, Row, Skip

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
        form = _form(text, head)
    if form == "unclear":
        alone = "values" if head.lstrip().startswith("[") else "document"
        form = "lines" if lines_expected and not _one_line(opened, head) else alone
    if form == "document":
        yield from _document(opened, knows)
        return
    with closing(opened()) as text:
        yield from lines(text, skip) if form == "lines" else values(text)


def _form(text: IO[str], head: str) -> str:
    """ "lines", "values", or "document" for one object alone; "unclear" where the first value is broken or too long."""
    buffer = Buffer(text)
    buffer.skip()
    start = buffer.line
    first = buffer.whole()
    if first is None:
        second = head.strip().partition("\n")[2].lstrip().partition("\n")[0].rstrip()
        return "lines" if _is_record(second) else "unclear"
    end = buffer.line
    buffer.skip()
    if buffer.ended:
        return "document" if isinstance(first.value, dict) else "values"
    return "lines" if start == end < buffer.line else "values"


def _one_line(opened: Callable[[], IO[str]], head: str) -> bool:
    """Whether all of a text is on the line that it begins with."""
    with closing(opened()) as text:
        text.read(len(head) - len(head.lstrip()))
        while part := text.read(1 << 20):
            _, end, more = part.partition("\n")
            if end:
                return not more.strip() and not text.read(1 << 16).strip()
    return True


def _is_record(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False


# ---- one object that holds all records ---------------------------------------------------------------------------------

Keys = tuple[str, ...]


class Shape(NamedTuple):
    """What a value of a document is, as far as needed to tell where the records are.

    `first` is the first element of a list, or the value itself where it is neither list nor object; `members` are the first of
    an object; `size` is how many elements or members there are.
    """

    kind: str  # "list", "object" or "value"
    first: JSON = None
    members: Mapping[str, Shape] = {}
    size: int = 0


def _shape(buffer: Buffer, depth: int = 0) -> Shape:
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


def _pass_over(buffer: Buffer) -> None:
    if buffer.whole() is None:  # too large to be held
        _shape(buffer)


class Plan(NamedTuple):
    """Where a document's records are: "record" (it is one), "lists" or "members" at `paths`, "columns" or "split" at the first.

    `names` are the columns' headings, `other` lists of objects that are none of the records, `shared` fields of all of them.
    """

    kind: str
    paths: tuple[Keys, ...] = ((),)
    names: tuple[str, ...] = ()
    other: tuple[Keys, ...] = ()
    shared: Mapping[str, JSON] = {}


def _document(opened: Callable[[], IO[str]], knows: Knows) -> Iterator[Row]:
    with closing(opened()) as text:
        buffer = Buffer(text)
        plan = planned(_shape(buffer), knows)
        buffer.skip()
        alone = buffer.ended and not buffer.lost
    if plan.kind == "record" and not alone:  # broken, or only the first of several
        with closing(opened()) as text:
            yield from values(text)
        return
    if plan.kind in {"columns", "split"}:
        yield from (_columns if plan.kind == "columns" else _split)(opened, plan)
    else:
        with closing(opened()) as text:
            buffer = Buffer(text)
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


def _objects(shape: Shape) -> Iterator[tuple[Keys, Shape]]:
    """The document and the objects in it."""
    yield (), shape
    yield from (((name,), member) for name, member in shape.members.items() if member.kind == "object")


def _names(value: JSON) -> Iterable[str]:
    """The fields of a row; some exports put the record one object deeper."""
    if not isinstance(value, Mapping):
        return ()
    return value["row"] if isinstance(value.get("row"), Mapping) else value


def _lists(shape: Shape, path: Keys) -> Iterator[tuple[Keys, JSON]]:
    """The lists of a document, at any depth that is looked at, whose elements may be records, each with the first."""
    for name, member in shape.members.items():
        first = member.first
        if member.kind == "object":
            yield from _lists(member, (*path, name))
        elif member.kind == "list" and (is_table_row(first) or (isinstance(first, list) and first)):
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
    turns = all(m.kind == "list" and (is_turn(m.first) or isinstance(m.first, str)) for m in inner)
    return turns and len(inner) > 1 and not any(name in ("messages", "conversations") for name in shape.members)


def _column_names(members: Mapping[str, Shape], knows: Knows) -> tuple[str, ...]:
    """The headings where an object holds a table by columns: lists of one length, or objects with row numbers."""
    numbered = [n for n, m in members.items() if m.kind == "object" and m.members and all(k.isdigit() for k in m.members)]
    if numbered:
        return tuple(numbered)
    listed = {n: m for n, m in members.items() if m.kind == "list" and not is_table_row(m.first)}
    if len({m.size for m in listed.values()}) != 1 or not (knows(listed) or _is_bare_table(members)):
        return ()
    firsts = [m.first for m in listed.values()]
    turns = any(is_turn(first) or (isinstance(first, str) and TURN.match(first)) for first in firsts)
    return () if turns else tuple(listed)


def _is_bare_table(members: Mapping[str, Shape]) -> bool:
    """Whether an object of unknown names can't be anything but columns: lists of texts alone."""
    texts = all(m.kind == "list" and m.size > 1 and isinstance(m.first, str | int | float | None) for m in members.values())
    return texts and len(members) > 1


def _found(buffer: Buffer, path: Keys, plan: Plan) -> Iterator[Row]:
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
        columns = [_under(Buffer(text), name) for text, name in zip(texts, plan.names, strict=True)]
        for cells in zip_longest(*columns):
            if None in cells:
                told = ", ".join(name for name, cell in zip(plan.names, cells, strict=True) if cell is None)
                yield Row(1, error=f"bad_columns: the column {told} is shorter than the others; rows without it are left out")
                return
            bad = next((cell for cell in cells if cell.error), None)
            yield bad or Row(cells[0].line, {name: cell.value for name, cell in zip(plan.names, cells, strict=True)})


def _under(buffer: Buffer, wanted: str) -> Iterator[Row]:
    """The elements or members of what stands under a name of the document."""
    plan = Plan("lists" if _opens_list(buffer, wanted) else "members", ((),))
    yield from _found(buffer, (), plan)


def _opens_list(buffer: Buffer, wanted: str) -> bool:
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
        names = [str(row.value) for row in _under(Buffer(text), "columns")]
    with closing(opened()) as text:
        for row in _under(Buffer(text), "data"):
            if row.error or not isinstance(row.value, list) or len(row.value) != len(names):
                yield row if row.error else Row(row.line, error=f"bad_columns: a row of {len(names)} cells should stand here")
            else:
                yield row._replace(value=dict(zip(names, row.value, strict=True)))
