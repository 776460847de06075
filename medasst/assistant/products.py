"""Answers about products: what a leaflet says, price, stock and pack, which of two, whether somebody may take it.

Facts come from the record and the leaflet alone, sentences from `asks.toml`. What a leaflet doesn't say is told as untold.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import islice

from medasst.assistant.acts import Act, Answer, Inquire, Refer, Source, Warn
from medasst.assistant.asked import Asked, reader
from medasst.assistant.dosage import how
from medasst.assistant.request import Request, of_brand
from medasst.catalogue import Catalogue, Product, Section
from medasst.formulary import Contents
from medasst.lexicon import Mention, plain
from medasst.lexicon.values import number
from medasst.rulebook import AskKind, AskRow
from medasst.safety import PersonFinding, Rules
from medasst.text import sentences

_SPOKEN = 2  # products that one answer tells of
_SHORT = 2  # sentences of a section that one answer holds
_LONG = 110  # characters of a section after which no further sentence is added
_OTHERS = 2  # other products that are named
_CHILD_AGE = "child_age"  # the question
_KEPT = 8192  # sections that are kept as they were cut
# Rows whose answer tells whether one may, too: 过期的还能用吗.
_TELLS_WHETHER = frozenset(
    {
        "opened",
        "expired",
        "how_taken",
        "meals",
        "food",
        "together",
        "taken_together",
        "time_of_day",
        "too_much",
        "took_too_much",
        "interval",
    }
)
_TELLS_DOSE = frozenset({"too_much", "took_too_much"})  # rows whose answer tells the dose, too
_STEROID = "糖皮质激素"
_SHARED = frozenset({"解热镇痛药", "非甾体抗炎药", "抗组胺药"})  # groups that many compounds hold
_THIS = "本品"  # how a leaflet calls its own product
_NOTHING_KNOWN = ("尚不明确", "如与其他药物同时使用可能会发生")
_AMOUNT = re.compile(r"\d+(?:\.\d+)?")
_SIZES = re.compile(r"\d|合算|划算|实惠|[大小](?:盒|瓶|包|支|的)")  # what compares packs of one product
_TWO = re.compile(r"和|跟|与|还是")  # what names another beside the one that is known
_SINCE = re.compile(
    r"(?:过|吃|喝|喂|用|服|隔)了?(?:还?没|还?不)?到?(?P<hours>\d+(?:\.\d+)?|[一二两三四五六七八九十])个?(?:多|半)?(?:小时|钟头)"
)
_APART = re.compile(r"间隔(?P<hours>\d+)(?:[～~至到-]\d+)?小时")
_OF_FORM = re.compile(r"(?:片|丸|胶囊|颗粒|散|膏|液|贴|栓|糖浆|口服液)$")  # a product's name, no substance's
_CLAUSE = re.compile(r"[^,。;?!]+")


class ProductAnswers:
    """Answers about one shop's products.

    Args:
        catalogue: what the shop sells; only what is offered is spoken of.
    """

    def __init__(self, catalogue: Catalogue, rules: Rules) -> None:
        self._shelf, self._rules = catalogue.over_the_counter, rules
        table = rules.book.asks
        self._say = table.says
        self._rows = reader(rules.lexicon).rows
        self._looks = {row.id: re.compile(row.sentence, re.VERBOSE) for row in table.ask if row.sentence}
        self._instead = {row.id: re.compile(row.instead, re.VERBOSE) for row in table.ask if row.instead}
        self._not_general = re.compile(table.not_general)
        self._seeks = re.compile(table.seeks, re.VERBOSE)
        self._things = re.compile(table.things, re.VERBOSE)
        self._known_for = table.known_for
        self._drowsy = self._looks["drowsy"]
        self._answers: Mapping[AskKind, Callable[[Request, Asked], Iterable[Act]]] = {
            "section": self._section,
            "may_take": self._may_take,
            "price": self._price,
            "stock": self._stock,
            "spec": self._spec,
            "cheaper": self._cheaper,
            "another": self._another,
            "compare": self._compare,
            "buy": self._buy,
            "expired": self._general,
            "missed_dose": self._missed,
        }

    def answer(self, request: Request) -> list[Act]:
        """What is asked about products, in the order of the turn; nothing where nothing is.

        What speaks against a product for the person is only told as far as the answer rests on it: the warnings themselves
        stand before it.
        """
        acts: list[Act] = []
        asks = [asked for asked in request.asks if asked.kind in self._answers]
        rows = {asked.row for asked in asks}
        if rows & _TELLS_WHETHER:
            asks = [asked for asked in asks if asked.kind != "may_take"]
        if rows & _TELLS_DOSE:
            asks = [asked for asked in asks if asked.row != "dosage"]
        acts += self._untraded(request)
        if asks and request.unnamed:
            acts += self._unnamed(request)
        for asked in asks:
            acts += self._answers[asked.kind](request, asked)
        return list(_told_once(acts, self._say["leaflet_also"]))

    # Leaflets

    def _section(self, request: Request, asked: Asked) -> Iterator[Act]:
        row = self._rows[asked.row]
        if row.id == "together":
            yield from self._together(request)
            return
        if row.id == "taken_together":
            yield self._common(row)
            return
        if row.id == "dosage" and request.facts.child and request.facts.child_months is None and not self._asked_age(request):
            yield Inquire(self._rules.questions[_CHILD_AGE])
        warned = frozenset(self._warned_of_food(request)) if row.id == "food" else frozenset()
        yield from (_warning(finding) for finding in warned)
        answered = bool(warned)
        for product in request.subject[:_SPOKEN]:
            if any(finding.medicine == product.short_name for finding in warned):
                continue
            dose = self._dose(product, request) if row.key == "dosage" else None
            told = dose if row.id == "dosage" else self._told(product, row, self._sought(row, request))
            if told is not None and row.id == "drowsy":
                yield replace(told, sentences=(self._say["drowsy"].format(product=product.short_name),))
            elif told is not None:
                answered = True
                if row.id == "interval" and (soon := self._too_soon(request, told)):
                    yield Answer((soon,))
                yield told
            else:
                text = self._say["no_dose"] if row.id == "dosage" and product.section("dosage") else row.untold
                said = text.format(product=product.short_name)
                # What it leaves open is still answered best by what else helps, or by how it is taken.
                instead = self._told(product, row, self._instead[row.id]) if row.id in self._instead else dose
                said_besides = (said, *self._behind(product, instead)) if instead else (said,)
                yield Answer(said_besides, instead.sources if instead else (), (product,))
        if row.adds:
            yield Answer((row.adds,))
        if row.general and not answered:
            yield self._common(row)

    def _behind(self, product: Product, told: Answer) -> Iterable[str]:
        """A leaflet's sentences behind one that names the product already."""
        lead, shorter = (self._say[key].format(product=product.short_name, text="") for key in ("leaflet", "leaflet_then"))
        return (sentence.replace(lead, shorter, 1) for sentence in told.sentences)

    def _sought(self, row: AskRow, request: Request) -> re.Pattern[str] | None:
        """What a sentence holds that answers; of an effect that is told (吃了尿黄正常吗) that effect."""
        found = request.told.readings[request.asked_at].findings() if row.id == "adverse" else ()
        felt = tuple(word for one in found for word in (one.concept, plain(one.words).text))
        return _any(felt) if felt else self._looks.get(row.id)

    def _too_soon(self, request: Request, told: Answer) -> str:
        """That the leaflet's interval isn't over, where the turn tells how long ago the last dose was."""
        since = _SINCE.search(request.told.readings[request.asked_at].plain)
        apart = _APART.search("".join(told.sentences))
        if since is None or apart is None or float(number(since["hours"])) >= float(apart["hours"]):
            return ""
        return self._say["too_soon"].format(hours=apart["hours"])

    def _asked_age(self, request: Request) -> bool:
        return any(asked.question.id == _CHILD_AGE for asked in request.told.asked)

    def _told(self, product: Product, row: AskRow, looks: re.Pattern[str] | None) -> Answer | None:
        """The sentences of a leaflet that answer, of the first section that holds any."""
        for key in row.sections:
            section = product.section(key)
            if section is not None and (text := _picked(section.text, looks)):
                return self._quote(product, section, text)
        return None

    def _dose(self, product: Product, request: Request) -> Answer | None:
        """How this person takes it, and what is in a compound that others hold too."""
        section = product.section("dosage")
        text = how(product, request.told.current)
        if section is None or not text:
            return None
        told = replace(self._quote(product, section, text), brief=self._brief(product, text))
        parts = [one.substance for one in product.contents.substances if not _SHARED.isdisjoint(one.groups)]
        if len(product.contents.substances) < 2 or not parts:
            return told
        holds = self._say["holds"].format(product=product.short_name, substances="、".join(parts))
        return replace(told, sentences=(*told.sentences, holds))

    def _brief(self, product: Product, text: str) -> str:
        """The same once more, as one sentence of other words than before."""
        whole = re.sub(r"[。；](?!$)", "，", text)
        return self._say["as_before"].format(product=product.short_name, text=whole)

    def _quote(self, product: Product, section: Section, text: str) -> Answer:
        said = sentences(self._say["leaflet"].format(product=product.short_name, text=text))
        return Answer(tuple(said), (Source(section.document, section.section),), (product,))

    def _common(self, row: AskRow) -> Answer:
        return Answer((row.general,), (Source(self._say["common"], row.id),))

    def _together(self, request: Request) -> Iterator[Act]:
        """Whether medicines go together: what the tables say, else the leaflets, else that neither says anything."""
        products = request.subject[:_SPOKEN]
        drugs = request.told.readings[request.asked_at].drugs()
        own = [replace(product.contents, name=_called(product, drugs)) for product in products]
        others = [
            replace(self._rules.formulary.contents(drug.concept), name=drug.words)
            for drug in drugs
            if not _is_called(products, drug)
        ]
        found = self._rules.person_checks.together([*own, *others])
        yield from map(_warning, found)
        told = False
        for product in products:
            names = [name for one in (*own, *others) if one.names != product.contents.names for name in _names(one)]
            section = product.section("interactions")
            if section is None:
                continue
            text = _picked(section.text, _any(tuple(names))) or _picked(section.text, self._looks["together"])
            if text:
                told = True
                yield self._quote(product, section, text)
        if not told and not found:
            called = "和".join([*(product.short_name for product in products), *(one.name for one in others)])
            known = not request.acts and all(one.resolved for one in (*own, *others)) and len(own) + len(others) > 1
            yield Answer(
                (self._say["together_unlisted" if known else "together_none"].format(products=called),), products=products
            )

    def _warned_of_food(self, request: Request) -> Iterator[PersonFinding]:
        """What speaks against the products with what the turn says is eaten or drunk."""
        said = request.told.readings[request.asked_at].plain
        for product in request.subject[:_SPOKEN]:
            for food, words in self._rules.book.checks.food.items():
                if any(word in said for word in words):
                    yield from self._rules.with_food(product, food)

    # For whom

    def _may_take(self, request: Request, _: Asked) -> Iterator[Act]:
        for product in request.subject[:_SPOKEN]:
            findings = self._rules.checks(product, request.told.current, anew=False)
            if request.facts.child and request.facts.child_months is None and _age_alone(findings):
                yield from self._for_child(product, request)
            elif (stopped := self._told_off(product, findings)) is not None:
                yield stopped
            else:
                yield self._may(product, request, findings)

    def _told_off(self, product: Product, findings: Sequence[PersonFinding]) -> Answer | None:
        """What follows where something stops it; nothing where nothing does."""
        severities = {finding.severity for finding in findings if finding.stops}
        key = "forbid" if "forbid" in severities else "ask"
        return Answer((self._say[key].format(product=product.short_name),)) if severities else None

    def _may(self, product: Product, request: Request, findings: Sequence[PersonFinding]) -> Answer:
        """That nothing told speaks against it, what the leaflet says of such persons, and what was shown that it replaces.

        Args:
            findings: what is told of it besides.
        """
        name, person = product.short_name, request.told.current
        unsaid = self._rules.person_checks.silent(product.contents, person, product.leaflet)
        said, sources = [], []
        if unsaid:
            said.append(self._say["silent"].format(product=name, conditions="、".join(unsaid)))
        elif "contraindications" in product.untold:
            said.append(self._rows["who_not"].untold.format(product=name))
        else:
            known = bool(person.slots) or request.facts.tags
            said.append(self._say["may" if known else "may_unknown"].format(product=name))
        if (complaint := self._not_treated(product, request)) and (section := product.section("indications")):
            said.append(self._say["not_for"].format(product=name, text=_picked(section.text, None), complaint=complaint))
            sources.append(section)
        keys = ("elderly",) if request.facts.elderly else ("children",) if request.facts.child else ()
        for key in (*keys, "contraindications"):
            section = product.section(key)
            if section is not None and (key in keys or not person.slot("conditions").what):
                text = _picked(section.text, None)
                if any(text[:-1] in finding.sentence for finding in findings):
                    continue
                form = "not_if" if key == "contraindications" else "leaflet"
                said.append(self._say[form].format(product=name, text=text))
                sources.append(section)
        if others := self._replaces(product, request):
            said.append(self._say["one_of"].format(product=name, others="、".join(others)))
        return Answer(tuple(said), tuple(_source(section) for section in sources), () if unsaid else (product,))

    def _replaces(self, product: Product, request: Request) -> list[str]:
        """What was shown last that isn't taken beside it."""
        last = max((one.turn for one in request.told.shown), default=0)
        shown = [one for name in request.told.shown if name.turn == last for one in self._shelf.of_name(name.name)[:1]]
        return [
            one.short_name
            for one in shown
            if one.sku != product.sku
            and not self._stopped(one, request)
            and self._rules.person_checks.together([product.contents, one.contents])
        ]

    def _for_child(self, product: Product, request: Request) -> Iterator[Act]:
        """What the leaflet says of children, and how old this one is."""
        section = product.section("children")
        if section is not None:
            text = self._say["may_child_age"].format(product=product.short_name, text=_picked(section.text, None))
            yield Answer((text,), (_source(section),))
        if not self._asked_age(request):
            yield Inquire(self._rules.questions[_CHILD_AGE])

    def _not_treated(self, product: Product, request: Request) -> str:
        """What is complained of that the product isn't for, in the shopper's words."""
        treated = _treats(product, self._rules)
        complaints = {
            concept: words
            for concept, words in request.complaints.items()
            if treated.isdisjoint(self._rules.lexicon.broader(concept))
            and concept not in treated
            and not any(concept in self._rules.lexicon.broader(one) for one in treated)
        }
        return "、".join(complaints.values()) if treated and len(complaints) == len(request.complaints) else ""

    # Records

    def _price(self, request: Request, _: Asked) -> Iterator[Act]:
        for product in request.subject:
            text = self._say["price"].format(product=product.short_name, about=_about(product), price=f"{product.price:g}")
            yield Answer((text,), products=(product,))

    def _stock(self, request: Request, _: Asked) -> Iterator[Act]:
        for product in request.subject:
            key = "stock_untold" if product.stock is None else "stock" if product.stock else "out_of_stock"
            text = self._say[key].format(product=product.short_name, stock=product.stock)
            yield Answer((text,), products=(product,))

    def _spec(self, request: Request, asked: Asked) -> Iterator[Act]:
        for product in request.subject[:_SPOKEN]:
            if asked.key == "contains":
                yield Answer(tuple(self._contains(product, asked)), products=(product,))
            elif asked.key == "maker":
                known = "maker" if product.maker else "maker_untold"
                said = [self._say[known].format(product=product.short_name, maker=product.maker)]
                if product.codes.approval:
                    said.append(self._say["approval"].format(approval=product.codes.approval))
                yield Answer(tuple(said), products=(product,))
            else:
                text = self._say["pack"].format(product=product.short_name, about=_about(product, with_form=True))
                yield Answer((text,), products=(product,))

    def _contains(self, product: Product, asked: Asked) -> Iterator[str]:
        name, contents = product.short_name, product.contents
        steroids = [one.substance for one in contents.substances if any(_STEROID in group for group in one.groups)]
        if steroids:
            yield self._say["hormone"].format(product=name, substances="、".join(steroids))
            return
        listed = "、".join(product.ingredients) or "、".join(one.substance for one in contents.substances)
        yield self._say["contains"].format(product=name, substances=listed)
        if "激素" in asked.words and not steroids and contents.resolved:
            yield self._say["no_hormone"]
        if any(word in asked.words for word in ("糖", "酒精", "防腐")):
            yield self._say["excipients"]

    def _buy(self, request: Request, _: Asked) -> Iterator[Act]:
        for product in request.subject[:_SPOKEN]:
            findings = self._rules.checks(product, request.told.current)
            if (stopped := self._told_off(product, findings)) is not None:
                yield stopped
                continue
            if len(request.asks) > 1 and any(asked.kind == "price" for asked in request.asks):
                continue  # the price tells the same
            stock = "buy_untold" if product.stock is None else "buy_stock" if product.stock else "buy_out"
            text = self._say["buy"].format(
                product=product.short_name, about=_about(product), price=f"{product.price:g}", stock=self._say[stock]
            )
            yield Answer((text,), products=(product,))

    # Other products

    def _cheaper(self, request: Request, _: Asked) -> Iterator[Act]:
        for product in request.subject[:1]:
            others = sorted((one for one in self._like(product, request) if one.price < product.price), key=_price)
            if not others:
                text = self._say["cheapest"].format(product=product.short_name, price=f"{product.price:g}")
                yield Answer((text,), products=(product,))
            for other in others[:_OTHERS]:
                text = self._say["cheaper"].format(
                    product=other.short_name, about=_about(other, with_form=True), price=f"{other.price:g}"
                )
                yield Answer((text,), products=(other,))

    def _another(self, request: Request, asked: Asked) -> Iterator[Act]:
        product = request.subject[0] if request.subject else None
        if product is None:
            return
        if asked.key == "children" and product.for_children:
            yield from self._price(request, asked)
            if request.facts.child_months is None and not self._asked_age(request):
                yield Inquire(self._rules.questions[_CHILD_AGE])
            return
        if asked.key in ("large", "small"):
            yield self._packs(product)
            return
        others = self._others(product, request, asked)
        if not others:
            key = {"children": "no_children", "form": "no_form"}.get(asked.key, "no_other")
            yield Answer((self._say[key].format(product=product.short_name),))
        for other in others[:_OTHERS]:
            section = other.section("indications")
            text = self._say["other"].format(
                product=other.short_name,
                about=_about(other, with_form=True),
                price=f"{other.price:g}",
                text=_picked(section.text, None) if section else "",
            )
            shown = () if self._stopped(other, request) else (other,)
            yield Answer((text,), (_source(section),) if section else (), shown)
        if others and request.facts.child and request.facts.child_months is None and not self._asked_age(request):
            yield Inquire(self._rules.questions[_CHILD_AGE])

    def _packs(self, product: Product) -> Answer:
        """In which packs there is a product, each with its price."""
        packs = sorted((one for one in self._shelf.of_name(product.name) if one.stock != 0), key=_size) or [product]
        listed = "、".join(
            dict.fromkeys(self._say["one_of_packs"].format(about=_about(one), price=f"{one.price:g}") for one in packs)
        )
        key = "packs" if len(packs) > 1 else "one_pack"
        return Answer((self._say[key].format(product=product.short_name, packs=listed),), products=tuple(packs[:_OTHERS]))

    def _others(self, product: Product, request: Request, asked: Asked) -> list[Product]:
        """Others of the same substances, then for the same complaint, that fit the person and weren't shown."""
        shown = {one.name for one in request.told.shown} | {one.name for one in request.subject}
        same = list(self._like(product, request, any_way=asked.key == "form"))
        same += [match.product for match in self._shelf.suited(request.complaints)]
        if asked.key == "children":
            same = [one for one in same if one.for_children]
        if asked.key == "form" and (trait := reader(self._rules.lexicon).trait(asked.words)) is not None:
            same = [one for one in same if trait[1].search(one.form) or trait[1].search(one.name)]
        fitting = (one for one in _unique(same) if one.name not in shown and self._fits(one, request))
        return list(islice(fitting, _OTHERS))

    def _like(self, product: Product, request: Request, *, any_way: bool = False) -> Iterator[Product]:
        """Others of the same substances, taken the same way unless `any_way`, in stock, that this person may take."""
        concepts = dict.fromkeys(one.concept for one in self._rules.lexicon.medicines(product.name))
        found = [*self._shelf.of_name(product.name), *(one for name in concepts for one in self._shelf.of_medicine(name, 12))]
        made_of = {one.substance if any_way else one.name for one in product.contents.substances}
        for one in _unique(found):
            same = {other.substance if any_way else other.name for other in one.contents.substances} == made_of
            child = one.for_children == product.for_children or any_way or bool(request.facts.child)
            if one.sku != product.sku and same and child and one.stock != 0 and self._fits(one, request):
                yield one

    def _stopped(self, product: Product, request: Request) -> bool:
        return any(finding.stops for finding in self._rules.checks(product, request.told.current))

    def _fits(self, product: Product, request: Request) -> bool:
        """Whether it may be named: nothing stops it, but for the age of a child of whom that isn't known yet."""
        findings = self._rules.checks(product, request.told.current)
        young = bool(request.facts.child) and request.facts.child_months is None and product.for_children
        return _age_alone(findings) if young else not any(finding.stops for finding in findings)

    # Which of two

    def _compare(self, request: Request, _: Asked) -> Iterator[Act]:
        """What differs by record and leaflet; which is better is nobody's to say here."""
        products = request.subject[:3]
        if len(products) < 2:
            turn = request.told.readings[request.asked_at]
            if _SIZES.search(turn.plain):
                yield from map(self._packs, products)
            elif not request.unnamed:
                yield from (told for product in products if (told := self._told(product, self._rows["indications"], None)))
                yield Answer((self._say["compare_unknown" if _TWO.search(turn.plain) else "compare_alone"],))
            return
        made_of = [tuple(sorted(one.substance for one in product.contents.substances)) for product in products]
        same = len(set(made_of)) == 1
        said: list[str] = []
        sources: list[Section] = []
        if same:
            names = "、".join(product.short_name for product in products)
            said.append(self._say["same_substances"].format(products=names, substances="、".join(made_of[0])))
        for product, parts in zip(products, made_of, strict=True):
            name, section = product.short_name, product.section("indications")
            if not same and parts and "、".join(parts) not in name:
                said.append(self._say["differ_substances"].format(product=name, substances="、".join(parts)))
            if not same and section is not None:
                text = _picked(section.text, None, most=1).removeprefix(_THIS)
                said.append(self._say["differ_use"].format(product=name, text=text))
                sources.append(section)
            said.append(self._say["differ_facts"].format(product=name, form=product.form, price=f"{product.price:g}"))
            if product.for_children and not all(one.for_children for one in products):
                said.append(self._say["differ_children"].format(product=name))
        said += self._drowsiness(products)
        if not same and (group := self._shared(products)):
            said.append(self._say["one_group"].format(group=group))
        yield Answer(tuple(said), tuple(map(_source, sources)), tuple(products))

    def _drowsiness(self, products: Sequence[Product]) -> Iterator[str]:
        """Of which the leaflet says that it makes drowsy, where they differ or it matters to all."""
        told = {product.short_name: bool(self._told(product, self._rows["drowsy"], self._drowsy)) for product in products}
        if all(told.values()):
            yield self._say["drowsy"].format(product="、".join(told))
        elif any(told.values()):
            yield from (self._say["drowsy" if drowsy else "not_drowsy"].format(product=name) for name, drowsy in told.items())

    def _shared(self, products: Sequence[Product]) -> str:
        """A group that substances of all of them belong to, the narrowest; none for the broadest ones."""
        groups = [frozenset().union(*(one.groups for one in product.contents.substances)) for product in products]
        shared = frozenset.intersection(*groups) if groups else frozenset()
        found = self._rules.person_checks.together([product.contents for product in products])
        return max(sorted(shared), key=len, default="") if found else ""

    # General rules

    def _general(self, _: Request, asked: Asked) -> Iterator[Act]:
        row = self._rows[asked.row]
        yield (
            self._common(row)
            if "过" in asked.words
            else Answer((self._say["kept_long"],), (Source(self._say["common"], row.id),))
        )

    def _missed(self, request: Request, asked: Asked) -> Iterator[Act]:
        row = self._rows[asked.row]
        looks = self._looks[row.id]
        for product in request.subject[:1]:
            for key in ("dosage", "cautions"):
                section = product.section(key)
                if section is not None and (text := _picked(section.text, looks)):
                    yield self._quote(product, section, text)
                    return
            if self._not_general.search(product.name + "".join(s.text for s in [product.section("indications")] if s)):
                yield Answer((self._say["missed_untold"].format(product=product.short_name),), products=(product,))
                return
        reading = request.told.readings[request.asked_at]
        if self._not_general.search(reading.plain):
            called = next((drug.words for drug in reading.drugs()), self._say["pill"])
            yield Answer((self._say["missed_untold"].format(product=called),))
        elif not request.acts:
            yield self._common(row)

    # What isn't sold here

    def _unnamed(self, request: Request) -> Iterator[Act]:
        for mention in request.unnamed[:_SPOKEN]:
            contents = self._rules.formulary.contents(mention.concept)
            parts = list(dict.fromkeys(one.substance for one in contents.substances))
            made = self._known_for(plain(mention.words).text)
            consists = ""
            if made:
                consists = self._say["unnamed_brand"].format(words=mention.words, made=made)
            elif contents.resolved and not _is_called_so(parts, mention) and not any(map(_OF_FORM.search, parts)):
                consists = self._say["unnamed_made"].format(words=mention.words, substances="、".join(parts))
            same = self._same(mention, request)
            if same is None:
                key = "unnamed_none" if consists else "unnamed"
                yield Refer("not_sold", tuple(filter(None, (self._say[key].format(words=mention.words), consists))), "decline")
                continue
            said = [self._say["unnamed"].format(words=mention.words), consists]
            told = any(asked.kind in ("price", "buy", "stock") for asked in request.asks)
            near = not made and any(map(_OF_FORM.search, parts))  # a plant, and the only thing called like it is a compound
            form = "unnamed_near" if near else "unnamed_same_short" if told and same in request.subject else "unnamed_same"
            said.append(
                self._say[form].format(product=same.short_name, about=_about(same, with_form=True), price=f"{same.price:g}")
            )
            if not near and any(asked.kind == "compare" for asked in request.asks) and same in request.subject:
                said.append(self._say["one_of"].format(product=mention.words, others=same.short_name))
            if any(asked.kind == "section" for asked in request.asks):
                said.append(self._say["unnamed_leaflet"].format(words=mention.words))
            yield Answer(tuple(filter(None, said)), products=() if self._stopped(same, request) else (same,))

    def _same(self, mention: Mention, request: Request) -> Product | None:
        """What the shop has of the same substances, that of the subject first, and what the brand is known for."""
        contents = self._rules.formulary.contents(mention.concept)
        known_for = self._known_for(plain(mention.words).text)
        found = of_brand([*request.subject, *self._shelf.of_medicine(mention.concept)], known_for)
        return next((one for one in found if contents.substances and one.contents.names == contents.names), None)

    def _untraded(self, request: Request) -> Iterator[Act]:
        """That no record tells of a thing that is looked for and is no medicine: a blood pressure monitor, masks."""
        said = request.told.readings[request.asked_at]
        elsewhere = bool(request.subject) or any(asked.kind == "shop" for asked in request.asks)
        clauses = [] if elsewhere else [one for one in _CLAUSE.findall(said.plain) if self._seeks.search(one)]
        things = dict.fromkeys(match[0] for clause in clauses for match in self._things.finditer(clause))
        if things and not self._shelf.named(said.text):
            yield Refer("not_sold", (self._say["untraded"].format(words="、".join(things)),), "decline")


