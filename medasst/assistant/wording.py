"""A model words sentences of a reply otherwise, each past the checks: it may word what people wrote, it can't widen it.

Free are sentences of self-care and of vetted answers that name no medicine, no amount, no price and nowhere to go. One of the
model's stands for one of ours only if it tells of the same findings, numbers, denials and conditions, in about its characters.
That it does can be told from the two sentences alone, so that a later reply knows what was said before, whoever kept it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncGenerator, Collection, Iterable, Sequence
from contextlib import aclosing
from dataclasses import replace

from medasst.assistant.acts import Act, Answer
from medasst.assistant.compose import Draft
from medasst.assistant.events import Event, Text
from medasst.assistant.found import Found
from medasst.assistant.heard import LINES, Ear, Notes
from medasst.conversation import Conversation, Message
from medasst.lexicon import plain
from medasst.safety import Context, Rules, degenerate
from medasst.safety.doses import has_dose
from medasst.text import comparison_key, sentences

_LEAST = 8  # characters of a sentence that is worth wording
_LONGER = 8  # characters that a sentence may gain
_KEEPS = 0.4  # share of the character pairs of ours that the model's has
_CHATTER = 3  # times the length of our sentences: of more nobody listens to the rest


class Worder:
    """Finds what may be worded otherwise, and judges what a model makes of it.

    Args:
        rules: of the shop, with the table `speech.toml`.
    """

    def __init__(self, rules: Rules) -> None:
        say = rules.book.speech.wording
        self._rules, self._brief = rules, say.brief
        self._line, self._fixed = re.compile(say.line), re.compile(say.fixed)
        self._kept = [re.compile(pattern) for pattern in say.kept]

    def free(self, draft: Draft, found: Found) -> tuple[int, ...]:
        """The places in the draft's body of sentences that may be worded otherwise; none beside a danger or a prescription."""
        if draft.reason != "stop":
            return ()
        ours = {comparison_key(one) for text in _written(found) for one in sentences(text)}
        return tuple(
            place
            for place, event in enumerate(draft.body)
            if isinstance(event, Text) and comparison_key(event.sentence) in ours and self._is_free(event)
        )

    def _is_free(self, event: Text) -> bool:
        text = plain(event.sentence).text
        if len(text) < _LEAST or event.replaced_by_rule or self._fixed.search(event.sentence) or has_dose(text):
            return False
        return not self._rules.gate.names(event.sentence) and not self._rules.lexicon.read(event.sentence).drugs()

    def words(self, ours: str, theirs: str) -> bool:
        """Whether a sentence says in other words what ours says, and nothing more."""
        key, other = comparison_key(ours), comparison_key(theirs)
        if key == other or len(other) > len(key) + _LONGER or len(sentences(theirs)) != 1:
            return False
        pairs = _pairs(key)
        if len(pairs & _pairs(other)) < _KEEPS * len(pairs):
            return False
        text, said = plain(ours).text, plain(theirs).text
        if any(Counter(pattern.findall(text)) != Counter(pattern.findall(said)) for pattern in self._kept):
            return False
        if self._fixed.search(theirs) or degenerate(theirs) or self._told(ours) != self._told(theirs):
            return False
        return self._rules.check_sentence(theirs, Context("model", ours)).ok

    def _told(self, sentence: str) -> Counter[str]:
        return Counter(mention.concept for mention in self._rules.lexicon.read(sentence).mentions)

    def unsaid(self, draft: Draft, free: Sequence[int], earlier: Iterable[str]) -> tuple[Draft, tuple[int, ...]]:
        """The draft without what earlier replies said in the model's words, and the places that are left.

        Args:
            free: places of what the model may word.
            earlier: those replies.
        """
        before = [sentence for reply in earlier for sentence in sentences(reply)]
        said = {place for place in free if any(self.words(_sentence(draft, place), one) for one in before)}
        if not said or (len(said) == len(draft.body) and not draft.tail):
            return draft, tuple(free)
        body: list[Event] = []
        left: list[int] = []
        for place, event in enumerate(draft.body):
            if place not in said:
                left += [len(body)] if place in free else []
                body.append(event)
            elif isinstance(event, Text) and event.sentence.endswith("\n") and body and isinstance(last := body[-1], Text):
                body[-1] = Text(last.sentence.rstrip("\n") + "\n", last.replaced_by_rule)  # the paragraph ends there now
        return replace(draft, body=tuple(body)), tuple(left)

    async def worded(self, ear: Ear, draft: Draft, free: Sequence[int], notes: Notes) -> AsyncGenerator[tuple[int, Text], None]:
        """What the model makes of the sentences at some places, each as soon as it is there, in the order of the reply.

        Args:
            free: those places.
        """
        ours = [_sentence(draft, place).strip() for place in free]
        lines = "\n".join(f"{number}. {sentence}" for number, sentence in enumerate(ours, 1))
        prompt = Conversation.of([Message("user", self._brief.strip().format(sentences=lines))])
        most = _CHATTER * (len(lines) + 40)
        done, used = 0, set(map(comparison_key, ours))
        async with aclosing(ear.pieces(prompt, LINES, most, notes)) as said:
            async for piece in said:
                line = self._line.match(piece)
                number = int(line[1]) if line else 0
                if line is None or not done < number <= len(ours):
                    notes.refused.append("line")
                    continue
                done = number
                theirs = _ended(line[2], ours[number - 1])
                if comparison_key(theirs) in used or not self.words(ours[number - 1], theirs):
                    notes.refused.append("wording")
                else:
                    used.add(comparison_key(theirs))
                    broken = "\n" if _sentence(draft, free[number - 1]).endswith("\n") else ""
                    yield free[number - 1], Text(theirs + broken)
                if done == len(ours):
                    return


def _written(found: Found) -> Iterable[str]:
    """What people wrote for this reply about a complaint or a question; when to see a doctor is none of it."""
    if found.counsel is not None:
        for one in found.counsel.advice:
            yield from one.sentences
    written: Collection[Act] = (*found.follow, *filter(None, [found.vetted]))
    for act in written:
        if isinstance(act, Answer):
            yield from act.sentences


def _sentence(draft: Draft, place: int) -> str:
    event = draft.body[place]
    assert isinstance(event, Text)
    return event.sentence


def _ended(theirs: str, ours: str) -> str:
    """A sentence with the closing mark of ours."""
    return theirs.rstrip("。！；;!.") + (ours[-1] if ours[-1] in "。！；" else "。")


def _pairs(key: str) -> set[str]:
    return {key[place : place + 2] for place in range(len(key) - 1)}
