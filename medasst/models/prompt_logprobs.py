"""How likely options are, by a vLLM server: it makes tokens of them and tells each prompt token's log-probability."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import openai

from medasst.conversation import Conversation
from medasst.errors import UnsupportedError
from medasst.models.asking import Asking, Failed
from medasst.models.base import ChoiceQuery, ChoiceScore
from medasst.models.texts import harmless

_NO_SUCH_CALL = (404, 405, 501)
_NO_LIKELIHOOD = "nothing stands before an option, or an option is empty: it has no likelihood"


class Option(NamedTuple):
    """Ids of a prefix with an option after it, and where the option's begin."""

    ids: list[int]
    start: int


class Scorer:
    """Scores options through one server.

    Args:
        url: ends in /v1.
        model: its name there, which may be an adapter's.
    """

    def __init__(self, url: str, model: str) -> None:
        self._url, self._model = url.rstrip("/"), model

    def __call__(self, asking: Asking, query: ChoiceQuery) -> ChoiceScore:
        """All options of a query in one request. Raises UnsupportedError where the server can't do it."""
        try:
            options = self._options(asking, query)
            if not options or any(option.start < 1 or option.start >= len(option.ids) for option in options):
                return ChoiceScore(query.id, (), (), error=_NO_LIKELIHOOD)
            body = {"model": self._model, "prompt": [option.ids for option in options], "max_tokens": 1}
            body |= {"temperature": 0.0, "prompt_logprobs": 0}  # 0: of no tokens besides these
            sums = asking(lambda client: option_sums(_post(client, f"{self._url}/completions", body), options))
        except Failed as error:
            return ChoiceScore(query.id, (), (), error=str(error))
        if sums is None:
            raise UnsupportedError(f"the endpoint {self._url} gives no prompt_logprobs, as vLLM does")
        return ChoiceScore(query.id, tuple(sums), tuple(len(option.ids) - option.start for option in options))

    def _options(self, asking: Asking, query: ChoiceQuery) -> list[Option]:
        """A token that spans the border of a text and its option counts as the option's."""
        if isinstance(query.prefix, str):
            before = self._ids(asking, {"prompt": harmless(query.prefix)})
            whole = [self._ids(asking, {"prompt": harmless(query.prefix + option)}) for option in query.options]
        else:
            before = self._ids(asking, _chat(query.prefix))
            whole = [self._ids(asking, _chat(query.prefix, option)) for option in query.options]
        return [Option(ids, _shared(before, ids)) for ids in whole]

    def _ids(self, asking: Asking, text: dict[str, Any]) -> list[int]:
        # The call lies beside /v1, not in it.
        place, body = f"{self._url.removesuffix('/v1')}/tokenize", {"model": self._model, **text}
        try:
            return asking(lambda client: [int(token) for token in _post(client, place, body)["tokens"]])
        except Failed as error:
            if error.status in _NO_SUCH_CALL:
                raise UnsupportedError(
                    f"the endpoint {self._url} has no /tokenize, as vLLM does: it can't score options"
                ) from error
            raise


def option_sums(reply: dict[str, Any], options: Sequence[Option]) -> list[float] | None:
    """The sum of each option's log-probabilities; None where the server tells none. Raises KeyError, TypeError, ValueError or
    IndexError where the reply isn't one to these options."""
    columns = [choice.get("prompt_logprobs") for choice in sorted(reply["choices"], key=lambda choice: int(choice["index"]))]
    if None in columns:
        return None
    if [len(column) for column in columns] != [len(option.ids) for option in options]:
        raise ValueError("prompt_logprobs of another number of tokens")
    return [
        sum(float(column[place][str(option.ids[place])]["logprob"]) for place in range(option.start, len(option.ids)))
        for option, column in zip(options, columns, strict=True)
    ]


def _post(client: openai.OpenAI, place: str, body: dict[str, Any]) -> dict[str, Any]:
    reply = client.post(place, cast_to=object, body=body)
    if not isinstance(reply, dict):
        raise TypeError(f"{type(reply).__name__} instead of an object")
    return reply


def _chat(conversation: Conversation, answer: str | None = None) -> dict[str, Any]:
    """A conversation for the server's own template, up to where an answer begins, or ends."""
    messages = [{"role": m.role, "content": harmless(m.content)} for m in conversation.messages]
    if answer is None:
        return {"messages": messages, "add_generation_prompt": True}
    messages.append({"role": "assistant", "content": harmless(answer)})
    return {"messages": messages, "add_generation_prompt": False, "continue_final_message": True}


def _shared(one: Sequence[int], other: Sequence[int]) -> int:
    """How many ids both begin with."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
