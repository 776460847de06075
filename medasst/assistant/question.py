"""What a conversation asks: its last turn, what it is about, for whom."""

from __future__ import annotations

import re
from dataclasses import dataclass

from medasst.catalogue import Catalogue, Match
from medasst.catalogue.lay import plain
from medasst.conversation import Conversation
from medasst.errors import DataError
from medasst.safety import Facts, Rules
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
class Question:
    """A conversation as the rules read it.

    Attributes:
        turns: every user turn.
        topic: the last turn, after the earlier ones that it needs to be understood (那一天吃几次).
        facts: for whom, from all turns.
        symptoms: what the topic complains of, in the catalogue's wordings.
        named: over-the-counter products that the topic names.
        prescription: prescription drugs that the topic asks for, as it calls them; not those that it only tells of
            (在吃华法林, 对青霉素过敏).
        section: the leaflet section that would answer, or None.
        buys: whether a product is looked for.
    """

    turns: tuple[str, ...]
    topic: str
    facts: Facts
    symptoms: frozenset[str]
    named: tuple[Match, ...]
    prescription: tuple[str, ...]
    section: str | None
    buys: bool

    @property
    def last(self) -> str:
        """The last user turn."""
        return self.turns[-1]


def read(conversation: Conversation, catalogue: Catalogue, rules: Rules, *, unread: bool = False) -> Question:
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
    shelf = catalogue.over_the_counter
    topic = _topic(turns, shelf, rules)
    facts = rules.facts(turns, unread=unread)
    named, symptoms = tuple(shelf.named(topic)), frozenset(shelf.symptoms(topic))
    return Question(
        turns=turns,
        topic=topic,
        facts=facts,
        symptoms=symptoms,
        named=named,
        prescription=tuple(rules.gate.asked(topic)),
        section=_section(turns[-1], named),
        buys=bool(_BUY.search(plain(turns[-1]))),
    )


def _topic(turns: tuple[str, ...], shelf: Catalogue, rules: Rules) -> str:
    """The last turn, with those before it back to the nearest that asks for a drug or tells a symptom."""
    parts: list[str] = []
    size = 0
    for turn in reversed(turns):
        parts.append(turn)
        size += len(turn)
        if size > _TOPIC or rules.gate.asked(turn) or shelf.named(turn) or shelf.symptoms(turn):
            break
    return "。".join(reversed(parts))


def _section(turn: str, named: tuple[Match, ...]) -> str | None:
    """The intent of a turn, read without the names in it: 左炔诺孕酮 asks nothing about 孕."""
    text = comparison_key(plain(turn))
    for match in named:
        text = text.replace(match.words, "")
    return next((key for key, pattern in _INTENTS if re.search(pattern, text)), None)
