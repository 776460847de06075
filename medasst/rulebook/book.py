"""All rules of a shop's assistant as one object, read from a folder of tables that a pharmacist can read and change."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from medasst.config import Config
from medasst.disk import package_file
from medasst.errors import ConfigError
from medasst.rulebook.asks import Asks
from medasst.rulebook.formulary import Medicines
from medasst.rulebook.law import DutyRow
from medasst.rulebook.rows import (
    AnswerRow,
    ClassRow,
    CueRow,
    DrugRow,
    FeatureRow,
    FindingRow,
    LookRow,
    MatterRow,
    PersonRow,
    QuestionRow,
    Regex,
    SlotRow,
    StemRow,
    ToldRow,
    TriageRow,
    ValueRow,
    VerbRow,
    Voices,
    Weights,
)
from medasst.rulebook.signatures import Ledger
from medasst.rulebook.tables import Folder, Source, Table, read_ledger
from medasst.rulebook.texts import (
    CheckTexts,
    CounterTexts,
    FollowRow,
    GateTexts,
    Leaflets,
    OutputTexts,
    ReachTexts,
    ReactionTexts,
    Replies,
    SpeechTexts,
)
from medasst.rulebook.vetted import VettedRow, read_vetted
from medasst.versions import current

T = TypeVar("T", bound=Config)
_FINDINGS = (
    "findings.toml",
    "findings_more.toml",
    "findings_danger.toml",
    "findings_signs.toml",
    "findings_heard.toml",
    "findings_ordinary.toml",
)
_DRUGS = ("drugs.toml", "drugs_more.toml")
_WORDINGS = "context.toml, names.toml, verbs.toml or persons.toml"
# What an overlay may bring to a table that is one object: texts, and rows that add. Its patterns decide what is let through.
_OPEN = {
    "replies.toml": None,
    "reach.toml": None,
    "reactions.toml": frozenset({"stop", "ask_prescriber", "report", "ask", "some_medicine", "reaction"}),
    "gate.toml": frozenset({"answer", "banned", "some_drug", "by_symptom", "document", "section", "warning"}),
    "output.toml": frozenset({"check"}),
    "leaflets.toml": frozenset(),
    "checks.toml": frozenset({"reason"}),
    "asks.toml": frozenset({"ask", "trait"}),
    "counter.toml": frozenset({"leaflet_reason", "not_for"}),
    "speech.toml": frozenset(),
}
NO_SIGNATURES = "no signatures in it; make some with: medasst rulebook import SHEET --out FOLDER"
_TRIAGE = ("emergency.toml", "today.toml", "days.toml")


@dataclass(frozen=True)
class Composition:
    """Parts of the body × sensations: a word of a part with a word of a sensation is the finding `<part><sensation>`."""

    parts: Mapping[str, tuple[str, ...]]
    senses: Mapping[str, tuple[str, ...]]
    limit: Mapping[str, frozenset[str]]
    alone: Mapping[str, tuple[str, ...]]
    light: str
    light_filler: Regex

    def allows(self, part: str, sense: str) -> bool:
        """Whether this pair makes sense (no 耳 that 脱臼)."""
        return sense not in self.limit or part in self.limit[sense]


@dataclass(frozen=True)
class Wordings:
    """Single regular expressions and marks of `context.toml`, `names.toml`, `verbs.toml`, `persons.toml`, `values.toml`.

    Those files say what each is for. Every expression is in verbose form: blanks in it don't count.
    """

    filler: Regex
    between: Regex
    listing: Regex
    either: Regex
    evidence: Regex
    asking: Regex
    seeking: Regex
    clause_end: str
    sentence_end: str
    company_before: Regex
    company_after: Regex
    not_a_stem: str
    disease: Regex
    allergic: Regex
    allergic_to: Regex
    no_allergen: Regex
    for_before: Regex
    for_after: Regex
    class_not_before: Regex
    acid: Regex
    salt: Regex
    form: Regex
    substances: Regex
    before: Regex
    kin: Regex
    gone: Regex
    sought: Regex
    has_it: Regex
    told_behind: Regex
    not_of: Regex
    gives: Regex
    speaks: Regex
    dead: Regex
    late: Regex
    died: Regex
    like_before: Regex
    like_after: Regex
    his_own: Regex
    has_too: Regex
    advises: Regex
    takes: Regex
    never_childs: Regex
    wonders: Regex
    for_itself: Regex
    outsider: Regex
    tells_on: Regex
    own_matter: Regex
    comes_to_me: Regex
    going_on: Regex
    helping: Regex
    in_care: Regex
    took_before: Regex
    took_behind: Regex
    given_to: Regex
    owner_before: Regex
    owner_after: Regex
    opening: Regex
    passes: Regex
    passed_now: Regex
    disease_words: Regex
    happened: Regex
    recurs: Regex
    doubted_inside: Regex
    past_inside: Regex
    now_beside: Regex
    own_turn: Regex
    owns: Regex
    asks: Regex
    anew_before: Regex
    anew_after: Regex
    passed_on: Regex
    cured: Regex
    together: Regex


@dataclass(frozen=True)
class Talk:
    """The regular expressions of `dialogue.toml`; that file says what each is for."""

    deny: Regex
    deny_filler: Regex
    listing: Regex
    denied_after: Regex
    myself: Regex
    speaker: Regex
    on_behalf: Regex
    not_this_one: Regex
    corrected_to: Regex
    corrected_from: Regex
    together: Regex
    all_of_them: Regex
    other_matter: Regex
    bare_age: Regex
    age_by_sex: Regex
    often_after: Regex
    often_before: Regex
    wants: Regex
    slip: Regex
    mistyped: Regex
    instead: Regex
    not_that: Regex
    less_than: Regex
    seen: Regex
    harmless: Regex
    not_seen: Regex
    not_harmless: Regex
    long_ago: Regex
    asking: Regex
    over: Regex
    not_over: Regex
    still: Regex
    nth: Regex
    first_one: Regex
    last_one: Regex
    that_one: Regex
    both: Regex


@dataclass(frozen=True)
class Rulebook:
    """Every table of one shop's assistant. Nothing here is shared between two rulebooks of a process.

    Attributes:
        groups: words that findings' `pairs` are made of, by the name of the group.
        english: English words of findings, medicines and classes, by their names.
        idioms: ordinary talk that holds a wording of a finding and means none.
        lists: words that `<name>` stands for in the words of cues.
        matters: what shoppers ask of the shop itself, and talk that is about no medicine.
        medicines: what is true of medicines (the formulary's tables).
        vetted: answers that people wrote for the counter; they stand in `medasst/samples`, not in the folder.
        duties: what the law asks of an online pharmacy's assistant, and how it is kept; decides nothing.
        no_persons: talk that holds a word for a person and speaks of none.
        words_for_some: what 几, 好几, 十几 count as.
        weights: what pieces of text weigh in the second look, by the names in `looks`.
        opinion: what weighs in the second opinion on what is said of a mention.
        ledger: what a pharmacist signed of the rows.
        loosened: what an overlay allows that these tables don't, each with who approved it and when; to be shown at start.
        fingerprint: sha256 over the tables' bytes.
        own: whether these are this package's tables and nothing else, whose examples its tests try.
    """

    findings: Table[FindingRow]
    groups: Mapping[str, tuple[str, ...]]
    composition: Composition
    drugs: Table[DrugRow]
    classes: Table[ClassRow]
    stems: Table[StemRow]
    verbs: Table[VerbRow]
    english: Mapping[str, tuple[str, ...]]
    idioms: tuple[str, ...]
    cues: Table[CueRow]
    lists: Mapping[str, tuple[str, ...]]
    features: Table[FeatureRow]
    persons: Table[PersonRow]
    no_persons: tuple[str, ...]
    values: Table[ValueRow]
    words_for_some: Mapping[str, float]
    triage: Table[TriageRow]
    looks: Table[LookRow]
    weights: Mapping[str, Weights]
    opinion: Voices
    questions: Table[QuestionRow]
    answers: Table[AnswerRow]
    slots: Table[SlotRow]
    told: Table[ToldRow]
    matters: Table[MatterRow]
    medicines: Medicines
    vetted: Mapping[str, VettedRow]
    duties: Table[DutyRow]
    wordings: Wordings
    talk: Talk
    replies: Replies
    reach: ReachTexts
    follow: Table[FollowRow]
    reactions: ReactionTexts
    gate: GateTexts
    output: OutputTexts
    leaflets: Leaflets
    checks: CheckTexts
    asks: Asks
    counter: CounterTexts
    speech: SpeechTexts
    ledger: Ledger = field(default_factory=Ledger, compare=False)
    loosened: tuple[str, ...] = ()
    fingerprint: str = field(default="", compare=False)
    own: bool = field(default=False, compare=False)

    @classmethod
    def load(
        cls, folder: Path | str | None = None, overlay: Path | str | None = None, signed: Path | str | None = None
    ) -> Rulebook:
        """Read the tables.

        Args:
            folder: a folder of tables; None: those of this package.
            overlay: a folder with some tables of the same names, laid over the first. Its rows add to a row of the same key
                (words, examples) or replace single columns. What loosens a rule needs `approved_by` and `approved_on`.
            signed: a folder of signatures that `medasst rulebook import` made; the version of it that is in use counts.

        Raises:
            ConfigError: a table or a row is not as it should be, or loosens without approval; names file and line.
        """
        base = Folder(Path(folder) if folder is not None else package_file("rulebook"))
        over = Folder(Path(overlay)) if overlay is not None else None
        signatures = Folder(current(Path(signed), NO_SIGNATURES)) if signed is not None else None
        ledger = read_ledger(signatures) if signatures else Ledger()
        source = Source(base, over, ledger)
        table = source.table
        context, compose = base.read("context.toml"), base.read("compose.toml")
        lists, persons, numbers = _lists(context, "lists"), base.read("persons.toml"), base.read("values.toml")
        looks = table(LookRow, "look", "id", ["second_look.toml"])
        findings = table(FindingRow, "finding", "name", _FINDINGS)
        vetted, vetted_digest = read_vetted()
        return cls(
            findings=findings,
            groups=_groups(findings, [(folder, file) for folder in (base, over) if folder for file in _FINDINGS]),
            composition=_composition(compose),
            drugs=table(DrugRow, "drug", "name", _DRUGS),
            classes=table(ClassRow, "class", "name", _DRUGS),
            stems=table(StemRow, "stem", "", _DRUGS),
            verbs=table(VerbRow, "verb", "word", ["verbs.toml"]),
            english={
                name: words for kind in ("finding", "drug") for name, words in _lists(base.read("english.toml"), kind).items()
            },
            idioms=tuple(word for words in base.read("idioms.toml").values() for word in words),
            cues=_spelled(table(CueRow, "cue", "", ["context.toml"]), lists),
            lists=lists,
            features=table(FeatureRow, "feature", "name", ["context.toml"]),
            persons=table(PersonRow, "person", "", ["persons.toml"]),
            no_persons=tuple(persons.get("no_persons", ())),
            values=_numbered(table(ValueRow, "value", "", ["values.toml"]), numbers),
            words_for_some=numbers.get("words_for_some", {}),
            triage=table(TriageRow, "rule", "id", _TRIAGE),
            looks=looks,
            weights={row.weights: _weights(base, row.weights) for row in looks},
            opinion=_voices(base),
            questions=table(QuestionRow, "question", "id", ["questions.toml"]),
            answers=table(AnswerRow, "answer", "", ["questions.toml"]),
            slots=table(SlotRow, "slot", "name", ["dialogue.toml"]),
            told=table(ToldRow, "told", "", ["dialogue.toml"]),
            matters=table(MatterRow, "matter", "id", ["matters.toml"]),
            medicines=Medicines.read(source),
            vetted=ledger.over("vetted", vetted),
            duties=table(DutyRow, "duty", "id", ["law.toml"]),
            wordings=_wordings(
                Wordings, base.folder, {**context, **persons, **base.read("names.toml"), **base.read("verbs.toml")}, _WORDINGS
            ),
            talk=_wordings(Talk, base.folder, base.read("dialogue.toml"), "dialogue.toml"),
            replies=_texts(Replies, base, over, "replies.toml", _OPEN["replies.toml"]),
            reach=_texts(ReachTexts, base, over, "reach.toml", _OPEN["reach.toml"]),
            follow=table(FollowRow, "follow", "id", ["follow.toml"]),
            reactions=_texts(ReactionTexts, base, over, "reactions.toml", _OPEN["reactions.toml"]),
            gate=_gate(base, over, ledger),
            checks=_texts(CheckTexts, base, over, "checks.toml", _OPEN["checks.toml"]),
            asks=_texts(Asks, base, over, "asks.toml", _OPEN["asks.toml"]),
            leaflets=_texts(Leaflets, base, over, "leaflets.toml", _OPEN["leaflets.toml"]),
            counter=_texts(CounterTexts, base, over, "counter.toml", _OPEN["counter.toml"]),
            speech=_texts(SpeechTexts, base, over, "speech.toml", _OPEN["speech.toml"]),
            output=_texts(OutputTexts, base, over, "output.toml", _OPEN["output.toml"]),
            ledger=ledger,
            loosened=tuple(source.loosened),
            own=folder is None and overlay is None,
            fingerprint=hashlib.sha256(
                "".join([vetted_digest, *(one.digest() for one in (base, over, signatures) if one)]).encode()
            ).hexdigest(),
        )


def _groups(findings: Table[FindingRow], files: Sequence[tuple[Folder, str]]) -> dict[str, tuple[str, ...]]:
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


def _weights(base: Folder, file: str) -> Weights:
    try:
        return Weights.model_validate(base.read(file))
    except ValidationError as error:
        raise ConfigError(f"{base.folder / file}: {error.errors()[0]['msg']}; benchmarks/second_look.py writes it") from None


def _voices(base: Folder) -> Voices:
    try:
        return Voices.model_validate({**base.read("opinion.toml"), **base.read("opinion_weights.toml")})
    except ValidationError as error:
        first = error.errors()[0]
        what = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise ConfigError(f"{base.folder / 'opinion.toml'}: {what}; benchmarks/opinion.py writes its weights") from None


def _composition(table: Mapping[str, Any]) -> Composition:
    return Composition(
        _lists(table, "part"),
        _lists(table, "sense"),
        {name: frozenset(parts) for name, parts in table.get("limit", {}).items()},
        _lists(table, "alone"),
        str(table.get("light", "")),
        str(table.get("light_filler", "")),
    )


def _lists(table: Mapping[str, Any], name: str) -> dict[str, tuple[str, ...]]:
    return {key: tuple(words) for key, words in table.get(name, {}).items()}


def _spelled(cues: Table[CueRow], lists: Mapping[str, tuple[str, ...]]) -> Table[CueRow]:
    """The cues with every word written out that names a list."""
    rows: dict[str, CueRow] = {}
    for key, row in cues.rows.items():
        words: list[str] = []
        for word in row.words:
            pieces = re.split(r"<(\w+)>", word)
            if unknown := [name for name in pieces[1::2] if name not in lists]:
                raise ConfigError(f"{cues.places[key]}: {word}: there is no list {', '.join(unknown)} in [lists]")
            choices = [lists[piece] if number % 2 else (piece,) for number, piece in enumerate(pieces)]
            words += ["".join(chosen) for chosen in product(*choices)]
        pattern = row.pattern
        for name in dict.fromkeys(re.findall(r"<(\w+)>", pattern)):
            if name not in lists:
                raise ConfigError(f"{cues.places[key]}: pattern: there is no list {name} in [lists]")
            longest_first = sorted(lists[name], key=len, reverse=True)
            pattern = pattern.replace(f"<{name}>", f"(?:{'|'.join(map(re.escape, longest_first))})")
        _compiles(pattern, f"{cues.places[key]}: pattern")
        rows[key] = row.model_copy(update={"words": tuple(dict.fromkeys(words)), "pattern": pattern})
    return Table(rows, cues.places)


def _compiles(pattern: str, where: str) -> None:
    try:
        re.compile(pattern, re.VERBOSE)
    except re.error as error:
        raise ConfigError(f"{where}: no regular expression: {error}") from error


def _numbered(table: Table[ValueRow], numbers: Mapping[str, Any]) -> Table[ValueRow]:
    """The patterns of values with {n}, {some} and so on written out."""
    names = [name for name in ("some", "baby", "no_body", "n") if isinstance(numbers.get(name), str)]
    rows: dict[str, ValueRow] = {}
    for key, row in table.rows.items():
        words = "|".join(map(re.escape, sorted(row.words, key=len, reverse=True)))
        written: dict[str, str] = {}
        for column in ("pattern", "not_before", "needs_before"):
            text: str = getattr(row, column).replace("{words}", words)
            for name in names:
                text = text.replace("{" + name + "}", numbers[name])
            try:
                re.compile(text, re.VERBOSE)
            except re.error as error:
                raise ConfigError(f"{table.places[key]}: {column}: no regular expression: {error}") from None
            written[column] = text
        rows[key] = row.model_copy(update=written)
    return Table(rows, table.places)


def _texts(kind: type[T], base: Folder, over: Folder | None, file: str, allowed: frozenset[str] | None) -> T:
    """A table that is one object; an overlay's rows add to its lists of tables, its texts replace."""
    values, path = dict(base.read(file)), base.folder / file
    for column, value in (over.read(file) if over else {}).items():
        if over and allowed is not None and column not in allowed:
            may = ", ".join(sorted(allowed)) or "nothing"
            raise ConfigError(f"{over.folder / file}: an overlay can't change {column}; it may bring {may}")
        rows = isinstance(value, list) and value and isinstance(value[0], dict)
        values[column] = [*values.get(column, []), *value] if rows else value
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _gate(base: Folder, over: Folder | None, ledger: Ledger) -> GateTexts:
    gate = _texts(GateTexts, base, over, "gate.toml", _OPEN["gate.toml"])
    rows = ledger.over("warning", {str(number): row for number, row in enumerate(gate.warning)})
    return gate.model_copy(update={"warning": tuple(rows.values())})


W = TypeVar("W", Wordings, Talk)


def _wordings(kind: type[W], folder: Path, table: Mapping[str, Any], files: str) -> W:
    columns = fields(kind)
    if missing := [column.name for column in columns if not isinstance(table.get(column.name), str)]:
        raise ConfigError(f"{folder}: {files} must give {', '.join(missing)}")
    for column in columns:
        if column.type == "Regex":
            try:
                re.compile(table[column.name], re.VERBOSE)
            except re.error as error:
                raise ConfigError(f"{folder}: {column.name} is no regular expression: {error}") from None
    return kind(**{column.name: table[column.name] for column in columns})
