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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medasst.conversation import Conversation
from medasst.render import Rendered, Renderer
from medasst.weights import cache_dir
from medasst.weights.cache import building

Tokens = npt.NDArray[np.int32]


@dataclass(frozen=True)
class TokenSet:
    """Rendered conversations one after another.

    Attributes:
        ids: all token ids, (tokens,).
        mask: True at tokens to be learnt, (tokens,).
        offsets: where each conversation begins, and the end of the last, (conversations + 1,).
        dropped: conversations too long for the cutoff, or without an answer.
    """

    ids: Tokens
    mask: npt.NDArray[np.bool_]
    offsets: npt.NDArray[np.int64]
    dropped: int

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
    """
    key = hashlib.sha256(json.dumps([data_key, renderer.sha256, cutoff, 1]).encode()).hexdigest()[:24]
    folder = cache_dir() / "tokens" / key
    with building(folder) as empty:
        if empty is not None:
            _write(empty, conversations, renderer, cutoff)
    arrays: dict[str, Any] = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("ids", "mask", "offsets")}
    return TokenSet(**arrays, dropped=json.loads((folder / "about.json").read_text())["dropped"])


def _write(folder: Path, conversations: Iterable[Conversation], renderer: Renderer, cutoff: int) -> None:
    ids: list[Tokens] = []
    mask: list[npt.NDArray[np.bool_]] = []
    dropped = 0
    for conversation in conversations:
        rendered = renderer.train(conversation, cutoff)
        if rendered is None or not any(rendered.mask):
            dropped += 1
            continue
        ids.append(np.array(rendered.ids, np.int32))
        mask.append(np.array(rendered.mask, np.bool_))
    np.save(folder / "ids.npy", np.concatenate(ids) if ids else np.zeros(0, np.int32))
    np.save(folder / "mask.npy", np.concatenate(mask) if mask else np.zeros(0, np.bool_))
    np.save(folder / "offsets.npy", np.cumsum([0, *map(len, ids)], dtype=np.int64))
    (folder / "about.json").write_text(json.dumps({"dropped": dropped, "cutoff": cutoff}))


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
