"""transformers + PEFT in this process: generation in batches, streams, and the likelihood of choices."""

from __future__ import annotations

import asyncio
import copy
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DynamicCache,
    GenerationConfig,
    StoppingCriteria,
    StoppingCriteriaList,
)
from transformers.utils import logging as transformers_logging

from medasst.conversation import Conversation
from medasst.errors import MedasstError, ModelError
from medasst.models.base import (
    Capability,
    ChoiceQuery,
    ChoiceScore,
    Completion,
    Decoding,
    Delta,
    LetterQuery,
    LetterScore,
    Step,
)
from medasst.models.config import SystemConfig
from medasst.models.letters import NextLetters, next_letters
from medasst.models.parts import engine_parts
from medasst.models.texts import TextStream, cut_at
from medasst.progress import Progress, silent
from medasst.render import Choice, Renderer

BATCH = 8
LETTER_TOKENS = 1024  # of questions read at a time


def open_model(config: SystemConfig, progress: Progress = silent) -> LocalModel:
    """Load the base, and the adapter over it."""
    base, adapter, renderer = engine_parts(config, progress)
    if config.threads:
        torch.set_num_threads(config.threads)
    model = load(base.folder, adapter.folder if adapter else None)
    return LocalModel(model, renderer, name=config.name or base.name, batch=config.parallel or BATCH)


def load(folder: Path, adapter: Path | None = None, *, exact: bool = False) -> Any:
    """The model, ready to answer: float32 on a CPU, bfloat16 on a GPU.

    Args:
        exact: float32 on the CPU, the adapter apart from the base's weights, wherever this is: what others are held against.
    """
    gpu = torch.cuda.is_available() and not exact
    transformers_logging.disable_progress_bar()  # its bar for a local file would tear the command line's
    try:
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16 if gpu else torch.float32)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{folder}: transformers can't load this model ({error})") from error
    if adapter is not None:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, adapter)
        # Exact enough in float32 and faster; in bfloat16 the sum would round the update away.
        model = model if gpu or exact else model.merge_and_unload()
    # The folder's own sampling settings must not mix with ours.
    model.generation_config = GenerationConfig()
    return model.to("cuda" if gpu else "cpu").eval()


def prompt_maker(folder: Path) -> Callable[[Conversation], list[int]]:
    """What transformers itself makes of messages, by the tokenizer and the chat template of a folder."""
    tokenizer = AutoTokenizer.from_pretrained(folder)

    def prompt_ids(conversation: Conversation) -> list[int]:
        rows = [{"role": m.role, "content": m.content} for m in conversation.messages]
        return list(tokenizer.apply_chat_template(rows, add_generation_prompt=True, return_dict=False))

    return prompt_ids


