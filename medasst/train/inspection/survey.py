"""One pass over a split: lengths, what is dropped, what is odd, and which conversations are worth looking at."""

from __future__ import annotations

import hashlib
import heapq
import warnings
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, pairwise

import numpy as np
import numpy.typing as npt

from medasst.conversation import Conversation
from medasst.data import iterate_split, load_manifest
from medasst.errors import DataError, ModelError, Refused
from medasst.progress import Progress, silent
from medasst.render import Rendered, Renderer
from medasst.train.batches import schedule
from medasst.train.config import TrainConfig
from medasst.train.inspection.remarks import CUT_OFF, ODD, OF_SETS, Remark, of_template
from medasst.train.inspection.result import Inspection, Lengths, Shown, Source, Split
from medasst.train.inspection.sequences import Reader
from medasst.train.tokens import Dropped, check_template
from medasst.weights import tokenizer_folder

_UNCUT = 1 << 40  # a cutoff that nothing reaches
_FIRST = 5  # ids that are named of each kind, reasons that have an example
_ORDER = ("drawn", "the longest", "the shortest")  # examples that come first
_DROPPED = "dropped: "
_TOGETHER = 500  # conversations that are rendered at one time
_OVER, _FRAGMENTS = 0.05, 0.1  # shares from which something is told
_PERCENTILES = (50, 90, 95, 99)


@dataclass
class _Finding:
    """Conversations about which one thing is to be told."""

    count: int = 0
    ids: list[str] = field(default_factory=list)

    def add(self, name: str) -> None:
        self.count += 1
        if len(self.ids) < _FIRST:
            self.ids.append(name)


@dataclass
class _SourceTally:
    lengths: array[int] = field(default_factory=lambda: array("q"))
    conversations: int = 0
    over: int = 0
    dropped: int = 0


class _Chosen:
    """Examples, at most `most` of each kind: those with the highest rank; among equals the order of the set decides."""

    def __init__(self) -> None:
        self._kinds: dict[str, list[tuple[int, int, Conversation]]] = {}
        self._order = 0

    def offer(self, why: str, conversation: Conversation, rank: int, most: int = 1) -> None:
        self._order -= 1
        heap = self._kinds.setdefault(why, [])
        if len(heap) < most:
            heapq.heappush(heap, (rank, self._order, conversation))
        elif most:
            heapq.heappushpop(heap, (rank, self._order, conversation))

    def of(self, why: str) -> list[Conversation]:
        return [conversation for *_, conversation in sorted(self._kinds.get(why, []), key=lambda kept: kept[:2], reverse=True)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._kinds)


def inspect(
    config: TrainConfig,
    split: Split = "train",
    *,
    limit: int | None = None,
    samples: int = 4,
    texts: bool = True,
    progress: Progress = silent,
) -> Inspection:
    """Look at a split as training would; neither weights nor torch are needed.

    Args:
        limit: look at the first conversations alone; sets are sorted by a hash, so these are drawn by chance.
        samples: how many conversations are drawn by the seed, beside those that are special in some way.
        texts: whether texts and their token ids may be in the result; a set prepared with `texts = false` has none in any case.

    Raises:
        InputError: no prepared set, no such base, or an empty split.
    """
    manifest = load_manifest(config.data)
    texts = texts and manifest.get("settings", {}).get("texts", True)
    total = manifest.get("splits", {}).get(split, {}).get("records")
    renderer, warned = _open(config, progress)
    survey = _Survey(config, renderer, samples)
    every = iterate_split(config.data, split)
    looked = islice(every, limit)
    while some := list(islice(looked, _TOGETHER)):
        survey.look(some)
        progress("looking", survey.seen, total if limit is None else limit)
    if not survey.seen:
        raise DataError(f"no conversation in {split}; prepare a larger set", config.data)
    complete = limit is None or next(every, None) is None
    shown = tuple(survey.examples()) if texts else ()
    sequences = np.asarray(survey.sequences, np.int64)
    steps, padding = _schedule(config, sequences)
    return Inspection(
        base=config.base,
        template=renderer.kind,
        data=config.data,
        split=split,
        cutoff=config.cutoff,
        seen=survey.seen,
        complete=complete,
        sequences=len(sequences),
        tokens=int(sequences.sum()),
        learnt=survey.learnt,
        padding=padding,
        steps=steps,
        lengths=survey.lengths(),
        sources=tuple(survey.by_source()),
        dropped=tuple(sorted(survey.dropped.values(), key=lambda reason: -reason.count)),
        remarks=(*of_template(renderer, warned), *survey.remarks()),
        shown=shown,
        texts=texts,
    )


