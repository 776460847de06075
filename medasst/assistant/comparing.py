"""Which of two: what each is taken for, and how they differ."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from medasst.assistant.acts import Act, Answer
from medasst.assistant.asked import Asked, reader, without_names
from medasst.assistant.desk import OTHERS, Desk, picked, source, unique
from medasst.assistant.dosage import how
from medasst.assistant.request import Request
from medasst.catalogue import Product, Section

_THIS = "本品"  # how a leaflet calls its own product
_SIZES = re.compile(r"\d|合算|划算|实惠|[大小](?:盒|瓶|包|支|的)")  # what compares packs of one product
_PRICES = re.compile(r"价|便宜|划算|合算|贵|实惠")
_AWAKE = re.compile(r"困|开车|瞌睡|嗜睡|清醒|上班|驾")
_TWO = re.compile(r"和|跟|与|还是")  # what names another beside the one that is known


class Comparison:
    """Answers to which of several products."""

    def __init__(self, desk: Desk, packs: Callable[[Product], Answer]) -> None:
        self._desk, self._packs = desk, packs

    def compare(self, request: Request, asked: Asked) -> Iterator[Act]:
        """What each is taken for and how they differ; which is better is nobody's to say here but by what the person has."""
        products = request.subject[:3]
        if forms := self.by_form(request, least=2):
            yield forms
            return
        if len(products) < 2:
            yield from self._alone(products, request, asked)
            return
        taken = [product for product in products if not self._forbidden(product, request)]
        made_of = [tuple(sorted(one.substance for one in product.contents.substances)) for product in products]
        said: list[str] = []
        sources: list[Section] = []
        if not taken:
            return  # what speaks against them is told
        if len(set(made_of)) == 1:
            said += self._same_substances(products, made_of[0], request)
            sources += [section for product in products if (section := product.section("dosage"))]
        else:
            for text, section in self._purposes(taken, request):
                said.append(text)
                sources += [section] if section else []
        if _PRICES.search(asked.words):
            said += (self._desk.say["differ_facts"].format(product=one.short_name, price=f"{one.price:g}") for one in products)
        for_children = [one for one in products if one.for_children]
        if for_children and len(for_children) < len(products):
            said += (self._desk.say["differ_children"].format(product=one.short_name) for one in for_children)
        if _AWAKE.search(request.told.readings[request.asked_at].plain) or "开车" in request.told.current.slot("work").what:
            said += self._drowsiness(taken)
        if len(taken) == 1:
            said.append(self._desk.say["only_this"].format(product=taken[0].short_name))
        elif len(set(made_of)) > 1 and (group := self._shared(products)):
            said.append(self._desk.say["one_group"].format(group=group))
        yield Answer(tuple(said), tuple(map(source, sources)))

    def by_form(self, request: Request, *, least: int = 1) -> Answer | None:
        """Which of the forms that the turn names suits when, and which are here; None where it names fewer than `least`."""
        reading = request.told.readings[request.asked_at]
        bare = without_names(reading, self._desk.shelf.named(reading.text), self._desk.rules.book.classes.rows)
        asks = reader(self._desk.rules.lexicon)
        named = [(match[0], form) for match, form in asks.forms(bare)]
        complaints = [one for one in request.complaints if one in self._desk.rules.book.asks.form_choice]
        if len(named) < least or not complaints:
            return None
        say, choice = self._desk.say, self._desk.rules.book.asks.form_choice
        said = [choice[complaints[0]]]
        suited = [match.product for match in self._desk.shelf.suited(request.complaints)]
        fitting = [one for one in unique([*request.subject, *suited]) if self._desk.fits(one, request)]
        for words, form in named:
            here = [one.short_name for one in fitting if form.search(one.form) or form.search(one.name)][:OTHERS]
            key = "form_here" if here else "form_missing"
            said.append(say[key].format(form=words, products="、".join(here)))
        return Answer(tuple(said))

    def _alone(self, products: Sequence[Product], request: Request, asked: Asked) -> Iterator[Act]:
        """What is known where the other isn't: its packs, what it is for."""
        turn = request.told.readings[request.asked_at]
        if _SIZES.search(turn.plain) or (products and _PRICES.search(asked.words) and not _asks_price(request)):
            yield from map(self._packs, products)
        elif request.unnamed:
            yield from self._with_unsold(products, request)
        else:
            told = [told for product in products if (told := self._desk.told(product, self._desk.rows["indications"], None))]
            yield from (replace(one, products=(), otherwise=True) for one in told)
            form = "compare_unknown" if _TWO.search(turn.plain) else "compare_alone"
            yield Answer((self._desk.say[form],), otherwise=True)

    def _with_unsold(self, products: Sequence[Product], request: Request) -> Iterator[Act]:
        """What the one that is sold is for, and that it isn't taken beside the other where they don't go together."""
        others = [self._desk.rules.formulary.contents(one.concept) for one in request.unnamed]
        for product in products:
            if self._desk.stopped(product, request) or any(product.contents.names == other.names for other in others):
                continue
            if (told := self._desk.told(product, self._desk.rows["indications"], None)) is not None:
                yield told
            alike = [
                mention.words
                for mention, other in zip(request.unnamed, others, strict=True)
                if any(one.stops for one in self._desk.rules.person_checks.together([product.contents, other]))
            ]
            if alike:
                yield Answer((self._desk.say["one_of"].format(product=product.short_name, others="、".join(alike)),))

    def _forbidden(self, product: Product, request: Request) -> bool:
        findings = self._desk.rules.checks(product, request.told.current)
        return any(finding.stops and finding.severity == "forbid" for finding in findings)

    def _same_substances(self, products: Sequence[Product], substances: Sequence[str], request: Request) -> Iterator[str]:
        """That they hold the same, and how the ways of taking them differ."""
        names = "、".join(product.short_name for product in products)
        yield self._desk.say["same_substances"].format(products=names, substances="、".join(substances))
        for product in products:
            if text := how(product, request.told.current):
                yield self._desk.say["differ_how"].format(product=product.short_name, text=text)

    def _purposes(self, products: Sequence[Product], request: Request) -> Iterator[tuple[str, Section | None]]:
        """What each is for: as the counter says it of one complaint, else as its leaflet does, with the section."""
        rows = [self._desk.rules.formulary.complaint(concept) for concept in request.complaints]
        complaints = [row.name for row in rows if row is not None]
        reasons = self._desk.rules.formulary.reasons([product.contents for product in products], complaints)
        if complaints and not reasons:
            each = [self._desk.rules.formulary.reasons([product.contents], complaints) for product in products]
            reasons = [one[0] for one in each if one]
        if len(reasons) > 1 and len(set(reasons)) == 1:
            names = "、".join(product.short_name for product in products)
            yield self._desk.say["differ_little"].format(products=names, text=reasons[0]), None
            return
        for place, product in enumerate(products):
            section = product.section("indications")
            if len(reasons) == len(products):
                yield self._desk.say["differ_reason"].format(product=product.short_name, text=reasons[place]), None
            elif section is not None:
                text = picked(section.text, None, most=1).removeprefix(_THIS)
                yield self._desk.say["differ_use"].format(product=product.short_name, text=text), section

    def _drowsiness(self, products: Sequence[Product]) -> Iterator[str]:
        """Of which the leaflet says that it makes drowsy."""
        row = self._desk.rows["drowsy"]
        for product in products:
            key = "drowsy" if self._desk.told(product, row, self._desk.looks[row.id]) else "not_drowsy"
            yield self._desk.say[key].format(product=product.short_name)

    def _shared(self, products: Sequence[Product]) -> str:
        """A group that substances of all of them belong to, the narrowest; none for the broadest ones."""
        groups = [frozenset().union(*(one.groups for one in product.contents.substances)) for product in products]
        shared = frozenset.intersection(*groups) if groups else frozenset()
        found = self._desk.rules.person_checks.together([product.contents for product in products])
        return max(sorted(shared), key=len, default="") if found else ""


def _asks_price(request: Request) -> bool:
    return any(asked.kind == "price" for asked in request.asks)
