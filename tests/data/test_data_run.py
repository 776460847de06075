"""A run of `prepare` on a bad day: others at work, files that change, a disk that refuses; what it tells of poor sources."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from medasst import cli
from medasst.config import load
from medasst.data import PrepareConfig, load_manifest, load_split, prepare, raw
from medasst.data.workplace import Busy, alone
from medasst.errors import ConfigError, DataError, MedasstError

HAN = "头痛发热咳嗽腹泻便秘失眠皮疹口干乏力恶心胸闷腰酸耳鸣牙龈出血关节肿胀"


def qa(n: int, start: int = 0) -> list[dict[str, Any]]:
    def word(i: int) -> str:
        return HAN[i * 7 % 30 :][:4] + HAN[i * 11 % 31 :][:3]

    numbers = range(start, start + n)
    return [
        {"question": f"{word(i)}{i}号怎么办", "answer": f"{word(i * 3)}先观察{i}天，{word(i * 5)}再复查。"} for i in numbers
    ]


def lines(path: Path, rows: list[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


@pytest.fixture
def job(tmp_path: Path) -> Path:
    lines(tmp_path / "raw/a.jsonl", qa(300))
    lines(tmp_path / "raw/b.jsonl", qa(300, 1000))
    (tmp_path / "prepare.toml").write_text('[[sources]]\nname = "s"\npath = "raw/*"\n[split]\nvalidation = 0.1\ntest = 0.1\n')
    return tmp_path


def config(folder: Path, *overrides: str) -> PrepareConfig:
    return load(PrepareConfig, folder / "prepare.toml", overrides)


def command(folder: Path, *more: str) -> int:
    return cli.main(["prepare", str(folder / "prepare.toml"), "--out", str(folder / "out"), *more])


def at(stage: str, act: Callable[[], None]) -> Callable[..., None]:
    """A progress that acts once, when the stage is first told of."""
    done: list[str] = []

    def progress(name: str, *_: float, **__: float) -> None:
        if name == stage and not done:
            done.append(name)
            act()

    return progress


# ---- files that change -----------------------------------------------------------------------------------------------


def test_a_file_that_changes_while_it_is_read_fails_the_run(job: Path) -> None:
    before = (job / "raw/a.jsonl").read_bytes()

    def change() -> None:
        lines(job / "raw/a.jsonl", qa(300, 5000))

    with pytest.raises(DataError, match=r"a\.jsonl: changed while it was read; run again"):
        prepare(config(job), job / "out", at("hash files", change))
    assert not (job / "out").exists() and not (job / "out.work").exists()
    (job / "raw/a.jsonl").write_bytes(before)
    report = prepare(config(job), job / "out")
    assert not report.reused and report.manifest["read"] == 600


def test_what_a_killed_run_read_is_not_taken_over_when_its_file_was_written_to(
    job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw, "BATCH", 50)
    before = (job / "raw/a.jsonl").read_bytes()

    def stop() -> None:
        raise KeyboardInterrupt

    # The changed bytes are read, the run is stopped, the old bytes come back: the hash alone can't tell.
    lines(job / "raw/a.jsonl", qa(300, 5000))
    changed = (job / "raw/a.jsonl").read_bytes()
    (job / "raw/a.jsonl").write_bytes(before)

    def change() -> None:
        (job / "raw/a.jsonl").write_bytes(changed)

    both = [at("hash files", change), at("read and clean", stop)]
    with pytest.raises(KeyboardInterrupt):
        prepare(config(job), job / "out", lambda *facts, **more: [progress(*facts, **more) for progress in both] and None)
    os.utime(job / "raw/a.jsonl", ns=(1, 1))
    (job / "raw/a.jsonl").write_bytes(before)
    prepare(config(job), job / "out")
    asked = "".join(c.first_user for split in ("train", "validation", "test") for c in load_split(job / "out", split))
    assert "5001号" not in asked and "1号" in asked


def test_a_source_that_is_deleted_meanwhile_is_one_line(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DataError, match=r"b\.jsonl: is gone since the run began"):
        prepare(config(job), job / "out", at("hash files", (job / "raw/b.jsonl").unlink))
    assert not (job / "out.work").exists()
    assert command(job, "--set", 'sources.0.path="raw/nothing/*"') == 2
    assert "no file matches" in capsys.readouterr().err


def test_a_held_back_set_that_changes_fails_the_run(job: Path) -> None:
    lines(job / "held/h.jsonl", [{"question": f"下列哪项{i}", "options": ["甲", "乙"], "answer": "A"} for i in range(9)])
    held = f'decontaminate=[{{path="{job}/held/*", layout="exam"}}]'
    with pytest.raises(DataError, match=r"h\.jsonl: changed while"):
        prepare(config(job, held), job / "out", at("minhash", lambda: lines(job / "held/h.jsonl", [{"x": 1}])))


# ---- one run at a time -----------------------------------------------------------------------------------------------


def test_a_second_run_into_the_same_folder_is_told_who_is_at_work(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    codes: list[int] = []
    report = prepare(config(job), job / "out", at("minhash", lambda: codes.append(command(job))))
    told = capsys.readouterr().err
    assert codes == [1] and f"another run is at work here (process {os.getpid()} on " in told and "--out" in told
    assert report.counts()["train"] > 300 and not (job / "out.work").exists()


def test_the_lock_ends_with_its_process(job: Path) -> None:
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom medasst.data.workplace import alone\n"
        "with alone(Path(sys.argv[1])) as work:\n    (work / 'x').mkdir()\n    print('in', flush=True)\n    time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", program, str(job / "out")], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None and holder.stdout.readline() == "in\n"
    with pytest.raises(Busy, match=f"process {holder.pid} "), alone(job / "out"):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    prepare(config(job), job / "out")
    assert not (job / "out.work").exists()


# ---- a disk that refuses ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [OSError, pl.exceptions.ComputeError])
@pytest.mark.parametrize(("number", "code", "told"), [(errno.ENOSPC, 1, "the disk is full"), (errno.EROFS, 2, "no permission")])
def test_what_the_disk_refuses_is_one_line_with_the_right_code(
    job: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    kind: type[Exception],
    number: int,
    code: int,
    told: str,
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise kind(f"parquet: {os.strerror(number)} (os error {number})")  # as Polars words it, without a number of its own

    monkeypatch.setattr(pl.DataFrame, "write_parquet", refused)
    assert command(job) == code
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("medasst: ")]
    assert told in line
    monkeypatch.undo()
    assert command(job) == 0


def test_a_place_that_can_not_be_written_is_bad_input(
    job: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def denied(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))

    monkeypatch.setattr(Path, "mkdir", denied)  # rights mean nothing to root, who may run this
    assert command(job) == 2
    assert "no permission to read or write here" in capsys.readouterr().err
    monkeypatch.undo()
    (job / "out").write_text("a file")
    assert command(job) == 2
    (job / "out").unlink()
    (job / "out.work").write_text("a file")
    assert command(job) == 2


# ---- kills -----------------------------------------------------------------------------------------------------------


def test_a_run_goes_on_inside_a_large_file(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is finished is not even read again: each of many runs that are stopped after one chunk adds one."""
    monkeypatch.setattr(raw, "BATCH", 50)
    prepare(config(job), job / "whole")

    def stop() -> None:
        raise KeyboardInterrupt

    finished = []
    for _ in range(5):
        with pytest.raises(KeyboardInterrupt):
            prepare(config(job), job / "out", at("read and clean", stop))
        finished.append(len(list((job / "out.work").glob("s-*/*/kept.parquet"))))
    assert finished == [1, 2, 3, 4, 5]
    prepare(config(job), job / "out")
    ours = {path.name: path.read_bytes() for path in (job / "out").iterdir() if path.name != "run.json"}
    whole = {path.name: path.read_bytes() for path in (job / "whole").iterdir() if path.name != "run.json"}
    assert ours == whole


