"""Names of people: after a cue (姓名：, 我叫, 患者), before a title (主任), at the head of a record (某某，女，28岁).

How much letters look like a name is a sum of log odds: how often the first is a surname and the others stand in given names,
against how often they stand in any text; whole words (安静, 高血压) count against it. Both come from the dictionary that comes
with jieba, in which some 70,000 names of people are told from words. Each cue asks for a least sum.
"""

from __future__ import annotations

import importlib.util
import math
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from medasst.data.privacy.recogniser import HAN, HAN_LETTERS, any_of, as_ranges, has_any, led_by, words

_DATA = words()["names"]
COMMON = "".join(_DATA["surnames"].split())
_ALL = "".join(sorted(set(COMMON) | set("".join(_DATA["rare"].split()))))
_DOUBLE = any_of(_DATA["double"])
_DOUBLES = frozenset(_DATA["double"].split())
_TRANSCRIBED = "".join(sorted(set("".join(_DATA["transcribed"].split()))))
_TRANSCRIBED_PARTS = frozenset(_DATA["transcribed_parts"].split())
_TRANSCRIBED_LETTERS = frozenset(_TRANSCRIBED)
_SHORT = frozenset(_DATA["transcribed_short"].split())
_NOT_NAMES = frozenset(_DATA["not_names"].split())
_TITLE_WORDS = frozenset(_DATA["titles"].split())
_TITLES = any_of(_DATA["titles"])
_FOLLOW = re.compile(rf"(?:{any_of(_DATA['follow'])}|{_TITLES})")
_NEVER = "".join(_DATA["never"].split())
_FIELDS, _CALLED, _PEOPLE = (frozenset(_DATA[kind].split()) for kind in ("fields", "called", "people"))
_ALONE = frozenset(_DATA["alone"].split())
_PEOPLE |= {cue for cue in _FIELDS if len(cue) > 2}
_LONGEST = max(map(len, _FIELDS | _CALLED | _PEOPLE))
_NOT_GIVEN = frozenset([*_TITLE_WORDS, *_PEOPLE])
# Letters of other people's names that are everyday ones too: never most of a name.
_EVERYDAY, _NO_FIRST = "那特和明来以大因加都白力多高洪则宗", "和以大因来都则"

# The least sum of log odds after each cue.
_STATED, _NAMED, _LIKELY, _TITLED, _HEADED = -3.0, -1.0, 3.5, 3.0, 3.0
_PAIR_ODDS, _LEAST_PAIR = 1.5, 2  # of given names of two letters that the dictionary has so many times
_SHORT_PARTED = 6.0  # of 王*艳 after 患者
_DOUBLE_ODDS, _WORD_ODDS, _PARTED_ODDS, _PERSON_ODDS = 5.0, -5.0, 1.0, 2.0
_MOST_AFTER = 1.0  # that what stands behind a name adds
_LEAST_LETTER = -2.6  # the least log odds of a letter of a given name, where no field says that it is one

DOT = "[·•・‧∙⋅●]"
_PICTURE = "\U0001f000-\U0001faff\u2600-\u27bf\ufe0f~～^"
_JUNK = re.compile(
    rf"[*＊·•・‧∙⋅●_.\-/|\s{_PICTURE}]{{1,2}}(?=[{HAN}])|[（(](?:[A-Za-zà-üā-ǜ]{{1,8}}[0-9]?|[{HAN}]{{1,2}})[）)](?=[{HAN}])"
)
_OPENING = r"[:：\s“\"「（(【]{0,2}"


def _last(cues: frozenset[str]) -> str:
    return f"[{''.join(sorted({cue[-1] for cue in cues}))}]"


