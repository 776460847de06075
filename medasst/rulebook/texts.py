"""Tables that are one object each: the fixed sentences, the gate's texts and patterns, the checks of what is said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from medasst.config import Config
from medasst.rulebook.rows import Level, ReactionRow, Regex, Row, Words

Forms = Annotated[tuple[str, ...], Field(min_length=1)]  # of one sentence, see `replies.toml`


class Replies(Config):
    """What a reply says of itself (`replies.toml`; its comments say what each is for); `version` counts changes of meaning."""

    version: str
    ai_label: str
    otc_notice: str
    prescription_notice: str
    emergency: Forms
    urgent_note: Forms
    no_medicine: Forms
    unread: Forms
    busy: str
    unknown: Forms
    heard: Forms
    noted: Forms
    warned: Forms
    denied: Forms
    not_there: Forms
    first: Forms
    watch: Forms
    sends: Regex
    no_sleepy: Regex
    not_sleepy: Forms
    how_for: str
    without_prescription: Regex
    prescription_brief: Forms
    prescription_word: str
    manages: Regex
    prescription_again: Forms
    prescription_only: Forms
    tentative: Forms
    choose_one: Forms
    still: Forms
    still_told: Forms
    no_conflict: Forms
    still_not: Forms
    unchanged: Forms
    facts: Mapping[str, str]
    no_longer: Forms
    out_of_stock: Forms
    again: Forms
    card_reason: str
    card_how: str
    card_caution: str
    replaced: Mapping[str, str]
    lead: Mapping[Level, str]
    before: Mapping[Level, Forms]
    again_of: Mapping[str, Forms]
    begins: Mapping[Level, Regex]


class FollowRow(Row):
    """A question about a complaint that was told, and what is said to it.

    Attributes:
        asks: what is asked, for whoever signs it. pattern: how it is asked, in plain text.
        complaints: rows of complaints.toml that it is answered for; none: any.
        sentences: forms of the answer.
        doctor: whether it goes with when to see a doctor, as the complaint's row says.
    """

    id: str
    asks: str = Field(min_length=1)
    pattern: Regex
    complaints: Words = ()
    sentences: Forms
    doctor: bool = False


class ReachTexts(Config):
    """How it is said whom to reach, from what the shop tells of itself (`reach.toml`; its comments say when each is said)."""

    version: str
    unsaid: str
    between: str
    phone_and_hours: str
    direct: str
    phone: str
    nobody: str
    some_shop: str


class ReactionTexts(Config):
    """How an adverse reaction is told, and what is said to it (`reactions.toml`; its comments say what each is for)."""

    version: str
    taken_before: Regex
    bare_before: Regex
    taken_after: Regex
    unnamed: Regex
    left_out: Regex
    persists: Regex
    marked: Regex
    felt_end: Regex
    general: Regex
    onset: Regex
    severity: Regex
    stop: str
    ask_prescriber: str
    report: str
    ask: str
    some_medicine: str
    never_again: Forms
    still_stopped: Forms
    reaction: tuple[ReactionRow, ...]


class WarningRow(Row):
    """What must be said first where a medicine of `drugs` meets something of `with`: a medicine, a finding, or a bare word."""

    drugs: Words
    company: Words = Field(alias="with")
    text: str


class GateTexts(Config):
    """The prescription gate's texts and patterns (`gate.toml`; its comments say what each is for)."""

    version: str
    buy: Regex
    dose: Regex
    answer: tuple[str, ...]
    banned: tuple[str, ...]
    some_drug: str
    by_symptom: str
    document: str
    section: str
    caution: tuple[Regex, ...]
    indication: tuple[Regex, ...]
    warning: tuple[WarningRow, ...] = ()


class CheckRow(Config):
    """One check of `output.toml`.

    Attributes:
        model: whether only sentences that a model wrote are checked for it.
        patterns, unless: what a sentence may not hold, and what excuses it; over a plain text.
        examples: sentences that it must refuse.
    """

    id: str
    model: bool
    patterns: tuple[Regex, ...]
    unless: tuple[Regex, ...]
    examples: tuple[str, ...]


class Degenerate(Config):
    """What an answer that isn't one is told by."""

    care: tuple[str, ...]


class OutputTexts(Config):
    """The checks of what is about to be said (`output.toml`)."""

    version: str
    check: tuple[CheckRow, ...]
    degenerate: Degenerate


class Leaflets(Config):
    """How leaflets speak of what a shopper tells (`leaflets.toml`; its comments say what each pattern is for).

    Attributes:
        months: words for children that tell an age → below how many months.
        disease: a disease, or a broader one → what leaflets call it.
        kin: an allergen → the names of its group.
    """

    forbids: Regex
    asks: Regex
    allows: Regex
    allows_child: Regex
    not_meant: Regex
    courtesy: Regex
    only_if: Regex
    severe_only: Regex
    others: Regex
    pregnancy: Regex
    lactation: Regex
    first_trimester: Regex
    last_trimester: Regex
    child: Regex
    younger: Regex
    older: Regex
    between: Regex
    lighter: Regex
    driving: Regex
    no_driving: Regex
    alcohol: Regex
    no_alcohol: Regex
    limit: Regex
    months: Mapping[str, int]
    disease: Mapping[str, Regex]
    kin: Mapping[str, Regex]


