"""Conversation → token ids and loss mask: the only chat-template code, for training, evaluation and serving alike.

Works from the folder of a tokenizer (`tokenizer.json`, `tokenizer_config.json`) with `tokenizers` and `jinja2` alone. Ids are
those of the tokenizer's own `apply_chat_template`, but that control tokens in what people wrote stay plain text (`control.py`).
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple, NoReturn

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension, LoopControlExtension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from medasst.control import ControlTokens
from medasst.conversation import Conversation, Message
from medasst.errors import ModelError

TemplateKind = Literal["auto", "chat", "plain"]
# A model may write either an end of turn or an end of text, whichever its tokenizer calls the end.
_ENDS = ("<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|endoftext|>", "<|end_of_text|>")


class Rendered(NamedTuple):
    """A conversation as the trainer sees it: `mask[i]` says that the model learns to predict `ids[i]`."""

    ids: list[int]
    mask: list[bool]


class Choice(NamedTuple):
    """A prefix with one option after it; the option's tokens are `ids[start:]`."""

    ids: list[int]
    start: int


@dataclass(frozen=True)
class Renderer:
    """Renders for one tokenizer.

    Args:
        tokenizer: adds nothing by itself; special tokens come from here.
        template: the Jinja chat template, or None for the plain one: `用户：{question}\\n助手：{answer}{eos}\\n`.
        bos: what the tokenizer's configuration puts first, or "" where it puts nothing.
        eos: the end-of-sequence token's text.
        special: the other special tokens' texts by name, for the chat template.
    """

    tokenizer: Tokenizer
    template: str | None
    bos: str
    eos: str
    special: dict[str, str]

    @classmethod
    def from_folder(cls, folder: Path, template: TemplateKind = "auto") -> Renderer:
        """Read a tokenizer. "auto" takes its chat template where it has one, the plain template elsewhere.

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
        chat = _chat_template(folder, config)
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
        if template == "plain":
            chat = None
        elif chat is not None:
            _check_template(chat, folder)
        return cls(tokenizer, chat, bos if adds_bos else "", eos, special)

    @property
    def kind(self) -> Literal["chat", "plain"]:
        """Which template is in use."""
        return "plain" if self.template is None else "chat"

    @cached_property
    def stop_ids(self) -> frozenset[int]:
        """Ids that end an answer: end of sequence, and whatever else the vocabulary has that ends a turn or a text."""
        ids = (self.tokenizer.token_to_id(text) for text in (self.eos, *_ENDS))
        return frozenset(i for i in ids if i is not None)

    @cached_property
    def ids_needed(self) -> int:
        """Rows that an embedding needs for its texts. A control token that no template writes needs none."""
        written = (self.template or "", self.bos, self.eos)
        unwritten = {i for text, i in self.control.ids.items() if not any(text in part for part in written)}
        return 1 + max(i for i in self.tokenizer.get_vocab().values() if i not in unwritten)

    @cached_property
    def sha256(self) -> str:
        """Of tokenizer, template and special tokens: two renderers with the same value render alike."""
        parts = [self.tokenizer.to_str(), self.template, self.bos, self.eos]
        return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()

    @cached_property
    def control(self) -> ControlTokens:
        """The tokenizer's control tokens."""
        return ControlTokens(self.tokenizer)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`, special tokens left out."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))

    def prompt(self, conversation: Conversation) -> list[int]:
        """Ids up to where the assistant's next answer begins."""
        return self.control.encode(self._prompt(self._hidden(conversation))).ids

    def choice(self, prefix: Conversation | str, option: str) -> Choice:
        """`prefix` and `option` tokenised together; a token that spans the border counts as the option's."""
        if isinstance(prefix, str):  # hidden together: a control text may span the border
            text = self._with_bos(self.control.hide(prefix + option))
        else:
            text = self._prompt(self._hidden(prefix)) + self.control.hide(option)
        start = len(text) - len(option)
        ids, offsets = self.control.encode(text)
        return Choice(ids, next((i for i, (_, end) in enumerate(offsets) if end > start), len(ids)))

    def train(self, conversation: Conversation, cutoff: int) -> Rendered | None:
        """Ids and loss mask; every assistant turn and its end of turn are learnt, but for those that the record marks.

        Whole oldest turns go until at most `cutoff` tokens are left; None if even the last exchange doesn't fit.
        """
        messages = self._hidden(conversation)
        unlearnt = {id(messages[place]) for place in conversation.unlearnt}  # by identity: equal words may be learnt elsewhere
        head = messages[:1] if messages and messages[0].role == "system" else ()
        turns = messages[len(head) :]
        while turns and turns[-1].role != "assistant":
            turns = turns[:-1]
        while turns:
            rendered = self._render((*head, *turns), unlearnt)
            if len(rendered.ids) <= cutoff:
                return rendered
            later = [i for i, m in enumerate(turns) if m.role == "user" and i > 0]
            turns = turns[later[0] :] if later else ()
        return None

    def _hidden(self, conversation: Conversation) -> tuple[Message, ...]:
        return tuple(replace(m, content=self.control.hide(m.content)) for m in conversation.messages)

    def _prompt(self, messages: Sequence[Message]) -> str:
        """The text of `prompt`."""
        if self.template is None:
            return self._with_bos(_plain(messages, self.eos) + "助手：")
        return self._with_bos(self._chat(messages, generation=True))

    def _render(self, messages: tuple[Message, ...], unlearnt: set[int]) -> Rendered:
        """Encode the whole text once and learn the characters between each prompt's end and its end of turn."""
        text = self._with_bos(_plain(messages, self.eos) if self.template is None else self._chat(messages, generation=False))
        learnt = [i for i, m in enumerate(messages) if m.role == "assistant" and id(m) not in unlearnt]
        spans = [self._answer_span(text, messages, i) for i in learnt]
        ids, offsets = self.control.encode(text)
        mask = [any(start <= a and b <= end for start, end in spans) and a < b for a, b in offsets]
        return Rendered(ids, mask)

    def _answer_span(self, text: str, messages: tuple[Message, ...], turn: int) -> tuple[int, int]:
        prompt = self._prompt(messages[:turn])
        content_end = len(prompt) + len(messages[turn].content)
        if not text.startswith(prompt) or text[len(prompt) : content_end] != messages[turn].content:
            # Some templates strip or rewrite what they are given; then the answer can't be placed.
            raise ModelError(
                "the chat template rewrites earlier turns or answers, so that answers can't be told from prompts; "
                'template = "plain" does without it'
            )
        ends = [text.find(s, content_end) + len(s) for s in self._stop_texts if text.startswith(s, content_end)]
        return len(prompt), max(ends, default=content_end)

    @cached_property
    def _stop_texts(self) -> list[str]:
        return [t for t in (self.tokenizer.id_to_token(i) for i in self.stop_ids) if t]

    def _with_bos(self, text: str) -> str:
        return text if text.startswith(self.bos) else self.bos + text

    def _chat(self, messages: Sequence[Message], *, generation: bool) -> str:
        rows = [{"role": m.role, "content": m.content} for m in messages]
        given = {"messages": rows, "tools": None, "documents": None, "add_generation_prompt": generation}
        try:
            return str(self._compiled.render(**given, **self.special))
        except Exception as error:  # a template is a program of its makers; it may fail in any way
            reason = str(error) if isinstance(error, jinja2.TemplateError) else f"{type(error).__name__}: {error}"
            raise ModelError(f'the chat template refuses it ({reason}); template = "plain" does without it') from error

    @cached_property
    def _compiled(self) -> jinja2.Template:
        return _environment().from_string(self.template or "")


class _Generation(Extension):
    """`{% generation %}…{% endgeneration %}`, which marks answers for transformers' own masks: only its body matters here."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _environment() -> jinja2.Environment:
    """The one that transformers gives chat templates."""
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[LoopControlExtension, _Generation])
    env.filters["tojson"] = lambda x, **kw: json.dumps(x, ensure_ascii=False, **kw)
    env.globals["raise_exception"] = _raise
    env.globals["strftime_now"] = lambda fmt: datetime.now().strftime(fmt)
    return env


def _check_template(template: str, folder: Path) -> None:
    try:
        _environment().from_string(template)
    except jinja2.TemplateSyntaxError as error:
        raise ModelError(
            f"{folder}: its chat template can't be read, line {error.lineno}: {error.message}; mend it or use "
            'template = "plain"'
        ) from error


def _raise(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)


def _plain(messages: Sequence[Message], eos: str) -> str:
    part = {"system": "{}\n", "user": "用户：{}\n", "assistant": "助手：{}" + eos + "\n"}
    return "".join(part[m.role].format(m.content) for m in messages)


def _chat_template(folder: Path, config: dict[str, Any]) -> str | None:
    file = folder / "chat_template.jinja"
    template = file.read_text("utf-8") if file.is_file() else config.get("chat_template")
    if isinstance(template, list):  # several named templates; "default" is the conversational one
        template = next((t["template"] for t in template if t["name"] == "default"), None)
        if template is None:
            warnings.warn(f"{folder}: several chat templates, none named default; the plain template is used", stacklevel=3)
    return template
