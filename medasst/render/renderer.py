"""One tokenizer's renderer: conversation → the ids that a model is asked with, and those that it learns.

Works from the folder of a tokenizer (`tokenizer.json`, `tokenizer_config.json`) with `tokenizers` and `jinja2` alone. Ids are
those of the tokenizer's own `apply_chat_template`, but that control tokens in what people wrote stay plain text (`control.py`)
and that what a model reads and what it writes are encoded apart, as they are when it writes. So what is learnt is always
prompt as served + answer + end of turn: training asks the very function that serving asks for the prompt.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

from tokenizers import Tokenizer

from medasst.control import ControlTokens
from medasst.conversation import Conversation, Message
from medasst.errors import ModelError, Refused
from medasst.render.fitting import Fitted, fit, without_system_turn
from medasst.render.template import AnswerForm, ChatTemplate, check_template, plain_prompt, read_template

TemplateKind = Literal["auto", "chat", "plain"]
# Ends of a text, as vocabularies name them. Whatever ends a turn, after one of these no answer goes on.
_ENDS_OF_TEXT = ("<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>")
_VERSION = 2  # of how this renders; part of `Renderer.sha256`


class Rendered(NamedTuple):
    """A conversation as the trainer sees it: `mask[i]` says that the model learns to predict `ids[i]`."""

    ids: list[int]
    mask: list[bool]


class Choice(NamedTuple):
    """A prefix with one option after it; the option's tokens are `ids[start:]`."""

    ids: list[int]
    start: int


class _Lesson(NamedTuple):
    """What a conversation teaches: fitted messages, places of the answers that are learnt, and the runs that hold them."""

    messages: Sequence[Message]
    learnt: Collection[int]
    runs: Sequence[Sequence[_Piece]]


class _Piece(NamedTuple):
    """Text that is encoded by itself. `place`: of the answer that it is, among the messages; None for what a model reads."""

    text: str
    place: int | None = None