def test_what_other_settings_left_goes_and_a_reused_result_leaves_nothing(job: Path) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    def left() -> set[str]:
        return {path.name.partition("-")[0] for path in (job / "out.work").iterdir() if path.is_dir()}

    prepare(config(job), job / "out")
    with pytest.raises(KeyboardInterrupt):
        prepare(config(job, 'sources.0.name="other"'), job / "out", at("minhash", stop))
    assert left() == {"other", "stages"}
    with pytest.raises(KeyboardInterrupt):
        prepare(config(job, 'sources.0.name="third"'), job / "out", at("read and clean", stop))
    assert left() == {"third"}
    assert prepare(config(job), job / "out").reused and not (job / "out.work").exists()


# ---- what is told ----------------------------------------------------------------------------------------------------


def test_a_source_that_gave_nothing_is_named_with_the_first_row_of_each_reason(job: Path) -> None:
    lines(job / "poor/p.jsonl", [{"ask": "头痛怎么办", "reply": "先休息几天再看。"}, *[{"question": "头痛", "answer": 3}] * 2])
    report = prepare(config(job, f'sources=[{{name="s", path="{job}/raw/*"}}, {{name="p", path="{job}/poor/*"}}]'), job / "out")
    told = report.summary()
    assert "source 'p': 3 of 3 rows could not be read" in told
    assert "not_text 2: p.jsonl:2: answer is int 3, not text" in told
    assert "missing_field 1: p.jsonl:1: no known layout has the fields ask, reply. " in told
    assert 'state a mapping, for example mapping = { question = "ask", answer = "reply" }' in told
    assert any("'p' gave nothing" in warning for warning in load_manifest(job / "out")["warnings"])


def test_a_small_set_without_validation_or_test_is_a_warning(job: Path) -> None:
    lines(job / "raw/a.jsonl", qa(2))
    (job / "raw/b.jsonl").unlink()
    told = prepare(config(job, "split.validation=0.01", "split.test=0"), job / "out").summary()
    assert "warning: no record fell to validation" in told and "fell to test" not in told


def test_what_is_left_out_of_records_is_counted(job: Path) -> None:
    turns = [{"role": "user", "content": "头痛两天怎么办"}, {"role": "tool", "content": "3"}]
    rows = [{"messages": [*turns, {"role": "assistant", "content": f"先休息{i}天，多喝温水。</s>"}]} for i in range(20)]
    lines(job / "tools/t.jsonl", rows)
    report = prepare(
        config(job, f'sources=[{{name="t", path="{job}/tools/*"}}]', "split.test=0", "split.validation=0"), job / "out"
    )
    assert report.manifest["left_out"] == report.manifest["sources"][0]["left_out"] == {"chat marker": 20, "tool_turn": 20}
    assert "left out of records: chat marker 20, tool_turn 20" in report.summary()


def test_a_misspelt_key_is_one_message(job: Path) -> None:
    (job / "prepare.toml").write_text('[[sources]]\nnaem = "s"\npath = "raw/*"\n')
    with pytest.raises(ConfigError) as error:
        config(job)
    assert str(error.value).count("\n") == 0 and "did you mean 'name'" in str(error.value)
    assert isinstance(error.value, MedasstError)
