"""An evaluation end to end on scripted systems: asked once, resumed, never mixed, compared, reported."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytest

from medasst.config import parse
from medasst.conversation import Conversation
from medasst.errors import ConfigError, DataError, Stopped, UnsupportedError
from medasst.evaluation import EvaluateConfig, System, TaskConfig, evaluate
from medasst.evaluation.rows import Rows
from medasst.evaluation.task import KINDS, AnyTask, Asking, Common, Item, Metric, Record, Scoring, Task, draw
from medasst.models import ChatModel, ChoiceQuery, Completion, Decoding, LetterQuery, ScriptedModel

TALKS = [
    [
        ("user", f"问题{n}：感冒{n}天了吃什么药？"),
        ("assistant", f"建议多休息{n}天，多喝水。"),
        ("user", "能喝酒吗？"),
        ("assistant", "不能喝酒。"),
    ]
    for n in range(8)
]
QUESTIONS = [
    {
        "question": f"第{n}题，维生素C缺乏会引起什么病？",
        "options": {"A": "坏血病", "B": "夜盲", "C": "脚气病", "D": "佝偻病"},
        "answer": "A" if n else "AB",
    }
    for n in range(7)
]  # the first has several right answers


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., EvaluateConfig]:
    def lines(rows: Sequence[object]) -> str:
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)

    messages = [{"messages": [{"role": role, "content": text} for role, text in talk]} for talk in TALKS]
    (tmp_path / "qa.jsonl").write_text(lines(messages), "utf-8")
    (tmp_path / "exam.jsonl").write_text(lines(QUESTIONS), "utf-8")

    def make(**settings: Any) -> EvaluateConfig:
        tasks = [
            {"name": "counter", "kind": "qa", "path": "qa.jsonl"},
            {"name": "exam", "kind": "choice", "path": "exam.jsonl", "recipe": "cmexam", "protocol": "option_text/v1"},
        ]
        return parse(EvaluateConfig, {"tasks": tasks, "resamples": 500, **settings}, root=tmp_path)

    return make


def gold(conversation: Conversation) -> str:
    """The reference of any of our questions: what a perfect system says."""
    talk = next(t for t in TALKS if t[0][1] == conversation.messages[0].content)
    return talk[len(conversation.messages)][1]


def prefers(option: str) -> Callable[[object, str], float]:
    return lambda _, text: -0.1 * len(text) if text == option else -9.0 * len(text)


def rows(report: Path) -> dict[tuple[str, str, str], dict[str, Any]]:
    return {(r["system"], r["task"], r["metric"]): r for r in json.loads(report.read_text("utf-8"))["results"]}


def jsonl(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


class Interrupted(ScriptedModel):
    """Stops as Ctrl-C does after some answers."""

    def __init__(self, after: int, **settings: Any) -> None:
        super().__init__(gold, **settings)
        self.after = after

    def generate(self, conversations: Sequence[Conversation], decoding: Decoding) -> Iterator[Completion]:
        for n, completion in enumerate(super().generate(conversations, decoding)):
            if n == self.after:
                raise KeyboardInterrupt
            yield completion


def test_a_perfect_and_a_poor_system(job: Callable[..., EvaluateConfig], tmp_path: Path) -> None:
    perfect = ScriptedModel(gold, name="perfect", score=prefers("坏血病"))
    poor = ScriptedModel(["胡说八道。" * 100], name="poor", score=prefers("夜盲"))
    mute = ScriptedModel([""], name="mute")
    report = evaluate(job(baseline="poor"), [poor, perfect, mute], out=tmp_path / "out")

    found = rows(tmp_path / "out" / "report.json")
    assert found["perfect", "counter", "bleu_4"]["value"] == pytest.approx(100)
    assert found["perfect", "counter", "length_ratio"]["value"] == 1
    assert found["perfect", "exam", "accuracy"]["value"] == 100
    assert found["poor", "exam", "accuracy"]["value"] == 0
    assert found["poor", "counter", "bleu_4"] | {"value": 0, "low": 0, "high": 0} == {
        "system": "poor", "task": "counter", "metric": "bleu_4", "value": 0, "low": 0, "high": 0, "n": 16,
        "protocol": "greedy_256/v1",
        "status": "ok", "unparsed": 0, "failed": 0, "truncated": 16, "why": "",
    }  # fmt: skip
    assert found["poor", "counter", "unstopped"]["value"] == 100
    assert report.value("perfect", "counter", "rouge_l") == found["perfect", "counter", "rouge_l"]["value"]

    unsupported = found["mute", "exam", "accuracy"]
    assert (unsupported["status"], unsupported["value"], unsupported["n"]) == ("unsupported", None, 0)

    gain = next(c for c in report.comparisons if (c.system, c.metric) == ("perfect", "rouge_l"))
    assert gain.baseline == "poor"
    assert gain.p is not None and gain.p_holm is not None and gain.p < 0.05 < gain.p_holm
    assert gain.verdict == "unclear"  # 8 conversations and 500 resamples can't carry 9 comparisons
    assert gain.difference == pytest.approx(
        found["perfect", "counter", "rouge_l"]["value"] - found["poor", "counter", "rouge_l"]["value"]
    )
    poor_likeness = report.value("poor", "counter", "rouge_l")
    assert report.summary().splitlines() == [
        f"counter (16): ROUGE-L poor {poor_likeness:.1f}, perfect 100.0 (unclear), mute 0.0 (unclear)",
        "exam (6): Accuracy poor 0.0, perfect 100.0 (unclear)",
        "in brackets: against poor, item by item, by Holm's correction over 9; "
        "tied: the 95 % interval of the difference holds 0",
    ]
    exam = next(task for task in report.tasks if task.name == "exam")
    assert (exam.n, exam.left_out, exam.chance) == (6, 1, 25)
    assert found["poor", "exam", "ties"]["value"] == 0


def test_predictions_say_what_was_asked_and_answered(job: Callable[..., EvaluateConfig], tmp_path: Path) -> None:
    evaluate(job(), [ScriptedModel(gold, name="m", score=prefers("坏血病"))], out=tmp_path / "out")
    second = next(r for r in jsonl(tmp_path / "out/predictions/m/counter.jsonl") if r["id"].endswith("#3"))
    talk = next(t for t in TALKS if t[0][1] in second["prompt"])
    assert second["prompt"] == f"用户：{talk[0][1]}\n助手：{talk[1][1]}\n用户：能喝酒吗？\n助手："
    assert (second["predict"], second["label"], second["finish_reason"]) == ("不能喝酒。", "不能喝酒。", "stop")
    assert second["id"].split("#")[0] == Conversation.of(talk).id
    choice = jsonl(tmp_path / "out/predictions/m/exam.jsonl")[0]
    assert choice["prompt"].startswith("题目：第")
    assert choice["prompt"].endswith("\n答案：")
    assert choice["options"] == ["坏血病", "夜盲", "脚气病", "佝偻病"]
    assert not any(option in choice["prompt"] for option in choice["options"])
    assert choice["token_counts"] == [3, 2, 3, 3]
    assert choice["predict"] == choice["label"] == "坏血病"


def test_an_interrupted_run_asks_only_what_is_missing(job: Callable[..., EvaluateConfig], tmp_path: Path) -> None:
    with pytest.raises(Stopped, match="same command"):
        evaluate(job(), [Interrupted(5, name="m")], out=tmp_path / "out")
    file = tmp_path / "out/predictions/m/counter.jsonl"
    assert len(jsonl(file)) == 5
    file.write_bytes(file.read_bytes()[:-20])  # the power went in the middle of a line
    model = ScriptedModel(gold, name="m")
    evaluate(job(), [model], out=tmp_path / "out")
    assert len(model.calls) == 12
    assert len({record["id"] for record in jsonl(file)}) == len(jsonl(file)) == 16
    again = ScriptedModel(gold, name="m")
    evaluate(job(), [again], out=tmp_path / "out")
    assert again.calls == []


def test_a_finished_system_is_not_even_opened(job: Callable[..., EvaluateConfig], tmp_path: Path) -> None:
    def system(open_model: Callable[[], ScriptedModel]) -> System:
        return System("m", open_model, fingerprint={"adapter": "a"})

    evaluate(job(), [system(lambda: ScriptedModel(gold, name="m", score=prefers("坏血病")))], out=tmp_path / "out")
    before = (tmp_path / "out/report.json").read_bytes()
    evaluate(job(), [system(lambda: pytest.fail("opened again"))], out=tmp_path / "out")
    assert (tmp_path / "out/report.json").read_bytes() == before


@pytest.mark.parametrize("change", [{"max_new_tokens": 8}, {}])
def test_answers_under_other_settings_are_set_aside(
    job: Callable[..., EvaluateConfig], tmp_path: Path, change: dict[str, Any]
) -> None:
    old = ScriptedModel(["旧"], name="m")
    evaluate(job(), [System.holding(old, {"adapter": "one"})], out=tmp_path / "out")
    new = ScriptedModel(["新"], name="m")
    evaluate(job(**change), [System.holding(new, {"adapter": "one" if change else "two"})], out=tmp_path / "out")
    assert len(new.calls) == 16
    assert {r["predict"] for r in jsonl(tmp_path / "out/predictions/m/counter.jsonl")} == {"新"}
    (kept,) = (tmp_path / "out/predictions/m/superseded").glob("counter-*.jsonl")
    assert {r["predict"] for r in jsonl(kept)} == {"旧"}


def test_a_failed_item_counts_as_wrong_and_is_asked_again(job: Callable[..., EvaluateConfig], tmp_path: Path) -> None:
    def sometimes(conversation: Conversation) -> str | Exception:
        return RuntimeError("the server went away") if len(conversation.messages) > 1 else gold(conversation)

    evaluate(job(), [ScriptedModel(sometimes, name="m")], out=tmp_path / "out")
    row = rows(tmp_path / "out/report.json")["m", "counter", "rouge_1"]
    assert (row["n"], row["failed"], row["value"]) == (16, 8, pytest.approx(50))
    repaired = ScriptedModel(gold, name="m")
    evaluate(job(), [repaired], out=tmp_path / "out")
    assert len(repaired.calls) == 8
    assert rows(tmp_path / "out/report.json")["m", "counter", "rouge_1"]["failed"] == 0


def test_a_larger_limit_extends_the_same_draw(job: Callable[..., EvaluateConfig], tmp_path: Path) -> None:
    small, large = ScriptedModel(gold, name="m"), ScriptedModel(gold, name="m")
    evaluate(job(limit=5), [small], out=tmp_path / "out")
    evaluate(job(limit=9), [large], out=tmp_path / "out")
    assert (len(small.calls), len(large.calls)) == (5, 4)
    other = ScriptedModel(gold, name="m")
    evaluate(job(limit=5, seed=8), [other], out=tmp_path / "other")
    assert {c.id for c, _ in small.calls} != {c.id for c, _ in other.calls}


def test_ties_go_to_the_first_option_and_are_counted(job: Callable[..., EvaluateConfig], tmp_path: Path) -> None:
    level = ScriptedModel(gold, name="level", score=lambda _, option: -2.0 * len(option))
    report = evaluate(job(), [level], out=tmp_path / "out")
    assert report.value("level", "exam", "accuracy") == 100  # A, the first, is right throughout
    assert report.value("level", "exam", "ties") == 100


def test_a_choice_without_scores_is_failed_never_guessed(job: Callable[..., EvaluateConfig], tmp_path: Path) -> None:
    class Short(ScriptedModel):
        def score(self, queries: Sequence[ChoiceQuery]) -> Iterator[Any]:
            for n, found in enumerate(super().score(queries)):
                if n:  # nothing at all comes for the first
                    yield type(found)(found.id, found.logprobs[:1], found.token_counts[:1])

    report = evaluate(job(), [Short(gold, name="m", score=prefers("坏血病"))], out=tmp_path / "out")
    row = next(r for r in report.results if (r.task, r.metric) == ("exam", "accuracy"))
    assert (row.value, row.n, row.failed) == (0, 6, 6)
    parsed = next(r for r in report.results if (r.task, r.metric) == ("exam", "accuracy_parsed"))
    assert (parsed.value, parsed.n) == (None, 0)


def test_cut_and_scripted_systems_from_settings(job: Callable[..., EvaluateConfig], tmp_path: Path) -> None:
    systems = [
        {"name": "base", "engine": "scripted", "replies": ["多休息。\n用户：还有呢？\n助手：没有了。"]},
        {"name": "base-cut", "engine": "cut", "of": "base", "cut_at": "用户："},
    ]
    report = evaluate(job(systems=systems, max_new_tokens=12), out=tmp_path / "out")
    cut = jsonl(tmp_path / "out/predictions/base-cut/counter.jsonl")
    assert {(r["predict"], r["finish_reason"]) for r in cut} == {("多休息。", "stop")}
    assert report.value("base", "counter", "unstopped") == 100
    assert report.value("base-cut", "counter", "unstopped") == 0
    statuses = {r.system: r.status for r in report.results if r.task == "exam"}
    assert statuses == {"base": "unsupported", "base-cut": "unsupported"}


class Page(HTMLParser):
    """Text of a page, its tags, and every address in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.tags, self.links = "", [], []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_offline_escaped_and_shows_examples(job: Callable[..., EvaluateConfig], tmp_path: Path) -> None:
    evaluate(job(), [ScriptedModel(["<script>alert(1)</script>\ud83d&amp;"], name="m")], out=tmp_path / "out")
    page = Page((tmp_path / "out/report.html").read_text("utf-8"))
    assert "script" not in page.tags
    assert page.links == []
    assert "<script>alert(1)</script>" in page.text
    assert "svg" in page.tags
    assert "能喝酒吗" in page.text


