"""How a person takes a product: of its leaflet's dosage section the sentences that are for this person.

Nothing is computed and nothing is added: what the leaflet doesn't say of somebody of this age and weight comes out empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from medasst.catalogue import Product
from medasst.dialogue import Patient
from medasst.lexicon.values import number
from medasst.text import sentences

_CHILDHOOD, _EVER = 216, 1500  # months
_KEPT = 4096  # leaflets that are kept as they were read

_N = r"(?:\d+(?:\.\d+)?|[一二三四五六七八九十两]+)"
_TO = r"[-~～—至到]"
_BETWEEN = re.compile(rf"(?<![约用续])(?P<low>{_N})(?P<unit_low>岁|个月|月龄)?{_TO}(?P<high>{_N})(?P<unit>岁|个月|月龄)")
_FROM = re.compile(rf"(?P<low>{_N})(?P<unit>岁|个月)(?:[(（]含.{{0,4}}[)）])?(?:及其?)?以上")
_BELOW = re.compile(rf"(?P<high>{_N})(?P<unit>岁|个月)(?:及其?)?(?P<within>以内|以下|内)")
_KG = r"(?:kg|公斤|千克)"
_KG_BETWEEN = re.compile(rf"(?<![约用续])(?P<low>{_N})(?:{_KG})?{_TO}(?P<high>{_N}){_KG}")
_KG_ABOVE = re.compile(rf"体重(?:大于|超过|高于)(?P<a>{_N}){_KG}|(?:体重)?(?P<b>{_N}){_KG}(?:及)?以上")
_KG_BELOW = re.compile(
    rf"体重(?:等于或)?(?:小于|低于|不足|不超过)(?P<a>{_N}){_KG}|(?:体重)?(?P<b>{_N}){_KG}(?P<with>及)?以下|体重等于或小于(?P<c>{_N}){_KG}"
)
_ADULT = re.compile(r"成人|成年人|大人")
_YOUNG = re.compile(r"青少年")
_BABY = re.compile(r"婴幼儿|婴儿|幼儿")
_CHILD = re.compile(r"儿童(?!剂型|装|规格|专用|能)|小儿|未成年|孩子")
_PREGNANT = re.compile(r"孕妇")
_OF_ALL = re.compile(r"^(?:均|各年龄|24小时|一日总量|每日总量|每[日天]不|不得|不可|连续|疗程|用前|用药|若|如)")
_MOST = re.compile(r"^(?:24小时内|一日总量|每日总量)")
_OFTEN = re.compile(r"[一每]?(?:日|天|晚)\d|一日|每日|每天|每晚|早晚|睡前|小时|顿服|每周|\d次|需要时|次日")
_MUCH = re.compile(
    rf"(?:半|{_N})\s*(?:{_TO}\s*(?:半|{_N})\s*)?(?:mg|μg|ml|g|毫升|毫克|克|片|粒|袋|包|支|滴|丸|喷|枚|瓶|贴|次|单位|%)|适量|少量|薄层|取本品|半[袋片支粒]"
)
_SEE_DOCTOR = re.compile(
    r"就医|就诊|医院|医[师生]|遵医嘱|药师|酌减|不要自行|(?:用量|具体|治疗.{0,12}|需要)(?:再次用药)?按说明书|不同年龄|疗程因|说明书未|另有口服"
)
_LOCAL = re.compile(r"外用|涂|搽|贴|滴眼|滴鼻|喷鼻|鼻腔|含漱|漱口|冲洗|淋湿|湿敷")
_COMMA = re.compile(r"[，,：:](?![^(（]*[)）])")


@dataclass(frozen=True, slots=True)
class _Band:
    """Of whom a clause speaks: ages in months and weights in kg, each from `low` to below `high`."""

    low: float = 0
    high: float = _EVER
    kg_low: float | None = None
    kg_high: float | None = None
    pregnant: bool = False
    by_weight: bool = False  # the weights stand beside the ages as the same band (1～3岁(10～15kg))


@dataclass(frozen=True, slots=True)
class _Clause:
    """A clause with its closing mark, and of whom it speaks; no bands: of those of the clauses before it, or of all."""

    text: str
    bands: tuple[_Band, ...]


_Sentence = tuple[tuple[_Clause, ...], ...]  # its parts between semicolons, each of clauses


def how(product: Product, patient: Patient) -> str:
    """What the leaflet's dosage section says for this person; empty where it says nothing for them or isn't told.

    Of a grown-up nobody said to be one: whoever isn't known to be a child is read as one.
    """
    section = product.section("dosage")
    return "" if section is None else _told(section.text, _age(patient), patient.slot("weight").number, _carries(patient))


@lru_cache(maxsize=_KEPT)
def _told(text: str, months: float | None, kg: float | None, pregnant: bool) -> str:
    """The sentences for somebody of this age (None: a child of unknown age) and weight."""
    parts = _read(text)
    bands = [band for sentence in parts for part in sentence for clause in part for band in clause.bands if _doses(clause)]
    child = months is None or months < _CHILDHOOD
    others = [band for sentence in parts for part in sentence for clause in part for band in clause.bands]
    left_out = any(months is None or band.low <= months < band.high for band in others if not band.pregnant)
    if not bands and child and (left_out or not _LOCAL.search(text)):
        return ""
    mine = frozenset(_of(bands, months, kg, pregnant))
    if bands and not mine:
        return ""
    said = [kept for sentence in parts if (kept := _kept(sentence, mine))]
    return "".join(said) if any(_MUCH.search(one) for one in said) else ""


def _kept(sentence: _Sentence, mine: frozenset[_Band]) -> str:
    """What of a sentence is for somebody under these bands."""
    doses = [clause for part in sentence for clause in part if clause.bands and _doses(clause)]
    if doses and all(mine.isdisjoint(clause.bands) for clause in doses):
        return ""
    kept: list[str] = []
    spoken: bool | None = None  # whether the bands named last in this sentence are this person's
    for part in sentence:
        words: list[str] = []
        often = True  # whether what is kept tells how often
        for clause in part:
            if clause.bands:
                spoken = _doses(clause) and not mine.isdisjoint(clause.bands)
                often = bool(_OFTEN.search(clause.text)) if spoken else often
            if _SEE_DOCTOR.search(clause.text) and not (clause.bands and spoken):
                if not clause.bands and not any(map(str.isdigit, "".join(words))):
                    words = []
                break
            if spoken is False and _MOST.search(clause.text) and "24小时内" in "".join((*kept, *words)):
                continue  # how much at most: theirs, as this person's is told already
            ours = spoken is not False or (not clause.bands and (_is_for_all(clause) or not often))
            if ours and (spoken is not False or often or _OFTEN.search(clause.text)):
                words.append(clause.text)
                often = often or bool(_OFTEN.search(clause.text))
        if words:
            kept.append("".join(words))
    text = "".join(one if one.endswith(("：", ":")) else one.rstrip("，,；;。") + "；" for one in kept).rstrip("；：:")
    return f"{text}。" if text else ""


def _is_for_all(clause: _Clause) -> bool:
    return bool(_OF_ALL.search(clause.text))


def _of(bands: list[_Band], months: float | None, kg: float | None, pregnant: bool) -> Iterator[_Band]:
    """The bands that somebody falls under. Where weights stand beside ages a known weight decides; of ages that overlap at
    their ends (1～2岁, 2～6岁) the later begun counts."""
    special = [band for band in bands if band.pregnant]
    if pregnant and special:
        yield from special
        return
    plain = [band for band in bands if not band.pregnant]
    child = months is None or months < _CHILDHOOD
    weighed = [band for band in plain if band.by_weight]
    if kg is not None and child and weighed:
        fitting = [band for band in weighed if (band.kg_low or 0) <= kg]
        lightest = max((band.kg_low or 0 for band in fitting), default=_EVER)
        by_weight = [band for band in fitting if band.kg_low == lightest and kg <= (band.kg_high or 0) + 1]
        if by_weight or not fitting:
            yield from by_weight
            return
    if months is None:
        return
    aged = [band for band in plain if band.low <= months < band.high]
    latest = max((band.low for band in aged), default=0)
    for band in aged:
        if band.low == latest and (kg is None or band.by_weight or (band.kg_low or 0) <= kg <= (band.kg_high or _EVER)):
            yield band


def _doses(clause: _Clause) -> bool:
    """Whether it tells those whom it names how much or how often, rather than to ask somebody or to take something else."""
    rest = clause.text
    for pattern in (_BETWEEN, _FROM, _BELOW, _KG_BETWEEN):
        rest = pattern.sub("", rest)
    return bool(_MUCH.search(rest) or (_OFTEN.search(rest) and not _SEE_DOCTOR.search(rest)))


# Reading


@lru_cache(maxsize=_KEPT)
def _read(text: str) -> tuple[_Sentence, ...]:
    return tuple(tuple(tuple(_clauses(part)) for part in parts) for parts in _by_sentence(text))


def _by_sentence(text: str) -> Iterator[list[str]]:
    """The sentences of a text, each as its parts between semicolons."""
    parts: list[str] = []
    for piece in sentences(text):
        parts.append(piece)
        if piece.endswith(("。", "!", "?", "！", "？", "\n")):
            yield parts
            parts = []
    if parts:
        yield parts


def _clauses(text: str) -> Iterator[_Clause]:
    """The clauses of a part; a clause that only adds a weight to the age before it is of that age."""
    start, before = 0, _Band()
    for match in [*_COMMA.finditer(text), None]:
        end = match.end() if match else len(text)
        piece, start = text[start:end], end
        if not piece:
            continue
        bands = tuple(_bands(piece, before))
        if bands:
            before = bands[0]
        yield _Clause(piece, bands)


def _bands(clause: str, before: _Band) -> Iterator[_Band]:
    """Of whom a clause speaks."""
    kg_low, kg_high, beside = _weights(clause)
    ages = [*_ages(clause)]
    if ages or kg_low is not None or kg_high is not None:
        for low, high in ages or [(before.low, before.high)]:
            yield _Band(low, high, kg_low, kg_high, by_weight=beside)
    if _ADULT.search(clause):
        yield _Band(_CHILDHOOD, _EVER)
    if _YOUNG.search(clause):
        yield _Band(144, _CHILDHOOD)
    if _PREGNANT.search(clause):
        yield _Band(pregnant=True)
    if not ages and kg_low is None and kg_high is None:
        if baby := _BABY.search(clause):
            yield _Band(0, 36 if "幼" in baby[0] else 12)
        elif _CHILD.search(clause):
            yield _Band(0, _CHILDHOOD)


def _ages(clause: str) -> Iterator[tuple[float, float]]:
    rest = clause
    for match in _BETWEEN.finditer(clause):
        low = _months(match["low"], match["unit_low"] or match["unit"])
        yield low, _months(match["high"], match["unit"]) + (12 if match["unit"] == "岁" else 1)
        rest = rest.replace(match[0], "")
    for match in _FROM.finditer(rest):
        yield _months(match["low"], match["unit"]), _EVER
    for match in _BELOW.finditer(rest):
        high = _months(match["high"], match["unit"])
        yield 0, high + (12 if match["within"] == "以内" and match["unit"] == "岁" and high > 12 else 0)


def _weights(clause: str) -> tuple[float | None, float | None, bool]:
    if match := _KG_BETWEEN.search(clause):
        return float(number(match["low"])), float(number(match["high"])), True
    if match := _KG_ABOVE.search(clause):
        return float(number(match["a"] or match["b"])) + (0.01 if match["a"] else 0), None, False
    if match := _KG_BELOW.search(clause):
        return None, float(number(match["a"] or match["b"] or match["c"])), False
    return None, None, False


def _months(amount: str, unit: str) -> float:
    return float(number(amount)) * (12 if unit == "岁" else 1)


def _age(patient: Patient) -> float | None:
    """Months; of grown-ups whose age isn't told any; None: a child of unknown age."""
    slot, told = patient.slot("age"), patient.values.get("age_months")
    months = told if told is not None else slot.number if slot.number is not None else slot.low
    if months is not None:
        return months
    return None if patient.stage in ("infant", "child") or slot.high is not None else float(_CHILDHOOD)


def _carries(patient: Patient) -> bool:
    return patient.slot("pregnancy").known == "yes"
