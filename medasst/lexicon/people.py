"""Of whom a text speaks: words for persons, 他 and 她, whose a mention is, and from whom nobody seeks advice."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple, TypeVar

from medasst.lexicon.finder import Finder, Hit
from medasst.lexicon.names import Candidate
from medasst.lexicon.script import wording
from medasst.rulebook import Assertion, Person, PersonRow, Rulebook

T = TypeVar("T")
_PARENTS: dict[str, Person] = {"mother": "wife", "father": "husband"}  # of a child
_BESIDE = 6  # characters beside a word for a person that say what role it has
_CLAUSE_ENDS = re.compile("[,;。!?]")
_FAR = 40  # characters behind a mention in which its person may still be named


class _Turns(NamedTuple):
    """Places of a text.

    Attributes:
        complaints: findings of the shopper or of one of his house.
        struck: what somebody's illness means for the shopper: 传染给我.
        wants: the shopper, or one of his house, before what he takes, wants or asks for himself.
        helped: words that ask for help, or tell of one who lies there.
        taking: the persons of whom a medicine is told.
    """

    complaints: Sequence[int]
    struck: Sequence[int]
    wants: Sequence[int]
    helped: Sequence[int]
    taking: Collection[int]


class People:
    """Finds persons and gives them their mentions."""

    def __init__(self, book: Rulebook) -> None:
        words: dict[str, PersonRow | None] = {wording(word): row for row in book.persons for word in row.words}
        words.update({wording(word): None for word in book.no_persons})
        self._finder = Finder(words)
        say = book.wordings
        self._kin, self._sought, self._gone = (re.compile(pattern, re.VERBOSE) for pattern in (say.kin, say.sought, say.gone))
        self._has_it, self._own_turn, self._together, self._seeking = (
            re.compile(pattern, re.VERBOSE) for pattern in (say.has_it, say.own_turn, say.together, say.seeking)
        )
        self._told_behind, self._not_of = re.compile(say.told_behind, re.VERBOSE), re.compile(say.not_of, re.VERBOSE)
        self._owner_before, self._owner_after = (re.compile(each, re.VERBOSE) for each in (say.owner_before, say.owner_after))
        self._gives, self._speaks, self._given_to, self._dead, self._late = (
            re.compile(each, re.VERBOSE) for each in (say.gives, say.speaks, say.given_to, say.dead, say.late)
        )
        self._owns, self._asks, self._anew_before, self._anew_after = (
            re.compile(each, re.VERBOSE) for each in (say.owns, say.asks, say.anew_before, say.anew_after)
        )
        self._passed_on, self._cured = re.compile(say.passed_on, re.VERBOSE), re.compile(say.cured, re.VERBOSE)
        self._died, self._like_before, self._like_after, self._his_own, self._has_too = (
            re.compile(each, re.VERBOSE) for each in (say.died, say.like_before, say.like_after, say.his_own, say.has_too)
        )
        self._advises, self._takes, self._never_childs, self._wonders, self._for_itself = (
            re.compile(each, re.VERBOSE) for each in (say.advises, say.takes, say.never_childs, say.wonders, say.for_itself)
        )
        self._outsider, self._own_matter, self._helping, self._in_care = (
            re.compile(each, re.VERBOSE) for each in (say.outsider, say.own_matter, say.helping, say.in_care)
        )
        self._going_on = re.compile(say.going_on, re.VERBOSE)
        self._comes_to_me = re.compile(say.comes_to_me, re.VERBOSE)
        self._tells_on = re.compile(say.tells_on, re.VERBOSE)
        self._took_before, self._took_behind = (re.compile(each, re.VERBOSE) for each in (say.took_before, say.took_behind))
        self._somebody = PersonRow(words=("有人",), person="other", someone_else=True)
        self._outside = PersonRow(words=("外人",), person="other")
        self._diseases = {row.name for row in book.findings if row.kind in ("disease", "allergy")}

    def find(self, text: str, blank_before: frozenset[int], whole: str) -> list[Hit[PersonRow]]:
        """The persons of a plain text. 他 and 她 are the one named last (or else first); somebody's sister is one person.

        Args:
            whole: the text with its mentions, which `text` may be without.
        """
        found: list[Hit[PersonRow]] = []
        for hit in self._named(text, blank_before):
            row = hit.value
            if row is None or text.endswith(row.passing, 0, hit.start) or self._gone.match(whole, hit.end):
                continue
            if self._owner_before.search(whole, max(0, hit.start - _BESIDE), hit.start) and self._owner_after.match(
                text, hit.end
            ):
                continue
            denied = self._not_of.search(text, max(0, hit.start - _BESIDE), hit.start)
            if denied and (row.person != "self" or not text.startswith("\0", hit.end)):
                continue
            if row.person not in ("self", "child") and self._gives.match(text, hit.end):
                continue
            if self._only_compared(text, hit):
                if found and found[-1].value.refers and found[-1].end == hit.start:
                    found.pop()
                continue
            if self._in_passing(text, hit, first=not found):
                continue
            one = Hit(hit.start, hit.end, hit.name, row)
            last = found[-1] if found else None
            if (
                last is not None
                and "self" not in (last.value.person, row.person)
                and not row.refers
                and self._kin.fullmatch(text, last.end, one.start)
            ):
                found[-1] = Hit(last.start, one.end, one.name, _relative(_meant(found), row, alone=len(found) == 1))
            elif (
                last is not None
                and last.value.person == "self"
                and not row.refers
                and self._his_own.fullmatch(text, last.end, one.start)
            ):
                found[-1] = one._replace(start=last.start)
            else:
                found.append(one)
        found = _children(found)
        return _referred([hit for number, hit in enumerate(found) if not self._only_speaks(whole, found, number)])

    def _named(self, text: str, blank_before: frozenset[int]) -> list[Hit[PersonRow | None]]:
        """The words for persons, by the table or told by where they are from: 楼下卖菜大哥."""
        known: list[Hit[PersonRow | None]] = list(self._finder.find(text, blank_before))
        listed = {(hit.start, hit.end) for hit in known}
        apart: list[Hit[PersonRow | None]] = [
            Hit(*match.span(), match[0], self._outside) for match in self._outsider.finditer(text) if match.span() not in listed
        ]
        known = [hit for hit in known if all(hit.end <= other.start or other.end <= hit.start for other in apart)]
        return sorted([*apart, *known], key=lambda hit: hit.start)

    def _only_compared(self, text: str, hit: Hit[PersonRow | None]) -> bool:
        """Whether somebody is named only to say what it is like: 要是像他表哥那样抽起来."""
        before = self._like_before.search(text, max(0, hit.start - _BESIDE), hit.start)
        return before is not None and self._like_after.match(text, hit.end) is not None

    def _in_passing(self, text: str, hit: Hit[PersonRow | None], *, first: bool) -> bool:
        """Whether somebody from outside only has it, too, or says what to buy: 孩子嘴烂了, 同桌也有; 工友让我买药膏."""
        if hit.value is None or _of_the_house(hit.value) or hit.value.refers or hit.value.person == "self":
            return False
        if not first and self._has_too.match(text, hit.end):
            return True
        return "\0" in text[max(0, hit.start - _FAR) : hit.start] and self._advises.match(text, hit.end) is not None

    def _only_speaks(self, text: str, found: Sequence[Hit[PersonRow]], number: int) -> bool:
        """Whether this is the one who writes, who but doubts or asks about the one of his house named beside."""
        if found[number].value.person != "self" or not self._speaks.match(text, found[number].end):
            return False
        beside = [*reversed(found[:number])] or found[number + 1 :]
        named = next((hit for hit in beside if hit.value.person != "self" and not hit.value.refers), None)
        if named is None or (named.start < found[number].start and self._dead.search(text, named.end, found[number].start)):
            return False
        return _of_the_house(named.value)

    def whose(
        self,
        text: str,
        start: int,
        end: int,
        persons: Sequence[Hit[PersonRow]],
        parted: Callable[[int, int], bool],
        *,
        medicine: bool = False,
    ) -> Hit[PersonRow] | None:
        """The word for the person whose the mention at `start:end` is; None: the one who writes.

        The nearest person named before; if none is, the first one after it in its sentence. 糖尿病我妈有 is the mother's.

        Args:
            parted: whether a sentence ends between two places.
            medicine: whether it is a medicine, which may be for whoever is named behind it.
        """
        number = bisect_right(persons, start, key=lambda hit: hit.end)
        after = persons[number] if number < len(persons) else None
        before = persons[number - 1] if number else None
        told_already = before is not None and self._owns.fullmatch(text, before.end, start)
        if after is not None and (
            (after.start - end <= 1 and not told_already and self._has_it.match(text, after.end))
            or (medicine and self._given_to.fullmatch(text, end, after.start))
            or (medicine and after.start == end and after.value.person == "self" and self._takes.match(text, after.end))
        ):
            return after
        for later in persons[number : number + 2]:
            if later.start <= end + _BESIDE and self._told_behind.fullmatch(text, end, later.start):
                return later
        if before is not None or after is None or after.start < end or after.start - end > _FAR:
            return before
        if after.value.person == "child" and self._never_childs.search(text, max(0, start - _FAR), end):
            return None
        return after if self._reaches_back(text, end, after, parted) else None

    def _reaches_back(self, text: str, end: int, after: Hit[PersonRow], parted: Callable[[int, int], bool]) -> bool:
        """Whether what ends at `end`, where nobody was named yet, is of the first person named behind it."""
        ahead = max(0, after.start - _BESIDE)
        if self._sought.search(text, ahead, after.start) and self._asks.match(text, after.end):
            return True
        if self._wonders.match(text, after.end):
            return True
        if self._anew_before.search(text, ahead, after.start) or self._anew_after.match(text, after.end):
            return False
        if not (_of_the_house(after.value) or after.value.refers) and _CLAUSE_ENDS.search(text, end, after.start):
            return not self._tells_on.match(text, after.end)
        return not parted(end, after.start)

    def assertions(
        self,
        text: str,
        mentions: Sequence[Candidate],
        said: Sequence[Assertion],
        persons: Sequence[Hit[PersonRow]],
        whose: Sequence[Hit[PersonRow] | None],
    ) -> list[Assertion]:
        """The assertions, with `someone_else` where nobody seeks advice for the person."""
        if not any(hit.value.person != "self" for hit in persons) or self._together.search(text):
            return list(said)
        sought = {hit.value.person for hit in persons if self._sought.search(text, max(0, hit.start - _BESIDE), hit.start)}
        denied = {
            one.name.concept
            for one, assertion, hit in zip(mentions, said, whose, strict=True)
            if assertion == "absent" and (hit is None or hit.value.person == "self")
        }
        turns = [hit.start for hit in persons if hit.value.person == "self" and self._own_turn.match(text, hit.end)]
        turns += [
            one.start
            for one, assertion, hit in zip(mentions, said, whose, strict=True)
            if hit is not None
            and hit.value.person == "self"
            and assertion in ("present", "possible", "absent")
            and one.name.kind == "finding"
        ]
        last_turn = max(turns, default=-1)
        house = [hit.start for hit in persons if hit.value.person != "self" and _of_the_house(hit.value)]
        asked = [match.start() for match in self._seeking.finditer(text)]
        places = self._turns(text, mentions, persons, whose)
        told = [
            "someone_else"
            if hit is not None
            and (assertion in ("present", "possible", "historical") or self._died.match(text, hit.end))
            and hit.value.person not in sought
            and (
                self._died.match(text, hit.end)
                or self._late.match(text, hit.end)
                or self._is_told_of(text, number, mentions, said, whose)
                or self._only_for_itself(text, number, mentions, whose)
                or self._denied_of_child(number, mentions, said, whose)
                or self._is_story(text, one, hit, places)
                or self._is_by_the_way(
                    one,
                    hit.value,
                    asks_for_self=one.end <= last_turn or one.name.concept in denied,
                    # 班主任腮腺炎, 我家娃没肿, 要是发烧怎么办 seeks help for the child.
                    seeking=any(not any(one.end <= start < place for start in house) for place in asked),
                )
            )
            else assertion
            for number, (one, assertion, hit) in enumerate(zip(mentions, said, whose, strict=True))
        ]
        told = _with_medicines(mentions, told, whose)
        return [
            "someone_else"
            if one.name.kind == "drug"
            and assertion == "hypothetical"
            and hit is not None
            and hit.value.person not in sought
            and self._is_story(text, one, hit, places)
            and self._took(text, one, hit)
            else assertion
            for one, assertion, hit in zip(mentions, told, whose, strict=True)
        ]

    def _turns(
        self,
        text: str,
        mentions: Sequence[Candidate],
        persons: Sequence[Hit[PersonRow]],
        whose: Sequence[Hit[PersonRow] | None],
    ) -> _Turns:
        """Where a text turns from somebody to the shopper, or to one of his house, and where help is asked for."""
        told = [(one, hit) for one, hit in zip(mentions, whose, strict=True) if hit is not None]
        near = (hit for hit in persons if hit.value.person == "self" or _of_the_house(hit.value))
        return _Turns(
            complaints=[one.start for one, hit in told if one.name.kind == "finding" and _of_the_house(hit.value)],
            struck=[match.start() for match in self._comes_to_me.finditer(text)],
            wants=[hit.start for hit in near if self._own_matter.match(text, hit.end)],
            helped=[match.start() for match in self._helping.finditer(text)],
            taking={hit.start for one, hit in told if one.name.kind == "drug"},
        )

    def _is_story(self, text: str, one: Candidate, hit: Hit[PersonRow], turns: _Turns) -> bool:
        """Whether somebody from outside for whom no help is asked is told of before one's own matter, or is cared for.

        A symptom beside which the shopper only wants something may be what he wants it for, unless a medicine made it.
        """
        if _of_the_house(hit.value) or hit.value.refers or self._asked_for(text, hit):
            return False
        if any(place >= hit.start for place in turns.helped):
            return False
        if any(place >= one.end for place in (*turns.complaints, *turns.struck)):
            return True
        cared = self._in_care.search(text, one.end)
        if cared is not None and cared.end() < len(text) - _BESIDE:
            return True
        wanted = next((place for place in turns.wants if place >= one.end), None)
        if wanted is None or self._going_on.search(text, hit.end, wanted):
            return False
        return one.name.kind == "drug" or hit.start in turns.taking or one.name.concept in self._diseases

    def _took(self, text: str, one: Candidate, hit: Hit[PersonRow]) -> bool:
        """Whether somebody took a medicine, in words of which no cue speaks: 大爷一天一片伟哥."""
        before = self._took_before.fullmatch(text, hit.end, one.start) if hit.end <= one.start else None
        return before is not None or self._took_behind.match(text, one.end) is not None

    def _only_for_itself(
        self, text: str, number: int, mentions: Sequence[Candidate], whose: Sequence[Hit[PersonRow] | None]
    ) -> bool:
        """Whether somebody's medicine, or what it did, is told by one who thinks of it for himself: 我姐吃它长斑, 我不敢吃."""
        one, hit = mentions[number], whose[number]
        if hit is None or hit.value.person in ("self", "child") or _of(whose[-1]) not in (hit.value.person, "self"):
            return False
        taken = any(other.name.kind == "drug" and of == hit for other, of in zip(mentions[: number + 1], whose, strict=False))
        return taken and bool(self._for_itself.search(text, one.end))

    def _denied_of_child(
        self,
        number: int,
        mentions: Sequence[Candidate],
        said: Sequence[Assertion],
        whose: Sequence[Hit[PersonRow] | None],
    ) -> bool:
        """Whether it is a grown-up's disease that the child hasn't, as is said further on: 爸爸有蚕豆病, 孩子没有蚕豆病."""
        one = mentions[number]
        if _of(whose[number]) in ("self", "child") or one.name.concept not in self._diseases:
            return False
        later = zip(mentions[number + 1 :], said[number + 1 :], whose[number + 1 :], strict=True)
        return any(
            other.name.concept == one.name.concept and _of(of) == "child" and assertion == "absent"
            for other, assertion, of in later
        )

    def _is_told_of(
        self,
        text: str,
        number: int,
        mentions: Sequence[Candidate],
        said: Sequence[Assertion],
        whose: Sequence[Hit[PersonRow] | None],
    ) -> bool:
        """Whether a mention is there only for another one's sake: 小姨子新冠后没味觉, 我老公现在也没味觉."""
        one, hit = mentions[number], whose[number]
        if hit is None or hit.value.person in ("self", "child"):
            return False
        if one.name.kind == "drug":
            return False
        others = [
            (other, of)
            for other, assertion, of in zip(mentions, said, whose, strict=True)
            if of is not None
            and of.value.person not in ("self", hit.value.person)
            and _of_the_house(of.value)
            and other.name.kind == "finding"
            and assertion in ("present", "possible", "absent")
        ]
        if any(one.end <= other.start for other, _ in others):
            if not _of_the_house(hit.value):
                return True
            over = said[number] == "historical" and not self._cured.match(text, one.end)
            if over and one.name.concept in self._diseases:
                return True
        given = one.name.concept in self._diseases and self._passed_on.search(text, one.end)
        if given and not _of_the_house(hit.value):
            return True
        return bool(given) and any(one.end <= other.start or of.value.person == "child" for other, of in others)

    def somebody(self, cue: Hit[T]) -> Hit[PersonRow]:
        """Whoever is spoken of where nobody is named: 班上有诺如."""
        return Hit(cue.start, cue.end, cue.name, self._somebody)

    def seekers(
        self,
        text: str,
        mentions: Sequence[Candidate],
        said: Sequence[Assertion],
        whose: Sequence[Hit[PersonRow] | None],
    ) -> list[Hit[PersonRow] | None]:
        """Whose each mention is, where a medicine that is asked for beside a colleague's illness is the shopper's own."""
        seeking = self._seeking.search(text) is not None
        return [
            None
            if assertion == "hypothetical"
            and not (seeking and one.name.kind == "drug")
            and hit is not None
            and hit.value.someone_else
            and not self._asked_for(text, hit)
            else hit
            for one, assertion, hit in zip(mentions, said, whose, strict=True)
        ]

    def _asked_for(self, text: str, hit: Hit[PersonRow]) -> bool:
        """Whether it says that somebody from outside is who asks: 帮邻居问的, 同事想知道."""
        before = self._sought.search(text, max(0, hit.start - _BESIDE), hit.start)
        return self._wonders.match(text, hit.end) is not None or (
            before is not None and self._asks.match(text, hit.end) is not None
        )

    def _is_by_the_way(self, one: Candidate, row: PersonRow, *, asks_for_self: bool, seeking: bool) -> bool:
        """Whether a mention of this person is there only to ask about oneself: a colleague's flu, a disease in the family."""
        if row.someone_else and not seeking:
            return True
        if not asks_for_self:
            return False
        if row.person in ("self", "child"):
            return False
        return not _of_the_house(row) or one.name.concept in self._diseases or "过敏" in one.name.concept


