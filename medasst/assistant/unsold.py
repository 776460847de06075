"""What isn't sold here: medicines by another name, and things that are none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from medasst.assistant.acts import Act, Answer, Refer
from medasst.assistant.desk import SPOKEN, Desk, about
from medasst.assistant.request import Request, of_brand
from medasst.catalogue import Product
from medasst.lexicon import Mention, plain

_OF_FORM = re.compile(r"(?:片|丸|胶囊|颗粒|散|膏|液|贴|栓|糖浆|口服液)$")  # a product's name, no substance's
_CLAUSE = re.compile(r"[^,。;?!]+")


class UnsoldAnswers:
    """Answers about what the shop has no record of."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        table = desk.rules.book.asks
        self._seeks = re.compile(table.seeks, re.VERBOSE)
        self._things = re.compile(table.things, re.VERBOSE)
        self._known_for = table.known_for

    def medicines(self, request: Request) -> Iterator[Act]:
        """That a medicine is not sold by this name, what it is, and what the shop has of the same substance."""
        for mention in request.unnamed[:SPOKEN]:
            contents = self._desk.rules.formulary.contents(mention.concept)
            parts = list(dict.fromkeys(one.substance for one in contents.substances))
            made = self._known_for(plain(mention.words).text)
            consists = ""
            if made:
                consists = self._desk.say["unnamed_brand"].format(words=mention.words, made=made)
            elif contents.resolved and not _is_called_so(parts, mention) and not any(map(_OF_FORM.search, parts)):
                consists = self._desk.say["unnamed_made"].format(words=mention.words, substances="、".join(parts))
            same = self._same(mention, request)
            if request.at_home:
                yield Answer(tuple(filter(None, (consists, self._desk.say["unnamed_leaflet"].format(words=mention.words)))))
                continue
            if same is None:
                key = "unnamed_none" if consists else "unnamed"
                yield Refer(
                    "not_sold", tuple(filter(None, (self._desk.say[key].format(words=mention.words), consists))), "decline"
                )
                continue
            said = [self._desk.say["unnamed"].format(words=mention.words), consists]
            told = any(asked.kind in ("price", "buy", "stock") for asked in request.asks)
            near = not made and any(map(_OF_FORM.search, parts))  # a plant, and the only thing called like it is a compound
            form = "unnamed_near" if near else "unnamed_same_short" if told and same in request.subject else "unnamed_same"
            said.append(
                self._desk.say[form].format(product=same.short_name, about=about(same, with_form=True), price=f"{same.price:g}")
            )
            if not near and any(asked.kind == "compare" for asked in request.asks) and same in request.subject:
                said.append(self._desk.say["one_of"].format(product=mention.words, others=same.short_name))
            child = next((one for one in request.subject if self._is_childs(one, same, request)), None)
            if child is not None:
                said[2:] = [
                    self._desk.say["child_form"].format(
                        product=child.short_name, about=about(child), price=f"{child.price:g}", words=mention.words
                    )
                ]
            if any(asked.kind == "section" for asked in request.asks):
                said.append(self._desk.say["unnamed_leaflet"].format(words=mention.words))
            yield Answer(tuple(filter(None, said)), products=() if self._desk.stopped(same, request) else (same,))

    def _is_childs(self, one: Product, same: Product, request: Request) -> bool:
        """Whether a product is what a child gets in place of the one that a brand is known for."""
        return (
            bool(request.facts.child)
            and one.for_children
            and not same.for_children
            and one.contents.names == same.contents.names
        )

    def _same(self, mention: Mention, request: Request) -> Product | None:
        """What the shop has of the same substances, that of the subject first, and what the brand is known for."""
        contents = self._desk.rules.formulary.contents(mention.concept)
        known_for = self._known_for(plain(mention.words).text)
        found = of_brand([*request.subject, *self._desk.shelf.of_medicine(mention.concept)], known_for)
        return next((one for one in found if contents.substances and one.contents.names == contents.names), None)

    def things(self, request: Request) -> Iterator[Act]:
        """That no record tells of a thing that is looked for and is no medicine: a blood pressure monitor, masks."""
        said = request.told.readings[request.asked_at]
        elsewhere = bool(request.subject) or any(asked.kind == "shop" for asked in request.asks)
        clauses = [] if elsewhere else [one for one in _CLAUSE.findall(said.plain) if self._seeks.search(one)]
        things = dict.fromkeys(match[0] for clause in clauses for match in self._things.finditer(clause))
        if things and not self._desk.shelf.named(said.text):
            yield Refer("not_sold", (self._desk.say["untraded"].format(words="、".join(things)),), "decline")


def _is_called_so(parts: Sequence[str], mention: Mention) -> bool:
    """Whether it is but one substance and called by its name: what it is made of needs no word."""
    return len(parts) == 1 and _alike(parts[0], mention.words)


def _alike(one: str, other: str) -> bool:
    return one in other or other in one
