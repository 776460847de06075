"""`score FILE`: the contract on ids, skipped lines and emptiness."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medasst.errors import InputError
from medasst.evaluation import score


def write(path: Path, *lines: object) -> Path:
    path.write_text("".join((x if isinstance(x, str) else json.dumps(x, ensure_ascii=False)) + "\n" for x in lines), "utf-8")
    return path


def read(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_ids_keep_their_type_and_order(tmp_path: Path) -> None:
    pair = {"predict": "多喝水", "label": "多喝水"}
    ids = ["七", 7, "7", 7.5, None, True, ["a", 1], "\ud83d"]
    report = score(
        write(tmp_path / "p.jsonl", *({"id": i, **pair} for i in ids[:-1]), json.dumps({"id": ids[-1], **pair})), tmp_path / "o"
    )
    found = [row["id"] for row in read(tmp_path / "o" / "scores.jsonl")]
    assert [(type(i), i) for i in found] == [(type(i), i) for i in ids]
    assert (report.n, report.skipped, report.duplicates) == (8, 0, 0)


def test_an_absent_id_is_the_line_number(tmp_path: Path) -> None:
    pair = {"predict": "好", "label": "好"}
    score(write(tmp_path / "p.jsonl", pair, "", {"predict": "好"}, pair), tmp_path / "o")
    assert [row["id"] for row in read(tmp_path / "o" / "scores.jsonl")] == [1, 4]


def test_duplicates_are_scored_and_counted(tmp_path: Path) -> None:
    rows = [
        {"id": 1, "predict": "好的", "label": "好的"},
        {"id": 1, "predict": "坏", "label": "好"},
        {"id": "1", "predict": "", "label": "好"},
    ]
    report = score(write(tmp_path / "p.jsonl", *rows), tmp_path / "o")
    assert (report.n, report.duplicates) == (3, 1)
    assert report.summary().endswith("over 3 pairs (0 lines skipped, 1 repeated ids)")
    assert len(read(tmp_path / "o" / "scores.jsonl")) == 3


def test_unscorable_lines_are_skipped_and_counted(tmp_path: Path) -> None:
    bad: list[object] = [
        {"predict": "好"},
        {"label": "好"},
        {"predict": None, "label": "好"},
        {"predict": 3, "label": "3"},
        [1],
        "{torn",
        '"x"',
    ]
    report = score(write(tmp_path / "p.jsonl", *bad, {"id": "a", "predict": "", "label": "好"}), tmp_path / "o")
    assert (report.n, report.skipped) == (1, len(bad))
    stored = json.loads((tmp_path / "o" / "report.json").read_text("utf-8"))
    assert stored == {
        "n": 1,
        "skipped": len(bad),
        "duplicates": 0,
        "mean": dict.fromkeys(("rouge_1", "rouge_2", "rouge_l", "bleu_4"), 0.0),
    }


def test_bytes_that_are_no_utf8_cost_one_line(tmp_path: Path) -> None:
    file = tmp_path / "p.jsonl"
    good = json.dumps({"predict": "好\u2028好", "label": "好"}, ensure_ascii=False).encode()
    file.write_bytes(b"\xef\xbb\xbf" + good + b"\r\n" + b'{"predict": "\xff", "label": "a"}\n' + good)
    report = score(file, tmp_path / "o")
    assert (report.n, report.skipped) == (2, 1)


@pytest.mark.parametrize("lines", [[], [{"predict": "好"}], ["", "nothing"]])
def test_nothing_scorable_is_bad_input_and_leaves_no_result(tmp_path: Path, lines: list[object]) -> None:
    with pytest.raises(InputError, match="predict"):
        score(write(tmp_path / "p.jsonl", *lines), tmp_path / "o")
    assert not list((tmp_path / "o").glob("*"))


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing\.jsonl"):
        score(tmp_path / "missing.jsonl", tmp_path / "o")
