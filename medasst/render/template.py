"""Templates: messages → text. How one writes an answer is found out by trying it, not read from its source."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension, LoopControlExtension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from medasst.conversation import Message, Role
from medasst.errors import ModelError, Refused

# What a template is tried with: characters for private use, so that they come up nowhere else and nothing rewrites them.
_SYSTEM, _QUESTION, _ANSWER = "\ue000\ue001", "\ue002\ue003", "\ue004\ue005"


class AnswerForm(NamedTuple):
    """What stands around an answer: the prompt, `opening`, then what the model writes: `lead`, the answer, `end`.

    Attributes:
        opening: words that a template writes before an answer but not in its own prompt, such as an empty block of thoughts.
            They are no answer: here they end the prompt.
        lead: blanks before an answer. They belong to its first token, so the model writes them.
        end: from the answer's last character to the token that ends the turn, that token included.
        trims_left, trims_right: whether blanks at the answer's borders are taken off.
        takes_system: whether there are system turns; otherwise they are refused or left out.
    """

    opening: str = ""
    lead: str = ""
    end: str = ""
    trims_left: bool = False
    trims_right: bool = False
    takes_system: bool = True

    def written(self, answer: str) -> str:
        """What the model writes to give this answer and end its turn."""
        answer = answer.lstrip() if self.trims_left else answer
        return self.lead + (answer.rstrip() if self.trims_right else answer) + self.end


PLAIN_OPENING = "助手："  # what an answer of the plain template comes after


def plain_turn(role: Role, eos: str) -> tuple[str, str]:
    """What the plain template writes before and after a message."""
    return {"system": ("", "\n"), "user": ("用户：", "\n"), "assistant": (PLAIN_OPENING, f"{eos}\n")}[role]


def plain_prompt(messages: Sequence[Message], eos: str) -> str:
    """The plain template, for base models: `用户：{question}\\n助手：{answer}{eos}\\n`, a system text first, then `\\n`."""
    return "".join(m.content.join(plain_turn(m.role, eos)) for m in messages) + PLAIN_OPENING


@dataclass(frozen=True)
class ChatTemplate:
    """A tokenizer's own.

    Args:
        source: Jinja.
        special: special tokens' texts by name, for it.
    """

    source: str
    special: Mapping[str, str]

    def render(self, messages: Sequence[Message], *, generation: bool) -> str:
        """The template's words for `messages`, with those that an answer comes after or without.

        Raises:
            Refused: the template can't be used on these messages.
        """
        rows = [{"role": m.role, "content": m.content} for m in messages]
        given = {"messages": rows, "tools": None, "documents": None, "add_generation_prompt": generation}
        try:
            return str(self._compiled.render(**given, **self.special))
        except Exception as error:  # a template is a program of its makers; it may fail in any way
            reason = str(error) if isinstance(error, jinja2.TemplateError) else f"{type(error).__name__}: {error}"
            raise Refused(
                f'the chat template refuses it ({reason}); template = "plain" does without it', by_template=True
            ) from error

    def answer_form(self, end_in: Callable[[str], str]) -> AnswerForm | None:
        """How it writes answers, tried on one question with one answer. None where answers don't follow its own prompt.

        Args:
            end_in: of the text after an answer, what belongs to its end.
        """
        ask = Message("user", _QUESTION)
        try:
            prompt = self.render([ask], generation=True).rpartition(_QUESTION)[2]
            before, after = self._around(ask, _ANSWER)
            blank_before, blank_after = self._around(ask, f" \n{_ANSWER}\n ")
        except Refused:
            return None
        if not before.startswith(prompt):
            return None
        between = before.removeprefix(prompt)
        return AnswerForm(
            opening=between if between.strip() else "",
            lead="" if between.strip() else between,
            end=end_in(after),
            trims_left=blank_before == before,
            trims_right=blank_after == after,
            takes_system=self._takes_system(ask),
        )

    def _around(self, ask: Message, answer: str) -> tuple[str, str]:
        """What stands between a question and its answer, and what after that."""
        text = self.render([ask, Message("assistant", answer)], generation=False)
        before, found, after = text.rpartition(_QUESTION)[2].partition(_ANSWER)
        if not found:
            raise Refused("the chat template leaves answers out", by_template=True)
        return before, after

    def _takes_system(self, ask: Message) -> bool:
        try:
            return _SYSTEM in self.render([Message("system", _SYSTEM), ask], generation=True)
        except Refused:
            return False

    @cached_property
    def _compiled(self) -> jinja2.Template:
        return _environment().from_string(self.source)


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


def _raise(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)


def check_template(source: str, folder: Path) -> None:
    """Raises ModelError where the chat template of `folder` isn't Jinja."""
    try:
        _environment().from_string(source)
    except jinja2.TemplateSyntaxError as error:
        raise ModelError(
            f"{folder}: its chat template can't be read, line {error.lineno}: {error.message}; mend it or use "
            'template = "plain"'
        ) from error


def read_template(folder: Path, config: Mapping[str, Any]) -> str | None:
    """The chat template of a tokenizer's folder; `config` is its `tokenizer_config.json`."""
    file = folder / "chat_template.jinja"
    template = file.read_text("utf-8") if file.is_file() else config.get("chat_template")
    if isinstance(template, list):  # several named templates; "default" is the conversational one
        template = next((t["template"] for t in template if t["name"] == "default"), None)
        if template is None:
            warnings.warn(f"{folder}: several chat templates, none named default; the plain template is used", stacklevel=3)
    return template
