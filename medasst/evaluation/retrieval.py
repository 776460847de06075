"""The retrieval baseline: the answer that training gave to the nearest question. What a tuned model has to beat."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from medasst.conversation import Conversation
from medasst.data import iterate_split
from medasst.errors import DataError
from medasst.evaluation.shelf import Shelf
from medasst.models import Completion, Decoding, Delta
from medasst.models.base import Capability
from medasst.search import TextIndex


class RetrievalModel:
    """Answers the last user turn with the training answer whose question is nearest (character TF-IDF cosine).

    Nothing is generated, so no decoding setting applies. A question that shares nothing with any gets an empty answer.
    """

    capabilities: frozenset[Capability] = frozenset({"stream"})

    def __init__(self, name: str, pairs: Iterable[tuple[str, str]]) -> None:
        """`pairs` of a question and its answer are read once; neither stays in memory."""
        self.name = name
        self._answers: Shelf[str] = Shelf()
        self._index = TextIndex(self._questions(pairs))

    def _questions(self, pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
        for question, answer in pairs:
            self._answers.append(answer)
            yield question

    @classmethod
    def over(cls, name: str, data: Path) -> RetrievalModel:
        """Search every answered user turn of a prepared set's training split. Raises DataError where there is none."""
        model = cls(
            name,
            (
                (asked.content, answer.content)
                for conversation in iterate_split(data, "train")
                for place, (asked, answer) in enumerate(pairwise(conversation.messages), 1)
                if asked.role == "user" and answer.role == "assistant" and place not in conversation.unlearnt
            ),
        )
        if not model._answers:
            raise DataError("no question with an answer to retrieve from; prepare a training split first", data)
        return model

    def generate(self, conversations: Sequence[Conversation], decoding: Decoding) -> Iterator[Completion]:  # noqa: ARG002
        """One completion a conversation, in order."""
        asked = [next((m.content for m in reversed(c.messages) if m.role == "user"), "") for c in conversations]
        for conversation, hit in zip(conversations, self._index.nearest_many(asked), strict=True):
            yield Completion(conversation.id, self._answers[hit.place] if hit else "", "stop")

    async def stream(self, conversation: Conversation, decoding: Decoding) -> AsyncIterator[Delta]:
        """The same answer, at once."""
        for completion in self.generate([conversation], decoding):
            yield Delta(completion.text, "stop")
