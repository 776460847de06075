"""A scripted system of known answers: what it scores is arithmetic. Done before each evaluation of questions with options."""

from __future__ import annotations

import string
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Literal

from medasst.conversation import Conversation
from medasst.errors import MedasstError
from medasst.evaluation.accuracy import Accuracy
from medasst.evaluation.options import ChoiceAsking, ChoiceItem
from medasst.evaluation.statistics import Bootstrap
from medasst.models import ChoiceQuery, ChoiceScore, Completion, Decoding, Delta, LetterQuery, LetterScore
from medasst.models.base import Capability

ITEMS = 40
Does = Literal["right", "wrong", "tie", "nothing", "fails"]
_DOES: tuple[Does, ...] = ("right", "right", "wrong", "tie", "nothing", "fails", "right", "wrong")
_LIKELY, _UNLIKELY = -0.5, -9.0


class KnownModel:
    """Does with each item what it was told to. A tie is one of the right option with the one after it, or with the one before
    where it is the last."""

    name = "known"
    capabilities: frozenset[Capability] = frozenset(("stream", "choices", "letters"))

    def __init__(self, does: dict[str, Does], items: Sequence[ChoiceItem]) -> None:
        self._does, self._items = does, {item.id: item for item in items}

    def chooses(self, id: str) -> tuple[int, ...]:
        """The places of the options that it finds likely."""
        item, does = self._items[id], self._does[id]
        other = item.answer + 1 if item.answer + 1 < len(item.options) else item.answer - 1
        return {"right": (item.answer,), "wrong": (other,), "tie": (item.answer, other)}.get(does, ())

    def _logprobs(self, id: str, size: int) -> tuple[float, ...]:
        chosen = self.chooses(id)
        return tuple(_LIKELY if place in chosen else _UNLIKELY for place in range(size))

    def letters(self, queries: Sequence[LetterQuery]) -> Iterator[LetterScore]:
        for query in queries:
            size = len(query.letters)
            error = "as told" if self._does[query.id] == "fails" else None
            listed = (bool(self.chooses(query.id)),) * size
            yield LetterScore(query.id, self._logprobs(query.id, size), listed, error=error)

    def score(self, queries: Sequence[ChoiceQuery]) -> Iterator[ChoiceScore]:
        for query in queries:
            size = len(query.options)
            error = "as told" if self._does[query.id] == "fails" else None
            counts = (int(bool(self.chooses(query.id))),) * size
            yield ChoiceScore(query.id, self._logprobs(query.id, size), counts, error=error)

    def generate(self, conversations: Sequence[Conversation], decoding: Decoding) -> Iterator[Completion]:  # noqa: ARG002
        for talk in conversations:
            if self._does[talk.id] == "fails":
                yield Completion(talk.id, "", "error", error="as told")
            else:
                letters = [string.ascii_uppercase[place] for place in sorted(self.chooses(talk.id))]
                yield Completion(talk.id, "和".join(letters), "stop")

    async def stream(self, conversation: Conversation, decoding: Decoding) -> AsyncIterator[Delta]:  # noqa: ARG002
        yield Delta("", "error")


def check_known(asking: ChoiceAsking[Any], items: Sequence[ChoiceItem], turned: bool) -> None:
    """Ask the first items of a system that is right, wrong, undecided, says nothing or fails in turn, and score it.

    Raises:
        MedasstError: a figure isn't what arithmetic says.
    """
    some = list(items[:ITEMS])
    does: dict[str, Does] = {item.id: _DOES[place % len(_DOES)] for place, item in enumerate(some)}
    records = {record.id: record for record in asking.answers(KnownModel(does, some), some)}
    scoring = Accuracy(asking, turned=turned)
    scores = list(scoring.scores(some, [records[item.id] for item in some]))
    expected = _expected(some, does, written=asking.needs == "stream")
    for metric in scoring.metrics:
        if metric.name in expected:
            clusters = [item.question for item in some]
            found = metric.measure(scores, clusters, Bootstrap(100, 0))
            hits, n = expected[metric.name]
            if found.n != n or (n and abs(found.interval.value - 100 * hits / n) > 1e-9):
                raise MedasstError(
                    f"{asking.protocol}: a scripted system of known answers has {metric.name} = {found.interval.value} "
                    f"of {found.n} where arithmetic says {hits} of {n}: asking or scoring is broken, trust no figure of it"
                )


def _expected(items: Sequence[ChoiceItem], does: dict[str, Does], *, written: bool) -> dict[str, tuple[int, int]]:
    """Hits and size of each figure. Undecided, a likelihood takes the first of two; who writes both has named none."""
    told = [does[item.id] for item in items]
    last = [item.answer == len(item.options) - 1 for item in items]
    ties = 0 if written else told.count("tie")
    right = told.count("right") + (0 if written else sum(d == "tie" and not end for d, end in zip(told, last, strict=True)))
    parsed = told.count("right") + told.count("wrong") + ties
    return {"accuracy": (right, len(items)), "accuracy_parsed": (right, parsed), "ties": (ties, len(items))}
