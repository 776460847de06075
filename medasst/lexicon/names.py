"""Every wording of the rulebook's findings and medicines, ready to be found in a text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from pypinyin import lazy_pinyin

from medasst.lexicon.finder import Finder, Hit
from medasst.lexicon.script import Script, plain
from medasst.rulebook import Rulebook

_SYLLABLE_CODES = 0xE000  # private use: each syllable of pinyin becomes one character
_COMPANY_BEFORE = re.compile(
    r"(?:吃|服|用|喝|打|买|开|拿|停|换|含|涂|抹|叫|送|来)(?:了|的|着|过|点|些|完|[一二两三几]?(?:片|粒|盒|瓶|支|颗)){0,2}$"
)
_COMPANY_AFTER = re.compile(
    r"^(?:片|胶囊|颗粒|缓释|注射|针|粒|丸|膏|滴|喷|药|[0-9]+(?:mg|毫克|克|片|粒|盒)|[一两二三几半][片粒盒颗瓶支]|多少钱|怎么吃|吃|能吃|过量|有货)"
)
_NOT_A_STEM = "吃服用喝打买开拿的了和跟与换停在过是有个天片药叫种给没，。、；！？,.!?;:： \n能要想到我他她你您这那问请含或及还也都就又再从把每"


class Name(NamedTuple):
    """What a wording stands for. `sense` and `part`: of a composed finding."""

    concept: str
    kind: Literal["finding", "drug", "idiom"]
    ordinary: bool = False


class Candidate(NamedTuple):
    """A wording found in the plain text, and how many of its characters speak for it."""

    start: int
    end: int
    name: Name
    strength: int


class Names:
    """Finds the rulebook's names in a plain text, by four ways of writing them.

    Literally; with words of degree and counting inside (拉了三次稀); by sound (medicines misspelt or in pinyin); and, of
    body parts and sensations, with other words between (眼睛右边有点红).
    """

    def __init__(self, book: Rulebook) -> None:
        self._filler = re.compile(book.wordings.filler)
        self._book = book
        names = dict(_names(book))
        self._literal = Finder(names)
        self._loose = Finder(_squeezed(names, self._filler))
        self._sounds = _Sounds(names)
        self._parts = Finder({_key(word): part for part, words in book.composition.parts.items() for word in words})
        senses = {_key(word): sense for sense, words in book.composition.senses.items() for word in words}
        self._senses = Finder(senses)
        self._sense_of = senses
        longest_first = "|".join(map(re.escape, sorted(senses, key=len, reverse=True)))
        self._sense_next = re.compile(f"(?:{book.wordings.filler})*(?P<sense>{longest_first})")
        self._stems = _stems(book)

    def find(self, script: Script) -> list[Candidate]:
        """The names in a text, in order, without overlaps: of two that overlap the one with more characters counts."""
        text = script.text
        found = [Candidate(hit.start, hit.end, hit.value, hit.end - hit.start) for hit in self._literal.find(text)]
        bare = script.without(self._filler)
        for hit in self._loose.find(bare.text):
            start, end = bare.span(hit.start, hit.end)
            if not _crosses(script, start, end):
                found.append(Candidate(start, end, hit.value, hit.end - hit.start))
        parts = list(self._parts.find(text))
        found += self._composed(text, parts)
        found += self._sounds.find(script)
        found += [
            Candidate(match.start(), match.end(), Name(match[0], "drug"), len(match[0]))
            for pattern in self._stems
            for match in pattern.finditer(text)
        ]
        found = [one for one in found if not one.name.ordinary or _in_company(text, one)]
        chosen = _chosen(found)
        chosen = _chosen([*chosen, *self._apart(script, parts, chosen)])
        return [one for one in chosen if one.name.kind != "idiom"]

    def stem_class(self, word: str) -> tuple[str, str] | None:
        """Class and status of a medicine that only its stem tells of."""
        for row in self._book.stems:
            if word.endswith(row.ending) if row.ending else word.startswith(row.starting):
                return row.drug_class, row.status
        return None

    def _composed(self, text: str, parts: Sequence[Hit[str]]) -> Iterator[Candidate]:
        """A sensation right behind its part, but for words of degree: 胸口有点痛."""
        for part in parts:
            match = self._sense_next.match(text, part.end)
            if match is None:
                continue
            sense = self._sense_of[match["sense"]]
            if self._book.composition.allows(part.value, sense):
                strength = part.end - part.start + len(match["sense"])
                yield Candidate(part.start, match.end(), Name(part.value + sense, "finding"), strength)

    def _apart(self, script: Script, parts: Sequence[Hit[str]], chosen: list[Candidate]) -> Iterator[Candidate]:
        """Sensations of a part that is named some words before: 头昨晚就开始痛. And those without any part: 痒."""
        text, compose = script.text, self._book.composition
        taken = [(one.start, one.end) for one in chosen]
        for hit in self._senses.find(text):
            if any(start < hit.end and hit.start < end for start, end in taken):
                continue
            near = [part for part in parts if part.end <= hit.start and hit.start - part.end <= 10]
            part = near[-1] if near else None
            if (
                part is not None
                and compose.allows(part.value, hit.value)
                and not any(part.end <= start < hit.start for start, _ in taken)
                and not _crosses(script, part.start, hit.end)
                and not re.search(r"[，。！？；,!?;\n]", text[part.end : hit.start])
            ):
                negated = re.search(r"不|没|无|未", text[part.end : hit.start])
                start = hit.start if negated else part.start
                if not any(begin < hit.end and start < end for begin, end in taken):
                    yield Candidate(start, hit.end, Name(part.value + hit.value, "finding"), hit.end - hit.start)
            elif hit.value in compose.alone and hit.name in (
                "痛",
                "痒",
                "肿",
                "麻",
                "晕",
                "抖",
                "抽",
                "流血",
                "出血",
                "起泡",
                "水泡",
                "皮疹",
                "疹子",
                "红疹",
                "流脓",
                "化脓",
                "烫到",
                "骨折",
                "扭伤",
                "没劲",
                "没力气",
                "无力",
            ):
                yield Candidate(hit.start, hit.end, Name(hit.value, "finding"), hit.end - hit.start)


def _key(word: str) -> str:
    return plain(word).text


def _names(book: Rulebook) -> Iterator[tuple[str, Name]]:
    """Every wording; of equal ones the later counts: composed ones by their first words, then findings, then medicines."""
    compose = book.composition
    for part, words in compose.parts.items():
        for sense, ways in compose.senses.items():
            if compose.allows(part, sense):
                name = Name(part + sense, "finding")
                yield from ((_key(word) + _key(way), name) for word in words[:4] for way in ways[:2])
    for finding in book.findings:
        if finding.kind == "circumstance":
            continue
        name = Name(finding.name, "idiom" if finding.kind == "need" else "finding")
        yield from ((_key(word), name) for word in (finding.name, *finding.words))
    for kind in book.classes:
        yield from ((_key(word), Name(kind.name, "drug")) for word in (kind.name, *kind.words))
    for drug in book.drugs:
        ordinary = {_key(word) for word in drug.ordinary}
        for word in map(_key, (drug.name, *drug.names, *drug.ordinary)):
            yield word, Name(drug.name, "drug", word in ordinary)


def _squeezed(names: Mapping[str, Name], filler: re.Pattern[str]) -> Iterator[tuple[str, Name]]:
    """Wordings of findings with their own words of degree left out, as `Script.without` leaves them out of the text."""
    for word, name in names.items():
        # What is left must still say it: 半天喘一口气 isn't 喘气.
        if name.kind != "drug" and len(bare := filler.sub("", word)) >= 2 and 2 * len(bare) > len(word):
            yield bare, name


def _stems(book: Rulebook) -> list[re.Pattern[str]]:
    start = f"[^{re.escape(_NOT_A_STEM)}a-z0-9]"
    endings = "|".join(re.escape(row.ending) for row in book.stems if row.ending)
    starts = "|".join(re.escape(row.starting) for row in book.stems if row.starting)
    patterns = [f"{start}{{0,4}}(?:{endings})"] if endings else []
    patterns += [f"(?:{starts}){start}{{0,3}}"] if starts else []
    return [re.compile(pattern) for pattern in patterns]


def _crosses(script: Script, start: int, end: int) -> bool:
    """Whether a blank, which in Chinese stands for a comma, lies between Han characters of this stretch."""
    return any(start < place < end and not script.text[place - 1].isascii() for place in script.blank_before)


def _in_company(text: str, one: Candidate) -> bool:
    return bool(
        _COMPANY_BEFORE.search(text[max(0, one.start - 6) : one.start]) or _COMPANY_AFTER.match(text[one.end : one.end + 8])
    )


def _chosen(found: list[Candidate]) -> list[Candidate]:
    """Those that stay: more characters first, then the shorter stretch, then from the left."""
    kept: list[Candidate] = []
    taken: set[int] = set()
    for one in sorted(found, key=lambda one: (-one.strength, one.end - one.start, one.start)):
        places = range(one.start, one.end)
        if taken.isdisjoint(places):
            taken.update(places)
            kept.append(one)
    return sorted(kept, key=lambda one: one.start)


class _Sounds:
    """Names by their sound: medicines of three characters and more in Chinese, any name in pinyin."""

    def __init__(self, names: Mapping[str, Name]) -> None:
        self._codes: dict[str, str] = {}
        heard: dict[str, Name] = {}
        spoken: dict[str, Name] = {}
        for word, name in names.items():
            if name.ordinary or name.kind == "idiom" or not all("\u4e00" <= char <= "\u9fff" for char in word):
                continue
            if not 2 <= len(word) <= 8:
                continue
            code = "".join(self._code(_sound(char)) for char in word)
            spoken.setdefault(code, name)
            if name.kind == "drug" and len(word) >= 3:
                heard.setdefault(code, name)
        self._heard, self._spoken = Finder(heard), Finder(spoken)
        syllables = sorted((s for s in self._codes if s.isascii() and s.isalpha()), key=len, reverse=True)
        self._syllables = re.compile("|".join(syllables))
        self._run = re.compile(f"(?:{self._syllables.pattern}){{2,}}")

    def find(self, script: Script) -> Iterator[Candidate]:
        """Names by sound; a Chinese one that is written right is found literally as well, and is as strong."""
        text = script.text
        coded = "".join(self._codes.get(_sound(char), char) if "\u4e00" <= char <= "\u9fff" else char for char in text)
        for hit in self._heard.find(coded):
            yield Candidate(hit.start, hit.end, hit.value, hit.end - hit.start)
        for run in self._run.finditer(text):
            ends: list[int] = [run.start()]
            codes: list[str] = []
            for syllable in self._syllables.finditer(run[0]):
                codes.append(self._codes[syllable[0]])
                ends.append(run.start() + syllable.end())
            for hit in self._spoken.find("".join(codes)):
                if hit.value.kind == "drug" or hit.end - hit.start >= 2:
                    yield Candidate(ends[hit.start], ends[hit.end], hit.value, ends[hit.end] - ends[hit.start])

    def _code(self, sound: str) -> str:
        return self._codes.setdefault(sound, chr(_SYLLABLE_CODES + len(self._codes)))


_SOUNDS: dict[str, str] = {}


def _sound(char: str) -> str:
    """A character's syllable without its tone; n and l, and nasal endings, as southern ears hear them, are kept apart."""
    if char not in _SOUNDS:
        _SOUNDS[char] = lazy_pinyin(char)[0]
    return _SOUNDS[char]
