"""One reply: what is asked, what there is to say, what is done about it, in words; what a model may do with these."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from medasst.assistant import answers, reading, request
from medasst.assistant.acts import Act
from medasst.assistant.compose import Draft, compose
from medasst.assistant.events import AI_LABEL, End, Event, Finding, HandOff
from medasst.assistant.found import Found, Searcher
from medasst.assistant.heard import BUSY, Ear, Notes
from medasst.assistant.lanes import Lanes
from medasst.assistant.policy import policy
from medasst.assistant.shop import Shop
from medasst.assistant.vetted import VettedAnswers
from medasst.assistant.wording import Worder
from medasst.catalogue import Catalogue
from medasst.conversation import Conversation
from medasst.lexicon import Lexicon
from medasst.models import Decoding, Speech
from medasst.rulebook import Rulebook
from medasst.safety import Rules

if TYPE_CHECKING:
    from medasst.models import ChatModel

# No repetition penalty: who words our sentences otherwise must be free to use their words.
_DECODING = Decoding(max_new_tokens=192, stop=("用户：",))
_Events = AsyncGenerator[Event, None]
OWN_WORDS = "own_words"  # the rule name of the line that says whose words follow


class _Drafted(NamedTuple):
    """A reply as it stands without the model, and what it was made of."""

    request: request.Request
    found: Found
    acts: tuple[Act, ...]
    draft: Draft


class Assistant:
    """The guarded assistant of the shop.

    A reply stands on what people wrote, and is drafted without the model. What a model may do is a setting, and all that it
    says passes every check: it words free sentences otherwise, each of which leaves as soon as it is there; it answers in its
    own words where nobody wrote an answer; it reads the turn, and what it read may be asked about. Whatever it doesn't do
    within the patience, or does badly, the draft stands.

    Args:
        catalogue: what the shop sells.
        rules: red flags, prescription gate, person checks, output checks.
        vetted: answers that people wrote.
        model: who words, answers and reads; None: the draft stands alone.
        decoding: how the model decodes; None: at most 192 tokens, greedy.
        speech: `wording`: it words free sentences otherwise; `answers`: it also answers, which needs a licence that whoever
            makes the assistant has looked at (`medasst/licence.py`); `none`: it says nothing.
        reads: whether it also reads the last turn.
        shop: its own words; None: it gave none.
        name: the model name under which the service offers it.
        patience: seconds that a reply waits for its model each time; what the model said until then counts.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        rules: Rules,
        vetted: VettedAnswers,
        model: ChatModel | None = None,
        decoding: Decoding | None = None,
        *,
        shop: Shop | None = None,
        speech: Speech = "none",
        reads: bool = False,
        name: str = "medasst",
        patience: float = 20.0,
    ) -> None:
        self.catalogue, self.rules, self.vetted = catalogue, rules, vetted
        self.model, self.decoding, self.name, self.patience = model, decoding or _DECODING, name, patience
        self.speech, self.reads = speech, reads
        self._searcher, self._lanes, self._worder = Searcher(catalogue, rules, vetted, shop), Lanes(), Worder(rules)

    @classmethod
    def from_samples(
        cls,
        model: ChatModel | None = None,
        decoding: Decoding | None = None,
        book: Rulebook | None = None,
        products: Path | None = None,
        shop: Path | None = None,
        *,
        speech: Speech = "none",
        reads: bool = False,
    ) -> Assistant:
        """The assistant of the imaginary pharmacy in `medasst/samples`, or of another shop with the same vetted answers.

        Args:
            book: its rulebook; None: that of this package.
            products: its catalogue (see `Catalogue.open`); None: the samples.
            shop: its own words (see `Shop.load`); None: with the samples those of the samples, else none.
            speech, reads: what the model may do.

        Raises:
            DataError: the catalogue can't be read.
            ConfigError: the shop's words can't.
        """
        lexicon = Lexicon(book or Rulebook.load())
        catalogue = Catalogue.open(products, lexicon) if products is not None else Catalogue.from_samples(lexicon)
        rules = Rules(catalogue)
        words = Shop.from_samples() if shop is None and products is None else Shop.load(shop)
        vetted = VettedAnswers(catalogue, rules)
        return cls(catalogue, rules, vetted, model, decoding, shop=words, speech=speech, reads=reads)

    def draft(self, conversation: Conversation, *, unread: bool = False) -> Draft:
        """The part of the reply that needs no model.

        Args:
            unread: there were earlier turns, which were left out: allergy, pregnancy and drugs count as unknown.

        Raises:
            DataError: there is no user turn to answer.
        """
        return self._drafted(conversation, unread=unread).draft

    def _drafted(self, conversation: Conversation, *, unread: bool) -> _Drafted:
        asked = request.read(conversation, self.catalogue, self.rules, unread=unread)
        found = self._searcher.find(asked, conversation.messages)
        acts = policy(asked, found, self.rules.replies)
        return _Drafted(asked, found, acts, compose(acts, found.said, self.rules))

    async def reply(self, conversation: Conversation, *, unread: bool = False) -> _Events:
        """The reply to the last user turn, event by event. Model failures never surface: the draft stands.

        Args:
            unread: see `draft`.

        Raises:
            DataError: the conversation does not end with a user turn that says something.
        """
        size = sum(len(message.content) for message in conversation.messages if message.role == "user")
        drafted = await self._lanes.run(size, self._drafted, conversation, unread=unread)
        notes = Notes()
        hearing = self._hearing(drafted, notes)
        try:
            async with aclosing(self._spoken(drafted, conversation, notes)) as events:
                async for event in events:
                    yield event
            heard = await hearing if hearing else reading.Read()
        finally:
            if hearing:
                hearing.cancel()  # the reader left before the end
                with suppress(asyncio.CancelledError):
                    await hearing
        for event in self._asked(heard, drafted, conversation):
            yield event
        for event in self._closing(drafted.draft, notes):
            yield event
        usage = {"prompt_tokens": notes.prompt_tokens, "completion_tokens": notes.completion_tokens}
        yield End(drafted.draft.reason, usage)

    def _hearing(self, drafted: _Drafted, notes: Notes) -> asyncio.Task[reading.Read] | None:
        """The model's reading of the turn, begun; it is of no use where a danger or a prescription is told of already."""
        if self.model is None or not self.reads or drafted.draft.reason != "stop" or drafted.found.alarms:
            return None
        return asyncio.create_task(reading.read(self._ear(self.model), drafted.request, self.rules, notes))

    def _asked(self, heard: reading.Read, drafted: _Drafted, conversation: Conversation) -> list[Event]:
        """What is asked because of what the model read; nothing beside a danger or a prescription."""
        if drafted.draft.reason != "stop" or drafted.found.alarms:
            return []
        danger = reading.danger(heard, conversation, drafted.found.said, self.rules)
        question = reading.question(heard, drafted.request, drafted.draft)
        return [event for event in (danger, question) if event is not None]

    async def _spoken(self, drafted: _Drafted, conversation: Conversation, notes: Notes) -> _Events:
        """The draft, or what the model makes of it."""
        draft = drafted.draft
        if self.model is None or self.speech == "none":
            spoken = _plainly(draft)
        elif self.speech == "answers" and answers.is_open(drafted.request, drafted.found, drafted.acts):
            spoken = self._answered(drafted, conversation, self._ear(self.model), notes)
        else:
            spoken = self._worded(drafted, conversation, self._ear(self.model), notes)
        async with aclosing(spoken) as events:
            async for event in events:
                yield event

    async def _worded(self, drafted: _Drafted, conversation: Conversation, ear: Ear, notes: Notes) -> _Events:
        """The draft with some sentences in the model's words. What stands before the first of these doesn't wait for it."""
        earlier = [message.content for message in conversation.messages if message.role == "assistant"]
        free = self._worder.free(drafted.draft, drafted.found)
        draft, free = self._worder.unsaid(drafted.draft, free, earlier)
        next_ = free[0] if free else len(draft.body)
        for event in draft.body[:next_]:
            yield event
        if free:
            async with aclosing(self._worder.worded(ear, draft, free, notes)) as worded:
                async for place, text in worded:
                    for event in draft.body[next_:place]:
                        yield event
                    yield text
                    next_ = place + 1
        for event in (*draft.body[next_:], *draft.tail):
            yield event

    async def _answered(self, drafted: _Drafted, conversation: Conversation, ear: Ear, notes: Notes) -> _Events:
        """The model's own answer under a line that says so, and how to reach somebody; the draft where it has none."""
        earlier = "".join(message.content for message in conversation.messages if message.role == "assistant")
        own = False
        async with aclosing(answers.own_words(ear, drafted.request, self.rules, earlier, notes)) as sentences:
            async for text in sentences:
                if not own:
                    say = self.rules.book.speech
                    yield Finding(OWN_WORDS, "info", say.answers.lead, say.version)
                own = True
                yield text
        if not own:
            async for event in _plainly(drafted.draft):
                yield event
        elif reach := "".join(map(drafted.found.said.new, drafted.found.reach)):
            yield HandOff(OWN_WORDS, reach)

    def _ear(self, model: ChatModel) -> Ear:
        return Ear(model, self.decoding, self.patience)

    def _closing(self, draft: Draft, notes: Notes) -> list[Finding]:
        """What stands under a reply: that the model had no time for it; in one line what the law asks, and who wrote it."""
        say = self.rules.replies
        busy = [Finding("model_busy", "info", say.busy, say.version)] if BUSY in notes.refused else []
        return [*busy, Finding(AI_LABEL, "info", "".join((*draft.notices, say.ai_label)), say.version)]


async def _plainly(draft: Draft) -> _Events:
    for event in (*draft.body, *draft.tail):
        yield event
