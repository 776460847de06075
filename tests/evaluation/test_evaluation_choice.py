"""Exam questions: protocols, worked examples, written answers, options in other orders, groups, and what is set aside."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medasst.config import parse
from medasst.conversation import Conversation
from medasst.disk import package_file
from medasst.errors import ConfigError, DataError, MedasstError
from medasst.evaluation import EvalReport, EvaluateConfig, evaluate
from medasst.evaluation import known_choices as known
from medasst.evaluation.answer_letter import read_letter
from medasst.evaluation.letter import Letter
from medasst.evaluation.options import ChoiceItem, Form
from medasst.evaluation.task import AnyTask
from medasst.models import ScriptedModel

TABLE = tomllib.loads(package_file("evaluation/answer_letter.toml").read_text("utf-8"))
EXAMPLES = TABLE["cases"]["examples"]
OPTIONS = ["坏血病", "夜盲", "脚气病", "佝偻病"]
LETTERS = "ABCD"


@pytest.mark.parametrize("example", EXAMPLES, ids=[f"{n}" for n in range(len(EXAMPLES))])
def test_a_written_answer_is_read(example: dict[str, str]) -> None:
    found = read_letter(example["said"], TABLE["options"][example.get("options", "plain")])
    assert (found.letter, found.way) == (example["letter"], example["way"])


def test_there_are_examples_of_every_way() -> None:
    ways = [example["way"] for example in EXAMPLES]
    assert len(EXAMPLES) >= 80
    assert min(ways.count(way) for way in ("strict", "lenient", "unparsed")) >= 25


def row(n: int, answer: str = "A", **fields: Any) -> dict[str, Any]:
    return {"question": f"第{n}题，缺什么？", "options": dict(zip(LETTERS, OPTIONS, strict=True)), "answer": answer, **fields}


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., EvaluateConfig]:
    def make(rows: list[dict[str, Any]], *, texts: bool = True, **settings: Any) -> EvaluateConfig:
        (tmp_path / "exam.jsonl").write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), "utf-8")
        task = {"name": "exam", "kind": "choice", "path": "exam.jsonl", "protocol": "letter/v1", **settings}
        return parse(EvaluateConfig, {"tasks": [task], "resamples": 200, "texts": texts}, root=tmp_path)

    return make


def read(config: EvaluateConfig) -> AnyTask:
    return config.tasks[0].task(config.common)


def always(letter: str) -> ScriptedModel:
    return ScriptedModel(name="m", letter=lambda _, asked: -0.1 if asked == letter else -5.0)


def jsonl(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def figures(report: EvalReport) -> dict[str, tuple[float | None, int]]:
    return {row.metric: (row.value, row.n) for row in report.results}


@pytest.mark.parametrize(
    ("protocol", "chat", "said"),
    [
        (
            "letter/v1",
            True,
            "[user] 甲？\nA. 盐\nB. 糖\n请问哪个选项正确？只回答一个字母。\n[assistant] B\n"
            "[user] 乙？\nA. 酒\nB. 醋\n请问哪个选项正确？只回答一个字母。\n[assistant]",
        ),
        (
            "letter/v1",
            False,
            "以下是单项选择题，请直接给出正确答案的选项。\n\n题目：甲？\nA. 盐\nB. 糖\n答案是：B\n\n"
            "题目：乙？\nA. 酒\nB. 醋\n答案是：",
        ),
        ("option_text/v1", False, "题目：甲？\n答案：糖\n\n题目：乙？\n答案："),
        ("option_text/v1", True, "[user] 甲？\n[assistant] 糖\n[user] 乙？\n[assistant]"),
        (
            "generate/v1",
            True,
            "[user] 甲？\nA. 盐\nB. 糖\n请问哪个选项正确？请用选项的字母回答。\n[assistant] B\n"
            "[user] 乙？\nA. 酒\nB. 醋\n请问哪个选项正确？请用选项的字母回答。\n[assistant]",
        ),
    ],
)
def test_the_words_of_each_protocol(
    job: Callable[..., EvaluateConfig], tmp_path: Path, protocol: str, chat: bool, said: str
) -> None:
    shot = {"question": "甲？", "A": "盐", "B": "糖", "answer": "B"}
    (tmp_path / "dev.jsonl").write_text(json.dumps(shot, ensure_ascii=False), "utf-8")
    asked = [{"question": "乙？", "A": "酒", "B": "醋", "answer": "A"}]
    config = job(asked, protocol=protocol, chat=chat, shots=1, shots_path="dev.jsonl")
    task = read(config)
    assert task.asking.example(task.items[0]) == said
    model = ScriptedModel(["A"], name="m", letter=lambda *_: -1.0, score=lambda *_: -1.0)
    report = evaluate(config, [model], out=tmp_path / "out")
    assert report.tasks[0].prompt == said
    assert all(result.protocol == task.asking.protocol for result in report.results)
    assert task.asking.protocol.startswith(f"{protocol}, 1 shots, {'chat' if chat else 'text'}, ")


def test_a_protocol_carries_a_hash_of_all_its_words(job: Callable[..., EvaluateConfig]) -> None:
    rows = [row(n) for n in range(9)]
    protocols = [
        read(job(rows)).asking.protocol,
        read(job(rows, chat=False)).asking.protocol,
        read(job(rows, shots=1)).asking.protocol,
        read(job(rows, shots=2)).asking.protocol,
    ]
    assert len({protocol[-8:] for protocol in protocols}) == 4
    assert protocols[0] == read(job(rows[:3])).asking.protocol == Letter().protocol  # whatever is asked


def test_without_texts_no_question_is_shown(job: Callable[..., EvaluateConfig], tmp_path: Path) -> None:
    evaluate(job([row(0), row(1)], texts=False, shots=1), [always("A")], out=tmp_path / "out")
    assert "缺什么" not in (tmp_path / "out/report.json").read_text("utf-8") + (tmp_path / "out/report.html").read_text("utf-8")


def test_examples_of_a_subject_come_from_its_own_file_and_are_never_asked(
    job: Callable[..., EvaluateConfig], tmp_path: Path
) -> None:
    for subject, start in (("anatomy", 100), ("virology_dev", 200)):
        lines = [json.dumps(row(start + n), ensure_ascii=False) for n in range(3)]
        (tmp_path / f"{subject}.jsonl").write_text("\n".join(lines), "utf-8")
    rows = [row(1, subject="anatomy"), row(2, subject="virology"), row(3, subject="law"), row(200, subject="virology")]
    task = read(job(rows, shots=2, shots_path="*_dev.jsonl"))
    assert task.asking.form.shots_for("virology")[0].question == "第200题，缺什么？"
    task = read(job(rows, shots=2, shots_path="[av]*.jsonl"))
    by_subject = {item.subject: task.asking.example(item) for item in task.items}
    assert "第100题" in by_subject["anatomy"] and "第101题" in by_subject["anatomy"]
    assert "第200题" in by_subject["virology"] and "第10" not in by_subject["virology"]
    assert by_subject["law"].count("缺什么") == 3
    assert len(task.items) == 3 and {s.reason: s.count for s in task.rows.set_aside} == {"worked_example": 1}


def test_examples_of_the_set_itself_are_drawn_by_the_seed_and_not_asked(job: Callable[..., EvaluateConfig]) -> None:
    rows = [row(n) for n in range(10)]
    task = read(job(rows, shots=3))
    shots = {shot.question for shot in task.asking.form.shots_for("")}
    assert len(shots) == 3 and len(task.items) == 7
    assert not shots & {item.prompt.partition("\n")[0] for item in task.items}
    assert read(job(rows, shots=3, limit=2)).asking.protocol == task.asking.protocol
    for count, message in ((11, "there are 10 questions"), (10, "every question is a worked example")):
        with pytest.raises(DataError, match=message):
            read(job(rows, shots=count))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"protocol": "option_text/v1", "turned": True}, "lists no options"),
        ({"protocol": "generate/v1", "chat": False}, "asks chats alone"),
        ({"shots_path": "x"}, "say how many"),
    ],
)
def test_settings_that_do_not_go_together(job: Callable[..., EvaluateConfig], settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        job([row(0)], **settings)


def test_turned_options_tell_whether_the_choice_follows_the_letter(job: Callable[..., EvaluateConfig], tmp_path: Path) -> None:
    config = job([row(n, LETTERS[n % 4]) for n in range(8)], turned=True, limit=6)
    found = figures(evaluate(config, [always("B")], out=tmp_path / "letter"))
    assert (found["follows_letter"], found["follows_option"]) == ((100, 18), (0, 18))
    assert found["accuracy"] == (25, 24)  # each option stands at each letter once

    def reads(prefix: Conversation | str, letter: str) -> float:
        assert isinstance(prefix, Conversation)
        return -0.1 if f"{letter}. 夜盲" in prefix.messages[-1].content else -5.0

    found = figures(evaluate(config, [ScriptedModel(name="m", letter=reads)], out=tmp_path / "option"))
    assert (found["follows_letter"], found["follows_option"]) == ((0, 18), (100, 18))
    clusters = [
        json.loads(line)["cluster"] for line in (tmp_path / "option/scores/m/exam.jsonl").read_text("utf-8").splitlines()
    ]
    assert len(set(clusters)) == 6


def test_written_answers_are_read_and_what_names_none_is_counted(job: Callable[..., EvaluateConfig], tmp_path: Path) -> None:
    said = {
        "第0题": "答案是A。",
        "第1题": "坏血病",
        "第2题": "B",
        "第3题": "A 型血",
        "第4题": MedasstError("broke"),
        "第5题": "C" + "。" * 300,
    }

    def answer(talk: Conversation) -> str | Exception:
        return said[talk.messages[-1].content[:3]]

    config = job([row(n) for n in range(6)], protocol="generate/v1")
    report = evaluate(config, [ScriptedModel(answer, name="m")], out=tmp_path / "out")
    found = figures(report)
    assert found["accuracy"] == (pytest.approx(100 * 2 / 6), 6)
    assert (found["accuracy_parsed"][1], found["lenient"]) == (4, (25, 4))
    first = report.results[0]
    assert (first.unparsed, first.failed, first.truncated) == (1, 1, 1)
    kept = {
        r["prompt"][:3]: r for r in map(json.loads, (tmp_path / "out/predictions/m/exam.jsonl").read_text("utf-8").splitlines())
    }
    assert (kept["第3题"]["text"], kept["第3题"]["predict"], kept["第3题"]["way"]) == ("A 型血", "", "unparsed")


def test_figures_by_subject_year_and_exam(job: Callable[..., EvaluateConfig], tmp_path: Path) -> None:
    rows = [row(n, "AB"[n % 2], paper=f"{2022 + n % 2}年药师{'一二'[n // 2 % 2]}") for n in range(8)]
    report = evaluate(job(rows), [always("A")], out=tmp_path / "out")
    found = {row.group: (row.value, row.n) for row in report.groups if row.metric == "accuracy"}
    assert found == {"subject: 药师一": (50, 4), "subject: 药师二": (50, 4), "year: 2022": (100, 4), "year: 2023": (0, 4)}


def test_answers_that_contradict_and_questions_that_repeat_are_counted(job: Callable[..., EvaluateConfig]) -> None:
    task = read(job([row(0), row(1, "A"), row(1, "B"), row(2), row(2), row(3, "Z"), row(4, "AB")]))
    assert {part.reason: part.count for part in task.rows.set_aside} == {"bad_answer": 1, "disputed_answer": 2}
    assert (len(task.items), task.drawn.repeated, task.left_out, task.rows.read) == (2, 1, 1, 7)


@pytest.mark.parametrize("protocol", ["letter/v1", "option_text/v1", "generate/v1"])
def test_a_system_of_known_answers_comes_first(
    job: Callable[..., EvaluateConfig], monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    rows = [row(n, LETTERS[n % 4]) for n in range(20)]
    assert len(read(job(rows, protocol=protocol)).items) == 20
    monkeypatch.setattr("medasst.evaluation.accuracy.chosen", lambda record: None)
    with pytest.raises(MedasstError, match="where arithmetic says"):
        read(job(rows, protocol=protocol))


def test_known_answers_cover_every_outcome() -> None:
    items = [ChoiceItem(str(n), "", "", "盐", ("盐", "糖"), n % 2, question=str(n)) for n in range(8)]
    does: dict[str, known.Does] = dict(zip(map(str, range(8)), known._DOES, strict=True))
    assert {does[item.id] for item in items} == {"right", "wrong", "tie", "nothing", "fails"}
    assert known._expected(items, does, written=False) == {"accuracy": (3, 8), "accuracy_parsed": (3, 6), "ties": (1, 8)}
    assert Letter(Form()).form.count == 0
