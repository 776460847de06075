"""Layouts: how a row of a public dump becomes turns. Flat ones are data (`recipes.toml`), dialogues are functions here."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any, Literal, NamedTuple

from pydantic import model_validator

from medasst.config import Config
from medasst.conversation import JSON, UNLEARNT, Role
from medasst.data.json_text import loose
from medasst.data.rows import SYSTEM, TURN
from medasst.registry import Registry, did_you_mean

Turns = list[tuple[Role, str]]


class RecordError(ValueError):
    """A row that is no conversation. `reason` is what it is counted under."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


class Record(NamedTuple):
    """A row understood: its turns and what else is known.

    Args:
        turns: who said what.
        department: of the hospital.
        meta: what else is kept of the row.
        key: what the split goes by, where that isn't the first question.
        stem: what contamination is looked for in, where that isn't the first question.
        left_out: what of the conversation is not in `turns`, a name for each piece: it is counted.
        unlearnt: places in `turns` of answers that are marked as not to be learnt.
    """

    turns: Turns
    department: str = ""
    meta: Mapping[str, JSON] = {}
    key: str = ""
    stem: str = ""
    left_out: tuple[str, ...] = ()
    unlearnt: tuple[int, ...] = ()


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
        turns: Turns = [("system", text)] if self.system and (text := _optional(row, self.system)) else []
        if self.history and (earlier := row.get(self.history)):
            turns += _history(earlier, self.history)
        row, left_out = self._one_pair(row)
        turns.append(("user", self._joined(row, self.question, "no_question")))
        turns.append(("assistant", self._joined(row, self.answer, "no_answer")))
        departments = [text for name in _names(self.department) if (text := _optional(row, name))] if self.department else []
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
        wordings = _texts(asked)
        return {**row, name: wordings[:1]}, ("other wording",) * (len(set(wordings)) - 1)

    def _joined(self, row: Mapping[str, JSON], fields: str | tuple[str, ...], reason: str) -> str:
        names = _names(fields)
        present = [name for name in names if name in row]
        if not present:
            told = f"no field {' or '.join(names)}; the row has {', '.join(map(str, row))[:200]}"
            raise RecordError("missing_field", f"{told}. {remedy(row)}")
        if len(present) > 1:  # a field beside another may be blank in any way
            present = [name for name in present if row[name] not in (None, [], {})] or present[:1]
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
    """The text of a field; of a list, also of one written out in a cell, all its texts, a line each."""
    if isinstance(value, str):
        return _written_out(value) if value.startswith(("[", "{")) else value
    if value is None or value in ([], {}):
        raise RecordError(reason, f"{name} is null or empty")
    if isinstance(value, list) and (texts := _texts(value)):
        return "\n".join(dict.fromkeys(texts))
    raise RecordError("not_text", f"{name} is {_described(value)}, not text")


def _texts(value: list[Any]) -> list[str]:
    """All texts of a list, of lists in it, of content parts; [] where there is anything else."""
    found: list[str] = []
    for item in value:
        if isinstance(item, str):
            found.append(item)
        elif isinstance(item, Mapping) and isinstance(item.get("text"), str):
            found.append(item["text"])
        elif isinstance(item, list) and (inner := _texts(item)):
            found += inner
        else:
            return []
    return found


def _written_out(text: str) -> str:
    """The texts of a list that an export wrote into a cell; any other text as it is."""
    if text.startswith(('["', "['", "[[", "[{", '{"text"', "{'text'")):
        with suppress(ValueError):
            value = loose(text)
            if found := _texts(value if isinstance(value, list) else [value]):
                return "\n".join(dict.fromkeys(found))
    return text


def _described(value: JSON) -> str:
    if isinstance(value, Mapping):
        return f"an object with {', '.join(map(str, list(value)[:5]))}" if value else "an empty object"
    if isinstance(value, list):
        return f"a list of {len(value)}, the first {_described(value[0])}" if value else "an empty list"
    return f"null ({value})" if value is None else f"{type(value).__name__} {str(value)[:30]}"


def _optional(row: Mapping[str, JSON], name: str) -> str:
    """The text of a field that may be missing; numbers as they are written, lists joined."""
    value = row.get(name)
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list):
        return "/".join(str(item).strip() for item in value if item not in (None, ""))
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


_ASKED = ("user", "human", "question", "query", "instruction", "prompt", "input", "q", "问", "问题", "用户", "患者")
_ANSWERED = ("assistant", "gpt", "bot", "answer", "response", "output", "completion", "a", "答", "回答", "助手", "医生")


