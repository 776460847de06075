"""Names of people: a surname and letters that names are made of, after a cue (姓名：, 我叫, 患者) or before a title (主任).

What looks like a name and is a word (任何, 高血压, 安静) is told by the dictionary that comes with jieba, which also teaches
which letters given names are made of: it holds some 70,000 names of people.
"""

from __future__ import annotations

import importlib.util
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from medasst.data.privacy.recogniser import HAN, any_of, words

_DATA = words()["names"]
COMMON = "".join(_DATA["surnames"].split())
_ALL = COMMON + "".join(_DATA["rare"].split())
_DOUBLE = any_of(_DATA["double"])
_TRANSCRIBED = "".join(sorted(set("".join(_DATA["transcribed"].split()))))
_DOUBLE_AT = re.compile(_DOUBLE)
_TITLES = any_of(_DATA["titles"])
_NOT_NAMES = tuple(_DATA["not_names"].split())
_FOLLOW = re.compile(rf"(?:{any_of(_DATA['follow'])}|{_TITLES})")
_LEAST = 3  # times that a letter stands in given names of the dictionary

_FIELDS = tuple(_DATA["fields"].split())
_CALLED = tuple(_DATA["called"].split())
_PEOPLE = tuple(_DATA["people"].split())
_TITLE_WORDS = tuple(_DATA["titles"].split())


def _last(cues: tuple[str, ...]) -> str:
    return f"(?<=[{''.join(sorted({cue[-1] for cue in cues}))}])"


# Where a cue may have ended: told by its last letter, then by `str.endswith`, which is much faster than an alternation.
_AFTER_FIELD = re.compile(rf"{_last(_FIELDS)}\s?(?:[:：是为]|\s|->|→)\s{{0,3}}[“\"「【]?(?=[{HAN}])")
_AFTER_CALLED = re.compile(rf"{_last(_CALLED)}做?\s?[“\"「【]?(?=[{HAN}])")
_AFTER_PEOPLE = re.compile(
    rf"{_last(_PEOPLE)}(?:是|叫做?|名叫|为|姓名)?[:：\s“\"（(【]{{0,2}}(?=[{COMMON}]|{_DOUBLE}|[{_TRANSCRIBED}]{{3}}|[{HAN}]{{1,7}}\s?[·•・])"
)
_AT_TITLE = re.compile(rf"(?<=[{HAN}])(?=[{''.join(sorted({title[0] for title in _TITLE_WORDS}))}])")
_TRANSCRIBED_AT = re.compile(rf"[{_TRANSCRIBED}]{{2,9}}(?: [{_TRANSCRIBED}]{{2,5}})?")
_NICKNAME = re.compile(rf"(?:小|阿|老|大)[{HAN}]{{1,2}}|([{HAN}])\1")
_DOTTED = re.compile(rf"[{HAN}]{{1,7}}(?:\s?[·•・‧∙⋅●]\s?[{HAN}]{{1,8}}){{1,3}}")
_DOT, _CAPITAL = re.compile("[·•・‧∙⋅●]"), re.compile("[A-Z][a-z]")
_EPONYM = re.compile(r"综合[征症]|氏|[病症征炎瘤癌菌毒酸素酯钠钾钙胺唑林星汀平]|试验|手术|评分|分级|体征|定律|反射|效应")
_CLAUSE = re.compile(rf"[^{HAN}]")
# Before a surname these belong to the sentence, not to the name.
# No given name is written with these.
_NEVER = frozenset(
    "谢的了在你我他她它您是有不没就也都还又很吗呢吧啊呀们个这那哪什么怎被把让给到得着过来去说做看查问吃喝打痛疼病症药血炎癌肿瘤糖尿便胃肝肾肺肠脑眼耳鼻喉脚腿腰头颈背腹胸皮肤医院科检后前下上候期量次"
    "和与或及但而且因如果会能可要想对从以于则应该并将已等些每各其此体性状况号床岁男女者感受治疗复患某确诊导致严重比较非常需服用法作配合经常情"
)
# Surnames that seldom begin a word: two letters after them are believed though the dictionary has them.
_SURE = "李刘陈赵吴徐郭郑蒋蔡薛潘邓姚邹廖谭"
_PINYIN = re.compile(
    r"(?:(?:姓名|名字|我叫|[Nn]ame is|[Nn]ame)\s?[:：是]?\s?(?P<stated>[A-Z][a-z]{1,5}\s[A-Z][a-z]+(?:[\s-]?[A-Za-z]?[a-z]+)?)"
    rf"|(?P<titled>[A-Z][a-z]{{1,5}}\s[A-Z][a-z]{{1,11}})\s?(?={_TITLES}))"
)
# 冯 志远, 张*伟*业, 仇（qiú）万福
_PARTED = re.compile(
    rf"(?:{_DOUBLE}|[{_ALL}])(?:[*＊·•_.\-\s]{{1,3}}|[（(][a-zA-Zà-üā-ǜ]{{1,8}}[0-9]?[）)])[{HAN}](?:[*＊·•_.\-]{{0,2}}[{HAN}])?"
)
_BEFORE = "找请问挂看是由经给让跟和与的为向谢院科室长任师生者人了约见去被及、在听对"


