"""What a model may add to a draft: whole sentences that pass every check. It may word an answer; it can't widen it."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from medasst.conversation import Conversation, Message
from medasst.safety import Context, Rules, degenerate
from medasst.text import comparison_key, sentences

if TYPE_CHECKING:
    from medasst.models import ChatModel, Decoding

_LOG = logging.getLogger(__name__)
_MOST = 3  # sentences of the model in one reply
_ENDS = ("。", "！", "？", "!", "?", "；", "”", "」")
_GROUNDS_SHOWN = 800  # characters of grounds in the prompt: what a small model on a CPU reads in seconds
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
) -> Wording:
    """Let the model add to what was said.

    Args:
        grounds: what people wrote for this reply; the model sees its beginning, and is checked against all of it.
        said: what the reply already says.
        patience: seconds after which the model is given up.

    A model that fails or is too slow adds nothing; that is logged without the shopper's words.
    """
    try:
        async with asyncio.timeout(patience):
            raw = await _collect(model, decoding, _briefed(conversation, grounds))
    except TimeoutError:
        _LOG.warning("the model %s did not answer within %g s; the vetted part stands alone", model.name, patience)
        return Wording(refused=("timeout",))
    except Exception as error:
        _LOG.warning("the model %s failed (%s); the vetted part stands alone", model.name, type(error).__name__)
        return Wording(refused=("error",))
    question = conversation.messages[-1].content
    if reason := degenerate(raw.sentences[0], question):
        return replace(raw, sentences=(), refused=(reason,))
    kept, refused = _kept(raw.sentences[0], grounds, said, rules)
    return replace(raw, sentences=tuple(kept), refused=tuple(refused))


async def _collect(model: ChatModel, decoding: Decoding, conversation: Conversation) -> Wording:
    """The whole answer as one text, with its token counts."""
    pieces: list[str] = []
    prompt_tokens = completion_tokens = 0
    stream = model.stream(conversation, decoding)
    try:
        async for delta in stream:
            pieces.append(delta.text)
            prompt_tokens += delta.prompt_tokens
            completion_tokens += delta.completion_tokens
    finally:
        if hasattr(stream, "aclose"):
            await stream.aclose()
    return Wording(("".join(pieces),), (), prompt_tokens, completion_tokens)


def _briefed(conversation: Conversation, grounds: str) -> Conversation:
    brief = Message("system", _BRIEF.format(grounds=grounds[:_GROUNDS_SHOWN]))
    return Conversation.of([brief, *(m for m in conversation.messages if m.role != "system")])


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
