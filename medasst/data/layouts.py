"""Layouts: how a row of a public dump becomes turns. Flat ones are data (`recipes.toml`), dialogues are functions here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pydantic import model_validator

from medasst.config import Config
from medasst.conversation import JSON, Role
from medasst.data.files import TURN
from medasst.registry import Registry, did_you_mean

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
    columns: tuple[str, ...] = ()  # the headings of a table that has none
    only: Mapping[str, str] = {}  # rows where a field holds anything else are set aside

    @model_validator(mode="after")
    def _fields_are_columns(self) -> Mapped:
        used = {*_names(self.question), *_names(self.answer), *_names(self.department), *self.meta, *self.only}
        used |= {name for name in (self.system, self.history) if name}
        if self.columns and (unknown := sorted(used - set(self.columns))):
            raise ValueError(f"{unknown[0]!r} is none of the columns{did_you_mean(unknown[0], self.columns)}")
        return self

    def read(self, row: Mapping[str, JSON]) -> Record:
        """Raises RecordError: a field is missing, empty, or no text, or the row is not among those wanted."""
        for name, wanted in self.only.items():
            if (found := str(row.get(name, "")).strip()) != wanted:
                raise RecordError("not_wanted", f"{name} is {found[:50]!r}; only rows with {wanted!r} are taken")
        turns: Turns = [("system", text)] if self.system and (text := _optional(row, self.system)) else []
        earlier = row.get(self.history) or [] if self.history else []
        for pair in earlier if isinstance(earlier, list) else [earlier]:
            if not isinstance(pair, list | tuple) or len(pair) != 2:
                raise RecordError("bad_history", f"{self.history} must hold [question, answer] pairs")
            turns += [("user", _text(pair[0], self.history)), ("assistant", _text(pair[1], self.history))]
        turns.append(("user", self._joined(row, self.question, "no_question")))
        turns.append(("assistant", self._joined(row, self.answer, "no_answer")))
        departments = [text for name in _names(self.department) if (text := _optional(row, name))] if self.department else []
        meta = {name: row[name] for name in self.meta if row.get(name)} if self.meta else {}
        return Record(turns, "/".join(dict.fromkeys(departments)), meta)

    def _joined(self, row: Mapping[str, JSON], fields: str | tuple[str, ...], reason: str) -> str:
        names = _names(fields)
        present = [name for name in names if name in row]
        if not present:
            raise RecordError("missing_field", f"no field {' or '.join(names)}; the row has {', '.join(map(str, row))[:200]}")
        parts = [text for name in present if (text := _text(row[name], name, reason).strip())]
        if len(parts) == 1:
            return parts[0]
        if not parts:
            raise RecordError(reason, f"{' and '.join(names)} is empty")
        parts = [part for part in parts if part not in _NOTHING] or parts[:1]
        # A title is often the beginning of the question itself.
        return self.join.join(part for i, part in enumerate(parts) if not any(part in other for other in parts[i + 1 :]))


_NOTHING = {"无", "暂无", "null", "None", "nan"}  # what stands in a field that was left blank


def _names(fields: str | tuple[str, ...]) -> tuple[str, ...]:
    return (fields,) if isinstance(fields, str) else fields


def _text(value: JSON, name: str, reason: str = "not_text") -> str:
    """The text of a field; of a list (of lists) the first."""
    if isinstance(value, str):
        return value
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
    **dict.fromkeys(("user", "human", "patient", "q", "患者", "病人", "用户", "顾客", "问"), "user"),
    **dict.fromkeys(("assistant", "gpt", "bot", "doctor", "a", "医生", "医师", "药师", "客服", "助手", "答"), "assistant"),
}


def _role(name: JSON) -> Role:
    try:
        return _ROLES.get(name) or _ROLES[name.strip().lower()]
    except (KeyError, TypeError, AttributeError):
        raise RecordError("unknown_role", f"role {str(name)[:50]!r}; known: {', '.join(_ROLES)}") from None


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
    """`conversations`: from, value; or role, content."""
    names = ("from", "value") if "from" in _first(row, "conversations") else ("role", "content")
    return Record(_spoken(row, "conversations", *names), meta={k: row[k] for k in ("category",) if row.get(k)})


def _first(row: Mapping[str, JSON], field: str) -> Mapping[str, JSON]:
    first = _list(row, field)[0]
    if not isinstance(first, Mapping):
        raise RecordError("not_text", f"{field} holds {type(first).__name__}, not objects")
    return first


@LAYOUTS.register("conversation")
def conversation(row: Mapping[str, JSON]) -> Record:
    """`conversation`: a list of {role, content} or of {human, assistant} (`_id/source/conversation` dumps)."""
    if "role" in _first(row, "conversation"):
        return Record(_spoken(row, "conversation", "role", "content"))
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


def _marked(said: JSON, field: str) -> tuple[Role, str]:
    who, colon, text = _text(said, field).replace(":", "：", 1).partition("：")
    if not colon:
        raise RecordError("unknown_role", f"a turn of {field!r} doesn't begin with who speaks, as in 患者：")
    return _role(who), text


@LAYOUTS.register("turns")
def turns_as_text(row: Mapping[str, JSON]) -> Record:
    """`turns` or `data` (or a bare list, which is read as that): texts that begin 病人： or 医生：, 问： or 答：."""
    field = "turns" if "turns" in row else "data"
    return Record([_marked(said, field) for said in _list(row, field)])


@LAYOUTS.register("speakers")
def speakers(row: Mapping[str, JSON]) -> Record:
    """`dialogue_turns`: speaker, utterance."""
    return Record(_spoken(row, "dialogue_turns", "speaker", "utterance"))


@LAYOUTS.register("transcript")
def transcript(row: Mapping[str, JSON]) -> Record:
    """`transcript`: a whole text whose turns begin a line with who speaks; a line without that goes on with the turn."""
    parts = TURN.split(_text(row.get("transcript"), "transcript", "no_question"))
    return Record([(_role(who), said) for who, said in zip(parts[1::2], parts[2::2], strict=True)])


_SECTION = re.compile(r"^(Doctor faculty|Description|Dialogue|Diagnosis and suggestions)\s*$", re.MULTILINE)
_HEADING = re.compile(r"^([^\s：:，。]{2,12})[^：:\n]{0,20}[：:][ \t]*", re.MULTILINE)
_TOLD = ("病情描述", "希望获得的帮助", "希望提供的帮助")


@LAYOUTS.register("consultation")
def consultation(row: Mapping[str, JSON]) -> Record:
    """`consultation`: a block of `id=…`, Doctor faculty, Description and Dialogue, as MedDialog-CN is published.

    What the patient wrote beforehand is the first question; the doctor's name and the closing summary are left out.
    """
    parts = _SECTION.split(_text(row.get("consultation"), "consultation", "no_question"))
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    if "Dialogue" not in sections:
        raise RecordError("missing_field", "no section Dialogue between this id= and the next")
    said = _HEADING.split(sections.get("Description", ""))
    told: Turns = [("user", text) for heading, text in zip(said[1::2], said[2::2], strict=True) if heading.startswith(_TOLD)]
    return Record(told + transcript({"transcript": sections["Dialogue"]}).turns)


_MASK = "[MASK]"
_MASK_LIST = re.compile(r"\[MASK\](?:\s*(?:[、，,/+]|和|或者?|及|与|以及|还有)?\s*\[MASK\])+")
_ROUTE = re.compile(r"(?:口服|内服|冲服|含服|服|吃|喝|含|外用|外涂|外擦|涂|抹|擦|搽|敷|喷|滴|洗|泡|吸入|雾化)[^。；;\n]{0,6}$")


@LAYOUTS.register("dialmed")
def dialmed(row: Mapping[str, JSON]) -> Record:
    """`dialog`: turns that begin 患者： or 医生：, each medication shown as [MASK]; `label` names them, in no order.

    Raises:
        RecordError: `masked_answer`, where it isn't certain which medication stands where.
    """
    turns = [_marked(said, "dialog") for said in _list(row, "dialog")]
    disease = {"disease": row.get("disease") or []}
    masks = sum(text.count(_MASK) for _, text in turns)
    if not masks:
        return Record(turns, meta=disease)
    names = [_text(name, "label") for name in _list(row, "label")]
    if len(names) == 1:
        return Record([(role, text.replace(_MASK, names[0])) for role, text in turns], meta=disease)
    # Several can be told apart only where it makes no difference: as one plain list, with no way of taking before it.
    for i, (role, text) in enumerate(turns):
        if (run := _MASK_LIST.search(text)) and run[0].count(_MASK) == masks == len(names):
            if _ROUTE.search(text[: run.start()]):
                break
            turns[i] = (role, text[: run.start()] + "、".join(names) + text[run.end() :])
            return Record(turns, meta=disease)
    raise RecordError("masked_answer", f"{masks} masks for {len(names)} medications, and nothing says which is which")


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
