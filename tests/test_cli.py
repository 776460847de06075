"""The command line: exit codes, one clear line for what a user can mend, results on stdout."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from medasst import cli
from medasst.errors import Stopped


def write(path: Path, text: str) -> str:
    path.write_text(text, "utf-8")
    return str(path)


def test_score_writes_and_prints_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"id": 7, "predict": "多喝水。", "label": "多喝水。"}, {"predict": "休息", "label": "多喝水"}, {"predict": "x"}]
    file = write(tmp_path / "p.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    assert cli.main(["score", file, "--out", str(tmp_path / "out")]) == 0
    report = json.loads(Path(capsys.readouterr().out.strip()).read_text("utf-8"))
    assert (report["n"], report["skipped"]) == (2, 1)
    scores = [json.loads(line) for line in (tmp_path / "out/scores.jsonl").read_text("utf-8").splitlines()]
    assert [row["id"] for row in scores] == [7, 2] and scores[0]["rouge_l"] == 100.0


@pytest.mark.parametrize(
    ("command", "text", "message"),
    [
        ("prepare", "seed = 7", "the key 'sources' is missing"),
        ("prepare", '[[sources]]\nname = "a"\npaht = "x"', "job.toml:3: unknown key 'sources.0.paht'; did you mean 'path'?"),
        ("prepare", '[[sources]]\nname = "a"\npath = "${NO_SUCH_DATA}/x"', "NO_SUCH_DATA is not set"),
        ("prepare", '[[sources]]\nname = "a"\npath = "nothing-*.gz"', "nothing-*.gz"),
        ("train", 'base = "embedded"\ndata = "nowhere"', "no prepared set here (no manifest.json); make one with"),
        ("evaluate", '[[tasks]]\nname = "t"\nkind = "qa"\npath = "x.parquet"', "[[systems]]"),
        ("serve", '[model]\nengine = "lama.cpp"\nbase = "x"', "unknown engine 'lama.cpp'; did you mean 'llama.cpp'?"),
        ("serve", '[model]\nengine = "llama.cpp"\nbase = "smolm2"', "no base model 'smolm2'; did you mean 'smollm2'?"),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, text: str, message: str
) -> None:
    job = write(tmp_path / "job.toml", text)
    out = [] if command == "serve" else ["--out", str(tmp_path / "out")]
    assert cli.main([command, job, *out]) == 2
    printed = capsys.readouterr()
    assert message in printed.err.replace("\n", "") and "Traceback" not in printed.err and not printed.out


def test_a_missing_job_file_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "nowhere.toml"]) == 2
    assert "nowhere.toml: no such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (Stopped("stopped after step 3; run the same command again"), 130, "step 3"),
        (KeyboardInterrupt(), 130, "run the same command again"),
        (OSError(errno.ENOSPC, "No space left on device", "/data/x"), 1, "disk is full (/data/x)"),
    ],
)
def test_interruptions_and_a_full_disk_say_how_to_go_on(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    message: str,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("medasst.train.train", fail)
    job = write(tmp_path / "job.toml", 'base = "embedded"\ndata = "x"')
    assert cli.main(["train", job, "--out", str(tmp_path)]) == code
    assert message in capsys.readouterr().err.replace("\n", "")


def test_anything_else_is_a_bug_and_shows_its_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("medasst.train.train", fail)
    job = write(tmp_path / "job.toml", 'base = "embedded"\ndata = "x"')
    with pytest.raises(ZeroDivisionError):
        cli.main(["train", job, "--out", str(tmp_path)])


@pytest.mark.parametrize("command", ["demo", "prepare", "train", "export", "evaluate", "score", "read", "chat", "serve"])
def test_help_teaches(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.main([command, "--help"])
    assert exit_.value.code == 0 and len(capsys.readouterr().out) > 150


def test_read_tells_what_was_read_by_what_and_which_rules_hold(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["read", "我妈没发烧，胸口痛两个小时了"]) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["发烧", "发热", "absent", "mother", "by 没"]
    assert lines[1][:4] == ["胸口痛", "胸痛", "present", "mother"]
    assert lines[-1][:2] == ["→ emergency", "acute_coronary"]


def test_the_shipped_job_files_are_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    from medasst.assistant.shop import Shop
    from medasst.config import load
    from medasst.data import PrepareConfig
    from medasst.evaluation import EvaluateConfig
    from medasst.intake import CatalogueMapping
    from medasst.service.config import ServeConfig
    from medasst.train import TrainConfig

    monkeypatch.setenv("MEDASST_DATA", "/data")
    monkeypatch.setenv("MEDASST_CORPUS", "/corpus")
    kinds = {"prepare": PrepareConfig, "train": TrainConfig, "evaluate": EvaluateConfig, "serve": ServeConfig}
    kinds |= {"catalogue": CatalogueMapping, "comparison": EvaluateConfig, "shop": Shop}
    files = sorted((Path(__file__).parents[1] / "configs").rglob("*.toml"))
    assert len(files) >= 16
    for file in files:
        load(kinds[file.stem.partition("-")[0]], file)  # type: ignore[type-var]


def test_a_second_job_file_does_not_write_over_the_first_ones_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [{"question": f"头痛第{n}天怎么办", "answer": f"先休息{n}天，多喝温水，体温高了再去医院复查。"} for n in range(30)]
    (tmp_path / "raw.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    (tmp_path / "real").mkdir()
    for name in ("prepare", "prepare-all"):
        settings = '[[sources]]\nname = "a"\npath = "../raw.jsonl"\n[near_duplicates]\nenabled = false\n'
        (tmp_path / "real" / f"{name}.toml").write_text(settings, "utf-8")
        assert cli.main(["prepare", f"real/{name}.toml"]) == 0
    assert capsys.readouterr().out.split() == ["runs/real/data", "runs/real/data-all"]
    assert (tmp_path / "runs/real/data-all/manifest.json").exists()


def test_check_prints_findings_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    request = write(tmp_path / "request.json", '{"patient": {"drugs": ["神药"]}, "drugs": ["布洛芬"]}')
    assert cli.main(["check", request]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert "神药" in answer["unknown_drugs"] and "不等于" in answer["note"]
    assert cli.main(["check", request, "--format", "cds-hooks"]) == 0
    assert json.loads(capsys.readouterr().out)["cards"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"drugs": ["布洛芬"], "patient": {"alergies": []}}',
            "patient.alergies: there is no such field; did you mean 'allergies'?",
        ),
        ("no json", "not valid JSON"),
    ],
)
def test_check_names_the_field(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str) -> None:
    assert cli.main(["check", write(tmp_path / "request.json", text)]) == 2
    assert message in capsys.readouterr().err.replace("\n", "")
    assert cli.main(["check", str(tmp_path / "nowhere.json")]) == 2
    assert "nowhere.json: can't be read" in capsys.readouterr().err.replace("\n", "")
