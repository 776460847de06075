"""Questions to answer freely: the answer follows the true history and is compared with what a person answered."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field

from medasst.config import Pattern
from medasst.conversation import Conversation
from medasst.data import iterate_split, read_conversations
from medasst.data.layouts import Mapped
from medasst.errors import DataError
from medasst.evaluation.known_answers import check_known
from medasst.evaluation.metrics import score_text
from medasst.evaluation.rows import RowCount
from medasst.evaluation.shelf import Picked
from medasst.evaluation.task import KINDS, Asking, Common, Item, Metric, Record, Scoring, Share, Task, TaskConfig, draw
from medasst.models import ChatModel, Completion, Decoding
from medasst.registry import did_you_mean

SPLITS: tuple[Literal["test", "validation"], ...] = ("test", "validation")
SINGLE, SEVERAL = "single turn", "several turns"  # groups of items
_WINDOW = 2048  # items that an engine gets at a time
_GRAM = 4  # characters
_SPEAKER = {"system": "", "user": "用户：", "assistant": "助手："}


@dataclass(frozen=True, slots=True)
class QaItem(Item):
    """One assistant turn: what its answer follows, under the item's id; the label is what was really answered."""

    history: Conversation

    @property
    def asked(self) -> tuple[str, ...]:
        return tuple(message.content for message in self.history.messages if message.role == "user")


class QaScores(NamedTuple):
    """Scores and shares in percent, sizes in characters.

    `repetition`: of the answer's runs of 4 characters, those that stood in it before (Welleck et al. 2020, arXiv:1908.04319).
    `unstopped` is 100 where the token limit ended the answer.
    """

    bleu_4: float
    rouge_1: float
    rouge_2: float
    rouge_l: float
    predicted_chars: float
    label_chars: float
    repetition: float
    unstopped: float


class Generating(Asking[QaItem, Record]):
    """The conversation so far goes in, an answer comes out; decoding is the same for every system."""

    needs = "stream"
    record = Record

    def __init__(self, decoding: Decoding) -> None:
        self.decoding = decoding
        self.protocol = f"greedy_{decoding.max_new_tokens}/v1"

    def answers(self, model: ChatModel, items: Sequence[QaItem]) -> Iterator[Record]:
        """The longest first, of like length together: what is too large fails early, and little is padded."""
        sizes = array("q", (sum(len(m.content) for m in item.history.messages) for item in items))
        order = sorted(range(len(items)), key=lambda place: -sizes[place])
        for start in range(0, len(order), _WINDOW):
            by_id = {item.id: item for item in Picked(items, order[start : start + _WINDOW])}
            for found in model.generate([item.history for item in by_id.values()], self.decoding):
                yield self._record(by_id[found.id], found)

    def _record(self, item: QaItem, found: Completion) -> Record:
        if found.finish_reason == "error":
            return self.failed(item, found.error or "the engine failed")
        return replace(self.failed(item, ""), predict=writable(found.text), finish_reason=found.finish_reason, error=None)

    def failed(self, item: QaItem, why: str) -> Record:
        return Record(id=item.id, source=item.source, prompt=item.prompt, label=item.label, finish_reason="error", error=why)

    def cut(self, record: Record, before: str) -> Record:
        """What a server with this stop text would have sent: the blanks before it go too."""
        text, found, _ = record.predict.partition(before)
        return replace(record, predict=text.rstrip(), finish_reason="stop") if found else record


def writable(text: str) -> str:
    """UTF-8 has no lone surrogates, but a JSON reply may: they become question marks."""
    return text.encode("utf-8", "replace").decode()


class Likeness(Scoring[QaItem, Record, QaScores]):
    """How much an answer is like its reference, by the field's scores. A failed one is scored as the empty text it is."""

    version = "characters_words/v1"
    kept = QaScores
    metrics = (
        Metric("bleu_4", "BLEU-4", lambda s: s.bleu_4, compared=True),
        Metric("rouge_1", "ROUGE-1", lambda s: s.rouge_1, compared=True),
        Metric("rouge_2", "ROUGE-2", lambda s: s.rouge_2, compared=True),
        Metric("rouge_l", "ROUGE-L", lambda s: s.rouge_l, compared=True),
        Metric("length_ratio", "Length ratio", lambda s: s.predicted_chars, per=lambda s: s.label_chars, digits=2),
        Metric("repetition", "Repetition", lambda s: s.repetition, less_is_better=True),
        Share("unstopped", "Did not stop", lambda s: s.unstopped, less_is_better=True),
    )
    headline = "rouge_l"
    note = (
        "BLEU and ROUGE count characters and words shared with one reference answer. They tell whether an answer sounds like "
        "the reference, not whether it is right or safe. Length ratio: characters of all answers over those of all references. "
        "Repetition: of an answer's runs of 4 characters, how many in a hundred stood in it before."
    )

    def __init__(self, *, sources: bool = False, turns: bool = False) -> None:
        """`sources`, `turns`: whether items are reported by their source, and by whether they come after other turns."""
        self._sources, self._turns = sources, turns

    def groups(self, item: QaItem) -> tuple[str, ...]:
        return (*([item.source] if self._sources else []), *([SEVERAL if _is_multi(item) else SINGLE] if self._turns else []))

    def cluster(self, item: QaItem) -> str:
        return item.id.partition("#")[0]

    def score(self, item: QaItem, record: Record) -> QaScores:
        found = score_text(record.predict, item.label)
        return QaScores(
            found.bleu_4,
            found.rouge_1,
            found.rouge_2,
            found.rouge_l,
            float(len(record.predict)),
            float(len(item.label)),
            repetition(record.predict),
            100.0 * (record.finish_reason == "length"),
        )


