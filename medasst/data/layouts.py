"""Layouts: how a row of a public dump becomes turns. Flat ones are data (`recipes.toml`), dialogues are functions here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from pydantic import model_validator

from medasst.config import Config
from medasst.conversation import JSON, Role
from medasst.data.records import (
    BESIDE_TURNS,
    FLAT,
    Record,
    RecordError,
    Turns,
    described,
    history_of,
    is_blank,
    is_unlearnt,
    list_of,
    optional_text,
    remedy,
    role_of,
    text_of,
    texts_of,
    turns_of,
    who_speaks,
    with_system,
)
from medasst.data.rows import SYSTEM, TURN
from medasst.registry import Registry, did_you_mean


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
    wordings: bool = False  # a list under `question` holds wordings of one question: the first is taken, the others are counted

    @model_validator(mode="after")
    def _fields_are_columns(self) -> Mapped:
        if self.columns and (unknown := sorted(self.used - set(self.columns))):
            raise ValueError(f"{unknown[0]!r} is none of the columns{did_you_mean(unknown[0], self.columns)}")
        return self

    @cached_property
    def used(self) -> frozenset[str]:
        """The fields that it names."""
        named = {*_names(self.question), *_names(self.answer), *_names(self.department), *self.meta, *self.only}
        return frozenset(named | {name for name in (self.system, self.history) if name})

    def read(self, row: Mapping[str, JSON]) -> Record:
        """Raises RecordError: a field is missing, empty, or no text, or the row is not among those wanted."""
        for name, wanted in self.only.items():
            if (found := str(row.get(name, "")).strip()) != wanted:
                raise RecordError("not_wanted", f"{name} is {found[:50]!r}; only rows with {wanted!r} are taken")
        turns: Turns = [("system", text)] if self.system and (text := optional_text(row, self.system)) else []
        if self.history and (earlier := row.get(self.history)):
            turns += history_of(earlier, self.history)
        row, left_out = self._one_pair(row)
        turns.append(("user", self._joined(row, self.question, "no_question")))
        turns.append(("assistant", self._joined(row, self.answer, "no_answer")))
        departments = (
            [text for name in _names(self.department) if (text := optional_text(row, name))] if self.department else []
        )
        meta = {name: row[name] for name in self.meta if row.get(name)} if self.meta else {}
        return Record(turns, "/".join(dict.fromkeys(departments)), meta, left_out=left_out)

    def _one_pair(self, row: Mapping[str, JSON]) -> tuple[Mapping[str, JSON], tuple[str, ...]]:
        """The row with one question where it holds several wordings of it. Raises RecordError: it holds several pairs."""
        for name in _names(self.question):
            if isinstance(row.get(name), list):
                break
        else:
            return row, ()
        asked = row[name]
        said: list[Any] = next((row[name] for name in _names(self.answer) if isinstance(row.get(name), list)), [])
        if len(said) > 1 and len(asked) > 1:
            told = f"{name} and the answer are lists of {len(asked)} and {len(said)}: give each pair a row of its own"
            raise RecordError("not_text", told)
        if not self.wordings:
            return row, ()
        wordings = texts_of(asked)
        return {**row, name: wordings[:1]}, ("other wording",) * (len(set(wordings)) - 1)

    def _joined(self, row: Mapping[str, JSON], fields: str | tuple[str, ...], reason: str) -> str:
        names = _names(fields)
        present = [name for name in names if name in row]
        if not present:
            told = f"no field {' or '.join(names)}; the row has {', '.join(map(str, row))[:200]}"
            raise RecordError("missing_field", f"{told}. {remedy(row)}")
        if len(present) > 1:  # a field beside another may be blank in any way
            present = [name for name in present if row[name] not in (None, [], {})] or present[:1]
        parts = [text for name in present if (text := text_of(row[name], name, reason).strip())]
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


Layout = Callable[[Mapping[str, JSON]], Record]
LAYOUTS: Registry[Layout] = Registry("layout")

_TURN_ONLY = 2  # fields of a plain turn: who and what
_WHO, _WHAT = ("role", "from", "speaker", "author"), ("content", "value", "text", "utterance", "message", "parts")


def _under(turn: Mapping[str, JSON], name: str, others: tuple[str, ...]) -> JSON:
    """What a turn holds under a name, or under another of the same meaning."""
    return turn[name] if name in turn else next((turn[other] for other in others if other in turn), None)


def _dialogue(items: list[Any], field: str, who: str, said: str, row: Mapping[str, JSON]) -> Record:
    """The turns of a list of objects. Turns of tools are left out, pictures too; `row` may hold a system text of its own."""
    turns: Turns = []
    left_out: list[str] = []
    unlearnt: list[int] = []
    for item in items:
        if not isinstance(item, Mapping):
            raise RecordError("not_text", f"{field} holds {described(item)}, not objects")
        speaker, content = _under(item, who, _WHO), _under(item, said, _WHAT)
        if speaker is None:
            raise RecordError("missing_field", f"a turn of {field} names no speaker; it is {described(item)}")
        role = who_speaks(speaker)
        if role == "tool":
            left_out.append("tool_turn")
            continue
        if len(item) > _TURN_ONLY:
            if (item.get("tool_calls") or item.get("function_call")) and not content:
                left_out.append("tool_turn")
                continue
            left_out += [name for name in ("tool_calls", "function_call", "reasoning_content", "reasoning") if item.get(name)]
            if role == "assistant" and is_unlearnt(item):
                unlearnt.append(len(turns))
        if isinstance(content, list):
            content = _texts_only(content, left_out)
        turns.append((role, text_of(content, f"{said} of a turn of {speaker}", "empty_turn")))
    record = Record(turns, left_out=tuple(left_out), unlearnt=tuple(unlearnt))
    return with_system(record, row)


def _texts_only(parts: list[Any], left_out: list[str]) -> JSON:
    """Content parts that are no text, such as pictures, left out and counted."""
    other = [part for part in parts if isinstance(part, Mapping) and not isinstance(part.get("text"), str)]
    left_out += [f"part {part.get('type', 'without text')}" for part in other]
    return [part for part in parts if part not in other]


_NEVER_IN_SILENCE = (*SYSTEM, "history", "tools")


def read_mapped(mapped: Mapped, row: Mapping[str, JSON]) -> Record:
    """A row by a mapping. What that leaves out is left out on purpose; a system text, a history and tools are counted even so.

    Raises:
        RecordError: as `Mapped.read`.
    """
    record = mapped.read(row)
    left = [name for name in _NEVER_IN_SILENCE if name in row and name not in mapped.used and not is_blank(row[name])]
    return record._replace(left_out=(*record.left_out, *(f"field {name}" for name in left))) if left else record


def read_flat(mapped: Mapped, row: Mapping[str, JSON]) -> Record:
    """A row of a flat layout; what that doesn't use of the conversation is counted. (A mapping leaves fields out on purpose.)

    Raises:
        RecordError: as `Mapped.read`.
    """
    record = mapped.read(row)
    rest = row.keys() - mapped.used
    return record if BESIDE_TURNS.isdisjoint(rest) else with_system(record, {name: row[name] for name in rest}, FLAT)


@LAYOUTS.register("messages")
def messages(row: Mapping[str, JSON]) -> Record:
    """`messages`: role, content. A `group` names what must stay on one side of the split; other fields become meta."""
    record = _dialogue(list_of(row, "messages"), "messages", "role", "content", row)
    known = {"messages", "department", "id", "source", "licence", "meta", "tools", *SYSTEM}
    meta = {k: v for k, v in row.items() if k not in known and v is not None} if len(row) > 1 else {}
    return record._replace(department=optional_text(row, "department"), meta=meta, key=optional_text(row, "group"))


@LAYOUTS.register("sharegpt")
def sharegpt(row: Mapping[str, JSON]) -> Record:
    """`conversations`: from, value; or role, content."""
    items = list_of(row, "conversations")
    names = ("from", "value") if "from" in _first(items, "conversations") else ("role", "content")
    return _dialogue(items, "conversations", *names, row)._replace(meta={k: row[k] for k in ("category",) if row.get(k)})


def _first(items: list[Any], field: str) -> Mapping[str, JSON]:
    if not isinstance(items[0], Mapping):
        raise RecordError("not_text", f"{field} holds {described(items[0])}, not objects")
    return items[0]


@LAYOUTS.register("conversation")
def conversation(row: Mapping[str, JSON]) -> Record:
    """`conversation`: a list of {role, content} or of pairs: {human, assistant}, {input, output} and such."""
    items = list_of(row, "conversation")
    for names in (("role", "content"), ("from", "value")):
        if names[0] in _first(items, "conversation"):
            return _dialogue(items, "conversation", *names, row)
    turns: Turns = []
    unlearnt = []
    for item in items:
        if not isinstance(item, Mapping) or not (pair := turns_of(item, "conversation")):
            raise RecordError(
                "missing_field", f"conversation holds {described(item)}, neither a turn nor a question with its answer"
            )
        if text := optional_text(item, "system"):
            turns.append(("system", text))
        turns += pair
        if len(item) > _TURN_ONLY and is_unlearnt(item):
            unlearnt.append(len(turns) - 1)
    return with_system(Record(turns, unlearnt=tuple(unlearnt)), row)


@LAYOUTS.register("contents")
def contents(row: Mapping[str, JSON]) -> Record:
    """`contents`: role, parts."""
    return _dialogue(list_of(row, "contents"), "contents", "role", "parts", row)


@LAYOUTS.register("prompt-completion")
def prompt_completion(row: Mapping[str, JSON]) -> Record:
    """`prompt` and `completion`: texts, or lists of role, content."""
    items: list[Any] = []
    for field, role in (("prompt", "user"), ("completion", "assistant")):
        value = row.get(field)
        if isinstance(value, str) and value.startswith(("[{", "[ {")):
            value = list_of(row, field)
        spoken = isinstance(value, list) and bool(value) and isinstance(value[0], Mapping) and "role" in value[0]
        items += value or [] if spoken else [{"role": role, "content": text_of(value, field, "empty_turn")}]
    return _dialogue(items, "prompt", "role", "content", {k: v for k, v in row.items() if k != "prompt"})


_MARK = re.compile(r"<(user|bot)>\s*[:：]")


@LAYOUTS.register("marked-turns")
def marked_turns(row: Mapping[str, JSON]) -> Record:
    """`instruction` holds earlier turns marked `<user>:` and `<bot>:`; `output` is the last answer."""
    before, *parts = _MARK.split(text_of(row.get("instruction"), "instruction", "no_question"))
    turns: Turns = [(role_of(who), said.strip()) for who, said in zip(parts[::2], parts[1::2], strict=True)]
    first: Turns = [("system" if turns else "user", before.strip())] if before.strip() else []
    record = Record([*first, *turns, ("assistant", text_of(row.get("output"), "output", "no_answer"))])
    return with_system(record, {k: v for k, v in row.items() if k not in {"instruction", "output"}})


def _marked(said: JSON, field: str) -> tuple[Role, str]:
    who, colon, text = text_of(said, field).replace(":", "：", 1).partition("：")
    if not colon:
        cells = '; if these are cells of a table, name them: mapping = { columns = ["question", "answer"], … }'
        told = f"a turn of {field!r} doesn't begin with who speaks, as in 患者："
        raise RecordError("unknown_role", told + (cells if field == "turns" else ""))
    return role_of(who), text


@LAYOUTS.register("turns")
def turns_as_text(row: Mapping[str, JSON]) -> Record:
    """`turns` or `data` (or a bare list, which is read as that): texts that begin 病人： or 医生：, 问： or 答：."""
    field = "turns" if "turns" in row else "data"
    if isinstance((items := list_of(row, field))[0], Mapping):
        return _dialogue(items, field, "role", "content", row)
    return with_system(Record([_marked(said, field) for said in list_of(row, field)]), row)


@LAYOUTS.register("speakers")
def speakers(row: Mapping[str, JSON]) -> Record:
    """`dialogue_turns`: speaker, utterance."""
    return _dialogue(list_of(row, "dialogue_turns"), "dialogue_turns", "speaker", "utterance", row)


@LAYOUTS.register("transcript")
def transcript(row: Mapping[str, JSON]) -> Record:
    """`transcript`: a whole text whose turns begin a line with who speaks; a line without that goes on with the turn."""
    before, *parts = TURN.split(text_of(row.get("transcript"), "transcript", "no_question"))
    turns: Turns = [(role_of(who), said) for who, said in zip(parts[::2], parts[1::2], strict=True)]
    return with_system(Record(turns, left_out=("text before the first turn",) if before.strip() else ()), row)


_SECTION = re.compile(r"^(Doctor faculty|Description|Dialogue|Diagnosis and suggestions)\s*$", re.MULTILINE)
_HEADING = re.compile(r"^([^\s：:，。]{2,12})[^：:\n]{0,20}[：:][ \t]*", re.MULTILINE)
_TOLD = ("病情描述", "希望获得的帮助", "希望提供的帮助")


@LAYOUTS.register("consultation")
def consultation(row: Mapping[str, JSON]) -> Record:
    """`consultation`: a block of `id=…`, Doctor faculty, Description and Dialogue, as MedDialog-CN is published.

    What the patient wrote beforehand is the first question; the doctor's name and the closing summary are left out.
    """
    parts = _SECTION.split(text_of(row.get("consultation"), "consultation", "no_question"))
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    if "Dialogue" not in sections:
        raise RecordError("missing_field", "no section Dialogue between this id= and the next")
    said = _HEADING.split(sections.get("Description", ""))
    told: Turns = [("user", text) for heading, text in zip(said[1::2], said[2::2], strict=True) if heading.startswith(_TOLD)]
    dialogue = transcript({"transcript": sections["Dialogue"]})
    closing = ("closing summary",) if sections.get("Diagnosis and suggestions", "").strip() else ()
    return dialogue._replace(turns=told + dialogue.turns, left_out=dialogue.left_out + closing)


_MASK = "[MASK]"
_MASK_LIST = re.compile(r"\[MASK\](?:\s*(?:[、，,/+]|和|或者?|及|与|以及|还有)?\s*\[MASK\])+")
_ROUTE = re.compile(r"(?:口服|内服|冲服|含服|服|吃|喝|含|外用|外涂|外擦|涂|抹|擦|搽|敷|喷|滴|洗|泡|吸入|雾化)[^。；;\n]{0,6}$")


@LAYOUTS.register("dialmed")
def dialmed(row: Mapping[str, JSON]) -> Record:
    """`dialog`: turns that begin 患者： or 医生：, each medication shown as [MASK]; `label` names them, in no order.

    Raises:
        RecordError: `masked_answer`, where it isn't certain which medication stands where.
    """
    turns = [_marked(said, "dialog") for said in list_of(row, "dialog")]
    disease = {"disease": row.get("disease") or []}
    masks = sum(text.count(_MASK) for _, text in turns)
    if not masks:
        return Record(turns, meta=disease)
    names = [text_of(name, "label") for name in list_of(row, "label")]
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
    return _dialogue(list_of(row, "dialogue-content"), "dialogue-content", "speaker", "sentence", row)._replace(
        department="儿科"
    )
