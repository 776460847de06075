"""People judge: the sheet is blind, what they fill in comes back, and bad cells are named by line."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from medasst import cli
from medasst.config import parse
from medasst.errors import ConfigError, DataError, InputError
from medasst.evaluation import EvaluateConfig, evaluate
from medasst.evaluation.rating_sheet import Key, key_place, marks, write_sheet
from medasst.evaluation.ratings import read_ratings
from medasst.models import ScriptedModel

ASKED = [f"第{n}天还在咳嗽，怎么办？" for n in range(30)]
Fill = Callable[[Mapping[str, str], str], dict[str, str]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two systems: one answers well, one badly; two answers are the same, one is empty."""
    root = tmp_path_factory.mktemp("rating")
    rows = [{"messages": [{"role": "user", "content": q}, {"role": "assistant", "content": "多喝水。"}]} for q in ASKED]
    (root / "qa.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")

    def good(talk: Any) -> str:
        place = ASKED.index(talk.messages[0].content)
        return "一样的话" if place < 2 else f"=好的回答{place}"

    def bad(talk: Any) -> str:
        place = ASKED.index(talk.messages[0].content)
        return "一样的话" if place < 2 else "" if place == 2 else f"坏的回答{place}"

    tasks = [{"name": "cough", "kind": "qa", "path": "qa.jsonl"}]
    config = parse(EvaluateConfig, {"tasks": tasks, "resamples": 200}, root=root)
    evaluate(config, [ScriptedModel(bad, name="bad"), ScriptedModel(good, name="good")], out=root / "out")
    return root / "out"


def rows_of(sheet: Path) -> list[dict[str, str]]:
    with sheet.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def filled(sheet: Path, name: str, fill: Fill) -> Path:
    """A copy of the sheet, each line filled in by whose answer is on the good side."""
    rows = rows_of(sheet)
    target = sheet.with_name(name)
    with target.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows({**row, **fill(row, "甲" if "好的" in row["回答甲"] else "乙")} for row in rows)
    return target


def praise(row: Mapping[str, str], better: str) -> dict[str, str]:
    """The good one gets every yes but for clarity, which nobody tells apart."""
    said = {name: "是" if name.startswith(better) or name.endswith("清楚") else "否" for name in marks().values()}
    return {"哪个更好": better, **said}


def test_the_sheet_is_blind_and_repeats_with_its_seed(run: Path, tmp_path: Path) -> None:
    key = write_sheet([run], tmp_path / "sheet.csv", limit=20)
    rows = rows_of(tmp_path / "sheet.csv")
    assert (len(rows), key.common, key.identical, key.silent) == (20, 30, 2, (1, 0))
    text = (tmp_path / "sheet.csv").read_text("utf-8-sig")
    assert not any(name in text for name in ("good", "bad", "cough", "scripted"))
    assert sum("好的" in row["回答甲"] for row in rows) == 10
    assert all(cell.startswith((" =", "坏")) for row in rows for cell in (row["回答甲"], row["回答乙"]))  # no formula
    write_sheet([run], tmp_path / "again.csv", limit=20)
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "sheet.csv").read_bytes()
    assert write_sheet([run], tmp_path / "other.csv", limit=20, seed=8).rows != key.rows
    for row, line in zip(key.rows, rows, strict=True):
        assert (row.first == "left") == ("坏" in line["回答甲"])  # the first system is the bad one


def test_ratings_come_back_with_intervals_and_agreement(run: Path, tmp_path: Path) -> None:
    write_sheet([run], tmp_path / "sheet.csv")
    one, other = (filled(tmp_path / "sheet.csv", name, praise) for name in ("li.csv", "wang.csv"))
    report = read_ratings([one, other])
    assert (report.systems, report.raters, report.items, report.shown) == (("bad", "good"), {"li": 27, "wang": 27}, 27, 27)
    assert report.decided.value == 100 and report.decided.n == 54
    assert report.decided.low == pytest.approx(87.5, abs=0.2)  # of 27 items, not of 54 ratings
    assert report.left.low is not None and report.left.high is not None and report.left.low < 50 < report.left.high
    asked = {question.name: question for question in report.questions}
    assert list(asked) == ["preferred", "right", "safe", "complete", "clear", "kind"]
    assert (asked["preferred"].verdict, asked["right"].verdict, asked["clear"].verdict) == ("better", "better", "tied")
    assert asked["right"].alpha == 1 and asked["clear"].alpha is None
    assert "good preferred" in report.sentences()[0] and "alpha 1.00" in report.sentences()[0]


