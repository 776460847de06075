"""A model as it is listened to: whole pieces, within a time and a length. Whatever goes wrong only ends the listening."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from medasst.conversation import Conversation
from medasst.models.places import Busy

if TYPE_CHECKING:
    from medasst.models import ChatModel, Decoding

BUSY = "busy"  # why nothing was used: no place was free
LINES = re.compile(r"\n")
SENTENCES = re.compile(r"(?<=[。！？!?\n])")

_LOG = logging.getLogger(__name__)
_GRACE = 1.0  # seconds that a model gets to notice that nobody listens any more


@dataclass
class Notes:
    """What listening cost, and why nothing or less of it was used, for the operator; without the shopper's words."""

    refused: list[str] = field(default_factory=list)
    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Ear:
    """Who is listened to, and how long.

    Attributes:
        patience: seconds for all that it says; what it said until then counts.
    """

    model: ChatModel
    decoding: Decoding
    patience: float

    async def pieces(self, prompt: Conversation, ends: re.Pattern[str], most: int, notes: Notes) -> AsyncGenerator[str, None]:
        """What the model says, piece by piece, as soon as each is whole; close it to stop the model.

        Args:
            ends: where a piece ends.
            most: characters after which nobody listens any more.
        """
        said: asyncio.Queue[str | None] = asyncio.Queue()
        listening = asyncio.create_task(self._listen(prompt, ends, most, notes, said.put_nowait))
        until = asyncio.get_running_loop().time() + self.patience
        try:
            while True:
                async with asyncio.timeout_at(until):
                    piece = await said.get()
                if piece is None:
                    return
                if piece.strip():
                    yield piece.strip()
        except TimeoutError:
            _LOG.warning(
                "the model %s took longer than %g s: what it had not said by then is left out", self.model.name, self.patience
            )
            notes.refused.append("timeout")
        finally:
            listening.cancel()
            await asyncio.wait({listening}, timeout=_GRACE)  # one that doesn't stop is left alone

    async def _listen(
        self, prompt: Conversation, ends: re.Pattern[str], most: int, notes: Notes, say: Callable[[str | None], None]
    ) -> None:
        heard, rest = 0, ""
        stream = self.model.stream(prompt, self.decoding)
        try:
            async for delta in stream:
                notes.prompt_tokens += delta.prompt_tokens
                notes.completion_tokens += delta.completion_tokens
                heard += len(delta.text)
                *whole, rest = ends.split(rest + delta.text)
                for piece in whole:
                    say(piece)
                if heard > most:
                    notes.refused.append("too_long")
                    return
                if delta.finish_reason == "stop":
                    say(rest)
        except Busy:
            notes.refused.append(BUSY)
        except Exception as error:  # engines raise many kinds; none of them is the shopper's matter
            _LOG.warning("the model %s failed (%s); the reply stands without it", self.model.name, type(error).__name__)
            notes.refused.append("error")
        finally:
            say(None)
            with suppress(Exception):
                if hasattr(stream, "aclose"):
                    await stream.aclose()
