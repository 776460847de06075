"""The one currency: what readers yield, training renders, evaluation asks and the assistant answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, Literal, get_args

from medasst.errors import DataError

Role = Literal["system", "user", "assistant"]
ROLES: tuple[Role, ...] = get_args(Role)
JSON = Any  # what json.loads returns
UNLEARNT = (
    "not_learnt"  # in `meta`: the places in `messages` of answers that are context only, never learnt and never asked for
)
_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Message:
    """One turn."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """Turns in order, with where they come from.

    `id` is `conversation_id(messages)`: the same words have the same id wherever they come from.
    """

    id: str
    messages: tuple[Message, ...]
    source: str = ""
    licence: str = ""
    department: str = ""
    meta: Mapping[str, JSON] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        messages: Iterable[Message | tuple[str, str]],
        *,
        source: str = "",
        licence: str = "",
        department: str = "",
        meta: Mapping[str, JSON] | None = None,
    ) -> Conversation:
        """Build one from messages or (role, content) pairs; the id is computed. Raises DataError on an unknown role."""
        turns = tuple(m if isinstance(m, Message) else Message(check_role(m[0]), m[1]) for m in messages)
        return cls(conversation_id(turns), turns, source, licence, department, meta or {})

    @property
    def first_user(self) -> str:
        """The first user turn: what the split is made by."""
        return next((m.content for m in self.messages if m.role == "user"), "")

    @property
    def unlearnt(self) -> frozenset[int]:
        """Places in `messages` of answers that are context only: their source marks them as not to be learnt."""
        return frozenset(self.meta.get(UNLEARNT, ()))

    def before(self, turn: int) -> Conversation:
        """What stands before message `turn`: the prompt of that assistant turn."""
        return Conversation.of(self.messages[:turn], source=self.source, licence=self.licence, department=self.department)

    def newest(self, size: int) -> Conversation:
        """What a model reads of a long conversation: system text, then the newest turns, `size` characters in all.

        It begins with a user turn. Turns of one role that follow one another become one, as chat templates want it. The
        last turn stays whatever its length.
        """
        system = "\n".join(m.content for m in self.messages if m.role == "system")
        turns = _joined(m for m in self.messages if m.role != "system")
        room = size - len(system)
        first = len(turns)
        while first and (first == len(turns) or len(turns[first - 1].content) <= room):
            first -= 1
            room -= len(turns[first].content)
        while first < len(turns) - 1 and turns[first].role != "user":
            first += 1
        head = [Message("system", system)] if system else []
        return Conversation.of([*head, *turns[first:]], source=self.source, licence=self.licence, department=self.department)

    def to_json(self) -> dict[str, JSON]:
        """The row of the prepared set."""
        return {
            "id": self.id,
            "source": self.source,
            "department": self.department,
            "licence": self.licence,
            "messages": [{"role": m.role, "content": m.content} for m in self.messages],
            "meta": json.dumps(dict(self.meta), ensure_ascii=False, sort_keys=True),
        }

    @classmethod
    def from_json(cls, row: Mapping[str, JSON]) -> Conversation:
        """The inverse of `to_json`; an absent id is computed."""
        meta = row.get("meta") or {}
        conversation = cls.of(
            [(m["role"], m["content"]) for m in row["messages"]],
            source=row.get("source") or "",
            licence=row.get("licence") or "",
            department=row.get("department") or "",
            meta=json.loads(meta) if isinstance(meta, str) else meta,
        )
        stored = row.get("id")
        return conversation if not stored or stored == conversation.id else replace(conversation, id=str(stored))


def _joined(messages: Iterable[Message]) -> list[Message]:
    """Neighbours of one role as one message."""
    same = groupby(messages, key=lambda message: message.role)
    return [Message(role, "\n".join(message.content for message in turns)) for role, turns in same]


def check_role(role: str) -> Role:
    """`role` if it is one of ours. Raises DataError otherwise."""
    if role not in ROLES:
        raise DataError(f"unknown role {role!r}; use one of {', '.join(ROLES)}")
    return role


def conversation_id(messages: Iterable[Message]) -> str:
    """First 16 hex digits of sha256 over the compact JSON of [[role, content], …]."""
    return turns_id((m.role, m.content) for m in messages)


def turns_id(turns: Iterable[tuple[str, str]]) -> str:
    """`conversation_id` of (role, content) pairs."""
    return hashlib.sha256(_compact([list(turn) for turn in turns]).encode()).hexdigest()[:16]
