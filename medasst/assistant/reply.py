"""One reply: red flags, prescription gate, retrieval, model, checked text. The only place where all of them meet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from medasst.assistant.events import Event, plain_text
from medasst.assistant.vetted import VettedAnswers
from medasst.catalogue import Catalogue
from medasst.conversation import Conversation
from medasst.safety import Rules

if TYPE_CHECKING:
    from medasst.models import ChatModel, Decoding


class Assistant:
    """The guarded assistant of the shop.

    Args:
        catalogue: what the shop sells.
        rules: red flags, prescription gate, population rules, output checks.
        vetted: answers that people wrote.
        model: words an opening; None: the vetted part stands alone.
        decoding: how the model decodes; None: its own default.
        name: the model name under which the service offers it.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        rules: Rules,
        vetted: VettedAnswers,
        model: ChatModel | None = None,
        decoding: Decoding | None = None,
        name: str = "medasst",
    ) -> None:
        self.catalogue, self.rules, self.vetted = catalogue, rules, vetted
        self.model, self.decoding, self.name = model, decoding, name

    @classmethod
    def from_samples(cls, model: ChatModel | None = None, decoding: Decoding | None = None) -> Assistant:
        """The assistant of the imaginary pharmacy in `medasst/samples`."""
        catalogue = Catalogue.from_samples()
        return cls(catalogue, Rules.load(catalogue), VettedAnswers.from_samples(), model, decoding)

    async def reply(self, conversation: Conversation) -> AsyncIterator[Event]:
        """The reply to the last user turn, event by event. Model failures never surface: the vetted part stands alone.

        Raises:
            InputError: the conversation has no user turn at its end.
        """
        raise NotImplementedError
        yield  # an async generator

    def reply_text(self, conversation: Conversation) -> str:
        """The reply as plain text; for use outside a running event loop."""

        async def collect() -> list[Event]:
            return [event async for event in self.reply(conversation)]

        return plain_text(asyncio.run(collect()))
