"""Tokens at rest and the order in which they are learnt.

Tokens are memory-mapped, so a set of any size opens at once. Batches hold conversations of about the same length (almost
no padding), and which ones they hold follows from the seed alone: a resumed run sees what the first would have seen.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medasst.cache import building
from medasst.conversation import Conversation
from medasst.disk import write_json
from medasst.errors import ModelError, Refused
from medasst.render import Rendered, Renderer
from medasst.weights import cache_dir

Tokens = npt.NDArray[np.int32]
_IDS, _REASONS = 5, 5  # how many are told: ids of each reason, reasons
_ARRAYS = ("ids", "mask", "offsets", "names", "source")
_EARLY = 1000  # conversations after which a template that refuses most of them is given up


@dataclass(frozen=True)
class Dropped:
    """Conversations that can't be trained on for one reason: how many, and the ids of the first."""

    reason: str
    by_template: bool
    count: int
    ids: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.count:,} dropped: {self.reason} (first ids: {', '.join(self.ids)})"


@dataclass(frozen=True)
class TokenSet:
    """Rendered conversations one after another; one that a template can't render in one sequence is several.

    Attributes:
        ids: all token ids, (tokens,).
        mask: True at tokens to be learnt, (tokens,).
        offsets: where each conversation begins, and the end of the last, (conversations + 1,).
        names: the id of each conversation in ASCII, (conversations,).
        source: place in `sources` of where each conversation comes from, (conversations,).
        sources: names of the data sources.
        dropped: conversations too long for the cutoff, without an answer, or refused by the chat template.
    """

    ids: Tokens
    mask: npt.NDArray[np.bool_]
    offsets: npt.NDArray[np.int64]
    names: npt.NDArray[np.bytes_]
    source: npt.NDArray[np.int32]
    sources: tuple[str, ...]
    dropped: tuple[Dropped, ...]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each conversation."""
        return np.diff(self.offsets)

    def __getitem__(self, place: int) -> Rendered:
        part = slice(int(self.offsets[place]), int(self.offsets[place + 1]))
        return Rendered(self.ids[part].tolist(), self.mask[part].tolist())

    def name(self, place: int) -> str:
        """The id of a conversation."""
        return bytes(self.names[place]).decode("ascii")


def tokenise(conversations: Iterable[Conversation], renderer: Renderer, cutoff: int, data_key: str) -> TokenSet:
    """Render a split, or open what an earlier run rendered: `$MEDASST_CACHE/tokens/<hash>`.

    Args:
        data_key: says which data this is; with tokenizer, template and cutoff it names the cache entry.

    Raises:
        ModelError: the chat template refuses most of the first 1,000 conversations.
    """
    key = hashlib.sha256(json.dumps([data_key, renderer.sha256, cutoff, 4]).encode()).hexdigest()[:24]
    folder = cache_dir() / "tokens" / key
    with building(folder) as empty:
        if empty is not None:
            _write(empty, conversations, renderer, cutoff)
    arrays: dict[str, Any] = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in _ARRAYS}
    about = json.loads((folder / "about.json").read_text("utf-8"))
    return TokenSet(**arrays, sources=tuple(about["sources"]), dropped=as_dropped(about["dropped"]))


def as_dropped(rows: Iterable[dict[str, Any]]) -> tuple[Dropped, ...]:
    """What was dropped, from its JSON."""
    return tuple(Dropped(**{**row, "ids": tuple(row["ids"])}) for row in rows)


def check_template(dropped: Iterable[Dropped], seen: int) -> None:
    """Raises ModelError where the chat template refuses more than half of the `seen` conversations."""
    refused = [d for d in dropped if d.by_template]
    if 2 * (count := sum(d.count for d in refused)) > seen:
        reasons = "\n".join(map(str, sorted(refused, key=lambda d: -d.count)[:_REASONS]))
        raise ModelError(f"{count:,} of {seen:,} conversations can't be put into this base's chat template:\n{reasons}")


def _write(folder: Path, conversations: Iterable[Conversation], renderer: Renderer, cutoff: int) -> None:
    ids: list[Tokens] = []
    mask: list[npt.NDArray[np.bool_]] = []
    names: list[str] = []
    source: list[int] = []
    sources: dict[str, int] = {}
    dropped: dict[str, Dropped] = {}
    for seen, conversation in enumerate(conversations, 1):
        try:
            rendered = renderer.train(conversation, cutoff)
        except Refused as refusal:
            _drop(dropped, conversation, refusal)
        else:
            for sequence in rendered:
                ids.append(np.array(sequence.ids, np.int32))
                mask.append(np.array(sequence.mask, np.bool_))
                names.append(conversation.id)
                source.append(sources.setdefault(conversation.source, len(sources)))
        if seen == _EARLY:
            check_template(dropped.values(), seen)
    np.save(folder / "ids.npy", np.concatenate(ids) if ids else np.zeros(0, np.int32))
    np.save(folder / "mask.npy", np.concatenate(mask) if mask else np.zeros(0, np.bool_))
    np.save(folder / "offsets.npy", np.cumsum([0, *map(len, ids)], dtype=np.int64))
    np.save(folder / "names.npy", np.array(names, np.bytes_))
    np.save(folder / "source.npy", np.array(source, np.int32))
    about = {"dropped": [asdict(d) for d in dropped.values()], "cutoff": cutoff, "sources": list(sources)}
    write_json(folder / "about.json", about)


def _drop(dropped: dict[str, Dropped], conversation: Conversation, refusal: Refused) -> None:
    reason = str(refusal)
    before = dropped.get(reason, Dropped(reason, refusal.by_template, 0, ()))
    dropped[reason] = replace(before, count=before.count + 1, ids=(*before.ids, conversation.id)[:_IDS])


Step = list[list[int]]  # the micro-batches of one optimizer step, each a list of conversation numbers


def schedule(
    lengths: npt.NDArray[np.int64],
    *,
    batch_tokens: int,
    micro_tokens: int,
    epochs: float,
    max_tokens: int | None,
    seed: int,
) -> list[Step]:
    """Every optimizer step of a run, in order.

    An epoch is shuffled, cut into windows, sorted by length inside each window and cut into micro-batches of at most
    `micro_tokens` including padding (one conversation at least); these are shuffled again, so that a step sees all lengths,
    and as many as fill `batch_tokens` make a step. The run ends after `epochs` passes, or with the step that reaches
    `max_tokens` tokens.
    """
    steps: list[Step] = []
    left = epochs
    tokens = 0
    for epoch in itertools.count():
        order = list(range(len(lengths)))
        rng = random.Random(f"{seed}/{epoch}")
        rng.shuffle(order)
        order = order[: round(len(order) * min(left, 1.0))]
        micro_batches = list(bucketed(order, lengths, min(micro_tokens, batch_tokens)))
        rng.shuffle(micro_batches)
        for step in _steps(micro_batches, lengths, batch_tokens):
            steps.append(step)
            tokens += sum(int(lengths[batch].sum()) for batch in step)
            if max_tokens is not None and tokens >= max_tokens:
                return steps
        left -= 1.0
        if left <= 1e-9 or not order:
            return steps
    raise AssertionError("an endless count ended")


def _steps(micro_batches: list[list[int]], lengths: npt.NDArray[np.int64], batch_tokens: int) -> Iterator[Step]:
    step: Step = []
    filled = 0
    for batch in micro_batches:
        size = int(lengths[batch].max()) * len(batch)
        if step and filled + size > batch_tokens:
            yield step
            step, filled = [], 0
        step.append(batch)
        filled += size
    if step:
        yield step


def bucketed(
    order: Sequence[int], lengths: npt.NDArray[np.int64], batch_tokens: int, window: int = 2048
) -> Iterator[list[int]]:
    """Batches of near lengths, made within windows of `order`; none fills more than `batch_tokens`, padding counted,
    but for a conversation that is longer alone."""
    for start in range(0, len(order), window):
        batch: list[int] = []
        for place in sorted(order[start : start + window], key=lambda i: (lengths[i], i)):
            if batch and lengths[place] * (len(batch) + 1) > batch_tokens:
                yield batch
                batch = []
            batch.append(place)
        if batch:
            yield batch
