"""The language in which a rule says when it holds: concepts, persons, values and time, of one person.

    胸闷 + 出冷汗|放射痛            both, the second in either form
    头痛[突然]   发热[时>=72]       how it is; how long, in hours; 腹泻[次>=6] how often
    对乙酰氨基酚[片>=10] [克>=4]    how much of a medicine was taken
    月龄<3  体温>=39  岁>=65         a value of this person
    婴儿 儿童 成人 老人 男 女 孕妇    who it is
    药物                            any medicine
    史:主动脉瘤                     has or had it
    提:百草枯                       spoken of in whatever way, but neither denied nor somebody else's
    无:咳嗽                         not told as present

Without a prefix a finding counts when it is present or possible, a medicine when it is or was taken in this episode.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from medasst.dialogue import Patient, Said
from medasst.lexicon import Mention
from medasst.lexicon.values import Quantity

_QUANTITIES: dict[str, tuple[Quantity, float]] = {  # name → quantity, and its unit in units of the quantity
    "月龄": ("age_months", 1),
    "岁": ("age_months", 12),
    "体温": ("temperature", 1),
    "高压": ("systolic", 1),
    "低压": ("diastolic", 1),
    "血糖": ("glucose", 1),
    "空腹血糖": ("glucose_fasting", 1),
    "糖化": ("hba1c", 1),
    "血红蛋白": ("haemoglobin", 1),
    "血氧": ("oxygen", 1),
    "心率": ("pulse", 1),
    "孕周": ("pregnancy_weeks", 1),
    "体重": ("weight_kg", 1),
}
_WHO: dict[str, Callable[[Patient], bool]] = {
    "婴儿": lambda patient: patient.stage == "infant",
    "儿童": lambda patient: patient.stage in ("infant", "child"),
    "成人": lambda patient: patient.stage not in ("infant", "child"),
    "老人": lambda patient: patient.stage == "elderly",
    "男": lambda patient: patient.sex == "male",
    "女": lambda patient: patient.sex == "female",
    "孕妇": lambda patient: (
        "pregnancy_weeks" in patient.values or any(_tells(said.mention, "", "怀孕") for said in patient.said)
    ),
}
_MEASURES: dict[str, Callable[[Mention], float | None]] = {
    "时": lambda mention: mention.hours,
    "次": lambda mention: mention.times,
    "片": lambda mention: mention.pills,
    "克": lambda mention: mention.grams,
}
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_VALUE = re.compile(r"(?P<name>\S+?)(?P<sign>>=|<=|>|<)(?P<number>[0-9]+(?:\.[0-9]+)?)")
_CONCEPT = re.compile(r"(?:(?P<prefix>史|提|无):)?(?P<name>[^\[\]:<>|+\s]+)(?:\[(?P<how>[^\]]+)\])?")

Prefix = Literal["", "史", "提", "无"]
_PREFIXES: dict[str | None, Prefix] = {None: "", "史": "史", "提": "提", "无": "无"}


@dataclass(frozen=True, slots=True)
class _Test:
    """One alternative of a term: what it asks of a patient."""

    holds: Callable[[Patient], bool] | None = None
    prefix: Prefix = ""
    concept: str = ""
    broader: frozenset[str] = frozenset()
    how: tuple[Callable[[Mention], bool], ...] = ()

    def says_the_same(self, other: _Test) -> bool:
        """Whether one concept is a kind of the other."""
        return self.concept in other.broader or other.concept in self.broader

    def ways(self, patient: Patient, among: Sequence[Said]) -> Iterator[tuple[Said, ...]]:
        """Each way in which it holds: the mention that fulfils it, the newest first; nothing where no mention is needed."""
        if self.holds is not None:
            if self.holds(patient):
                yield ()
            return
        found = (
            (said,)
            for said in reversed(among)
            if _tells(said.mention, self.prefix, self.concept) and all(test(said.mention) for test in self.how)
        )
        if self.prefix != "无":
            yield from found
        elif next(found, None) is None:
            yield ()


@dataclass(frozen=True, slots=True)
class Condition:
    """Terms that must all hold of one person; a term holds if one of its alternatives does.

    One mention doesn't fulfil a concept and a broader one: 躺不平 is no 不能平卧 + 呼吸困难; but 前胸后背痛 is 胸痛 + 背痛.

    Attributes:
        needs: of each term that only mentions can fulfil, the concepts one of which must be told.
    """

    terms: tuple[tuple[_Test, ...], ...]
    needs: tuple[frozenset[str], ...] = ()

    def may_hold(self, told: Collection[str]) -> bool:
        """Whether enough was told at all; `told`: every concept of a person's mentions, with the broader ones."""
        return all(not need.isdisjoint(told) for need in self.needs)

    def of(self, patient: Patient, among: Sequence[Said] | None = None) -> tuple[Said, ...] | None:
        """The mentions that fulfil it (possibly none, where only values do), or None if it doesn't hold.

        Args:
            among: the mentions that count; None: all of the patient's.
        """
        because = self._fulfilled(0, patient, patient.said if among is None else among, ())
        return None if because is None else tuple(dict.fromkeys(said for _, said in because))

    def _fulfilled(
        self, number: int, patient: Patient, among: Sequence[Said], because: tuple[tuple[_Test, Said], ...]
    ) -> tuple[tuple[_Test, Said], ...] | None:
        if number == len(self.terms):
            return because
        for test in self.terms[number]:
            for found in test.ways(patient, among):
                if any(said is one and test.says_the_same(other) for said in found for other, one in because):
                    continue
                rest = self._fulfilled(number + 1, patient, among, (*because, *((test, said) for said in found)))
                if rest is not None:
                    return rest
        return None


