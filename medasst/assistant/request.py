"""What a conversation asks for: what its last turn asks, of which products, for whom, and what came before."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from medasst.assistant.asked import Asked, AskReader, picked, reader, without_names
from medasst.assistant.matters import Matters
from medasst.catalogue import Catalogue, Match, Product
from medasst.catalogue.words import name_key
from medasst.conversation import Conversation
from medasst.dialogue import DialogueState
from medasst.errors import DataError
from medasst.lexicon import Lexicon, Mention, Reading, plain
from medasst.rulebook import AskKind, Trait, TraitRow
from medasst.safety import Act, Facts, Rules
from medasst.safety.gate import GATED
from medasst.text import says_nothing

_BUY = re.compile(
    r"买|有没有|有吗|有卖|多少钱|价格|来(一)?(盒|瓶|支)|拿(一)?(盒|瓶|支)|推荐|吃什么|用什么|什么药|哪种|哪个|抹什么|涂什么|吃啥|用啥|啥药|怎么办|咋办|咋整"
)
# What is asked of a product; with nothing named the one spoken of last is meant.
ABOUT_PRODUCTS: frozenset[AskKind] = frozenset(
    {"section", "may_take", "price", "stock", "spec", "cheaper", "another", "compare", "buy", "expired", "missed_dose"}
)
_FITS_ALL: frozenset[AskKind] = frozenset({"expired", "missed_dose"})  # answered without a product, too
_PASSING: frozenset[AskKind] = frozenset({"shop", "photo", "thanks", "greeting"})  # that nothing later goes on with
# What nobody wants who has it at home.
_SELLING: frozenset[AskKind] = frozenset({"treat", "stock", "buy", "price", "none"})
_TALK: Mapping[str, AskKind] = {"greeting": "greeting", "thanks": "thanks", "goodbye": "thanks", "photo": "photo"}
_DONE = frozenset({"took_too_much", "taken_together"})  # rows that ask what to do now: 吃多了怎么办 looks for no medicine
_MOST = 5  # products that one turn can mean
_TOPIC = 2000  # characters after which no earlier turn is looked at any more


@dataclass(frozen=True, slots=True)
class Request:
    """A conversation as the assistant answers it.

    Attributes:
        turns: every user turn.
        told: what they and our questions have told so far.
        first: the user turn (from 0) that the topic begins with.
        topic: the last turn, after the earlier ones that it needs to be understood (那一天吃几次).
        facts: whom it is for.
        complaints: what the topic complains of that products are for, with the shopper's words.
        named: over-the-counter products that the topic names.
        acts: what the topic wants of prescription medicines.
        asks: what the last turn asks, in its order; where it only answers or adds something, what was asked before. Never
            empty.
        asked_at: the turn (from 0) that asks it.
        subject: the products that it asks about: named in it, meant by place or trait (第二个, 那个便宜点的), or spoken of
            last.
        unnamed: medicines over the counter that the turn, or the one it goes on from, names and this shop doesn't have by
            that name; `subject` may hold what it has of the same substance.
        buys: whether a product is looked for.
        free: whether something is asked for that needs no prescription, so that what was refused isn't wanted again.
        at_home: whether what the turn names is at home already (家里有美林).
    """

    turns: tuple[str, ...]
    told: DialogueState
    first: int
    topic: str
    facts: Facts
    complaints: Mapping[str, str]
    named: tuple[Match, ...]
    acts: tuple[Act, ...]
    asks: tuple[Asked, ...]
    asked_at: int
    subject: tuple[Product, ...]
    unnamed: tuple[Mention, ...]
    buys: bool
    free: bool
    at_home: bool

    @property
    def last(self) -> str:
        """The last user turn."""
        return self.turns[-1]


def read(conversation: Conversation, catalogue: Catalogue, rules: Rules, *, unread: bool = False) -> Request:
    """Read what is asked.

    Args:
        unread: there were earlier turns, which were left out.

    Raises:
        DataError: the conversation does not end with a user turn that says something.
    """
    if not conversation.messages or conversation.messages[-1].role != "user":
        raise DataError("the conversation must end with a user turn; there is nothing to answer")
    turns = tuple(m.content for m in conversation.messages if m.role == "user")
    if says_nothing(turns[-1]):
        raise DataError("the last user turn is empty; there is nothing to answer")
    told = rules.state(conversation.messages)
    shelf = catalogue.over_the_counter
    first = _topic(told, shelf, rules)
    topic = "。".join(turns[first:])
    named = tuple(shelf.named(topic))
    buys = bool(_BUY.search(plain(turns[-1]).text))
    complaints: dict[str, str] = {}
    for reading in told.readings[first:]:
        for concept, words in shelf.complaints(reading, told.current.person).items():
            complaints.setdefault(concept, words)
    troubles = {concept: words for concept, words in complaints.items() if not _is_state(concept, rules)}
    complaints = troubles if troubles or not buys else complaints
    facts = Facts.of(told.current, unread=unread)
    meant = _Meant(told, first, shelf, rules, facts)
    return Request(
        turns=turns,
        told=told,
        first=first,
        topic=topic,
        facts=facts,
        complaints=complaints,
        named=named,
        acts=tuple(act for place in range(first, len(told.readings)) for act in _acts(told, place, rules)),
        asks=meant.asks,
        asked_at=meant.place,
        subject=meant.subject,
        unnamed=meant.unnamed,
        buys=buys,
        free=_is_free(told.readings[-1], rules),
        at_home=bool(meant.subject) and _is_at_home(told.readings[meant.place], rules),
    )


def _topic(told: DialogueState, shelf: Catalogue, rules: Rules) -> int:
    """The turn that the topic begins with: the newest that asks for a medicine or tells a complaint."""
    size = 0
    for place in range(told.turn, -1, -1):
        reading = told.readings[place]
        size += len(reading.text)
        wants = bool(rules.gate.acts(reading)) and not _is_free(reading, rules)
        if size > _TOPIC or wants or shelf.named(reading.text) or _complains(reading, shelf, rules):
            return place
    return 0


def _is_free(reading: Reading, rules: Rules) -> bool:
    return re.search(rules.book.replies.without_prescription, reading.plain) is not None


def _is_at_home(reading: Reading, rules: Rules) -> bool:
    return re.search(rules.book.counter.at_home, reading.plain) is not None


def _complains(reading: Reading, shelf: Catalogue, rules: Rules) -> bool:
    """Whether a turn complains of something, or asks for something for how somebody is; to tell that (我怀孕了) goes on."""
    told = shelf.complaints(reading)
    return bool(told) and (bool(_BUY.search(reading.plain)) or not all(_is_state(concept, rules) for concept in told))


def _is_state(concept: str, rules: Rules) -> bool:
    """Whether it is how somebody is (怀孕), nothing to complain of unless something for it is asked for."""
    row = rules.book.findings.rows.get(concept)
    return row is not None and row.kind == "state"


def _acts(told: DialogueState, place: int, rules: Rules) -> list[Act]:
    return rules.gate.acts(told.readings[place], told.readings[place - 1] if place else None)


@lru_cache(maxsize=8)
def matters(lexicon: Lexicon) -> Matters:
    """The matters of a lexicon's rulebook; they are kept."""
    return Matters(lexicon.book)


