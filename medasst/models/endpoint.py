"""Any OpenAI-compatible endpoint. It receives messages, made harmless, and renders them itself."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import httpx
import openai
from openai.types.chat import ChatCompletion

from medasst.conversation import Conversation
from medasst.errors import ConfigError, MedasstError, UnsupportedError
from medasst.models.asking import GARBAGE, Asking, Failed
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
from medasst.models.config import SystemConfig
from medasst.models.patience import Patience
from medasst.models.prompt_logprobs import Scorer
from medasst.models.requests import as_answered
from medasst.models.texts import harmless
from medasst.progress import Progress, silent

Q = TypeVar("Q")
A = TypeVar("A")

PARALLEL = 8
TIMEOUT = 300.0
_LISTED = 20  # the most top_logprobs that OpenAI's API gives
_BLANKS = " \n\u2581\u0120"  # what tokens begin a word with, as text and as some servers spell it


def open_model(config: SystemConfig, _progress: Progress = silent) -> EndpointModel:
    """A client of the endpoint; nothing is asked of it yet."""
    key = os.environ.get(config.api_key_env or "") or "none"
    if config.api_key_env and config.api_key_env not in os.environ:
        raise ConfigError(f"the environment variable {config.api_key_env} is not set; put the endpoint's key into it")
    return EndpointModel(
        str(config.url),
        str(config.model),
        key=key,
        name=config.label,
        parallel=config.parallel or PARALLEL,
        timeout=config.timeout,
        per_minute=config.per_minute,
    )


class EndpointModel:
    """Answers through an endpoint. What fails for a moment is asked again: a server that is busy, too slow or broken, a reply
    that breaks off or is none. One that stays away is given up: the rest of the questions fail at once.

    Options are scored where the server is vLLM, by its `prompt_logprobs`.

    Args:
        url: ends in /v1.
        model: its name there.
        parallel: requests at a time.
        timeout: seconds that a reply may keep us waiting for its next piece.
        per_minute: requests a minute at most.
        patience: makes what waits between tries, of the requests a minute.
    """

    capabilities: frozenset[Capability] = frozenset(("stream", "letters", "choices"))

    def __init__(
        self,
        url: str,
        model: str,
        *,
        key: str = "none",
        name: str = "",
        parallel: int = PARALLEL,
        timeout: float = TIMEOUT,
        per_minute: int | None = None,
        patience: Callable[[int | None], Patience] = Patience,
    ) -> None:
        self.url, self.model, self.name, self.parallel = url, model, name or model, parallel
        self._client: dict[str, Any] = {"base_url": url, "api_key": key, "timeout": timeout}
        self._patience: Callable[[], Patience] = partial(patience, per_minute)

    async def stream(self, conversation: Conversation, decoding: Decoding) -> AsyncIterator[Delta]:
        finish: FinishReason | None = None
        prompt_tokens = completion_tokens = 0
        try:
            async with openai.AsyncOpenAI(**self._client, max_retries=4) as client:
                request = self._request(conversation, decoding)
                async with await client.chat.completions.create(
                    **request, stream=True, stream_options={"include_usage": True}
                ) as chunks:
                    async for chunk in chunks:
                        if chunk.usage:
                            prompt_tokens, completion_tokens = chunk.usage.prompt_tokens, chunk.usage.completion_tokens
                        for choice in (chunk.choices or [])[:1]:
                            finish = _finish(choice.finish_reason) if choice.finish_reason else finish
                            if choice.delta.content:
                                yield Delta(choice.delta.content)
        except (openai.OpenAIError, httpx.HTTPError, *GARBAGE) as error:
            raise MedasstError(self._explain(error)) from error
        if finish is None:
            raise MedasstError(f"{self.name}: the stream of {self.url} broke off before its end; try again")
        yield Delta("", finish, prompt_tokens, completion_tokens)

    def generate(self, conversations: Sequence[Conversation], decoding: Decoding) -> Iterator[Completion]:
        def complete(asking: Asking, talk: Conversation) -> Completion:
            request = self._request(talk, decoding)
            began = time.perf_counter()
            try:
                found = asking(lambda client: _whole(talk.id, client.chat.completions.create(**request)))
            except Failed as error:
                return Completion(talk.id, "", "error", error=str(error))
            return replace(found, seconds=time.perf_counter() - began) if self.parallel == 1 else found

        yield from self._each(complete, conversations)

    def letters(self, queries: Sequence[LetterQuery]) -> Iterator[LetterScore]:
        def ask(asking: Asking, query: LetterQuery) -> LetterScore:
            if isinstance(query.prefix, str):
                raise UnsupportedError(f"{self.name}: an endpoint answers conversations, not a bare text; set chat = true")
            request = self._request(query.prefix, Decoding(max_new_tokens=1))
            request |= {"logprobs": True, "top_logprobs": _LISTED}
            try:
                known = asking(lambda client: _listed(client.chat.completions.create(**request)))
            except Failed as error:
                if error.status == openai.BadRequestError.status_code and "logprobs" in str(error):
                    raise UnsupportedError(f"{self.name}: the endpoint {self.url} gives no top_logprobs: {error}") from error
                return LetterScore(query.id, (), (), error=str(error))
            if known is None:
                raise UnsupportedError(f"{self.name}: the endpoint {self.url} answered without top_logprobs")
            return LetterScore.among(query.id, query.letters, known)

        yield from self._each(ask, queries)

    def score(self, queries: Sequence[ChoiceQuery]) -> Iterator[ChoiceScore]:
        """As every engine; raises UnsupportedError where the server isn't vLLM, whose `prompt_logprobs` are summed."""
        yield from self._each(Scorer(self.url, self.model), queries)

    def _each(self, ask: Callable[[Asking, Q], A], queries: Sequence[Q]) -> Iterator[A]:
        patience = self._patience()
        with openai.OpenAI(**self._client, max_retries=0) as client:
            asking = Asking(client, patience, self._explain)
            yield from as_answered(lambda query: ask(asking, query), queries, self.parallel, patience.leave)

    def _request(self, conversation: Conversation, decoding: Decoding) -> dict[str, Any]:
        request: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": m.role, "content": harmless(m.content)} for m in conversation.messages],
            "max_tokens": decoding.max_new_tokens,
            "temperature": decoding.temperature,
            "top_p": decoding.top_p,
            "seed": decoding.seed,
        }
        if decoding.stop:
            request["stop"] = list(decoding.stop)
        if decoding.repetition_penalty != 1.0:  # vLLM's and llama.cpp's extension; OpenAI's own API refuses it
            request["extra_body"] = {"repetition_penalty": decoding.repetition_penalty}
        return request

    def _explain(self, error: Exception) -> str:
        return f"{self.name}: the endpoint {self.url} failed: {error or type(error).__name__}"


def _whole(id: str, answer: ChatCompletion) -> Completion:
    """The completion of a reply. Raises one of GARBAGE where the reply is none: nothing checks what a server sends."""
    choice, usage = answer.choices[0], answer.usage
    text = choice.message.content or choice.message.refusal or ""
    if not isinstance(text, str):
        raise TypeError(f"the reply's content is {type(text).__name__}, not text")
    counts: tuple[int, int] = (usage.prompt_tokens, usage.completion_tokens) if usage else (0, 0)
    return Completion(id, text, _finish(choice.finish_reason), *counts)


def _listed(answer: ChatCompletion) -> dict[str, float] | None:
    """The first token's list, if there is one. Of tokens that read alike ("A", " A") the likeliest counts."""
    logprobs = answer.choices[0].logprobs
    if logprobs is None or not logprobs.content or not logprobs.content[0].top_logprobs:
        return None
    known: dict[str, float] = {}
    for token in logprobs.content[0].top_logprobs:
        text = token.token.strip(_BLANKS)
        known[text] = max(token.logprob, known.get(text, token.logprob))
    return known


def _finish(reason: str | None) -> FinishReason:
    return "length" if reason == "length" else "stop"