def parse(
    text: str, concepts: Collection[str], features: Collection[str], broader: Callable[[str], frozenset[str]]
) -> Condition:
    """Read a condition.

    Args:
        concepts: every concept that there is, broader ones among them; features: the words for how something is.
        broader: a concept with every broader one.

    Raises:
        ValueError: it isn't one, or it names a concept or feature that no table has.
    """
    terms = tuple(
        tuple(_test(alternative.strip(), concepts, features, broader) for alternative in _split(term, "|"))
        for term in _split(text, "+")
    )
    by_mention = [term for term in terms if all(test.holds is None and test.prefix != "无" for test in term)]
    return Condition(terms, tuple(frozenset(test.concept for test in term) for term in by_mention))


def _split(text: str, mark: str) -> list[str]:
    """Cut at `mark` outside of brackets."""
    return re.split(rf"\s*{re.escape(mark)}\s*(?![^\[]*\])", text.strip())


def _test(text: str, concepts: Collection[str], features: Collection[str], broader: Callable[[str], frozenset[str]]) -> _Test:
    if text in _WHO:
        return _Test(holds=_WHO[text])
    if (value := _VALUE.fullmatch(text)) is not None:
        if value["name"] not in _QUANTITIES:
            raise ValueError(f"{value['name']!r} is no value; there are {', '.join(_QUANTITIES)}")
        quantity, unit = _QUANTITIES[value["name"]]
        return _Test(holds=_compares(quantity, value["sign"], float(value["number"]) * unit))
    match = _CONCEPT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no condition; see medasst/safety/conditions.py")
    if match["name"] not in concepts:
        raise ValueError(f"no table has a finding or medicine {match['name']!r}")
    how = tuple(_how(one, features) for one in re.split(r"[,，]", match["how"])) if match["how"] else ()
    return _Test(prefix=_PREFIXES[match["prefix"]], concept=match["name"], broader=broader(match["name"]), how=how)


def _compares(quantity: Quantity, sign: str, bound: float) -> Callable[[Patient], bool]:
    compare = _OPERATORS[sign]
    return lambda patient: quantity in patient.values and compare(patient.values[quantity], bound)


def _how(text: str, features: Collection[str]) -> Callable[[Mention], bool]:
    """突然; 突然|剧烈; 时>=72; 次>=6; 片>=10; 克>=4."""
    if (value := _VALUE.fullmatch(text.strip())) is not None and value["name"] in _MEASURES:
        compare, bound, of = _OPERATORS[value["sign"]], float(value["number"]), _MEASURES[value["name"]]
        return lambda mention: (told := of(mention)) is not None and compare(told, bound)
    names = frozenset(name.strip() for name in text.split("|"))
    if unknown := names - set(features):
        known = ", ".join([*sorted(features), *(f"{name}>=…" for name in _MEASURES)])
        raise ValueError(f"{', '.join(sorted(unknown))} is no feature; there are {known}")
    return lambda mention: bool(names & mention.features)


def _tells(mention: Mention, prefix: Prefix, concept: str) -> bool:
    if concept not in mention.broader:
        return False
    if prefix == "提":
        return mention.said_as("present", "possible", "hypothetical", "historical")
    if prefix == "史":
        return mention.said_as("present", "possible", "historical")
    return mention.said_as("present") if mention.kind == "drug" else mention.current
