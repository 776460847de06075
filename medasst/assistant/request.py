"""What a conversation asks for: its last turn, what it is about, for whom."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from medasst.catalogue import Catalogue, Match
from medasst.conversation import Conversation
from medasst.dialogue import DialogueState
from medasst.errors import DataError
from medasst.lexicon import plain
from medasst.safety import Act, Facts, Rules
from medasst.text import comparison_key, says_nothing

# The leaflet section that answers, by what is asked; the first that matches counts.
_INTENTS = (
    ("pregnancy", r"孕|哺乳|喂奶|母乳"),
    (
        "interactions",
        r"一起(吃|用|喝|服)|同时(吃|用|喝|服)|能(和|跟|与)|(和|跟|与).{1,10}(一起|同时|同服|冲突)|间隔|喝酒|饮酒|牛奶|咖啡",
    ),
    ("adverse_reactions", r"副作用|不良反应|伤(胃|肝|肾)|犯困|嗜睡|依赖|吃了会"),
    ("children", r"宝宝|孩子|小孩|儿童|婴儿|几岁|多大"),
    ("elderly", r"老人|老年"),
    (
        "dosage",
        r"怎么(吃|用|服|喝|涂|抹|滴|喷|塞)|吃(多少|几)|用(多少|几)|几(片|粒|次|袋|天|包|滴|喷)|用量|剂量|用法|饭前|饭后|多久(吃|用)|一天|一次|疗程",
    ),
    ("indications", r"(吃|用|抹|涂|喝)(什么|啥)|什么药|啥药|哪种|哪个"),
    ("contraindications", r"禁忌|(谁|什么人|哪些人|哪种人)不能|能(不能)?(吃|用|喝|涂|抹)|可以(吃|用|喝|涂|抹)"),
    ("storage", r"保存|存放|贮藏|冰箱|过期|保质"),
    ("indications", r"治什么|管什么|干什么|什么用|作用|功效|能治|管用|有用|适应"),
)
_BUY = re.compile(
    r"买|有没有|有吗|有卖|多少钱|价格|来(一)?(盒|瓶|支)|拿(一)?(盒|瓶|支)|推荐|吃什么|用什么|什么药|哪种|哪个|抹什么|涂什么|吃啥|用啥|啥药|怎么办|咋办|咋整"
)
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
        section: the leaflet section that would answer, or None.
        buys: whether a product is looked for.
    """

    turns: tuple[str, ...]
    told: DialogueState
    first: int
    topic: str
    facts: Facts
    complaints: Mapping[str, str]
    named: tuple[Match, ...]
    acts: tuple[Act, ...]
    section: str | None
    buys: bool

    @property
    def wants_another(self) -> bool:
        """Whether the named products are only told of as taken, and something is asked for (吃了布洛芬，头还痛，吃什么)."""
        named = {match.words for match in self.named}
        drugs = [m for reading in self.told.readings[self.first :] for m in reading.drugs() if plain(m.words).text in named]
        taken = bool(drugs) and all(mention.assertion in ("present", "historical") for mention in drugs)
        return taken and self.buys and bool(self.complaints) and self.section in (None, "indications")

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
    return Request(
        turns=turns,
        told=told,
        first=first,
        topic=topic,
        facts=Facts.of(told.current, unread=unread),
        complaints=complaints,
        named=named,
        acts=tuple(act for place in range(first, len(told.readings)) for act in _acts(told, place, rules)),
        section=section_asked(turns[-1], named),
        buys=buys,
    )


def _topic(told: DialogueState, shelf: Catalogue, rules: Rules) -> int:
    """The turn that the topic begins with: the newest that asks for a medicine or tells a complaint."""
    size = 0
    for place in range(told.turn, -1, -1):
        reading = told.readings[place]
        size += len(reading.text)
        if size > _TOPIC or _acts(told, place, rules) or shelf.named(reading.text) or shelf.complaints(reading):
            return place
    return 0


def _is_state(concept: str, rules: Rules) -> bool:
    """Whether it is how somebody is (怀孕), nothing to complain of unless something for it is asked for."""
    row = rules.book.findings.rows.get(concept)
    return row is not None and row.kind == "state"


def _acts(told: DialogueState, place: int, rules: Rules) -> list[Act]:
    return rules.gate.acts(told.readings[place], told.readings[place - 1] if place else None)


def section_asked(turn: str, named: Iterable[Match]) -> str | None:
    """The leaflet section that answers a turn, read without the names in it: 左炔诺孕酮 asks nothing about 孕."""
    text = plain(comparison_key(turn)).text
    for match in named:
        text = text.replace(match.words, "")
    return next((key for key, pattern in _INTENTS if re.search(pattern, text)), None)
