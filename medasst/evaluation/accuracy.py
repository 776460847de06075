"""How chosen options are scored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from medasst.evaluation.generate import WrittenRecord
from medasst.evaluation.options import ChoiceAsking, ChoiceItem, ChoiceRecord, chosen
from medasst.evaluation.task import Metric, Scoring, Share


class ChoiceScores(NamedTuple):
    """`accuracy`, `tie`, `lenient` are 0 or 100; `parsed` is 1 where an option was chosen.

    `follows_letter`, `follows_option` say of a question with its options in another order whether the letter that was chosen in
    their own order was chosen again, or the option; None where that can't be told.
    """

    accuracy: float
    parsed: float
    tie: float
    lenient: float
    follows_letter: float | None = None
    follows_option: float | None = None


_READ: Metric[ChoiceScores] = Share(
    "lenient", "Read leniently", lambda s: s.lenient, among=lambda s: s.parsed > 0, less_is_better=True
)
_TURNED: tuple[Metric[ChoiceScores], ...] = (
    Share(
        "follows_letter",
        "Follows the letter",
        lambda s: s.follows_letter or 0.0,
        among=lambda s: s.follows_letter is not None,
        less_is_better=True,
    ),
    Share(
        "follows_option",
        "Follows the option",
        lambda s: s.follows_option or 0.0,
        among=lambda s: s.follows_option is not None,
    ),
)


class Accuracy(Scoring[ChoiceItem, ChoiceRecord, ChoiceScores]):
    """Whether the right option was chosen. What failed or names no option is wrong.

    Args:
        asking: how the questions are asked; decides which figures there are besides.
        turned: whether options are asked in several orders.
    """

    metrics: tuple[Metric[Any], ...] = (
        Share("accuracy", "Accuracy", lambda s: s.accuracy, compared=True),
        Share("accuracy_parsed", "Of answered", lambda s: s.accuracy, among=lambda s: s.parsed > 0),
        Share("ties", "Ties", lambda s: s.tie),
    )
    headline = "accuracy"
    version = "first_best/v1"
    kept = ChoiceScores

    def __init__(self, asking: ChoiceAsking[Any] | None = None, *, turned: bool = False) -> None:
        reading = asking.reading if asking else ""
        self.metrics = (*Accuracy.metrics, *((_READ,) if reading else ()), *(_TURNED if turned else ()))
        self.version = reading or Accuracy.version
        self.note = _TURNED_NOTE if turned else ""

    def cluster(self, item: ChoiceItem) -> str:
        return item.question

    def groups(self, item: ChoiceItem) -> tuple[str, ...]:
        return item.groups

    def scores(self, items: Sequence[ChoiceItem], records: Sequence[ChoiceRecord]) -> Iterator[ChoiceScores]:
        first = {item.question: _place(record) for item, record in zip(items, records, strict=True) if not item.turned}
        for item, record in zip(items, records, strict=True):
            found, before, now = self.score(item, record), first.get(item.question), _place(record)
            if item.turned and before is not None and now is not None:
                kept = (now + item.turned) % len(item.options) == before
                found = found._replace(follows_letter=100.0 * (now == before), follows_option=100.0 * kept)
            yield found

    def score(self, item: ChoiceItem, record: ChoiceRecord) -> ChoiceScores:
        """One item by itself: the other orders of its options are not looked at."""
        best = chosen(record)
        if best is None:
            return ChoiceScores(0.0, 0.0, 0.0, 0.0)
        lenient = isinstance(record, WrittenRecord) and record.way == "lenient"
        return ChoiceScores(100.0 * (best.place == item.answer), 1.0, 100.0 * best.tie, 100.0 * lenient)


_TURNED_NOTE = (
    "Each question is asked with its options in every turn of their order. Follows the letter: of the turned ones, those in "
    "which the letter of the untouched order is chosen again, though another option stands there now; follows the option: "
    "those in which the same option is. Guessing follows either as often as chance; who reads the options follows the option."
)


def _place(record: ChoiceRecord) -> int | None:
    best = chosen(record)
    return best.place if best else None
