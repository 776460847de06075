"""All rules of a shop's assistant as one object, read from a folder of tables that a pharmacist can read and change."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import ValidationError

from medasst.disk import package_file
from medasst.errors import ConfigError
from medasst.rulebook.rows import (
    STRICTNESS,
    URGENCY,
    AnswerRow,
    ClassRow,
    CueRow,
    DrugRow,
    FeatureRow,
    FindingRow,
    PersonRow,
    QuestionRow,
    Regex,
    Row,
    StemRow,
    TriageRow,
)

R = TypeVar("R", bound=Row)
_HEADER = re.compile(r"^\s*\[\[(\w+)\]\]", re.MULTILINE)
_FINDINGS = ("findings.toml", "findings_danger.toml", "findings_signs.toml")
_TRIAGE = ("emergency.toml", "today.toml", "days.toml")


class Place(NamedTuple):
    """Where a row stands, for whoever has to mend it."""

    file: Path
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Table(Generic[R]):
    """The rows of one kind by their key, and where each stands."""

    rows: Mapping[str, R]
    places: Mapping[str, Place]

    def __iter__(self) -> Iterator[R]:
        return iter(self.rows.values())

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Composition:
    """Parts of the body × sensations: a word of a part with a word of a sensation is the finding `<part><sensation>`."""

    parts: Mapping[str, tuple[str, ...]]
    senses: Mapping[str, tuple[str, ...]]
    limit: Mapping[str, frozenset[str]]
    alone: frozenset[str]

    def allows(self, part: str, sense: str) -> bool:
        """Whether this pair makes sense (no 耳 that 脱臼)."""
        return sense not in self.limit or part in self.limit[sense]


@dataclass(frozen=True)
class Wordings:
    """The regular expressions and marks of `context.toml` and `persons.toml`; those files say what each is for."""

    filler: Regex
    between: Regex
    listing: Regex
    evidence: Regex
    asking: Regex
    seeking: Regex
    clause_end: str
    sentence_end: str
    passing: str


@dataclass(frozen=True)
class Rulebook:
    """Every table of one shop's assistant. Nothing here is shared between two rulebooks of a process.

    Attributes:
        groups: words that findings' `pairs` are made of, by the name of the group.
        loosened: what an overlay allows that these tables don't, each with who approved it and when; to be shown at start.
        fingerprint: sha256 over the tables' bytes.
    """

    findings: Table[FindingRow]
    groups: Mapping[str, tuple[str, ...]]
    composition: Composition
    drugs: Table[DrugRow]
    classes: Table[ClassRow]
    stems: Table[StemRow]
    cues: Table[CueRow]
    features: Table[FeatureRow]
    persons: Table[PersonRow]
    triage: Table[TriageRow]
    questions: Table[QuestionRow]
    answers: Table[AnswerRow]
    wordings: Wordings
    loosened: tuple[str, ...] = ()
    fingerprint: str = field(default="", compare=False)

    @classmethod
    def load(cls, folder: Path | str | None = None, overlay: Path | str | None = None) -> Rulebook:
        """Read the tables.

        Args:
            folder: a folder of tables; None: those of this package.
            overlay: a folder with some tables of the same names, laid over the first. Its rows add to a row of the same key
                (words, examples) or replace single columns. What loosens a rule needs `approved_by` and `approved_on`.

        Raises:
            ConfigError: a table or a row is not as it should be, or loosens without approval; names file and line.
        """
        base = _Folder(Path(folder) if folder is not None else package_file("rulebook"))
        over = _Folder(Path(overlay)) if overlay is not None else None
        loosened: list[str] = []

        def table(kind: type[R], name: str, key: str, files: Sequence[str]) -> Table[R]:
            own = _table(kind, name, key, [(base, file) for file in files])
            return own if over is None else _laid_over(own, _table_rows(name, [(over, f) for f in files]), kind, key, loosened)

        context, compose = base.read("context.toml"), base.read("compose.toml")
        findings = table(FindingRow, "finding", "name", _FINDINGS)
        return cls(
            findings=findings,
            groups=_groups(findings, [(folder, file) for folder in (base, over) if folder for file in _FINDINGS]),
            composition=_composition(compose),
            drugs=table(DrugRow, "drug", "name", ["drugs.toml"]),
            classes=table(ClassRow, "class", "name", ["drugs.toml"]),
            stems=table(StemRow, "stem", "", ["drugs.toml"]),
            cues=table(CueRow, "cue", "", ["context.toml"]),
            features=table(FeatureRow, "feature", "name", ["context.toml"]),
            persons=table(PersonRow, "person", "", ["persons.toml"]),
            triage=table(TriageRow, "rule", "id", _TRIAGE),
            questions=table(QuestionRow, "question", "id", ["questions.toml"]),
            answers=table(AnswerRow, "answer", "", ["questions.toml"]),
            wordings=_wordings(base.folder, {**context, **base.read("persons.toml")}),
            loosened=tuple(loosened),
            fingerprint=hashlib.sha256("".join([base.digest(), over.digest() if over else ""]).encode()).hexdigest(),
        )


class _Folder:
    """A folder of tables; each file is read once."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise ConfigError(f"{folder}: no such folder; a rulebook is a folder of tables like those in medasst/rulebook")
        self.folder = folder
        self._read: dict[str, tuple[dict[str, Any], str]] = {}

    def read(self, name: str) -> dict[str, Any]:
        return self._load(name)[0]

    def text(self, name: str) -> str:
        return self._load(name)[1]

    def _load(self, name: str) -> tuple[dict[str, Any], str]:
        if name not in self._read:
            path = self.folder / name
            text = path.read_text("utf-8") if path.is_file() else ""
            try:
                self._read[name] = tomllib.loads(text), text
            except tomllib.TOMLDecodeError as error:
                raise ConfigError(f"{path}: {error}") from None
        return self._read[name]

    def digest(self) -> str:
        """Of every file that was read."""
        return "".join(hashlib.sha256(self._read[name][1].encode()).hexdigest() for name in sorted(self._read))


