"""What a product's own leaflet says of a person: a ground of its own beside the formulary's tables.

What it forbids stays forbidden, and what only it allows may be allowed. It is read clause by clause: of whom a clause
speaks, and whether those may not, must ask first, or may.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from medasst.catalogue import Section
from medasst.lexicon import plain
from medasst.lexicon.values import number
from medasst.rulebook import Rulebook
from medasst.text import sentences

Leaflet = Mapping[str, Section]
Verdict = Literal["forbid", "ask", "caution", "allow"]
_CLAUSE = re.compile(r"[^,;。!?\n]+")
_OLD_ONES = re.compile("(?:老年|岁以上)患者")
_FOR_EVER = 1e6
_CHILDHOOD = 216
_KEPT = 8192  # sections that are kept as they were matched
_NEVER = re.compile("(?!)")
_WARNS = ("contraindications", "cautions", "interactions")


class Span(NamedTuple):
    """An age in months, or a week of pregnancy: not below `low`, below `high`; a known one has both alike."""

    low: float
    high: float

    def within(self, other: Span) -> bool:
        """Whether everything in it lies in the other."""
        return other.low <= self.low and (self.high <= other.high if self.high > self.low else self.low < other.high)

    def meets(self, other: Span) -> bool:
        """Whether some of it lies in the other."""
        return self.low < other.high and (other.low < self.high or other.low <= self.low)


class Says(NamedTuple):
    """What a leaflet says of a circumstance.

    Attributes:
        text: its own sentence.
        sure: whether the person surely is of those whom it speaks of.
    """

    verdict: Verdict
    text: str
    key: str
    section: Section
    sure: bool = True


class _Sentence(NamedTuple):
    written: str
    plain: str
    clauses: tuple[str, ...]


class LeafletReader:
    """Reads leaflets by the patterns of one rulebook."""

    def __init__(self, book: Rulebook) -> None:
        self._say = book.leaflets
        self._patterns = {
            name: re.compile(value, re.VERBOSE)
            for name in type(book.leaflets).model_fields
            if isinstance(value := getattr(book.leaflets, name), str)
        }

    # Those who need leave: of these a leaflet must say that they may

    def pregnancy(self, leaflet: Leaflet, weeks: Span) -> Says | None:
        """Of somebody pregnant in these weeks; None where the leaflet leaves it open."""
        return self._mother(leaflet, "pregnancy", "lactation", weeks)

    def lactation(self, leaflet: Leaflet) -> Says | None:
        """Of somebody who breast-feeds."""
        return self._mother(leaflet, "lactation", "pregnancy", Span(0, 0))

    def _mother(self, leaflet: Leaflet, mine: str, others: str, weeks: Span) -> Says | None:
        found: list[Says] = []
        for key in ("pregnancy", "contraindications"):
            section = leaflet.get(key)
            for sentence in _split(section.text) if section else ():
                who: bool | None = key == "pregnancy" or None  # in its own section a clause that names nobody speaks of both
                for clause in sentence.clauses:
                    own, other = self._has(mine, clause), self._has(others, clause)
                    who = own if own or other else who
                    verdict = self._verdict(clause, self._patterns["courtesy"]) if who else None
                    if verdict is not None and section is not None:
                        sure, applies = self._in_trimester(clause, weeks)
                        if applies:
                            found.append(Says(verdict, sentence.written, key, section, sure))
        return _strictest(found)

    def _in_trimester(self, clause: str, weeks: Span) -> tuple[bool, bool]:
        """Whether a clause surely speaks of these weeks, and whether it may."""
        for name, bounds in (("first_trimester", Span(0, 14)), ("last_trimester", Span(28, 45))):
            if self._has(name, clause):
                return weeks.within(bounds), weeks.meets(bounds)
        return True, True

    def child(self, leaflet: Leaflet, months: Span, *, for_children: bool) -> Says | None:
        """Of a child of this age; None where the leaflet leaves it open.

        Args:
            for_children: whether its name says that it is made for children.
        """
        found = [*self._ages(leaflet, months, ("children", "contraindications"))]
        section = leaflet.get("dosage") or leaflet.get("children")
        if section is not None and (for_children or self._doses_child(leaflet, months)):
            found.append(Says("allow", section.text, "dosage", section))
        return _strictest(found)

    def _ages(self, leaflet: Leaflet, months: Span, keys: Sequence[str]) -> Iterator[Says]:
        for key in keys:
            section = leaflet.get(key)
            for sentence in _split(section.text) if section else ():
                who: Span | None = Span(0, _CHILDHOOD) if key == "children" else None
                for clause in sentence.clauses:
                    who = self._of_age(clause) or who
                    verdict = self._verdict(clause) or ("allow" if self._has("allows_child", clause) else None)
                    if verdict is None or who is None or section is None or not months.meets(who):
                        continue
                    if verdict == "allow" and not months.within(who):
                        continue
                    yield Says(verdict, sentence.written, key, section, months.within(who))

    def _of_age(self, clause: str) -> Span | None:
        """The ages that a clause speaks of, in months."""
        if match := self._patterns["between"].search(clause):
            unit = match["unit"]
            return Span(_months(match["n"], match["u"] or unit), _months(match["m"], unit) + 1)
        if match := self._patterns["older"].search(clause):
            return Span(_months(match["n"], match["unit"]), _FOR_EVER)
        if match := self._patterns["younger"].search(clause):
            return Span(0, _months(match["n"] or match["m"], match["unit"] or match["unit2"]))
        if not self._has("child", clause):
            return None
        if clause.startswith("其他") or "儿童" in clause or "小儿" in clause:
            return Span(0, _CHILDHOOD)
        bounds = [bound for word, bound in self._say.months.items() if word in clause]
        return Span(0, max(bounds, default=_CHILDHOOD))

    def _doses_child(self, leaflet: Leaflet, months: Span) -> bool:
        """Whether the leaflet's dose names children of this age."""
        section = leaflet.get("dosage")
        for sentence in _split(section.text) if section else ():
            for clause in sentence.clauses:
                who = self._of_age(clause)
                if who is not None and months.within(who) and not self._verdict(clause):
                    return True
        return False

    # What speaks against it, where nothing has to speak for it

    def age(self, leaflet: Leaflet, months: Span) -> Says | None:
        """Of somebody grown up, where the leaflet names an age."""
        found = [says for says in self._ages(leaflet, months, ("contraindications", "cautions")) if says.verdict != "allow"]
        return _strictest(found)

    def elderly(self, leaflet: Leaflet, *, local: bool = False) -> Says | None:
        """Of somebody old: what holds of all of them stops, what holds of some (体弱者) is a caution.

        Args:
            local: whether it acts where it is put. That somebody be asked first is then a caution: such sections speak of thin
                skin and long use, and hardly any of it reaches the blood.
        """
        section = leaflet.get("elderly")
        found: list[Says] = []
        for sentence in _split(section.text) if section else ():
            some = False  # from a condition on, a sentence speaks of those who meet it
            for clause in sentence.clauses:
                bare = _OLD_ONES.sub("", clause).replace("就医", "")  # who sees a doctor for something has it
                some = some or self._has("only_if", bare)
                verdict = self._verdict(bare)
                if verdict is not None and verdict != "allow" and section is not None:
                    mild = some or (local and verdict == "ask")
                    found.append(Says("caution" if mild else verdict, sentence.written, "elderly", section))
        return _strictest(found)

    def condition(self, leaflet: Leaflet, concept: str, names: Iterable[str] = ()) -> Says | None:
        """Of somebody with a disease.

        Args:
            names: all broader ones, which count where leaflets have no word for the disease itself (高血压 is no 心力衰竭).
        """
        names = [name for name in {concept, *names} if len(name) > 1]  # a bare 痛 stands in every painkiller's class
        own = self._say.disease.get(concept)
        stems = [own] if own else sorted({stem for name in names if (stem := self._say.disease.get(name))})
        pattern = _any(tuple(stems) or tuple(sorted(map(re.escape, names)))) if names else _NEVER
        defaults: dict[str, Verdict] = {"contraindications": "forbid", "cautions": "ask", "elderly": "ask"}
        return self._mentioning(leaflet, pattern, defaults)

    def medicine(self, leaflet: Leaflet, names: Iterable[str]) -> Says | None:
        """Of somebody who takes a medicine. `names`: it, its class, its groups."""
        if not leaflet:
            return None
        pattern = _any(tuple(sorted(map(re.escape, names))))
        return self._mentioning(leaflet, pattern, dict.fromkeys(_WARNS, "ask"))

    def allergy(self, leaflet: Leaflet, allergen: str) -> Says | None:
        """Of somebody with an allergy to this."""
        stem = next((kin for name, kin in self._say.kin.items() if name in allergen), re.escape(allergen))
        for key in ("contraindications", "cautions"):
            section = leaflet.get(key)
            for sentence in _split(section.text) if section else ():
                if section is not None and "过敏" in sentence.plain and re.search(stem, sentence.plain):
                    verdict = self._verdict(sentence.plain)
                    return Says("ask" if verdict == "ask" else "forbid", sentence.written, key, section)
        return None

    def driving(self, leaflet: Leaflet) -> Says | None:
        """Of somebody who drives or works with machines."""
        return self._activity(leaflet, "driving", "no_driving", "caution")

    def alcohol(self, leaflet: Leaflet) -> Says | None:
        """Of somebody who drinks."""
        return self._activity(leaflet, "alcohol", "no_alcohol", "ask")

    def weight(self, leaflet: Leaflet, kg: float) -> Says | None:
        """Of somebody who weighs so much, where the leaflet names a bound."""
        for key in ("contraindications", "children", "cautions", "dosage"):
            section = leaflet.get(key)
            for sentence in _split(section.text) if section else ():
                for clause in sentence.clauses:
                    match = self._patterns["lighter"].search(clause)
                    verdict = self._verdict(clause) if match and kg < float(match["n"]) else None
                    if verdict in ("forbid", "ask") and section is not None:
                        return Says(verdict, sentence.written, key, section)
        return None

    def limit(self, leaflet: Leaflet) -> str:
        """How much of it a day at most, in the leaflet's words; empty where it tells none."""
        texts = (leaflet[key].text for key in ("dosage", "cautions") if key in leaflet)
        found = (match[0] for text in texts for s in _split(text) if (match := self._patterns["limit"].search(s.plain)))
        return next(found, "")

    # How clauses are read

    def _has(self, name: str, clause: str) -> bool:
        return bool(self._patterns[name].search(clause))

    def _verdict(self, clause: str, courtesy: re.Pattern[str] | None = None) -> Verdict | None:
        bare = self._patterns["not_meant"].sub("", clause)
        if self._has("forbids", bare):
            return "forbid"
        allows = self._has("allows", bare)
        if self._has("asks", courtesy.sub("", bare) if courtesy else bare):
            return "ask"
        return "allow" if allows else None

    def _mentioning(self, leaflet: Leaflet, pattern: re.Pattern[str], defaults: Mapping[str, Verdict]) -> Says | None:
        """The strictest sentence that names something: by what it says behind that, else before it, else by its section."""
        found: list[Says] = []
        for key, default in defaults.items():
            section = leaflet.get(key)
            for sentence in _split(section.text) if section else ():
                match = pattern.search(sentence.plain)
                if match is not None and section is not None:
                    verdict = self._behind(sentence.plain[match.end() :]) or self._verdict(sentence.plain[: match.start()])
                    verdict = default if verdict in (None, "allow") else verdict
                    if verdict == "ask" and self._has("severe_only", sentence.plain):
                        verdict = "caution"
                    sure = not self._has("others", sentence.plain[: match.start()])
                    found.append(Says(verdict or default, sentence.written, key, section, sure))
        return _strictest(found)

    def _behind(self, rest: str) -> Verdict | None:
        """What the first clause says that says anything."""
        return next((verdict for clause in _CLAUSE.findall(rest) if (verdict := self._verdict(clause))), None)

    def _activity(self, leaflet: Leaflet, name: str, never: str, otherwise: Verdict) -> Says | None:
        found: list[Says] = []
        for key in (*_WARNS, "adverse_reactions"):
            section = leaflet.get(key)
            for sentence in _split(section.text) if section else ():
                if section is None or not self._has(name, sentence.plain):
                    continue
                match = self._patterns[never].search(sentence.plain)
                # 如有困倦，不得驾驶 holds of those alone whom it makes drowsy.
                sure = match is not None and not self._has("only_if", sentence.plain[: match.start()])
                found.append(Says("forbid" if sure else otherwise, sentence.written, key, section))
        return _strictest(found)


_STRICTNESS: tuple[Verdict, ...] = ("allow", "caution", "ask", "forbid")


def _strictest(found: Sequence[Says]) -> Says | None:
    """What forbids most; of equals the surest, then the first."""
    return max(found, key=lambda says: (_STRICTNESS.index(says.verdict), says.sure), default=None)


@lru_cache(maxsize=_KEPT)
def _split(text: str) -> tuple[_Sentence, ...]:
    return tuple(
        _Sentence(written.strip(), script, tuple(_CLAUSE.findall(script)))
        for written in sentences(text)
        if (script := plain(written).text)
    )


@lru_cache(maxsize=_KEPT)
def _any(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(patterns))


def _months(amount: str, unit: str) -> float:
    return float(number(amount)) * (12 if unit == "岁" else 1)