class Reason(Config):
    """Why somebody may pass over a finding: a code and what is shown for it."""

    code: str
    display: str


class CheckTexts(Config):
    """The sentences of the checks of a medicine against a person (`checks.toml`; its comments say what each is for).

    Attributes:
        told: how a sentence begins, by what was told.
        organs: the kind of a finding → the conditions that are told of as that kind.
        no_allergy: what stands in a list of allergens and is none.
        drinking: findings of somebody who drinks.
        taken_for: classes of medicines → what somebody may have who takes one.
        may_be: a disease in words that leave open which → what it may be.
        child_kg: below how many kg a person whose age nobody told counts as a child → below how many months.
        food: what is eaten or drunk, as the interactions name it → words for it.
    """

    version: str
    note: str
    which: str
    together_unknown: str
    taken_unknown: str
    class_unknown: str
    class_together: str
    class_alike: str
    contents_unknown: str
    duplicate: str
    duplicate_ways: str
    duplicate_routes: str
    same_class: str
    limit: str
    no_limit: str
    sum: str
    sum_at_least: str
    sum_untold: str
    sum_unknown: str
    leaflet_limit: str
    same: str
    leaflet: str
    row: str
    both: str
    left_open: str
    name_allergen: str
    alike_allergen: str
    unknown_allergen: str
    name_condition: str
    name_drug: str
    unknown_condition: str
    holds: str
    no_allergy: Words
    drinking: Words
    told: Mapping[str, str]
    organs: Mapping[Literal["kidney", "liver"], Words]
    taken_for: Mapping[str, str]
    may_be: Mapping[str, Words]
    child_kg: Mapping[float, int]
    food: Mapping[str, Words]
    reason: tuple[Reason, ...]


class CounterTexts(Config):
    """What the counter says beside the rows of complaints, and what it holds them against (`counter.toml`).

    Attributes:
        leaflet_reason: why a product, where no row but its own leaflet speaks for it.
        not_for: why nothing is offered, by stage or circumstance; `finding`: by what was told.
        local: forms that act where they are put.
        apart: groups of which nothing is given along with what is asked for.
        cough: the finding → what is told of a cough that means it.
        within: a complaint → those that bring it along, so that beside them it isn't served for itself.
        at_home: how it is told that a medicine is at home already.
        caught: how it is told that somebody has what was complained of for somebody else.
        grown_up: words that only a grown-up says of oneself, so that nobody is asked for whom it is.
        of_children, of_elderly, of_adults: what in a sentence of advice shows whom it is about: those of children alone aren't
            said to the grown-up, nor those of the old to the young.
        unfit: a word in a sentence of advice → what somebody has to whom it isn't said (蜂蜜: 糖尿病).
        may_have, may_take, may_be_allergic: what a person of whom nobody knows may have; if any of it changed the offer, it is
            worth asking.
    """

    version: str
    leaflet_reason: str
    not_for: Mapping[str, str]
    local: Words
    apart: Words
    cough: Mapping[str, Words]
    within: Mapping[str, Words]
    at_home: Regex
    caught: Regex
    grown_up: Regex
    of_children: Regex
    of_elderly: Regex
    of_adults: Regex
    unfit: Mapping[str, Words]
    may_have: Words
    may_take: Words
    may_be_allergic: Words


class WordingTexts(Config):
    """How a model words sentences otherwise, and which of its sentences may stand for one of ours.

    Attributes:
        brief: what it is told; `{sentences}` are numbered lines. line: what one of its own is read by: number, sentence.
        fixed: what keeps a sentence as it was composed.
        kept: what stands in both sentences equally often, each by itself.
    """

    brief: str
    line: Regex
    fixed: Regex
    kept: tuple[Regex, ...]


class OwnWordsTexts(Config):
    """How a model answers in its own words.

    Attributes:
        brief: what it is told. asking: words of a question that tell nothing of what it is about.
        lead: what stands before its answer and says whose it is.
    """

    brief: str
    asking: Regex
    lead: str


class HearingTexts(Config):
    """How a model reads a turn, and what is asked of the shopper where it read more than the rules.

    Attributes:
        brief: what it is told; `{turn}` is the turn. line: what a line of it is read by: item, content, the turn's words.
        signs: the item that tells what ails somebody. nothing: a content that says that there is nothing.
        questions: the question that is asked for an item, by its id.
        today, days: forms of what is asked where somebody may have to go; `{signs}` is of what.
    """

    brief: str
    line: Regex
    signs: str
    nothing: Regex
    questions: Mapping[str, str]
    today: Forms
    days: Forms


class SpeechTexts(Config):
    """The model's part (`speech.toml`)."""

    version: str
    wording: WordingTexts
    answers: OwnWordsTexts
    reading: HearingTexts
