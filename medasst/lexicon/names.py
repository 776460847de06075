"""Every wording of the rulebook's findings and medicines, ready to be found in a text."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from pypinyin import lazy_pinyin

from medasst.lexicon.finder import Finder, Hit
from medasst.lexicon.script import Script, wording
from medasst.rulebook import Composition, Rulebook, StemRow, VerbRow

_SYLLABLE_CODES = 0xE000  # private use: each syllable of pinyin becomes one character
_APART = 10  # characters that may stand between a part of the body and what it feels
_BESIDE = 8  # characters beside a name by which it is told from ordinary words

_NO_SLIPS = "一二三四五六七八九十百两几半要腰加"
_DENIAL = re.compile("没有|没|无|未|冇")


class Name(NamedTuple):
    """What a wording stands for; `also`: other findings that are told by it, too."""

    concept: str
    kind: Literal["finding", "drug", "idiom", "circumstance"]
    also: tuple[str, ...] = ()


class Candidate(NamedTuple):
    """A wording found in the plain text, and how many of its characters speak for it."""

    start: int
    end: int
    name: Name
    strength: int


class Names:
    """Finds the rulebook's names in a plain text, by several ways of writing them.

    Literally; with words of degree and counting inside (拉了三次稀); by sound (medicines misspelt or in pinyin); by what a
    medicine is for (治咳嗽的药); and, of body parts and sensations, with other words between (眼睛右边有点红).
    """

    def __init__(self, book: Rulebook) -> None:
        self._book = book
        self._filler = re.compile(book.wordings.filler, re.VERBOSE)
        taking = _Taking(book)
        names = _joined(_names(book, taking))
        self._literal = Finder(names)
        parts = {_key(word) for words in book.composition.parts.values() for word in words}
        loose = _squeezed(names, self._filler, parts)
        self._loose = Finder((word, name) for word, name in loose if not taking.is_all(word))
        self._ordinary = Finder(_ordinary(book))
        self._sounds = _Sounds(names)
        self._composed = _Composed(book)
        self._verbs = _Verbs(book)
        self._stems = _stems(book)
        self._exposures = {row.name for row in book.findings if row.kind in ("exposure", "state")}
        substance = re.compile(book.wordings.substances)
        self._substances = {row.name for row in book.drugs if substance.search(row.drug_class)}
        say = book.wordings
        self._company_before, self._company_after = (
            re.compile(say.company_before, re.VERBOSE),
            re.compile(say.company_after, re.VERBOSE),
        )
        self._disease = re.compile(say.disease, re.VERBOSE)
        self._for_before, self._for_after = re.compile(say.for_before, re.VERBOSE), re.compile(say.for_after, re.VERBOSE)
        self._class_not_before = re.compile(say.class_not_before, re.VERBOSE)

    def find(self, script: Script) -> list[Candidate]:
        """The names in a text, in order, without overlaps: of two that overlap the one with more characters counts."""
        text = script.text
        found = [_candidate(hit) for hit in self._literal.find(text, script.blank_before)]
        bare = script.without(self._filler)
        for hit in self._loose.find(bare.text):
            start, end = bare.span(hit.start, hit.end)
            if not _crosses(script, start, end):
                found.append(Candidate(start, end, hit.value, hit.end - hit.start))
        found = [*self._without_denial(text, found)]
        parts = list(self._composed.parts(text))
        found += self._composed.beside(text, parts)
        found += self._sounds.find(script)
        found = [one for one in found if self._is_class(text, one)]
        found += self._by_stem(text, found)
        found += [_candidate(hit, more=1) for hit in self._ordinary.find(text) if self._in_company(text, hit)]
        found += list(self._for_findings(text, found))
        chosen = _chosen(found)
        chosen = _chosen([*chosen, *self._composed.apart(script, parts, chosen)])
        chosen = _chosen([*chosen, *self._verbs.find(script, chosen)])
        chosen = _chosen([*chosen, *self._unknown_diseases(text, chosen)])
        swallowed = self._swallowed(found, chosen)
        chosen = [one for one in chosen if one.name.kind != "idiom" and not _only_describes(text, one, chosen)]
        return sorted([*chosen, *swallowed], key=lambda one: (one.start, one.end))

    def _unknown_diseases(self, text: str, chosen: Sequence[Candidate]) -> Iterator[Candidate]:
        """Words that end as names of diseases do, where nothing known stands."""
        taken = _Taken(chosen)
        for match in self._disease.finditer(text):
            if taken.free(*match.span()):
                yield Candidate(*match.span(), Name(match[0], "finding"), 1)

    def _swallowed(self, found: Sequence[Candidate], chosen: Sequence[Candidate]) -> list[Candidate]:
        """Medicines within what somebody did with them: 降压药当糖吃, 吃了头孢又喝酒 tell of the medicine too."""
        exposures = [one for one in chosen if one.name.concept in self._exposures]
        if not exposures:
            return []
        taken = _Taken([one for one in chosen if one not in exposures])
        drugs = [one for one in found if one.name.kind == "drug" and one.name.concept not in self._substances]
        within = [one for one in drugs if taken.free(one.start, one.end) and any(_overlap(one, other) for other in exposures)]
        return _chosen(within)

    def medicines(self, script: Script) -> list[Candidate]:
        """The medicines alone, whatever else their names may be part of.

        For what is about to be said, where a name too many costs less than one too few.
        """
        text = script.text
        found = [_candidate(hit) for hit in self._literal.find(text, script.blank_before) if hit.value.kind == "drug"]
        found += [_candidate(hit) for hit in self._ordinary.find(text) if hit.start == 0 or self._in_company(text, hit)]
        found += [one for one in self._sounds.find(script) if one.name.kind == "drug"]
        return _chosen([*found, *self._by_stem(text, found)])

    def _by_stem(self, text: str, found: Sequence[Candidate]) -> list[Candidate]:
        """Unknown words with a known stem, where no known medicine stands (阿莫西林 in 来盒阿莫西林)."""
        known = {place for one in found if one.name.kind == "drug" for place in range(one.start, one.end)}
        matches = (match for pattern in self._stems for match in pattern.finditer(text))
        return [
            Candidate(match.start(), match.end(), Name(match[0], "drug"), len(match[0]))
            for match in matches
            if known.isdisjoint(range(match.start(), match.end()))
        ]

    def stem(self, word: str) -> StemRow | None:
        """The stem that makes an unknown word a medicine."""
        stems = self._book.stems
        return next(
            (row for row in stems if (word.endswith(row.ending) if row.ending else word.startswith(row.starting))), None
        )

    def _without_denial(self, text: str, found: Iterable[Candidate]) -> Iterator[Candidate]:
        """Of 没有尿 in 没有尿频 the longer name that is denied: 尿频."""
        for one in found:
            denial = _DENIAL.match(text, one.start) if one.name.kind == "finding" else None
            rest = text[denial.end() : one.end + _BESIDE] if denial else ""
            longer = next((hit for hit in self._literal.find(rest) if hit.start == 0), None) if rest else None
            if denial is None or longer is None or denial.end() + longer.end <= one.end or longer.value.kind != "finding":
                yield one
            else:
                yield Candidate(denial.end(), denial.end() + longer.end, longer.value, longer.end)

    def _for_findings(self, text: str, found: Iterable[Candidate]) -> Iterator[Candidate]:
        """Medicines told by what they are for: 治咳嗽的药, 湿疹膏."""
        for one in found:
            if one.name.kind != "finding":
                continue
            after = self._for_after.match(text[one.end : one.end + _BESIDE])
            if after:
                before = self._for_before.search(text[max(0, one.start - _BESIDE) : one.start])
                start, end = one.start - (len(before[0]) if before else 0), one.end + after.end()
                yield Candidate(start, end, Name(one.name.concept + "药", "drug"), end - start)

    def _in_company(self, text: str, hit: Hit[Name]) -> bool:
        """Whether a name that is ordinary Chinese too stands beside a medicine's words."""
        before, after = text[max(0, hit.start - _BESIDE) : hit.start], text[hit.end : hit.end + _BESIDE]
        return bool(self._company_before.search(before) or self._company_after.match(after))

    def _is_class(self, text: str, one: Candidate) -> bool:
        """No 退烧的 in 退烧的时候."""
        made = one.name.kind == "drug" and text[one.end - 1] == "的"
        return not (made and self._class_not_before.match(text, one.end))