# Where a cue may have ended: told by its last letter, then by slices of the text, which is much faster than an alternation.
# Patterns that begin with a class of letters are those that Python searches for quickly, so what follows is only looked at.
_AFTER_FIELD = re.compile(rf"{_last(_FIELDS)}(?=(\s?(?:[:：是为写填叫]|[—=＝_]{{1,9}}|\s|->|→)\s{{0,3}}[“\"「【]?)[{HAN}])")
_AFTER_CALLED = re.compile(rf"{_last(_CALLED)}(?=((?:写的?是?|填的?是?|登记的?是?|叫做?|就是|[做是为])?{_OPENING})[{HAN}])")
_BEGUN = rf"[{_ALL}]|{led_by(_DATA['double'])}|[{_TRANSCRIBED}]{{2}}"
_FIRST = rf"(?:{_BEGUN}|[{HAN}]{{1,7}}\s?{DOT})"
# The first for texts without a dot in a name, in a third of the time.
_AFTER_PEOPLE, _AFTER_PEOPLE_DOTTED = (
    re.compile(rf"{_last(_PEOPLE)}(?=((?:是|叫做?|名叫|为|姓名)?{_OPENING}){first})") for first in (f"(?:{_BEGUN})", _FIRST)
)
_TITLE_FIRSTS, _TITLE_SECONDS = ("".join(sorted({title[place] for title in _TITLE_WORDS})) for place in (0, 1))
_AT_TITLE = re.compile(rf"[{_TITLE_FIRSTS}](?=[{_TITLE_SECONDS}])(?:(?<=[{HAN}].)|(?<=[{HAN}]\s.))")
_AT_TITLE_TRANSCRIBED = re.compile(rf"[{_TRANSCRIBED}](?=[{_TRANSCRIBED}]\s?(?:{_TITLES}))")
# 吕*佳*怡医生
_IS_PARTED = re.compile(rf"[{HAN}][*＊·•_.\- ][{HAN}]")
_PARTED_TITLE = re.compile(
    rf"(?:(?<![{HAN}])[{HAN}](?:[*＊·•_.\- ][{HAN}]){{1,3}}|[{HAN}](?:[*＊·•_.\-][{HAN}]){{1,3}})(?=\s?(?:{_TITLES}))"
)
# 梁静，女，28岁
_HEAD = re.compile(
    rf"(?P<name>(?:[{_ALL}](?<![{HAN}].)|{led_by(_DATA['double'])}(?<![{HAN}]..))[{HAN}]{{1,2}})(?=[，,、/\s（(]{{1,2}}(?:[男女](?![{HAN}])|[0-9]{{1,3}}岁))"
)
_TRANSCRIBED_AT = re.compile(rf"[{_TRANSCRIBED}]{{2,9}}(?:[ .。\-][{_TRANSCRIBED}][{HAN}]{{1,5}})?")
_TRANSCRIBED_BEFORE = re.compile(rf"[{_TRANSCRIBED}]{{2,9}}$")
_FOUR = re.compile(rf"[{_ALL}][{HAN}]{{3}}(?![{HAN}])")
_NICKNAME = re.compile(rf"(?:小|阿|老|大)[{HAN}]{{1,2}}|([{HAN}])\1")
_DOTTED = re.compile(rf"[{HAN}]{{1,7}}(?:\s?{DOT}\s?[{HAN}]{{1,8}}){{1,3}}")
_HAS_DOT, _HAS_LATIN, _LATIN = re.compile(DOT), re.compile(r"[A-Za-z][\s._·-]{0,3}[A-Za-z]"), any_of(_DATA["pinyin"])
_EPONYM = re.compile(r"综合[征症]|氏|[病症征炎瘤癌菌毒酸素酯钠钾钙胺唑林星汀平]|试验|手术|评分|分级|体征|定律|反射|效应")
_ONLY_HAN = re.compile(f"[{HAN}]{{3}}")
_CLAUSE = re.compile(rf"[^{HAN}]")
# What stands behind the name of a drug, a plant, a point or a finding, and never right behind a person's.
_THING = re.compile(
    r"软?胶囊|颗粒|丸|口服|注射|糖浆|[软乳眼药]膏|滴丸|滴眼|合剂|冲剂|散剂|片剂|片(?!子)|散(?![步])|膏|酊|茶|汁|粥|酒精|综合征|反应|试验|征(?!求)|细胞|病毒|杆菌|球菌"
    r"|霉素|沙星|他汀|普利|洛尔|地平|西林|氏|体质|质(?![问疑])|穴|疗法|评分|酸|醇|酮|酯|胺|唑|素|苷|碱"
)
_PRODUCT = re.compile(
    rf"[{HAN}]{{1,8}}?(?:胶囊|颗粒|口服液|注射液|糖浆|[软乳]膏|滴丸|丸|散|片|膏|综合征|汤)(?:[^{HAN}]|$|[怎能可的是吃有会对和与])"
)
_VERB = re.compile("[吃服用喝买开换停要问涂擦贴打拿配说有是的了在做查患得]")
_SIGNED = re.compile(rf"(?:——|—|此致|敬礼)\s?(?={_FIRST})")
# 代诉人：周秀兰, 照看者：郭志刚
_AFTER_ROLE = re.compile(rf"(?<=[人者员师士])[:：]\s{{0,2}}(?={_FIRST})")
_LINE_END = re.compile(r"[。！!\s]*(?:\n|$)")
# A letter that is a word for a relative only behind another: 我妈, 二叔; but not 间羟叔.
_RELATIVES = frozenset("妈爸爹娘哥姐弟妹叔伯舅姑姨婶嫂婿媳侄甥娃崽妞")
_BEFORE_RELATIVE = frozenset(
    "我俺咱他她你您老大二三四五小阿表堂干姨舅姑伯叔婆外岳公亲个位的是和跟与陪叫找帮替给对，。,.：:；;！!？? "
)
# Fields behind which stands nothing but a name, whatever its letters.
_SURE_FIELD = re.compile(
    rf"(?:(?:患者|病人|真实)?姓名|真名|大名|联系人|收件人|收货人|寄件人|就诊人|预约人|挂号人|被保险人|参保人|持卡人|户主)[:：]\s?(?P<name>[{HAN}]{{2,4}})(?=$|[^{HAN}]|性别|[男女](?![{HAN}])|年龄|电话|手机)"
)
_APART = re.compile(
    rf"姓氏?[是为:：]?(?:{any_of(_DATA['surnames_told'])})?(?P<first>[{_ALL}]|{_DOUBLE})[，,、\s]{{0,2}}(?:单名|单字|大名|名字?|名叫|叫)"
    rf"(?:是?[一二两三单双]个?字[，,、\s]?)?(?:一个|是|叫|为)?[:：]?(?P<given>[{HAN}]{{1,2}}?)(?=字|[^{HAN}]|$)"
)
_SOUND = r"(?:[（(][^）)\n]{1,8}[）)])?"  # 覃（qín）
_SAME_SURNAME = re.compile(
    rf"(?:姓|{any_of(_DATA['surnames_told'])})(?P<first>[{_ALL}]|{_DOUBLE}){_SOUND}[，,、\s]{{1,2}}(?P<name>(?P=first){_SOUND}[{HAN}]{{1,2}})(?![{HAN}])"
)
_DOUBLE_SURNAME = re.compile(rf"复姓[，,:：\s]{{0,2}}(?P<name>(?:{_DOUBLE})[{HAN}]{{1,2}})(?![{HAN}])")
# In Latin letters: a surname as it is spelt, then syllables; in either order or half in Han letters where a cue is sure.
_SYLLABLE = (
    r"(?:zh|ch|sh|[bpmfdtnlgkhjqxzcsryw])?(?:iang|iong|uang|ang|eng|ing|ong|iao|ian|uai|uan|ai|ei|ao|ou|an|en|in|un|er|ia|ie|iu|ua|uo"
    r"|ui|ue|ve|[aeiouv])"
)
_GIVEN = rf"{_SYLLABLE}(?:[\s'-]?{_SYLLABLE}){{0,2}}(?![A-Za-z])"
_SURE_CUES = f"{_DATA['called']} {_DATA['latin_sure']}"
_LATIN_CUES = r"[Nn]ame(?:\sis)?|(?i:xing\s?ming|ming\s?zi|wo\s?jiao)"
_SURE = rf"(?:{any_of(_SURE_CUES)}|{_LATIN_CUES})"
_LIKELY_LATIN = rf"(?:{any_of(_DATA['latin_likely'])})"
_OF_LATIN = r"(?:一?栏|[处上])?(?:是|叫|写的?是?|填的?是?)?\s?[:：.是]?\s?[“\"「（(]?"
# c h e n  j i a h a o: letter by letter.
_APART_SIGNS = r"[\s._·-]{1,3}"
_SPELT = rf"(?:{'|'.join(_APART_SIGNS.join(surname) for surname in _LATIN.split('|'))})(?:{_APART_SIGNS}[a-z]){{2,12}}(?![a-z])"
# Where one may begin: Python tries the many cues only there.
_LATIN_FIRSTS = "".join(sorted({cue[0] for cue in f"{_SURE_CUES} {_DATA['latin_likely']}".split()}))
_PINYIN = re.compile(
    rf"(?=[{_LATIN_FIRSTS}A-Za-z])"
    rf"(?:{_SURE}{_OF_LATIN}(?P<stated>(?i:(?:{_LATIN})[\s,·./_-]{{0,2}}{_GIVEN}|{_GIVEN}[\s,·]{{1,2}}(?:{_LATIN})(?![A-Za-z]))"
    rf"|[A-Z][a-z]{{1,11}}(?:\s[A-Z][a-z]{{1,11}}){{0,2}}(?![A-Za-z]|\s?(?:去|来|送|的?药|胶囊|片))"
    rf"|(?i:{_SPELT})"
    rf"|[{COMMON}]\s?(?=[A-Za-z]{{2}})(?i:{_GIVEN})[{HAN}]?(?![{HAN}])"
    rf"|[{HAN}]{{1,3}}(?i:{_SYLLABLE}){{1,2}}[{HAN}]{{1,3}}(?![{HAN}])"
    rf"|(?=[A-Za-z]{{2}})(?i:{_LATIN})\s?[{HAN}]{{1,2}}(?![{HAN}]))"
    rf"|{_LIKELY_LATIN}{_OF_LATIN}(?P<cued>(?i:(?:{_LATIN})[\s·._-]{_GIVEN}|{_SPELT}))"
    rf"|(?P<titled>[A-Z][a-z]{{1,8}}\s[A-Z][a-z]{{1,11}}|(?<![A-Za-z])(?i:{_LATIN})[{HAN}]{{2}})\s?(?={_TITLES}))"
)
# Before a name these belong to the sentence.
_BEFORE = "找请问挂看是由经给让跟和与的为向谢院科室长任师生者人了约见去被及、在听对叫"


