"""Conversation → token ids and loss mask: the only chat-template code, for training, evaluation and serving alike.

Works from the folder of a tokenizer (`tokenizer.json`, `tokenizer_config.json`) with `tokenizers` and `jinja2` alone.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple, NoReturn

import jinja2
from jinja2.ext import LoopControlExtension
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from medasst.conversation import Conversation, Message
from medasst.errors import ModelError

TemplateKind = Literal["auto", "chat", "plain"]


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
            ModelError: the folder has no tokenizer, or a chat template is asked of one that has none.
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
        return cls(tokenizer, None if template == "plain" else chat, bos if adds_bos else "", eos, special)

    @property
    def kind(self) -> Literal["chat", "plain"]:
        """Which template is in use."""
        return "plain" if self.template is None else "chat"

    @cached_property
    def stop_ids(self) -> frozenset[int]:
        """Ids that end an answer: end of sequence, and the end of turn of the chat formats that have one."""
        names = (self.eos, "<|im_end|>", "<|eot_id|>", "<end_of_turn>") if self.template else (self.eos,)
        ids = {self.tokenizer.token_to_id(name) for name in names if name == self.eos or name in (self.template or "")}
        return frozenset(i for i in ids if i is not None)

    @cached_property
    def sha256(self) -> str:
        """Of tokenizer, template and special tokens: two renderers with the same value render alike."""
        parts = [self.tokenizer.to_str(), self.template, self.bos, self.eos]
        return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()

    def encode(self, text: str) -> list[int]:
        """Ids of `text` alone; special tokens in it are read as such, none is added."""
        return list(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`, special tokens left out."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))

    def text(self, text: str) -> list[int]:
        """Ids of raw text, BOS first where the tokenizer's configuration adds it."""
        return self.encode(self._with_bos(text))

    def prompt(self, conversation: Conversation) -> list[int]:
        """Ids up to where the assistant's next answer begins."""
        return self.encode(self.prompt_text(conversation.messages))

    def choice(self, prefix: Conversation | str, option: str) -> Choice:
        """`prefix` and `option` tokenised together; a token that spans the border counts as the option's."""
        head = self._with_bos(prefix) if isinstance(prefix, str) else self.prompt_text(prefix.messages)
        encoding = self.tokenizer.encode(head + option, add_special_tokens=False)
        start = next((i for i, (_, end) in enumerate(encoding.offsets) if end > len(head)), len(encoding.ids))
        return Choice(list(encoding.ids), start)

    def train(self, conversation: Conversation, cutoff: int) -> Rendered | None:
        """Ids and loss mask; every assistant turn and its end of turn are learnt, but for those that the record marks.

        Whole oldest turns go until at most `cutoff` tokens are left; None if even the last exchange doesn't fit.
        """
        messages = conversation.messages
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

    def prompt_text(self, messages: Sequence[Message]) -> str:
        """The text of `prompt`."""
        if self.template is None:
            return self._with_bos(_plain(messages, self.eos) + "助手：")
        return self._with_bos(self._chat(messages, generation=True))

    def _render(self, messages: tuple[Message, ...], unlearnt: set[int]) -> Rendered:
        """Encode the whole text once and learn the characters between each prompt's end and its end of turn."""
        text = self._with_bos(_plain(messages, self.eos) if self.template is None else self._chat(messages, generation=False))
        learnt = [i for i, m in enumerate(messages) if m.role == "assistant" and id(m) not in unlearnt]
        spans = [self._answer_span(text, messages, i) for i in learnt]
        encoding = self.tokenizer.encode(text, add_special_tokens=False)
        mask = [any(start <= a and b <= end for start, end in spans) and a < b for a, b in encoding.offsets]
        return Rendered(list(encoding.ids), mask)

    def _answer_span(self, text: str, messages: tuple[Message, ...], turn: int) -> tuple[int, int]:
        prompt = self.prompt_text(messages[:turn])
        content_end = len(prompt) + len(messages[turn].content)
        if not text.startswith(prompt) or text[len(prompt) : content_end] != messages[turn].content:
            # Some templates strip or rewrite what they are given; then the answer can't be placed.
            raise ModelError("the chat template rewrites earlier turns or answers, so answers can't be told from prompts")
        ends = [text.find(s, content_end) + len(s) for s in self._stop_texts if text.startswith(s, content_end)]
        return len(prompt), max(ends, default=content_end)

    @cached_property
    def _stop_texts(self) -> list[str]:
        return [t for t in (self.tokenizer.id_to_token(i) for i in self.stop_ids) if t]

    def _with_bos(self, text: str) -> str:
        return text if text.startswith(self.bos) else self.bos + text

    def _chat(self, messages: Sequence[Message], *, generation: bool) -> str:
        rows = [{"role": m.role, "content": m.content} for m in messages]
        try:
            return str(self._compiled.render(messages=rows, add_generation_prompt=generation, **self.special))
        except jinja2.TemplateError as error:
            raise ModelError(f"the chat template refuses this conversation: {error}") from error

    @cached_property
    def _compiled(self) -> jinja2.Template:
        # The environment that transformers gives chat templates.
        env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[LoopControlExtension])
        env.filters["tojson"] = lambda x, **kw: json.dumps(x, ensure_ascii=False, **kw)
        env.globals["raise_exception"] = _raise
        env.globals["strftime_now"] = lambda fmt: datetime.now().strftime(fmt)
        return env.from_string(self.template or "")


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