class _Composed:
    """Findings of a part of the body and a sensation."""

    def __init__(self, book: Rulebook) -> None:
        self._compose: Composition = book.composition
        self._parts = Finder({_key(word): part for part, words in self._compose.parts.items() for word in words})
        self._sense_of = {_key(word): sense for sense, words in self._compose.senses.items() for word in words}
        self._senses = Finder(self._sense_of)
        self._alone = Finder({_key(word): sense for sense, words in self._compose.alone.items() for word in words})
        light, loose = self._compose.light, self._compose.light_filler
        ways = {
            word: re.escape(word[0]) + (loose if word[0] in light else "") + re.escape(word[1:])
            for word in sorted(self._sense_of, key=len, reverse=True)
        }
        self._sense_next = re.compile(f"(?:{book.wordings.filler}){{0,6}}(?P<sense>{'|'.join(ways.values())})", re.VERBOSE)
        self._light = {word: re.compile(way, re.VERBOSE) for word, way in ways.items() if word[0] in light}
        self._denied = re.compile("不|没|无|未")
        self._ends = re.compile(f"[{re.escape(book.wordings.clause_end)}]")

    def parts(self, text: str) -> Iterator[Hit[str]]:
        """The parts of the body that are named."""
        return self._parts.find(text)

    def beside(self, text: str, parts: Sequence[Hit[str]]) -> Iterator[Candidate]:
        """A sensation right behind its part, but for words of degree: 胸口有点痛."""
        for part in parts:
            match = self._sense_next.match(text, part.end)
            if match is None:
                continue
            word = match["sense"]
            if word not in self._sense_of:  # 起了个大泡 is 起泡
                word = next(sense for sense, way in self._light.items() if way.fullmatch(word))
            sense = self._sense_of[word]
            if self._compose.allows(part.value, sense):
                strength = part.end - part.start + len(word)
                yield Candidate(part.start, match.end(), Name(part.value + sense, "finding"), strength)

    def apart(self, script: Script, parts: Sequence[Hit[str]], chosen: Sequence[Candidate]) -> Iterator[Candidate]:
        """Sensations of a part that is named some words before: 头昨晚就开始痛. And those without any part: 化脓."""
        text, taken = script.text, _Taken(chosen)
        for hit in self._senses.find(text):
            if not taken.free(hit.start, hit.end) or (part := _last_before(parts, hit.start)) is None:
                continue
            if (
                self._compose.allows(part.value, hit.value)
                and taken.free(part.end, hit.start)
                and not _crosses(script, part.start, hit.end)
                and not self._ends.search(text, part.end, hit.start)
            ):
                denied = self._denied.search(text, part.end, hit.start)
                start = hit.start if denied or not taken.free(part.start, hit.start) else part.start
                yield Candidate(start, hit.end, Name(part.value + hit.value, "finding"), hit.end - hit.start)
        for hit in self._alone.find(text):
            if taken.free(hit.start, hit.end):
                yield Candidate(hit.start, hit.end, Name(hit.value, "finding"), hit.end - hit.start)


