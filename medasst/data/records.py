"""A row understood: its turns and what else is known, and how texts, lists, speakers and marks are read wherever they stand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, NamedTuple

from medasst.conversation import JSON, UNLEARNT, Role
from medasst.data.json_text import loose
from medasst.data.rows import SYSTEM

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


def text_of(value: JSON, name: str, reason: str = "not_text") -> str:
    """The text of a field; of a list, also of one written out in a cell, all its texts, a line each."""
    if isinstance(value, str):
        return _written_out(value) if value.startswith(("[", "{")) else value
    if value is None or value in ([], {}):
        raise RecordError(reason, f"{name} is null or empty")
    if isinstance(value, list) and (texts := texts_of(value)):
        return "\n".join(dict.fromkeys(texts))
    raise RecordError("not_text", f"{name} is {described(value)}, not text")


def texts_of(value: list[Any]) -> list[str]:
    """All texts of a list, of lists in it, of content parts; [] where there is anything else."""
    found: list[str] = []
    for item in value:
        if isinstance(item, str):
            found.append(item)
        elif isinstance(item, Mapping) and isinstance(item.get("text"), str):
            found.append(item["text"])
        elif isinstance(item, list) and (inner := texts_of(item)):
            found += inner
        else:
            return []
    return found


def _written_out(text: str) -> str:
    """The texts of a list that an export wrote into a cell; any other text as it is."""
    if text.startswith(('["', "['", "[[", "[{", '{"text"', "{'text'")):
        with suppress(ValueError):
            value = loose(text)
            if found := texts_of(value if isinstance(value, list) else [value]):
                return "\n".join(dict.fromkeys(found))
    return text


def is_blank(value: JSON) -> bool:
    """Whether a field that is there holds nothing, in any of the ways in which exports say so."""
    return not value or str(value).strip().lower() in _BLANKS


def described(value: JSON) -> str:
    """What a field holds, in a few words for a message."""
    if isinstance(value, Mapping):
        return f"an object with {', '.join(map(str, list(value)[:5]))}" if value else "an empty object"
    if isinstance(value, list):
        return f"a list of {len(value)}, the first {described(value[0])}" if value else "an empty list"
    return f"null ({value})" if value is None else f"{type(value).__name__} {str(value)[:30]}"


def optional_text(row: Mapping[str, JSON], name: str) -> str:
    """The text of a field that may be missing; numbers as they are written, lists joined."""
    value = row.get(name)
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list):
        return "/".join(str(item).strip() for item in value if item not in (None, ""))
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


_ASKED = ("user", "human", "question", "query", "instruction", "prompt", "input", "q", "问", "问题", "用户", "患者")
_ANSWERED = ("assistant", "gpt", "bot", "answer", "response", "output", "completion", "a", "答", "回答", "助手", "医生")


def history_of(earlier: JSON, field: str) -> Turns:
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
            turns += [("user", text_of(item[0], field)), ("assistant", text_of(item[1], field))]
        elif isinstance(item, Mapping) and (found := turns_of(item, field)):
            turns += found
        else:
            raise RecordError("bad_history", f"{field} holds {described(item)}; it must hold [question, answer] pairs")
    return turns


def turns_of(item: Mapping[str, JSON], field: str) -> Turns:
    if (role := next((name for name in ("role", "from", "speaker") if name in item), "")) and (
        said := next((name for name in ("content", "value", "text") if name in item), "")
    ):
        return [(role_of(item[role]), text_of(item[said], field))]
    asked = next((name for name in _ASKED if name in item), None)
    answered = next((name for name in _ANSWERED if name in item), None)
    if asked is None or answered is None:
        return []
    return [("user", text_of(item[asked], f"{field}.{asked}")), ("assistant", text_of(item[answered], f"{field}.{answered}"))]


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


_SPEAKERS: dict[Role | Literal["tool"], str] = {
    "system": "system developer 系统",
    "user": "user human patient customer client q 患者 病人 用户 顾客 客户 买家 家属 问",
    "assistant": "assistant gpt chatgpt bot ai model bard agent doctor pharmacist a 医生 医师 药师 客服 助手 店员 护士 专家 答",
    "tool": "tool tools function function_call tool_call tool_calls tool_response observation ipython",
}
_ROLES = {name: role for role, names in _SPEAKERS.items() for name in names.split()}


def who_speaks(name: JSON) -> Role | Literal["tool"]:
    try:
        return _ROLES.get(name) or _ROLES[name.strip().lower()]
    except (KeyError, TypeError, AttributeError):
        known = ", ".join(_ROLES)
        raise RecordError("unknown_role", f"the role is {str(name)[:50]!r}; known: {known}") from None


def role_of(name: JSON) -> Role:
    role = who_speaks(name)
    if role == "tool":
        raise RecordError("unknown_role", f"a turn of {str(name)[:50]!r}, where only people speak")
    return role


def list_of(row: Mapping[str, JSON], field: str) -> list[Any]:
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
        told = f"{field} is {described(value)}, not a list of turns" if field in row else f"no list {field!r}"
        raise RecordError("missing_field", told)
    return value


# Marks of answers that are not to be learnt, as tools write them: those that say yes by being false, and by being true.
_LEARNT = ("loss", "weight", "train", "trainable", "training", "learn", "loss_weight", "loss_scale", "loss_mask")
_NOT_LEARNT = ("masked", "mask", "ignore", "ignored", "no_loss", "skip")
_NO = {"false", "0", "0.0", "no"}


def is_unlearnt(turn: Mapping[str, JSON]) -> bool:
    no = any(turn.get(name) is not None and (not turn[name] or str(turn[name]).lower() in _NO) for name in _LEARNT)
    return no or any(turn.get(name) and str(turn[name]).lower() not in _NO for name in _NOT_LEARNT)


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


FLAT = (*_SAID, "title", "description")
BESIDE_TURNS = frozenset((*SYSTEM, *_MEDIA, *FLAT, "tools"))


def with_system(record: Record, row: Mapping[str, JSON], said: tuple[str, ...] = _SAID) -> Record:
    """The record with the row's own system text first, and with what it doesn't use of the row counted."""
    if BESIDE_TURNS.isdisjoint(row):
        return record
    turns, shift = record.turns, 0
    for name in SYSTEM:
        if (text := optional_text(row, name)) and ("system", text) not in turns:
            turns, shift = [("system", text), *turns], shift + 1
    left_out = [f"field {name}" for name in SYSTEM if not is_blank(row.get(name)) and not optional_text(row, name)]
    left_out += [name for name in _MEDIA if row.get(name)] + [f"field {name}" for name in said if optional_text(row, name)]
    if not is_blank(row.get("tools")):
        left_out.append("tools")
    if shift or left_out:
        unlearnt = tuple(place + shift for place in record.unlearnt)
        return record._replace(turns=turns, left_out=(*record.left_out, *left_out), unlearnt=unlearnt)
    return record


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
        if isinstance(value, bool | int | float) and is_unlearnt({name: value}):
            raise RecordError("not_learnt", f"{name} is {value}: marked as not to be learnt")
        if isinstance(value, list):
            places = {len(answers): answers, len(record.turns): list(range(len(record.turns)))}.get(len(value), [])
            unlearnt |= {p for p, mark in zip(places, value, strict=False) if p in answers and is_unlearnt({name: mark})}
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
    left_out += ["answer kept as context only"] * sum(place < len(turns) for place in unlearnt)
    marks = {UNLEARNT: kept} if (kept := sorted(place for place in unlearnt if place < len(turns))) else {}
    return record._replace(turns=turns, meta={**record.meta, **marks}, left_out=tuple(left_out), unlearnt=tuple(kept))