class Lexicon(NamedTuple):
    """What the dictionary teaches: words that are no names and how often each stands in texts; names; log odds of letters."""

    words: dict[str, int]
    people: frozenset[str]
    pairs: frozenset[str]
    first: dict[str, float]
    given: dict[str, float]
    else_given: float


@cache
def lexicon() -> Lexicon:
    """jieba's dictionary, read once."""
    spec = importlib.util.find_spec("jieba")
    assert spec and spec.origin, "jieba is among the dependencies"
    plain: dict[str, int] = {}
    people: set[str] = set()
    text, first, given, pairs = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for line in Path(spec.origin).with_name("dict.txt").read_text("utf-8").splitlines():
        word, times, kind = line.split(" ")
        if not kind.startswith("nr"):
            plain[word] = int(times)
            for letter in word:
                text[letter] += int(times)
        elif len(word) in (2, 3):
            people.add(word)
            first[word[0]] += 1
            given.update(word[1:])
            pairs[word[1:]] += len(word) == 3
    letters = sum(text.values())

    def odds(letter: str, among: Counter[str]) -> float:
        return math.log((among[letter] + 0.3) / among.total() * letters / (text[letter] + 30))

    surnames = {letter: min(odds(letter, first), 7.0) for letter in _ALL}
    surnames |= {letter: max(surnames[letter], 2.0) for letter in COMMON}
    known = {letter: odds(letter, given) for letter in {*text, *given}} | dict.fromkeys(_NEVER, -9.0)
    common = frozenset(pair for pair, times in pairs.items() if times >= _LEAST_PAIR)
    return Lexicon(plain, frozenset(people), common, surnames, known, odds("", given))