def _history(earlier: JSON, field: str) -> Turns:
    """Earlier turns: [question, answer] pairs, objects that hold a pair or a turn, texts that alternate; also written out."""
    if isinstance(earlier, str):
        if earlier.strip().lower() in _BLANKS:
            return []
        try:
            earlier = loose(earlier)
        except ValueError:
            raise RecordError("bad_history", f"{field} is a text and no list: {earlier[:50]!r}") from None
    items = earlier if isinstance(earlier, list) else [earlier]
    if len(items) % 2 == 0 and all(isinstance(item, str) for item in items):
        items = [items[i : i + 2] for i in range(0, len(items), 2)]
    turns: Turns = []
    for item in items:
        if not item:
            continue
        if isinstance(item, list) and len(item) == 2:
            turns += [("user", _text(item[0], field)), ("assistant", _text(item[1], field))]
        elif isinstance(item, Mapping) and (found := _turns_of(item, field)):
            turns += found
        else:
            raise RecordError("bad_history", f"{field} holds {_described(item)}; it must hold [question, answer] pairs")
    return turns


def _turns_of(item: Mapping[str, JSON], field: str) -> Turns:
    if (role := next((name for name in ("role", "from", "speaker") if name in item), "")) and (
        said := next((name for name in ("content", "value", "text") if name in item), "")
    ):
        return [(_role(item[role]), _text(item[said], field))]
    asked = next((name for name in _ASKED if name in item), None)
    answered = next((name for name in _ANSWERED if name in item), None)
    if asked is None or answered is None:
        return []
    return [("user", _text(item[asked], f"{field}.{asked}")), ("assistant", _text(item[answered], f"{field}.{answered}"))]


_BLANKS = {"", "[]", "null", "none", "nan", "无"}
_LIKELY_QUESTION = (
    *("question", "query", "ask", "instruction", "prompt", "input", "problem", "问题", "提问", "咨询", "问", "title", "标题"),
    *("description", "描述", "content", "text"),
)
_LIKELY_ANSWER = (
    *("answer", "response", "output", "reply", "completion", "chosen", "label"),
    *("回答", "答案", "回复", "答", "解答", "建议"),
)


def remedy(row: Mapping[str, JSON]) -> str:
    """A mapping for a flat row whose fields no layout knows, guessed from names and lengths, as the job file has it."""
    texts = {str(name): len(value) for name, value in row.items() if isinstance(value, str)}
    if len(texts) < 2:
        return "state a layout or a mapping, or bring the rows into one of the layouts"
    if any(len(name) > 15 or name.endswith(("？", "?", "。")) for name in texts):
        names = ", ".join(_quoted(f"column {i}") for i in range(1, len(row) + 1))
        return f"the table seems to have no headings: name them, for example mapping = {{ columns = [{names}], … }}"
    longest = sorted(texts, key=lambda name: -texts[name])
    answer = _likely(longest, _LIKELY_ANSWER)
    question = _likely([name for name in longest if name != answer], _LIKELY_QUESTION)
    answer = answer or next(name for name in longest if name != question)
    question = question or next(name for name in longest if name != answer)
    return f"state a mapping, for example mapping = {{ question = {_quoted(question)}, answer = {_quoted(answer)} }}"


def _likely(names: Sequence[str], known: tuple[str, ...]) -> str:
    return next((name for hint in known for name in names if hint == name.strip().lower()), "") or next(
        (name for hint in known if len(hint) > 1 for name in names if hint in name.lower()), ""
    )


def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


Layout = Callable[[Mapping[str, JSON]], Record]
LAYOUTS: Registry[Layout] = Registry("layout")

_SPEAKERS: dict[Role | Literal["tool"], str] = {
    "system": "system developer 系统",
    "user": "user human patient customer client q 患者 病人 用户 顾客 客户 买家 家属 问",
    "assistant": "assistant gpt chatgpt bot ai model bard agent doctor pharmacist a 医生 医师 药师 客服 助手 店员 护士 专家 答",
    "tool": "tool tools function function_call tool_call tool_calls tool_response observation ipython",
}
_ROLES = {name: role for role, names in _SPEAKERS.items() for name in names.split()}


def _who(name: JSON) -> Role | Literal["tool"]:
    try:
        return _ROLES.get(name) or _ROLES[name.strip().lower()]
    except (KeyError, TypeError, AttributeError):
        known = ", ".join(_ROLES)
        raise RecordError("unknown_role", f"the role is {str(name)[:50]!r}; known: {known}") from None