# Pieces


def _told_once(acts: Iterable[Act], also: str) -> Iterator[Act]:
    """The acts without what an earlier one of them says already; a leaflet's sentence counts without whose it is.

    Args:
        also: what stands in place of whose leaflet it is where the sentence before was of the same; with {text}.
    """
    told: set[str] = set()
    last = ""
    for act in acts:
        if isinstance(act, Answer):
            said: list[str] = []
            for sentence in act.sentences:
                lead, mark, rest = sentence.partition("：")
                if (rest or lead) in told:
                    continue
                told.add(rest or lead)
                said.append(also.format(text=rest) if mark and lead == last and "说明书" in lead else sentence)
                last = lead if mark else last
            if said:
                yield replace(act, sentences=tuple(said))
        elif isinstance(act, Warn) and act.text in told:
            continue
        else:
            told.add(act.text if isinstance(act, Warn) else "")
            yield act


def _picked(text: str, looks: re.Pattern[str] | None, most: int = _SHORT) -> str:
    """The first few sentences of a section that say something, or those that hold something, with a closing mark."""
    found = [one for one in _cut(text) if (looks.search(plain(one).text) if looks else not one.startswith(_NOTHING_KNOWN))]
    kept: list[str] = []
    for sentence in found[:most]:
        if kept and len("".join(kept)) + len(sentence) > _LONG:
            break
        kept.append(sentence)
    said = "".join(kept).strip()
    return said if not said or said[-1] in "。！？" else said.rstrip("；;，,") + "。"