class LocalModel:
    """Answers with a transformers model.

    Args:
        model: a causal language model, in evaluation mode.
        renderer: of its tokenizer.
        batch: conversations generated at a time.
    """

    capabilities: frozenset[Capability] = frozenset(("stream", "choices", "letters"))

    def __init__(self, model: Any, renderer: Renderer, *, name: str = "transformers", batch: int = BATCH) -> None:
        self.model, self.renderer, self.name, self.batch = model, renderer, name, batch
        self._busy = threading.Lock()

    async def stream(self, conversation: Conversation, decoding: Decoding) -> AsyncIterator[Delta]:
        prompt = self._prompt(conversation)
        loop, queue = asyncio.get_running_loop(), asyncio.Queue[list[int] | BaseException | None]()
        streamer = _Streamer(lambda item: loop.call_soon_threadsafe(queue.put_nowait, item))

        def work() -> None:
            try:
                with self._busy:
                    self._generate([prompt], decoding, streamer)
                streamer.send(None)
            except BaseException as error:  # told to the reader, wherever it came from
                streamer.send(error)

        worker = loop.run_in_executor(None, work)
        text = TextStream(self.renderer.decode, decoding.stop)
        finish = "length"
        try:
            while (ids := await queue.get()) is not None:
                if isinstance(ids, BaseException):
                    raise MedasstError(f"{self.name}: generation failed: {ids}") from ids
                if any(i in self.renderer.stop_ids for i in ids):
                    finish = "stop"
                elif piece := text.push(ids):
                    yield Delta(piece)
            if piece := text.end():
                yield Delta(piece)
            yield Delta("", "stop" if finish == "stop" or text.stopped else "length", len(prompt), len(text.ids))
        finally:
            streamer.cancelled = True
            if not worker.done():
                await asyncio.shield(asyncio.wait([worker]))

    def generate(self, conversations: Sequence[Conversation], decoding: Decoding) -> Iterator[Completion]:
        prompts: list[tuple[Conversation, list[int]]] = []
        for talk in conversations:
            try:
                prompts.append((talk, self._prompt(talk)))
            except MedasstError as error:
                yield Completion(talk.id, "", "error", error=str(error))
        prompts.sort(key=lambda pair: len(pair[1]), reverse=True)  # the longest first: what is too large fails early
        for start in range(0, len(prompts), self.batch):
            yield from self._batch(prompts[start : start + self.batch], decoding)

    def _batch(self, part: list[tuple[Conversation, list[int]]], decoding: Decoding) -> Iterator[Completion]:
        try:
            with self._busy:
                answers = self._generate([prompt for _, prompt in part], decoding)
        except RuntimeError as error:  # torch's own kind, memory included
            if len(part) == 1:
                yield Completion(part[0][0].id, "", "error", len(part[0][1]), error=str(error))
                return
            for pair in part:
                yield from self._batch([pair], decoding)
            return
        for (talk, prompt), ids in zip(part, answers, strict=True):
            end = next((i for i, token in enumerate(ids) if token in self.renderer.stop_ids), len(ids))
            text, cut = cut_at(self.renderer.decode(ids[:end]), decoding.stop)
            yield Completion(talk.id, text, "stop" if cut or end < len(ids) else "length", len(prompt), end)

    def _prompt(self, conversation: Conversation) -> list[int]:
        return self._fitting(self.renderer.prompt(conversation))

    def _fitting(self, ids: list[int]) -> list[int]:
        most = self.model.config.max_position_embeddings
        if len(ids) >= most:
            raise ModelError(f"the conversation has {len(ids)} tokens, the model takes {most}; shorten it")
        return ids

    @torch.inference_mode()
    def _generate(self, prompts: list[list[int]], decoding: Decoding, streamer: Any = None) -> list[list[int]]:
        """New ids of each prompt, stop id included, padding after it cut off by the caller."""
        longest = max(map(len, prompts))
        pad = min(self.renderer.stop_ids)
        rows = torch.tensor([[pad] * (longest - len(p)) + p for p in prompts], device=self.model.device)
        mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts], device=self.model.device)
        settings = GenerationConfig(
            max_new_tokens=decoding.max_new_tokens,
            do_sample=decoding.temperature > 0,
            repetition_penalty=decoding.repetition_penalty,
            eos_token_id=sorted(self.renderer.stop_ids),
            pad_token_id=pad,
            **({"temperature": decoding.temperature, "top_p": decoding.top_p, "top_k": 0} if decoding.temperature > 0 else {}),
        )
        stops = [_Cancelled(streamer)] if streamer else []
        stops += [_StopText(self.renderer, decoding.stop, longest)] if decoding.stop else []
        with torch.random.fork_rng(devices=[self.model.device] if self.model.device.type == "cuda" else []):
            torch.manual_seed(decoding.seed)
            out = self.model.generate(
                input_ids=rows,
                attention_mask=mask,
                generation_config=settings,
                stopping_criteria=StoppingCriteriaList(stops),
                streamer=streamer,
            )
        new: list[list[int]] = out[:, longest:].tolist()
        return new

    def score(self, queries: Sequence[ChoiceQuery]) -> Iterator[ChoiceScore]:
        """What all queries begin with, such as worked examples, is read once."""
        ready: list[tuple[str, list[Choice]]] = []
        for query in queries:
            try:
                ready.append((query.id, self._choices(query)))
            except MedasstError as error:
                yield ChoiceScore(query.id, (), (), error=str(error))
        # One token of what a query's options share stays, from which their first ones are told.
        before = shared_start([_prefix(choices)[:-1] for _, choices in ready])
        with self._busy:
            cache = self._read(before)
        for name, choices in ready:
            try:
                with self._busy:
                    yield self._score(name, choices, len(before), copy.deepcopy(cache))
            except (MedasstError, RuntimeError) as error:
                yield ChoiceScore(name, (), (), error=str(error))

    def _choices(self, query: ChoiceQuery) -> list[Choice]:
        choices = [self.renderer.choice(query.prefix, option) for option in query.options]
        if not choices:
            raise ModelError("a choice without options")
        if min(c.start for c in choices) < 1 or any(c.start >= len(c.ids) for c in choices):
            raise ModelError("nothing stands before an option, or an option is empty: it has no likelihood")
        return choices

    @torch.inference_mode()
    def _read(self, ids: Sequence[int]) -> DynamicCache:
        """The cache of what was read."""
        cache = DynamicCache(config=self.model.config)
        if ids:
            rows = torch.tensor([ids], device=self.model.device)
            self.model.get_decoder()(input_ids=rows, past_key_values=cache, use_cache=True)
        return cache

    @torch.inference_mode()
    def _score(self, name: str, choices: list[Choice], known: int, cache: DynamicCache) -> ChoiceScore:
        """The prefix once, then all options over its cache; logits only where an option's token is predicted.

        `known` tokens are in the cache already; at least one that all options share isn't.
        """
        shared = len(_prefix(choices))
        body = self.model.get_decoder()
        device = self.model.device
        rows = torch.tensor([choices[0].ids[known:shared]], device=device)
        first = body(input_ids=rows, past_key_values=cache, use_cache=True)
        last = first.last_hidden_state[:, -1:]
        hidden = last.expand(len(choices), -1, -1)
        rest = [c.ids[shared:-1] for c in choices]
        if width := max(map(len, rest)):
            cache.batch_repeat_interleave(len(choices))
            rows = torch.tensor([r + [0] * (width - len(r)) for r in rest], device=device)
            mask = torch.tensor([[1] * (shared + len(r)) + [0] * (width - len(r)) for r in rest], device=device)
            after = body(input_ids=rows, attention_mask=mask, past_key_values=cache, use_cache=True)
            hidden = torch.cat([hidden, after.last_hidden_state], dim=1)
        # Position p of `hidden` predicts token shared + p.
        picked = torch.cat([hidden[i, c.start - shared : len(c.ids) - shared] for i, c in enumerate(choices)])
        targets = torch.tensor([t for c in choices for t in c.ids[c.start :]], device=device)
        chosen = self._logprobs(picked).gather(1, targets[:, None])[:, 0]
        counts = [len(c.ids) - c.start for c in choices]
        return ChoiceScore(name, tuple(float(x.sum()) for x in torch.split(chosen, counts)), tuple(counts))

    def _logprobs(self, hidden: torch.Tensor) -> torch.Tensor:
        """Of the next token, for each row of hidden states."""
        logits = self.model.get_output_embeddings()(hidden).float()
        if cap := getattr(self.model.config, "final_logit_softcapping", None):
            logits = torch.tanh(logits / cap) * cap
        logprobs: torch.Tensor = logits.log_softmax(dim=-1)
        return logprobs

    def letters(self, queries: Sequence[LetterQuery]) -> Iterator[LetterScore]:
        """What all queries begin with, such as worked examples, is read once; the rest in batches of like length."""
        ready: list[NextLetters] = []
        for found in next_letters(self.renderer, queries):
            try:
                if isinstance(found, LetterScore):
                    yield found
                else:
                    self._fitting(found.prompt)
                    ready.append(found)
            except MedasstError as error:
                yield LetterScore(found.id, (), (), error=str(error))
        # One token of each prompt stays, from which its letter is told.
        before = shared_start([query.prompt[:-1] for query in ready])
        with self._busy:
            cache = self._read(before)
        ready.sort(key=lambda query: len(query.prompt), reverse=True)  # the longest first: what is too large fails early
        while ready:
            size = max(1, LETTER_TOKENS // (len(ready[0].prompt) - len(before)))
            yield from self._letter_batch(ready[:size], len(before), cache)
            ready = ready[size:]

    def _letter_batch(self, part: list[NextLetters], known: int, cache: DynamicCache) -> Iterator[LetterScore]:
        try:
            with self._busy:
                found = self._letters(part, known, cache)
        except RuntimeError as error:  # torch's own kind, memory included
            if len(part) == 1:
                yield LetterScore(part[0].id, (), (), error=str(error))
                return
            for query in part:
                yield from self._letter_batch([query], known, cache)
            return
        for query, logprobs in zip(part, found, strict=True):
            yield LetterScore(query.id, tuple(logprobs), (True,) * len(logprobs))

    @torch.inference_mode()
    def _letters(self, part: list[NextLetters], known: int, cache: DynamicCache) -> list[list[float]]:
        """The log-probabilities of each query's letters; the first `known` tokens are in the cache, which stays as it is."""
        device = self.model.device
        rest = [query.prompt[known:] for query in part]
        width = max(map(len, rest))
        # Padding comes after a prompt's end, where nothing that counts looks at it.
        rows = torch.tensor([ids + [0] * (width - len(ids)) for ids in rest], device=device)
        cache = copy.deepcopy(cache)
        if known:
            cache.batch_repeat_interleave(len(part))
        hidden = self.model.get_decoder()(input_ids=rows, past_key_values=cache, use_cache=True).last_hidden_state
        last = hidden[torch.arange(len(part)), torch.tensor([len(ids) - 1 for ids in rest])]
        logprobs = self._logprobs(last)
        return [row[query.letters].tolist() for row, query in zip(logprobs, part, strict=True)]

    @torch.inference_mode()
    def trace(self, prompt: Sequence[int], most: int, listed: int) -> list[Step]:
        """A greedy answer of at most `most` tokens, its end included, with the log-probabilities of the `listed` likeliest."""
        stops = sorted(self.renderer.stop_ids)
        rows = torch.tensor([self._fitting(list(prompt))], device=self.model.device)
        settings = GenerationConfig(
            max_new_tokens=most,
            do_sample=False,
            eos_token_id=stops,
            pad_token_id=stops[0],
            return_dict_in_generate=True,
            output_logits=True,
        )
        with self._busy:
            out = self.model.generate(input_ids=rows, attention_mask=torch.ones_like(rows), generation_config=settings)
        steps = []
        for token, logits in zip(out.sequences[0, len(prompt) :].tolist(), out.logits, strict=True):
            likeliest = logits[0].float().log_softmax(dim=-1).topk(min(listed, logits.shape[-1]))
            steps.append(Step(token, dict(zip(likeliest.indices.tolist(), likeliest.values.tolist(), strict=True))))
        return steps


def _prefix(choices: Sequence[Choice]) -> list[int]:
    """What all options come after. Tokenised together with an option a prefix may end differently, but never begin so."""
    return shared_start([choice.ids[: choice.start] for choice in choices]) or choices[0].ids[:1]


def shared_start(rows: Sequence[list[int]]) -> list[int]:
    """What all rows begin with; nothing where there are none."""
    if not rows:
        return []
    least, most = min(rows), max(rows)  # in order, only the first and the last row can differ the most
    return next((least[:i] for i, (a, b) in enumerate(zip(least, most, strict=False)) if a != b), least)


class _Streamer:
    """What transformers' generate hands its ids to; the prompt comes first and is dropped."""

    def __init__(self, send: Callable[[Any], object]) -> None:
        self.send, self.cancelled, self._begun = send, False, False

    def put(self, value: torch.Tensor) -> None:
        if self._begun:
            self.send(value.flatten().tolist())
        self._begun = True

    def end(self) -> None:
        pass


class _Cancelled(StoppingCriteria):  # type: ignore[misc]
    def __init__(self, streamer: _Streamer) -> None:
        self.streamer = streamer

    def __call__(self, input_ids: torch.Tensor, _scores: torch.Tensor, **_: Any) -> torch.Tensor:
        return torch.full((len(input_ids),), self.streamer.cancelled, device=input_ids.device)


class _StopText(StoppingCriteria):  # type: ignore[misc]
    def __init__(self, renderer: Renderer, stops: Sequence[str], start: int) -> None:
        self.renderer, self.stops, self.start = renderer, stops, start

    def __call__(self, input_ids: torch.Tensor, _scores: torch.Tensor, **_: Any) -> torch.Tensor:
        texts = [self.renderer.decode(row[self.start :].tolist()) for row in input_ids]
        return torch.tensor([cut_at(text, self.stops)[1] for text in texts], device=input_ids.device)