def repetition(text: str) -> float:
    """Of its runs of 4 characters, how many in a hundred stood in it before; 0 for a text of fewer."""
    runs = len(text) - _GRAM + 1
    return 100.0 * (1 - len({text[i : i + _GRAM] for i in range(runs)}) / runs) if runs > 0 else 0.0


def _is_multi(item: QaItem) -> bool:
    return sum(message.role == "user" for message in item.history.messages) > 1


@KINDS.register("qa")
class QaTask(TaskConfig):
    """Every assistant turn of a prepared set's split, or of any files that a reader knows."""

    scoring = Likeness

    kind: Literal["qa"]
    path: Pattern = Field(description="a prepared set's test.parquet or validation.parquet, or a pattern of files")
    source: str = Field("", description="only this source of a prepared set")
    recipe: str = Field("", description="how the files are read; not needed for a prepared set, or where the fields tell")
    layout: str = Field("", description="how the files are read, where there is no recipe")
    mapping: Mapped | None = Field(None, description="which fields hold what, where there is no recipe and no layout")

    def task(self, common: Common) -> Task[QaItem, Record, QaScores]:
        count, sources, turns = RowCount(), set[str](), set[bool]()

        def found() -> Iterator[QaItem]:
            for conversation in self._conversations(count):
                for item in qa_items(conversation):
                    sources.add(item.source)
                    turns.add(_is_multi(item))
                    yield item

        drawn = draw(found(), self.limit or common.limit, common.seed)
        rows = count.total()
        if not drawn.available:
            raise DataError(f"task {self.name!r} has no item: {self._nothing(count)}", self.path)
        source = self.source or self.recipe or self.name
        asking, scoring = Generating(common.decoding), Likeness(sources=len(sources) > 1, turns=len(turns) > 1)
        check_known(asking, scoring, drawn.items)
        return Task(self.name, "qa", source, "assistant turns", asking, scoring, drawn, rows)

    @property
    def _of_prepared_set(self) -> bool:
        return Path(self.path).suffix == ".parquet" and not (self.recipe or self.layout or self.mapping)

    def _conversations(self, count: RowCount) -> Iterator[Conversation]:
        if self._of_prepared_set:
            found = self._split()
        else:
            found = read_conversations(
                self.path, self.recipe, self.layout, mapping=self.mapping, source=self.source, on_bad=count.bad
            )
        for conversation in found:
            count.good += 1
            yield conversation

    def _split(self) -> Iterator[Conversation]:
        folder, name = Path(self.path).parent, Path(self.path).stem
        split = next((split for split in SPLITS if name == split), None)
        if split is None:
            raise DataError(
                "no file of a prepared set; give its test.parquet or validation.parquet, or a recipe, layout or mapping",
                self.path,
            )
        return (talk for talk in iterate_split(folder, split) if self.source in ("", talk.source))

    def _nothing(self, count: RowCount) -> str:
        if self._of_prepared_set and self.source and not count.good:
            known = {talk.source for talk in iterate_split(Path(self.path).parent, "test")}
            return f"its split has nothing of source {self.source!r}{did_you_mean(self.source, known)}"
        return "no conversation has an answer after a question" if count.good else count.total().advice()


def qa_items(conversation: Conversation) -> Iterator[QaItem]:
    """One item per assistant turn that answers something and may be learnt: `<conversation>#<message index>`."""
    for turn, message in enumerate(conversation.messages):
        if turn in conversation.unlearnt:
            continue
        if message.role == "assistant" and message.content and any(m.role == "user" for m in conversation.messages[:turn]):
            name = f"{conversation.id}#{turn}"
            history = replace(conversation.before(turn), id=name)
            yield QaItem(name, conversation.source, _plain(history), message.content, history)


def _plain(history: Conversation) -> str:
    return "".join(f"{_SPEAKER[m.role]}{m.content}\n" for m in history.messages) + _SPEAKER["assistant"]