@lru_cache(maxsize=_KEPT)
def _cut(text: str) -> tuple[str, ...]:
    return tuple(sentences(text))


@lru_cache(maxsize=_KEPT)
def _any(names: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, sorted(filter(None, names), key=len, reverse=True))) or r"(?!)")


def _names(contents: Contents) -> Iterator[str]:
    """The names by which a leaflet may speak of a medicine: its own, its substances', their groups'."""
    names = {contents.name, *contents.names, *contents.may_be, *(one.substance for one in contents.substances)}
    return (plain(name.split("/")[0].removesuffix("类")).text for name in names if len(name) > 1)


@lru_cache(maxsize=2048)
def _symptoms(symptoms: tuple[str, ...], rules: Rules) -> frozenset[str]:
    found = (one for symptom in symptoms for one in rules.lexicon.read(symptom).findings())
    return frozenset(one.concept for one in found)


def _treats(product: Product, rules: Rules) -> frozenset[str]:
    """The complaints that a product is for, as its record tells; kept."""
    return _symptoms(product.symptoms, rules)


def _age_alone(findings: Iterable[PersonFinding]) -> bool:
    """Whether nothing stops it but that the age must be known."""
    return all(finding.kind == "age" and finding.severity == "ask" for finding in findings if finding.stops)


