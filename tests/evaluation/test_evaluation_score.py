"""`score FILE`: the contract on ids, skipped lines and emptiness."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from medasst.errors import InputError
from medasst.evaluation import score

GOLDEN = Path(__file__).parents[1] / "data" / "golden_llamafactory_metrics.jsonl"


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
        "reasons": {
            "not_an_object": 2, "no_label": 1, "no_predict": 1, "predict_no_text": 2, "not_json": 1,
        },
        "published": None,
    }  # fmt: skip


def test_a_file_of_llama_factory_scores_to_its_own_figures(tmp_path: Path) -> None:
    _, *rows, mean = map(json.loads, GOLDEN.read_text("utf-8").splitlines())
    lines = [{"prompt": f"问题{row['id']}", "predict": row["pred"], "label": row["label"]} for row in rows]
    file = write(tmp_path / "generated_predictions.jsonl", *lines)
    told = {f"predict_{name}": mean[name] for name in ("bleu-4", "rouge-1", "rouge-2", "rouge-l")}
    published = tmp_path / "predict_results.json"
    published.write_text(json.dumps(told | {"predict_runtime": 12.3}), "utf-8")
    report = score(file, tmp_path / "o")
    assert report.n == len(lines)
    assert report.mean == report.published
    assert report.summary().endswith("predict_results.json says the same")
    published.write_text(json.dumps(told | {"predict_bleu-4": told["predict_bleu-4"] + 0.01}), "utf-8")
    assert "says otherwise: rouge_1" in score(file, tmp_path / "o").summary()
    published.write_text("{torn", "utf-8")
    assert score(file, tmp_path / "o").published is None


def test_answers_of_ten_thousand_characters_are_scored(tmp_path: Path) -> None:
    long = {"predict": "多喝水。" * 2500, "label": "多喝水，注意休息。"}
    report = score(write(tmp_path / "p.jsonl", long, long | {"label": "多喝水。" * 2500}), tmp_path / "o")
    assert (report.n, [row["bleu_4"] for row in read(tmp_path / "o" / "scores.jsonl")][1]) == (2, 100)


def test_a_stray_byte_is_one_character_that_is_not_in_the_reference(tmp_path: Path) -> None:
    file = tmp_path / "p.jsonl"
    good = json.dumps({"predict": "好\u2028好", "label": "好"}, ensure_ascii=False).encode()
    file.write_bytes(b"\xef\xbb\xbf" + good + b"\r\n" + b'{"predict": "\xff", "label": "a"}\n' + good)
    report = score(file, tmp_path / "o")
    assert (report.n, report.skipped) == (3, 0)
    assert read(tmp_path / "o" / "scores.jsonl")[1]["rouge_1"] == 0


PAIRS = [
    {"predict": "多喝水，注意休息。", "label": "多喝水，好好休息。"},
    {"predict": "请到医院就诊。", "label": "建议去医院检查。"},
    {"predict": "可以服用布洛芬。", "label": "可以口服布洛芬退热。"},
]


def dumped(value: object, **how: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, **how).encode()


def table(separator: str) -> str:
    return "\n".join(separator.join(row) for row in [("predict", "label"), *((p["predict"], p["label"]) for p in PAIRS)])


LINES = b"\n".join(map(dumped, PAIRS))
FILES = {
    "lines.jsonl": LINES,
    "nosuffix": LINES,
    "mark.jsonl": LINES.decode().encode("utf-8-sig"),
    "gb18030.jsonl": LINES.decode().encode("gb18030"),
    "utf16.jsonl": LINES.decode().encode("utf-16"),
    "utf16-without-mark.jsonl": LINES.decode().encode("utf-16-le"),
    "array.json": dumped(PAIRS),
    "array-of-many-lines.json": dumped(PAIRS, indent=2),
    "array-gb18030.json": dumped(PAIRS).decode().encode("gb18030"),
    "wrapped.json": dumped({"model": "m", "predictions": PAIRS}),
    "wrapped-deeper.json": dumped({"meta": {"n": 3}, "results": {"rows": PAIRS}}, indent=1),
    "columns.json": dumped({key: [p[key] for p in PAIRS] for key in ("predict", "label")}),
    "by-id.json": dumped({f"q{n}": p for n, p in enumerate(PAIRS)}),
    "values-of-many-lines.jsonl": b"\n".join(dumped(p, indent=1) for p in PAIRS),
    "capitals.jsonl": b"\n".join(dumped({"Predict": p["predict"], " Label": p["label"]}) for p in PAIRS),
    "packed.json.gz": gzip.compress(dumped(PAIRS)),
    "table.csv": table(",").encode(),
    "table-gb18030.csv": table(",").encode("gb18030"),
    "table.tsv": table("\t").encode("utf-16"),
}


@pytest.mark.parametrize("name", FILES)
def test_whatever_a_tool_wrote_is_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(FILES[name])
    report = score(tmp_path / name, tmp_path / "o")
    plain = score(write(tmp_path / "plain.jsonl", *PAIRS), tmp_path / "p")
    assert (report.n, report.skipped, report.duplicates) == (3, 0, 0)
    assert report.mean == plain.mean


def test_records_on_one_line_have_numbers_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(dumped(PAIRS))
    score(tmp_path / "a.json", tmp_path / "o")
    assert [row["id"] for row in read(tmp_path / "o" / "scores.jsonl")] == [1, 2, 3]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (dumped({"prediction": "好", "reference": "好"}), "no 'predict' and no 'label', but prediction, reference"),
        (dumped({"predict": ["好"], "label": 3}), "'predict' is list, not text"),
        (dumped({"predict": "好", "label": None}), "'label' is NoneType, not text"),
        ("多喝水請到醫院就診檢查身體健康".encode("big5") * 20, "wrong_encoding"),
        (b"\x1f\x8b" + b"0" * 50, "packed by gzip; name it .gz"),
        (b"[" + LINES.split(b"\n")[0][:-8], "not_json"),
        (b"", "no record in it"),
    ],
)
def test_what_cannot_be_scored_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "p.jsonl").write_bytes(content)
    with pytest.raises(InputError, match=message):
        score(tmp_path / "p.jsonl", tmp_path / "o")


@pytest.mark.parametrize("lines", [[], [{"predict": "好"}], ["", "nothing"]])
def test_nothing_scorable_is_bad_input_and_leaves_no_result(tmp_path: Path, lines: list[object]) -> None:
    with pytest.raises(InputError, match="predict"):
        score(write(tmp_path / "p.jsonl", *lines), tmp_path / "o")
    assert not list((tmp_path / "o").glob("*"))


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing\.jsonl"):
        score(tmp_path / "missing.jsonl", tmp_path / "o")