@cache
def _able() -> str:
    """The letters that given names may be made of, as a class: it names few, for what the dictionary hasn't may be one."""
    barred = {letter for letter, odds in lexicon().given.items() if odds <= _LEAST_LETTER}
    return f"[{as_ranges(letter for letter in map(chr, HAN_LETTERS) if letter not in barred)}]"


def _begins_with(words: frozenset[str], text: str, place: int) -> bool:
    """`str.startswith` for many words of two to four letters, in a tenth of the time."""
    return text[place : place + 2] in words or text[place : place + 3] in words or text[place : place + 4] in words


class _Name(NamedTuple):
    """A candidate: its letters, its end, whether signs stand between them (张*伟*业), whether a sound is told (仇（qiú）)."""

    letters: str
    end: int
    parted: bool
    told: bool


def _read(text: str, start: int) -> list[_Name]:
    """The candidates of two to four letters that begin here, the signs between their letters passed over."""
    found: list[_Name] = []
    letters, place, parted, told = "", start, False, False
    while len(letters) < 4 and place < len(text) and not _CLAUSE.match(text[place]):
        letters += text[place]
        place += 1
        if len(letters) > 1:
            found.append(_Name(letters, place, parted, told))
        if junk := _JUNK.match(text, place):
            parted, told, place = parted or junk[0][0] not in "（(", told or junk[0][0] in "（(", junk.end()
    return found


