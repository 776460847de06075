"""Whether an export says what training's own model says: prompts, log-probabilities, greedy answers."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple, Protocol

from medasst.conversation import Conversation, Message
from medasst.disk import package_file
from medasst.errors import MedasstError
from medasst.models.base import Step
from medasst.render import Renderer

_QUESTIONS = 3
_DIALOGUES = 1
_LENGTH = 40  # characters of each message
_SYSTEM = "Answer as a pharmacist would, in a few words."
_TOKENS = 12  # of each greedy answer
_COMPARED = 20  # of the likeliest tokens at each of them
_LISTED = 1000  # so that they are among those that the export tells


class Tracing(Protocol):
    """An engine that shows a greedy answer token by token."""

    def trace(self, prompt: Sequence[int], most: int, listed: int) -> list[Step]: ...


class Probe(NamedTuple):
    """A conversation that both are asked; `opening`: nothing was answered yet."""

    conversation: Conversation
    opening: bool


@dataclass(frozen=True)
class Parity:
    """How near an export came.

    Attributes:
        prompts: conversations whose prompt ids the engine makes from messages exactly as the renderer does.
        retold: dialogues whose earlier answers the engine cuts into other tokens than the model wrote them in; same text.
        tokens: of greedy answers that were compared.
        ties: answers that parted where the two likeliest tokens were nearer to one another than the tolerance.
        difference: the largest between the log-probabilities of a token, in nats, among the 20 likeliest at each place.
        tolerance: what it had to stay within.
    """

    prompts: int
    retold: int
    tokens: int
    ties: int
    difference: float
    tolerance: float

    def __str__(self) -> str:
        retold = f", {self.retold} dialogues with earlier answers in other tokens" if self.retold else ""
        ties = f" ({self.ties} parted at a tie)" if self.ties else ""
        return (
            f"{self.prompts} prompts equal{retold}; {self.tokens} tokens of greedy answers equal{ties}; "
            f"log-probabilities within {self.difference:.2g} (at most {self.tolerance:g})"
        )


def probes() -> list[Probe]:
    """The beginnings of our own samples: questions, with a system text too, and dialogues with an answer in between."""
    with package_file("samples/qa.jsonl").open(encoding="utf-8") as file:
        talks = [[Message(m["role"], m["content"][:_LENGTH]) for m in json.loads(line)["messages"]] for line in file]
    asked = [talk[:1] for talk in islice(talks, _QUESTIONS)]
    asked += [[Message("system", _SYSTEM), *asked[0]]]
    dialogues = [talk[:-1] for talk in islice((talk for talk in talks if len(talk) > 2), _DIALOGUES)]
    dialogues += [[Message("system", _SYSTEM), *dialogues[0]]]
    return [Probe(Conversation.of(talk), True) for talk in asked] + [Probe(Conversation.of(t), False) for t in dialogues]


def traces(engine: Tracing, renderer: Renderer, listed: int = _LISTED) -> list[list[Step]]:
    """An engine's greedy answers to the probes."""
    return [engine.trace(renderer.prompt(probe.conversation), _TOKENS, listed) for probe in probes()]


def compare(
    reference: Sequence[Sequence[Step]],
    found: Sequence[Sequence[Step]],
    prompt_ids: Callable[[Conversation], list[int]],
    *,
    renderer: Renderer,
    template: Renderer,
    tolerance: float,
) -> Parity:
    """Hold an export against training's model.

    Args:
        reference, found: answers to the probes: training's model's, the export's.
        prompt_ids: what the export's engine makes of messages by itself.
        renderer: of training.
        template: of the exported chat template.
        tolerance: of log-probabilities, in nats.

    Raises:
        MedasstError: outside the tolerance, or another prompt or answer; it says where.
    """
    prompts = retold = tokens = ties = 0
    difference = 0.0
    for number, (probe, right, mine) in enumerate(zip(probes(), reference, found, strict=True), 1):
        wanted, told = renderer.prompt(probe.conversation), prompt_ids(probe.conversation)
        if template.prompt(probe.conversation) != wanted or (probe.opening and told != wanted):
            raise MedasstError(
                f"probe {number}: from the same messages the engine makes another prompt ({_parted(wanted, told, renderer)}); "
                "its tokenizer or its chat templates aren't ours"
            )
        prompts, retold = prompts + (told == wanted), retold + (told != wanted)
        same, apart, tie = _answer(number, right, mine, renderer, tolerance)
        tokens, difference, ties = tokens + same, max(difference, apart), ties + tie
    if not any(step.logprobs for steps in found for step in steps):
        raise MedasstError("the engine told no log-probabilities")
    if not difference <= tolerance:
        raise MedasstError(f"log-probabilities differ by up to {difference:.3g} nats; at most {tolerance:g} is allowed")
    return Parity(prompts, retold, tokens, ties, difference, tolerance)


class _Compared(NamedTuple):
    """Tokens that are equal, the largest difference of log-probabilities, whether the answers part at a tie."""

    tokens: int
    difference: float
    tie: bool


def _answer(number: int, right: Sequence[Step], mine: Sequence[Step], renderer: Renderer, tolerance: float) -> _Compared:
    difference = 0.0
    for place, (one, other) in enumerate(zip(right, mine, strict=False)):
        likeliest = sorted(one.logprobs, key=lambda i: -one.logprobs[i])[:_COMPARED]
        likeliest = likeliest if other.logprobs else []  # an engine may tell none of a piece of a character
        difference = max([difference, *(abs(one.logprobs[i] - other.logprobs.get(i, -math.inf)) for i in likeliest)])
        if one.token != other.token:
            gap = one.logprobs[one.token] - one.logprobs.get(other.token, -math.inf)
            if gap > 2 * tolerance:
                raise MedasstError(
                    f"probe {number}: the greedy answers part at token {place + 1} ({renderer.decode([one.token])!r}, the "
                    f"export {renderer.decode([other.token])!r}), {gap:.3g} nats apart"
                )
            return _Compared(place, difference, True)
    longer = max(right, mine, key=len)[min(len(right), len(mine)) :]
    if any(step.token not in renderer.stop_ids for step in longer):  # an engine may leave out the token that ends an answer
        raise MedasstError(f"probe {number}: one greedy answer has {len(right)} tokens, the export's {len(mine)}")
    return _Compared(min(len(right), len(mine)), difference, False)


def _parted(wanted: Sequence[int], told: Sequence[int], renderer: Renderer) -> str:
    """Where two prompts part, in tokens."""
    pairs = enumerate(zip(wanted, told, strict=False))
    place = next((i for i, (a, b) in pairs if a != b), min(len(wanted), len(told)))
    shown = [[renderer.tokenizer.id_to_token(i) for i in ids[place : place + 3]] for ids in (wanted, told)]
    return f"from token {place + 1} on {shown[0]} became {shown[1]}"
