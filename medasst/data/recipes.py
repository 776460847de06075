"""Recipes (public sets by name) and the readers built on them: `read_conversations` and `read_exam`."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from medasst.config import Config
from medasst.conversation import JSON, Conversation
from medasst.data.exam import ExamQuestion, explained, parse_exam
from medasst.data.files import matching, read_rows
from medasst.data.layouts import LAYOUTS, Layout, Mapped, Record, RecordError, joined
from medasst.errors import ConfigError, DataError
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
    data = tomllib.loads((Path(__file__).parent / "recipes.toml").read_text("utf-8"))
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
    (frozenset({"turns"}), "turns"),
    (frozenset({"data"}), "turns"),
    (frozenset({"transcript"}), "transcript"),
    (frozenset({"consultation"}), "consultation"),
    (frozenset({"dialogue-content"}), "cmdd"),
    (frozenset({"dialog", "label"}), "dialmed"),
    (frozenset({"ask", "answer"}), "title-ask-answer"),
    (frozenset({"instruction", "output"}), "alpaca"),
    (frozenset({"query", "response"}), "query-response"),
    (frozenset({"questions", "answers"}), "questions-answers"),
    (frozenset({"question", "answer"}), "question-answer"),
]


def _by_name(name: str) -> Layout:
    flat = _tables()[1]
    if name not in flat and name not in LAYOUTS:
        raise ConfigError(f"unknown layout {name!r}{did_you_mean(name, [*flat, *LAYOUTS, 'exam'])}")
    return flat[name].read if name in flat else LAYOUTS[name]


def detected(row: Mapping[str, JSON]) -> Record:
    """The row by the layout that its fields tell. Raises RecordError where they tell none."""
    layout = _layout_of(tuple(row))
    if layout is None:
        raise RecordError("missing_field", f"no known layout has the fields {', '.join(map(str, row))[:200]}; state a mapping")
    return layout(row)


@lru_cache(maxsize=1000)
def _layout_of(fields: tuple[str, ...]) -> Layout | None:
    name = next((name for needed, name in _DETECT if needed <= set(fields)), None)
    return _by_name(name) if name else None


@dataclass(frozen=True)
class Parser:
    """What makes a record of a row; `columns` are the headings of a table that has none."""

    read: Layout
    columns: tuple[str, ...] = ()

    def __call__(self, row: Mapping[str, JSON]) -> Record:
        """Raises RecordError where the row is no record."""
        return self.read(row)


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
        return Reader(Parser(_explained), known)
    if mapping is not None:
        return Reader(Parser(mapping.read, mapping.columns), known)
    return Reader(Parser(detected if layout == "auto" else _by_name(layout)), known)


def _explained(row: Mapping[str, JSON]) -> Record:
    return explained(parse_exam(row))


class Bad(NamedTuple):
    """A row set aside by a reader."""

    file: str
    line: int
    reason: str
    text: str


def read_records(path: Path, name: str, parse: Callable[[Mapping[str, JSON]], Record]) -> Iterator[tuple[int, Record] | Bad]:
    """Each row of a file as its line and record, or as what was wrong with it."""
    for row in read_rows(path, parse.columns if isinstance(parse, Parser) else ()):
        if row.error:
            yield Bad(name, row.line, row.error.partition(":")[0], f"{row.error}\n{row.raw}".strip())
            continue
        try:
            record = parse(as_fields(row.value))
            yield row.line, record._replace(turns=joined(record.turns))
        except RecordError as error:
            yield Bad(name, row.line, error.reason, f"{error.detail}\n{_excerpt(row.value)}")


def as_fields(value: JSON) -> Mapping[str, JSON]:
    """A row as an object; a bare list of texts as `turns`. Raises RecordError where it is neither."""
    if isinstance(value, dict):
        return value
    if isinstance(value, list) and value and all(isinstance(turn, str) for turn in value):
        return {"turns": value}
    raise RecordError(
        "not_an_object", f"the record is {type(value).__name__}, neither an object with fields nor a list of turns"
    )


def _excerpt(value: Any) -> str:
    return str(value)[:2000]


OnBad = Callable[[Bad], None]


def read_conversations(
    path: str, recipe: str = "", layout: str = "", *, source: str = "", on_bad: OnBad | None = None
) -> Iterator[Conversation]:
    """The conversations of all files that match a pattern, normalised but neither cleaned nor masked.

    Args:
        path: a glob pattern; a prepared set's own Parquet files are read as they are.
        recipe: a recipe's name; without it and `layout` the layout is detected.
        layout: a layout's name.
        source: written into each conversation; by default the recipe's name.
        on_bad: called with each row that is no conversation; without it they are passed over.

    Raises:
        ConfigError: unknown recipe or layout.
        DataError: no file matches, or one can't be opened.
    """
    how = reader(recipe, layout)
    for name, file in matching(path):
        for item in read_records(file, name, how.parse):
            if isinstance(item, Bad):
                if on_bad:
                    on_bad(item)
                continue
            turns = [(role, normalise(text)) for role, text in item[1].turns]
            yield Conversation.of(
                turns,
                source=source or recipe or name,
                licence=how.recipe.licence,
                department=item[1].department,
                meta=item[1].meta,
            )


def read_exam(path: str, recipe: str = "", *, source: str = "", on_bad: OnBad | None = None) -> Iterator[ExamQuestion]:
    """The exam questions of all files that match a pattern. See `read_conversations` for arguments and errors."""
    if recipe and _tables()[0][recipe].kind == "conversations":
        raise ConfigError(f"recipe {recipe!r} holds conversations, not exam questions")
    for name, file in matching(path):
        for row in read_rows(file):
            try:
                if row.error or not isinstance(row.value, Mapping):
                    raise RecordError(row.error.partition(":")[0] or "not_an_object", row.error)
                yield replace(parse_exam(row.value), source=source or recipe or name)
            except RecordError as error:
                if on_bad:
                    on_bad(Bad(name, row.line, error.reason, f"{error.detail}\n{row.raw or _excerpt(row.value)}"))


def require(items: list[Any], path: str, what: str) -> list[Any]:
    """The items, or DataError when there are none."""
    if not items:
        raise DataError(f"no {what} in it; check the recipe or layout", path)
    return items