class _Verbs:
    """Complaints of one character, where a verb can stand."""

    def __init__(self, book: Rulebook) -> None:
        self._rows: dict[str, tuple[VerbRow, re.Pattern[str], re.Pattern[str]]] = {
            _key(row.word): (row, re.compile(row.before or book.wordings.before, re.VERBOSE), re.compile(row.after, re.VERBOSE))
            for row in book.verbs
        }
        self._any = re.compile(f"[{''.join(self._rows)}]") if self._rows else re.compile("(?!)")
        people = "|".join(re.escape(_key(word)) for row in book.persons for word in row.words)
        self._someone = re.compile(f"(?:{people})$")

    def find(self, script: Script, chosen: Sequence[Candidate]) -> Iterator[Candidate]:
        """Those that stand free; what only says how another finding is (痔疮痛得坐不住) is none."""
        text, taken = script.text, _Taken(chosen)
        for match in self._any.finditer(text):
            place = match.start()
            row, before, after = self._rows[match[0]]
            ahead = text[max(0, place - _BESIDE) : place]
            if (
                taken.free(place, place + 1)
                and not taken.ends_at(place)
                and (after.match(text[place + 1 : place + 1 + _BESIDE]) or not taken.free(place + 1, place + 2))
                and (place in script.blank_before or before.search(ahead) or self._someone.search(ahead))
                and not (row.concept == "痛" and taken.pain_before(place) and not re.search("不|没", ahead[-3:]))
            ):
                yield Candidate(place, place + 1, Name(row.concept, "finding"), 1)