@dataclass(frozen=True)
class Renderer:
    """Renders for one tokenizer.

    Args:
        tokenizer: adds nothing by itself; special tokens come from here.
        template: the Jinja chat template, or None for the plain one: `用户：{question}\\n助手：{answer}{eos}\\n`.
        bos: what the tokenizer's configuration puts first, or "" where it puts nothing.
        eos: the end-of-sequence token's text.
        special: the other special tokens' texts by name, for the chat template.
        ends: ids that the model's own configuration calls an end.
    """

    tokenizer: Tokenizer
    template: str | None
    bos: str
    eos: str
    special: dict[str, str]
    ends: frozenset[int] = frozenset()

    @classmethod
    def from_folder(cls, folder: Path, template: TemplateKind = "auto") -> Renderer:
        """Read a tokenizer. "auto" takes its chat template where it has one, the plain template elsewhere.

        Warns where "auto" finds a chat template whose end of turn the model doesn't know as one: mostly that of a base model.

        Raises:
            ModelError: the folder has no tokenizer, its chat template isn't Jinja, or one is asked of a base that has none.
        """
        try:
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            config = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
        except Exception as error:  # tokenizers raises bare Exception
            raise ModelError(f"{folder}: no readable tokenizer.json and tokenizer_config.json there ({error})") from error
        named = {k: v["content"] if isinstance(v, dict) else v for k, v in config.items() if k.endswith("_token")}
        special = {k: v for k, v in named.items() if isinstance(v, str)}
        chat = None if template == "plain" else read_template(folder, config)
        if template == "chat" and chat is None:
            raise ModelError(
                f"{folder}: a base model without a chat template, its chat tokens were never trained; use template = 'plain'"
            )
        bos = special.get("bos_token", "")
        adds_bos = config.get("add_bos_token", False) or (bos and tokenizer.encode("").tokens[:1] == [bos])
        eos = special.get("eos_token", "")
        if not eos or tokenizer.token_to_id(eos) is None:
            raise ModelError(f"{folder}: the tokenizer names no end-of-sequence token; add eos_token to tokenizer_config.json")
        tokenizer.no_padding()
        tokenizer.no_truncation()
        if chat is not None:
            check_template(chat, folder)
        ends = frozenset(i for i in _configured_ends(folder) if tokenizer.id_to_token(i) is not None)
        renderer = cls(tokenizer, chat, bos if adds_bos else "", eos, special, ends)
        if template == "auto" and not renderer._knows_its_end():
            warnings.warn(
                f"{folder}: its chat template ends an answer with {renderer.turn_end!r}, which neither its tokenizer nor "
                "its generation_config.json calls an end: a base model, whose chat tokens may never have been trained? "
                'It is used; template = "plain" does without, template = "chat" says that it is meant',
                stacklevel=2,
            )
        return renderer

    @property
    def kind(self) -> Literal["chat", "plain"]:
        """Which template is in use."""
        return "plain" if self.template is None else "chat"

    @cached_property
    def form(self) -> AnswerForm | None:
        """What stands around an answer; None where the chat template's answers don't follow its prompts."""
        if self._chat is None:
            return AnswerForm(end=self.eos)
        return self._chat.answer_form(self._end_in)

    @cached_property
    def stop_ids(self) -> frozenset[int]:
        """Ids that end an answer: what the template ends one with, and what tokenizer and model configuration call an end."""
        texts = (self.turn_end, self.eos, *(text for text in _ENDS_OF_TEXT if text in self.control.ids))
        return self.ends | {i for i in map(self.tokenizer.token_to_id, texts) if i is not None}

    @cached_property
    def ids_needed(self) -> int:
        """Rows that an embedding needs for its texts. A control token that no template writes needs none."""
        written = (self.template or "", self.bos, self.eos)
        unwritten = {i for text, i in self.control.ids.items() if not any(text in part for part in written)}
        return 1 + max(i for i in self.tokenizer.get_vocab().values() if i not in unwritten)

    @cached_property
    def sha256(self) -> str:
        """Of tokenizer, template and special tokens: two renderers with the same value render alike."""
        parts = [_VERSION, self.tokenizer.to_str(), self.template, self.bos, self.eos, self.special]
        return hashlib.sha256(json.dumps(parts, ensure_ascii=False, sort_keys=True).encode()).hexdigest()

    @cached_property
    def control(self) -> ControlTokens:
        """The tokenizer's control tokens."""
        return ControlTokens(self.tokenizer)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of an answer's `ids`: without special tokens, and without the blanks that the template wants before it."""
        text = str(self.tokenizer.decode(list(ids), skip_special_tokens=True))
        return text.removeprefix(self.form.lead) if self.form else text

    def prompt(self, conversation: Conversation) -> list[int]:
        """Ids up to where the assistant's next answer begins.

        Raises:
            Refused: the chat template can't take this conversation.
        """
        messages = self._fitted(conversation).messages
        *_, run = [[], *self._runs(messages)]
        pieces = self._ids(self._extended(run, self._prompt(messages)))
        return [i for piece in pieces for i in piece]

    def template_text(self, messages: Sequence[Message]) -> str:
        """What the chat template itself makes of messages before an answer, nothing added; "" for the plain one.

        Raises:
            Refused: it can't take them.
        """
        return "" if self._chat is None else self._chat.render(messages, generation=True)

    def choice(self, prefix: Conversation | str, option: str) -> Choice:
        """`option` after `prefix`: as the answer to a conversation, or as the rest of a text.

        A text is tokenised together with its rest; a token that spans the border counts as the option's.
        """
        if not isinstance(prefix, str):
            ids = self.prompt(prefix)
            lead = self.form.lead if self.form else ""
            return Choice(ids + self.control.encode(lead + self.control.hide(option), continued=True).ids, len(ids))
        text = self._with_bos(self.control.hide(prefix + option))  # hidden together: a control text may span the border
        start = len(text) - len(option)
        ids, offsets = self.control.encode(text)
        return Choice(ids, next((i for i, (_, end) in enumerate(offsets) if end > start), len(ids)))

    def train(self, conversation: Conversation, cutoff: int) -> list[Rendered]:
        """Ids and loss mask; every assistant turn and its end of turn are learnt, but for those that the record marks.

        Mostly one sequence. Several where the template writes an earlier answer otherwise than when it was asked for (it drops
        thoughts, or moves the system text): each answer then stands after the prompt that it is served with.
        Whole oldest turns go until at most `cutoff` tokens are left; a sequence whose last exchange doesn't fit goes.

        Raises:
            Refused: the chat template can't take this conversation, nothing in it is to be learnt, or nothing fits.
            ModelError: the template's answers don't follow its prompts, so that no conversation can be learnt.
        """
        (found,) = self.train_batch([conversation], cutoff)
        if isinstance(found, Refused):
            raise found
        return found

    def train_batch(self, conversations: Sequence[Conversation], cutoff: int) -> list[list[Rendered] | Refused]:
        """`train` of many, which are encoded several at a time; a refusal takes the place of its conversation.

        Raises:
            ModelError: the template's answers don't follow its prompts, so that no conversation can be learnt.
        """
        lessons = [self._lesson(conversation) for conversation in conversations]
        runs = [run for lesson in lessons if isinstance(lesson, _Lesson) for run in lesson.runs]
        prompts = iter(self.control.encode_all([run[0].text for run in runs]))
        later = iter(self.control.encode_all([piece.text for run in runs for piece in run[1:]], continued=True))
        return [
            lesson
            if isinstance(lesson, Refused)
            else self._learnt(lesson, [[next(prompts), *islice(later, len(run) - 1)] for run in lesson.runs], cutoff)
            for lesson in lessons
        ]

    def _lesson(self, conversation: Conversation) -> _Lesson | Refused:
        try:
            return self._planned(conversation)
        except Refused as refusal:
            return refusal

    def _planned(self, conversation: Conversation) -> _Lesson:
        messages, unlearnt = self._fitted(conversation)
        answers = {i for i, m in enumerate(messages) if m.role == "assistant" and m.content.strip()}
        if not (learnt := answers - unlearnt):
            raise Refused("no answer that is to be learnt" if answers else "no answer")
        if self.form is None:
            self._prompt(messages[:1])  # a template that refuses everything says why
            raise ModelError(
                "the chat template's answers don't follow the prompt that it gives a model, so what would be learnt isn't what "
                'is asked for; template = "plain" does without it'
            )
        return _Lesson(messages, learnt, list(self._runs(messages)))

    def _learnt(self, lesson: _Lesson, ids: Sequence[Sequence[list[int]]], cutoff: int) -> list[Rendered] | Refused:
        """The sequences of a lesson; `ids` are those of each piece of its runs."""
        found = [self._within(cutoff, lesson, run, of_run) for run, of_run in zip(lesson.runs, ids, strict=True)]
        rendered = [sequence for sequence in found if any(sequence.mask)]
        return rendered or Refused(f"the last exchange is longer than cutoff = {cutoff} tokens")

    def _fitted(self, conversation: Conversation) -> Fitted:
        hidden = [replace(m, content=self.control.hide(m.content)) for m in conversation.messages]
        return fit(hidden, conversation.unlearnt)

    def _prompt(self, messages: Sequence[Message]) -> str:
        """The text after which the next answer comes. Raises Refused."""
        if self._chat is None:
            return self._with_bos(plain_prompt(messages, self.eos))
        if self.form is None:
            return self._with_bos(self._chat.render(messages, generation=True))
        taken = messages if self.form.takes_system else without_system_turn(messages)
        return self._with_bos(self._chat.render(taken, generation=True) + self.form.opening)

    def _runs(self, messages: Sequence[Message]) -> Iterator[list[_Piece]]:
        """Prompts and answers by turns. A run ends where the next prompt doesn't go on from what was read and written."""
        if self.form is None:
            return
        run: list[_Piece] = []
        for place, message in enumerate(messages):
            if message.role == "assistant":
                longer = self._extended(run, self._prompt(messages[:place]))
                if run and len(longer) == 1:
                    yield run
                run = [*longer, _Piece(self.form.written(message.content), place)]
        if run:
            yield run

    def _extended(self, run: list[_Piece], prompt: str) -> list[_Piece]:
        """A run that goes on to a prompt, or the prompt alone where that begins otherwise."""
        before = "".join(piece.text for piece in run)
        return [*run, _Piece(prompt.removeprefix(before))] if run and prompt.startswith(before) else [_Piece(prompt)]

    def _within(self, cutoff: int, lesson: _Lesson, run: Sequence[_Piece], ids: Sequence[list[int]]) -> Rendered:
        """A run's ids and mask, without the oldest turns that make it longer than `cutoff`; nothing is learnt if none fits."""
        messages = lesson.messages
        places = {piece.place for piece in run if piece.place in lesson.learnt}
        head = int(messages[0].role == "system")
        last = max(piece.place for piece in run if piece.place is not None)
        rendered = _joined(run, ids, places)
        for first in (i for i in range(head + 1, last) if messages[i].role == "user"):
            if len(rendered.ids) <= cutoff:
                break
            *_, run = self._runs([*messages[:head], *messages[first : last + 1]])
            left = {place - first + head for place in places if place is not None and place > first}
            rendered = _joined(run, self._ids(run), left)
        return rendered if len(rendered.ids) <= cutoff else Rendered([], [])

    def _ids(self, run: Sequence[_Piece]) -> list[list[int]]:
        return [self.control.encode(piece.text, continued=number > 0).ids for number, piece in enumerate(run)]

    def _with_bos(self, text: str) -> str:
        return text if text.startswith(self.bos) else self.bos + text

    @cached_property
    def _chat(self) -> ChatTemplate | None:
        return None if self.template is None else ChatTemplate(self.template, self.special)

    def _end_in(self, after: str) -> str:
        """Of the text after an answer, up to the first control token. A template that writes none gets the end of sequence."""
        found = self.control.first(after)
        return after[: after.index(found) + len(found)] if found else self.eos

    @cached_property
    def turn_end(self) -> str:
        """The token that ends a turn, as the template writes it."""
        return (self.control.first(self.form.end) if self.form else "") or self.eos

    def _knows_its_end(self) -> bool:
        return self.turn_end == self.eos or self.tokenizer.token_to_id(self.turn_end) in self.ends


def _joined(run: Sequence[_Piece], ids: Sequence[list[int]], learnt: Collection[int | None]) -> Rendered:
    """A run as one sequence; `ids` are those of its pieces, `learnt` the places of the answers to be learnt."""
    rendered = Rendered([], [])
    for piece, found in zip(run, ids, strict=True):
        rendered.ids.extend(found)
        rendered.mask.extend([piece.place is not None and piece.place in learnt] * len(found))
    return rendered


def _configured_ends(folder: Path) -> Iterator[int]:
    """Ids of ends in a model's `generation_config.json` and `config.json`."""
    for name in ("generation_config.json", "config.json"):
        try:
            config: Any = json.loads((folder / name).read_text("utf-8"))
        except (OSError, ValueError):  # a tokenizer's folder needs neither
            continue
        found = config.get("eos_token_id")
        yield from [found] if isinstance(found, int) else found or []
