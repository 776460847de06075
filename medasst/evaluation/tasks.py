"""What is asked: a task's items, read, filtered and sampled."""

from __future__ import annotations

import hashlib
import string
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from medasst.conversation import Conversation, Message
from medasst.data import ExamQuestion, SplitSettings, iterate_split, load_manifest, read_conversations, read_exam
from medasst.errors import DataError
from medasst.evaluation.config import TaskConfig

SPLITS: tuple[Literal["test", "validation"], ...] = ("test", "validation")
_BY_LETTER = "下面是一道单项选择题，请只回答正确选项的字母。"
_SPEAKER = {"system": "", "user": "用户：", "assistant": "助手："}


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to answer.

    `history` is what a QA item's answer follows, with the item's id; `options` and `answer` (a place in them) belong to a
    choice. `label` is the reference: the gold answer, or the right option's text.
    """

    id: str
    source: str
    prompt: str  # QA: the history in the plain template, for readers and files; choice: what the options follow
    label: str
    history: Conversation | None = None
    options: tuple[str, ...] = ()
    answer: int = -1


@dataclass(frozen=True, slots=True)
class Task:
    """A task with its items.

    `available` counts the items before the limit, `left_out` multi-answer questions, `repeated` items whose id came before.
    """

    config: TaskConfig
    items: tuple[Item, ...]
    available: int
    left_out: int = 0
    repeated: int = 0

    @property
    def chance(self) -> float | None:
        """What guessing gets in a choice task, in percent."""
        return (
            100 * sum(1 / len(item.options) for item in self.items) / len(self.items) if self.config.kind == "choice" else None
        )


def load_task(config: TaskConfig, *, limit: int | None, seed: int, prepared: Path | None = None) -> Task:
    """Read a task's items and draw `limit` of them.

    Args:
        config: the task; its own limit comes before `limit`.
        limit: items at most; None takes all.
        seed: which items are drawn. Each item's place in the draw depends on seed and id alone, so a larger limit or more
            data never reshuffles.
        prepared: the prepared set whose split a choice task's `split` follows.

    Raises:
        DataError: the path has no item, or can't be read.
    """
    left_out = 0
    if config.kind == "qa":
        found = [item for conversation in _conversations(config) for item in qa_items(conversation)]
    else:
        wanted = _split_filter(config, prepared)
        questions = [q for q in read_exam(config.path, config.recipe) if wanted(q.question)]
        found = [_PROTOCOLS[config.protocol](question) for question in questions if len(question.answers) == 1]
        left_out = len(questions) - len(found)
    unique = {item.id: item for item in reversed(found)}  # the first of a kind stays
    if not unique:
        raise DataError(f"task {config.name!r} has no item: {_nothing(config)}", config.path)
    drawn = sorted(unique.values(), key=lambda item: hashlib.sha256(f"{seed}:{item.id}".encode()).digest())
    limit = config.limit or limit
    return Task(config, tuple(drawn[:limit]), len(unique), left_out, len(found) - len(unique))


def qa_items(conversation: Conversation) -> Iterator[Item]:
    """One item per assistant turn that answers something and may be learnt: `<conversation>#<message index>`."""
    for turn, message in enumerate(conversation.messages):
        if turn in conversation.unlearnt:
            continue
        if message.role == "assistant" and message.content and any(m.role == "user" for m in conversation.messages[:turn]):
            name = f"{conversation.id}#{turn}"
            history = replace(conversation.before(turn), id=name)
            yield Item(name, conversation.source, _plain(history), message.content, history)


def choice_item(question: ExamQuestion) -> Item:
    """A single-answer question in `option_text/v1`: the options are scored as texts after the prompt, never listed."""
    (answer,) = question.answers
    prompt = f"题目：{question.question}\n答案："
    return Item(question.id, question.source, prompt, question.options[answer], options=question.options, answer=answer)


def letter_item(question: ExamQuestion) -> Item:
    """A single-answer question in `letter/v1`: the options are listed, the model says a letter."""
    (answer,) = question.answers
    lines = [f"{letter}. {option}" for letter, option in zip(string.ascii_uppercase, question.options, strict=False)]
    prompt = "\n".join([_BY_LETTER, "", question.question, *lines])
    talk = Conversation(question.id, (Message("user", prompt),), question.source)
    options = question.options
    return Item(question.id, question.source, prompt, options[answer], talk, options, answer)


_PROTOCOLS = {"option_text/v1": choice_item, "letter/v1": letter_item}


def _conversations(config: TaskConfig) -> Iterable[Conversation]:
    if config.recipe or Path(config.path).suffix != ".parquet":
        return read_conversations(config.path, config.recipe, source=config.source)
    folder, name = Path(config.path).parent, Path(config.path).stem
    split = next((split for split in SPLITS if name == split), None)
    if split is None:
        raise DataError("no file of a prepared set; give its test.parquet or validation.parquet, or add a recipe", config.path)
    return (conversation for conversation in iterate_split(folder, split) if config.source in ("", conversation.source))


def _split_filter(config: TaskConfig, prepared: Path | None) -> Callable[[str], bool]:
    """Whether a bare stem lies in the task's split, as the prepared set was split."""
    if config.split == "all" or prepared is None:
        return lambda _: True
    shares = SplitSettings.model_validate(load_manifest(prepared)["settings"]["split"])
    return lambda stem: shares.of(stem) == config.split


def _plain(history: Conversation) -> str:
    return "".join(f"{_SPEAKER[m.role]}{m.content}\n" for m in history.messages) + _SPEAKER["assistant"]


def _nothing(config: TaskConfig) -> str:
    if config.source:
        return f"no answered question of source {config.source!r} there; check the name in the prepared set's manifest"
    return "check the path" + (f" and the split {config.split!r}" if config.split != "all" else "")