class _Taken:
    """Which places the names found so far hold. They are in order and don't overlap."""

    def __init__(self, chosen: Sequence[Candidate]) -> None:
        self._chosen = chosen
        self._starts = [one.start for one in chosen]
        self._ends = {one.end for one in chosen if one.name.kind == "finding"}

    def free(self, start: int, end: int) -> bool:
        """Whether nothing of this stretch is held."""
        place = bisect_left(self._starts, end)
        return start >= end or place == 0 or self._chosen[place - 1].end <= start

    def ends_at(self, place: int) -> bool:
        """Whether a finding ends here."""
        return place in self._ends

    def pain_before(self, place: int) -> bool:
        """Whether the finding before is a pain."""
        number = bisect_left(self._starts, place)
        return number > 0 and "痛" in self._chosen[number - 1].name.concept


def _overlap(one: Candidate, other: Candidate) -> bool:
    return one.start < other.end and other.start < one.end


def _only_describes(text: str, one: Candidate, chosen: Sequence[Candidate]) -> bool:
    """Whether it is no medicine of its own, as 激素的 before 湿疹膏."""
    drug = one.name.kind == "drug" and text[one.end - 1] == "的"
    return drug and any(other.start == one.end and other.name.kind == "drug" for other in chosen)


def _candidate(hit: Hit[Name], more: int = 0) -> Candidate:
    return Candidate(hit.start, hit.end, hit.value, hit.end - hit.start + more)


def _last_before(parts: Sequence[Hit[str]], place: int) -> Hit[str] | None:
    """The part named last within reach before this place."""
    number = bisect_right(parts, place, key=lambda part: part.end)
    return parts[number - 1] if number and place - parts[number - 1].end <= _APART else None


@lru_cache(maxsize=1 << 16)
def _key(word: str) -> str:
    return wording(word)


def _joined(names: Iterable[tuple[str, Name]]) -> dict[str, Name]:
    """The wordings; one that several findings have tells of them all, and else the later counts."""
    joined: dict[str, Name] = {}
    for word, name in names:
        before = joined.get(word)
        if before is not None and before.kind == name.kind == "finding" and name.concept != before.concept:
            joined[word] = before._replace(also=(*before.also, name.concept))
        else:
            joined[word] = name
    return joined