class _Found(NamedTuple):
    """A row as it stands in its file."""

    values: dict[str, Any]
    place: Place


def _table_rows(name: str, files: Sequence[tuple[_Folder, str]]) -> list[_Found]:
    found: list[_Found] = []
    for folder, file in files:
        text = folder.text(file)
        lines = [text.count("\n", 0, match.start()) + 1 for match in _HEADER.finditer(text) if match[1] == name]
        rows = folder.read(file).get(name, [])
        if not isinstance(rows, list) or len(rows) != len(lines):
            raise ConfigError(f"{folder.folder / file}: {name} must be written as [[{name}]], one block a row")
        found += [_Found(row, Place(folder.folder / file, line)) for row, line in zip(rows, lines, strict=True)]
    return found


def _row(kind: type[R], values: Mapping[str, Any], place: Place) -> R:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        column = ".".join(map(str, first["loc"]))
        raise ConfigError(f"{place}: {column}: {first['msg']}") from None


def _table(kind: type[R], name: str, key: str, files: Sequence[tuple[_Folder, str]]) -> Table[R]:
    """The rows of all files. A finding of a later file adds to the one of the same name; else a name stands once."""
    rows: dict[str, R] = {}
    places: dict[str, Place] = {}
    for number, (values, place) in enumerate(_table_rows(name, files)):
        row = _row(kind, values, place)
        own = str(getattr(row, key)) if key else f"{name} {number}"
        if own in rows and kind is FindingRow and places[own].file != place.file:
            rows[own] = _row(kind, _merged(rows[own], {key: value for key, value in values.items() if key != "kind"}), place)
            continue
        if own in rows:
            raise ConfigError(f"{place}: {name} {own!r} stands in line {places[own].line} of {places[own].file.name} too")
        rows[own], places[own] = row, place
    return Table(rows, places)


