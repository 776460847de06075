"""A model reads the last turn beside the rules. What it reads may add a question, never take anything back.

It writes lines of a fixed form, each with the shopper's own words; a line whose words don't stand in the turn is nothing.
Signs that would raise an alarm together with the turn are asked about, with where to go if they are so; of what else it read,
the table's question for the first thing that nobody told yet is asked.
"""

from __future__ import annotations

import re
from contextlib import aclosing
from dataclasses import dataclass

from medasst.assistant.compose import Draft
from medasst.assistant.events import Ask, Finding
from medasst.assistant.heard import LINES, Ear, Notes
from medasst.assistant.request import Request
from medasst.assistant.said import Said
from medasst.conversation import Conversation, Message
from medasst.lexicon import plain
from medasst.rulebook import URGENCY, QuestionRow
from medasst.safety import Rules

READ = "model_read"  # the rule name of what is asked because a model read it
_QUESTIONS = 2  # of one reply
_LONGEST = 300  # characters after which nobody listens any more
_TURN = 400  # characters of a turn that the model reads, its last ones


@dataclass(frozen=True, slots=True)
class Read:
    """What a model read: signs in the lexicon's words, and the questions for the other items."""

    signs: tuple[str, ...] = ()
    questions: tuple[QuestionRow, ...] = ()


async def read(ear: Ear, request: Request, rules: Rules, notes: Notes) -> Read:
    """Let a model read the last turn."""
    say = rules.book.speech.reading
    line, nothing = re.compile(say.line), re.compile(say.nothing)
    turn = request.last[-_TURN:]
    there = plain(turn).text
    prompt = Conversation.of([Message("user", say.brief.strip().format(turn=turn))])
    signs: list[str] = []
    questions: list[QuestionRow] = []
    async with aclosing(ear.pieces(prompt, LINES, _LONGEST, notes)) as lines:
        async for piece in lines:
            found = line.match(piece)
            if found is None or nothing.match(found[2]) or plain(found[3]).text not in there:
                notes.refused.append("line")
                continue
            if found[1] == say.signs:
                signs += [one.concept for one in rules.lexicon.read(found[2]).findings() if one.current]
            elif found[1] in say.questions:
                questions.append(rules.questions[say.questions[found[1]]])
    return Read(tuple(dict.fromkeys(signs)), tuple(dict.fromkeys(questions)))


def question(heard: Read, request: Request, draft: Draft) -> Ask | None:
    """The table's question for the first item that the model read and nobody told; none that was asked, no third one."""
    open_ = [event.question for event in draft.tail if isinstance(event, Ask)]
    before = {one.question.id for one in request.told.asked}
    for row in heard.questions:
        known = any(request.told.current.slot(slot).known != "unknown" for slot in row.slots)
        if len(open_) < _QUESTIONS and not known and row.id not in before and row.text not in open_:
            return Ask(row.text, row.options)
    return None


def danger(heard: Read, conversation: Conversation, said: Said, rules: Rules) -> Finding | None:
    """A question about signs that would raise an alarm, had the shopper told them so; it sends nobody further than today."""
    if not heard.signs:
        return None
    *before, last = conversation.messages
    told = rules.state([*before, Message("user", "，".join((last.content, *heard.signs)))])
    alarms = [one for one in rules.triage.by_rules(told) if one.person == told.current.person and one.level != "self"]
    for alarm in alarms[:1]:
        signs = [s.mention.concept for s in alarm.because if s.mention.concept in heard.signs]
        say = rules.book.speech
        urgent = URGENCY.index(alarm.level) >= URGENCY.index("today")
        forms = say.reading.today if urgent else say.reading.days
        text = said.form(forms, signs="、".join(dict.fromkeys(signs)))
        if signs and text:
            return Finding(READ, "warning", text, say.version)
    return None