@lru_cache(maxsize=10_000)
def _odds(name: str) -> float:
    """The sum of log odds that the letters are a name; `-inf` where they can't be."""
    known = lexicon()
    surname = 2 if name[:2] in _DOUBLES else 1
    given = name[surname:]
    barred = _begins_with(_NOT_NAMES, name, 0) or name in _ALONE or given in _NOT_GIVEN
    if barred or not 1 <= len(given) <= 2 or (surname == 1 and name[0] not in known.first):
        return -math.inf
    total = _DOUBLE_ODDS if surname == 2 else known.first[name[0]]
    total += sum(known.given.get(letter, known.else_given) for letter in given)
    if name in known.words and surname == 1:
        total += _WORD_ODDS
    elif surname == 1 and len(name) == 3:
        total -= _weight(name[:2])
    total -= max(0.0, _weight(given) - 3.5) if len(given) == 2 else 0.0  # 进行, but not 建国
    total += _PAIR_ODDS if given in known.pairs else 0.0
    return total + (_PERSON_ODDS if len(name) > 2 and name in known.people else 0.0)


def _weight(word: str) -> float:
    """How much it speaks against a name that a word begins it or goes over its edge: the more, the commoner the word."""
    times = lexicon().words.get(word, 0)
    return 1.0 + 0.7 * math.log10(times + 1) if times else 0.0


def _after(text: str, end: int) -> float:
    """What stands behind a candidate: an end or a word that follows names speaks for it; no one is a tablet or a syndrome."""
    if _THING.match(text, end):
        return -math.inf
    if end >= len(text) or _CLAUSE.match(text[end]) or _FOLLOW.match(text, end):
        return 1.0
    straddling = _weight(text[end - 1 : end + 1])
    if text[end] in _NEVER:
        return -0.5 - straddling
    begun = text[end : end + 2] in lexicon().words or text[end : end + 3] in lexicon().words
    return (-1.0 if begun else -3.0) - straddling


def _end(text: str, start: int, least: float) -> int:
    """Where a name that begins here ends; 0 where nothing reaches the least sum."""
    if _begins_with(_NOT_NAMES, text, start):
        return 0
    dotted = _DOTTED.match(text, start) if _HAS_DOT.search(text) else None
    if dotted and not _EPONYM.search(text, start, dotted.end() + 3) and len(dotted[0]) > 5:
        return dotted.end()
    best, end = least, 0
    for name in _read(text, start):
        if least > _STATED and not _is_able(name.letters):
            continue
        odds = _odds(name.letters) + _after(text, name.end) + _PARTED_ODDS * (name.parted + 2 * name.told)
        odds -= _weight(text[start : name.end + 1]) * 2 if name.end < len(text) else 0.0
        if odds >= max(best, _SHORT_PARTED if name.parted and len(name.letters) == 2 and least > _NAMED else best):
            best, end = odds, name.end
    if not end:
        return _transcribed_end(text, start)
    product = _PRODUCT.match(text, start)
    return 0 if product and not _VERB.search(product[0][:-2]) else end


@lru_cache(maxsize=10_000)
def _is_able(name: str) -> bool:
    known = lexicon()
    given = name[2 if name[:2] in _DOUBLES else 1 :]
    return all(known.given.get(letter, known.else_given) > _LEAST_LETTER for letter in given)


def _stated_end(text: str, start: int, least: float) -> int:
    """Where a name ends whose cue leaves little doubt: nicknames too; 0 where there is none."""
    if end := _end(text, start, least):
        return end
    nick = _NICKNAME.match(text, start)
    if nick and not _begins_with(_NOT_NAMES, text, start) and nick[0] not in lexicon().words and _after(text, nick.end()) > 0:
        return nick.end()
    if least == _STATED and (four := _FOUR.match(text, start)) and _is_able(four[0]):
        return four.end()
    return 0


