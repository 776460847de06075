"""One reply: what is asked, what there is to say, what is done about it, in words; a model beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from medasst.assistant import request, wording
from medasst.assistant.compose import Draft, compose
from medasst.assistant.events import AI_LABEL, End, Event, Finding, Text, plain_text
from medasst.assistant.found import Searcher
from medasst.assistant.lanes import Lanes
from medasst.assistant.policy import policy
from medasst.assistant.shop import Shop
from medasst.assistant.vetted import VettedAnswers
from medasst.catalogue import Catalogue
from medasst.conversation import Conversation
from medasst.lexicon import Lexicon
from medasst.models import Decoding
from medasst.rulebook import Rulebook
from medasst.safety import Rules

if TYPE_CHECKING:
    from medasst.models import ChatModel

_DECODING = Decoding(max_new_tokens=128, repetition_penalty=1.1, stop=("用户：",))


class Assistant:
    """The guarded assistant of the shop.

    A reply stands on what people wrote: it is drafted without the model and leaves at once, while the model, if there is
    one, writes beside it. Of the model's answer only sentences that pass every check are added, after the draft.

    Args:
        catalogue: what the shop sells.
        rules: red flags, prescription gate, person checks, output checks.
        vetted: answers that people wrote.
        model: adds wording; None: the vetted part stands alone.
        decoding: how the model decodes; None: at most 128 tokens, greedy, a light repetition penalty.
        shop: its own words; None: it gave none.
        name: the model name under which the service offers it.
        patience: seconds that a reply waits for its model; what the model said until then counts.
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
        name: str = "medasst",
        patience: float = 20.0,
    ) -> None:
        self.catalogue, self.rules, self.vetted = catalogue, rules, vetted
        self.model, self.decoding, self.name, self.patience = model, decoding or _DECODING, name, patience
        self._searcher, self._lanes = Searcher(catalogue, rules, vetted, shop), Lanes()

    @classmethod
    def from_samples(
        cls,
        model: ChatModel | None = None,
        decoding: Decoding | None = None,
        book: Rulebook | None = None,
        products: Path | None = None,
        shop: Path | None = None,
    ) -> Assistant:
        """The assistant of the imaginary pharmacy in `medasst/samples`, or of another shop with the same vetted answers.

        Args:
            book: its rulebook; None: that of this package.
            products: its catalogue (see `Catalogue.open`); None: the samples.
            shop: its own words (see `Shop.load`); None: with the samples those of the samples, else none.

        Raises:
            DataError: the catalogue can't be read.
            ConfigError: the shop's words can't.
        """
        lexicon = Lexicon(book or Rulebook.load())
        catalogue = Catalogue.open(products, lexicon) if products is not None else Catalogue.from_samples(lexicon)
        rules = Rules(catalogue)
        words = Shop.from_samples() if shop is None and products is None else Shop.load(shop)
        return cls(catalogue, rules, VettedAnswers(catalogue, rules), model, decoding, shop=words)

    def draft(self, conversation: Conversation, *, unread: bool = False) -> Draft:
        """The part of the reply that needs no model.

        Args:
            unread: there were earlier turns, which were left out: allergy, pregnancy and drugs count as unknown.

        Raises:
            DataError: there is no user turn to answer.
        """
        asked = request.read(conversation, self.catalogue, self.rules, unread=unread)
        found = self._searcher.find(asked, conversation.messages)
        return compose(policy(asked, found, self.rules.replies), found.said, self.rules)

    async def reply(self, conversation: Conversation, *, unread: bool = False) -> AsyncIterator[Event]:
        """The reply to the last user turn, event by event. Model failures never surface: the vetted part stands alone.

        Args:
            unread: see `draft`.

        Raises:
            DataError: the conversation does not end with a user turn that says something.
        """
        size = sum(len(message.content) for message in conversation.messages if message.role == "user")
        draft = await self._lanes.run(size, self.draft, conversation, unread=unread)
        writing = asyncio.create_task(self._word(conversation, draft))
        try:
            for event in draft.body:
                yield event
            said = await writing
        finally:
            writing.cancel()  # the reader left before the end
            with suppress(asyncio.CancelledError):
                await writing
        for event in (*map(Text, said.sentences), *draft.tail, *self._closing(draft, said)):
            yield event
        usage = {"prompt_tokens": said.prompt_tokens, "completion_tokens": said.completion_tokens}
        yield End(draft.reason, usage)

    def _closing(self, draft: Draft, said: wording.Wording) -> list[Finding]:
        """What stands under a reply: that the model had no time for it; in one line what the law asks, and who wrote it."""
        say = self.rules.replies
        busy = [Finding("model_busy", "info", say.busy, say.version)] if wording.BUSY in said.refused else []
        return [*busy, Finding(AI_LABEL, "info", "".join((*draft.notices, say.ai_label)), say.version)]

    async def _word(self, conversation: Conversation, draft: Draft) -> wording.Wording:
        if self.model is None or not draft.grounds:
            return wording.Wording()
        return await wording.word(
            self.model,
            self.decoding,
            conversation,
            grounds=draft.grounds,
            said=plain_text(draft.body),
            rules=self.rules,
            patience=self.patience,
            lanes=self._lanes,
        )
