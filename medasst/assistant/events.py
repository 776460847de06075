"""What a reply is made of: events in order. They are numbered where they leave, so that a lost stream can resume.

A reply is `Finding | Text | Citation | Card | Ask | HandOff` in any order that helps, then exactly one `End`. The last
`Finding` before `End` has rule `ai_label`: every reply says that it comes from a machine, and, where a product was shown or a
prescription is due, in the same line what the law has stand beside that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal

Severity = Literal["emergency", "urgent", "warning", "info"]
EndReason = Literal["stop", "red_flag", "prescription", "hand_off"]

AI_LABEL = "ai_label"  # the rule name of the label's Finding
SHOWN = "【商品】"  # what a product begins with that is shown in a plain text


@dataclass(frozen=True, slots=True)
class _Event:
    type: ClassVar[str]

    def to_json(self) -> dict[str, Any]:
        """The event's fields and its `type`."""
        return {"type": self.type, **asdict(self)}

    def as_text(self) -> str:
        """What a reader of plain text sees of it; the pieces of a reply joined are the reply."""
        return ""


@dataclass(frozen=True, slots=True)
class Text(_Event):
    """A whole, checked sentence with its closing mark, and the line break where its paragraph ends.

    Attributes:
        sentence: what the shopper reads.
        replaced_by_rule: the rule that put this sentence in the place of a refused one, or None.
    """

    type: ClassVar[str] = "text"
    sentence: str
    replaced_by_rule: str | None = None

    def as_text(self) -> str:
        return self.sentence


@dataclass(frozen=True, slots=True)
class Card(_Event):
    """A product to show, with the facts that a shopper may see. Never a prescription product.

    Attributes:
        reason: why it, a phrase; `citation` names the leaflet section behind it or behind `how`.
        price: in yuan. status: otc-a or otc-b.
        how, caution: whole sentences: how this person takes it, what to mind; "" where that is not told.
    """

    type: ClassVar[str] = "card"
    sku: str
    reason: str
    citation: str
    name: str
    form: str
    strength: str
    pack: str
    price: float
    status: str
    how: str = ""
    caution: str = ""

    def as_text(self) -> str:
        kind = "甲类" if self.status == "otc-a" else "乙类"
        facts = " ".join(filter(None, (self.name, self.strength, self.pack)))
        reason = self.reason if self.reason.endswith("。") else f"{self.reason}。"
        return f"{SHOWN}{facts}（{kind}非处方药，{self.price:g}元）：{reason}{self.how}{self.caution}\n"


@dataclass(frozen=True, slots=True)
class Citation(_Event):
    """Where the sentences before it come from, and the words of the source if they are short enough to show."""

    type: ClassVar[str] = "citation"
    document: str
    section: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Finding(_Event):
    """What a rule found: a red flag (emergency or urgent), a warning, or the AI label (info)."""

    type: ClassVar[str] = "finding"
    rule: str
    severity: Severity
    message: str
    version: str

    def as_text(self) -> str:
        return f"\n{self.message}" if self.rule == AI_LABEL else f"{self.message}\n"


@dataclass(frozen=True, slots=True)
class Ask(_Event):
    """A question back to the shopper; `options` are answers to offer as buttons, possibly none."""

    type: ClassVar[str] = "ask"
    question: str
    options: tuple[str, ...] = ()

    def as_text(self) -> str:
        return f"{self.question}\n"


@dataclass(frozen=True, slots=True)
class HandOff(_Event):
    """The conversation goes to a pharmacist. `reason` is for the operator (a rule or `unknown`), `message` for the shopper."""

    type: ClassVar[str] = "hand_off"
    reason: str
    message: str

    def as_text(self) -> str:
        return f"{self.message}\n"


@dataclass(frozen=True, slots=True)
class End(_Event):
    """The reply is complete. `usage`: prompt_tokens and completion_tokens of the model, 0 where none spoke."""

    type: ClassVar[str] = "end"
    reason: EndReason
    usage: Mapping[str, int] = field(default_factory=dict)


Event = Text | Card | Citation | Finding | Ask | HandOff | End


def plain_text(events: Iterable[Event]) -> str:
    """A reply as one text, for readers without cards and banners."""
    return "".join(event.as_text() for event in events).strip()
