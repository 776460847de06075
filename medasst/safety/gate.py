"""The prescription gate: which medicines need one, what a shopper wants of them, and what a sentence may say of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from medasst.catalogue import Catalogue
from medasst.catalogue.words import name_key
from medasst.dialogue import DialogueState
from medasst.lexicon import Lexicon, Mention, Reading
from medasst.lexicon.script import plain
from medasst.rulebook import STRICTNESS, Rulebook, Status
from medasst.rulebook.texts import WarningRow
from medasst.safety.doses import has_dose
from medasst.text import comparison_key

Want = Literal["ask", "buy", "dose"]
GATED: frozenset[Status | None] = frozenset({"rx", "banned_online"})
_NOT_A_DOSE = re.compile(r"(?:不要|不可|不得|不能|切勿|勿|别)(?:自行|擅自|随意).*")  # 不要自行加量; but 别空腹，一次两粒 is one
_CLAUSES = re.compile(r"[^，。！？；,.!?;\n]+")


class Act(NamedTuple):
    """What a turn wants of a prescription medicine: to know of it, to have it, to be told how much.

    `status` is "rx" or "banned_online".
    """

    want: Want
    mention: Mention
    status: Status


class Named(NamedTuple):
    """A medicine that a text names: as it calls it, and how it is sold (None: nobody knows)."""

    words: str
    concept: str
    status: Status | None


class Gate:
    """Knows prescription medicines by the rulebook's tables and by this shop's catalogue: the stricter of both decides.

    Args:
        book: the tables.
        lexicon: reads by the same tables.
        catalogue: a name of one of its prescription products is gated, whatever the tables say; a medicine that is sold both
            ways needs a prescription unless it is called by the full name of a product that is over the counter here.
    """

    def __init__(self, book: Rulebook, lexicon: Lexicon, catalogue: Catalogue) -> None:
        self.texts = book.gate
        self._book, self._lexicon, self._catalogue = book, lexicon, catalogue
        self._buy, self._dose = re.compile(book.gate.buy), re.compile(book.gate.dose)
        self._caution, self._indication = _any(book.gate.caution), _any(book.gate.indication)

    def status(self, concept: str, words: str = "", text: str = "") -> Status | None:
        """How a medicine is sold here; None: neither tables nor catalogue know it.

        Args:
            words: how it is called. text: where it is called so.
        """
        table = self._lexicon.status(concept)
        if table == "dual":
            free = concept in self._book.classes.rows or self._free_by_name(words, text or words)  # some of a kind are free
            return "otc" if free else "rx"
        sold = self._catalogue.sold(comparison_key(words)) or self._catalogue.sold(concept)
        shop: Status | None = ("rx" if True in sold else "otc") if sold else None
        told = [status for status in (table, shop) if status is not None]
        return max(told, key=STRICTNESS.index) if told else None

    def _free_by_name(self, words: str, text: str) -> bool:
        """Whether words stand in a text only within full names of products that are free here: their label shows it."""
        key, rest, free = name_key(words), name_key(text), False
        for product, _, called, _ in self._catalogue.named(text):
            whole = called in (name_key(product.name), name_key(product.short_name))
            if whole and self._catalogue.sold(comparison_key(product.name)) == {False}:
                free |= key in called
                rest = rest.replace(called, " ")
        return free and key not in rest

    def acts(self, reading: Reading, before: Reading | None = None) -> list[Act]:
        """What a turn wants of prescription medicines. What is only told of (在吃华法林, 对青霉素过敏) isn't wanted.

        Args:
            before: the turn before it; a turn that names no medicine may want that turn's (我也要一盒).
        """
        found: list[Act] = []
        if (again := self._again(reading, before)) is not None:
            return [again]
        for clause, drugs in self._clauses(reading):
            for drug in drugs:
                status = self.status(drug.concept, drug.words, reading.text)
                if status is None or status not in GATED:
                    continue
                text = clause.replace(plain(drug.words).text, "")
                taken = drug.by_cues in ("present", "historical")
                if drug.by_cues in ("absent", "someone_else"):
                    continue
                if self._dose.search(text):
                    found.append(Act("dose", drug, status))
                elif self._buy.search(text) and drug.by_cues != "present":
                    found.append(Act("buy", drug, status))
                elif not taken:
                    found.append(Act("ask", drug, status))
        return found

    def _again(self, reading: Reading, before: Reading | None) -> Act | None:
        """What a turn without a medicine wants of the one named last in the turn before it."""
        named = before.drugs() if before is not None and not reading.drugs() else ()
        if not named or named[-1].by_cues == "absent":
            return None
        status = self.status(named[-1].concept, named[-1].words, before.text if before is not None else "")
        if status is None or status not in GATED:
            return None
        if self._dose.search(reading.plain):
            return Act("dose", named[-1], status)
        return Act("buy", named[-1], status) if self._buy.search(reading.plain) else None

    def warnings(self, told: DialogueState) -> list[WarningRow]:
        """What must be said first: a medicine together with what was told of the same person, one of them in the last turn."""
        return [row for row in self.texts.warning if self._meet(row, told)]

    def answer(self, act: Act) -> list[str]:
        """The fixed way: a prescription, a doctor, a pharmacist."""
        known = act.mention.concept in self._book.drugs.rows
        called = act.mention.words if known else self.texts.some_drug
        return [
            sentence.format(drug=called)
            for sentence in (self.texts.banned if act.status == "banned_online" else self.texts.answer)
        ]

    # Sentences that are about to be said

    def names(self, text: str) -> list[Named]:
        """Every medicine that a text names, however it is disguised by blanks and marks."""
        found = [
            Named(one.words, one.concept, self.status(one.concept, one.words, text))
            for one in self._lexicon.medicines(comparison_key(text))
        ]
        known = {comparison_key(one.words) for one in found}
        shop = (match for match in self._catalogue.named(text) if match.product.prescription and match.words not in known)
        return [*found, *(Named(match.words, match.product.name, "rx") for match in shop)]

    def mentions(self, text: str) -> list[str]:
        """The prescription medicines, and kinds of them, that a text names, as it calls them."""
        return [one.words for one in self.names(text) if _strict(one)]

    def subject(self, text: str) -> bool | None:
        """Whether the medicine named last in a text needs a prescription; None if it names none."""
        named = self.names(text)
        return _strict(named[-1]) if named else None

    def allows(self, sentence: str, *, by_model: bool, about: bool | None = None) -> bool:
        """Whether the sentence may reach a shopper.

        It may if it names no prescription medicine, or, written by a person, only warns of one. A dose right after talk
        of a prescription medicine is that medicine's.

        Args:
            about: whether the medicine named last before this sentence needs a prescription.
        """
        strict = [one for one in self.names(sentence) if _strict(one)]
        if by_model and strict:
            return False
        text = plain(sentence).text
        if self._doses(text, about):
            return False
        if not strict:
            return True
        cautious = all(one.concept in self._book.classes.rows for one in strict) or self._caution.search(text)
        return bool(cautious) and not self._indication.search(text)

    def _doses(self, text: str, about: bool | None) -> bool:
        """Whether a clause gives a dose while its talk is of a prescription medicine."""
        clauses = _CLAUSES.findall(text)
        doses = [has_dose(_NOT_A_DOSE.sub("", clause)) for clause in clauses]
        while doses and not doses[-1]:  # what is named behind the last dose doesn't matter
            doses.pop()
        for clause, dose in zip(clauses, doses, strict=False):
            if named := self.names(clause):
                about = any(map(_strict, named))
            if about and dose:
                return True
        return False

    def _clauses(self, reading: Reading) -> Iterator[tuple[str, list[Mention]]]:
        """Each clause with its medicines; one without any (家里备两盒) belongs to those named before it."""
        drugs = list(reading.drugs())
        before: list[Mention] = []
        pending = ""
        for match in _CLAUSES.finditer(reading.text):
            inside = [drug for drug in drugs if match.start() <= drug.start < match.end()]
            clause = plain(match[0]).text
            if inside:
                if before:
                    yield pending, before
                before, pending = inside, clause
            else:
                pending += "，" + clause if before else ""
        if before:
            yield pending, before

    @staticmethod
    def _meet(row: WarningRow, told: DialogueState) -> bool:
        for patient in told.patients:
            said = [one for one in patient.said if one.mention.said_as("present", "possible", "hypothetical")]
            drugs = {one.turn for one in said if one.mention.kind == "drug" and _of(one.mention, row.drugs)}
            company = {one.turn for one in said if _of(one.mention, row.company)}
            # A bare word (喝酒了) counts beside the medicine, and in the last turn if that goes on about this person.
            turns = {*drugs, told.turn} if drugs and patient.person == told.current.person else drugs
            company |= {turn for turn in turns if any(word in told.readings[turn].plain for word in row.company)}
            if drugs and company and told.turn in drugs | company:
                return True
        return False


def _of(mention: Mention, names: Iterable[str]) -> bool:
    return any(name in mention.broader or (mention.kind == "drug" and mention.concept.startswith(name)) for name in names)


def _strict(one: Named) -> bool:
    return one.status in GATED


def _any(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))
