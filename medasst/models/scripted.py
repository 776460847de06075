"""A model that says what it is told to: for tests and for trying a service without weights."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from itertools import cycle

from medasst.conversation import Conversation
from medasst.models.base import (
    Capability,
    ChoiceQuery,
    ChoiceScore,
    Completion,
    Decoding,
    Delta,
    FinishReason,
    LetterQuery,
    LetterScore,
)

Reply = str | Exception
Script = Callable[[Conversation], Reply]


class ScriptedModel:
    """Replies come from the queue, then from the script.

    Args:
        replies: said in turn, over and over; or a function of the conversation. An exception is raised instead of said.
        name: the model's name.
        score: log-probability of an option after a prefix; without it the model has no "choices".
        letter: log-probability of a letter after a prefix, or None where an engine wouldn't list it; without
            it the model has no "letters".
        step: characters of one streamed piece. One character counts as one token.
    """

    def __init__(
        self,
        replies: Iterable[Reply] | Script = (),
        *,
        name: str = "scripted",
        score: Callable[[Conversation | str, str], float] | None = None,
        letter: Callable[[Conversation | str, str], float | None] | None = None,
        step: int = 4,
    ) -> None:
        self.name = name
        self.calls: list[tuple[Conversation, Decoding]] = []
        self._queue: deque[Reply] = deque()
        self._score, self._letter, self._step = score, letter, step
        if callable(replies):
            self._script: Script = replies
        else:
            endless = cycle(list(replies))
            self._script = lambda _: next(endless, "")

    @property
    def capabilities(self) -> frozenset[Capability]:
        able: dict[Capability, object] = {"stream": True, "choices": self._score, "letters": self._letter}
        return frozenset(name for name, how in able.items() if how)

    def enqueue(self, *replies: Reply) -> None:
        """Say these next."""
        self._queue.extend(replies)

    async def stream(self, conversation: Conversation, decoding: Decoding) -> AsyncIterator[Delta]:
        text, finish = self._reply(conversation, decoding)
        for start in range(0, len(text), self._step):
            yield Delta(text[start : start + self._step])
        yield Delta("", finish, sum(len(m.content) for m in conversation.messages), len(text))

    def generate(self, conversations: Sequence[Conversation], decoding: Decoding) -> Iterator[Completion]:
        for talk in conversations:
            try:
                text, finish = self._reply(talk, decoding)
            except Exception as error:
                yield Completion(talk.id, "", "error", error=str(error))
            else:
                yield Completion(talk.id, text, finish, sum(len(m.content) for m in talk.messages), len(text))

    def score(self, queries: Sequence[ChoiceQuery]) -> Iterator[ChoiceScore]:
        if self._score is None:
            raise NotImplementedError("this scripted model was given no score function")
        for query in queries:
            logprobs = tuple(self._score(query.prefix, option) for option in query.options)
            yield ChoiceScore(query.id, logprobs, tuple(len(option) for option in query.options))

    def letters(self, queries: Sequence[LetterQuery]) -> Iterator[LetterScore]:
        if self._letter is None:
            raise NotImplementedError("this scripted model was given no letter function")
        for query in queries:
            found = {letter: self._letter(query.prefix, letter) for letter in query.letters}
            known = {letter: logprob for letter, logprob in found.items() if logprob is not None}
            yield LetterScore.among(query.id, query.letters, known)

    def _reply(self, conversation: Conversation, decoding: Decoding) -> tuple[str, FinishReason]:
        self.calls.append((conversation, decoding))
        reply = self._queue.popleft() if self._queue else self._script(conversation)
        if isinstance(reply, Exception):
            raise reply
        end = min((i for s in decoding.stop if (i := reply.find(s)) >= 0), default=len(reply))
        text = reply[:end]
        return (text[: decoding.max_new_tokens], "length") if len(text) > decoding.max_new_tokens else (text, "stop")
