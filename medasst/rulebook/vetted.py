"""Vetted answers as rows: what people wrote for a question at the counter, and when it may be said."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field, ValidationError, model_validator

from medasst.config import Config
from medasst.disk import package_file
from medasst.errors import ConfigError
from medasst.rulebook.rows import Row, Stage, Words

FILES = ("qa.jsonl", "general.jsonl", "counter.jsonl")
# What is asked: a section of a leaflet, or what no leaflet tells.
Topic = Literal[
    "indications",
    "dosage",
    "contraindications",
    "cautions",
    "adverse_reactions",
    "interactions",
    "pregnancy",
    "children",
    "elderly",
    "storage",
    "treat",
    "may_take",
    "compare",
    "buy",
    "expired",
    "missed_dose",
    "general",
    "prescription",
]
State = Literal["pregnancy", "lactation", "driving", "alcohol"]
Told = Mapping[str, Collection[str]]  # what was told, by the columns of `Circumstances`; under `words` a text


class Circumstances(Config):
    """What a conversation tells. Each entry of a list is one circumstance; `甲|乙` is either.

    Attributes:
        person: stages of life (infant, child, adult, elderly) of whom it is for.
        states: pregnancy, lactation, driving, alcohol.
        conditions: diseases the person has. findings: what the topic complains of.
        medicines: medicines that the topic speaks of, or that the person takes.
        allergies: what the person is allergic to.
        words: wordings in what the shopper wrote on this topic.
    """

    person: Words = ()
    states: Words = ()
    conditions: Words = ()
    findings: Words = ()
    medicines: Words = ()
    allergies: Words = ()
    words: Words = ()

    def met(self, told: Told) -> Iterator[bool]:
        """Of each circumstance, whether it is told. A finding or medicine is told by a narrower one, too."""
        return (any(one in told[column] for one in entry.split("|")) for column, entries in self for entry in entries)

    @model_validator(mode="after")
    def _known(self) -> Circumstances:
        for entries, known in ((self.person, get_args(Stage)), (self.states, get_args(State))):
            for one in (one for entry in entries for one in entry.split("|")):
                if one not in known:
                    raise ValueError(f"{one!r} is none of {', '.join(known)}")
        return self


class VettedRow(Row):
    """One answer. `checked`: all its documents were opened.

    Attributes:
        id: its name. turns: the user turns that it was written for; asked: other ways of asking the same.
        answers: what it answers.
        requires: what must all be told, or it isn't said. At least a medicine, a finding, a disease or a word is named.
        aspects: wordings by which what it tells of its subject is mostly asked; a question without one must be more alike.
        forbids: what it isn't said with, as far as is told.
        offers: names of products that it advises to use; it is said only where the shop has them and the person may.
        documents: the documents it stands on, each with its section.
    """

    id: str = Field(min_length=1)
    turns: Words = Field(min_length=1)
    asked: Words = ()
    answers: tuple[Topic, ...] = Field(min_length=1)
    requires: Circumstances
    aspects: Words = ()
    forbids: Circumstances = Circumstances()
    offers: Words = ()
    answer: str = Field(min_length=1)
    documents: tuple[tuple[str, str], ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_about_something(self) -> VettedRow:
        needed = self.requires
        if not (needed.medicines or needed.findings or needed.conditions or needed.words):
            raise ValueError("requires names no medicine, finding, disease or word, so that anything would do")
        return self

    def fits(self, told: Told) -> bool:
        """Whether all that it requires is told, and nothing that forbids it."""
        return all(self.requires.met(told)) and not any(self.forbids.met(told))


def read_vetted(paths: Sequence[Path] = ()) -> tuple[dict[str, VettedRow], str]:
    """The answers that serve at the counter of conversations as JSON lines, in the format of `medasst/samples/README.md`.

    Args:
        paths: the files; empty: those of `medasst/samples`.

    Returns:
        The rows by their id, and a digest of the files.

    Raises:
        ConfigError: a file can't be read, or a row isn't as it should be; names file and line.
    """
    rows: dict[str, VettedRow] = {}
    digest = hashlib.sha256()
    for path in paths or [package_file("samples") / name for name in FILES]:
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: can't be read: {error}; give a JSON-lines file of vetted conversations") from error
        digest.update(text.encode())
        for line, written in enumerate(text.splitlines(), 1):
            try:
                found = list(_rows(json.loads(written))) if written.strip() else []
            except ValidationError as error:
                first = error.errors()[0]
                told = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
                raise ConfigError(f"{path}:{line}: {told}; see medasst/samples/README.md") from None
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise ConfigError(
                    f"{path}:{line}: not a vetted conversation ({error!r}); see medasst/samples/README.md"
                ) from error
            for row in found:
                if row.id in rows:
                    raise ConfigError(f"{path}:{line}: {row.id!r} stands twice; give it another id")
                rows[row.id] = row
    return rows, digest.hexdigest()


def _rows(conversation: Mapping[str, Any]) -> Iterator[VettedRow]:
    """Of each assistant turn that serves at the counter."""
    facts = conversation.get("facts", ())
    documents = tuple(dict.fromkeys((fact["document"], fact["section"]) for fact in facts))
    turns: list[str] = []
    for message in conversation["messages"]:
        if message["role"] == "user":
            turns.append(message["content"])
        elif message["role"] == "assistant" and (use := message.get("counter")) is not None:
            yield VettedRow(
                **use,
                turns=tuple(turns),
                answer=message["content"],
                documents=documents,
                source="；".join(f"{document}·{section}" for document, section in documents),
                checked=bool(facts) and all(fact["checked"] for fact in facts),
            )
