"""The retrieval baseline: the answer that training gave to the nearest question. What a tuned model has to beat."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from medasst.conversation import Conversation
from medasst.data import iterate_split
from medasst.errors import DataError
from medasst.models import Completion, Decoding, Delta
from medasst.models.base import Capability
from medasst.search import TextIndex


class RetrievalModel:
    """Answers the last user turn with the training answer whose question is nearest (character TF-IDF cosine).

    Nothing is generated, so no decoding setting applies. A question that shares nothing with any gets an empty answer.
    """

    capabilities: frozenset[Capability] = frozenset({"stream"})

    def __init__(self, name: str, questions: Sequence[str], answers: Sequence[str]) -> None:
        self.name = name
        self._answers = answers
        self._index = TextIndex(questions)

    @classmethod
    def over(cls, name: str, data: Path) -> RetrievalModel:
        """Search every answered user turn of a prepared set's training split. Raises DataError where there is none."""
        pairs = [
            (asked.content, answer.content)
            for conversation in iterate_split(data, "train")
            for place, (asked, answer) in enumerate(pairwise(conversation.messages), 1)
            if asked.role == "user" and answer.role == "assistant" and place not in conversation.unlearnt
        ]
        if not pairs:
            raise DataError("no question with an answer to retrieve from; prepare a training split first", data)
        return cls(name, [question for question, _ in pairs], [answer for _, answer in pairs])

    def generate(self, conversations: Sequence[Conversation], decoding: Decoding) -> Iterator[Completion]:  # noqa: ARG002
        """One completion a conversation, in order."""
        asked = [next((m.content for m in reversed(c.messages) if m.role == "user"), "") for c in conversations]
        for conversation, hits in zip(conversations, self._index.nearest_many(asked), strict=True):
            text = self._answers[hits[0].place] if hits else ""
            yield Completion(conversation.id, text, "stop")

    async def stream(self, conversation: Conversation, decoding: Decoding) -> AsyncIterator[Delta]:
        """The same answer, at once."""
        for completion in self.generate([conversation], decoding):
            yield Delta(completion.text, "stop")
