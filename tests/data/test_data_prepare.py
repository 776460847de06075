"""The whole of `prepare`: what comes out, that it is the same whatever came between, and what bad input leads to."""

from __future__ import annotations

import errno
import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from medasst.config import load
from medasst.data import PrepareConfig, SplitSettings, load_manifest, load_split, prepare, raw, read_exam, result
from medasst.errors import ConfigError, DataError
from medasst.text import bucket

HAN = "头痛发热咳嗽腹泻便秘失眠皮疹口干乏力恶心胸闷腰酸耳鸣牙龈出血关节肿胀"


def qa(n: int, seed: int = 1) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    words = [HAN[i : i + 2] for i in range(len(HAN) - 1)]

    def said(k: int) -> str:
        return "".join(rng.choices(words, k=k))

    return [{"question": f"{said(8)}怎么办？", "answer": f"{said(12)}，{said(9)}。"} for _ in range(n)]


def exams(n: int, seed: int = 2) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    rows = []
    for i in range(n):
        stem = f"第{i}题" + "".join(rng.choices(HAN, k=20))
        options = {letter: "".join(rng.choices(HAN, k=5)) for letter in "ABCD"}
        rows.append(
            {
                "question": stem,
                "options": options,
                "answer": rng.choice("ABCD"),
                "explanation": "".join(rng.choices(HAN, k=40)) + "。",
            }
        )
    return rows