def test_without_texts_no_question_and_no_answer_is_shown(job: Callable[..., EvaluateConfig], tmp_path: Path) -> None:
    evaluate(job(texts=False), [ScriptedModel(gold, name="m")], out=tmp_path / "out")
    html = (tmp_path / "out/report.html").read_text("utf-8")
    assert "counter" in html and not any(text in html for talk in TALKS for _, text in talk)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"systems": [{"name": "m", "engine": "scripted"}] * 2}, "two systems are named 'm'"),
        ({"systems": [{"name": "../up", "engine": "scripted"}]}, "systems.0.name"),
        ({"systems": [{"name": "m", "engine": "cut", "of": "base", "cut_at": "x"}]}, "'base'"),
        ({"systems": [{"name": "m", "engine": "cut"}]}, "go together"),
        ({"systems": [{"name": "m", "engine": "retrieval"}]}, "go together"),
        ({"limits": 3}, "did you mean 'limit'"),
        ({"tasks": [{"name": "t", "kind": "choice", "path": "x", "protocl": "x"}]}, "did you mean 'protocol'"),
        ({"tasks": [{"name": "t", "kind": "choise", "path": "x"}]}, "did you mean 'choice'"),
        ({"tasks": [{"name": "t", "kind": "choice", "path": "x", "protocol": "leter/v1"}]}, "did you mean 'letter/v1'"),
        ({"tasks": [{"name": "t", "path": "x"}]}, "'tasks.0.kind' is missing"),
        ({"tasks": [{"name": "t", "kind": "qa", "path": "x", "split": "test"}]}, "unknown key 'tasks.0.split'"),
        (
            {"tasks": [{"name": "t", "kind": "choice", "path": "x", "shot": 5}]},
            "unknown key 'tasks.0.shot'",
        ),
        ({"tasks": [{"name": "t", "kind": "choice", "path": "x", "recipe": "cmexam", "split": "test"}]}, "needs data"),
    ],
)
def test_a_bad_setting_says_what_to_do(job: Callable[..., EvaluateConfig], settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        job(**settings)


def test_no_system_no_item_or_an_unknown_baseline(job: Callable[..., EvaluateConfig], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="needs systems"):
        evaluate(job(), out=tmp_path / "out")
    with pytest.raises(ConfigError, match="did you mean 'model'"):
        evaluate(job(baseline="modle"), [ScriptedModel(name="model")], out=tmp_path / "out")
    (tmp_path / "empty.jsonl").write_text('{"messages": [{"role": "user", "content": "在吗"}]}\n', "utf-8")
    empty = job(tasks=[{"name": "t", "kind": "qa", "path": "empty.jsonl"}])
    with pytest.raises(DataError, match="no item"):
        evaluate(empty, [ScriptedModel(name="model")], out=tmp_path / "out")


def test_by_letter(job: Callable[..., EvaluateConfig], tmp_path: Path) -> None:
    tasks = [{"name": "exam", "kind": "choice", "path": "exam.jsonl", "protocol": "letter/v1"}]
    likely = {"A": -2.0, "B": -0.5}
    models = [
        ScriptedModel(name="right", letter=lambda _, letter: -0.1 if letter == "A" else None),
        ScriptedModel(name="wrong", letter=lambda _, letter: likely.get(letter)),
        ScriptedModel(name="mute", letter=lambda _, letter: None),
        ScriptedModel(name="unable"),
    ]
    evaluate(job(tasks=tasks), models, out=tmp_path / "out")
    found = rows(tmp_path / "out/report.json")
    assert [found[m, "exam", "accuracy"]["value"] for m in ("right", "wrong", "mute", "unable")] == [100, 0, 0, None]
    assert (found["mute", "exam", "accuracy"]["unparsed"], found["mute", "exam", "accuracy_parsed"]["n"]) == (6, 0)
    assert found["unable", "exam", "accuracy"]["status"] == "unsupported"
    record = jsonl(tmp_path / "out/predictions/wrong/exam.jsonl")[0]
    assert record["prompt"].endswith("？\nA. 坏血病\nB. 夜盲\nC. 脚气病\nD. 佝偻病\n请问哪个选项正确？只回答一个字母。")
    assert (record["predict"], record["listed"], record["logprobs"]) == ("夜盲", [True, True, False, False], [-2, -0.5, -2, -2])


def test_an_engine_that_turns_out_unable_is_unsupported_not_wrong(job: Callable[..., EvaluateConfig], tmp_path: Path) -> None:
    class Refusing(ScriptedModel):
        def letters(self, queries: Sequence[LetterQuery]) -> Iterator[Any]:
            raise UnsupportedError("the endpoint gives no top_logprobs")

    tasks = [{"name": "exam", "kind": "choice", "path": "exam.jsonl", "protocol": "letter/v1"}]
    report = evaluate(job(tasks=tasks), [Refusing(name="m", letter=lambda *_: 0.0)], out=tmp_path / "out")
    assert [(r.status, r.value, r.n) for r in report.results] == [("unsupported", None, 0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted(Record):
    turns: int = 0


class Echoing(Asking[Item, Counted]):
    protocol, needs, record = "echo/v1", "stream", Counted

    def answers(self, model: ChatModel, items: Sequence[Item]) -> Iterator[Counted]:
        for item in items:
            first, second = (c.text for c in model.generate([Conversation.of([("user", item.prompt)])] * 2, Decoding()))
            yield replace(self.failed(item, ""), predict=first + second, finish_reason="stop", error=None, turns=2)

    def failed(self, item: Item, why: str) -> Counted:
        return Counted(id=item.id, source=item.source, prompt=item.prompt, label=item.label, finish_reason="error", error=why)


class Same(NamedTuple):
    same: float


class Sameness(Scoring[Item, Counted, Same]):
    version = "same/v1"
    kept = Same
    metrics = (Metric("same", "Same", lambda s: s.same, compared=True),)
    headline = "same"

    def score(self, item: Item, record: Counted) -> Same:
        return Same(100.0 * (record.turns == 2 and record.predict == item.label))


def test_a_new_kind_is_one_registered_class(
    job: Callable[..., EvaluateConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class EchoTask(TaskConfig):
        scoring = Sameness

        kind: Literal["echo"]
        words: tuple[str, ...]

        def task(self, common: Common) -> AnyTask:
            drawn = draw([Item(word, "here", word, word * 2) for word in self.words], self.limit, common.seed)
            return Task(self.name, "echo", "here", "words", Echoing(), Sameness(), drawn, Rows(len(self.words)))

    monkeypatch.setitem(KINDS._items, "echo", EchoTask)
    tasks = [{"name": "echoes", "kind": "echo", "words": ["好", "行"]}]
    echo = ScriptedModel(lambda talk: talk.messages[-1].content, name="echo")
    report = evaluate(job(tasks=tasks), [ScriptedModel(["不"], name="no"), echo], out=tmp_path / "out")
    assert report.summary().startswith("echoes (2): Same no 0.0, echo 100.0 (unclear)")
    assert [(c.metric, c.difference) for c in report.comparisons] == [("same", 100)]
    again = ScriptedModel(lambda talk: pytest.fail("asked again"), name="echo")
    assert evaluate(job(tasks=tasks), [again], out=tmp_path / "out").value("echo", "echoes", "same") == 100
    with pytest.raises(ConfigError, match=r"unknown key 'tasks.0.word'; did you mean 'words'\?"):
        job(tasks=[{"name": "echoes", "kind": "echo", "word": ["好"]}])
