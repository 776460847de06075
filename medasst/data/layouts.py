"""Layouts: how a row of a public dump becomes turns. Flat ones are data (`recipes.toml`), dialogues are functions here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from medasst.config import Config
from medasst.conversation import JSON, Role
from medasst.registry import Registry

Turns = list[tuple[Role, str]]


class RecordError(ValueError):
    """A row that is no conversation. `reason` is what it is counted under."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


class Record(NamedTuple):
    """A row understood: its turns and what else is known. `key` is what the split goes by and
    `stem` what contamination is looked for in, where that isn't the first question."""

    turns: Turns
    department: str = ""
    meta: Mapping[str, JSON] = {}
    key: str = ""
    stem: str = ""


class Mapped(Config):
    """Which fields of a flat row hold what; several fields are joined by a line break, repeats left out."""

    question: str | tuple[str, ...]
    answer: str | tuple[str, ...]
    system: str = ""
    history: str = ""
    department: str | tuple[str, ...] = ()
    meta: tuple[str, ...] = ()
    join: str = "\n"

    def read(self, row: Mapping[str, JSON]) -> Record:
        """Raises RecordError: a field is missing, empty, or no text."""
        turns: Turns = [("system", text)] if self.system and (text := _optional(row, self.system)) else []
        for pair in row.get(self.history) or [] if self.history else []:
            if not isinstance(pair, list | tuple) or len(pair) != 2:
                raise RecordError("bad_history", f"{self.history} must hold [question, answer] pairs")
            turns += [("user", _text(pair[0], self.history)), ("assistant", _text(pair[1], self.history))]
        turns.append(("user", self._joined(row, self.question, "no_question")))
        turns.append(("assistant", self._joined(row, self.answer, "no_answer")))
        departments = [text for name in _names(self.department) if (text := _optional(row, name))]
        return Record(turns, "/".join(dict.fromkeys(departments)), {name: row[name] for name in self.meta if row.get(name)})

    def _joined(self, row: Mapping[str, JSON], fields: str | tuple[str, ...], reason: str) -> str:
        names = _names(fields)
        present = [name for name in names if name in row]
        if not present:
            raise RecordError("missing_field", f"no field {' or '.join(names)}; the row has {', '.join(map(str, row))[:200]}")
        parts = [text for name in present if (text := _text(row[name], name, reason).strip())]
        if not parts:
            raise RecordError(reason, f"{' and '.join(names)} is empty")
        # A title is often the beginning of the question itself.
        return self.join.join(part for i, part in enumerate(parts) if not any(part in other for other in parts[i + 1 :]))


def _names(fields: str | tuple[str, ...]) -> tuple[str, ...]:
    return (fields,) if isinstance(fields, str) else fields


def _text(value: JSON, name: str, reason: str = "not_text") -> str:
    """The text of a field; of a list (of lists) the first."""
    while isinstance(value, list) and value:
        value = value[0]
    if value is None or value == []:
        raise RecordError(reason, f"{name} is null or empty")
    if not isinstance(value, str):
        raise RecordError("not_text", f"{name} is {type(value).__name__}, not text")
    return value


def _optional(row: Mapping[str, JSON], name: str) -> str:
    value = row.get(name)
    return value.strip() if isinstance(value, str) else ""


Layout = Callable[[Mapping[str, JSON]], Record]
LAYOUTS: Registry[Layout] = Registry("layout")

_ROLES: dict[str, Role] = {
    "system": "system",
    **dict.fromkeys(("user", "human", "Human", "patient", "患者", "病人"), "user"),
    **dict.fromkeys(("assistant", "gpt", "bot", "Assistant", "doctor", "医生"), "assistant"),
}


def _role(name: JSON) -> Role:
    try:
        return _ROLES[name]
    except (KeyError, TypeError):
        raise RecordError("unknown_role", f"role {name!r}") from None


def _list(row: Mapping[str, JSON], field: str) -> list[Any]:
    value = row.get(field)
    if not isinstance(value, list) or not value:
        raise RecordError("missing_field", f"no list {field!r}")
    return value


