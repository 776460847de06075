"""What is asked about a complaint once it was told, by the table `follow.toml`: 会传染吗, 多久能好, 要不要去医院."""

from __future__ import annotations

import re

from medasst.assistant.acts import Act, Advise, Answer
from medasst.assistant.counter import Counsel
from medasst.assistant.request import Request
from medasst.assistant.said import Said
from medasst.rulebook import ComplaintRow
from medasst.safety import Rules


class FollowUps:
    """The questions of one shop's rules, compiled once."""

    def __init__(self, rules: Rules) -> None:
        self._rows = [(row, re.compile(row.pattern)) for row in rules.book.follow.rows.values()]
        self._formulary = rules.formulary

    def answer(self, request: Request, counsel: Counsel | None, said: Said) -> tuple[Act, ...]:
        """What is said to the last turn; nothing where it asks no such question of a complaint that was told."""
        if counsel is None or counsel.not_for or not (complaints := self._told(request)):
            return ()
        text = request.told.readings[-1].plain
        for row, pattern in self._rows:
            about = [one for one in complaints if not row.complaints or one.name in row.complaints]
            if about and pattern.search(text):
                sentence = said.form(row.sentences) or row.sentences[-1]
                return (Answer((sentence,)), *([Advise("", (), about[0].doctor)] if row.doctor else []))
        return ()

    def _told(self, request: Request) -> list[ComplaintRow]:
        """What was complained of in the topic, of anybody: 会传染给我媳妇吗 is asked of what oneself has."""
        found: dict[str, ComplaintRow] = {}
        for reading in request.told.readings[request.first :]:
            for one in reading.findings():
                row = self._formulary.complaint(one.concept, one.broader) if one.current else None
                if row is not None:
                    found.setdefault(row.name, row)
        return list(found.values())
