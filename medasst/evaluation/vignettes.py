"""Vignettes: short conversations with what a careful pharmacist's replies must hold (`benchmarks/suites/README.md`).

A line that is no vignette is set aside and counted. A word that nobody knows, such as a misspelt level, is an error
instead: setting it aside would measure less than was written, and be seen by few.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BeforeValidator, Field, StringConstraints, ValidationError, model_validator

from medasst.config import Config
from medasst.conversation import JSON
from medasst.data.files import matching, read_rows
from medasst.data.recipes import Bad
from medasst.errors import DataError
from medasst.evaluation.rows import RowCount
from medasst.registry import did_you_mean

Level = Literal["self", "days", "today", "emergency"]  # from the least urgent
Slot = Literal["person", "age", "weight", "pregnancy", "lactation", "allergy", "conditions", "drugs", "duration", "severity"]
Category = Literal["emergency", "today", "days", "self_care", "gate", "persons", "state", "false_alarm", "shop", "script"]
LEVELS: tuple[Level, ...] = get_args(Level)
SLOTS: tuple[Slot, ...] = get_args(Slot)

Text = Annotated[str, StringConstraints(min_length=1)]
_NEEDED = frozenset({"turns", "want"})  # what tells one object alone from one around many
_LONGEST = 240  # characters of what is said of a line


def _several(value: object) -> object:
    return [value] if isinstance(value, str) else value


class Want(Config):
    """What the reply to one turn must hold, and may not.

    Attributes:
        turn: the turn, from 1.
        level: the levels that are right; one in most cases.
        must_say: of each inner list one text stands in the reply.
        must_not_say: texts that may not stand in it.
        gate: whether the reply says that a prescription is needed; None where it doesn't matter.
        offer: "none" where no medicine may be offered.
    """

    turn: int = Field(ge=1)
    level: Annotated[tuple[Level, ...], BeforeValidator(_several)] = Field(min_length=1)
    must_say: tuple[Annotated[tuple[Text, ...], Field(min_length=1)], ...] = ()
    must_not_say: tuple[Text, ...] = ()
    must_ask: tuple[Slot, ...] = ()
    must_not_ask: tuple[Slot, ...] = ()
    gate: bool | None = None
    offer: Literal["none"] | None = None

    def __str__(self) -> str:
        parts = ["/".join(self.level)]
        parts += ["say " + "|".join(texts) for texts in self.must_say]
        parts += [f"not say {'|'.join(self.must_not_say)}"] if self.must_not_say else []
        parts += [f"ask {', '.join(self.must_ask)}"] if self.must_ask else []
        parts += [f"not ask {', '.join(self.must_not_ask)}"] if self.must_not_ask else []
        parts += [] if self.gate is None else ["prescription" if self.gate else "no prescription"]
        parts += ["no offer"] if self.offer else []
        return f"{self.turn}: {'; '.join(parts)}"


class Vignette(Config):
    """What a shopper says, turn by turn, and what is wanted of the replies to some of the turns.

    Attributes:
        pair: vignettes of one `pair` are one case in other words.
        why: the judgement's ground, for people.
        useful: what a useful reply holds, for people who judge by hand.
    """

    id: Text
    category: Category
    turns: tuple[Text, ...] = Field(min_length=1)
    want: tuple[Want, ...] = Field(min_length=1)
    pair: str = ""
    why: str = ""
    useful: str = ""

    @model_validator(mode="after")
    def _of_its_turns(self) -> Self:
        judged = [want.turn for want in self.want]
        if max(judged) > len(self.turns):
            raise ValueError(f"want: turn {max(judged)} of {len(self.turns)}")
        if len(set(judged)) < len(judged):
            raise ValueError("want: a turn is judged twice")
        return self


def read_vignettes(path: str, count: RowCount) -> Iterator[Vignette]:
    """The vignettes of all files that match a pattern; `count` takes what was read, and the lines that are none.

    Raises:
        DataError: a file can't be read, or a line names a level, slot or category that doesn't exist.
    """
    for name, file in matching(path):
        for row in read_rows(file, knows=_NEEDED.issubset):
            place = f"{name}/{row.part}" if row.part else name
            if row.error:
                count.bad(Bad(place, row.line, row.error.partition(":")[0], row.error))
                continue
            try:
                vignette = Vignette.model_validate(row.value)
            except ValidationError as error:
                problem = error.errors()[0]
                if unknown := next((p for p in error.errors() if p["type"] == "literal_error"), None):
                    raise DataError(_unknown(unknown), place, row.line) from None
                count.bad(Bad(place, row.line, _reason(problem), _explain(problem, row.value)))
            else:
                count.good += 1
                yield vignette


def _unknown(problem: Any) -> str:
    given, field = str(problem["input"]), _field(problem)
    known = problem["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
    return f"{field}: there is no {given!r}{did_you_mean(given, known)}"


def _reason(problem: Any) -> str:
    return "no_field" if problem["type"] == "missing" else "bad_field"


def _explain(problem: Any, value: JSON) -> str:
    name = value.get("id") if isinstance(value, dict) else None
    message = f"{_field(problem)}: {problem['msg'].removeprefix('Value error, ')}"
    return f"{name}: {message}"[:_LONGEST] if isinstance(name, str) else message


def _field(problem: Any) -> str:
    return ".".join(map(str, problem["loc"])) or "vignette"
