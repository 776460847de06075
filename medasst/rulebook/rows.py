"""The rows of the rulebook's tables. What a column means stands in its class; the tables beside this file hold the rows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from medasst.config import Config

FindingKind = Literal["symptom", "sign", "disease", "injury", "exposure", "allergy", "state", "intent", "need", "circumstance"]
Assertion = Literal["present", "absent", "possible", "hypothetical", "historical", "someone_else"]
Person = Literal["self", "child", "mother", "father", "wife", "husband", "grandmother", "grandfather", "sibling", "other"]
Status = Literal["otc", "dual", "rx", "banned_online"]
Level = Literal["self", "days", "today", "emergency"]
Quantity = Literal[
    "age_months",
    "weight_kg",
    "temperature",
    "hours",
    "systolic",
    "diastolic",
    "glucose",
    "glucose_fasting",
    "hba1c",
    "haemoglobin",
    "pregnancy_weeks",
    "times",
    "oxygen",
    "pulse",
    "pills",
    "grams",
]
Sex = Literal["female", "male"]
Stage = Literal["infant", "child", "adult", "elderly"]
Known = Literal["yes", "no", "unknown"]
SlotName = Literal[
    "person",
    "age",
    "sex",
    "weight",
    "pregnancy",
    "lactation",
    "allergies",
    "conditions",
    "drugs",
    "work",
    "complaint",
    "duration",
    "severity",
    "temperature",
    "cough",
]
STRICTNESS: tuple[Status, ...] = ("otc", "dual", "rx", "banned_online")
URGENCY: tuple[Level, ...] = ("self", "days", "today", "emergency")


def _regex(pattern: str) -> str:
    re.compile(pattern, re.VERBOSE)
    return pattern


Words: TypeAlias = tuple[Annotated[str, Field(min_length=1)], ...]
Regex = Annotated[str, AfterValidator(_regex)]


class Row(Config):
    """What every row may say: where it comes from, whether somebody opened that document, who approved a loosening."""

    source: str = ""
    version: str = "1"
    checked: bool = False
    approved_by: str = ""
    approved_on: date | None = None


class FindingRow(Row):
    """A finding with the ways people say it. A wording that stands in two rows tells of both findings.

    Attributes:
        name: the standard term; rules name it.
        kind: need: an idiom or a wish that hides what is spelt like a finding in it. circumstance: what goes on around a
            finding (跑步时, 坐飞机, 培训要用); no finding of anybody, only rules see it, and nothing denies it.
        words: literal wordings, bare: without denial, time and degree; 疼 is written 痛.
        pairs: groups of words (`[group]` of the same files), parted by blanks; a word of each within one clause, in any order
            and not far apart, tells the finding too: "电池 吞下". With … among them a comma may stand between.
        is_a: broader findings; a rule that names one holds for this one too.
    """

    name: str
    kind: FindingKind
    words: Words = ()
    pairs: Words = ()
    is_a: Words = ()


class DrugRow(Row):
    """A medicine: generic, brand or compound, with its other names.

    Attributes:
        drug_class: the name of a class; `status`: how it is sold.
        ordinary: names that are ordinary Chinese too, read as the drug only in the company of a medicine's words.
    """

    name: str
    names: Words = ()
    drug_class: str = Field("", alias="class")
    status: Status
    ordinary: Words = ()


class ClassRow(Row):
    """A class of medicines and the words for it.

    Attributes:
        treats: the complaints, as findings.toml names them, that somebody has who asks for one.
    """

    name: str
    words: Words
    status: Status
    treats: Words = ()


class StemRow(Row):
    """An ending (沙坦) or beginning (头孢) that makes an unknown word a drug of that class."""

    ending: str = ""
    starting: str = ""
    drug_class: str = Field("", alias="class")
    status: Status

    @model_validator(mode="after")
    def _one(self) -> StemRow:
        if bool(self.ending) == bool(self.starting):
            raise ValueError("a stem has either `ending` or `starting`")
        return self


class VerbRow(Row):
    """A word of one character that is a finding only where such a word can stand.

    Attributes:
        word: the character; `concept`: the finding.
        before, after: regular expressions (before: ending at the word) of what must stand beside it; an empty `before` is the
            table's common one. A clause's edge and a word for a person before it do as well.
    """

    word: Annotated[str, Field(min_length=1, max_length=1)]
    concept: str
    before: Regex = ""
    after: Regex


class CueRow(Row):
    """A trigger of ConText (Harkema et al. 2009, doi:10.1016/j.jbi.2009.05.002), adapted to Chinese.

    Attributes:
        words: literal words; the longest one in a place counts, so that 有没有 hides 没有. <take> stands for every word of the
            list `take` of `[lists]`: "没<take>过" is 没吃过, 没用过 …
        pattern: a regular expression in verbose form, for cues that no list of words holds (吃了三个月了); <take> stands for a
            list here, too, and \\0 for a character of a mention. It hides the shorter cues in its place, as a longer word does.
        sets: the assertion; "none" only hides shorter cues; "break" ends the scope of those before it; "present" also undoes
            what they set.
        towards: which way the cue reaches.
        reach: "next" the nearest mention with nothing but fillers between, "list" that one and those listed with it,
            "clause" up to a comma, "sentence" up to its end.
        kinds: which mentions it speaks of; "disease", "injury", "state": of findings only those that are one; "happened":
            those told as having happened (骨折了).
        opens: whether it only counts for a mention that its clause begins with (荨麻疹能吹风吗, but not 我荨麻疹能吹风吗).
        asks: whether it only counts where the mention's clause asks (会不会, 吗, ？ …), or only where it doesn't.
        strength: of several cues that reach a mention the stronger one counts, of equal ones the nearer.
    """

    words: Words = ()
    pattern: str = ""
    sets: Assertion | Literal["none", "break"]
    towards: Literal["forward", "backward", "both"] = "forward"
    reach: Literal["next", "list", "clause", "sentence"] = "next"
    kinds: tuple[Literal["finding", "disease", "injury", "state", "happened", "drug"], ...] = ("finding",)
    opens: bool = False
    asks: Literal["any", "yes", "no"] = "any"
    strength: Literal["weak", "normal", "strong"] = "normal"


class ValueRow(Row):
    """How a quantity is told.

    Attributes:
        quantity: what it is; `number` is in the unit of its name.
        pattern: a regular expression in verbose form over the plain text. {n} stands for a number (12, 3.5, 十二, 半), {some}
            for that or a word for some (几, 好几, 十几), {words} for any of `words`; {baby} and {no_body} stand in the table.
            Its groups: `n` the number; `half` adds a half; `tenths` a digit behind the point (半 is 5); `months` more months;
            `unit` a word of `units`; `word` one of `words`; `second` the number of the quantity `second`; `often` how often
            in that time: it isn't part of the value, and one such time is none (一天三次).
        units: what a unit multiplies with; `factor`: what every number of this row multiplies with; `plus`: what is added.
        words: words that are a number of their own.
        fixed: the number where the pattern has no `n` (满月 is one month).
        not_before: what may not stand right before the number; `needs_before`: what must stand shortly before it, unless it is
            the whole text.
        examples: texts and the number that each tells; `never`: texts in which this quantity isn't told.
    """

    quantity: Quantity
    pattern: str
    units: Mapping[str, float] = Field(default_factory=dict)
    words: Mapping[str, float] = Field(default_factory=dict)
    factor: float = 1.0
    plus: float = 0.0
    fixed: float | None = None
    second: Quantity | None = None
    not_before: str = ""
    needs_before: str = ""
    examples: Annotated[Mapping[str, float], Field(min_length=1)]
    never: Words = ()


class FeatureRow(Row):
    """Words beside a finding that say how it is: sudden, severe, worse, again …

    Attributes:
        across: whether they may stand in the clause behind the finding's, too (心慌，歇会儿就好).
    """

    name: str
    words: Words
    across: bool = False


class PersonRow(Row):
    """A word for a person.

    Attributes:
        someone_else: whether nobody seeks advice for this person unless it is said (同事, 邻居).
        refers: whether it is a word for somebody named before (他, 她).
        among_children: whether it is a child of the house where children are spoken of (哥哥, 妹妹).
        passing: what makes the word no patient when it stands right before it: 给我来点, 生完孩子.
    """

    words: Words
    person: Person
    sex: Sex | None = None
    stage: Stage | None = None
    someone_else: bool = False
    refers: bool = False
    among_children: bool = False
    passing: Words = ()


class UrgencyRow(Row):
    """What is said to somebody who must be seen, and by when.

    Attributes:
        message: what the shopper reads; `first_aid`: what to do until help is there.
        never_resolved: whether a later 没事了 doesn't end it.
        closing: whether the common closing sentence about buying medicine follows.
        seen_only: whether only a doctor's word ends it, and not that it is gone (a stroke that passed within minutes).
        again: by which forms of `again_of` in replies.toml it is said again; empty: by its name. Rules that share them are one.
    """

    id: str
    level: Level
    name: str
    message: str
    first_aid: str = ""
    never_resolved: bool = False
    closing: bool = True
    seen_only: bool = False
    again: str = ""


class TriageRow(UrgencyRow):
    """When somebody must be seen.

    Attributes:
        when: conditions in the rule's language (docs/assistant.md); one of them is enough.
        unless: conditions with which it isn't raised.
        must, must_not: messages that raise it and that don't; they are tried when the rulebook is loaded.
    """

    when: Annotated[tuple[str, ...], Field(min_length=1)]
    unless: tuple[str, ...] = ()
    must: tuple[str, ...] = Field(min_length=8)
    must_not: tuple[str, ...] = Field(min_length=6)


class LookRow(UrgencyRow):
    """What the second look at a turn says where no rule holds of it (`medasst.safety.second_look`).

    Attributes:
        threshold: the score from which on it speaks.
        weights: the table beside this one that holds what each piece of text weighs; a script writes it.
    """

    threshold: float
    weights: str


class Weights(Config):
    """What pieces of text say for a level: the score of a text is `bias` and the weights of its pieces over the square root of
    how many of them are known."""

    bias: float
    pieces: Mapping[str, float]


class SignRow(Config):
    """Words that are alike to the second opinion on what is said of a mention (`medasst.lexicon.opinion`).

    Attributes:
        sign: the capital that stands for them; none of S, C, H, O, R, F, D, N, which stand for persons, mentions and numbers.
        pattern: the words, in a text whose numbers are N.
    """

    sign: str = Field(pattern="^[A-BEGI-MPQT-Z]$")
    pattern: Regex


class Voices(Config):
    """What the second opinion weighs: signs, how far the cues are trusted, and what pieces of a message say.

    Attributes:
        cue: how much it counts what a cue says; `otherwise`: what is said by other rules (a list, whose it is); `silence`: that
            nothing is said.
        bias, pieces: of each assertion, in the order of `Assertion`: what it starts with; what each piece adds, in hundredths,
            over the square root of how many pieces are known. A script writes both.
    """

    sign: tuple[SignRow, ...] = ()
    cue: float = Field(default=0.0, ge=0)
    otherwise: float = Field(default=0.0, ge=0)
    silence: float = Field(default=0.0, ge=0)
    bias: tuple[float, float, float, float, float, float] = (0.0,) * 6
    pieces: Mapping[str, tuple[int, int, int, int, int, int]] = {}


class QuestionRow(Row):
    """A question to the shopper.

    Attributes:
        slots: what it asks for.
        text: the question as it is asked, and by which it is recognised in a reply; `also`: how it was worded before.
        options: answers offered as buttons; each is read as `[[answer]]` says.
        number: what a bare number answers, in the order in which it is asked (age before weight).
        free: the slot that takes whatever is answered, in the shopper's words, where nothing else is read in it.
    """

    id: str
    slots: tuple[SlotName, ...] = Field(min_length=1)
    text: str
    also: Words = ()
    options: Words = ()
    number: tuple[SlotName, ...] = ()
    free: SlotName | None = None


class AnswerRow(Row):
    """How an answer to a question is read, where it means nothing without the question.

    Attributes:
        to: ids of questions; none: any question.
        words: the answer, as a whole clause of the turn, without particles (呢, 的, 了); 疼 is written 痛.
        sets: slot → yes, no or unknown (doesn't know). The slot "*" stands for every slot of the question.
        what: slot → what it is.
        low, high: slot → bounds, in the slot's unit.
        person, stage: who it is about.
    """

    to: Words = ()
    words: Words
    sets: Mapping[SlotName | Literal["*"], Known] = Field(default_factory=dict)
    what: Mapping[SlotName, str] = Field(default_factory=dict)
    low: Mapping[SlotName, float] = Field(default_factory=dict)
    high: Mapping[SlotName, float] = Field(default_factory=dict)
    person: Person | None = None
    stage: Stage | None = None
    sex: Sex | None = None


class SlotRow(Row):
    """How a slot of a person is filled, besides by answers.

    Attributes:
        noun: a regular expression for what is denied in general (没有过敏和慢性病).
        findings: those, and all narrower ones, that fill it when they are present.
        history: whether they do so too where they are over (得过胃溃疡).
    """

    name: SlotName
    noun: Regex
    findings: Words = ()
    history: bool = False


class ToldRow(Row):
    """A wording that fills a slot by itself.

    Attributes:
        pattern: a regular expression.
        what, number, sex: what the slot holds then.
    """

    slot: SlotName
    known: Known
    pattern: Regex
    what: str = ""
    number: float | None = None
    sex: Sex | None = None


class MatterRow(Row):
    """A matter of the shop, or talk that is about no medicine, and what is said to it.

    Attributes:
        kind: shop: the shop's own words answer; talk: courtesies and what the assistant is; decline: nothing for this counter.
        asks: regular expressions over the plain text of a turn, without the names of medicines in it; one is enough.
        unless: expressions with which it isn't meant.
        whole: whether an expression must be the whole turn, letters alone (谢谢 is thanks, 谢谢，那发烧呢 isn't).
        alone: whether it only counts where the turn speaks of no medicine and of nobody's complaint.
        over: broader matters that aren't meant where this one is.
        name: what the matter is called where the shop gave no words for it; "": then `answer` is enough.
        answer: what is true in every shop, said before the shop's own words; {shop} is its name.
        reach: whether how to reach a pharmacist follows in any case; it does where the shop gave no words for what has a name.
        brief: what is said where all that was said before.
        must, must_not: turns in which it is meant, and in which it isn't; they are tried like those of triage.
    """

    id: str
    kind: Literal["shop", "talk", "decline"] = "shop"
    asks: Annotated[tuple[Regex, ...], Field(min_length=1)]
    unless: tuple[Regex, ...] = ()
    whole: bool = False
    alone: bool = False
    over: Words = ()
    name: str = ""
    answer: Words = ()
    reach: bool = False
    brief: str = ""
    must: Words = Field(min_length=8)
    must_not: Words = Field(min_length=6)


class ReactionRow(Row):
    """What is said to an adverse reaction that a shopper tells.

    Attributes:
        findings: what was felt, or broader; `drugs`: after which medicines or classes only.
        unless_for: classes that are taken for it, or bring it on purpose.
        stop: whether a prescription medicine is stopped, too, before a doctor is asked.
        expected: whether it is a known and harmless effect of the medicine: then nothing is stopped and nothing reported.
        sentence: what to do, and when it is an emergency.
    """

    id: str
    findings: Annotated[Words, Field(min_length=1)]
    drugs: Words = ()
    unless_for: Words = ()
    stop: bool = False
    expected: bool = False
    sentence: str