def _names(book: Rulebook, taking: _Taking) -> Iterator[tuple[str, Name]]:
    """Every wording; of equal ones the later counts: composed ones by their first words, then findings, then medicines."""
    compose = book.composition
    for part, words in compose.parts.items():
        for sense, ways in compose.senses.items():
            if compose.allows(part, sense):
                name = Name(part + sense, "finding")
                yield from ((_key(word) + _key(way), name) for word in words[:4] for way in ways[:2])
    wordings = {_key(word) for finding in book.findings if finding.kind != "need" for word in finding.words}
    for finding in book.findings:
        if finding.kind == "circumstance":
            continue
        name = Name(finding.name, "idiom" if finding.kind == "need" else "finding")
        keys = (_key(word) for word in (finding.name, *finding.words, *book.english.get(finding.name, ())))
        yield from ((key, name) for key in keys if len(key) >= 2 and not taking.is_all(key))
    for kind in book.classes:
        name = Name(kind.name, "drug")
        words = (kind.name, *kind.words, *book.english.get(kind.name, ()))
        called = (key for word in words for key in _class_ways(_key(word), wordings))
        yield from ((key, name) for key in called if not taking.is_all(key))
    for drug in book.drugs:
        words = (drug.name, *drug.names, *book.english.get(drug.name, ()))
        yield from ((_key(word), Name(drug.name, "drug")) for word in words if word not in drug.ordinary)
    yield from ((_key(word), Name(word, "idiom")) for word in book.idioms)


class _Taking:
    """Which wordings are no more than a medicine with its verb, or an allergy to one: the medicine is found by itself."""

    def __init__(self, book: Rulebook) -> None:
        self._verbs = book.lists.get("take", ())
        self._medicines = {_key(word) for row in book.drugs for word in (row.name, *row.names, *row.ordinary)}
        self._medicines |= {_key(word) for row in book.classes for word in (row.name, *row.words)}

    def is_all(self, word: str) -> bool:
        """吃华法林, 打胰岛素, 对青霉素过敏."""
        if word.endswith("过敏") and word.removeprefix("对").removesuffix("过敏") in self._medicines:
            return True
        return any(word[:size] in self._verbs and word[size:] in self._medicines for size in (1, 2))


def _class_ways(word: str, findings: set[str]) -> Iterator[str]:
    """降压药, and 降压的 for it; no 感冒的, which says what somebody has."""
    yield word
    what = word.removesuffix("药")
    if what != word and len(what) >= 2 and what not in findings:
        yield from (what + "的药", what + "的")


def _ordinary(book: Rulebook) -> Iterator[tuple[str, Name]]:
    """Names of medicines that are ordinary Chinese too."""
    return ((_key(word), Name(drug.name, "drug")) for drug in book.drugs for word in drug.ordinary)


def _squeezed(names: Mapping[str, Name], filler: re.Pattern[str], parts: Collection[str]) -> Iterator[tuple[str, Name]]:
    """Wordings of findings with their own words of degree left out, as `Script.without` leaves them out of the text.

    What is left must still say it: 半天喘一口气 isn't 喘气, 后脑勺着地 isn't 后脑勺, 躺不得 isn't 躺不.
    """
    whole: list[tuple[str, Name]] = []
    for word, name in names.items():
        if name.kind != "finding" or filler.match(word):
            continue  # What begins with such a word needs it: 突然听不清 is more than 听不清.
        bare = filler.sub("", word)
        if bare == word:
            whole.append((word, name))
        elif len(bare) > 2 and 2 * len(bare) > len(word) and bare not in parts:
            yield bare, name
    # Of equal ones the later counts: a wording as it stands, not what is left of another (腿肿, 腿肿着).
    yield from ((word, name) for word, name in whole if len(word) >= 2)


def _stems(book: Rulebook) -> list[re.Pattern[str]]:
    start = f"[^{re.escape(book.wordings.not_a_stem)}a-z0-9]"
    endings = "|".join(re.escape(row.ending) for row in book.stems if row.ending)
    starts = "|".join(re.escape(row.starting) for row in book.stems if row.starting)
    patterns = [f"{start}{{0,4}}(?:{endings})"] if endings else []
    patterns += [f"(?:{starts}){start}{{0,3}}"] if starts else []
    return [re.compile(pattern) for pattern in patterns]


