"""Whether somebody may take a product, and whether medicines go together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from medasst.assistant.acts import Act, Answer, Inquire
from medasst.assistant.asked import Asked
from medasst.assistant.counter import Counter
from medasst.assistant.desk import CHILD_AGE, SPOKEN, Desk, age_alone, any_of, picked, source, treats, warning
from medasst.assistant.request import Request
from medasst.catalogue import Product
from medasst.formulary import Contents
from medasst.lexicon import Mention, plain
from medasst.safety import PersonFinding


class FitnessAnswers:
    """Answers on for whom a product is and beside what."""

    def __init__(self, desk: Desk, counter: Counter) -> None:
        self._desk, self._counter = desk, counter

    def may_take(self, request: Request, _: Asked) -> Iterator[Act]:
        """For each product whether this person may take it."""
        named = [one.contents for one in request.subject[:SPOKEN]]
        if len(named) > 1 and any(finding.stops for finding in self._desk.rules.person_checks.together(named)):
            first, *others = (product.short_name for product in request.subject[:SPOKEN])
            yield Answer((self._desk.say["one_of"].format(product=first, others="、".join(others)),))
            return
        for product in request.subject[:SPOKEN]:
            findings = self._desk.rules.checks(product, request.told.current, anew=False)
            if request.facts.child and request.facts.child_months is None and age_alone(findings):
                yield from self._for_child(product, request)
            elif (stopped := self.told_off(product, findings)) is not None:
                yield stopped
            else:
                yield self._may(product, request, findings)

    def told_off(self, product: Product, findings: Sequence[PersonFinding]) -> Answer | None:
        """What follows where something stops it; nothing where nothing does."""
        severities = {finding.severity for finding in findings if finding.stops}
        key = "forbid" if "forbid" in severities else "ask"
        return Answer((self._desk.say[key].format(product=product.short_name),)) if severities else None

    def _may(self, product: Product, request: Request, findings: Sequence[PersonFinding]) -> Answer:
        """That nothing told speaks against it, what the leaflet says of such persons, and what was shown that it replaces.

        Args:
            findings: what is told of it besides.
        """
        name, person = product.short_name, request.told.current
        if complaint := self._counter.unsuited(request, product):
            return Answer((self._desk.say["unsuited"].format(product=name, complaint=complaint),))
        unsaid = self._desk.rules.person_checks.silent(product.contents, person, product.leaflet)
        said, sources = [], []
        if unsaid:
            said.append(self._desk.say["silent"].format(product=name, conditions="、".join(unsaid)))
            section = product.section("interactions")
            if (
                person.slot("drugs").what
                and section is not None
                and (text := picked(section.text, self._desk.looks["together"]))
            ):
                said.append(self._desk.say["leaflet_then"].format(text=text))
                sources.append(section)
        elif "contraindications" in product.untold:
            said.append(self._desk.rows["who_not"].untold.format(product=name))
        else:
            known = bool(person.slots) or request.facts.tags
            said.append(self._desk.say["may" if known else "may_unknown"].format(product=name))
        if (complaint := self._not_treated(product, request)) and (section := product.section("indications")):
            said.append(self._desk.say["not_for"].format(product=name, text=picked(section.text, None), complaint=complaint))
            sources.append(section)
        keys = ("elderly",) if request.facts.elderly else ("children",) if request.facts.child else ()
        for key in (*keys, "contraindications"):
            section = product.section(key)
            if section is not None and (key in keys or not person.slot("conditions").what):
                text = picked(section.text, None)
                if any(text[:-1] in finding.sentence for finding in findings):
                    continue
                form = "not_if" if key == "contraindications" else "leaflet"
                said.append(self._desk.say[form].format(product=name, text=text))
                sources.append(section)
        if others := self._replaces(product, request):
            said.append(self._desk.say["one_of"].format(product=name, others="、".join(others)))
        return Answer(tuple(said), tuple(source(section) for section in sources), () if unsaid else (product,))

    def _replaces(self, product: Product, request: Request) -> list[str]:
        """What was shown last that isn't taken beside it."""
        last = max((one.turn for one in request.told.shown), default=0)
        shown = [one for name in request.told.shown if name.turn == last for one in self._desk.shelf.of_name(name.name)[:1]]
        return [
            one.short_name
            for one in shown
            if one.sku != product.sku
            and not self._desk.stopped(one, request)
            and any(finding.stops for finding in self._desk.rules.person_checks.together([product.contents, one.contents]))
        ]

    def _for_child(self, product: Product, request: Request) -> Iterator[Act]:
        """What the leaflet says of children, and how old this one is."""
        section = product.section("children")
        if section is not None:
            text = self._desk.say["may_child_age"].format(product=product.short_name, text=picked(section.text, None))
            yield Answer((text,), (source(section),))
        if not self._desk.asked_age(request):
            yield Inquire(self._desk.rules.questions[CHILD_AGE])

    def _not_treated(self, product: Product, request: Request) -> str:
        """What is complained of that the product isn't for, in the shopper's words."""
        treated = treats(product, self._desk.rules)
        complaints = {
            concept: words
            for concept, words in request.complaints.items()
            if treated.isdisjoint(self._desk.rules.lexicon.broader(concept))
            and concept not in treated
            and not any(concept in self._desk.rules.lexicon.broader(one) for one in treated)
        }
        return "、".join(complaints.values()) if treated and len(complaints) == len(request.complaints) else ""

    def together(self, request: Request) -> Iterator[Act]:
        """Whether medicines go together: what the tables say, else the leaflets, else that neither says anything."""
        products = request.subject[:SPOKEN]
        drugs = request.told.readings[request.asked_at].drugs()
        own = [replace(product.contents, name=_called(product, drugs)) for product in products]
        others = [
            replace(self._desk.rules.formulary.contents(drug.concept), name=drug.words)
            for drug in drugs
            if not _is_called(products, drug)
        ]
        found = self._desk.rules.person_checks.together([*own, *others])
        yield from map(warning, found)
        told = False
        for product in products:
            names = [name for one in (*own, *others) if one.names != product.contents.names for name in _names(one)]
            section = product.section("interactions")
            if section is None:
                continue
            text = picked(section.text, any_of(tuple(names))) or picked(section.text, self._desk.looks["together"])
            if text:
                told = True
                yield self._desk.quote(product, section, text)
        if not told and not found:
            called = "和".join([*(product.short_name for product in products), *(one.name for one in others)])
            known = not request.acts and all(one.resolved for one in (*own, *others)) and len(own) + len(others) > 1
            yield Answer(
                (self._desk.say["together_unlisted" if known else "together_none"].format(products=called),), products=products
            )


def _names(contents: Contents) -> Iterator[str]:
    """The names by which a leaflet may speak of a medicine: its own, its substances', their groups'."""
    names = {contents.name, *contents.names, *contents.may_be, *(one.substance for one in contents.substances)}
    return (plain(name.split("/")[0].removesuffix("类")).text for name in names if len(name) > 1)


def _is_called(products: Iterable[Product], drug: Mention) -> bool:
    """Whether one of the products goes by that name."""
    return any(drug.words in name or name in drug.words for product in products for name in product.names)


def _called(product: Product, drugs: Iterable[Mention]) -> str:
    """How the shopper calls a product; its own name where no medicine of the turn is it."""
    named = (drug.words for drug in drugs if _is_called([product], drug))
    return next(named, product.contents.name)