def _laid_over(own: Table[R], found: Sequence[_Found], kind: type[R], key: str, loosened: list[str]) -> Table[R]:
    rows, places = dict(own.rows), dict(own.places)
    for number, (values, place) in enumerate(found):
        name = str(values.get(key, "")) if key else f"overlay {number}"
        before = rows.get(name)
        row = _row(kind, _merged(before, values) if before is not None else values, place)
        what = _loosens(before, row)
        if what:
            if not (row.approved_by and row.approved_on):
                raise ConfigError(
                    f"{place}: {name} {what}; what loosens a rule needs approved_by (a pharmacist) and approved_on (a date)"
                )
            loosened.append(f"{name} {what} ({row.approved_by}, {row.approved_on}; {place})")
        rows[name], places[name] = row, place
    return Table(rows, places)


def _merged(before: Row, values: Mapping[str, Any]) -> dict[str, Any]:
    """The row with the overlay's columns: lists add, other columns replace."""
    given = before.model_dump(by_alias=True)
    for column, value in values.items():
        both = isinstance(value, list) and isinstance(given.get(column), tuple)
        given[column] = [*given[column], *(item for item in value if item not in given[column])] if both else value
    return given


def _loosens(before: Row | None, row: Row) -> str:
    """What the row allows that was not allowed before it, in words; empty where it only adds or tightens."""
    if isinstance(row, CueRow):
        return "changes when a finding counts" if row.sets not in ("present", "possible") else ""
    if isinstance(row, StemRow | ClassRow | DrugRow) and STRICTNESS.index(row.status) == 0 and before is None:
        return "makes a name free to sell"
    if isinstance(before, DrugRow | ClassRow) and isinstance(row, DrugRow | ClassRow):
        looser = STRICTNESS.index(row.status) < STRICTNESS.index(before.status)
        return f"is sold as {row.status}, was {before.status}" if looser else ""
    if isinstance(before, TriageRow) and isinstance(row, TriageRow):
        if URGENCY.index(row.level) < URGENCY.index(before.level):
            return f"is of level {row.level}, was {before.level}"
        if set(row.unless) - set(before.unless):
            return "has a new exception"
        if before.never_resolved and not row.never_resolved:
            return "can be resolved"
    return ""


def _groups(findings: Table[FindingRow], files: Sequence[tuple[_Folder, str]]) -> dict[str, tuple[str, ...]]:
    """The groups of words of all files, and whether every pair names such groups."""
    groups: dict[str, tuple[str, ...]] = {}
    for folder, file in files:
        for name, words in folder.read(file).get("group", {}).items():
            groups[name] = (*groups.get(name, ()), *words)
    for row in findings:
        for pair in row.pairs:
            named = [name for name in pair.split() if name != "…"]
            if unknown := [name for name in named if name not in groups]:
                raise ConfigError(f"{findings.places[row.name]}: {row.name}: no [group] {', '.join(unknown)}")
            if len(set(named)) < 2:
                raise ConfigError(f"{findings.places[row.name]}: {row.name}: the pair {pair!r} must name two groups or more")
    return groups


def _composition(table: Mapping[str, Any]) -> Composition:
    return Composition(
        {name: tuple(words) for name, words in table.get("part", {}).items()},
        {name: tuple(words) for name, words in table.get("sense", {}).items()},
        {name: frozenset(parts) for name, parts in table.get("limit", {}).items()},
        frozenset(table.get("alone", ())),
    )


def _wordings(folder: Path, table: Mapping[str, Any]) -> Wordings:
    names = [column.name for column in fields(Wordings)]
    missing = [name for name in names if not isinstance(table.get(name), str)]
    if missing:
        raise ConfigError(f"{folder}: context.toml or persons.toml must give {', '.join(missing)}")
    for name in ("filler", "between", "listing", "evidence", "asking", "seeking"):
        try:
            re.compile(table[name])
        except re.error as error:
            raise ConfigError(f"{folder / 'context.toml'}: {name} is no regular expression: {error}") from None
    return Wordings(**{name: table[name] for name in names})