def _crosses(script: Script, start: int, end: int) -> bool:
    """Whether a blank, which in Chinese stands for a comma, lies between Han characters of this stretch."""
    return any(place in script.blank_before and not script.text[place - 1].isascii() for place in range(start + 1, end))


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
        heard: dict[str, tuple[str, Name]] = {}
        spoken: dict[str, tuple[str, Name]] = {}
        for word, name in names.items():
            if name.kind == "idiom" or not all(map(_han, word)) or not 2 <= len(word) <= 8:
                continue
            code = self._coded(word)
            spoken.setdefault(code, (word, name))
            if "痛" in word:  # 疼 is written 痛 in the tables, and spoken teng
                spoken.setdefault(self._coded(word.replace("痛", "疼")), (word, name))
            if name.kind == "drug" and len(word) >= 3:
                heard.setdefault(code, (word, name))
        self._heard, self._spoken = Finder(heard), Finder(spoken)
        syllables = sorted((s for s in self._codes if s.isascii() and s.isalpha()), key=len, reverse=True)
        self._syllable = re.compile("|".join(syllables))
        self._syllables = re.compile(f"(?:{self._syllable.pattern})+")

    def find(self, script: Script) -> Iterator[Candidate]:
        """Names by sound; a Chinese one that is written right is found literally as well, and is as strong."""
        text = script.text
        coded = "".join([self._codes.get(_sound(char), char) if _han(char) else char for char in text])
        for hit in self._heard.find(coded):
            word, name = hit.value
            written = text[hit.start : hit.end]
            wrong = [char for char, right in zip(written, word, strict=True) if char != right]
            # Two of three characters may sound alike by chance (没胸痛 for 美雄酮); half of them must be right. A number is no
            # slip of the pen (口腔溃疡三周 for 口腔溃疡散), 要 is none for 药 (头痛要不要紧),
            # and 加 none for 钾 (阿莫西林加左氧氟沙星).
            if 2 * len(wrong) <= len(word) and not any(char in _NO_SLIPS for char in wrong):
                yield Candidate(hit.start, hit.end, name, hit.end - hit.start)
        yield from self._in_pinyin(script)

    def _in_pinyin(self, script: Script) -> Iterator[Candidate]:
        places: list[int] = []
        codes: list[str] = []
        ends: list[int] = []
        for word in _latin_words(script):
            whole = self._syllables.fullmatch(script.text, *word)
            if whole is None:
                places.append(word[0])
                codes.append(" ")
                ends.append(word[1])
                continue
            for syllable in self._syllable.finditer(script.text, *word):
                places.append(syllable.start())
                codes.append(self._codes[syllable[0]])
                ends.append(syllable.end())
        for hit in self._spoken.find("".join(codes)):
            if all(ends[n] == places[n + 1] for n in range(hit.start, hit.end - 1)):
                start, end = places[hit.start], ends[hit.end - 1]
                if not _across(script, start, end):
                    yield Candidate(start, end, hit.value[1], end - start)

    def _coded(self, word: str) -> str:
        return "".join(self._codes.setdefault(sound, chr(_SYLLABLE_CODES + len(self._codes))) for sound in map(_sound, word))


def _across(script: Script, start: int, end: int) -> bool:
    """Whether a stretch goes over a blank, and yet begins or ends within a word (bi liang in guanbi liangbian)."""
    if not any(place in script.blank_before for place in range(start + 1, end)):
        return False
    text = script.text
    cut_before = start > 0 and start not in script.blank_before and text[start - 1].isascii() and text[start - 1].isalpha()
    cut_behind = end < len(text) and end not in script.blank_before and text[end].isascii() and text[end].isalpha()
    return cut_before or cut_behind


def _latin_words(script: Script) -> Iterator[tuple[int, int]]:
    """The stretches of Latin letters, cut where a blank stood."""
    for run in re.finditer("[a-z]+", script.text):
        start = run.start()
        for place in range(run.start() + 1, run.end()):
            if place in script.blank_before:
                yield start, place
                start = place
        yield start, run.end()


def _han(char: str) -> bool:
    return "\u4e00" <= char <= "\u9fff"


_SOUNDS: dict[str, str] = {}


def _sound(char: str) -> str:
    """A character's syllable without its tone; n and l, and nasal endings, as southern ears hear them, are kept apart."""
    if char not in _SOUNDS:
        _SOUNDS[char] = lazy_pinyin(char)[0]
    return _SOUNDS[char]