def _role(name: JSON) -> Role:
    role = _who(name)
    if role == "tool":
        raise RecordError("unknown_role", f"a turn of {str(name)[:50]!r}, where only people speak")
    return role


def _list(row: Mapping[str, JSON], field: str) -> list[Any]:
    """The list in a field, also one that an export wrote out as text."""
    value = row.get(field)
    if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
        try:
            value = loose(value)
        except ValueError as error:
            raise RecordError("not_text", f"{field} is a text that is no JSON list: {error}") from None
    if isinstance(value, Mapping) and value and all(isinstance(column, list) for column in value.values()):
        value = [dict(zip(value, cells, strict=False)) for cells in zip(*value.values(), strict=False)]  # turns by columns
    if not isinstance(value, list) or not value:
        told = f"{field} is {_described(value)}, not a list of turns" if field in row else f"no list {field!r}"
        raise RecordError("missing_field", told)
    return value


# Marks of answers that are not to be learnt, as tools write them: those that say yes by being false, and by being true.
_LEARNT = ("loss", "weight", "train", "trainable", "training", "learn", "loss_weight", "loss_scale", "loss_mask")
_NOT_LEARNT = ("masked", "mask", "ignore", "ignored", "no_loss", "skip")
_NO = {"false", "0", "0.0", "no"}
_TURN_ONLY = 2  # fields of a plain turn: who and what


def _is_unlearnt(turn: Mapping[str, JSON]) -> bool:
    no = any(turn.get(name) is not None and (not turn[name] or str(turn[name]).lower() in _NO) for name in _LEARNT)
    return no or any(turn.get(name) and str(turn[name]).lower() not in _NO for name in _NOT_LEARNT)


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
            raise RecordError("not_text", f"{field} holds {_described(item)}, not objects")
        speaker, content = _under(item, who, _WHO), _under(item, said, _WHAT)
        if speaker is None:
            raise RecordError("missing_field", f"a turn of {field} names no speaker; it is {_described(item)}")
        role = _who(speaker)
        if role == "tool":
            left_out.append("tool_turn")
            continue
        if len(item) > _TURN_ONLY:
            if (item.get("tool_calls") or item.get("function_call")) and not content:
                left_out.append("tool_turn")
                continue
            left_out += [name for name in ("tool_calls", "function_call", "reasoning_content", "reasoning") if item.get(name)]
            if role == "assistant" and _is_unlearnt(item):
                unlearnt.append(len(turns))
        if isinstance(content, list):
            content = _texts_only(content, left_out)
        turns.append((role, _text(content, f"{said} of a turn of {speaker}", "empty_turn")))
    record = Record(turns, left_out=tuple(left_out), unlearnt=tuple(unlearnt))
    return with_system(record, row)


def _texts_only(parts: list[Any], left_out: list[str]) -> JSON:
    """Content parts that are no text, such as pictures, left out and counted."""
    other = [part for part in parts if isinstance(part, Mapping) and not isinstance(part.get("text"), str)]
    left_out += [f"part {part.get('type', 'without text')}" for part in other]
    return [part for part in parts if part not in other]


_MEDIA = ("images", "image", "videos", "audios")
# Fields that belong to a conversation; what a dialogue's layout doesn't use of them is counted.
_SAID = (
    "instruction",
    "prompt",
    "query",
    "question",
    "input",
    "context",
    "background",
    "knowledge",
    "output",
    "response",
    "answer",
)


_FLAT = (*_SAID, "title", "description")
_BESIDE_TURNS = frozenset((*SYSTEM, *_MEDIA, *_FLAT, "tools"))


def with_system(record: Record, row: Mapping[str, JSON], said: tuple[str, ...] = _SAID) -> Record:
    """The record with the row's own system text first, and with what it doesn't use of the row counted."""
    if _BESIDE_TURNS.isdisjoint(row):
        return record
    turns, shift = record.turns, 0
    for name in SYSTEM:
        if (text := _optional(row, name)) and ("system", text) not in turns:
            turns, shift = [("system", text), *turns], shift + 1
    left_out = [name for name in _MEDIA if row.get(name)] + [f"field {name}" for name in said if _optional(row, name)]
    if (tools := row.get("tools")) and str(tools).strip().lower() not in _BLANKS:
        left_out.append("tools")
    if shift or left_out:
        unlearnt = tuple(place + shift for place in record.unlearnt)
        return record._replace(turns=turns, left_out=(*record.left_out, *left_out), unlearnt=unlearnt)
    return record