def _is_called(products: Iterable[Product], drug: Mention) -> bool:
    """Whether one of the products goes by that name."""
    return any(drug.words in name or name in drug.words for product in products for name in product.names)


def _called(product: Product, drugs: Iterable[Mention]) -> str:
    """How the shopper calls a product; its own name where no medicine of the turn is it."""
    named = (drug.words for drug in drugs if _is_called([product], drug))
    return next(named, product.contents.name)


def _is_called_so(parts: Sequence[str], mention: Mention) -> bool:
    """Whether it is but one substance and called by its name: what it is made of needs no word."""
    return len(parts) == 1 and _alike(parts[0], mention.words)


def _alike(one: str, other: str) -> bool:
    return one in other or other in one


def _about(product: Product, *, with_form: bool = False) -> str:
    """Form, strength and pack, as far as the record tells them."""
    told = (product.form if with_form else "", product.strength, product.pack)
    return "，".join(one for one in told if one)


def _price(product: Product) -> float:
    return product.price


def _size(product: Product) -> float:
    """How much is in a pack, by the first number that it tells."""
    match = _AMOUNT.search(product.pack)
    return float(match[0]) if match else 0.0


def _source(section: Section) -> Source:
    return Source(section.document, section.section)


def _warning(finding: PersonFinding) -> Warn:
    return Warn(finding.rule, "warning", finding.sentence, finding.version)


def _unique(products: Iterable[Product]) -> list[Product]:
    return list({product.sku: product for product in products}.values())
