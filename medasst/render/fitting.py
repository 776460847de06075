"""Messages as templates can take them: one way, for training and serving alike, so that both ask the same."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import groupby
from typing import NamedTuple

from medasst.conversation import Message


class Fitted(NamedTuple):
    """Perhaps a system text, then user and assistant by turns, user first.

    Attributes:
        messages: those turns.
        unlearnt: places in `messages` of answers that are context only.
    """

    messages: tuple[Message, ...]
    unlearnt: frozenset[int]


def fit(messages: Sequence[Message], unlearnt: Collection[int] = ()) -> Fitted:
    """Fit what was said to what templates take.

    System texts become one, at the head; a blank one is none. Turns of one role that follow one another become one, and its
    words are context only if any of theirs are. Answers before the first question, such as a greeting, go.

    Args:
        messages: as recorded or received.
        unlearnt: places in `messages` of answers that are context only.
    """
    system = "\n".join(m.content for m in messages if m.role == "system" and m.content.strip())
    fitted = [Message("system", system)] if system else []
    context: set[int] = set()
    turns = [(place, m) for place, m in enumerate(messages) if m.role != "system"]
    first = next((i for i, (_, m) in enumerate(turns) if m.role == "user"), len(turns))
    for role, neighbours in groupby(turns[first:], key=lambda turn: turn[1].role):
        same = list(neighbours)
        if any(place in unlearnt for place, _ in same):
            context.add(len(fitted))
        fitted.append(Message(role, "\n".join(m.content for _, m in same)))
    return Fitted(tuple(fitted), frozenset(context))


def without_system_turn(messages: Sequence[Message]) -> Sequence[Message]:
    """Fitted messages for a template without system turns: the text stands before the first question, an empty line between."""
    if not messages or messages[0].role != "system":
        return messages
    system, *turns = messages
    if not turns:
        return [Message("user", system.content)]
    return [Message("user", f"{system.content}\n\n{turns[0].content}"), *turns[1:]]