def read_flat(mapped: Mapped, row: Mapping[str, JSON]) -> Record:
    """A row of a flat layout; what that doesn't use of the conversation is counted. (A mapping leaves fields out on purpose.)

    Raises:
        RecordError: as `Mapped.read`.
    """
    record = mapped.read(row)
    rest = row.keys() - mapped.used
    return record if _BESIDE_TURNS.isdisjoint(rest) else with_system(record, {name: row[name] for name in rest}, _FLAT)


@LAYOUTS.register("messages")
def messages(row: Mapping[str, JSON]) -> Record:
    """`messages`: role, content. A `group` names what must stay on one side of the split; other fields become meta."""
    record = _dialogue(_list(row, "messages"), "messages", "role", "content", row)
    known = {"messages", "department", "id", "source", "licence", "meta", "tools", *SYSTEM}
    meta = {k: v for k, v in row.items() if k not in known and v is not None} if len(row) > 1 else {}
    return record._replace(department=_optional(row, "department"), meta=meta, key=_optional(row, "group"))


@LAYOUTS.register("sharegpt")
def sharegpt(row: Mapping[str, JSON]) -> Record:
    """`conversations`: from, value; or role, content."""
    items = _list(row, "conversations")
    names = ("from", "value") if "from" in _first(items, "conversations") else ("role", "content")
    return _dialogue(items, "conversations", *names, row)._replace(meta={k: row[k] for k in ("category",) if row.get(k)})


def _first(items: list[Any], field: str) -> Mapping[str, JSON]:
    if not isinstance(items[0], Mapping):
        raise RecordError("not_text", f"{field} holds {_described(items[0])}, not objects")
    return items[0]


@LAYOUTS.register("conversation")
def conversation(row: Mapping[str, JSON]) -> Record:
    """`conversation`: a list of {role, content} or of pairs: {human, assistant}, {input, output} and such."""
    items = _list(row, "conversation")
    for names in (("role", "content"), ("from", "value")):
        if names[0] in _first(items, "conversation"):
            return _dialogue(items, "conversation", *names, row)
    turns: Turns = []
    unlearnt = []
    for item in items:
        if not isinstance(item, Mapping) or not (pair := _turns_of(item, "conversation")):
            raise RecordError(
                "missing_field", f"conversation holds {_described(item)}, neither a turn nor a question with its answer"
            )
        if text := _optional(item, "system"):
            turns.append(("system", text))
        turns += pair
        if len(item) > _TURN_ONLY and _is_unlearnt(item):
            unlearnt.append(len(turns) - 1)
    return with_system(Record(turns, unlearnt=tuple(unlearnt)), row)


@LAYOUTS.register("contents")
def contents(row: Mapping[str, JSON]) -> Record:
    """`contents`: role, parts."""
    return _dialogue(_list(row, "contents"), "contents", "role", "parts", row)


@LAYOUTS.register("prompt-completion")
def prompt_completion(row: Mapping[str, JSON]) -> Record:
    """`prompt` and `completion`: texts, or lists of role, content."""
    items: list[Any] = []
    for field, role in (("prompt", "user"), ("completion", "assistant")):
        value = row.get(field)
        if isinstance(value, str) and value.startswith(("[{", "[ {")):
            value = _list(row, field)
        spoken = isinstance(value, list) and bool(value) and isinstance(value[0], Mapping) and "role" in value[0]
        items += value or [] if spoken else [{"role": role, "content": _text(value, field, "empty_turn")}]
    return _dialogue(items, "prompt", "role", "content", {k: v for k, v in row.items() if k != "prompt"})


_MARK = re.compile(r"<(user|bot)>\s*[:：]")


@LAYOUTS.register("marked-turns")
def marked_turns(row: Mapping[str, JSON]) -> Record:
    """`instruction` holds earlier turns marked `<user>:` and `<bot>:`; `output` is the last answer."""
    before, *parts = _MARK.split(_text(row.get("instruction"), "instruction", "no_question"))
    turns: Turns = [(_role(who), said.strip()) for who, said in zip(parts[::2], parts[1::2], strict=True)]
    first: Turns = [("system" if turns else "user", before.strip())] if before.strip() else []
    record = Record([*first, *turns, ("assistant", _text(row.get("output"), "output", "no_answer"))])
    return with_system(record, {k: v for k, v in row.items() if k not in {"instruction", "output"}})


def _marked(said: JSON, field: str) -> tuple[Role, str]:
    who, colon, text = _text(said, field).replace(":", "：", 1).partition("：")
    if not colon:
        cells = '; if these are cells of a table, name them: mapping = { columns = ["question", "answer"], … }'
        told = f"a turn of {field!r} doesn't begin with who speaks, as in 患者："
        raise RecordError("unknown_role", told + (cells if field == "turns" else ""))
    return _role(who), text