class Lexicon(NamedTuple):
    """What the dictionary teaches: words, those not tagged as names, names of people, and the letters of given names."""

    words: frozenset[str]
    plain: frozenset[str]
    people: frozenset[str]
    given: frozenset[str]


@cache
def lexicon() -> Lexicon:
    """jieba's dictionary, read once: words of two to four letters."""
    spec = importlib.util.find_spec("jieba")
    assert spec and spec.origin, "jieba is among the dependencies"
    found: set[str] = set()
    plain: set[str] = set()
    people: set[str] = set()
    letters: Counter[str] = Counter()
    for line in Path(spec.origin).with_name("dict.txt").read_text("utf-8").splitlines():
        word, _, kind = line.split(" ")
        if not 2 <= len(word) <= 4:
            continue
        person = kind.startswith("nr")
        if not person:
            plain.add(word)
        if person and word[0] in COMMON:
            letters.update(word[1:])
        # Of two letters most that are tagged as names are words: 明白, 谢谢, 安静.
        (people if person and (len(word) > 2 or word[0] in _SURE) else found).add(word)
    given = frozenset(letter for letter, times in letters.items() if times >= _LEAST) - _NEVER
    return Lexicon(frozenset(found), frozenset(plain), frozenset(people - found), given)


def _ends(text: str, end: int) -> bool:
    """Whether a name may end here: before punctuation, figures, or a word that follows names."""
    return end >= len(text) or bool(_CLAUSE.match(text[end])) or bool(_FOLLOW.match(text, end))


def _is_word(text: str) -> bool:
    return text in lexicon().words or text.startswith(_NOT_NAMES)


def _given(letters: str) -> bool:
    return all(letter in lexicon().given for letter in letters)


def _surnames(text: str, start: int, known: str) -> list[int]:
    """How long a surname at this place may be."""
    double = _DOUBLE_AT.match(text, start)
    return [
        *([double.end() - start] if double else []),
        *([1] if text[start : start + 1] in known and start < len(text) else []),
    ]


def _stated_end(text: str, start: int) -> int:
    """Where a name ends whose cue leaves no doubt; 0 where there is none."""
    if text.startswith(_NOT_NAMES, start):
        return 0
    if dotted := _DOTTED.match(text, start):
        return dotted.end()
    if (parted := _PARTED.match(text, start)) and _ends(text, parted.end()) and _given(_letters(parted[0])[1:]):
        return parted.end()
    for surname in _surnames(text, start, _ALL):
        for given in (2, 1, 3) if surname == 1 else (2, 1):
            end = start + surname + given
            name = text[start:end]
            if _is_han(name, surname + given) and _ends(text, end) and not (given == 3 and not _given(name[1:])):
                return end
    if (nick := _NICKNAME.match(text, start)) and _ends(text, nick.end()):
        return nick.end()
    return _transcribed_end(text, start) or _likely_end(text, start, _ALL)


def _letters(name: str) -> str:
    return re.sub(rf"[^{HAN}]", "", name)


def _is_han(text: str, length: int) -> bool:
    return len(text) == length and not _CLAUSE.search(text)


def _transcribed_end(text: str, start: int) -> int:
    """Of a name as Uyghurs, Mongols and Tibetans write it, without a surname."""
    run = _TRANSCRIBED_AT.match(text, start)
    if not run or (len(run[0]) < 3 and run[0] not in {"扎西", "卓玛", "多吉", "次仁", "央金", "格桑", "古丽"}):
        return 0
    return run.end() if _ends(text, run.end()) and not _is_word(run[0]) else 0


def _likely_end(text: str, start: int, known: str) -> int:
    """Where a name ends that only looks like one; 0 where it is a word or the beginning of one."""
    dotted = _DOTTED.match(text, start)
    if dotted and not _EPONYM.search(text, start, dotted.end() + 3):
        return dotted.end()
    parted = _PARTED.match(text, start)
    if parted and len(_letters(parted[0])) == 3 and _ends(text, parted.end()) and _given(_letters(parted[0])[1:]):
        return parted.end()
    for surname in _surnames(text, start, known):
        for given in (2, 1):
            end = start + surname + given
            if not _is_likely(text, start, surname, end):
                continue
            if end >= len(text) or _CLAUSE.match(text[end]):
                return end
            # Within a sentence 常出现 and 左股骨 are no names, 郑海洋 at its end may be one.
            follows = _FOLLOW.match(text, end) or (given == 2 and _breaks(text, end))
            if follows and (given == 1 or text[start] in _SURE or text[end - 2 : end] not in lexicon().plain):
                return end
    return _transcribed_end(text, start)