def _of(hit: Hit[PersonRow] | None) -> Person:
    return hit.value.person if hit is not None else "self"


def _of_the_house(row: PersonRow) -> bool:
    """Whether it is somebody near: 婆婆, 孙子; not a friend, an uncle."""
    return row.person != "other" or row.stage is not None


def _relative(of: PersonRow, row: PersonRow, *, alone: bool) -> PersonRow:
    """Somebody's somebody: 我妈她姐姐, 同事的孩子. A child's parents and siblings are those of the house.

    Args:
        alone: whether nobody was named before; who then writes 他爸 means the child's.
    """
    if (of.person == "child" or (of.refers and alone)) and row.person in _PARENTS:
        return row.model_copy(update={"person": _PARENTS[row.person]})
    if of.person == "child" and row.among_children:
        return of
    by_the_way = of.someone_else or row.someone_else or of.person == "other"
    return row.model_copy(update={"person": "other", "someone_else": by_the_way})


def _meant(found: Sequence[Hit[PersonRow]]) -> PersonRow:
    """Whom the last of these is: of 他 in 他爸 a child that was named."""
    last = found[-1].value
    children = (hit.value for hit in found if hit.value.person == "child")
    return next(children, last) if last.refers else last


def _children(found: Sequence[Hit[PersonRow]]) -> list[Hit[PersonRow]]:
    """The persons with 哥哥 and 妹妹 as children of the house, where a child or two of them are named."""
    children = [hit.value for hit in found if hit.value.person == "child"]
    named = {hit.name for hit in found if hit.value.among_children}
    if not named or not (children or len(named) > 1):
        return list(found)
    child = children[0] if children else PersonRow(words=tuple(named), person="child", stage="child")
    return [hit._replace(value=child) if hit.value.among_children else hit for hit in found]