def _spoken(row: Mapping[str, JSON], field: str, role: str, content: str) -> Turns:
    turns: Turns = []
    for item in _list(row, field):
        if not isinstance(item, Mapping):
            raise RecordError("not_text", f"{field} holds {type(item).__name__}, not objects")
        turns.append((_role(item.get(role)), _text(item.get(content), content, "empty_turn")))
    return turns


@LAYOUTS.register("messages")
def messages(row: Mapping[str, JSON]) -> Record:
    """`messages`: role, content. A `group` names what must stay on one side of the split; other fields become meta."""
    turns = _spoken(row, "messages", "role", "content")
    known = {"messages", "department", "id", "source", "licence", "meta"}
    meta = {k: v for k, v in row.items() if k not in known and v is not None}
    return Record(turns, _optional(row, "department"), meta, _optional(row, "group"))


@LAYOUTS.register("sharegpt")
def sharegpt(row: Mapping[str, JSON]) -> Record:
    """`conversations`: from, value."""
    return Record(_spoken(row, "conversations", "from", "value"))


@LAYOUTS.register("human-assistant")
def human_assistant(row: Mapping[str, JSON]) -> Record:
    """`conversation`: a list of {human, assistant} (`_id/source/conversation` dumps)."""
    turns: Turns = []
    for item in _list(row, "conversation"):
        if not isinstance(item, Mapping):
            raise RecordError("not_text", "conversation holds no objects")
        turns += [
            ("user", _text(item.get("human"), "human", "empty_turn")),
            ("assistant", _text(item.get("assistant"), "assistant", "empty_turn")),
        ]
    return Record(turns)


_MARK = re.compile(r"<(user|bot)>\s*[:：]")


@LAYOUTS.register("marked-turns")
def marked_turns(row: Mapping[str, JSON]) -> Record:
    """`instruction` holds earlier turns marked `<user>:` and `<bot>:`; `output` is the last answer."""
    parts = _MARK.split(_text(row.get("instruction"), "instruction", "no_question"))
    turns: Turns = [(_role(who), said.strip()) for who, said in zip(parts[1::2], parts[2::2], strict=True)]
    return Record([*(turns or [("user", parts[0].strip())]), ("assistant", _text(row.get("output"), "output", "no_answer"))])


@LAYOUTS.register("dialmed")
def dialmed(row: Mapping[str, JSON]) -> Record:
    """`dialog`: turns that begin 患者： or 医生：, the one medication shown as [MASK], which `label` names."""
    label = row.get("label") or []
    turns: Turns = []
    for said in _list(row, "dialog"):
        who, colon, text = _text(said, "dialog").partition("：")
        if not colon:
            raise RecordError("unknown_role", "a turn without 患者： or 医生：")
        turns.append((_role(who), text))
    if len(label) != 1 and any("[MASK]" in text for _, text in turns):
        raise RecordError("masked_answer", "several medications, and [MASK] doesn't say which")
    turns = [(role, text.replace("[MASK]", str(label[0]))) if label else (role, text) for role, text in turns]
    return Record(turns, meta={"disease": row.get("disease") or []})


@LAYOUTS.register("cmdd")
def cmdd(row: Mapping[str, JSON]) -> Record:
    """`dialogue-content`: speaker, sentence."""
    return Record(_spoken(row, "dialogue-content", "speaker", "sentence"), "儿科")


def joined(turns: Turns) -> Turns:
    """Blank turns and greetings before the first question left out, neighbours of one speaker made one, ending with an answer.

    Raises:
        RecordError: no question or no answer is left.
    """
    result: Turns = []
    for role, said in turns:
        text = said.strip()
        if not text or (role == "assistant" and not any(r == "user" for r, _ in result)):
            continue
        if result and result[-1][0] == role:
            before = result[-1][1]
            result[-1] = (role, before + ("" if before[-1] in "，。！？；：,.!?;:" else "，") + text)
        else:
            result.append((role, text))
    if not any(role == "user" for role, _ in result):
        raise RecordError("no_question", "no user turn")
    while result and result[-1][0] != "assistant":
        result.pop()
    if not result:
        raise RecordError("no_answer", "no assistant turn after a user turn")
    return result
