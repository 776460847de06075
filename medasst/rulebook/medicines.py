"""The rows of the formulary's tables: what is true of medicines, whoever sells them. The tables beside this file hold the rows.

A substance is named by its Chinese generic name without salt (对乙酰氨基酚); where what it does depends on the way in, the
way stands behind a stroke and the row is one of its own (双氯芬酸/外用). Rows speak of substances and of groups alike.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from medasst.config import Config
from medasst.rulebook.rows import Row, SlotName, Status, Words

Severity = Literal["forbid", "avoid", "caution", "none"]
Verdict = Literal["allow", "ask", "forbid"]
Purpose = Literal[
    "fever", "pain", "allergy", "cough", "phlegm", "stomach", "diarrhoea", "constipation", "supplement", "cold", "other"
]
VERDICTS: tuple[Verdict, ...] = ("allow", "ask", "forbid")
SEVERITIES: tuple[Severity, ...] = ("none", "caution", "avoid", "forbid")


class GroupRow(Row):
    """A group of substances that act alike.

    Attributes:
        is_a: broader groups; a row that names one holds for this one too.
        classes: classes of drugs.toml whose members belong to it, or may: 我在吃降压药.
        twice: why two substances of it aren't taken together before somebody was asked, to a shopper; empty: nothing is known.
    """

    name: str
    is_a: Words = ()
    classes: Words = ()
    twice: str = ""


class IngredientRow(Row):
    """A substance, or a formula of Chinese medicine that is taken as one.

    Attributes:
        inn: the international non-proprietary name, lower case; empty for formulas.
        atc: ATC codes, of the way in that the row is about.
        groups: names of groups.
        substance: the name of the substance where this row is one way in of it: duplicates and allergies count by it.
        kind: formula: a compound of Chinese medicine; its western parts stand in contents.toml apart.
        control: why it isn't offered online although it may be over the counter; empty: no such reason.
    """

    name: str
    inn: str = ""
    atc: tuple[Annotated[str, Field(pattern=r"^[A-Z]\d\d([A-Z]([A-Z](\d\d)?)?)?$")], ...] = ()
    groups: Words = ()
    substance: str = ""
    kind: Literal["substance", "formula", "herb", "supplement", "device"] = "substance"
    control: str = ""


class ContentRow(Row):
    """What a medicine of drugs.toml that is no single substance of its name is made of.

    Attributes:
        name: the medicine's name there.
        ingredients: names of ingredients.
        amounts: mg of an ingredient in one unit (tablet, sachet), where all products of that name agree.
        status: stricter than drugs.toml's, where the compound is.
    """

    name: str
    ingredients: Words = Field(min_length=1)
    amounts: dict[str, float] = Field(default_factory=dict)
    status: Status | None = None


class InteractionRow(Row):
    """What doesn't go together.

    Attributes:
        first, second: ingredients or groups; one of each is needed. `second` may name what is eaten or drunk (酒, 西柚, 茶,
            咖啡, 牛奶, 高钾食物, 富含维生素K的蔬菜, 吸烟).
        severity: forbid: never together; avoid: not without a doctor; caution: possible with what `advice` says.
        again: the severity as a second hand saw it that didn't know the first; where they differ the severity is unknown, and
            a pharmacist decides.
        sentence: what happens, to a shopper. advice: what to do.
    """

    id: str
    first: Words = Field(min_length=1)
    second: Words = Field(min_length=1)
    severity: Severity
    again: Severity | None = None
    sentence: str
    advice: str

    @property
    def agreed(self) -> bool:
        """Whether two hands saw it alike."""
        return self.again == self.severity


class PopulationRow(Row):
    """For whom a medicine is allowed, to be asked about, or forbidden.

    Attributes:
        of: ingredients or groups.
        who: the circumstance. trimester_3 is from 28 weeks, trimester_1 below 14.
        below_months, from_months: the age that `age` means.
        below_kg: the weight that `weight` means.
        conditions: names of findings that `condition` means; broader names hold for narrower ones.
        verdict: allow counts only where the row was checked.
        sentence: the reason, to a shopper.
    """

    id: str
    of: Words = Field(min_length=1)
    who: Literal[
        "pregnancy",
        "trimester_1",
        "trimester_2",
        "trimester_3",
        "lactation",
        "age",
        "elderly",
        "weight",
        "condition",
        "driving",
    ]
    below_months: int | None = None
    from_months: int | None = None
    below_kg: float | None = None
    conditions: Words = ()
    verdict: Verdict
    sentence: str

    @model_validator(mode="after")
    def _whole(self) -> PopulationRow:
        if self.who == "age" and self.below_months is None and self.from_months is None:
            raise ValueError("`age` needs below_months or from_months")
        if self.who == "weight" and self.below_kg is None:
            raise ValueError("`weight` needs below_kg")
        if (self.who == "condition") != bool(self.conditions):
            raise ValueError("`condition` and conditions belong together")
        return self


class Amounts(Config):
    """How much of a medicine: `single_mg` most at once, `daily_mg` most in 24 hours, hours between, days at most without a
    doctor. mg_per_kg: by weight, each bounded by the others. None: the row leaves it open."""

    single_mg: float | None = None
    single_mg_per_kg: float | None = None
    daily_mg: float | None = None
    daily_mg_per_kg: float | None = None
    hours: float | None = None
    days: int | None = None


class DoseRow(Row):
    """The most of a substance by mouth without a doctor, for an age.

    Attributes:
        from_months, below_months: the band of ages; 144 months are 12 years.
        first, again: as two hands wrote it, neither knowing the other; what differs is unknown.
    """

    id: str
    ingredient: str
    purpose: Purpose = "other"
    from_months: int = 0
    below_months: int | None = None
    first: Amounts
    again: Amounts | None = None


class AllergyRow(Row):
    """What somebody with an allergy may react to.

    Attributes:
        allergens: as shoppers name them (青霉素, 阿司匹林, 海鲜).
        to: ingredients or groups.
        verdict: forbid for the thing itself and its like, ask where a cross-reaction is rare.
    """

    id: str
    allergens: Words = Field(min_length=1)
    to: Words = Field(min_length=1)
    verdict: Literal["ask", "forbid"]
    sentence: str


class Choice(Config):
    """A way of treating a complaint, in the table's order of preference.

    Attributes:
        any_of: ingredients or groups.
        needs, without: findings of which one must, or none may, be there for it (有痰 …).
        from_months: the youngest. children_only: whether it is for children alone.
        reason: why it, in a phrase that follows its name: 能退烧止痛.
        caution: the one thing to mind.
    """

    any_of: Words = Field(min_length=1)
    needs: Words = ()
    without: Words = ()
    from_months: int = 0
    children_only: bool = False
    reason: str
    caution: str = ""


class MindRow(Row):
    """What somebody of whom something is told must mind with a complaint, whatever is offered; it only restricts or says how.

    Attributes:
        told: findings, diseases, medicines and groups of them, works (开车), stages and circumstances (child, pregnancy), of
            which one is there; behind 史: it was there once.
        complaints: rows of complaints.toml that it is for; none: any.
        sentence: to a shopper: what not to use, why, and the way on.
    """

    id: str
    told: Words = Field(min_length=1)
    complaints: Words = ()
    sentence: str


class ComplaintRow(Row):
    """What a good counter does about a complaint.

    Attributes:
        name: the finding, as findings.toml names it; `also`: findings that are served alike.
        ask: what must be known before anything is offered, in order.
        self_care: what helps without medicine, a sentence each.
        choices: what may be offered, best first.
        doctor: when to see one, to a shopper.
        not_for: findings or stages with which nothing is offered.
    """

    name: str
    also: Words = ()
    ask: tuple[SlotName, ...] = ()
    self_care: Words = Field(min_length=1)
    choices: tuple[Choice, ...] = ()
    doctor: str
    not_for: Words = ()