def test_raters_who_contradict_each_other_are_tied_and_do_not_agree(run: Path, tmp_path: Path) -> None:
    write_sheet([run], tmp_path / "sheet.csv")

    def opposite(row: Mapping[str, str], better: str) -> dict[str, str]:
        return {"哪个更好": "乙" if better == "甲" else "甲", "评分人": "王"}

    report = read_ratings([filled(tmp_path / "sheet.csv", n, f) for n, f in (("a.csv", praise), ("b.csv", opposite))])
    preferred = report.questions[0]
    assert report.raters == {"a": 27, "王": 27}
    assert preferred.verdict == "tied" and preferred.alpha is not None and preferred.alpha < -0.9
    assert report.questions[1].first.n == 27  # the second rater left the five questions empty


def test_a_workbook_goes_out_and_comes_back(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheet = tmp_path / "sheet.xlsx"
    assert cli.main(["rate", str(run), "--systems", "bad", "good", "--limit", "9", "--out", str(sheet)]) == 0
    assert capsys.readouterr().out.strip() == str(sheet)
    page = pl.read_excel(sheet, sheet_name="评价")
    better = ["甲" if "好的" in text else "一样" if n == 0 else "乙" for n, text in enumerate(page["回答甲"])]
    page.with_columns(pl.Series("哪个更好", better), pl.lit("李").alias("评分人")).write_excel(tmp_path / "li.xlsx", "评价")
    assert cli.main(["rate", "--read", str(tmp_path / "li.xlsx"), "--out", str(tmp_path / "r.json")]) == 0
    printed = capsys.readouterr()
    report = json.loads(Path(printed.out.strip()).read_text("utf-8"))
    assert (report["schema_version"], report["raters"], report["questions"][0]["alpha"]) == (1, {"李": 9}, None)
    assert report["decided"]["value"] == 100 and "agreement isn't known" in printed.err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"哪个更好": "丙"}, "bad.csv:3: 哪个更好: '丙' is no answer; write 甲、乙、一样, or nothing"),
        ({"甲 安全": "大概"}, "bad.csv:3: 甲 安全: '大概' is no answer; write 是、部分、否, or nothing"),
        ({"编号": "999"}, "bad.csv:3: 编号: '999' isn't in the key"),
        ({"核对码": "00000000"}, "bad.csv:3: 核对码: '00000000' is of another sheet"),
    ],
)
def test_bad_cells_are_named_by_line_with_what_to_do(run: Path, tmp_path: Path, change: dict[str, str], message: str) -> None:
    write_sheet([run], tmp_path / "sheet.csv")
    second = rows_of(tmp_path / "sheet.csv")[1]["编号"]
    bad = filled(
        tmp_path / "sheet.csv",
        "bad.csv",
        lambda row, better: {**praise(row, better), **(change if row["编号"] == second else {})},
    )
    with pytest.raises(DataError) as caught:
        read_ratings([bad])
    assert message in str(caught.value)


def test_one_rater_once_and_columns_and_keys_must_be_there(run: Path, tmp_path: Path) -> None:
    write_sheet([run], tmp_path / "sheet.csv")
    named = filled(tmp_path / "sheet.csv", "a.csv", lambda row, better: {**praise(row, better), "评分人": "李"})
    with pytest.raises(DataError, match=r"a.csv:2: 李 judged 001 in a.csv:2|judged 001"):
        read_ratings([named, filled(tmp_path / "sheet.csv", "b.csv", lambda row, better: {"哪个更好": better, "评分人": "李"})])
    with pytest.raises(DataError, match="nothing is filled in"):
        read_ratings([tmp_path / "sheet.csv"])
    lacking = tmp_path / "c.csv"
    lacking.write_text(named.read_text("utf-8-sig").replace("哪个更好", "哪个好"), "utf-8")
    with pytest.raises(DataError, match="the column 哪个更好 isn't there"):
        read_ratings([lacking])
    key = key_place(tmp_path / "sheet.csv")
    moved = key.rename(tmp_path / "elsewhere.json")
    with pytest.raises(DataError, match="--key"):
        read_ratings([named])
    assert read_ratings([named], moved).items == 27
    moved.write_text("{}", "utf-8")
    with pytest.raises(DataError, match="is no key of a sheet"):
        read_ratings([named], moved)


def test_what_to_show_must_be_clear(run: Path, tmp_path: Path) -> None:
    def sheet(*folders: Path, **settings: Any) -> Key:
        return write_sheet(folders, tmp_path / "s.csv", **settings)

    with pytest.raises(ConfigError, match="let its name end"):
        write_sheet([run], tmp_path / "s.docx")
    with pytest.raises(ConfigError, match="--systems"):
        sheet(run, run)
    with pytest.raises(ConfigError, match="did you mean 'good'"):
        sheet(run, systems=("bad", "goood"))
    with pytest.raises(ConfigError, match="did you mean 'cough'"):
        sheet(run, tasks=["couhg"])
    with pytest.raises(InputError, match="nothing to judge"):
        sheet(run, systems=("good", "good"))
    assert sheet(run, run, systems=("good", "bad")).systems == ("good", "bad")
