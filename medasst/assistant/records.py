"""What the record of a product tells: price, stock, pack, maker, and which others there are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from medasst.assistant.acts import Act, Answer, Inquire
from medasst.assistant.asked import Asked, reader
from medasst.assistant.desk import CHILD_AGE, OTHERS, SPOKEN, Desk, about, picked, source, unique
from medasst.assistant.request import Request
from medasst.catalogue import Product
from medasst.safety import PersonFinding

_STEROID = "糖皮质激素"
_DAILY = re.compile(r"一次|[一每]日|每天")  # what a day's use is told by
_AMOUNT = re.compile(r"\d+(?:\.\d+)?")


class RecordAnswers:
    """Answers from the records of one shop."""

    def __init__(self, desk: Desk, told_off: Callable[[Product, Sequence[PersonFinding]], Answer | None]) -> None:
        self._desk, self._told_off = desk, told_off

    def price(self, request: Request, _: Asked) -> Iterator[Act]:
        """What each costs."""
        for product in request.subject:
            text = self._desk.say["price"].format(product=product.short_name, about=about(product), price=f"{product.price:g}")
            yield Answer((text,), products=(product,))

    def stock(self, request: Request, _: Asked) -> Iterator[Act]:
        """Whether each is there."""
        for product in request.subject:
            key = "stock_untold" if product.stock is None else "stock" if product.stock else "out_of_stock"
            text = self._desk.say[key].format(product=product.short_name, stock=product.stock)
            yield Answer((text,), products=(product,))

    def spec(self, request: Request, asked: Asked) -> Iterator[Act]:
        """What is in a pack, what it is made of, who makes it."""
        for product in request.subject[:SPOKEN]:
            if asked.key == "contains":
                yield Answer(tuple(self._contains(product, asked)), products=(product,))
            elif asked.key == "lasts":
                section = product.section("dosage")
                told = [text] if section is not None and (text := picked(section.text, _DAILY)) else []
                yield Answer(
                    (
                        self._pack(product),
                        *(self._desk.say["differ_how"].format(product=product.short_name, text=text) for text in told),
                    ),
                    products=(product,),
                )
            elif asked.key == "maker":
                known = "maker" if product.maker else "maker_untold"
                said = [self._desk.say[known].format(product=product.short_name, maker=product.maker)]
                if product.codes.approval:
                    said.append(self._desk.say["approval"].format(approval=product.codes.approval))
                yield Answer(tuple(said), products=(product,))
            else:
                yield Answer((self._pack(product),), products=(product,))

    def _pack(self, product: Product) -> str:
        return self._desk.say["pack"].format(product=product.short_name, about=about(product, with_form=True))

    def _contains(self, product: Product, asked: Asked) -> Iterator[str]:
        name, contents = product.short_name, product.contents
        steroids = [one.substance for one in contents.substances if any(_STEROID in group for group in one.groups)]
        if steroids:
            yield self._desk.say["hormone"].format(product=name, substances="、".join(steroids))
            return
        listed = "、".join(product.ingredients) or "、".join(one.substance for one in contents.substances)
        yield self._desk.say["contains"].format(product=name, substances=listed)
        if "激素" in asked.words and not steroids and contents.resolved:
            yield self._desk.say["no_hormone"]
        if any(word in asked.words for word in ("糖", "酒精", "防腐")):
            yield self._desk.say["excipients"]

    def buy(self, request: Request, _: Asked) -> Iterator[Act]:
        """What is to be known to buy each."""
        for product in request.subject[:SPOKEN]:
            findings = self._desk.rules.checks(product, request.told.current)
            if (stopped := self._told_off(product, findings)) is not None:
                yield stopped
                continue
            if len(request.asks) > 1 and any(asked.kind == "price" for asked in request.asks):
                continue  # the price tells the same
            stock = "buy_untold" if product.stock is None else "buy_stock" if product.stock else "buy_out"
            text = self._desk.say["buy"].format(
                product=product.short_name, about=about(product), price=f"{product.price:g}", stock=self._desk.say[stock]
            )
            yield Answer((text,), products=(product,))

    def cheaper(self, request: Request, _: Asked) -> Iterator[Act]:
        """Others that hold the same and cost less."""
        for product in request.subject[:1]:
            others = sorted((one for one in self._like(product, request) if one.price < product.price), key=_price)
            if not others:
                text = self._desk.say["cheapest"].format(product=product.short_name, price=f"{product.price:g}")
                yield Answer((text,), products=(product,))
            for other in others[:OTHERS]:
                text = self._desk.say["cheaper"].format(
                    product=other.short_name, about=about(other, with_form=True), price=f"{other.price:g}"
                )
                yield Answer((text,), products=(other,))

    def another(self, request: Request, asked: Asked) -> Iterator[Act]:
        """Another product for the same: for children, of another form, of another size."""
        product = request.subject[0] if request.subject else None
        if product is None:
            return
        if asked.key == "children" and product.for_children:
            yield from self.price(request, asked)
            if request.facts.child_months is None and not self._desk.asked_age(request):
                yield Inquire(self._desk.rules.questions[CHILD_AGE])
            return
        if asked.key in ("large", "small"):
            yield self.packs(product)
            return
        others = self._others(product, request, asked)
        if not others:
            key = {"children": "no_children", "form": "no_form"}.get(asked.key, "no_other")
            yield Answer((self._desk.say[key].format(product=product.short_name),))
        for other in others[:OTHERS]:
            section = other.section("indications")
            text = self._desk.say["other"].format(
                product=other.short_name,
                about=about(other, with_form=True),
                price=f"{other.price:g}",
                text=picked(section.text, None) if section else "",
            )
            shown = () if self._desk.stopped(other, request) else (other,)
            yield Answer((text,), (source(section),) if section else (), shown)
        if others and request.facts.child and request.facts.child_months is None and not self._desk.asked_age(request):
            yield Inquire(self._desk.rules.questions[CHILD_AGE])

    def packs(self, product: Product) -> Answer:
        """In which packs there is a product, each with its price."""
        packs = sorted((one for one in self._desk.shelf.of_name(product.name) if one.stock != 0), key=_size) or [product]
        listed = "、".join(
            dict.fromkeys(self._desk.say["one_of_packs"].format(about=about(one), price=f"{one.price:g}") for one in packs)
        )
        key = "packs" if len(packs) > 1 else "one_pack"
        return Answer((self._desk.say[key].format(product=product.short_name, packs=listed),), products=tuple(packs[:OTHERS]))

    def _others(self, product: Product, request: Request, asked: Asked) -> list[Product]:
        """Others of the same substances, then for the same complaint, that fit the person and weren't shown."""
        shown = {one.name for one in request.told.shown} | {one.name for one in request.subject}
        same = list(self._like(product, request, any_way=asked.key == "form"))
        same += [match.product for match in self._desk.shelf.suited(request.complaints)]
        if asked.key == "children":
            same = [one for one in same if one.for_children]
        if asked.key == "form" and (trait := reader(self._desk.rules.lexicon).trait(asked.words)) is not None:
            same = [one for one in same if trait[1].search(one.form) or trait[1].search(one.name)]
        fitting = (one for one in unique(same) if one.name not in shown and self._desk.fits(one, request))
        return list(islice(fitting, OTHERS))

    def _like(self, product: Product, request: Request, *, any_way: bool = False) -> Iterator[Product]:
        """Others of the same substances, taken the same way unless `any_way`, in stock, that this person may take."""
        concepts = dict.fromkeys(one.concept for one in self._desk.rules.lexicon.medicines(product.name))
        found = [
            *self._desk.shelf.of_name(product.name),
            *(one for name in concepts for one in self._desk.shelf.of_medicine(name, 12)),
        ]
        made_of = {one.substance if any_way else one.name for one in product.contents.substances}
        for one in unique(found):
            same = {other.substance if any_way else other.name for other in one.contents.substances} == made_of
            child = one.for_children == product.for_children or any_way or bool(request.facts.child)
            if one.sku != product.sku and same and child and one.stock != 0 and self._desk.fits(one, request):
                yield one


def _price(product: Product) -> float:
    return product.price


def _size(product: Product) -> float:
    """How much is in a pack, by the first number that it tells."""
    match = _AMOUNT.search(product.pack)
    return float(match[0]) if match else 0.0
