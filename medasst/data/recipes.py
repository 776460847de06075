"""Recipes (public sets by name) and the readers built on them: `read_conversations` and `read_exam`."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

from medasst.config import Config
from medasst.conversation import JSON, Conversation
from medasst.data.exam import QUESTION, ExamQuestion, explained, habits, parse_exam
from medasst.data.exam_answers import Habits, Told
from medasst.data.exam_mapping import ExamMapping
from medasst.data.exam_options import squash
from medasst.data.files import matching, read_rows
from medasst.data.json_text import loose
from medasst.data.layouts import LAYOUTS, Layout, Mapped, read_flat, read_mapped
from medasst.data.records import Record, RecordError, finished, marked, remedy
from medasst.data.rows import Skip
from medasst.disk import package_file
from medasst.errors import ConfigError
from medasst.registry import Registry, did_you_mean
from medasst.text import normalise


class Recipe(Config):
    """What is known about a public set."""

    kind: Literal["conversations", "exam", "explanations"] = "conversations"
    layout: str = "auto"
    mapping: Mapped | None = None
    licence: str = ""
    commercial: bool = True  # does the licence, as stated, allow commercial use
    origin: str = ""
    records: int = 0  # raw records of the whole set, as published
    hub: str = ""
    tried: bool = False  # on the real file; otherwise the layout is as published
    note: str = ""  # what the licence line alone doesn't tell


@cache
def _tables() -> tuple[Registry[Recipe], dict[str, Mapped]]:
    data = tomllib.loads(package_file("data/recipes.toml").read_text("utf-8"))
    recipes: Registry[Recipe] = Registry("recipe")
    for name, fields in data["recipes"].items():
        recipes.register(name)(Recipe.model_validate(fields))
    return recipes, {name: Mapped.model_validate(fields) for name, fields in data["layouts"].items()}


def recipe(name: str) -> Recipe:
    """Raises ConfigError, naming the nearest known recipe."""
    return _tables()[0][name]


def recipes() -> dict[str, Recipe]:
    """All recipes by name."""
    table = _tables()[0]
    return {name: table[name] for name in table}


# Told from a row's fields; the first whose fields are all there.
_DETECT: list[tuple[frozenset[str], str]] = [
    (frozenset({"messages"}), "messages"),
    (frozenset({"conversations"}), "sharegpt"),
    (frozenset({"conversation"}), "conversation"),
    (frozenset({"dialogue_turns"}), "speakers"),
    (frozenset({"contents"}), "contents"),
    (frozenset({"turns"}), "turns"),
    (frozenset({"transcript"}), "transcript"),
    (frozenset({"consultation"}), "consultation"),
    (frozenset({"dialogue-content"}), "cmdd"),
    (frozenset({"dialog", "label"}), "dialmed"),
    (frozenset({"ask", "answer"}), "title-ask-answer"),
    (frozenset({"instruction", "output"}), "alpaca"),
    (frozenset({"query", "response"}), "query-response"),
    (frozenset({"instruction", "response"}), "instruction-response"),
    (frozenset({"prompt", "completion"}), "prompt-completion"),
    (frozenset({"prompt", "response"}), "prompt-response"),
    (frozenset({"input", "output"}), "input-output"),
    (frozenset({"questions", "answers"}), "questions-answers"),
    (frozenset({"question", "answer"}), "question-answer"),
    (frozenset({"data"}), "turns"),
]


def _by_name(name: str) -> Layout:
    flat = _tables()[1]
    if name not in flat and name not in LAYOUTS:
        raise ConfigError(f"unknown layout {name!r}{did_you_mean(name, [*flat, *LAYOUTS, 'exam'])}")
    return partial(read_flat, flat[name]) if name in flat else LAYOUTS[name]


def detected(row: Mapping[str, JSON]) -> Record:
    """The row by the layout that its fields tell. Raises RecordError where they tell none."""
    layout, names = _layout_of(tuple(row))
    if layout is None or (layout is LAYOUTS["turns"] and isinstance(row.get("data"), dict | str)):
        return detected(_inside(row))
    return layout({names.get(name, name): value for name, value in row.items()} if names else row)


@lru_cache(maxsize=1000)
def _layout_of(fields: tuple[str, ...]) -> tuple[Layout | None, dict[str, str]]:
    """The layout of a row with these fields, and the names that some of them should have: Question, "answer "."""
    plain = {name: str(name).strip().lower() for name in fields}
    for names in ({}, {name: low for name, low in plain.items() if name != low}):
        there = {names.get(name, name) for name in fields}
        if name := next((name for needed, name in _DETECT if needed <= there), None):
            return _by_name(name), names
    return None, {}


def _inside(row: Mapping[str, JSON]) -> Mapping[str, JSON]:
    """The record that a row of no known layout holds in one of its fields, as an object or as JSON text. Raises RecordError."""
    for value in row.values():
        with suppress(RecordError):
            if _layout_of(tuple(fields := as_fields(value)))[0]:
                return fields
    told = f"no known layout has the fields {', '.join(map(str, row))[:200]}"
    raise RecordError("missing_field", f"{told}. {remedy(row)}")


@dataclass(frozen=True)
class Parser:
    """What makes a record of a row.

    Args:
        read: of the row's fields.
        needs: sets of fields of which one must be there; more than one where the layout is detected.
        columns: the headings of a table that has none.
    """

    read: Layout
    needs: tuple[frozenset[str], ...] = ()
    columns: tuple[str, ...] = ()

    def __call__(self, value: JSON) -> Record:
        """The finished record. Raises RecordError where the row is none."""
        row = as_fields(value, self.columns)
        return finished(marked(self.read(row), row))

    def of_file(self, _: Path) -> Parser:
        """The parser for a file's rows, where one row may depend on the others."""
        return self

    def knows(self, names: Iterable[str]) -> bool:
        """Whether fields of these names make a record."""
        there = {str(name).strip().lower() for name in names}
        return any(needed <= there for needed in self.needs)