def lines(path: Path, rows: list[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join((r if isinstance(r, str) else json.dumps(r, ensure_ascii=False)) + "\n" for r in rows), "utf-8")


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """Two sources with duplicates, personal data, bad rows and questions of a named test set."""
    rows = qa(400)
    first, second = rows[:220], rows[200:]  # 20 exact duplicates between the sources
    first[0] = {"question": "我电话13812345678，头痛三天怎么办", "answer": "先休息，体温高再来复查，多喝温水。"}
    second += [
        "{not json",
        {"question": "没有回答吗", "answer": None},
        {"question": "头晕乏力怎么办", "answer": "建议先卧床休息两天，多喝温水，如果"},
    ]
    near = dict(rows[5])
    near["answer"] = near["answer"][:-1] + "！！"
    second.append(near)
    lines(tmp_path / "raw/a/1.jsonl", first[:120])
    lines(tmp_path / "raw/a/2.jsonl", first[120:])
    lines(tmp_path / "raw/b/b.jsonl", second)
    questions = exams(200)
    lines(tmp_path / "raw/exam/exam.jsonl", questions)
    lines(tmp_path / "raw/held/held.jsonl", [{**q, "explanation": ""} for q in questions[:20]])
    (tmp_path / "prepare.toml").write_text(
        """
[[sources]]
name = "a"
path = "raw/a/*.jsonl"
trust = 2
licence = "ours"
[[sources]]
name = "b"
path = "raw/b/*.jsonl"
[[sources]]
name = "exam"
recipe = "exam-explanations"
path = "raw/exam/*.jsonl"
[[decontaminate]]
name = "held"
layout = "exam"
path = "raw/held/*.jsonl"
[[decontaminate]]
name = "exam"
layout = "exam"
path = "raw/exam/*.jsonl"
split = "test"
[split]
validation = 0.05
test = 0.2
""",
        "utf-8",
    )
    return tmp_path


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many chunks, units, runs and files even of a small set, cleaned by processes."""
    monkeypatch.setattr(raw, "SMALL", 0)
    monkeypatch.setattr(raw, "BATCH", 50)
    monkeypatch.setattr(raw, "UNIT", 20_000)
    monkeypatch.setattr(result, "RUN", 3)
    monkeypatch.setattr(result, "SHARD", 100)


def run(folder: Path, out: str = "out", *overrides: str) -> Any:
    return prepare(load(PrepareConfig, folder / "prepare.toml", overrides), folder / out)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != "run.json"}


def test_what_comes_out(job: Path) -> None:
    report = run(job)
    manifest = load_manifest(job / "out")
    splits = {name: load_split(job / "out", name) for name in ("train", "validation", "test")}  # type: ignore[arg-type]
    rejected = pl.read_parquet(job / "out" / "rejected-*.parquet")
    # Everything read is either kept or set aside with a reason.
    assert manifest["read"] == sum(map(len, splits.values())) + len(rejected) == 220 + 204 + 200
    assert report.counts()["train"] == len(splits["train"])
    assert sum(manifest["dropped"].values()) == len(rejected)
    reasons = Counter(rejected.select(pl.col("stage") + ":" + pl.col("reason")).to_series())
    assert reasons["read:not_json"] == 1 and reasons["read:no_answer"] == 1 and reasons["clean:cut_off"] == 1
    assert reasons["duplicate:exact"] == 20 and reasons["duplicate:near"] == 1
    bad = rejected.filter(pl.col("reason") == "not_json").row(0, named=True)
    assert (bad["source"], bad["file"], bad["line"]) == ("b", "b.jsonl", 201)
    # The more trusted source keeps the duplicate.
    assert set(rejected.filter(pl.col("stage") == "duplicate")["source"]) == {"b"}
    for conversations in splits.values():
        ids = [c.id for c in conversations]
        assert ids == sorted(ids)
        assert all(c.licence == ("ours" if c.source == "a" else "") for c in conversations)
    assert "13812345678" not in "".join(str(path.read_bytes()) for path in (job / "out").iterdir())
    assert any("[电话]" in c.first_user for part in splits.values() for c in part)


def test_split_follows_the_bucket_and_no_test_question_stays_in_train(job: Path) -> None:
    run(job)
    shares = SplitSettings(validation=0.05, test=0.2)
    for name in ("train", "validation", "test"):
        for conversation in load_split(job / "out", name):  # type: ignore[arg-type]
            assert shares.of(conversation.meta.get("stem", conversation.first_user)) == name
    stems = {c.meta.get("stem") for c in load_split(job / "out", "train")}
    held = {q.question for q in read_exam(str(job / "raw/held/*.jsonl"))}
    tested = {q.question for q in read_exam(str(job / "raw/exam/*.jsonl")) if bucket(q.question) < 2000}
    assert tested and held and not stems & (held | tested)
    rejected = pl.read_parquet(job / "out" / "rejected-*.parquet").filter(pl.col("stage") == "decontaminate")
    assert rejected["matched_id"].str.starts_with("held/").all() and len(rejected) > 5


def test_a_test_question_without_an_explanation_is_kept_out_of_train_all_the_same(job: Path) -> None:
    """The near twin of a question that evaluation asks but the prepared set never held."""
    shares = SplitSettings(validation=0.05, test=0.2)
    stem = next(s for s in (f"下列哪一项是青霉素类药物最常见的不良反应类型{i}" for i in range(99)) if shares.of(s) == "test")
    twin = next(t for t in (f"{stem}？（　　）{tail}" for tail in "甲乙丙丁戊己庚辛壬癸") if shares.of(t) == "train")
    option = {"options": ["过敏", "耳鸣"], "answer": "A"}
    rows = [
        *exams(30, 5),
        {"question": stem, **option},
        {"question": twin, **option, "explanation": "青霉素类药物最常见过敏反应。"},
    ]
    lines(job / "raw/exam/exam.jsonl", rows)
    run(job)
    rejected = pl.read_parquet(job / "out" / "rejected-*.parquet").filter(pl.col("reason") == "near:exam")
    assert len(rejected) == 1 and twin[:20] in rejected["text"][0]


def test_a_held_back_question_in_traditional_characters_is_found_all_the_same(job: Path) -> None:
    asked = "頭痛發熱咳嗽還有腹瀉，請問應該吃什麼藥纔好得快？"
    with (job / "raw/a/1.jsonl").open("a", encoding="utf-8") as file:
        simple = {
            "question": "头痛发热咳嗽还有腹泻，请问应该吃什么药才好得快？",
            "answer": "先休息两天，多喝温水，再去医院复查。",
        }
        file.write(json.dumps(simple, ensure_ascii=False) + "\n")
    row = {"question": asked, "options": {"A": "甲", "B": "乙", "C": "丙", "D": "丁"}, "answer": "A"}
    with (job / "raw/held/held.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")
    report = run(job, "out", "split.test=0.02", "split.validation=0")
    rejected = pl.read_parquet(job / "out/rejected-*.parquet").filter(pl.col("reason").str.starts_with("exact:held"))
    assert any("腹泻" in text for text in rejected["text"]), report.summary()


def test_same_bytes_whatever_the_order_of_files_and_sources(job: Path) -> None:
    run(job)
    head, *tables = (job / "prepare.toml").read_text("utf-8").split("[[")
    *tables, last = tables
    last, _, split = last.partition("[split]")
    (job / "prepare.toml").write_text("[[".join([head, *reversed([*tables, last])]) + "\n[split]" + split, "utf-8")
    run(job, "other")
    assert contents(job / "out") == contents(job / "other")


def test_a_finished_run_is_reused_until_something_changes(job: Path) -> None:
    assert not run(job).reused
    before = contents(job / "out")
    assert run(job).reused
    assert contents(job / "out") == before
    assert not run(job, "out", "split.test=0.1").reused
    with (job / "raw/a/1.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(qa(1, 77)[0], ensure_ascii=False) + "\n")
    assert run(job, "out", "split.test=0.1").manifest["read"] == 625


STAGES = ["read and clean", "minhash", "near duplicates", "decontaminate", "sort", "write train"]


@pytest.mark.parametrize("stop", STAGES)
def test_a_run_that_was_stopped_anywhere_goes_on_to_the_same_bytes(job: Path, stop: str) -> None:
    run(job, "whole")

    def interrupt(stage: str, done: float, total: float | None = None, **facts: float) -> None:
        if stage == stop:
            raise KeyboardInterrupt

    config = load(PrepareConfig, job / "prepare.toml")
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            prepare(config, job / "out", interrupt)
        assert not (job / "out").exists()
    run(job)
    assert contents(job / "out") == contents(job / "whole")
    assert not (job / "out.work").exists()


def test_killed_three_times_it_ends_with_the_same_bytes(job: Path, small_chunks: None) -> None:
    """Killed as `kill -9` does, at another place each time, in a process of its own."""
    run(job, "whole", "workers=1")
    program = """
import os, signal, sys
from medasst.config import load
from medasst.data import PrepareConfig, prepare, raw, result
raw.SMALL, raw.BATCH, raw.UNIT, result.RUN, result.SHARD = 0, 50, 20_000, 3, 100
def kill(stage, done, total=None, **facts):
    if stage == sys.argv[2] and done >= float(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
prepare(load(PrepareConfig, sys.argv[1] + "/prepare.toml"), sys.argv[1] + "/out", kill)
"""
    for stage, done in [("read and clean", 250), ("near duplicates", 0), ("write train", 2)]:
        command = [sys.executable, "-c", program, str(job), stage, str(done)]
        # Into a file: a pipe would wait for the killed run's workers, which end by themselves a little later.
        with (job / "log.txt").open("w") as log:
            killed = subprocess.run(command, check=False, stdout=log, stderr=log)
        assert killed.returncode == -signal.SIGKILL, (job / "log.txt").read_text("utf-8")
        assert not (job / "out").exists()
    run(job)
    assert contents(job / "out") == contents(job / "whole")


@pytest.mark.parametrize("workers", [2, 5])
def test_same_bytes_for_any_number_of_workers_and_any_order_of_files(job: Path, small_chunks: None, workers: int) -> None:
    run(job, "one", "workers=1")
    assert len(list((job / "one").glob("train-*.parquet"))) > 3
    # The same records in other files: only which file a dropped one stood in may differ.
    rows = (job / "raw/a/1.jsonl").read_text("utf-8").splitlines() + (job / "raw/a/2.jsonl").read_text("utf-8").splitlines()
    run(job, "many", f"workers={workers}")
    assert contents(job / "one") == contents(job / "many")
    random.Random(3).shuffle(rows)
    lines(job / "raw/a/1.jsonl", rows[:20])
    lines(job / "raw/a/2.jsonl", rows[20:])
    run(job, "shuffled", f"workers={workers}")
    ours = {"fingerprints.parquet", "test.parquet", "validation.parquet"} | {p.name for p in (job / "one").glob("train-*")}
    one, shuffled = contents(job / "one"), contents(job / "shuffled")
    assert {name: one[name] for name in ours} == {name: shuffled[name] for name in ours}


def test_chunks_change_nothing(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(job, "large")
    monkeypatch.setattr(raw, "BATCH", 37)
    monkeypatch.setattr(raw, "UNIT", 10_000)
    monkeypatch.setattr(result, "RUN", 2)
    run(job, "small")
    assert contents(job / "large") == contents(job / "small")


def test_a_file_that_changed_since_an_interrupted_run_is_told_and_read_again(job: Path) -> None:
    def interrupt(stage: str, done: float, total: float | None = None, **facts: float) -> None:
        if stage == "minhash":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(load(PrepareConfig, job / "prepare.toml"), job / "out", interrupt)
    with (job / "raw/a/2.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(qa(1, 77)[0], ensure_ascii=False) + "\n")
    report = run(job)
    assert report.notes == ["a/2.jsonl changed since the interrupted run; it is read again"]
    assert report.notes[0] in report.summary()
    run(job, "fresh")
    assert contents(job / "out") == contents(job / "fresh")


def test_a_full_disk_leaves_nothing_that_looks_finished(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: pl.DataFrame, *args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pl.DataFrame, "write_parquet", full)
    with pytest.raises(OSError, match="No space"):
        run(job)
    assert not (job / "out").exists()
    monkeypatch.undo()
    assert run(job).counts()["train"] > 100


def test_damaged_input_is_counted_and_the_rest_goes_on(job: Path) -> None:
    data = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in qa(300, 5)).encode()
    (job / "raw/b/c.jsonl.gz").write_bytes(gzip.compress(data)[:-300])
    (job / "raw/b/d.jsonl").write_bytes(b"")
    (job / "raw/b/e.json").write_bytes(json.dumps(qa(3, 9), ensure_ascii=False).encode("gb18030"))
    report = run(job, "out", 'sources.1.path="raw/b/*"')
    assert report.manifest["dropped"]["read: unreadable"] == 1
    files = {f["name"] for s in report.manifest["sources"] for f in s["files"]}
    assert {"c.jsonl.gz", "d.jsonl", "e.json"} <= files


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        (['sources.0.recipe="huatuo26"'], ConfigError, "huatuo26m"),
        (['sources.0.path="raw/none/*"'], DataError, "no file matches"),
        (['sources.0.name="b"'], ConfigError, "given twice"),
        (["split.test=0.97"], ConfigError, "something to train on"),
        (['clean.off=["advertisng"]'], ConfigError, "advertising"),
        (["near_duplicates.treshold=0.9"], ConfigError, "threshold"),
        (['decontaminate.0.recipe="cmexan"'], ConfigError, "cmexam"),
    ],
)
def test_wrong_settings_are_told_before_any_work(job: Path, overrides: list[str], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        run(job, "out", *overrides)
    assert not (job / "out").exists() and not (job / "out.work").exists()


def test_sources_without_a_usable_record_say_why(job: Path) -> None:
    for name in ("a/1.jsonl", "a/2.jsonl", "b/b.jsonl", "exam/exam.jsonl"):
        lines(job / "raw" / name, [{"x": 1}])
    told = r"(?s)no usable record.*a, missing_field 2: 1.jsonl:1: .*fields x.*exam, missing_field 1: exam.jsonl:1"
    with pytest.raises(DataError, match=told):
        run(job, "out", "decontaminate=[]")
    assert not (job / "out.work").exists()  # nothing in it is of use


def test_a_folder_that_holds_something_else_is_left_alone(job: Path) -> None:
    (job / "out").mkdir()
    (job / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(DataError, match="no prepared set"):
        run(job)
    assert (job / "out" / "thesis.txt").read_text() == "mine"


def test_cap_and_weight_change_train_only(job: Path) -> None:
    whole = run(job, "whole").manifest["splits"]
    report = run(job, "out", "sources.0.cap=30", "sources.1.weight=0.5", "sources.2.weight=2.5")
    splits = report.manifest["splits"]
    assert splits["test"] == whole["test"] and splits["validation"] == whole["validation"]
    assert splits["train"]["sources"]["a"] == 30
    assert 0.3 < splits["train"]["sources"]["b"] / whole["train"]["sources"]["b"] < 0.7
    copies = Counter(c.id for c in load_split(job / "out", "train") if c.source == "exam")
    assert set(copies.values()) == {2, 3}
    assert pl.read_parquet(job / "out/fingerprints.parquet")["id"].n_unique() == splits["train"]["distinct"]


def test_general_conversations_keep_to_their_share(job: Path) -> None:
    whole = run(job, "whole", "sources.1.general=true").manifest
    assert whole["general_share"] > 0.3
    report = run(job, "out", "sources.1.general=true", "general_share=0.1", "sources.0.weight=2")
    train = report.manifest["splits"]["train"]
    assert train["copies"]["b"] / train["records"] == pytest.approx(0.1, abs=0.005)
    assert report.manifest["general_share"] == pytest.approx(0.1, abs=0.005)
    assert report.manifest["dropped"]["mix: general_share"] > 50
    assert report.manifest["splits"]["test"] == whole["splits"]["test"]
    plenty = run(job, "plenty", "sources.1.general=true", "general_share=0.9").manifest
    assert plenty["splits"] == whole["splits"]


def test_the_demo_samples_split_without_near_twins(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    report = prepare(load(PrepareConfig, root / "configs/demo/prepare.toml"), tmp_path / "demo")
    counts = report.counts()
    assert counts["test"] >= 30 and counts["train"] >= 120
    sides: dict[str, set[str]] = {}
    for split in ("train", "validation", "test"):
        for conversation in load_split(tmp_path / "demo", split):  # type: ignore[arg-type]
            if group := conversation.meta.get("group"):
                sides.setdefault(group, set()).add(split)
    assert all(len(found) == 1 for found in sides.values())


@pytest.mark.skipif("MEDASST_DATA" not in os.environ, reason="needs the real sets under MEDASST_DATA")
def test_the_real_mix(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    report = prepare(load(PrepareConfig, root / "configs/real/prepare.toml"), tmp_path / "real")
    assert report.manifest["read"] == 13_023
    test = report.manifest["splits"]["test"]["sources"]
    assert min(test.values()) >= 70 and test["huatuo26m-test"] >= 100
    shares = SplitSettings(**report.manifest["settings"]["split"])
    questions = read_exam(f"{os.environ['MEDASST_DATA']}/cmexam-val/*.gz", "cmexam")
    assert sum(len(q.answers) == 1 and shares.of(q.question) == "test" for q in questions) >= 300
    shutil.rmtree(tmp_path / "real")
