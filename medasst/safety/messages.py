"""The fixed sentences of the rules, from `messages.toml`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from medasst import config
from medasst.config import Config
from medasst.disk import package_file
from medasst.text import comparison_key

_COURTEOUS = 60  # letters of a turn that may still be a mere courtesy


class SmallTalk(Config):
    """A courtesy (a regular expression over the whole turn's letters) and its answer."""

    pattern: str
    answer: str


class Messages(Config):
    """One field per sentence or table of sentences; `version` counts changes of their meaning."""

    version: str
    ai_label: str
    emergency: str
    emergency_before: str
    urgent_note: str
    unknown: str
    unread: str
    busy: str
    ask_pharmacist: str
    ask_pharmacist_prescription: str
    symptom_intro: str
    see_doctor: str
    card_reason: str
    replaced: Mapping[str, str]
    population: Mapping[str, str]
    ask: Mapping[str, str]
    options: Mapping[str, tuple[str, ...]]
    small_talk: tuple[SmallTalk, ...]

    def courtesy(self, turn: str) -> str | None:
        """The answer to a turn that is nothing but a courtesy."""
        letters = comparison_key(turn)
        if len(letters) > _COURTEOUS:
            return None
        return next((talk.answer for talk in self.small_talk if re.fullmatch(talk.pattern, letters)), None)

    @classmethod
    @cache
    def read(cls) -> Messages:
        """The table of this package."""
        return config.load(cls, package_file("safety/messages.toml"))