def _transcribed_end(text: str, start: int) -> int:
    """Of a name as Uyghurs, Mongols and Tibetans write it, without a surname."""
    run = _TRANSCRIBED_AT.match(text, start)
    if not run or not _is_transcribed(run[0]):
        return 0
    least = -1.5 if len(run[0]) > 2 and _begins_with(_TRANSCRIBED_PARTS, run[0], 0) else 0
    return run.end() if _after(text, run.end()) > least else 0


def _is_transcribed(run: str) -> bool:
    rare = sum(letter not in _EVERYDAY for letter in run)
    return run in _SHORT or (len(run) > 2 and run[0] not in _NO_FIRST and rare * 2 > len(run) and run not in lexicon().words)


def stated(text: str) -> Iterator[tuple[int, int]]:
    """Names where the text says that one follows (姓名：, 我叫), with a dot in them, or in Latin letters."""
    found = []
    for pattern, cues, least in ((_AFTER_FIELD, _FIELDS, _STATED), (_AFTER_CALLED, _CALLED, _NAMED)):
        for cue_end, start in _followed(pattern, text):
            if _is_after(cues, text, cue_end):
                found.append((start, _stated_end(text, start, least)))
    found += [(match.end(), _closed_end(text, match.end())) for match in _AFTER_ROLE.finditer(text)]
    for match in _DOTTED.finditer(text) if _HAS_DOT.search(text) else ():
        found.append(_dotted(text, match))
    for match in _PINYIN.finditer(text) if _HAS_LATIN.search(text) else ():
        if "汉语" not in text[max(0, match.start() - 2) : match.end()]:  # 汉语拼音：the name of a drug
            found.append(match.span(match.lastgroup or 0))
    for match in _APART.finditer(text):
        found += [match.span("given"), *_all_of(match["first"] + match["given"], text)]
    found += [match.span("name") for pattern in (_SAME_SURNAME, _DOUBLE_SURNAME) for match in pattern.finditer(text)]
    for match in _SURE_FIELD.finditer(text) if has_any(text, ":：") else ():
        known = _begins_with(_NOT_NAMES, match["name"], 0) or match["name"] in lexicon().words or match["name"] in _ALONE
        found.append(match.span("name") if not known else (0, 0))
    found += [(match.end(), _signed_end(text, match.end())) for match in _SIGNED.finditer(text)]
    found += [match.span() for match in _parts().finditer(text) if not _EPONYM.search(text, match.start(), match.end() + 3)]
    found += [_transcribed_before(text, match.start() + 2) for match in _AT_TITLE_TRANSCRIBED.finditer(text)]
    yield from sorted((start, end) for start, end in found if end > start)