def _is_likely(text: str, start: int, surname: int, end: int) -> bool:
    name = text[start:end]
    if (
        not _is_han(name, end - start)
        or _is_word(name)
        or not _given(name[surname:])
        or text.startswith(_TITLE_WORDS, start + surname)
    ):
        return False
    if name in lexicon().people or surname == 2:
        return True
    # 徐国梁 though 徐国 was a state; 高血 begins 高血压.
    if (_is_word(name[:2]) and name[0] not in _SURE) or text[end - 1 : end + 1] in lexicon().words:
        return False
    # Of two letters the second is often the beginning of what follows.
    return len(name) == 3 or text[start + 1 : start + 3] not in lexicon().words


def _breaks(text: str, end: int) -> bool:
    """Whether a word begins right after."""
    return text[end : end + 2] in lexicon().words or text[end : end + 3] in lexicon().words


def spans(text: str) -> Iterator[tuple[int, int]]:
    """Where names stand."""
    found = []
    for pattern, cues in ((_AFTER_FIELD, _FIELDS), (_AFTER_CALLED, _CALLED)):
        for match in pattern.finditer(text):
            if text.endswith(cues, 0, match.start()):
                found.append((match.end(), _stated_end(text, match.end())))
    for match in _AFTER_PEOPLE.finditer(text):
        if text.endswith(_PEOPLE, 0, match.start()):
            found.append((match.end(), _likely_end(text, match.end(), COMMON)))
    for match in _AT_TITLE.finditer(text):
        if text.startswith(_TITLE_WORDS, match.start()):
            found.append(_before_title(text, match.start()))
    for match in _DOTTED.finditer(text) if _DOT.search(text) else ():
        found.append(_dotted(text, match))
    for match in _PINYIN.finditer(text) if _CAPITAL.search(text) else ():
        found.append(match.span(match.lastgroup or 0))
    yield from sorted((start, end) for start, end in found if end > start)


def _before_title(text: str, end: int) -> tuple[int, int]:
    """The name that ends here, before a title; surname and title alone tell no one."""
    for length in (4, 3, 2):
        start = end - length
        if start < 0:
            continue
        left = text[start - 1 : start]
        free = not left or bool(_CLAUSE.match(left)) or left in _BEFORE or text[max(0, start - 2) : start] in lexicon().words
        surname = 2 if length > 2 and _DOUBLE_AT.match(text, start) else 1
        if length - surname > 2 or not free or (surname == 1 and text[start] not in COMMON):
            continue
        name = text[start:end]
        if (
            _is_likely(text[:end], start, surname, end)
            and left + name[0] not in lexicon().words
            and not (surname == 1 and name[-2:] in lexicon().plain and name[0] not in _SURE)
        ):
            return start, end
    return end, end


def _dotted(text: str, match: re.Match[str]) -> tuple[int, int]:
    """买买提·吐尔逊 anywhere, if its letters are those of such names."""
    letters = [char for char in match[0] if re.match(f"[{HAN}]", char)]
    known = sum(char in _TRANSCRIBED for char in letters)
    likely = known >= 0.6 * len(letters) and not _EPONYM.search(text, match.start(), match.end() + 3)
    if not likely:
        return match.end(), match.end()
    start = match.start()
    while text[start] not in _TRANSCRIBED:
        start += 1
    return start, match.end()


def is_name(text: str) -> bool:
    """Whether a text that stands alone looks like a person's name."""
    return bool(text) and _likely_end(text, 0, COMMON) == len(text)


_JUNK = r"[*＊·•・‧∙⋅●_.\-\s（(]"
_DOTS = "[·•・‧∙⋅●]"
_FIRSTS = rf"[{COMMON}]|{_DOUBLE}|[{_TRANSCRIBED}]{{3}}"
_CUED = [
    rf"(?:{any_of(_DATA['fields'])})\s?(?:[:：是为\s]|->|→)",
    rf"(?:{any_of(_DATA['called'])})",
    rf"(?:{any_of(_DATA['people'])})(?:是|叫做?|名叫|为|姓名)?[:：\s“\"（(【]{{0,2}}(?:{_FIRSTS})",
    r"[A-Z][a-z]{1,5}\s[A-Z][a-z]",
]
_ABLE = f"[[{HAN}]--[{''.join(sorted(_NEVER))}]]"
# What every text has in which `spans` finds a name.
SIGN = "|".join(
    [
        _CUED[0],
        _CUED[1],
        rf"(?:{any_of(_DATA['people'])})(?:是|叫做?|名叫|为|姓名)?[:：\s“\"（(【]{{0,2}}(?:[{COMMON}](?:{_ABLE}|{_JUNK})|{_DOUBLE}|[{_TRANSCRIBED}]{{3}})",
        rf"(?:[{COMMON}]|{_DOUBLE}){_ABLE}{{1,2}}(?:{_TITLES})",
        rf"[{HAN}]\s?{_DOTS}\s?[{HAN}]",
        _CUED[3],
    ]
)


@cache
def first_sign() -> str:
    """What every text has that has `SIGN`, but quicker to search for."""
    given = f"[{''.join(sorted(lexicon().given))}]"
    return "|".join([*_CUED, rf"{given}(?:{_TITLES})", _DOTS])