def _with_medicines(
    mentions: Sequence[Candidate], told: list[Assertion], whose: Sequence[Hit[PersonRow] | None]
) -> list[Assertion]:
    """The assertions; what somebody takes of whom only somebody else's illness is told is told so, too."""
    findings: dict[str, set[Assertion]] = {}
    for one, assertion, hit in zip(mentions, told, whose, strict=True):
        if one.name.kind == "finding" and hit is not None:
            findings.setdefault(hit.value.person, set()).add(assertion)
    return [
        "someone_else"
        if one.name.kind == "drug"
        and assertion in ("present", "historical")
        and hit is not None
        and findings.get(hit.value.person) == {"someone_else"}
        else assertion
        for one, assertion, hit in zip(mentions, told, whose, strict=True)
    ]


def _referred(found: list[Hit[PersonRow]]) -> list[Hit[PersonRow]]:
    """The persons with 他 and 她 as who they stand for: of those who may be meant the one named last, else the first."""
    named = [hit for hit in found if not hit.value.refers and hit.value.person != "self"]
    resolved: list[Hit[PersonRow]] = []
    for hit in found:
        if hit.value.refers:
            sex = hit.value.sex
            fit = [one for one in named if sex is None or one.value.sex in (sex, None)] or named
            before = [one.value for one in fit if one.start < hit.start]
            meant = before[-1] if before else fit[0].value if fit else None
            if meant is not None:
                resolved.append(Hit(hit.start, hit.end, hit.name, meant))
                continue
        resolved.append(hit)
    return resolved
