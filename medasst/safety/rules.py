"""Every rule of the shop in one object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from medasst.catalogue import Catalogue, Product
from medasst.conversation import Message
from medasst.dialogue import DialogueState, Patient, ProductNames, of_turns, state
from medasst.formulary import Contents
from medasst.lexicon import Lexicon
from medasst.rulebook import Rulebook
from medasst.safety.alarm import Alarm
from medasst.safety.finding import PersonFinding
from medasst.safety.gate import Gate
from medasst.safety.held import Alike, Held
from medasst.safety.output import Context, OutputCheck, Verdict
from medasst.safety.person import PersonChecks
from medasst.safety.triage import Triage

_KEPT = 8192  # sentences that people wrote, with what was found of them


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
        self.replies, self.questions = self.book.replies, self.book.questions.rows
        self.triage = Triage(self.book, self.lexicon)
        self.gate = Gate(self.book, self.lexicon, catalogue)
        self.formulary = catalogue.formulary
        self.person_checks = PersonChecks(self.lexicon, self.formulary)
        self._output = OutputCheck(self.gate, self.book.output, self.replies.replaced)
        self._judged = lru_cache(_KEPT)(self._judge)  # tables and leaflets say the same sentences to many
        self._products = ProductNames(catalogue.over_the_counter.product_names())
        self.state(())  # compiles what reads turns, which the first shopper would wait for

    def state(self, messages: Sequence[Message]) -> DialogueState:
        """What a conversation has told so far."""
        return state(messages, self.lexicon, self._products)

    def patient(self, turns: Sequence[str]) -> Patient:
        """Whom these user turns speak of in the end."""
        return of_turns(turns, self.lexicon).current

    def medicines(self, text: str) -> frozenset[str]:
        """The medicines that a text names, with every broader name."""
        named = [medicine.concept for medicine in self.lexicon.medicines(text)]
        return frozenset().union(*map(self.lexicon.broader, named))

    def alarms(self, told: DialogueState) -> list[Alarm]:
        """See `Triage.alarms`."""
        return self.triage.alarms(told)

    def checks(self, product: Product, person: Patient, *, anew: bool = True) -> tuple[PersonFinding, ...]:
        """What speaks against a product for a person; see `PersonChecks.of`."""
        return self.person_checks.of(self._short(product), person, product.leaflet, local=self.acts_locally(product), anew=anew)

    def held(self, person: Patient) -> Held:
        """Many products against one person."""
        return Held(person, self.checks, self.alike)

    def alike(self, product: Product, *, named: bool = False) -> Alike:
        """A product as the checks see it; see `Alike.of`."""
        return Alike.of(product, local=self.acts_locally(product), named=named)

    def acts_locally(self, product: Product) -> bool:
        """Whether it acts where it is put, by its form."""
        return any(word in product.form for word in self.book.counter.local)

    def with_food(self, product: Product, food: str) -> tuple[PersonFinding, ...]:
        """See `PersonChecks.with_food`."""
        return self.person_checks.with_food(self._short(product), food, product.leaflet)

    @staticmethod
    def _short(product: Product) -> Contents:
        """Its contents under the name that a sentence uses."""
        return replace(product.contents, name=product.short_name)

    def check_sentence(self, sentence: str, context: Context) -> Verdict:
        """See `OutputCheck.check_sentence`."""
        return self._output.check_sentence(sentence, context)

    def written(self, sentence: str, about: bool | None) -> tuple[Verdict, bool | None]:
        """Whether a sentence that people wrote may leave, and whether the medicine named last in it needs a prescription.

        Args:
            about: the same of the medicine named last before it; None: none was named.
        """
        return self._judged(sentence, about)

    def _judge(self, sentence: str, about: bool | None) -> tuple[Verdict, bool | None]:
        named = self.gate.subject(sentence)
        return self.check_sentence(sentence, Context(about=about)), about if named is None else named
