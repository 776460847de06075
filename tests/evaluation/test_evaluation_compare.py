"""Two reports against each other: by how much, on which items, and why; what isn't comparable is never subtracted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medasst import cli
from medasst.config import parse
from medasst.errors import ConfigError, DataError
from medasst.evaluation import EvaluateConfig, System, evaluate
from medasst.evaluation.compare import ReportComparison, TaskComparison, compare_reports
from medasst.models import ScriptedModel

ASKED = {f"第{n}天还在咳嗽，怎么办？": f"先多喝水休息{n}天，不见好就去医院看看。" for n in range(40)}
Run = Callable[..., Path]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Evaluates a system that answers the first `right` questions perfectly, the others with `otherwise`."""

    def evaluated(name: str, right: int, *, system: str = "m", otherwise: str = "不知道。", **settings: Any) -> Path:
        known = dict(list(ASKED.items())[:right])
        rows = settings.pop("rows", list(ASKED.items()))
        lines = (
            json.dumps({"messages": [{"role": "user", "content": q}, {"role": "assistant", "content": a}]}) for q, a in rows
        )
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines), "utf-8")
        model = ScriptedModel(lambda talk: known.get(talk.messages[0].content, otherwise), name=system)
        noted = {"engine": settings.pop("engine", "scripted"), "base": settings.pop("base", "a")}
        tasks = [{"name": settings.pop("task", "cough"), "kind": "qa", "path": f"{name}.jsonl"}]
        config = parse(EvaluateConfig, {"tasks": tasks, "resamples": 2_000, **settings}, root=tmp_path)
        evaluate(config, [System.holding(model, noted)], out=tmp_path / name)
        return tmp_path / name

    return evaluated


def only(found: ReportComparison) -> TaskComparison:
    (task,) = found.tasks
    return task


def test_a_better_system_is_better_and_the_reason_is_named(run: Run) -> None:
    found = compare_reports(run("a", 10), run("b", 25, base="b"))
    task = only(found)
    likeness = next(figure for figure in task.figures if figure.metric == "rouge_l")
    assert (task.status, task.common, task.same_answers, found.comparisons) == ("compared", 40, 25, 4)
    assert likeness.verdict == "better" and likeness.difference is not None and likeness.difference > 30
    assert likeness.p is not None and likeness.p_holm is not None and likeness.p <= likeness.p_holm < 0.05
    assert (likeness.more, likeness.less, likeness.equal) == (15, 0, 25)
    assert len(task.gained) == 5 and not task.lost
    assert [(reason.about, reason.what, reason.a, reason.b) for reason in found.reasons] == [("model", "base", "a", "b")]
    assert "ROUGE-L better (+" in found.sentences()[0] and "differ in: model" in found.sentences()[1]


def test_equal_reports_are_tied_and_nothing_else_differs(run: Run) -> None:
    found = compare_reports(run("a", 20), run("b", 20))
    assert {figure.verdict for figure in only(found).figures if figure.verdict} == {"tied"}
    assert found.reasons == () and "Nothing else that is recorded differs." in found.sentences()


def test_only_common_items_count_and_the_others_are_told(run: Run) -> None:
    rows = list(ASKED.items())
    found = compare_reports(run("a", 20, rows=rows[:30]), run("b", 20, rows=rows[10:]))
    task = only(found)
    assert (task.common, task.only_a, task.only_b) == (20, 10, 10)
    assert next(figure for figure in task.figures if figure.metric == "bleu_4").n == 20
    assert [reason.about for reason in found.reasons] == ["items"]
    assert "10 items of A alone, 10 of B alone" in found.sentences()[0]


def test_an_item_whose_reference_changed_is_another_item(run: Run) -> None:
    a, b = run("a", 20), run("b", 20)
    path = b / "predictions/m/cough.jsonl"
    records = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    records[0]["label"], records[1]["prompt"] = "别的答案", "换一种问法"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    found = compare_reports(a, b)
    assert only(found).common == 39
    assert [(reason.about, reason.b) for reason in found.reasons] == [("references", "1 of 40"), ("prompts", "1 of 39")]


def test_another_protocol_is_shown_and_not_subtracted(run: Run) -> None:
    found = compare_reports(run("a", 10), run("b", 30, max_new_tokens=128))
    task = only(found)
    assert task.status == "another protocol" and found.comparisons == 0
    assert all(figure.difference is None and figure.a is not None and figure.b is not None for figure in task.figures)
    assert {reason.about for reason in found.reasons} == {"protocol", "decoding"}
    assert "another protocol" in found.sentences()[0]


def test_another_scoring_is_shown_and_not_subtracted(run: Run) -> None:
    a, b = run("a", 10), run("b", 30)
    report = json.loads((a / "report.json").read_text("utf-8"))
    report["tasks"][0]["scoring"] = "characters_words/v0"
    (a / "report.json").write_text(json.dumps(report), "utf-8")
    found = compare_reports(a, b)
    assert only(found).status == "another scoring"
    assert [reason.about for reason in found.reasons] == ["extraction"]


def test_items_drawn_by_another_seed_and_nothing_in_common(run: Run) -> None:
    rows = list(ASKED.items())
    found = compare_reports(run("a", 5, rows=rows[:20]), run("b", 5, rows=rows[20:], seed=8))
    assert only(found).status == "no common items"
    assert [(reason.about, reason.what) for reason in found.reasons] == [("items", "seed of the draw"), ("items", "items")]


def test_systems_are_matched_by_name_or_as_told(run: Run) -> None:
    a, b = run("a", 10, system="base"), run("b", 20, system="tuned")
    assert only(compare_reports(a, b)).systems == ("base", "tuned")
    with pytest.raises(ConfigError, match="did you mean 'tuned'"):
        compare_reports(a, b, ("base", "tunde"))
    with pytest.raises(ConfigError, match="one report"):
        compare_reports(a, a)
    with pytest.raises(ConfigError, match="no task in common"):
        compare_reports(a, run("c", 1, system="base", task="other"))


def test_what_is_no_report_or_an_old_one_says_what_to_do(run: Run, tmp_path: Path) -> None:
    a = run("a", 10)
    with pytest.raises(DataError, match="medasst evaluate wrote"):
        compare_reports(a, tmp_path / "nowhere")
    scores = a / "scores/m/cough.jsonl"
    kept = scores.read_text("utf-8")
    for broken, message in ((kept[:-20], "is no JSON"), (kept.replace('"bleu_4"', '"blue"'), "'bleu_4'")):
        scores.write_text(broken, "utf-8")
        with pytest.raises(DataError, match=message):
            compare_reports(a, a, ("m", "m"))
    report = json.loads((a / "report.json").read_text("utf-8"))
    (a / "report.json").write_text(json.dumps(report | {"schema_version": 2}), "utf-8")
    with pytest.raises(DataError, match="schema_version is 2"):
        compare_reports(a, a, ("m", "m"))


def test_the_command_writes_page_and_json(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = run("a", 10), run("b", 25, base="b", otherwise="<script>alert(1)</script>")
    assert cli.main(["compare", str(a), str(b), "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr()
    assert printed.out.strip() == str(tmp_path / "out/compare.html")
    assert "better" in printed.err and "BLEU-4" in printed.err
    found = json.loads((tmp_path / "out/compare.json").read_text("utf-8"))
    assert (found["schema_version"], found["tasks"][0]["common"]) == (1, 40)
    page = (tmp_path / "out/compare.html").read_text("utf-8")
    assert "not whether it is right or safe" in page and "<script" not in page and "://" not in page
    assert cli.main(["compare", str(a), str(tmp_path / "nowhere")]) == 2
