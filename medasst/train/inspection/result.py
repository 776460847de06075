"""What an inspection found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from medasst.conversation import Message
from medasst.train.inspection.remarks import Remark
from medasst.train.inspection.sequences import Piece
from medasst.train.tokens import Dropped

Split = Literal["train", "validation"]


@dataclass(frozen=True)
class Shown:
    """One conversation, as it is learnt.

    Attributes:
        why: what it is an example of.
        whole: tokens of its longest sequence before anything is left out; 0 where it can't be rendered.
        sequences: each in pieces; none where it is dropped.
        dropped: why it isn't learnt, or "".
        shortened: whether its oldest turns were left out to fit the cutoff.
        messages: as recorded.
    """

    id: str
    source: str
    why: str
    whole: int
    sequences: tuple[tuple[Piece, ...], ...]
    dropped: str
    shortened: bool
    messages: tuple[Message, ...]

    @property
    def learnt(self) -> int:
        """Tokens that are learnt."""
        return sum(len(piece.ids) for sequence in self.sequences for piece in sequence if piece.learnt)

    @property
    def tokens(self) -> int:
        """Tokens in all its sequences."""
        return sum(len(piece.ids) for sequence in self.sequences for piece in sequence)


class Lengths(NamedTuple):
    """Tokens of whole conversations, against the cutoff.

    Attributes:
        percentiles: (percent, tokens), 100 among them.
        bars: (from, up to but without, conversations); one border is the first length over the cutoff.
        over: conversations longer than the cutoff.
        shortened: of these, how many lose their oldest turns; the others are dropped.
        seen: conversations that could be rendered.
    """

    percentiles: tuple[tuple[int, int], ...]
    bars: tuple[tuple[int, int, int], ...]
    over: int
    shortened: int
    seen: int


class Source(NamedTuple):
    """What one data source brings."""

    name: str
    conversations: int
    median: int
    over: int
    dropped: int


@dataclass(frozen=True)
class Inspection:
    """A split as a run of these settings would learn it. It holds texts only where `texts` allows them.

    Attributes:
        template: "chat" or "plain".
        seen: conversations looked at.
        complete: whether these are all of the split.
        sequences: what is learnt from; a conversation may be several.
        tokens, learnt: of these sequences.
        padding: share of what is computed that is padding.
        steps: optimizer steps of the run, were it to see no more than was looked at.
    """

    base: str
    template: str
    data: Path
    split: Split
    cutoff: int
    seen: int
    complete: bool
    sequences: int
    tokens: int
    learnt: int
    padding: float
    steps: int
    lengths: Lengths
    sources: tuple[Source, ...]
    dropped: tuple[Dropped, ...]
    remarks: tuple[Remark, ...]
    shown: tuple[Shown, ...]
    texts: bool

    @property
    def lost(self) -> int:
        """Conversations that are dropped."""
        return sum(reason.count for reason in self.dropped)
