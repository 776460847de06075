"""Titles and tags that chat programs ask for: answered in fixed words, as no shopper speaks in such a prompt."""

from __future__ import annotations

import re
import tomllib

from medasst.conversation import Conversation
from medasst.disk import package_file

_DATA = tomllib.loads(package_file("service/chores.toml").read_text("utf-8"))
_PROGRAM = re.compile(_DATA["program"], re.IGNORECASE)
_KEY = re.compile(r'\{\s*"(' + "|".join(_DATA["keys"]) + r')"\s*:')
_ASKS = [re.compile(pattern) for pattern in _DATA["asks"]]
_SENTENCE = 400  # characters at the start and the end of a prompt in which a title is asked for


def answer(conversation: Conversation) -> str | None:
    """The fixed answer to a program's prompt, or None where a person asks."""
    prompt = conversation.messages[-1].content
    if _PROGRAM.match(prompt) and (key := _KEY.search(prompt)):
        return str(_DATA["keys"][key[1]])
    system = [m.content for m in conversation.messages if m.role == "system" and len(m.content) <= 2 * _SENTENCE]
    places = [place for text in (prompt, *system) for place in (text[:_SENTENCE], text[-_SENTENCE:])]
    return str(_DATA["title"]) if any(pattern.search(place) for pattern in _ASKS for place in places) else None
