"""One reply: red flags, prescription gate, retrieval, model, checked text. The only place where all of them meet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING

from medasst.assistant import question, wording
from medasst.assistant.draft import Draft, Drafter
from medasst.assistant.events import AI_LABEL, End, Event, Finding, Text, plain_text
from medasst.assistant.vetted import VettedAnswers
from medasst.catalogue import Catalogue
from medasst.conversation import Conversation
from medasst.models import Decoding
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
        rules: red flags, prescription gate, population rules, output checks.
        vetted: answers that people wrote.
        model: adds wording; None: the vetted part stands alone.
        decoding: how the model decodes; None: at most 128 tokens, greedy, a light repetition penalty.
        name: the model name under which the service offers it.
        patience: seconds that a reply waits for its model.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        rules: Rules,
        vetted: VettedAnswers,
        model: ChatModel | None = None,
        decoding: Decoding | None = None,
        *,
        name: str = "medasst",
        patience: float = 20.0,
    ) -> None:
        self.catalogue, self.rules, self.vetted = catalogue, rules, vetted
        self.model, self.decoding, self.name, self.patience = model, decoding or _DECODING, name, patience
        self._drafter = Drafter(catalogue, rules, vetted)

    @classmethod
    def from_samples(cls, model: ChatModel | None = None, decoding: Decoding | None = None) -> Assistant:
        """The assistant of the imaginary pharmacy in `medasst/samples`."""
        catalogue = Catalogue.from_samples()
        rules = Rules.load(catalogue)
        return cls(catalogue, rules, VettedAnswers.from_samples(rules), model, decoding)

    def draft(self, conversation: Conversation) -> Draft:
        """The part of the reply that needs no model. Raises DataError if there is no user turn to answer."""
        return self._drafter.draft(question.read(conversation, self.catalogue, self.rules))

    async def reply(self, conversation: Conversation) -> AsyncIterator[Event]:
        """The reply to the last user turn, event by event. Model failures never surface: the vetted part stands alone.

        Raises:
            DataError: the conversation does not end with a user turn that says something.
        """
        draft = self.draft(conversation)
        writing = asyncio.create_task(self._word(conversation, draft))
        try:
            for event in draft.body:
                yield event
            said = await writing
        finally:
            writing.cancel()  # the reader left before the end
            with suppress(asyncio.CancelledError):
                await writing
        for sentence in said.sentences:
            yield Text(sentence)
        for event in draft.tail:
            yield event
        yield Finding(AI_LABEL, "info", self.rules.messages.ai_label, self.rules.messages.version)
        usage = {"prompt_tokens": said.prompt_tokens, "completion_tokens": said.completion_tokens}
        yield End(draft.reason, usage)

    async def _word(self, conversation: Conversation, draft: Draft) -> wording.Wording:
        if self.model is None or not draft.grounds:
            return wording.Wording()
        said = plain_text(draft.body)
        grounds, rules, patience = draft.grounds, self.rules, self.patience
        return await wording.word(
            self.model, self.decoding, conversation, grounds=grounds, said=said, rules=rules, patience=patience
        )

    def reply_text(self, conversation: Conversation) -> str:
        """The reply as plain text; for use outside a running event loop."""

        async def collect() -> list[Event]:
            return [event async for event in self.reply(conversation)]

        return plain_text(asyncio.run(collect()))
