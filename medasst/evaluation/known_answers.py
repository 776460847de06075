"""A scripted system of known answers to free questions: what it scores is arithmetic. Done before each evaluation of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import islice
from statistics import fmean
from typing import Any, Literal

from medasst.conversation import Conversation
from medasst.errors import MedasstError
from medasst.evaluation.statistics import Bootstrap
from medasst.evaluation.task import Asking, Item, Scoring
from medasst.models import Completion, Decoding, Delta
from medasst.models.base import Capability

ITEMS = 40
Does = Literal["reference", "nothing", "foreign", "cut off", "fails"]
_DOES: tuple[Does, ...] = ("reference", "nothing", "foreign", "cut off", "fails", "reference", "reference")
_FOREIGN = "\ue000"  # private use: no reference holds it
_ENOUGH = 5  # characters of a reference of which every figure of itself is 100


class KnownModel:
    """Says the reference, nothing, a sign that nobody uses, the reference and is cut off, or fails, as it was told."""

    name = "known"
    capabilities: frozenset[Capability] = frozenset({"stream"})

    def __init__(self, does: dict[str, Does], items: Sequence[Item]) -> None:
        self._does, self._labels = does, {item.id: item.label for item in items}

    def says(self, id: str) -> str:
        """Its answer to an item."""
        does = self._does[id]
        return {"reference": self._labels[id], "cut off": self._labels[id], "foreign": _FOREIGN}.get(does, "")

    def generate(self, conversations: Sequence[Conversation], decoding: Decoding) -> Iterator[Completion]:  # noqa: ARG002
        for talk in conversations:
            if self._does[talk.id] == "fails":
                yield Completion(talk.id, "", "error", error="as told")
            else:
                yield Completion(talk.id, self.says(talk.id), "length" if self._does[talk.id] == "cut off" else "stop")

    async def stream(self, conversation: Conversation, decoding: Decoding) -> AsyncIterator[Delta]:  # noqa: ARG002
        yield Delta("", "error")


def check_known(asking: Asking[Any, Any], scoring: Scoring[Any, Any, Any], items: Sequence[Item]) -> None:
    """Ask the first items of a system that says the reference, nothing, something foreign, is cut off or fails in turn.

    Raises:
        MedasstError: a figure isn't what arithmetic says, which is how much each differs.
    """
    some = [item for item in islice(items, ITEMS) if len(item.label.strip()) >= _ENOUGH and _is_utf8(item.label)]
    if not some:
        return
    does = {item.id: _DOES[place % len(_DOES)] for place, item in enumerate(some)}
    model = KnownModel(does, some)
    records = {record.id: record for record in asking.answers(model, some)}
    scores = [scoring.score(item, records[item.id]) for item in some]
    expected = _expected(some, does, model)
    found = {metric.name: metric.measure(scores, [item.id for item in some], Bootstrap(100, 0)) for metric in scoring.metrics}
    wrong = [
        f"{name} is {found[name].interval.value:.4f} where arithmetic says {value:.4f}"
        for name, value in expected.items()
        if abs(found[name].interval.value - value) > 1e-3
    ]
    if wrong:
        raise MedasstError(
            f"a scripted system of known answers to {len(some)} items: {'; '.join(wrong)}: asking or scoring is broken, "
            "trust no figure of it"
        )


def _is_utf8(text: str) -> bool:
    return text.encode("utf-8", "ignore").decode() == text


def _expected(items: Sequence[Item], does: dict[str, Does], model: KnownModel) -> dict[str, float]:
    """What says the reference is like it in everything; a foreign sign or nothing shares no word with it."""
    told = [does[item.id] for item in items]
    same = 100.0 * fmean(d in ("reference", "cut off") for d in told)
    said = sum(len(model.says(item.id)) for item in items)
    return {
        "bleu_4": same,
        "rouge_1": same,
        "rouge_l": same,
        "length_ratio": said / sum(len(item.label) for item in items),
        "unstopped": 100.0 * fmean(d == "cut off" for d in told),
    }
