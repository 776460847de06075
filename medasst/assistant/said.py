"""What the assistant has said in a conversation, so that nothing is said twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from medasst.assistant.events import SHOWN
from medasst.conversation import Message
from medasst.dialogue import Shown
from medasst.text import comparison_key, sentences

_LEAST = 6  # letters of a sentence that is missed when it comes again; a shorter one (不客气。) may


def fresh(text: str, held: Callable[[str], bool]) -> list[str]:
    """The sentences of a text that aren't held; a short one that is left over says nothing alone."""
    parts = sentences(text)
    new = [sentence for sentence in parts if not held(sentence)]
    return new if len(new) == len(parts) or any(map(Said.of_text, new)) else []


@dataclass(frozen=True, slots=True)
class Said:
    """What earlier replies of a conversation hold.

    Attributes:
        keys: their sentences, as they are compared.
        cards: the names of the products that they showed, in order.
        last: those of the last reply.
    """

    keys: frozenset[str] = frozenset()
    cards: tuple[str, ...] = ()
    last: tuple[str, ...] = ()

    @classmethod
    def of(cls, messages: Iterable[Message], shown: Sequence[Shown]) -> Said:
        """Read what was said.

        Args:
            messages: the conversation.
            shown: the products that its replies name (`DialogueState.shown`).
        """
        replies = [message.content for message in messages if message.role == "assistant"]
        keys = frozenset(key for reply in replies for key in cls.of_text(reply))
        named = list(dict.fromkeys(one.name for one in shown))
        cards = [name for name in named if any(SHOWN + name in reply for reply in replies)]
        last = [name for name in cards if SHOWN + name in replies[-1]]
        return cls(keys, tuple(cards), tuple(last))

    @staticmethod
    def of_text(text: str) -> frozenset[str]:
        """The keys of a text's sentences."""
        keys = map(comparison_key, sentences(text))
        return frozenset(key for key in keys if len(key) >= _LEAST)

    def holds(self, sentence: str) -> bool:
        """Whether an earlier reply says this, word for word."""
        return comparison_key(sentence) in self.keys

    def holds_any(self, text: str) -> bool:
        """Whether an earlier reply says a sentence of a text, word for word."""
        return not self.of_text(text).isdisjoint(self.keys)

    def new(self, text: str) -> str:
        """What of a text was not said yet, in whole sentences."""
        return "".join(fresh(text, self.holds))

    def form(self, forms: Sequence[str], **words: str) -> str:
        """The first form of a sentence of which nothing was said yet, filled in; "" where there is none."""
        written = (form.format(**words) for form in forms)
        return next((text for text in written if self.new(text) == text), "")


NOTHING = Said()
