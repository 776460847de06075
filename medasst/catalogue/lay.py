"""Lay Chinese: one symptom in many wordings, and whether a shopper says it or denies it.

Denial is read narrowly, so that a symptom counts when in doubt: 没有胸痛 and 没有发烧、胸痛 deny 胸痛; 没有力气、胸口痛,
是不是心梗 and 没有发烧，胸痛 don't.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

from medasst.catalogue.names import NameFinder
from medasst.disk import package_file
from medasst.text import comparison_key, normalise

_DEGREE = re.compile(
    r"有一?点儿?|有一?些|特别|非常|一直|总是?|老是|老(?!人)|经常|突然|开始|比较|挺(?!着)|(?<![不安])好(?=痛|痒|干|胀)|很|太|真|又|还|也|都|的|得|了|着|里面|"
    r"一阵阵|隐隐|感觉|觉得|啊|呀|呢"
)
_WHOSE = re.compile(r"^(?:小孩|孩子|宝宝|婴儿|儿童|孕妇|老人)")
_ALLERGIC_TO = re.compile(r"对[^，。！？；]{1,16}过敏")  # a history, not a symptom
_CLAUSE_END = re.compile(r"[，。！？；,.!?;\n]")

# A negator that is half of a question (有没有, 是不是) or of a guess (怕不是) denies nothing.
_NEGATOR = r"(?:否认|(?<![有是会能要好忍行怕莫道])(?:并没有?|并无|没有?|未见|未曾|未|无|不|并不))"
_FILLER = r"(?:有|见|出现|发生|感觉到?|感到|觉得|什么|任何|明显的?|过|再|怎么|太|那么|很|特别|伴有?|是|被|让)*"
_SYMPTOM = (
    r"(?:发[烧热]|高[烧热]|低[烧热]|咳嗽|咳痰|头[痛晕昏]|恶心|呕吐|腹[痛泻胀]|肚子痛|拉肚子|胸[痛闷]|胸口[痛闷]|心慌|气[短促喘]|呼吸困难|"
    r"出血|流血|抽搐|惊厥|昏迷|乏力|鼻塞|流涕|流鼻涕|咽痛|嗓子痛|皮疹|过敏|外伤|便血|黑便|吐血|呕血|咳血|麻木|其他不适|不适|不舒服)"
)
_DENIED_BEFORE = re.compile(rf"{_NEGATOR}{_FILLER}(?:{_SYMPTOM}(?:、|和|或者?|及|以及|也|跟|与|，?也?没有?)?)*$")
_DENIED_AFTER = re.compile(r"^(?:呢|倒是?|都|也|已经|现在|目前|暂时)*(?:没有|没|无)(?:了|过|出现)?(?=$|[，。！？；、,.!?;\n])")

_PAST = re.compile(
    r"[0-9几一二两三四五六七八九十多来好]+年(?:多|以)?前|以前(?:得|患|有|也|就)?|从前|曾经?|既往|小时候|前年|去年|过去得|病史|后遗症"
)
_PRESENT = re.compile(
    r"现在|今[天早晚]|昨[天晚]|刚|正在|突然|又|再次|一直|开始|起$|反复|最近|这[几两]?[天次]|目前|仍|还|越来越|持续|至今|到现在"
)

_CLAUSE = 200  # characters of a clause that are looked at around a word; no spoken clause is longer
_MANY = 50


def lay_key(text: str) -> str:
    """What lay wordings are compared by: letters only, words of degree left out, 疼 as 痛."""
    return _DEGREE.sub("", comparison_key(text).replace("疼", "痛"))


def clauses(text: str) -> list[str]:
    """The text cut at every mark but 、, which only lists."""
    return [part for part in _CLAUSE_END.split(text) if part.strip()]


def plain(text: str) -> str:
    """Text as patterns read it: normalised, lower case, 疼 as 痛, no blanks; line breaks become commas."""
    return re.sub(r"[^\S\n]+", "", normalise(text).lower().replace("疼", "痛")).replace("\n", "，")


def blocks(turns: Sequence[str], size: int = 4000) -> Iterator[list[str]]:
    """Turns in groups of at most `size` characters, or of one turn: so much one pattern reads at a time."""
    block: list[str] = []
    room = size
    for turn in turns:
        if block and len(turn) > room:
            yield block
            block, room = [], size
        block.append(turn)
        room -= len(turn) + 1
    if block:
        yield block


def affirmed(pattern: re.Pattern[str], text: str, *, now: bool = False) -> re.Match[str] | None:
    """The first match in a `plain` text that is not denied; with `now`, nor long over.

    Words that are denied time and again count as said: nobody talks so, and reading stays in proportion to the text.
    """
    for found, match in enumerate(pattern.finditer(text), 1):
        told = not denied(text, *match.span()) and not (now and past(text, *match.span()))
        if told or found == _MANY:
            return match
    return None


def denied(text: str, start: int, end: int) -> bool:
    """Whether what stands at `start:end` of a `plain` text is denied within its clause."""
    return bool(_DENIED_BEFORE.search(_before(text, start)) or _DENIED_AFTER.match(text[end : end + _CLAUSE]))


def past(text: str, start: int, end: int) -> bool:
    """Whether what stands at `start:end` of a `plain` text is told as long over: a word of the past, none of the present."""
    before = _before(text, start)
    after = _CLAUSE_END.split(text[end : end + _CLAUSE])[0]
    over = _PAST.search(before) or re.search(r"^(?:的?病史|史|后遗症)|^过(?!敏|度|量|多|一会|后|程|来|去)", after)
    return bool(over) and not _PRESENT.search(before + after)


def _before(text: str, start: int) -> str:
    """The clause up to `start`."""
    return _CLAUSE_END.split(text[max(0, start - _CLAUSE) : start])[-1]


class LayWords:
    """Groups of wordings for one symptom, from `lay_words.toml`."""

    def __init__(self, groups: Iterable[Iterable[str]]) -> None:
        self._canonical: dict[str, str] = {}
        self._wordings: dict[str, list[str]] = {}
        for first, *others in groups:
            for wording in (first, *others):
                self._canonical.setdefault(lay_key(wording), first)
            self._wordings[first] = [first, *others]

    @classmethod
    @cache
    def load(cls) -> LayWords:
        """The table of this package."""
        return cls(tomllib.loads(package_file("catalogue/lay_words.toml").read_text("utf-8"))["groups"])

    def canonical(self, symptom: str) -> str:
        """The wording that stands for this symptom's group, or the symptom itself; whose it is (小孩发烧) is left out."""
        bare = _WHOSE.sub("", symptom)
        return self._canonical.get(lay_key(symptom)) or self._canonical.get(lay_key(bare)) or bare

    def finder(self, symptoms: Iterable[str]) -> NameFinder[str]:
        """Finds every wording of these symptoms (canonical ones) in a `lay_key`."""
        return NameFinder(
            (lay_key(wording), symptom) for symptom in symptoms for wording in {symptom, *self._wordings.get(symptom, ())}
        )


def symptoms_said(text: str, finder: NameFinder[str]) -> list[str]:
    """The symptoms that `text` affirms, in order, each once."""
    said: dict[str, None] = {}
    denials: Counter[str] = Counter()
    for clause in clauses(_ALLERGIC_TO.sub("，", plain(text))):
        key = lay_key(clause)
        for span in finder.find(key):
            new = [symptom for symptom in span.values if symptom not in said]
            if not new:
                continue
            denials[span.name] += 1
            if denials[span.name] >= _MANY or not denied(key, span.start, span.end):
                said.update(dict.fromkeys(new))
    return list(said)
