"""What shoppers ask about products, and the sentences that answer them (`asks.toml`; its comments say what each is for)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, model_validator

from medasst.config import Config
from medasst.rulebook.rows import Regex, Words

AskKind = Literal[
    "treat",
    "section",
    "may_take",
    "price",
    "stock",
    "spec",
    "cheaper",
    "another",
    "compare",
    "buy",
    "photo",
    "expired",
    "missed_dose",
    "common",
    "shop",
    "general",
    "thanks",
    "greeting",
    "none",
]
Trait = Literal["cheap", "dear", "children", "adults", "large", "small", "form"]
NAME = "□"  # stands for the name of a medicine in the text that patterns see


class AskRow(Config):
    """One thing that a turn may ask. Where the words of two rows overlap, the earlier row counts.

    Attributes:
        key: the leaflet section that is asked for; of `spec` and `another`, what of it.
        pattern: what asks it, over the plain text of a turn with □ for every medicine's name and commas for blanks.
        unless: what stands in the same clause where it isn't asked.
        sections: leaflet sections that may answer, best first.
        sentence: what a sentence of those sections holds that answers; "": any.
        instead: what a sentence holds that helps where none answers, said behind `untold`; "": none does.
        untold: what is said where no sentence does; holds {product}.
        adds: what is said besides, whatever a leaflet tells; "" for nothing.
        general: what is true of every medicine and may be said besides, short; "" where nothing is.
        examples, others: turns that ask it, and turns that don't.
    """

    id: str
    kind: AskKind
    key: str = ""
    pattern: Regex
    unless: Regex = ""
    sections: Words = ()
    sentence: Regex = ""
    instead: Regex = ""
    untold: str = ""
    adds: str = ""
    general: str = ""
    examples: Words = Field(min_length=8)
    others: Words = Field(min_length=6)

    @model_validator(mode="after")
    def _whole(self) -> AskRow:
        if bool(self.sections) != (self.kind == "section"):
            raise ValueError("`sections` belong to rows of kind section, and these need some")
        return self


class TraitRow(Config):
    """A trait by which a turn picks among what was shown (那个便宜点的), or asks for something else (有没有儿童的).

    Attributes:
        form: words of a record's form and name that have it, where the trait is one.
    """

    trait: Trait
    pattern: Regex
    form: Regex = ""


class Asks(Config):
    """The table `asks.toml`.

    Attributes:
        question: what a turn holds that asks anything at all.
        not_general: medicines of which the general rule on missed doses isn't true.
        things: what shoppers look for in a pharmacy that is no medicine (血压计); no record of it tells price or stock.
        seeks: what a clause holds that looks for something in the shop.
        apart: what makes a question another one than the same question without it (before a blood test); a vetted answer to
            one that holds it holds it, too.
        form_choice: complaint → which form suits when.
        brand: brands with the medicine and form that they are known for (美林: 布洛芬混悬液).
        says: the sentences of the answers by name.
    """

    version: str
    question: Regex
    not_general: Regex
    things: Regex
    seeks: Regex
    apart: Regex
    form_choice: Mapping[str, str]
    brand: Mapping[str, str]
    ask: tuple[AskRow, ...]
    trait: tuple[TraitRow, ...]
    says: Mapping[str, str]

    def known_for(self, words: str) -> str:
        """The medicine and form that a brand is known for; "" where the words name no brand of the table."""
        return next((made for brand, made in self.brand.items() if brand in words), "")

    @model_validator(mode="after")
    def _once(self) -> Asks:
        ids = [row.id for row in self.ask]
        if twice := {one for one in ids if ids.count(one) > 1}:
            raise ValueError(f"ask {', '.join(sorted(twice))} stands twice")
        return self