_DETECTED = tuple(needed for needed, _ in _DETECT if needed != {"data"})  # which is what a wrapper is called, too


def _needs(layout: str, mapping: Mapped | None) -> tuple[frozenset[str], ...]:
    if mapping is not None:
        groups = [(fields,) if isinstance(fields, str) else fields for fields in (mapping.question, mapping.answer)]
        return tuple(frozenset((asked.strip().lower(), said.strip().lower())) for asked in groups[0] for said in groups[1])
    named = tuple(needed for needed, name in _DETECT if name == layout)
    return named or _DETECTED


class Reader(NamedTuple):
    """How the rows of a source are read, and what is known about it."""

    parse: Parser
    recipe: Recipe


def reader(recipe_name: str = "", layout: str = "", mapping: Mapped | None = None) -> Reader:
    """The reader of a source that gives a recipe, a layout, a mapping, or nothing (the layout is detected).

    Raises:
        ConfigError: unknown recipe or layout; an exam recipe where conversations are meant.
    """
    known = recipe(recipe_name) if recipe_name else Recipe()
    mapping = mapping or (known.mapping if not layout else None)
    layout = layout or known.layout
    if known.kind == "exam":
        raise ConfigError(
            f"recipe {recipe_name!r} holds exam questions; for training use {recipe_name}-explanations or exam-explanations"
        )
    if known.kind == "explanations" or layout == "exam":
        return Reader(ExamParser(_explained), known)
    if mapping is not None:
        return Reader(Parser(partial(read_mapped, mapping), _needs("", mapping), mapping.columns), known)
    return Reader(Parser(detected if layout == "auto" else _by_name(layout), _needs(layout, None)), known)


def _explained(row: Mapping[str, JSON]) -> Record:
    return explained(parse_exam(row))


@dataclass(frozen=True)
class ExamParser(Parser):
    """Makes a record of an exam question with its explanation."""

    def knows(self, names: Iterable[str]) -> bool:
        return knows_exam(names)

    def of_file(self, path: Path) -> Parser:
        told = _habits([path])
        return replace(self, read=lambda row: explained(parse_exam(row, told)))


def knows_exam(names: Iterable[str]) -> bool:
    """Whether fields of these names may make an exam question."""
    return not {squash(name) for name in names}.isdisjoint((*QUESTION, "input"))


def _habits(paths: Iterable[Path], mapping: ExamMapping | None = None) -> Told:
    """How these files give their answers; nothing is read of them before somebody asks."""
    columns, knows = (mapping.columns, mapping.knows) if mapping else ((), knows_exam)

    def rows() -> Iterator[Mapping[str, JSON]]:
        for path in paths:
            for row in read_rows(path, columns, knows):
                with suppress(RecordError):
                    fields = as_fields(row.value, columns)
                    yield mapping.fields(fields) if mapping else fields

    @cache
    def told() -> Habits:
        stated = mapping.first if mapping else None
        return habits(rows()) if stated is None else habits(rows())._replace(firsts=frozenset((stated,)))

    return told


class Good(NamedTuple):
    """A row that a reader understood."""

    file: str
    line: int
    record: Record


class Bad(NamedTuple):
    """A row set aside by a reader."""

    file: str
    line: int
    reason: str
    text: str