@LAYOUTS.register("turns")
def turns_as_text(row: Mapping[str, JSON]) -> Record:
    """`turns` or `data` (or a bare list, which is read as that): texts that begin 病人： or 医生：, 问： or 答：."""
    field = "turns" if "turns" in row else "data"
    if isinstance((items := _list(row, field))[0], Mapping):
        return _dialogue(items, field, "role", "content", row)
    return with_system(Record([_marked(said, field) for said in _list(row, field)]), row)


@LAYOUTS.register("speakers")
def speakers(row: Mapping[str, JSON]) -> Record:
    """`dialogue_turns`: speaker, utterance."""
    return _dialogue(_list(row, "dialogue_turns"), "dialogue_turns", "speaker", "utterance", row)


@LAYOUTS.register("transcript")
def transcript(row: Mapping[str, JSON]) -> Record:
    """`transcript`: a whole text whose turns begin a line with who speaks; a line without that goes on with the turn."""
    before, *parts = TURN.split(_text(row.get("transcript"), "transcript", "no_question"))
    turns: Turns = [(_role(who), said) for who, said in zip(parts[::2], parts[1::2], strict=True)]
    return with_system(Record(turns, left_out=("text before the first turn",) if before.strip() else ()), row)


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
    return _dialogue(_list(row, "dialogue-content"), "dialogue-content", "speaker", "sentence", row)._replace(department="儿科")


_ROW_MARKS = frozenset((*_LEARNT, *_NOT_LEARNT))


def marked(record: Record, row: Mapping[str, JSON]) -> Record:
    """The record with the marks that stand beside its turns: of the whole, or a list with one for each turn or each answer.

    Raises:
        RecordError: it is not to be learnt.
    """
    if _ROW_MARKS.isdisjoint(row):
        return record
    answers = [place for place, (role, _) in enumerate(record.turns) if role == "assistant"]
    unlearnt = set(record.unlearnt)
    for name in _ROW_MARKS & row.keys():
        value = row[name]
        if isinstance(value, bool | int | float) and _is_unlearnt({name: value}):
            raise RecordError("not_learnt", f"{name} is {value}: marked as not to be learnt")
        if isinstance(value, list):
            places = {len(answers): answers, len(record.turns): list(range(len(record.turns)))}.get(len(value), [])
            unlearnt |= {p for p, mark in zip(places, value, strict=False) if p in answers and _is_unlearnt({name: mark})}
    return record._replace(unlearnt=tuple(sorted(unlearnt)))


def finished(record: Record) -> Record:
    """The record as it is learnt from: blank turns and greetings before the first question left out, neighbours of one speaker
    made one, ending with an answer that may be learnt. `unlearnt` are places in the new turns; what was left out is counted.

    Raises:
        RecordError: no question or no answer is left, or none that may be learnt.
    """
    if [role for role, _ in record.turns] == ["user", "assistant"] and not record.unlearnt:  # as most are
        question, answer = (text.strip() for _, text in record.turns)
        if question and answer:
            return record._replace(turns=[("user", question), ("assistant", answer)])
    turns: Turns = []
    left_out = list(record.left_out)
    unlearnt: set[int] = set()
    asked = False
    for place, (role, said) in enumerate(record.turns):
        text = said.strip()
        if not text:
            continue
        if role == "assistant" and not asked:
            left_out.append("greeting before the question")
            continue
        asked = asked or role == "user"
        if turns and turns[-1][0] == role:
            before = turns[-1][1]
            between = "\n" if role == "system" else "" if before[-1] in "，。！？；：,.!?;:" else "，"
            turns[-1] = (role, before + between + text)
        else:
            turns.append((role, text))
        if place in record.unlearnt:
            unlearnt.add(len(turns) - 1)
    if not asked:
        raise RecordError("no_question", "no user turn")
    while turns and (turns[-1][0] != "assistant" or len(turns) - 1 in unlearnt):
        role, _ = turns.pop()
        left_out.append("turn not to be learnt" if role == "assistant" else "turn without an answer")
    if not turns:
        if unlearnt:
            raise RecordError("not_learnt", "every answer is marked as not to be learnt")
        raise RecordError("no_answer", "no assistant turn after a user turn")
    marks = {UNLEARNT: kept} if (kept := sorted(place for place in unlearnt if place < len(turns))) else {}
    return record._replace(turns=turns, meta={**record.meta, **marks}, left_out=tuple(left_out), unlearnt=tuple(kept))