class _Meant:
    """What the last turn asks and of which products.

    Attributes:
        asks, subject, unnamed: as in `Request`; `place`: its `asked_at`.
    """

    def __init__(self, told: DialogueState, first: int, shelf: Catalogue, rules: Rules, facts: Facts) -> None:
        self._told, self._shelf, self._rules, self._facts = told, shelf, rules, facts
        self._reader: AskReader = reader(rules.lexicon)
        place = told.turn
        self.asks = self._asks(place)
        # 成年，没有别的病 goes on with what was asked before it.
        while not self.asks and place > first:
            place -= 1
            self.asks = tuple(asked for asked in self._asks(place) if asked.kind not in _PASSING)
        self.asks = self.asks or (Asked("none"),)
        self.place = place
        about = any(asked.kind in ABOUT_PRODUCTS for asked in self.asks)
        self.subject = tuple(self._subject(place)[:_MOST]) if about else ()
        self.unnamed = tuple(self._unnamed(told.readings[place]))
        if self.unnamed and not self._named(told.readings[place]):
            self.subject = ()  # 那褪黑素行不 asks nothing of what was shown
        if about and not self.subject and not self.unnamed:
            self.asks = tuple(dict.fromkeys(map(self._without_product, self.asks)))
        if self.subject and _is_at_home(told.readings[place], rules) and {asked.kind for asked in self.asks} <= _SELLING:
            self.asks = (Asked("section", "dosage", row="dosage"),)
        if any(asked.kind == "shop" for asked in self.asks):
            self.asks = tuple(asked for asked in self.asks if asked.kind not in ("general", "treat"))

    def _asks(self, place: int) -> tuple[Asked, ...]:
        """What a turn asks; nothing where it only tells or answers."""
        reading = self._told.readings[place]
        bare = self._bare(reading)
        found = self._reader.read(bare)
        found += [Asked(_TALK.get(matter, "shop"), matter) for matter in matters(self._rules.lexicon).find(reading)]
        if any(asked.row in _DONE for asked in found):
            found = [asked for asked in found if asked.kind != "treat"]
        if found:
            return tuple(found)
        if self._shelf.complaints(reading):
            return (Asked("treat"),)
        if any(drug.by_cues == "hypothetical" for drug in self._drugs(reading)):
            return self._of_a_bare_name(place)
        return (Asked("general"),) if self._reader.asks_something(bare) else ()

    def _of_a_bare_name(self, place: int) -> tuple[Asked, ...]:
        """What was asked right before of another product; beside a complaint, whether one may take it; else to see it."""
        before = self._asks(place - 1) if place else ()
        if _is_at_home(self._told.readings[place], self._rules):
            return (Asked("section", "dosage", row="dosage"),)
        going_on = tuple(asked for asked in before if asked.kind in ABOUT_PRODUCTS)
        return going_on or (Asked("may_take" if place and self._complaint() else "buy"),)

    def _drugs(self, reading: Reading) -> list[Mention]:
        """The medicines that a turn names, no mere kinds of them (退烧药)."""
        return [drug for drug in reading.drugs() if drug.concept not in self._rules.book.classes.rows]

    def _bare(self, reading: Reading) -> str:
        return without_names(reading, self._shelf.named(reading.text), self._rules.book.classes.rows)

    def _without_product(self, asked: Asked) -> Asked:
        """The same with no product in sight: knowledge of its own, or something for the complaint."""
        if asked.kind not in ABOUT_PRODUCTS - _FITS_ALL:
            return asked
        wants = asked.kind in ("buy", "another", "cheaper", "compare", "stock", "price", "spec", "may_take")
        return Asked("treat" if wants and self._complaint() else "general", asked.key, asked.words, asked.row)

    def _complaint(self) -> bool:
        return any(self._shelf.complaints(reading) for reading in self._told.readings)

    # Of which products

    def _subject(self, place: int) -> list[Product]:
        reading = self._told.readings[place]
        if named := self._named(reading):
            return named
        if self._reader.names_a_thing(reading.plain):
            return []
        spoken = self._spoken_of(place)
        kinds = {asked.kind for asked in self.asks}
        trait = None if "compare" in kinds else self._reader.trait(self._bare(reading))
        if trait is not None and trait[0].trait == "form" and kinds == {"may_take"} and not picked(spoken, *_by(trait)):
            return []  # 能贴膏药吗 asks of none of the creams that were shown
        if trait is not None and len(spoken) > 1 and (meant := picked(spoken, *_by(trait))):
            spoken = meant
            # 要那个便宜的 picks one, and asks for no other.
            self._picks()
        elif trait is not None and trait[0].trait in ("cheap", "dear") and len(self.asks) > 1:
            self._picks()  # 那个便宜的今天能送到吗 asks for no cheaper one
        return spoken

    def _picks(self) -> None:
        """What is asked without what only picks."""
        asks = [asked for asked in self.asks if asked.kind not in ("cheaper", "another")]
        self.asks = tuple(asks) or (Asked("buy"),)

    def _named(self, reading: Reading) -> list[Product]:
        """The products that a turn asks about by name; what is only told of as taken counts where nothing else is named."""
        asked: dict[str, Product] = {}
        taken: dict[str, Product] = {}
        for words, product, drug in self._names(reading):
            if drug is not None and drug.by_cues in ("absent", "someone_else"):
                continue
            told = drug is not None and drug.by_cues in ("present", "historical")
            for one in self._for_this_person(words, product, drug):
                (taken if told else asked).setdefault(one.sku, one)
        return list((asked or taken).values())

    def _names(self, reading: Reading) -> Iterator[tuple[str, Product, Mention | None]]:
        """The names in a turn in its order: by which words, the product, and the medicine that the lexicon reads there."""
        drugs = [(plain(drug.words).text, drug) for drug in self._drugs(reading)]
        kinds = {plain(drug.words).text for drug in reading.drugs()} - {words for words, _ in drugs}
        found: list[tuple[int, str, Product, Mention | None]] = []
        for match in self._shelf.named(reading.text):
            drug = next((drug for words, drug in drugs if match.words in words or words in match.words), None)
            if drug is not None and self._is_another(match.product, drug):
                continue
            product = match.product
            if drug is not None and (known_for := self._rules.book.asks.known_for(match.words)):
                product = of_brand([product, *self._same(drug.concept)], known_for)[0]
            if match.words not in kinds or match.words in map(name_key, product.names):
                found.append((reading.plain.find(match.words), match.words, product, drug))
        covered = {drug for *_, drug in found if drug is not None}
        for words, drug in drugs:
            if drug not in covered:
                same = of_brand(self._same(drug.concept), self._rules.book.asks.known_for(words))
                found += [(reading.plain.find(words), words, product, drug) for product in same[:1]]
        return ((words, product, drug) for _, words, product, drug in sorted(found, key=lambda one: one[0]))

    def _is_another(self, product: Product, drug: Mention) -> bool:
        """Whether the medicine that is named merely has the product's name in its own (复方对乙酰氨基酚片)."""
        contents = self._rules.formulary.contents(drug.concept)
        return contents.resolved and len(contents.substances) > len(product.contents.substances)

    def _same(self, concept: str) -> list[Product]:
        """What the shop has of a medicine itself, not of what merely holds it, or is called like it."""
        contents = self._rules.formulary.contents(concept)
        return [one for one in self._shelf.of_medicine(concept) if one.contents.names == contents.names]

    def _for_this_person(self, words: str, product: Product, drug: Mention | None) -> list[Product]:
        """A product, or where a child needs it and it was called by the medicine's name, the one made for children."""
        if not self._facts.child or product.for_children or drug is None:
            return [product]
        if words in (name_key(product.name), name_key(product.short_name)):
            return [product]
        mine = [one for one in self._same(drug.concept) if one.for_children]
        return mine[:1] or [product]

    def _spoken_of(self, place: int) -> list[Product]:
        """By place (第二个), else what was named or shown last before a turn."""
        by_place = [name for name in self._told.refers if name not in self._told.readings[place].text]
        if place == self._told.turn and by_place:
            return self._by_name(by_place)
        shown = [one for one in self._told.shown if one.turn < place]
        last = max((one.turn for one in shown), default=-2)
        for earlier in range(place - 1, last - 1, -1):
            if earlier >= 0 and (named := self._named(self._told.readings[earlier])):
                return named
        return self._by_name(dict.fromkeys(one.name for one in shown if one.turn == last))

    def _by_name(self, names: Iterable[str]) -> list[Product]:
        return [product for name in names for product in self._shelf.of_name(name)[:1]]

    def _unnamed(self, reading: Reading) -> Iterable[Mention]:
        """Medicines that may be sold freely and that no product here is called by."""
        matches = self._shelf.named(reading.text)
        called = {
            one.words
            for one in matches
            if one.words in name_key(one.product.name) or one.words in map(name_key, one.product.aliases)
        }
        sold = {name_key(substance.substance) for one in self.subject for substance in one.contents.substances}
        for mention in self._drugs(reading):
            if mention.by_cues not in ("hypothetical", "possible"):
                continue
            if any(word in name_key(mention.words) for word in called) or name_key(mention.words) in sold:
                continue
            if mention.words.isascii() and self.subject:
                continue  # pinyin of what is sold
            if not self._rules.lexicon.status(mention.concept):
                continue
            if self._rules.gate.status(mention.concept, mention.words, reading.text) in GATED:
                continue
            yield mention


def of_brand(products: list[Product], known_for: str) -> list[Product]:
    """Products of one medicine, those first that are what a brand of it is known for; "" is known for nothing."""
    return sorted(products, key=lambda one: known_for not in one.name)


def _by(trait: tuple[TraitRow, re.Pattern[str]]) -> tuple[Trait, re.Pattern[str]]:
    return trait[0].trait, trait[1]
