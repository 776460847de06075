"""Every rule of the shop in one object."""

from __future__ import annotations

from collections.abc import Sequence

from medasst.catalogue import Catalogue, Product
from medasst.conversation import Message
from medasst.dialogue import DialogueState, ProductNames, of_turns, state
from medasst.lexicon import Lexicon
from medasst.rulebook import Rulebook
from medasst.safety import population
from medasst.safety.facts import Facts
from medasst.safety.gate import Gate
from medasst.safety.output import Context, OutputCheck, Verdict
from medasst.safety.population import Concern
from medasst.safety.triage import Alarm, Triage


class Rules:
    """One shop's rules: triage, the prescription gate of its medicines, checks of products and of what is said.

    Args:
        catalogue: what the shop sells, read by the lexicon of its rulebook.

    Raises:
        ConfigError: a rule can't be read, or fails an example of its own; names file and line.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.lexicon: Lexicon = catalogue.lexicon
        self.book: Rulebook = self.lexicon.book
        self.messages, self.questions = self.book.messages, self.book.questions.rows
        self.triage = Triage(self.book, self.lexicon)
        self.gate = Gate(self.book, self.lexicon, catalogue)
        self._output = OutputCheck(self.gate, self.book.output, self.messages.replaced)
        self._products = ProductNames(catalogue.over_the_counter.product_names())

    def state(self, messages: Sequence[Message]) -> DialogueState:
        """What a conversation has told so far."""
        return state(messages, self.lexicon, self._products)

    def facts(self, turns: Sequence[str], *, unread: bool = False) -> Facts:
        """Whom these user turns speak of in the end."""
        return Facts.of(of_turns(turns, self.lexicon).current, unread=unread)

    def medicines(self, text: str) -> frozenset[str]:
        """The medicines that a text names, with every broader name."""
        named = [medicine.concept for medicine in self.lexicon.medicines(text)]
        return frozenset().union(*map(self.lexicon.broader, named))

    def alarms(self, told: DialogueState) -> list[Alarm]:
        """See `Triage.alarms`."""
        return self.triage.alarms(told)

    def concerns(self, product: Product, facts: Facts) -> list[Concern]:
        """See `population.concerns`."""
        return population.concerns(product, facts, self.lexicon)

    def check_sentence(self, sentence: str, context: Context) -> Verdict:
        """See `OutputCheck.check_sentence`."""
        return self._output.check_sentence(sentence, context)
