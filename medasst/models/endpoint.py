"""Any OpenAI-compatible endpoint. It receives messages, made harmless, and renders them itself."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import openai
from openai.types.chat import ChatCompletion

from medasst.conversation import Conversation
from medasst.errors import ConfigError, MedasstError, UnsupportedError
from medasst.models.base import (
    Capability,
    Completion,
    Decoding,
    Delta,
    FinishReason,
    LetterQuery,
    LetterScore,
)
from medasst.models.config import SystemConfig
from medasst.models.requests import as_answered
from medasst.models.texts import harmless
from medasst.progress import Progress, silent

PARALLEL = 8
_LISTED = 20  # the most top_logprobs that OpenAI's API gives
_BLANKS = " \n\u2581\u0120"  # what tokens begin a word with, as text and as some servers spell it


def open_model(config: SystemConfig, _progress: Progress = silent) -> EndpointModel:
    """A client of the endpoint; nothing is asked of it yet."""
    key = os.environ.get(config.api_key_env or "") or "none"
    if config.api_key_env and config.api_key_env not in os.environ:
        raise ConfigError(f"the environment variable {config.api_key_env} is not set; put the endpoint's key into it")
    return EndpointModel(str(config.url), str(config.model), key=key, name=config.label, parallel=config.parallel or PARALLEL)


class EndpointModel:
    """Answers through an endpoint; the client repeats what fails for a moment.

    Args:
        url: ends in /v1.
        model: its name there.
        parallel: requests at a time.
    """

    capabilities: frozenset[Capability] = frozenset(("stream", "letters"))

    def __init__(self, url: str, model: str, *, key: str = "none", name: str = "", parallel: int = PARALLEL) -> None:
        self.url, self.model, self.name, self.parallel = url, model, name or model, parallel
        self._client: dict[str, Any] = {"base_url": url, "api_key": key, "max_retries": 4}

    async def stream(self, conversation: Conversation, decoding: Decoding) -> AsyncIterator[Delta]:
        finish: FinishReason | None = None
        prompt_tokens = completion_tokens = 0
        try:
            async with openai.AsyncOpenAI(**self._client) as client:
                request = self._request(conversation, decoding)
                async with await client.chat.completions.create(
                    **request, stream=True, stream_options={"include_usage": True}
                ) as chunks:
                    async for chunk in chunks:
                        if chunk.usage:
                            prompt_tokens, completion_tokens = chunk.usage.prompt_tokens, chunk.usage.completion_tokens
                        for choice in chunk.choices[:1]:
                            finish = _finish(choice.finish_reason) if choice.finish_reason else finish
                            if choice.delta.content:
                                yield Delta(choice.delta.content)
        except openai.OpenAIError as error:
            raise MedasstError(self._explain(error)) from error
        if finish is None:
            raise MedasstError(f"{self.name}: the stream of {self.url} broke off before its end; try again")
        yield Delta("", finish, prompt_tokens, completion_tokens)

    def generate(self, conversations: Sequence[Conversation], decoding: Decoding) -> Iterator[Completion]:
        with openai.OpenAI(**self._client) as client:
            yield from as_answered(lambda talk: self._complete(client, talk, decoding), conversations, self.parallel)

    def _complete(self, client: openai.OpenAI, conversation: Conversation, decoding: Decoding) -> Completion:
        began = time.perf_counter()
        try:
            answer = client.chat.completions.create(**self._request(conversation, decoding))
            choice, usage = answer.choices[0], answer.usage
        except (openai.OpenAIError, IndexError, TypeError) as error:
            return Completion(conversation.id, "", "error", error=self._explain(error))
        counts: tuple[int, int] = (usage.prompt_tokens, usage.completion_tokens) if usage else (0, 0)
        seconds = time.perf_counter() - began if self.parallel == 1 else None
        text = choice.message.content or ""
        return Completion(conversation.id, text, _finish(choice.finish_reason), *counts, None, seconds)

    def letters(self, queries: Sequence[LetterQuery]) -> Iterator[LetterScore]:
        with openai.OpenAI(**self._client) as client:
            yield from as_answered(lambda query: self._letters(client, query), queries, self.parallel)

    def _letters(self, client: openai.OpenAI, query: LetterQuery) -> LetterScore:
        if isinstance(query.prefix, str):
            raise UnsupportedError(f"{self.name}: an endpoint's chat answers conversations, not a bare text; set chat = true")
        request = self._request(query.prefix, Decoding(max_new_tokens=1))
        try:
            answer = client.chat.completions.create(**request, logprobs=True, top_logprobs=_LISTED)
        except openai.OpenAIError as error:
            if isinstance(error, openai.BadRequestError) and "logprobs" in str(error):
                raise UnsupportedError(f"{self.name}: the endpoint {self.url} gives no top_logprobs: {error}") from error
            return LetterScore(query.id, (), (), error=self._explain(error))
        return LetterScore.among(query.id, query.letters, self._listed(answer))

    def _listed(self, answer: ChatCompletion) -> dict[str, float]:
        """The first token's list. Of tokens that read alike ("A", " A") the likeliest counts."""
        logprobs = answer.choices[0].logprobs if answer.choices else None
        if logprobs is None or not logprobs.content or not logprobs.content[0].top_logprobs:
            raise UnsupportedError(f"{self.name}: the endpoint {self.url} answered without top_logprobs")
        known: dict[str, float] = {}
        for token in logprobs.content[0].top_logprobs:
            text = token.token.strip(_BLANKS)
            known[text] = max(token.logprob, known.get(text, token.logprob))
        return known

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


def _finish(reason: str | None) -> FinishReason:
    return "length" if reason == "length" else "stop"
