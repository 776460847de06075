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
from medasst.errors import ModelError
from medasst.render import Rendered, Renderer
from medasst.weights import cache_dir

Tokens = npt.NDArray[np.int32]
_IDS, _REASONS = 5, 5  # how many are told: ids of each reason, reasons
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
    """Rendered conversations one after another.

    Attributes:
        ids: all token ids, (tokens,).
        mask: True at tokens to be learnt, (tokens,).
        offsets: where each conversation begins, and the end of the last, (conversations + 1,).
        dropped: conversations too long for the cutoff, without an answer, or refused by the chat template.
    """

    ids: Tokens
    mask: npt.NDArray[np.bool_]
    offsets: npt.NDArray[np.int64]
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


def tokenise(conversations: Iterable[Conversation], renderer: Renderer, cutoff: int, data_key: str) -> TokenSet:
    """Render a split, or open what an earlier run rendered: `$MEDASST_CACHE/tokens/<hash>`.

    Args:
        data_key: says which data this is; with tokenizer, template and cutoff it names the cache entry.

    Raises:
        ModelError: the chat template refuses most of the first 1,000 conversations.
    """
    key = hashlib.sha256(json.dumps([data_key, renderer.sha256, cutoff, 3]).encode()).hexdigest()[:24]
    folder = cache_dir() / "tokens" / key
    with building(folder) as empty:
        if empty is not None:
            _write(empty, conversations, renderer, cutoff)
    arrays: dict[str, Any] = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("ids", "mask", "offsets")}
    about = json.loads((folder / "about.json").read_text("utf-8"))
    return TokenSet(**arrays, dropped=as_dropped(about["dropped"]))


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
    dropped: dict[str, Dropped] = {}
    for seen, conversation in enumerate(conversations, 1):
        try:
            rendered = renderer.train(conversation, cutoff)
        except ModelError as error:
            _drop(dropped, conversation, str(error), by_template=True)
        else:
            if rendered is None:
                _drop(dropped, conversation, f"no answer, or the last exchange is longer than cutoff = {cutoff} tokens")
            elif not any(rendered.mask):
                _drop(dropped, conversation, "no answer that is to be learnt")
            else:
                ids.append(np.array(rendered.ids, np.int32))
                mask.append(np.array(rendered.mask, np.bool_))
        if seen == _EARLY:
            check_template(dropped.values(), seen)
    np.save(folder / "ids.npy", np.concatenate(ids) if ids else np.zeros(0, np.int32))
    np.save(folder / "mask.npy", np.concatenate(mask) if mask else np.zeros(0, np.bool_))
    np.save(folder / "offsets.npy", np.cumsum([0, *map(len, ids)], dtype=np.int64))
    write_json(folder / "about.json", {"dropped": [asdict(d) for d in dropped.values()], "cutoff": cutoff})


def _drop(dropped: dict[str, Dropped], conversation: Conversation, reason: str, *, by_template: bool = False) -> None:
    before = dropped.get(reason, Dropped(reason, by_template, 0, ()))
    dropped[reason] = replace(before, count=before.count + 1, ids=(*before.ids, conversation.id)[:_IDS])


def schedule(
    lengths: npt.NDArray[np.int64], batch_tokens: int, epochs: float, max_tokens: int | None, seed: int
) -> list[list[int]]:
    """Every batch of a run, in order, each a list of conversation numbers.

    An epoch is shuffled, cut into windows, sorted by length inside each window and cut into batches of at most
    `batch_tokens` including padding (one conversation at least); the batches are shuffled again. The run ends after
    `epochs` passes, or with the batch that reaches `max_tokens` tokens.
    """
    batches: list[list[int]] = []
    left = epochs
    tokens = 0
    for epoch in itertools.count():
        order = list(range(len(lengths)))
        rng = random.Random(f"{seed}/{epoch}")
        rng.shuffle(order)
        order = order[: round(len(order) * min(left, 1.0))]
        epoch_batches = list(bucketed(order, lengths, batch_tokens))
        rng.shuffle(epoch_batches)
        for batch in epoch_batches:
            batches.append(batch)
            tokens += int(lengths[batch].sum())
            if max_tokens is not None and tokens >= max_tokens:
                return batches
        left -= 1.0
        if left <= 1e-9 or not order:
            return batches
    raise AssertionError("an endless count ended")


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
