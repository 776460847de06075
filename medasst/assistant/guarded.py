"""The guarded assistant as a model, so that whatever asks models can ask it too: an evaluation, another service."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Iterator, Sequence

from medasst.assistant.events import End, plain_text
from medasst.assistant.reply import Assistant
from medasst.conversation import Conversation
from medasst.disk import PACKAGE, file_sha256
from medasst.errors import MedasstError
from medasst.models import ChatModel, Completion, Decoding, Delta, Speech
from medasst.models.base import Capability

_DEPENDS_ON = ("samples/*", "rulebook/*.toml")
_PATIENCE = 3600.0  # seconds: what an evaluation finds must not depend on how fast the machine is


class GuardedModel:
    """Answers with whole replies, as a reader of plain text sees them. It decodes by its own settings, as in the shop."""

    capabilities: frozenset[Capability] = frozenset({"stream"})

    def __init__(self, assistant: Assistant, name: str) -> None:
        self.assistant, self.name = assistant, name

    def generate(self, conversations: Sequence[Conversation], decoding: Decoding) -> Iterator[Completion]:  # noqa: ARG002
        """One completion a conversation, in order."""
        for conversation in conversations:
            try:
                yield asyncio.run(self._answer(conversation))
            except MedasstError as error:
                yield Completion(conversation.id, "", "error", error=str(error))

    async def stream(self, conversation: Conversation, decoding: Decoding) -> AsyncIterator[Delta]:  # noqa: ARG002
        """The same reply, at once."""
        done = await self._answer(conversation)
        yield Delta(done.text)
        yield Delta("", "stop", done.prompt_tokens, done.completion_tokens)

    async def _answer(self, conversation: Conversation) -> Completion:
        began = time.perf_counter()
        events = [event async for event in self.assistant.reply(conversation)]
        seconds = time.perf_counter() - began
        usage = next((event.usage for event in events if isinstance(event, End)), {})
        counts = usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
        return Completion(conversation.id, plain_text(events), "stop", *counts, seconds=seconds)

    def close(self) -> None:
        """Let the model go that words the replies."""
        if close := getattr(self.assistant.model, "close", None):
            close()


class SampleGuard:
    """Makes the guarded assistant of the imaginary pharmacy in `medasst/samples` over any model, or over none."""

    @property
    def fingerprint(self) -> str:
        """Of all that replies depend on besides the model and the program itself."""
        files = sorted(file for pattern in _DEPENDS_ON for file in PACKAGE.glob(pattern) if file.is_file())
        return hashlib.sha256("".join(map(file_sha256, files)).encode()).hexdigest()

    def over(self, model: ChatModel | None, name: str, *, speech: Speech = "none", reads: bool = False) -> GuardedModel:
        """The assistant, and what `model` may do in it; None: the draft stands alone."""
        assistant = Assistant.from_samples(model, speech=speech, reads=reads)
        assistant.patience = _PATIENCE
        return GuardedModel(assistant, name)
