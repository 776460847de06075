"""What a leaflet says to what is asked: its sections, how it is taken, a missed dose, what is eaten with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from medasst.assistant.acts import Act, Answer, Inquire, Source
from medasst.assistant.asked import Asked
from medasst.assistant.desk import CHILD_AGE, SPOKEN, Desk, any_of, picked, treats, warning
from medasst.assistant.dosage import how
from medasst.assistant.request import Request
from medasst.catalogue import Product
from medasst.lexicon import plain
from medasst.lexicon.values import number
from medasst.rulebook import AskRow
from medasst.safety import PersonFinding

_SHARED = frozenset({"解热镇痛药", "非甾体抗炎药", "抗组胺药"})  # groups that many compounds hold
_SINCE = re.compile(
    r"(?:过|吃|喝|喂|用|服|隔)了?(?:还?没|还?不)?到?(?P<hours>\d+(?:\.\d+)?|[一二两三四五六七八九十])个?(?:多|半)?(?:小时|钟头)"
)
_AGO = re.compile(r"(?P<hours>\d+(?:\.\d+)?|[一二两三四五半])个?(?:多|半)?(?:小时|钟头)了")
_APART = re.compile(r"间隔(?P<hours>\d+)(?:[～~至到-]\d+)?小时")


_DRINKS = "酒"  # the food whose answer is always that it is left
_SWALLOWED = re.compile(r"口服|吞服|冲服|含服|咀嚼")
_DROWSY = re.compile(r"困|嗜睡|驾驶")
_LIVER = re.compile(r"肝")
_LONG = re.compile(r"缓释|控释")
_TWICE = re.compile(r"[一每]日[2二两]次")
_WHOLE = re.compile(r"缓释|控释|肠溶")  # forms that are swallowed whole
_MIXED = re.compile(r"[兑冲]了")
_BROKEN = re.compile(r"开|掰|嚼|碎|化|兑|冲|倒|泡")


class LeafletAnswers:
    """Answers from the leaflets of the products that are asked about."""

    def __init__(self, desk: Desk, together: Callable[[Request], Iterable[Act]]) -> None:
        self._desk, self._together = desk, together
        table = desk.rules.book.asks
        self._instead = {row.id: re.compile(row.instead, re.VERBOSE) for row in table.ask if row.instead}
        self._not_general = re.compile(table.not_general)

    def section(self, request: Request, asked: Asked) -> Iterator[Act]:
        """What a section of the leaflets says, else what is commonly known, else that it is untold."""
        row = self._desk.rows[asked.row]
        if row.id == "together":
            yield from self._together(request)
            return
        if row.id == "taken_together":
            yield self._desk.common(row)
            return
        if (
            row.id == "dosage"
            and request.facts.child
            and request.facts.child_months is None
            and not self._desk.asked_age(request)
        ):
            yield Inquire(self._desk.rules.questions[CHILD_AGE])
        warned = frozenset(self._warned_of_food(request)) if row.id == "food" else frozenset()
        yield from (warning(finding) for finding in warned)
        answered = bool(warned)
        for product in request.subject[:SPOKEN]:
            if any(finding.medicine == product.short_name for finding in warned):
                continue
            told = self._told(product, row, request)
            answered |= told is not None and row.id != "drowsy"
            yield from self._untold(product, row, request) if told is None else self._with_more(product, told, asked, request)
        if row.adds:
            yield Answer((row.adds,))
        if row.general and (not answered or (row.id == "interval" and "再" in asked.words)):
            yield self._desk.common(row)

    def _told(self, product: Product, row: AskRow, request: Request) -> Answer | None:
        """What a leaflet tells of what a row asks."""
        if row.id == "dosage":
            return self._dose(product, request)
        told = self._desk.told(product, row, self._sought(row, request))
        if row.id == "food" and self._drinks(request) and _DRINKS not in "".join(told.sentences if told else ()):
            return self._no_alcohol(product) or told
        return told

    def _with_more(self, product: Product, told: Answer, asked: Asked, request: Request) -> Iterator[Act]:
        """What a leaflet tells, with what follows of it: that it is too soon, that it is swallowed whole."""
        if asked.row == "interval" and (soon := self._too_soon(request, told)):
            yield Answer((soon,))
        if asked.row == "drowsy":
            yield replace(told, sentences=(self._desk.say["drowsy"].format(product=product.short_name),))
            return
        yield told
        if asked.row == "where" and treats(product, self._desk.rules).intersection(request.complaints):
            yield from filter(None, [self._dose(product, request)])
        if asked.row == "who_not" and (holds := self._holds(product)):
            yield Answer((holds,))
        if asked.row == "interval" and _LONG.search(product.name) and _TWICE.search("".join(told.sentences)):
            yield Answer((self._desk.say["twelve_hours"].format(product=product.short_name),))
        if asked.row == "how_taken" and _WHOLE.search(product.name) and _BROKEN.search(asked.words):
            yield Answer((self._desk.say["whole"].format(product=product.short_name),))
        if asked.row == "how_taken" and _MIXED.search(asked.words):
            yield Answer((self._desk.say["mixed"],))

    def _untold(self, product: Product, row: AskRow, request: Request) -> Iterator[Act]:
        """That a leaflet doesn't tell it; what else helps, or how it is taken, still answers best."""
        text = self._desk.say["no_dose"] if row.id == "dosage" and product.section("dosage") else row.untold
        said = text.format(product=product.short_name)
        dose = self._dose(product, request) if row.key == "dosage" else None
        instead = self._desk.told(product, row, self._instead[row.id]) if row.id in self._instead else dose
        said_besides = (said, *self._behind(product, instead)) if instead else (said,)
        yield Answer(said_besides, instead.sources if instead else (), (product,))

    def _behind(self, product: Product, told: Answer) -> Iterable[str]:
        """A leaflet's sentences behind one that names the product already."""
        lead, shorter = (self._desk.say[key].format(product=product.short_name, text="") for key in ("leaflet", "leaflet_then"))
        return (sentence.replace(lead, shorter, 1) for sentence in told.sentences)

    def _sought(self, row: AskRow, request: Request) -> re.Pattern[str] | None:
        """What a sentence holds that answers; of an effect that is told (吃了尿黄正常吗) that effect."""
        found = request.told.readings[request.asked_at].findings() if row.id == "adverse" else ()
        felt = tuple(word for one in found for word in (one.concept, plain(one.words).text))
        return any_of(felt) if felt else self._desk.looks.get(row.id)

    def _too_soon(self, request: Request, told: Answer) -> str:
        """That the leaflet's interval isn't over, where the turn tells how long ago the last dose was."""
        turns = [reading.plain for reading in request.told.readings[max(request.asked_at - 1, 0) : request.asked_at + 1]]
        since = _SINCE.search(turns[-1]) or _AGO.search(turns[-1]) or _AGO.search(turns[0])
        apart = _APART.search("".join(told.sentences))
        if since is None or apart is None or _hours(since["hours"]) >= float(apart["hours"]):
            return ""
        return self._desk.say["too_soon"].format(hours=apart["hours"])

    def _dose(self, product: Product, request: Request) -> Answer | None:
        """How this person takes it, and what is in a compound that others hold too."""
        section = product.section("dosage")
        text = how(product, request.told.current)
        if section is None or not text:
            return None
        told = replace(self._desk.quote(product, section, text), brief=self._brief(product, text))
        holds = self._holds(product)
        return replace(told, sentences=(*told.sentences, holds)) if holds else told

    def _holds(self, product: Product) -> str:
        """What is in a compound that others hold too; "" where that is nothing."""
        parts = [one.substance for one in product.contents.substances if not _SHARED.isdisjoint(one.groups)]
        if len(product.contents.substances) < 2 or not parts:
            return ""
        return self._desk.say["holds"].format(product=product.short_name, substances="、".join(parts))

    def _brief(self, product: Product, text: str) -> str:
        """The same once more, as one sentence of other words than before."""
        whole = re.sub(r"[。；](?!$)", "，", text)
        return self._desk.say["as_before"].format(product=product.short_name, text=whole)

    def _drinks(self, request: Request) -> bool:
        """Whether the turn asks of alcohol."""
        said = request.told.readings[request.asked_at].plain
        return any(word in said for word in self._desk.rules.book.checks.food[_DRINKS])

    def _no_alcohol(self, product: Product) -> Answer | None:
        """That nobody drinks with what is swallowed, and why by its leaflet, where no row and no section speaks of it."""
        section = product.section("dosage")
        if section is None or not _SWALLOWED.search(section.text):
            return None
        of_it = "".join(one.text for key in ("adverse_reactions", "cautions") if (one := product.section(key)) is not None)
        key = "alcohol_drowsy" if _DROWSY.search(of_it) else "alcohol_liver" if _LIVER.search(of_it) else "alcohol_other"
        text = self._desk.say["no_alcohol"].format(product=product.short_name, why=self._desk.say[key])
        return Answer((text,), products=(product,))

    def _warned_of_food(self, request: Request) -> Iterator[PersonFinding]:
        """What speaks against the products with what the turn says is eaten or drunk."""
        said = request.told.readings[request.asked_at].plain
        for product in request.subject[:SPOKEN]:
            for food, words in self._desk.rules.book.checks.food.items():
                if any(word in said for word in words):
                    yield from self._desk.rules.with_food(product, food)

    def common(self, _: Request, asked: Asked) -> Iterator[Act]:
        """What is commonly known of what no leaflet tells."""
        yield self._desk.common(self._desk.rows[asked.row])

    def general(self, _: Request, asked: Asked) -> Iterator[Act]:
        """What is commonly known of a medicine that is past its date."""
        row = self._desk.rows[asked.row]
        yield (
            self._desk.common(row)
            if "过" in asked.words
            else Answer((self._desk.say["kept_long"],), (Source(self._desk.say["common"], row.id),))
        )

    def missed(self, request: Request, asked: Asked) -> Iterator[Act]:
        """What to do about a dose that was forgotten."""
        row = self._desk.rows[asked.row]
        looks = self._desk.looks[row.id]
        for product in request.subject[:1]:
            for key in ("dosage", "cautions"):
                section = product.section(key)
                if section is not None and (text := picked(section.text, looks)):
                    yield self._desk.quote(product, section, text)
                    return
            if self._not_general.search(product.name + "".join(s.text for s in [product.section("indications")] if s)):
                yield Answer((self._desk.say["missed_untold"].format(product=product.short_name),), products=(product,))
                return
        reading = request.told.readings[request.asked_at]
        if self._not_general.search(reading.plain):
            called = next((drug.words for drug in reading.drugs()), self._desk.say["pill"])
            yield Answer((self._desk.say["missed_untold"].format(product=called),))
        elif not request.acts:
            yield self._desk.common(row)


def _hours(words: str) -> float:
    return 0.5 if words == "半" else float(number(words))