def _followed(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
    """Where a cue may end and where, behind what may stand between, a name may begin; in order, none amid another."""
    done = 0
    for match in pattern.finditer(text):
        if match.end() >= done:
            done = match.end(1)
            yield match.end(), done


def _is_after(cues: frozenset[str], text: str, place: int) -> bool:
    return any(text[max(0, place - size) : place] in cues for size in range(1, _LONGEST + 1))


@lru_cache(maxsize=10_000)
def _is_hopeless(letters: str) -> bool:
    """Whether a text that goes on with these three letters holds no name that `_LIKELY` asks for: 应当及, 平时多."""
    if not _ONLY_HAN.fullmatch(letters) or letters[:2] in _DOUBLES or _TRANSCRIBED_LETTERS.issuperset(letters[:2]):
        return False
    return max(_odds(letters[:2]), _odds(letters)) + _MOST_AFTER < _LIKELY


def _is_after_people(text: str, place: int) -> bool:
    sizes = [size for size in range(1, _LONGEST + 1) if text[max(0, place - size) : place] in _PEOPLE]
    if not sizes or max(sizes) > 1 or text[place - 1] not in _RELATIVES:
        return bool(sizes)
    return place == 1 or text[place - 2] in _BEFORE_RELATIVE


def _signed_end(text: str, start: int) -> int:
    """Where a name ends that closes a letter or a line."""
    end = _end(text, start, _LIKELY)
    return end if end and _LINE_END.match(text, end) else 0


def _closed_end(text: str, start: int) -> int:
    """Where a name ends behind which no more letters stand."""
    end = _end(text, start, _LIKELY)
    return end if end and (end == len(text) or _CLAUSE.match(text, end)) else 0


def _all_of(name: str, text: str) -> Iterator[tuple[int, int]]:
    place = text.find(name)
    while place >= 0:
        yield place, place + len(name)
        place = text.find(name, place + len(name))


def of_people(text: str) -> Iterator[tuple[int, int]]:
    """Names after a word for somebody: 患者, 女儿, 医生."""
    for cue_end, start in _followed(_AFTER_PEOPLE_DOTTED if _HAS_DOT.search(text) else _AFTER_PEOPLE, text):
        if _is_hopeless(text[start : start + 3]):
            continue
        if _is_after_people(text, cue_end) and (end := _end(text, start, _LIKELY)):
            yield start, end


def titled(text: str) -> Iterator[tuple[int, int]]:
    """Names before a title, or at the head of a record: 王建华主任, 梁静，女，28岁."""
    found = []
    for match in _HEAD.finditer(text) if has_any(text, "男女岁") else ():
        end = _end(text, match.start(), _HEADED)
        found.append((match.start(), end if end == match.end() else 0))
    for match in _AT_TITLE.finditer(text):
        if _begins_with(_TITLE_WORDS, text, match.start()):
            end = match.start() - text[match.start() - 1].isspace()
            found.append((end - _size_before_title(text[max(0, end - 6) : end]), end))
    for match in _PARTED_TITLE.finditer(text) if _IS_PARTED.search(text) else ():
        letters = _CLAUSE.sub("", match[0])
        if _is_able(letters) and _odds(letters) >= _TITLED:
            found.append(match.span())
    yield from sorted((start, end) for start, end in found if end > start)


@lru_cache(maxsize=10_000)
def _size_before_title(text: str) -> int:
    """How many letters the name has that ends here, before a title; surname and title alone tell no one."""
    best, size, known = _TITLED, 0, lexicon()
    if known.given.get(text[-1], known.else_given) <= _LEAST_LETTER:
        return 0
    for length in (4, 3, 2):
        first = len(text) - length
        if first < 0 or _CLAUSE.search(text, first) or not _is_able(text[first:]):
            continue
        odds = _odds(text[first:]) + _before(text, first)
        if odds >= best:
            best, size = odds, length
    return size


def _transcribed_before(text: str, end: int) -> tuple[int, int]:
    run = _TRANSCRIBED_BEFORE.search(text[max(0, end - 9) : end])
    return (end - len(run[0]) if run and _is_transcribed(run[0]) else end), end


def _before(text: str, start: int) -> float:
    """What stands before a candidate: a beginning or a word that leads to names speaks for it."""
    left = text[start - 1 : start]
    if not left or _CLAUSE.match(left):
        return 1.0
    if left == text[start]:
        return -9.0  # 谢谢
    led = left in _BEFORE or text[max(0, start - 2) : start] in lexicon().words
    return (0.0 if led else -2.0) - _weight(text[start - 1 : start + 1])


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


@cache
def _parts() -> re.Pattern[str]:
    """Two parts in a row that names of Uyghurs, Mongols, Tibetans or Yi are made of."""
    firsts, seconds = ("".join(sorted({part[place] for part in _TRANSCRIBED_PARTS})) for place in (0, 1))
    return re.compile(f"(?=[{firsts}][{seconds}])(?:{any_of(_DATA['transcribed_parts'])}){{2,4}}[汗江孜花]?")


def is_name(text: str) -> bool:
    """Whether a text that stands alone looks like a person's name."""
    return bool(text) and _end(text, 0, _LIKELY) == len(text)


def latin_signs() -> tuple[str, ...]:
    """Every text in which a name in Latin letters is found has one of these, or a word for "is called"."""
    sure = rf"(?:{any_of(_DATA['latin_sure'])}|{_LATIN_CUES})"
    return (
        rf"(?:{sure}|{_LIKELY_LATIN}){_OF_LATIN}(?:(?i:{_LATIN})|[A-Z][a-z]|[{COMMON}]\s?[A-Za-z]|[a-z]{{2,}}[\s'-][A-Za-z])"
        rf"|{sure}{_OF_LATIN}[{HAN}]+[A-Za-z]",
        rf"(?:[A-Za-z][{HAN}]{{2}}|[A-Z][a-z]{{1,8}}\s[A-Z][a-z]{{1,11}})\s?(?:{_TITLES})"
        r"|[A-Za-z][\s._·-]+[A-Za-z][\s._·-]+[A-Za-z][\s._·-]",
    )


_CALLED_LETTERS = "叫名"
FIRST_CALLED_SIGN = "叫|名|姓|—|此致|敬礼"  # a few words are searched for in a tenth of the time
_SURNAME_SAID = r".{1,2}(?:[（(][^）)\n]*[）)])?[，,、\s]"


def called_sign() -> str:
    """What most texts have in which a name stands after a word for "is called", is told letter by letter, or signs a letter."""
    called = any_of(" ".join(cue for cue in _CALLED if set(cue) & set(_CALLED_LETTERS)))
    return (
        rf"{called}|姓.{{1,5}}[，,、\s]?(?:单名|单字|大名|名|叫)|复姓|姓{_SURNAME_SAID}"
        rf"|(?:—|此致|敬礼)\s?(?:[{_ALL}]|{_DOUBLE}|[{_TRANSCRIBED}]{{2}})"
    )


def _other_called() -> str:
    return any_of(" ".join(cue for cue in _CALLED if not set(cue) & set(_CALLED_LETTERS)))


@cache
def other_sign() -> str:
    """What every text has in which a name is found without any of `signs` or `called_sign`."""
    return rf"(?:{any_of(_DATA['surnames_told'])}){_SURNAME_SAID}|(?:{any_of(_DATA['transcribed_parts'])}){{2}}"


@cache
def signs() -> dict[str, str]:
    """By finder: every text in which it finds a name has one of these, or one of the other signs here, or `DOT`."""
    letter = _able()
    junk = rf"[*＊·•・‧∙⋅●_.\-\s（(/|{_PICTURE}]"
    first = rf"(?:[{_ALL}](?:{letter}|{junk})|{_DOUBLE}|[{_TRANSCRIBED}]{{3}}|{any_of(' '.join(_SHORT))})"
    # Of a double surname its last letter is enough to find it; two ways to read one text make an automaton slow.
    last = "".join(sorted({double[-1] for double in _DOUBLES}))
    whole = f"[{_ALL}{last}]{letter}{{1,2}}"
    return {
        "of_people": rf"(?:{any_of(' '.join(_PEOPLE))})(?:是|叫做?|名叫|为|姓名)?{_OPENING}{first}",
        "titled": (
            rf"{whole}(?:\s?(?:{_TITLES})|[，,、/\s（(]{{1,2}}(?:[男女]|[0-9]{{1,3}}岁))"
            rf"|[*＊·•_.\- ][{HAN}]\s?(?:{_TITLES})"
        ),
        "stated": (
            rf"(?:{any_of(_DATA['fields'])})\s?(?:[:：是为写填叫\s—=＝_]|->|→)|[人者员师士][:：]\s*(?:[{_ALL}]|{_DOUBLE}|[{_TRANSCRIBED}]{{2}})|{_other_called()}|[{_TRANSCRIBED}]{{2}}\s?(?:{_TITLES})"
        ),
    }


@cache
def first_sign() -> str:
    """What every text has that has one of `signs`, but quicker to search for."""
    return "|".join(
        [
            rf"(?:{any_of(_DATA['fields'])})\s?(?:[:：是为写填叫\s—=＝_]|->|→)|[人者员师士][:：]\s*(?:[{_ALL}]|{_DOUBLE}|[{_TRANSCRIBED}]{{2}})",
            rf"(?:{any_of(' '.join(_PEOPLE))})(?:是|叫做?|名叫|为|姓名)?{_OPENING}(?:[{_ALL}]|{_DOUBLE}|[{_TRANSCRIBED}]{{2}})",
            rf"{_able()}(?:\s?(?:{_TITLES})|[，,、/\s（(]{{1,2}}(?:[男女]|[0-9]{{1,3}}岁))",
            _other_called(),
            DOT,
        ]
    )