def find_shown(config: TrainConfig, ids: Sequence[str], progress: Progress = silent) -> list[Shown]:
    """Single conversations of any split, by their ids or beginnings of them.

    Raises:
        DataError: one isn't there.
    """
    renderer, _ = _open(config, progress)
    reader = Reader(renderer)
    found: list[Shown] = []
    left = set(ids)
    for split in ("train", "validation", "test"):
        for conversation in iterate_split(config.data, split):
            if not left:
                return found
            if name := next((name for name in left if conversation.id.startswith(name)), None):
                left.discard(name)
                found.append(_shown(conversation, f"in {split}", renderer, reader, config.cutoff))
    if left:
        remedy = "what prepare dropped stands in rejected-*.parquet beside the set"
        raise DataError(f"no conversation with the id {', '.join(sorted(left))} in any split; {remedy}", config.data)
    return found


class _Survey:
    """What one pass finds; conversations come one by one, and only examples are kept."""

    def __init__(self, config: TrainConfig, renderer: Renderer, samples: int) -> None:
        self.config, self.renderer, self.samples = config, renderer, samples
        self.reader = Reader(renderer)
        self.seen = self.learnt = self.over = self.shortened = 0
        self.sequences: array[int] = array("q")  # tokens of each
        self.dropped: dict[str, Dropped] = {}
        self._whole: array[int] = array("q")
        self._sources: dict[str, _SourceTally] = {}
        self._found: dict[str, _Finding] = {}
        self._fragments = self._tokens = 0
        self._chosen = _Chosen()
        self._bos = renderer.tokenizer.token_to_id(renderer.special.get("bos_token", ""))

    def look(self, conversations: Sequence[Conversation]) -> None:
        """Count some, and keep those that are worth showing."""
        for conversation, whole in zip(conversations, self.renderer.train_batch(conversations, _UNCUT), strict=True):
            self._look_at_texts(conversation)
            self._look_at(conversation, whole)

    def _look_at(self, conversation: Conversation, whole: list[Rendered] | Refused) -> None:
        self.seen += 1
        tally = self._sources.setdefault(conversation.source, _SourceTally())
        tally.conversations += 1
        used, over = whole, False
        if not isinstance(whole, Refused):
            length = max(len(sequence.ids) for sequence in whole)
            self._whole.append(length)
            tally.lengths.append(length)
            if over := length > self.config.cutoff:
                self.over += 1
                tally.over += 1
                (used,) = self.renderer.train_batch([conversation], self.config.cutoff)
        if isinstance(used, Refused):
            tally.dropped += 1
            self._drop(conversation, used)
            return
        if over:
            self.shortened += 1
            self._chosen.offer("shortened", conversation, 0)
        self._look_at_sequences(conversation, used)
        length = max(len(sequence.ids) for sequence in used)
        self._chosen.offer("the longest", conversation, length)
        self._chosen.offer("the shortest", conversation, -length)
        drawn = int(hashlib.sha256(f"{self.config.seed}/{conversation.id}".encode()).hexdigest()[:15], 16)
        self._chosen.offer("drawn", conversation, drawn, self.samples)

    def examples(self) -> Iterator[Shown]:
        """What was kept, the drawn first and the dropped last; each conversation once."""
        by_count = sorted(self.dropped.values(), key=lambda reason: -reason.count)
        dropped = [f"{_DROPPED}{reason.reason}" for reason in by_count]
        others = sorted(why for why in self._chosen if why not in _ORDER and not why.startswith(_DROPPED))
        told: set[str] = set()
        for why in [*_ORDER, *others, *dropped[:_FIRST]]:
            for conversation in self._chosen.of(why):
                if conversation.id not in told:
                    told.add(conversation.id)
                    said = "dropped" if why.startswith(_DROPPED) else why
                    yield _shown(conversation, said, self.renderer, self.reader, self.config.cutoff)

    def lengths(self) -> Lengths:
        """Of whole conversations, against the cutoff."""
        whole = np.asarray(self._whole, np.int64)
        if not len(whole):
            return Lengths((), (), 0, 0, 0)
        at = [int(np.percentile(whole, percent, method="higher")) for percent in _PERCENTILES]
        percentiles = (*zip(_PERCENTILES, at, strict=True), (100, int(whole.max())))
        return Lengths(percentiles, tuple(_bars(whole, self.config.cutoff)), self.over, self.shortened, len(whole))

    def by_source(self) -> Iterator[Source]:
        """The largest first."""
        for name, tally in sorted(self._sources.items(), key=lambda item: (-item[1].conversations, item[0])):
            median = int(np.median(np.asarray(tally.lengths, np.int64))) if tally.lengths else 0
            yield Source(name, tally.conversations, median, tally.over, tally.dropped)

    def remarks(self) -> Iterator[Remark]:
        """What is odd about the set."""
        lost = sum(reason.count for reason in self.dropped.values())
        try:
            check_template(self.dropped.values(), self.seen)
        except ModelError as error:
            yield Remark("warning", f"training won't start: {error}")
        if lost == self.seen:
            yield Remark("warning", "training won't start: nothing is left to learn from")
        elif lost > _OVER * self.seen:
            yield Remark("warning", f"{lost:,} of {self.seen:,} conversations are dropped ({lost / self.seen:.1%})")
        if self.shortened > _OVER * self.seen:
            yield Remark(
                "note", f"{self.shortened:,} of {self.seen:,} conversations lose their oldest turns; a higher cutoff keeps them"
            )
        for what, (level, said) in OF_SETS.items():
            if what in self._found:
                found = self._found[what]
                yield Remark(level, said.format(counted=_counted(found.count)), tuple(found.ids))
        if self._tokens and self._fragments > _FRAGMENTS * self._tokens:
            share = self._fragments / self._tokens
            yield Remark(
                "warning",
                f"byte fallback: {share:.0%} of the tokens are parts of characters, for which this vocabulary has no token of "
                "their own; texts grow longer and are learnt more slowly than with a vocabulary made for Chinese",
            )

    def _look_at_texts(self, conversation: Conversation) -> None:
        for what, odd in ODD.items():
            if any(odd.search(message.content) for message in conversation.messages):
                self._tell(what, conversation)
                self._chosen.offer(what, conversation, 0)
        if any(self.renderer.control.first(message.content) for message in conversation.messages):
            self._tell("control tokens as text", conversation)
            self._chosen.offer("control tokens as text", conversation, 0)
        for message in conversation.messages:
            if message.role == "system" and not message.content.strip():
                self._tell("empty system text", conversation)
            elif message.role == "system" and self.renderer.form is not None and not self.renderer.form.takes_system:
                self._tell("system text without a turn", conversation)
        if any(m.role == "assistant" and CUT_OFF.search(m.content) for m in conversation.messages):
            self._tell("answers cut off", conversation)

    def _look_at_sequences(self, conversation: Conversation, sequences: Sequence[Rendered]) -> None:
        if len(sequences) > 1:
            self._tell("several sequences", conversation)
            self._chosen.offer("several sequences", conversation, 0)
        if self._bos is not None and any(sequence.ids[:2] == [self._bos, self._bos] for sequence in sequences):
            self._tell("doubled BOS", conversation)
        if any(end not in self.renderer.stop_ids for sequence in sequences for end in _ends(sequence)):
            self._tell("answers that never end", conversation)
        for sequence in sequences:
            self.sequences.append(len(sequence.ids))
            self.learnt += sum(sequence.mask)
            self._tokens += len(sequence.ids)
            self._fragments += int(self.reader.fragments[sequence.ids].sum())

    def _tell(self, what: str, conversation: Conversation) -> None:
        self._found.setdefault(what, _Finding()).add(conversation.id)

    def _drop(self, conversation: Conversation, refusal: Refused) -> None:
        reason = str(refusal)
        before = self.dropped.get(reason, Dropped(reason, refusal.by_template, 0, ()))
        self.dropped[reason] = replace(before, count=before.count + 1, ids=(*before.ids, conversation.id)[:_FIRST])
        self._chosen.offer(f"{_DROPPED}{reason}", conversation, 0)


