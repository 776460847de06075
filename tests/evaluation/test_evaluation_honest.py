"""Honesty of a report: what was seen in training, what became of the answers, and a system whose figures are arithmetic."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from medasst.config import parse
from medasst.conversation import Conversation
from medasst.data.fingerprints import FILE, fingerprints
from medasst.data.questions import cores_of
from medasst.disk import package_file
from medasst.errors import MedasstError
from medasst.evaluation import EvaluateConfig, System, evaluate
from medasst.evaluation.outcomes import declines
from medasst.evaluation.qa import Likeness
from medasst.evaluation.task import KINDS
from medasst.models import ScriptedModel

ASKED = [
    "我口臭很久了应该怎么办？",
    "三岁孩子发烧三十九度能吃布洛芬吗？",
    "痛风发作的时候能不能喝啤酒？",
    "高血压病人可以吃阿胶糕吗？",
    "拔牙以后多久可以吃东西？",
    "隐形眼镜戴久了眼睛发红怎么处理？",
]
STEM = "下列哪种维生素缺乏会引起坏血病？"


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., EvaluateConfig]:
    talks = [
        {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": f"{asked[:4]}的话，先看看医生。"}]}
        for asked in ASKED
    ]
    (tmp_path / "qa.jsonl").write_text("".join(json.dumps(t, ensure_ascii=False) + "\n" for t in talks), "utf-8")
    options = {"A": "维生素C", "B": "维生素A", "C": "维生素D", "D": "烟酸"}
    exam = [{"question": STEM, "options": options, "answer": "A"}, {"question": ASKED[2], "options": options, "answer": "D"}]
    (tmp_path / "exam.jsonl").write_text("".join(json.dumps(q, ensure_ascii=False) + "\n" for q in exam), "utf-8")

    def make(**settings: Any) -> EvaluateConfig:
        tasks = [
            {"name": "qa", "kind": "qa", "path": "qa.jsonl"},
            {"name": "exam", "kind": "choice", "path": "exam.jsonl", "recipe": "cmexam"},
        ]
        return parse(EvaluateConfig, {"tasks": tasks, "resamples": 100, **settings}, root=tmp_path)

    return make


def trained(model: ScriptedModel, training: Path | None) -> System:
    return System(model.name, lambda: model, fingerprint={"model": model.name}, training=training)


def test_seen_and_unseen_items_stand_apart(job: Callable[..., EvaluateConfig], tmp_path: Path) -> None:
    turns = pl.Series([[ASKED[0]], ["您好，" + ASKED[1]], [f"{STEM}\nA. 维生素C\nB. 维生素A\nC. 维生素D\nD. 烟酸"]])
    fingerprints(pl.Series(["a", "b", "c"]), cores_of(turns)).write_parquet(tmp_path / FILE)

    def knows(conversation: Conversation) -> str:
        asked = conversation.messages[-1].content
        return f"{asked[:4]}的话，先看看医生。" if asked in ASKED[:2] else "不知道呀不知道。"

    base = ScriptedModel(["不知道呀不知道。"], name="base", score=lambda *_: -1.0)
    tuned = ScriptedModel(knows, name="tuned", score=lambda _, text: -1.0 if text == "维生素C" else -9.0)
    report = evaluate(job(), [trained(base, None), trained(tuned, tmp_path / FILE)], out=tmp_path / "out")
    assert {(s.system, s.task): (s.n, s.seen) for s in report.seen} == {
        ("base", "qa"): (6, None),
        ("base", "exam"): (2, None),
        ("tuned", "qa"): (6, 2),
        ("tuned", "exam"): (2, 1),
    }
    figures = {(r.system, r.task, r.part): (r.value, r.n) for r in report.seen_results if r.metric in ("rouge_1", "accuracy")}
    assert figures["tuned", "qa", "seen"] == (100, 2) and figures["tuned", "exam", "seen"] == (100, 1)
    assert figures["base", "qa", "unseen"] == figures["tuned", "qa", "unseen"]
    assert {row.training for row in report.seen_results} == {"tuned"}
    page = (tmp_path / "out/report.html").read_text("utf-8")
    assert "2 of 6 items stood in the training set of tuned" in page and "在 tuned 的训练集里出现过" in page
    assert "in the training of: base" in page and "tuned, not seen by tuned" in page


def test_items_that_ask_the_same_are_all_seen(job: Callable[..., EvaluateConfig], tmp_path: Path) -> None:
    double = [
        [("user", ASKED[0]), ("assistant", "先看医生吧。")],
        [("user", f"请问{ASKED[0]}谢谢"), ("assistant", "多漱口就好。")],
    ]
    rows = [{"messages": [{"role": role, "content": text} for role, text in talk]} for talk in double]
    (tmp_path / "qa.jsonl").write_text("".join(json.dumps(t, ensure_ascii=False) + "\n" for t in rows), "utf-8")
    fingerprints(pl.Series(["a"]), cores_of(pl.Series([[ASKED[0]]]))).write_parquet(tmp_path / FILE)
    model = ScriptedModel(["好的好的好的。"], name="m", score=lambda *_: -1.0)
    report = evaluate(job(), [trained(model, tmp_path / FILE)], out=tmp_path / "out")
    assert [(s.task, s.seen) for s in report.seen] == [("qa", 2), ("exam", 0)]


def test_without_fingerprints_it_is_unknown_and_says_why(job: Callable[..., EvaluateConfig], tmp_path: Path) -> None:
    model = ScriptedModel(["好的。"], name="m", score=lambda *_: -1.0)
    report = evaluate(job(), [trained(model, tmp_path / "gone" / FILE)], out=tmp_path / "out")
    assert [s.seen for s in report.seen] == [None, None]
    assert "no fingerprints of train questions" in report.seen[0].why


def test_what_became_of_the_answers_is_counted(job: Callable[..., EvaluateConfig], tmp_path: Path) -> None:
    says = ["多喝水，多休息，好得快。", "多喝水，多休息，好得快。", " ", "抱歉，我无法回答这个问题。", "", "好"]
    model = ScriptedModel(lambda c: says[ASKED.index(c.messages[-1].content)], name="m", score=lambda *_: -1.0)
    report = evaluate(job(), [model], out=tmp_path / "out")
    found = {one.task: one for one in report.outcomes}
    qa, exam = found["qa"], found["exam"]
    assert (qa.n, qa.empty, qa.refused, qa.identical, qa.truncated, qa.failed, qa.unparsed) == (6, 2, 1, 2, 0, 0, 0)
    assert (exam.n, exam.empty, exam.refused, exam.identical) == (2, None, None, None)


def test_declining_is_known_from_answering() -> None:
    table = tomllib.loads(package_file("evaluation/outcomes.toml").read_text("utf-8"))["refused"]
    assert [text for text in table["declines"] if not declines(text)] == []
    assert [text for text in table["answers"] if declines(text)] == []


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (lambda found: found._replace(bleu_4=found.bleu_4 / 2), "bleu_4 is 25.0000 where arithmetic says 50.0000"),
        (lambda found: found._replace(rouge_l=1.0), "rouge_l"),
        (lambda found: found._replace(unstopped=0.0), "unstopped is 0.0000"),
        (lambda found: found._replace(predicted_chars=1.0), "length_ratio"),
    ],
)
def test_a_broken_score_stops_the_evaluation(
    broken: Callable[[Any], Any],
    told: str,
    job: Callable[..., EvaluateConfig],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sound = Likeness.score
    monkeypatch.setattr(Likeness, "score", lambda self, item, record: broken(sound(self, item, record)))
    with pytest.raises(MedasstError, match=told):
        evaluate(job(), [ScriptedModel(["好。"], name="m", score=lambda *_: -1.0)], out=tmp_path / "out")
    assert not (tmp_path / "out" / "predictions").exists()


def test_the_first_screen_says_in_words_what_was_found_and_what_was_not(
    job: Callable[..., EvaluateConfig], tmp_path: Path
) -> None:
    def says(conversation: Conversation) -> str:
        return f"{conversation.messages[-1].content.partition('还')[0]}的话，先看看医生。"

    talks = [
        [{"role": "user", "content": f"第{n}天还咳嗽？"}, {"role": "assistant", "content": f"第{n}天的话，先看看医生。"}]
        for n in range(40)
    ]
    (tmp_path / "qa.jsonl").write_text("".join(json.dumps({"messages": t}, ensure_ascii=False) + "\n" for t in talks), "utf-8")
    base = ScriptedModel(["抱歉，我无法回答这个问题。"], name="base", score=lambda *_: -1.0)
    tuned = ScriptedModel(says, name="tuned", score=lambda _, text: -1.0 if text == "维生素C" else -9.0)
    evaluate(job(resamples=1000), [base, tuned], out=tmp_path / "out", command="medasst evaluate job.toml")
    page = (tmp_path / "out/report.html").read_text("utf-8")
    first = page[page.index('<section class="first">') : page.index("</section>")]
    assert "qa: tuned has " in first and "better by" in first and "qa：tuned 的" in first and "更好，相差" in first
    assert "exam: tuned and base are tied" in first and "分不出高下" in first
    assert "of 40 answers of base" in first and "Neither shows that an answer is right or safe" in first
    assert "medasst evaluate job.toml" in page and "Where tuned gains most on base" in page


def test_every_word_of_the_page_is_there_in_both_languages() -> None:
    table = tomllib.loads(package_file("evaluation/report.toml").read_text("utf-8"))
    fields = {key: [sorted(re.findall(r"{\w+}", text)) for text in texts] for key, texts in table["words"].items()}
    assert [key for key, both in fields.items() if len(both) != 2 or both[0] != both[1]] == []
    template = package_file("evaluation/report.html").read_text("utf-8")
    assert set(re.findall(r'\bt\("(\w+)"', template)) <= set(table["words"])
    named = {metric.name for kind in KINDS for metric in KINDS[kind].scoring.metrics}
    assert named <= set(table["metrics"])
