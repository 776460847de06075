"""llama.cpp on CPU: its server inside this process, reached over a local port with a key of its own."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import secrets
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx

from medasst.conversation import Conversation
from medasst.errors import DependencyError, MedasstError, ModelError
from medasst.models.base import Capability, Completion, Decoding, Delta, FinishReason, LetterQuery, LetterScore, Step
from medasst.models.config import SystemConfig
from medasst.models.letters import next_letters
from medasst.models.parts import engine_parts
from medasst.models.requests import as_answered
from medasst.models.texts import TextStream, cut_at
from medasst.progress import Progress, silent
from medasst.render import Renderer
from medasst.weights import adapter_to_gguf, base_to_gguf

# benchmarks/llama_cpp_slots.py: on 2 cores 8 slots give 2.9 times the tokens of one, 32 slots 4.2 times, each slower by itself.
PARALLEL = 8

_LISTED = 1000  # tokens whose probabilities the server is asked for
_BIAS = 1000.0  # more than any two logits differ, little enough that single precision still tells biased ones apart


def open_model(config: SystemConfig, progress: Progress = silent) -> LlamaCppModel:
    """Load the base's GGUF file, the adapter over it."""
    base, adapter, renderer = engine_parts(config, progress)
    return LlamaCppModel(
        base_to_gguf(base, progress),
        renderer,
        adapter=adapter_to_gguf(adapter.folder, base) if adapter else None,
        name=config.name or base.name,
        threads=config.threads,
        parallel=config.parallel or PARALLEL,
        context=config.context,
    )