def _open(config: TrainConfig, progress: Progress) -> tuple[Renderer, list[str]]:
    """The renderer, and what reading it warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        renderer = Renderer.from_folder(tokenizer_folder(config.base, progress), config.template)
    return renderer, [str(warning.message) for warning in caught]


def _shown(conversation: Conversation, why: str, renderer: Renderer, reader: Reader, cutoff: int) -> Shown:
    whole, sequences, dropped = 0, [], ""
    try:
        whole = max(len(sequence.ids) for sequence in renderer.train(conversation, _UNCUT))
        sequences = [tuple(reader.pieces(sequence)) for sequence in renderer.train(conversation, cutoff)]
    except Refused as refusal:
        dropped = str(refusal)
    return Shown(
        conversation.id,
        conversation.source,
        why,
        whole,
        tuple(sequences),
        dropped,
        not dropped and whole > cutoff,
        conversation.messages,
    )


def _counted(conversations: int) -> str:
    return f"{conversations:,} conversation{'s' if conversations != 1 else ''}"


def _ends(sequence: Rendered) -> Iterator[int]:
    """The last token of each stretch that is learnt."""
    for (token, learnt), (_, goes_on) in pairwise([*zip(sequence.ids, sequence.mask, strict=True), (0, False)]):
        if learnt and not goes_on:
            yield token


def _bars(whole: npt.NDArray[np.int64], cutoff: int) -> Iterator[tuple[int, int, int]]:
    """About sixteen bars up to what all but the longest hundredth reach, and one for the rest; one begins past the cutoff."""
    far = max(int(np.percentile(whole, 99)), min(cutoff, int(whole.max())))
    width = max(1, next(size for size in _ROUND if far / size <= 16))
    borders = sorted({*range(0, far + width, width), cutoff + 1, int(whole.max()) + 1})
    borders = [border for border in borders if border <= whole.max() + 1]
    counts, _ = np.histogram(whole, [*borders[:-1], borders[-1] - 0.5])
    for (low, high), count in zip(pairwise(borders), counts, strict=True):
        yield low, high, int(count)


_ROUND = [part * 10**power for power in range(8) for part in (1, 2, 5)]


def _schedule(config: TrainConfig, lengths: npt.NDArray[np.int64]) -> tuple[int, float]:
    """Optimizer steps, and the share of padding in them."""
    if not len(lengths):
        return 0, 0.0
    steps = schedule(
        lengths,
        batch_tokens=config.batch_tokens,
        micro_tokens=config.micro_tokens or config.batch_tokens,
        epochs=config.epochs,
        max_tokens=config.max_tokens,
        seed=config.seed,
    )
    batches = steps.batches[: steps.steps[-1] + 1]  # those of the last pass may go beyond the last step
    longest = [int(lengths[steps.places[start:end]].max()) for start, end in pairwise(batches)]
    padded = int((np.array(longest) * np.diff(batches)).sum())
    return len(steps), 1 - steps.tokens / (padded or 1)
