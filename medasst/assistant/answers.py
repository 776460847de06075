"""A model's answer in its own words, where nobody wrote one: general knowledge alone, marked as the model's.

It needs a licence (`medasst/licence.py`). Sentences leave one by one past the output checks; none may name a medicine
or an amount, the first must speak of what was asked, and the first that is refused ends the answer, since what follows may
hang on it.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from medasst.assistant.acts import Act, Refer
from medasst.assistant.events import Text
from medasst.assistant.found import Found
from medasst.assistant.heard import SENTENCES, Ear, Notes
from medasst.assistant.request import Request
from medasst.conversation import Conversation, Message
from medasst.safety import Context, Rules, degenerate
from medasst.text import comparison_key

_MOST = 4  # sentences of one answer
_LONGEST = 600  # characters after which nobody listens any more
_ENDS = ("。", "！", "？", "!", "?")
_LEAKS = 0.5  # share of a sentence's character pairs that stand in what the model was told


def is_open(request: Request, found: Found, acts: Sequence[Act]) -> bool:
    """Whether a model may answer: general knowledge is asked for, nobody here has an answer, and nobody is in play.

    That is: no alarm of any turn, nothing of a prescription, no product or medicine named in the topic, no complaint, no
    medicine that somebody takes, and no turn left unread.
    """
    if [act.reason for act in acts if isinstance(act, Refer)] != ["unknown"] or len(acts) != 1:
        return False
    told = request.told
    if found.alarms or found.gate or found.warnings or found.reaction or found.complains or request.facts.unread:
        return False
    if request.complaints or request.named or request.subject or request.unnamed or request.acts:
        return False
    if any(reading.drugs() for reading in told.readings[request.first :]) or told.current.slot("drugs").known == "yes":
        return False
    return {asked.kind for asked in request.asks} == {"general"}


async def own_words(ear: Ear, request: Request, rules: Rules, said: str, notes: Notes) -> AsyncGenerator[Text, None]:
    """The sentences of the model's answer that may leave, as they come.

    Args:
        said: what earlier replies say.
    """
    judge = _Judge(request.last, rules, comparison_key(said))
    prompt = Conversation.of([Message("system", rules.book.speech.answers.brief), Message("user", request.last)])
    async with aclosing(ear.pieces(prompt, SENTENCES, _LONGEST, notes)) as pieces:
        async for sentence in pieces:
            if reason := judge.refuses(sentence):
                notes.refused.append(reason)
                return
            yield Text(sentence)
            if judge.passed == _MOST:
                return


class _Judge:
    """Judges the sentences of one answer, in order."""

    def __init__(self, question: str, rules: Rules, before: str) -> None:
        say = rules.book.speech.answers
        self._question, self._rules, self._before = question, rules, before
        self._told = _pairs(say.brief)
        self._subject = frozenset().union(*map(_pairs, re.split(say.asking, question)))
        self._about: bool | None = None  # whether the medicine named last needs a prescription
        self.passed = 0

    def refuses(self, sentence: str) -> str:
        """Why a sentence may not leave; "" where it may, and then it counts as said."""
        reason = self._checked(sentence) or self._misplaced(sentence)
        if not reason:
            named = self._rules.gate.subject(sentence)
            self._about = self._about if named is None else named
            self._before += comparison_key(sentence)
            self.passed += 1
        return reason

    def _checked(self, sentence: str) -> str:
        verdict = self._rules.check_sentence(sentence, Context("model", about=self._about, own_words=True))
        if not verdict.ok:
            return verdict.rule or "refused"
        return degenerate(sentence, self._question) or ("unknown_drug" if self._rules.lexicon.read(sentence).drugs() else "")

    def _misplaced(self, sentence: str) -> str:
        key, pairs = comparison_key(sentence), _pairs(sentence)
        if not sentence.endswith(_ENDS):
            return "cut_off"
        if key in self._before or len(pairs & self._told) > _LEAKS * len(pairs):
            return "repeats"
        return "" if self.passed or pairs & self._subject else "beside_the_question"


def _pairs(text: str) -> frozenset[str]:
    key = comparison_key(text)
    return frozenset(key[place : place + 2] for place in range(len(key) - 1))
