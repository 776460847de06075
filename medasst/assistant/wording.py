"""What a model may add to a draft: whole sentences that pass every check. It may word an answer; it can't widen it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from medasst.assistant.lanes import Lanes
from medasst.conversation import Conversation, Message
from medasst.models.places import Busy
from medasst.safety import Context, Rules, degenerate
from medasst.text import comparison_key, sentences

if TYPE_CHECKING:
    from medasst.models import ChatModel, Decoding, Delta

BUSY = "busy"  # why nothing was used: no place was free

_LOG = logging.getLogger(__name__)
_MOST = 3  # sentences of the model in one reply
_ENDS = ("。", "！", "？", "!", "?", "；", "”", "」")
_GROUNDS_SHOWN = 800  # characters of grounds in the prompt: what a small model on a CPU reads in seconds
_TURNS_SHOWN = 400  # characters of the newest turns in the prompt
_BRIEF = (
    "你是网上药店的药师助手。请只根据下面的资料，用两三句话亲切地补充，不要说资料之外的药名、用量和诊断，"
    "不确定就请对方咨询药师。\n资料：{grounds}"
)


@dataclass(frozen=True, slots=True)
class Wording:
    """What the model said that may be used, and what it cost. `refused`: why nothing or less was used, for the operator."""

    sentences: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    prompt_tokens: int = 0
    completion_tokens: int = 0


async def word(
    model: ChatModel,
    decoding: Decoding,
    conversation: Conversation,
    *,
    grounds: str,
    said: str,
    rules: Rules,
    patience: float,
    lanes: Lanes,
) -> Wording:
    """Let the model add to what was said.

    Args:
        grounds: what people wrote for this reply; the model sees its beginning, and is checked against all of it.
        said: what the reply already says.
        patience: seconds after which the model is stopped; what it said until then counts.
        lanes: where the model's text is judged.

    A model that fails, is too slow or has no place free adds nothing; that is logged without the shopper's words.
    """
    heard = _Heard()
    slow: tuple[str, ...] = ()
    try:
        async with asyncio.timeout(patience):
            await heard.listen(model.stream(_briefed(conversation, grounds), decoding))
    except Busy:
        return Wording(refused=(BUSY,))
    except TimeoutError:
        _LOG.warning("the model %s took longer than %g s: what it had not said by then is left out", model.name, patience)
        slow = ("timeout",)
    except Exception as error:
        _LOG.warning("the model %s failed (%s); the vetted part stands alone", model.name, type(error).__name__)
        return Wording(refused=("error",))
    text = "".join(heard.pieces)
    if slow and not text:
        return Wording(refused=slow)
    asked = conversation.messages[-1].content
    kept, refused = await lanes.run(len(text) + len(asked), _judged, text, asked, grounds, said, rules)
    return Wording(tuple(kept), (*slow, *refused), heard.prompt_tokens, heard.completion_tokens)


@dataclass
class _Heard:
    """What a model has said so far, with its token counts."""

    pieces: list[str] = field(default_factory=list)
    prompt_tokens: int = 0
    completion_tokens: int = 0

    async def listen(self, stream: AsyncIterator[Delta]) -> None:
        try:
            async for delta in stream:
                self.pieces.append(delta.text)
                self.prompt_tokens += delta.prompt_tokens
                self.completion_tokens += delta.completion_tokens
        finally:
            if hasattr(stream, "aclose"):
                await stream.aclose()


def _briefed(conversation: Conversation, grounds: str) -> Conversation:
    brief = Message("system", _BRIEF.format(grounds=grounds[:_GROUNDS_SHOWN]))
    shown = replace(conversation, messages=tuple(m for m in conversation.messages if m.role != "system")).newest(_TURNS_SHOWN)
    return Conversation.of([brief, *shown.messages])


def _judged(text: str, question: str, grounds: str, said: str, rules: Rules) -> tuple[list[str], list[str]]:
    """The sentences of a model's answer that may be used, and the rules that refused the others."""
    if reason := degenerate(text, question):
        return [], [reason]
    return _kept(text, grounds, said, rules)


def _kept(text: str, grounds: str, said: str, rules: Rules) -> tuple[list[str], list[str]]:
    kept: list[str] = []
    refused: list[str] = []
    about: bool | None = None
    for sentence in (part.strip() for part in sentences(text)):
        if not sentence.endswith(_ENDS):
            continue
        verdict = rules.check_sentence(sentence, Context("model", grounds, about))
        about = named if (named := rules.gate.subject(sentence)) is not None else about
        if not verdict.ok:
            refused.append(verdict.rule or "")
        elif len(kept) < _MOST and not _repeats(sentence, said + "".join(kept)):
            kept.append(sentence)
    return kept, refused


def _repeats(sentence: str, said: str) -> bool:
    """Whether most of the sentence's character pairs were said already."""
    key, before = comparison_key(sentence), comparison_key(said)
    pairs = [key[i : i + 2] for i in range(len(key) - 1)]
    return not pairs or sum(pair in before for pair in pairs) > 0.8 * len(pairs)
