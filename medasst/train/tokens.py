"""Tokens at rest: a split is rendered once and memory-mapped ever after, so that a set of any size opens at once.

Rendering is streamed: arrays grow in files, and `about.json` says how far they are right. A killed run goes on from there.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from medasst.cache import building, cache_dir
from medasst.conversation import Conversation
from medasst.disk import write_durably
from medasst.errors import DataError, ModelError, Refused
from medasst.progress import Progress, silent
from medasst.render import Rendered, Renderer

_IDS, _REASONS = 5, 5  # how many are told: ids of each reason, reasons
_ARRAYS: dict[str, npt.DTypeLike] = {"ids": "<i4", "mask": "?", "offsets": "<i8", "names": "S16", "source": "<i4"}
_BATCH = 1000  # conversations rendered at a time; a template that refuses most of the first batch is given up
_KEPT = 10  # batches after which files are synced to disk
_VERSION = 5  # of these files

# Yields a split's conversations, from its conversation number so-and-so on.
Source = Callable[[int], Iterator[Conversation]]


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

    ids: npt.NDArray[np.int32]
    mask: npt.NDArray[np.bool_]
    offsets: npt.NDArray[np.int64]
    names: npt.NDArray[np.bytes_]
    source: npt.NDArray[np.int32]
    sources: tuple[str, ...]
    dropped: tuple[Dropped, ...]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @cached_property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each conversation."""
        return np.diff(self.offsets)

    def __getitem__(self, place: int) -> Rendered:
        part = slice(int(self.offsets[place]), int(self.offsets[place + 1]))
        return Rendered(self.ids[part].tolist(), self.mask[part].tolist())

    def name(self, place: int) -> str:
        """The id of a conversation."""
        return bytes(self.names[place]).decode("ascii")


def tokenise(
    source: Source,
    renderer: Renderer,
    cutoff: int,
    data_key: str,
    *,
    total: int | None = None,
    progress: Progress = silent,
) -> TokenSet:
    """Render a split, or open what an earlier run rendered: `$MEDASST_CACHE/tokens/<hash>`.

    Args:
        data_key: says which data this is; with tokenizer, template and cutoff it names the cache entry.
        total: how many conversations there are, where that is known.

    Raises:
        ModelError: the chat template refuses most of the first 1,000 conversations.
        DataError: a conversation's id isn't one of ours.
    """
    key = hashlib.sha256(json.dumps([data_key, renderer.sha256, cutoff, _VERSION]).encode()).hexdigest()[:24]
    folder = cache_dir() / "tokens" / key
    with building(folder, resumable=True) as unfinished:
        if unfinished is not None:
            _render(unfinished, source, renderer, cutoff, lambda done: progress("tokenising", done, total))
    about = _About.read(folder)
    return TokenSet(
        **{name: _mapped(folder, name) for name in _ARRAYS},
        sources=tuple(about.sources),
        dropped=tuple(about.dropped.values()),
    )


def as_dropped(rows: Iterable[dict[str, Any]]) -> tuple[Dropped, ...]:
    """What was dropped, from its JSON."""
    return tuple(Dropped(**{**row, "ids": tuple(row["ids"])}) for row in rows)


def check_template(dropped: Iterable[Dropped], seen: int) -> None:
    """Raises ModelError where the chat template refuses more than half of the `seen` conversations."""
    refused = [d for d in dropped if d.by_template]
    if 2 * (count := sum(d.count for d in refused)) > seen:
        reasons = "\n".join(map(str, sorted(refused, key=lambda d: -d.count)[:_REASONS]))
        raise ModelError(f"{count:,} of {seen:,} conversations can't be put into this base's chat template:\n{reasons}")