def read_records(path: Path, name: str, parse: Parser, skip: int = 0) -> Iterator[Good | Bad]:
    """Each row of a file, but for the first `skip`, as its record or as what was wrong with it.

    `file` is the name, and for a file of an archive or a sheet of a workbook its place inside: `a.zip/b.csv`.
    """
    parse = parse.of_file(path)
    for row in read_rows(path, parse.columns, parse.knows, Skip(skip)):
        file = f"{name}/{row.part}" if row.part else name
        if row.error:
            yield Bad(file, row.line, row.error.partition(":")[0], f"{row.error}\n{row.raw}".strip())
            continue
        try:
            yield Good(file, row.line, parse(row.value))
        except RecordError as error:
            yield Bad(file, row.line, error.reason, f"{error.detail}\n{_excerpt(row.value)}")


_BARE = {
    "role": "messages",
    "from": "conversations",
    "human": "conversation",
}  # what a bare list of such turns would stand under


def as_fields(value: JSON, columns: tuple[str, ...] = ()) -> Mapping[str, JSON]:
    """A row as an object: a list of cells by the headings, a bare list of turns by its form, JSON in a text read as such.

    Raises:
        RecordError: it is neither.
    """
    if isinstance(value, dict):
        return value["row"] if "row_idx" in value and isinstance(value.get("row"), dict) else value
    if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
        with suppress(ValueError):
            return as_fields(loose(value), columns)
    if isinstance(value, list) and value:
        if columns and len(columns) == len(value):
            return dict(zip(columns, value, strict=True))
        if all(isinstance(turn, str) for turn in value):
            return {"turns": value}
        if isinstance(value[0], dict):
            for mark, field in _BARE.items():
                if mark in value[0]:
                    return {field: value}
    raise RecordError(
        "not_an_object", f"the record is {type(value).__name__}, neither an object with fields nor a list of turns"
    )


def _excerpt(value: Any) -> str:
    return str(value)[:2000]


OnBad = Callable[[Bad], None]


def read_conversations(
    path: str,
    recipe: str = "",
    layout: str = "",
    *,
    mapping: Mapped | None = None,
    source: str = "",
    on_bad: OnBad | None = None,
) -> Iterator[Conversation]:
    """The conversations of all files that match a pattern, normalised but neither cleaned nor masked.

    Args:
        path: a glob pattern; a prepared set's own Parquet files are read as they are.
        recipe: a recipe's name; without it and `layout` the layout is detected.
        layout: a layout's name.
        mapping: which fields hold what, in place of a layout.
        source: written into each conversation; by default the recipe's name.
        on_bad: called with each row that is no conversation; without it they are passed over.

    Raises:
        ConfigError: unknown recipe or layout.
        DataError: no file matches, or one can't be opened.
    """
    how = reader(recipe, layout, mapping)
    for name, file in matching(path):
        for item in read_records(file, name, how.parse):
            if isinstance(item, Bad):
                if on_bad:
                    on_bad(item)
                continue
            turns = [(role, normalise(text)) for role, text in item.record.turns]
            yield Conversation.of(
                turns,
                source=source or recipe or name,
                licence=how.recipe.licence,
                department=item.record.department,
                meta=item.record.meta,
            )


def read_exam(
    path: str,
    recipe: str = "",
    layout: str = "",
    *,
    mapping: ExamMapping | None = None,
    source: str = "",
    on_bad: OnBad | None = None,
) -> Iterator[ExamQuestion]:
    """The exam questions of all files that match a pattern.

    See `read_conversations` for arguments and errors. The one `layout` is "exam": all published forms are told apart by it.
    """
    if recipe and _tables()[0][recipe].kind == "conversations":
        raise ConfigError(f"recipe {recipe!r} holds conversations, not exam questions")
    if layout not in ("", "auto", "exam"):
        raise ConfigError(f"layout {layout!r} holds conversations; exam questions have layout = 'exam', or a mapping")
    columns = mapping.columns if mapping else ()
    knows, files = mapping.knows if mapping else knows_exam, matching(path)
    told = _habits([file for _, file in files], mapping)
    for name, file in files:
        for row in read_rows(file, columns, knows):
            place = f"{name}/{row.part}" if row.part else name
            try:
                if row.error:
                    raise RecordError(row.error.partition(":")[0], row.error)
                fields = as_fields(row.value, columns)
                question = parse_exam(mapping.fields(fields) if mapping else fields, told)
                yield replace(question, source=source or recipe or name)
            except RecordError as error:
                if on_bad:
                    on_bad(Bad(place, row.line, error.reason, f"{error.detail}\n{row.raw or _excerpt(row.value)}"))
