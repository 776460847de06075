"""Free answers: kept on disk and not in memory, grouped, taken up again; bad lines and repeated ids are counted."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from medasst.config import parse
from medasst.conversation import Conversation
from medasst.evaluation import EvaluateConfig, System, evaluate, qa
from medasst.evaluation.qa import repetition
from medasst.evaluation.shelf import Figures, Picked, Shelf, figures
from medasst.evaluation.task import Item, draw
from medasst.models import Completion, Decoding, ScriptedModel
from medasst.models.patience import Patience


class Row(NamedTuple):
    one: float
    other: float


class Mixed(NamedTuple):
    one: float
    name: str


def test_a_shelf_gives_back_what_was_put_there() -> None:
    shelf: Shelf[Item] = Shelf()
    items = [Item(f"第{n}", "s", "问" * n, "\ud83d") for n in range(50)]
    for item in items:
        shelf.append(item)
    assert (len(shelf), list(shelf), shelf[-1], shelf[3:5]) == (50, items, items[-1], items[3:5])
    assert list(Picked(shelf, [7, 2])) == [items[7], items[2]]
    with pytest.raises(IndexError):
        shelf[50]


def test_figures_are_columns_where_all_are_numbers() -> None:
    rows = figures(Row)
    rows.append(Row(1.5, 2.0))
    rows.append(Row(0.0, -1.0))
    assert isinstance(rows, Figures)
    assert list(rows) == [Row(1.5, 2.0), Row(0.0, -1.0)]
    assert figures(Mixed) == []


def test_a_small_draw_of_many_keeps_few() -> None:
    def items() -> Iterator[Item]:
        for n in range(30_000):
            yield Item(str(n % 29_000), "s", "p", str(n))

    few, more = draw(items(), 5, 7), draw(items(), 2000, 7)
    assert (few.available, few.repeated, len(few.items)) == (29_000, 1000, 5)
    assert list(more.items[:5]) == list(few.items)
    assert all(item.id == item.label for item in more.items)  # the first of an id, not the one that repeats it
    held = few.items._row  # type: ignore[attr-defined]
    assert len(held) < 2000


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("", 0),
        ("多喝水", 0),
        ("多喝水吧", 0),
        ("哈哈哈哈哈哈", 100 * 2 / 3),
        ("多喝热水" * 3, 100 * 5 / 9),
        ("请去医院检查。", 0),
    ],
)
def test_repetition(text: str, share: float) -> None:
    assert repetition(text) == pytest.approx(share)


def talk(*texts: str) -> dict[str, Any]:
    return {"messages": [{"role": "assistant" if n % 2 else "user", "content": text} for n, text in enumerate(texts)]}


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., EvaluateConfig]:
    def make(*talks: dict[str, Any], **settings: Any) -> EvaluateConfig:
        lines = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in talks)
        (tmp_path / "qa.jsonl").write_text(lines, "utf-8")
        task = {"name": "qa", "kind": "qa", "path": "qa.jsonl"}
        return parse(EvaluateConfig, {"tasks": [task], "resamples": 200, **settings}, root=tmp_path)

    return make


TALKS = [talk(f"第{n}次感冒了怎么办？" + "咳" * n, "多喝水。") for n in range(12)]
LONG = talk("头痛怎么办？", "多休息。", "还是痛呢？", "请去医院。")


def test_groups_by_turns(job: Callable[..., EvaluateConfig], tmp_path: Path) -> None:
    report = evaluate(job(*TALKS, LONG), [ScriptedModel(["多喝水。"], name="m")], out=tmp_path / "out")
    found = {(row.group, row.metric): row for row in report.groups}
    assert {group for group, _ in found} == {qa.SINGLE, qa.SEVERAL}
    assert [found[group, "rouge_l"].n for group in (qa.SINGLE, qa.SEVERAL)] == [13, 1]
    assert next(row.n for row in report.results if row.metric == "rouge_l") == 14  # and pooled
    alone = evaluate(job(*TALKS), [ScriptedModel(["多喝水。"], name="m")], out=tmp_path / "alone")
    assert alone.groups == ()


class Watching(ScriptedModel):
    """Notes how many conversations it gets at a time, and how long they are."""

    def __init__(self) -> None:
        super().__init__(["好。"], name="m")
        self.lots: list[list[int]] = []

    def generate(self, conversations: Sequence[Conversation], decoding: Decoding) -> Iterator[Completion]:
        self.lots.append([len(c.messages[0].content) for c in conversations])
        return super().generate(conversations, decoding)


def test_an_engine_gets_some_at_a_time_of_like_length(
    job: Callable[..., EvaluateConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qa, "_WINDOW", 5)
    model = Watching()
    evaluate(job(*TALKS), [model], out=tmp_path / "out")
    assert [len(lot) for lot in model.lots] == [5, 5, 2]
    sizes = [size for lot in model.lots for size in lot]
    assert sizes == sorted(sizes, reverse=True)


def test_unreadable_lines_are_counted_and_asked_again(job: Callable[..., EvaluateConfig], tmp_path: Path) -> None:
    config = job(*TALKS)
    evaluate(config, [ScriptedModel(["好。"], name="m")], out=tmp_path / "out")
    file = tmp_path / "out/predictions/m/qa.jsonl"
    lines = file.read_text("utf-8").splitlines()
    other = json.loads(lines[2])
    other["prompt"] += "？"  # the id is right, the question is another
    torn = [lines[0], lines[1][:30], json.dumps(other, ensure_ascii=False), "null", "", *lines[3:], lines[0]]
    file.write_text("\n".join(torn) + "\n", "utf-8")
    again = ScriptedModel(["好。"], name="m")
    report = evaluate(config, [again], out=tmp_path / "out")
    work = json.loads((tmp_path / "out/run.json").read_text("utf-8"))["work"][0]
    assert (len(again.calls), work["asked"], work["reused"], work["unreadable"]) == (2, 2, 10, 3)
    assert report.value("m", "qa", "rouge_l") is not None


def test_an_answer_to_something_else_is_never_scored(job: Callable[..., EvaluateConfig], tmp_path: Path) -> None:
    class Silent(ScriptedModel):
        def generate(self, conversations: Sequence[Conversation], decoding: Decoding) -> Iterator[Completion]:
            return iter(())

    config = job(*TALKS)
    evaluate(config, [ScriptedModel(["多喝水。"], name="m")], out=tmp_path / "out")
    file = tmp_path / "out/predictions/m/qa.jsonl"
    file.write_text(file.read_text("utf-8").replace("感冒", "发烧"), "utf-8")
    report = evaluate(config, [Silent(name="m")], out=tmp_path / "out")
    row = next(row for row in report.results if row.metric == "rouge_l")
    assert (row.value, row.failed, row.n) == (0, 12, 12)


def test_repeated_ids_and_long_answers_are_counted(job: Callable[..., EvaluateConfig], tmp_path: Path) -> None:
    config = job(*TALKS, *TALKS[:3])
    long = ScriptedModel(["多喝热水。" * 2000], name="long")
    report = evaluate(config.model_copy(update={"max_new_tokens": 10_000}), [long], out=tmp_path / "out")
    assert (report.tasks[0].n, report.tasks[0].repeated) == (12, 3)
    assert report.value("long", "qa", "repetition") == pytest.approx(100, abs=0.1)
    records = [json.loads(line) for line in (tmp_path / "out/predictions/long/qa.jsonl").read_text("utf-8").splitlines()]
    assert {len(record["predict"]) for record in records} == {10_000}


def test_an_endpoint_that_is_gone_is_counted_and_asked_again(job: Callable[..., EvaluateConfig], tmp_path: Path) -> None:
    endpoint = pytest.importorskip("medasst.models.endpoint")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"  # nobody listens there
    patience = partial(Patience, first=0.001, most=0.001)
    gone = endpoint.EndpointModel(url, "m", patience=patience)
    report = evaluate(job(*TALKS), [System.holding(gone, {"a": 1})], out=tmp_path / "out")
    row = next(row for row in report.results if row.metric == "rouge_l")
    assert (row.value, row.failed, row.n, row.status) == (0, 12, 12, "ok")
    back = ScriptedModel(["多喝水。"], name="m")
    again = evaluate(job(*TALKS), [System.holding(back, {"a": 1})], out=tmp_path / "out")
    assert (len(back.calls), next(row.failed for row in again.results)) == (12, 0)
