"""What an engine is: conversations in, text or scores out. Knows no engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, TypeVar, runtime_checkable

from medasst.conversation import Conversation

Capability = Literal["stream", "choices", "letters"]
T = TypeVar("T", bound=Hashable)  # a token: its id, or its text
FinishReason = Literal["stop", "length", "error"]

_LEAST = -9999.0  # a log-probability as good as none


@dataclass(frozen=True, slots=True)
class Decoding:
    """How text is chosen. The defaults are those of the QA comparison: greedy, at most 256 new tokens.

    Attributes:
        temperature: 0 is greedy.
        repetition_penalty: divides the logits of tokens already seen (Keskar et al. 2019, arXiv:1909.05858); 1 is none.
        stop: texts that end the answer besides the model's own end of turn; they are not part of it.
    """

    max_new_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of a streamed answer. The last one has a finish reason and the token counts."""

    text: str = ""
    finish_reason: FinishReason | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole answer. With finish reason "error", `error` says what went wrong.

    `seconds` is the time it took, where the engine made it alone and not beside others.
    """

    id: str
    text: str
    finish_reason: FinishReason
    prompt_tokens: int = 0
    completion_tokens: int = 0
    error: str | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class ChoiceQuery:
    """Options to compare after one prefix: a conversation (the option is the next answer) or raw text."""

    id: str
    prefix: Conversation | str
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChoiceScore:
    """For each option the sum of its tokens' log-probabilities (natural logarithm), and how many tokens it has."""

    id: str
    logprobs: tuple[float, ...]
    token_counts: tuple[int, ...]
    error: str | None = None


@dataclass(frozen=True, slots=True)
class LetterQuery:
    """What asks for one of these letters: a conversation (the letter is its answer) or raw text (the letter goes on)."""

    id: str
    prefix: Conversation | str
    letters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LetterScore:
    """For each letter its log-probability as the next token (natural logarithm).

    Engines that give only the likeliest tokens may not list a letter: `listed` is then False and the figure an upper bound,
    the least of the list.
    """

    id: str
    logprobs: tuple[float, ...]
    listed: tuple[bool, ...]
    error: str | None = None

    @classmethod
    def among(cls, id: str, letters: Sequence[T], known: Mapping[T, float]) -> LetterScore:
        """From a list of the likeliest tokens; `letters` are named as it names tokens."""
        # Some engines write minus infinity, which JSON doesn't have, some a large number for it.
        finite = {token: max(logprob, _LEAST) for token, logprob in known.items()}
        bound = min(finite.values(), default=_LEAST)
        return cls(id, tuple(finite.get(x, bound) for x in letters), tuple(x in finite for x in letters))


class Step(NamedTuple):
    """One token of a greedy answer: its id, and the log-probabilities of the likeliest ids there, if they are told."""

    token: int
    logprobs: Mapping[int, float]


@runtime_checkable
class ChatModel(Protocol):
    """Answers conversations."""

    @property
    def name(self) -> str: ...

    @property
    def capabilities(self) -> frozenset[Capability]: ...

    def stream(self, conversation: Conversation, decoding: Decoding) -> AsyncIterator[Delta]:
        """The answer as it is written; closing the iterator stops the work. Raises MedasstError if the engine fails."""
        ...

    def generate(self, conversations: Sequence[Conversation], decoding: Decoding) -> Iterator[Completion]:
        """Answers in any order, each with its conversation's id; a failed one has finish reason "error"."""
        ...


@runtime_checkable
class ChoiceModel(ChatModel, Protocol):
    """Can also tell how likely given answers are (capability "choices")."""

    def score(self, queries: Sequence[ChoiceQuery]) -> Iterator[ChoiceScore]:
        """Scores in any order, each with its query's id."""
        ...


@runtime_checkable
class LetterModel(ChatModel, Protocol):
    """Can tell how likely each of some letters is as the next token (capability "letters")."""

    def letters(self, queries: Sequence[LetterQuery]) -> Iterator[LetterScore]:
        """Scores in any order, each with its query's id. Raises UnsupportedError if it turns out that it can't."""
        ...
