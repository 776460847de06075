"""Every rule of the shop in one object."""

from __future__ import annotations

from collections.abc import Sequence

from medasst.catalogue import Catalogue, Product
from medasst.safety import population
from medasst.safety.facts import Facts
from medasst.safety.messages import Messages
from medasst.safety.output import Context, OutputCheck, Verdict
from medasst.safety.population import Concern
from medasst.safety.prescription import PrescriptionGate
from medasst.safety.red_flags import Alarm, RedFlag, RedFlags


class Rules:
    """The rules of this package: red flags, prescription gate of one catalogue's drugs, population rules, output checks."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.flags = RedFlags.load()
        self.gate = PrescriptionGate(catalogue)
        self.messages = Messages.read()
        self._output = OutputCheck(self.gate, dict(self.messages.replaced))

    def red_flags(self, text: str, earlier: Sequence[str] = ()) -> list[Alarm]:
        """See `RedFlags.check`."""
        return self.flags.check(text, earlier)

    def emergencies(self, turns: Sequence[str]) -> list[RedFlag]:
        """See `RedFlags.emergencies`."""
        return self.flags.emergencies(turns)

    def facts(self, turns: Sequence[str], *, unread: bool = False) -> Facts:
        """See `Facts.of`."""
        return Facts.of(turns, [drug for turn in turns for drug in self.gate.taken(turn)], unread=unread)

    def concerns(self, product: Product, facts: Facts) -> list[Concern]:
        """See `population.concerns`."""
        return population.concerns(product, facts, self.messages)

    def check_sentence(self, sentence: str, context: Context) -> Verdict:
        """See `OutputCheck.check_sentence`."""
        return self._output.check_sentence(sentence, context)
