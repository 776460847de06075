"""Answers about products: what a leaflet says, price, stock and pack, which of two, whether somebody may take it.

Facts come from the record and the leaflet alone, sentences from `asks.toml`. What a leaflet doesn't say is told as untold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from medasst.assistant.acts import Act, Answer, Warn
from medasst.assistant.asked import Asked
from medasst.assistant.comparing import Comparison
from medasst.assistant.counter import Counter
from medasst.assistant.desk import Desk
from medasst.assistant.fitness import FitnessAnswers
from medasst.assistant.leaflets import LeafletAnswers
from medasst.assistant.records import RecordAnswers
from medasst.assistant.request import Request
from medasst.assistant.unsold import UnsoldAnswers
from medasst.catalogue import Catalogue
from medasst.rulebook import AskKind
from medasst.safety import Rules

# Rows whose answer tells whether one may, too: 过期的还能用吗.
_TELLS_WHETHER = frozenset(
    {
        "opened",
        "expired",
        "how_taken",
        "meals",
        "food",
        "together",
        "taken_together",
        "time_of_day",
        "too_much",
        "took_too_much",
        "interval",
        "not_yet",
        "duration",
        "where",
        "beyond",
        "missed",
    }
)
_TELLS_DOSE = frozenset({"too_much", "took_too_much"})  # rows whose answer tells the dose, too
# Rows that are answered by the first: 忘吃了要补两粒吗 asks of no day's limit, 抹了四天还痒要换吗 of nothing else.
_INSTEAD = {"missed": frozenset({"too_much", "dosage"}), "not_yet": frozenset({"other_kind", "onset", "duration"})}


class ProductAnswers:
    """Answers about one shop's products.

    Args:
        catalogue: what the shop sells; only what is offered is spoken of.
        counter: tells whether a product is for what somebody complains of.
    """

    def __init__(self, catalogue: Catalogue, rules: Rules, counter: Counter) -> None:
        desk = Desk(catalogue, rules)
        fitness = FitnessAnswers(desk, counter)
        leaflets = LeafletAnswers(desk, fitness.together)
        records = RecordAnswers(desk, fitness.told_off)
        self._say, self._unsold = desk.say, UnsoldAnswers(desk)
        self._comparison = Comparison(desk, records.packs)
        self._answers: Mapping[AskKind, Callable[[Request, Asked], Iterable[Act]]] = {
            "section": leaflets.section,
            "may_take": fitness.may_take,
            "price": records.price,
            "stock": records.stock,
            "spec": records.spec,
            "cheaper": records.cheaper,
            "another": records.another,
            "compare": self._comparison.compare,
            "buy": records.buy,
            "expired": leaflets.general,
            "missed_dose": leaflets.missed,
            "common": leaflets.common,
        }

    def answer(self, request: Request) -> list[Act]:
        """What is asked about products, in the order of the turn; nothing where nothing is.

        What speaks against a product for the person is only told as far as the answer rests on it: the warnings themselves
        stand before it.
        """
        acts: list[Act] = []
        asks = [asked for asked in request.asks if asked.kind in self._answers]
        rows = {asked.row for asked in asks}
        if rows & _TELLS_WHETHER:
            asks = [asked for asked in asks if asked.kind != "may_take"]
        if rows & _TELLS_DOSE:
            asks = [asked for asked in asks if asked.row != "dosage"]
        told = frozenset().union(*(others for row, others in _INSTEAD.items() if row in rows))
        asks = [asked for asked in asks if asked.row not in told]
        acts += self._unsold.things(request)
        if asks and request.unnamed:
            acts += self._unsold.medicines(request)
        if any(asked.kind == "treat" and asked.row == "form" for asked in request.asks):
            acts += filter(None, [self._comparison.by_form(request)])  # 有没有贴的 with nothing shown yet
        for asked in asks:
            acts += self._answers[asked.kind](request, asked)
        return list(_told_once(acts, self._say["leaflet_also"]))


def _told_once(acts: Iterable[Act], also: str) -> Iterator[Act]:
    """The acts without what an earlier one of them says already; a leaflet's sentence counts without whose it is.

    Args:
        also: what stands in place of whose leaflet it is where the sentence before was of the same; with {text}.
    """
    told: set[str] = set()
    last = ""
    for act in acts:
        if isinstance(act, Answer):
            said: list[str] = []
            for sentence in act.sentences:
                lead, mark, rest = sentence.partition("：")
                if (rest or lead) in told:
                    continue
                told.add(rest or lead)
                said.append(also.format(text=rest) if mark and lead == last and "说明书" in lead else sentence)
                last = lead if mark else last
            if said:
                yield replace(act, sentences=tuple(said))
        elif isinstance(act, Warn) and act.text in told:
            continue
        else:
            told.add(act.text if isinstance(act, Warn) else "")
            yield act