@dataclass
class _About:
    """How far the arrays of a folder are right, and what they don't hold.

    Attributes:
        seen: conversations that were rendered or dropped.
        tokens: in all sequences.
        sources: place of each source's name.
        dropped: by reason.
    """

    seen: int = 0
    sequences: int = 0
    tokens: int = 0
    sources: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, Dropped] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> _About:
        """Of a folder; nothing is right in one that doesn't say so, or whose arrays are shorter than it says."""
        file = folder / "about.json"
        if not file.is_file():
            return cls()
        row = json.loads(file.read_text("utf-8"))
        dropped = {one.reason: one for one in as_dropped(row.pop("dropped"))}
        about = cls(**row, dropped=dropped)
        whole = all((folder / f"{name}.bin").stat().st_size >= size for name, size in about.sizes().items())
        return about if whole else cls()

    def sizes(self) -> dict[str, int]:
        """Bytes of each array."""
        counts = dict.fromkeys(("ids", "mask"), self.tokens) | dict.fromkeys(("names", "source"), self.sequences)
        counts["offsets"] = self.sequences + 1
        return {name: counts[name] * np.dtype(kind).itemsize for name, kind in _ARRAYS.items()}

    def drop(self, conversation: Conversation, refusal: Refused) -> None:
        """Count a conversation that can't be rendered."""
        reason = str(refusal)
        before = self.dropped.get(reason, Dropped(reason, refusal.by_template, 0, ()))
        self.dropped[reason] = replace(before, count=before.count + 1, ids=(*before.ids, conversation.id)[:_IDS])


def _render(folder: Path, source: Source, renderer: Renderer, cutoff: int, progress: Callable[[int], None]) -> None:
    """Go on with the arrays of a folder until the source has no more."""
    about = _About.read(folder)
    with ExitStack() as stack:
        files = {name: stack.enter_context((folder / f"{name}.bin").open("ab")) for name in _ARRAYS}
        for name, size in about.sizes().items():
            files[name].truncate(size)  # what came after is of no known state; the first offset, a 0, comes to be
        conversations = source(about.seen)
        batches = 0
        while batch := list(islice(conversations, _BATCH)):
            _append(files, about, batch, renderer.train_batch(batch, cutoff))
            if about.seen == _BATCH:  # a smaller set decides nothing here
                check_template(about.dropped.values(), about.seen)
            batches += 1
            if batches % _KEPT == 0:
                _keep(folder, files, about)
            progress(about.seen)
        _keep(folder, files, about)


def _append(
    files: Mapping[str, BinaryIO], about: _About, batch: Sequence[Conversation], found: Sequence[list[Rendered] | Refused]
) -> None:
    ids: list[npt.NDArray[Any]] = []
    mask: list[npt.NDArray[Any]] = []
    names: list[bytes] = []
    sources: list[int] = []
    for conversation, rendered in zip(batch, found, strict=True):
        if isinstance(rendered, Refused):
            about.drop(conversation, rendered)
            continue
        for sequence in rendered:
            ids.append(np.array(sequence.ids, _ARRAYS["ids"]))
            mask.append(np.array(sequence.mask, _ARRAYS["mask"]))
            names.append(_as_name(conversation.id))
            sources.append(about.sources.setdefault(conversation.source, len(about.sources)))
    ends = about.tokens + np.cumsum([len(one) for one in ids], dtype=_ARRAYS["offsets"])
    for name, values in (("ids", ids), ("mask", mask)):
        files[name].writelines(one.tobytes() for one in values)
    for name, rows in (("offsets", ends), ("names", names), ("source", sources)):
        files[name].write(np.array(rows, _ARRAYS[name]).tobytes())
    about.seen += len(batch)
    about.sequences += len(ids)
    about.tokens = int(ends[-1]) if len(ends) else about.tokens


def _keep(folder: Path, files: Mapping[str, BinaryIO], about: _About) -> None:
    """Bring the arrays to rest on the disk, and then the word of how far they are right."""
    for file in files.values():
        file.flush()
        os.fsync(file.fileno())
    row = asdict(about) | {"dropped": [asdict(one) for one in about.dropped.values()]}
    write_durably(folder / "about.json", json.dumps(row, ensure_ascii=False, indent=2).encode())


def _as_name(id_: str) -> bytes:
    if not id_.isascii() or len(id_) > np.dtype(_ARRAYS["names"]).itemsize:
        raise DataError(f"the id {id_!r} isn't one of ours (16 hexadecimal digits); prepare the set again")
    return id_.encode()


def _mapped(folder: Path, name: str) -> npt.NDArray[Any]:
    path = folder / f"{name}.bin"
    if not path.stat().st_size:  # nothing can't be mapped
        return np.zeros(0, _ARRAYS[name])
    return np.memmap(path, _ARRAYS[name], "r")
