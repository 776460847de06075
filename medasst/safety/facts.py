"""What shoppers say of themselves or of the patient, read from their turns by patterns. What is not said is unknown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from medasst.catalogue.lay import affirmed, blocks, denied, plain

_DIGITS = {c: n for n, c in enumerate("零一二三四五六七八九")} | {"两": 2, "半": 0}
_PREGNANT = re.compile(
    r"孕妇|怀孕|怀着|孕[0-9一二三四五六七八九早中晚]|孕期|妊娠|有喜|怀了|孕周|胎儿|(?<!不)备孕|准备怀|想要孩子|准备要孩子"
)
_NURSING = re.compile(r"哺乳|喂奶|母乳|奶孩子|坐月子")
_CHILD = re.compile(
    r"宝宝|婴儿|幼儿|孩子|小孩|小朋友|儿子|女儿|闺女|娃|宝贝|孙子|孙女|外孙|新生儿|儿童|小儿|(?<!哺)(?<!喂)奶粉"
)
_NOT_A_PATIENT = re.compile(
    r"孩子(还)?能(不能)?要|(想要|准备要|生完?|生了|有|带|怕传染(给)?|传染(给)?)(个)?(孩子|宝宝|娃)|生孩子"
)
_ELDERLY = re.compile(r"老人|奶奶|爷爷|姥姥|姥爷|外公|外婆|老年|[6-9][0-9]多?岁|[六七八九]十.{0,2}岁")
_YEARS = re.compile(r"(?<![0-9])([0-9]{1,2}|[一二两三四五六七八九十]{1,3})(?:周)?岁(半)?(?!以下|以上|以内)")
_MONTHS = re.compile(r"(?<![0-9])([0-9]{1,2}|[一二两三四五六七八九十]{1,3})个(半)?多?月(?!前|了?没)")
_ADULT = re.compile(
    r"成人|大人|成年|老公|老婆|我妈|我爸|爸爸|妈妈|丈夫|妻子|男朋友|女朋友|老师|上班|开车|月经|大姨妈|痛经|备孕|孕妇|怀孕|哺乳"
)
_ALLERGY = re.compile(
    r"对(?P<to>[^，。！？；、\s]{1,12}?)(?:有|会|都|也)?过敏|(?P<plain>青霉素|头孢|磺胺|阿司匹林|布洛芬|碘|海鲜|鸡蛋|牛奶|酒精|对乙酰氨基酚|维生素|花粉|[\u4e00-\u9fff]{2,6}(?:片|胶囊|乳膏|软膏))(?:有|会)?过敏"
)
_MOST = 24  # allergies or drugs of one person; more of them are no list but noise, and each is held against each product
_CHRONIC = {
    "高血压": r"高血压|血压高",
    "糖尿病": r"糖尿病|血糖高|糖友",
    "胃溃疡": r"胃溃疡|十二指肠溃疡|消化性溃疡|胃出血|胃病史",
    "肝病": r"肝(?:不好|病|炎|硬化|功能|损伤)|乙肝|脂肪肝",
    "肾病": r"肾(?:不好|病|炎|功能|衰|结石|损伤)|尿毒症",
    "哮喘": r"哮喘",
    "心脏病": r"心脏病|冠心病|心衰|心律失常|房颤|心脏不好|支架",
    "青光眼": r"青光眼",
    "前列腺增生": r"前列腺(?:增生|肥大)",
    "癫痫": r"癫痫",
    "痛风": r"痛风",
    "蚕豆病": r"蚕豆病|g6pd",
    "甲状腺": r"甲亢|甲减|甲状腺",
    "血栓": r"血栓|抗凝",
    "凝血": r"凝血|血小板低|血友病",
    "抑郁症": r"抑郁症",
}
_CHRONIC_PATTERNS = {name: re.compile(pattern) for name, pattern in _CHRONIC.items()}


@dataclass(frozen=True, slots=True)
class Facts:
    """Who the medicine is for. None and empty mean "not said", which is never "no".

    Attributes:
        pregnant: pregnant or trying to be; False where denied.
        child: the patient is a child; False where an adult is named.
        child_months: the child's age in months.
        allergies: what the shopper says to be allergic to, in their words.
        drugs: other drugs being taken, in their words.
        chronic: names of chronic diseases.
        unread: something that was said is not in these facts: turns were left out, or more allergies or drugs were named
            than anybody has. Then allergy, pregnancy and drugs are unknown, whatever stands here.
    """

    pregnant: bool | None = None
    nursing: bool | None = None
    child: bool | None = None
    child_months: int | None = None
    elderly: bool | None = None
    allergies: tuple[str, ...] = ()
    drugs: tuple[str, ...] = ()
    chronic: tuple[str, ...] = ()
    unread: bool = False

    @property
    def tags(self) -> frozenset[str]:
        """The circumstances that an answer must have been written for."""
        said = {"pregnant": self.pregnant, "nursing": self.nursing, "child": self.child}
        return frozenset(
            [*(name for name, value in said.items() if value), *self.chronic, *(f"过敏:{a}" for a in self.allergies)]
        )

    @classmethod
    def of(cls, turns: Sequence[str], drugs: Sequence[str] = (), *, unread: bool = False) -> Facts:
        """What all user turns say, the later ones last; `drugs` are those they tell of taking.

        Args:
            unread: there were earlier turns, which nobody read.
        """
        texts = ["。".join(block) for block in blocks([plain(turn) for turn in turns])]
        months = _child_months(texts)
        child = True if months is not None or any(_CHILD.search(_NOT_A_PATIENT.sub("", text)) for text in texts) else None
        years = _years(texts)
        if child is None and (any(map(_ADULT.search, texts)) or (years is not None and years >= 18)):
            child = False
        allergies, taken = _allergies(texts), tuple(dict.fromkeys(drugs))
        pregnant, nursing = _said(_PREGNANT, texts), _said(_NURSING, texts)
        return cls(
            pregnant=None if unread and not pregnant else pregnant,
            nursing=None if unread and not nursing else nursing,
            child=child,
            child_months=months,
            elderly=_said(_ELDERLY, texts),
            allergies=allergies[:_MOST],
            drugs=taken[:_MOST],
            chronic=tuple(name for name, pattern in _CHRONIC_PATTERNS.items() if _said(pattern, texts)),
            unread=unread or max(len(allergies), len(taken)) > _MOST,
        )


def _said(pattern: re.Pattern[str], texts: Sequence[str]) -> bool | None:
    if any(affirmed(pattern, text) for text in texts):
        return True
    return False if any(map(pattern.search, texts)) else None


def _number(text: str) -> int:
    if text.isdigit():
        return int(text)
    tens, ten, ones = text.partition("十")
    if not ten:
        return _DIGITS.get(text[-1], 0)
    return (_DIGITS.get(tens, 1) if tens else 1) * 10 + (_DIGITS.get(ones, 0) if ones else 0)


def _years(texts: Sequence[str]) -> int | None:
    match = _age(texts)
    return _number(match[1]) if match else None


def _age(texts: Sequence[str]) -> re.Match[str] | None:
    return next(filter(None, map(_YEARS.search, texts)), None)


def _child_months(texts: Sequence[str]) -> int | None:
    """The child's age: years below 18, or months near a word for a child."""
    if match := _age(texts):
        years = _number(match[1])
        return years * 12 + (6 if match[2] else 0) if years < 18 else None
    for text in texts:
        for match in _MONTHS.finditer(text):
            around = text[max(0, match.start() - 6) : match.end() + 5]
            if _CHILD.search(around) and not re.search(r"[烧热咳嗽吐泻拉痒痛孕]" + re.escape(match[0]), around):
                return _number(match[1])
    return None


def _allergies(texts: Sequence[str]) -> tuple[str, ...]:
    """What the texts tell of not tolerating, each once; one more than `_MOST` of them is enough."""
    found: dict[str, None] = {}
    for match in (match for text in texts for match in _ALLERGY.finditer(text)):
        words = match["to"] or match["plain"]
        if words not in found and not re.search(r"什么|啥|哪|是否|是不是|有没有", words) and _tells_of(match):
            found[words] = None
        if len(found) > _MOST:
            break
    return tuple(found)


def _tells_of(match: re.Match[str]) -> bool:
    return not match.string.startswith("性", match.end()) and not denied(match.string, *match.span())