class LlamaCppModel:
    """Answers with llama.cpp. It gives log-probabilities of the next token ("letters"), not of prompts: it has no "choices".

    Args:
        model: GGUF file of the base.
        renderer: of the base's tokenizer; the server receives its ids.
        adapter: GGUF file of a LoRA adapter.
        threads: CPU threads; all by default.
        parallel: conversations at a time; more wait.
        context: tokens of one conversation, prompt and answer together. Of a longer one a stream leaves out the oldest turns.

    Raises:
        ModelError: llama.cpp refuses the file.
    """

    capabilities: frozenset[Capability] = frozenset(("stream", "letters"))

    def __init__(
        self,
        model: Path,
        renderer: Renderer,
        *,
        adapter: Path | None = None,
        name: str = "llama.cpp",
        threads: int | None = None,
        parallel: int = PARALLEL,
        context: int = 2048,
    ) -> None:
        self.name, self.renderer, self.parallel, self.context = name, renderer, parallel, context
        key = secrets.token_urlsafe(32)
        self._server = _start(model, adapter, threads or os.cpu_count() or 1, parallel=parallel, context=context, key=key)
        # Proxies of the environment must not see a local address.
        self._http = {
            "base_url": self._server.listening_address,
            "headers": {"Authorization": f"Bearer {key}"},
            "timeout": None,
            "trust_env": False,
        }

    async def stream(self, conversation: Conversation, decoding: Decoding) -> AsyncIterator[Delta]:
        request = {**await asyncio.to_thread(self._fitting, conversation, decoding), "stream": True}
        text, heard = TextStream(self.renderer.decode, decoding.stop), 0
        try:
            # Leaving the block closes the connection, at which the server ends the task and frees its slot.
            async with (
                httpx.AsyncClient(**self._http) as client,
                client.stream("POST", "/completion", json=request) as response,
            ):
                if response.status_code != 200:
                    raise MedasstError(f"{self.name}: {_reason(await response.aread())}")
                async for line in response.aiter_lines():
                    event = self._event(line)
                    if event is None:
                        continue
                    ids = self._answer(event)
                    if event["tokens_predicted"] - heard > len(event["tokens"]):
                        # A character of several tokens: of their ids the server sends the last alone, but the whole text.
                        ids = self.renderer.control.encode(event["content"], continued=True).ids
                    heard = event["tokens_predicted"]
                    if piece := text.push(ids) + (text.end() if event["stop"] else ""):
                        yield Delta(piece)
                    if event["stop"]:
                        yield Delta("", _finish(event), event["tokens_evaluated"], event["tokens_predicted"])
        except httpx.HTTPError as error:
            raise MedasstError(f"{self.name}: llama.cpp broke off ({error or type(error).__name__}); try again") from error

    def _event(self, line: str) -> dict[str, Any] | None:
        """One line of the server's stream."""
        kind, _, data = line.partition(": ")
        if kind == "error":
            raise MedasstError(f"{self.name}: {_reason(data)}")
        event: dict[str, Any] | None = json.loads(data) if kind == "data" else None
        return event

    def generate(self, conversations: Sequence[Conversation], decoding: Decoding) -> Iterator[Completion]:
        with httpx.Client(**self._http) as client:
            yield from as_answered(lambda talk: self._complete(client, talk, decoding), conversations, self.parallel)

    def _complete(self, client: httpx.Client, conversation: Conversation, decoding: Decoding) -> Completion:
        began = time.perf_counter()
        try:
            response = client.post("/completion", json=self._request(conversation, decoding))
            if response.status_code != 200:
                raise MedasstError(_reason(response.content))
            event = response.json()
        except (httpx.HTTPError, MedasstError) as error:
            return Completion(conversation.id, "", "error", error=str(error) or type(error).__name__)
        text, _ = cut_at(self.renderer.decode(self._answer(event)), decoding.stop)
        seconds = time.perf_counter() - began if self.parallel == 1 else None
        counts = event["tokens_evaluated"], event["tokens_predicted"]
        return Completion(conversation.id, text, _finish(event), *counts, seconds=seconds)

    def _answer(self, event: dict[str, Any]) -> list[int]:
        """The ids of an event without the one that ends the answer: text is made of ids here, as in every engine."""
        return [i for i in event["tokens"] if i not in self.renderer.stop_ids]

    def _fitting(self, conversation: Conversation, decoding: Decoding) -> dict[str, Any]:
        """The request, without the oldest turns that leave no room for an answer. Raises ModelError: the last is too long."""
        wanted = self.context - min(decoding.max_new_tokens, self.context // 4)
        size = sum(len(message.content) for message in conversation.messages)
        while size > 1 and len(self.renderer.prompt(conversation)) > wanted:
            size = size * 2 // 3
            conversation = conversation.newest(size)
        return self._request(conversation, decoding)

    def _request(self, conversation: Conversation, decoding: Decoding) -> dict[str, Any]:
        prompt = self.renderer.prompt(conversation)
        return {
            "prompt": prompt,
            "n_predict": min(decoding.max_new_tokens, self._room(prompt)),
            "temperature": decoding.temperature,
            "top_p": decoding.top_p,
            # Greedy: the best token alone, else a vocabulary of 262,144 is sorted for each (a quarter of the time).
            # Sampling: llama.cpp cuts the tail by default, and looks back 64 tokens for repetition; transformers does neither.
            "top_k": 0 if decoding.temperature > 0 else 1,
            "min_p": 0.0,
            "repeat_penalty": decoding.repetition_penalty,
            "repeat_last_n": self.context,
            "seed": decoding.seed,
            "stop": list(decoding.stop),
            "cache_prompt": True,
            "return_tokens": True,
        }

    def _room(self, prompt: Sequence[int]) -> int:
        """Tokens that are left for the answer. Raises ModelError where there are none."""
        if len(prompt) < self.context:
            return self.context - len(prompt)
        raise ModelError(
            f"the conversation has {len(prompt)} tokens, the model takes {self.context}; shorten it or raise context"
        )

    def letters(self, queries: Sequence[LetterQuery]) -> Iterator[LetterScore]:
        with httpx.Client(**self._http) as client:
            yield from as_answered(lambda query: self._letters(client, query), queries, self.parallel)

    def _letters(self, client: httpx.Client, query: LetterQuery) -> LetterScore:
        """The bias makes the likeliest letter the one drawn; the probabilities told are those before it."""
        try:
            (asked,) = next_letters(self.renderer, [query])
            if isinstance(asked, LetterScore):
                return asked
            _, prompt, ids = asked
            self._room(prompt)
            request = {"prompt": prompt, "n_predict": 1, "top_k": 1, "n_probs": _LISTED, "cache_prompt": True}
            response = client.post("/completion", json=request | {"logit_bias": [[i, _BIAS] for i in ids]})
            if response.status_code != 200:
                raise MedasstError(_reason(response.content))
            told = response.json()["completion_probabilities"][0]
        except (httpx.HTTPError, MedasstError, KeyError, IndexError) as error:
            return LetterScore(query.id, (), (), error=str(error) or type(error).__name__)
        known = {token["id"]: token["logprob"] for token in (*told["top_logprobs"], told)}
        return LetterScore.among(query.id, ids, known)

    def trace(self, prompt: Sequence[int], most: int, listed: int) -> list[Step]:
        """A greedy answer of at most `most` tokens, its end included, with the log-probabilities of the `listed` likeliest.

        The server tells none of a token that ends the answer or that leaves a character unfinished.
        """
        tokens, told = self._greedy(prompt, most, listed)
        if len(told) == len(tokens):
            return [Step(*pair) for pair in zip(tokens, told, strict=True)]
        single = [self._greedy([*prompt, *tokens[:place]], 1, listed)[1] for place in range(len(tokens))]
        return [Step(token, found[0] if found else {}) for token, found in zip(tokens, single, strict=True)]

    def _greedy(self, prompt: Sequence[int], most: int, listed: int) -> tuple[list[int], list[dict[int, float]]]:
        """The ids of an answer, and what is told of those of them that anything is told of. Nothing cached has a part in it."""
        request = {"n_predict": most, "top_k": 1, "n_probs": listed, "cache_prompt": False, "return_tokens": True}
        event = self._told("/completion", request | {"prompt": list(prompt)})
        told = [(one, *one["top_logprobs"]) for one in event.get("completion_probabilities", ())]
        return event["tokens"], [{token["id"]: token["logprob"] for token in likeliest} for likeliest in told]

    def prompt_ids(self, conversation: Conversation) -> list[int]:
        """What llama.cpp itself makes of messages, by the tokenizer and the chat template of its file."""
        rows = [{"role": m.role, "content": m.content} for m in conversation.messages]
        text = self._told("/apply-template", {"messages": rows})["prompt"]
        ids: list[int] = self._told("/tokenize", {"content": text, "add_special": True, "parse_special": True})["tokens"]
        return ids

    def _told(self, path: str, request: dict[str, Any]) -> Any:
        """The server's answer. Raises MedasstError where it refuses or breaks off."""
        try:
            with httpx.Client(**self._http) as client:
                response = client.post(path, json=request)
        except httpx.HTTPError as error:
            raise MedasstError(f"{self.name}: llama.cpp broke off ({error or type(error).__name__}); try again") from error
        if response.status_code != 200:
            raise MedasstError(f"{self.name}: {_reason(response.content)}")
        return response.json()

    def close(self) -> None:
        """Stop the server and free the weights."""
        self._server = None


def _library() -> Any:
    """xllamacpp. A bare system may lack the OpenMP library it needs; torch carries one."""
    # Read once, when OpenMP loads: threads that wait by spinning slow two cores down by tens of times.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        return import_module("xllamacpp")
    except ModuleNotFoundError as error:
        raise DependencyError("xllamacpp", "serve") from error
    except ImportError as error:
        torch = find_spec("torch")
        carried = Path(torch.origin).parent / "lib" / "libgomp.so.1" if torch and torch.origin else None
        if carried is None or not carried.is_file():
            raise MedasstError(f"llama.cpp can't be loaded ({error}); on Debian or Ubuntu: apt-get install libgomp1") from error
        ctypes.CDLL(str(carried), ctypes.RTLD_GLOBAL)
        return import_module("xllamacpp")


def _start(model: Path, adapter: Path | None, threads: int, *, parallel: int, context: int, key: str) -> Any:
    xllamacpp = _library()
    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.n_parallel, params.n_ctx = parallel, context * parallel
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [key]
    params.verbosity = -1
    params.warmup = False
    params.swa_full = True  # otherwise a sliding-window model reads a conversation anew at every turn
    params.ui = False
    # Otherwise each conversation leaves some 10 MB in memory, up to 8 GiB, long after its page was closed.
    params.cache_ram_mib = params.n_ctx_checkpoints = 0
    if adapter is not None:
        lora = xllamacpp.CommonAdapterLoraInfo()
        lora.path, lora.scale = str(adapter), 1.0
        params.lora_adapters = [lora]
    try:
        return xllamacpp.Server(params)
    except Exception as error:  # the library raises bare RuntimeError
        raise ModelError(f"llama.cpp can't load {model} ({error}); is the file whole, and is there memory for it?") from error


def _finish(event: dict[str, Any]) -> FinishReason:
    return "length" if event["stop_type"] == "limit" else "stop"


def _reason(body: bytes | str) -> str:
    try:
        error = json.loads(body)
        return str(error.get("error", error).get("message", error))
    except (ValueError, AttributeError):
        return body.decode("utf-8", "replace") if isinstance(body, bytes) else body
