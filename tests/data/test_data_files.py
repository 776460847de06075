"""Containers on their bad days: what is damaged is told with file, line and remedy, and never stops what is whole."""

from __future__ import annotations

import errno
import gzip
import io
import json
import tracemalloc
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from medasst.config import load
from medasst.data import PrepareConfig, prepare, read_conversations
from medasst.data.files import read_rows
from medasst.data.recipes import Bad
from medasst.data.rows import Row
from medasst.errors import ConfigError, DataError

QA = [{"question": "头痛怎么办", "answer": "先休息，多喝水。"}, {"question": "咳嗽吃什么", "answer": "可以喝温水润喉。"}]


def rows(path: Path, *columns: str) -> list[Row]:
    return list(read_rows(path, columns))


def jsonl(records: list[Any]) -> str:
    return "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records)


def xlsx(table: list[list[str | float | None]]) -> bytes:
    """A workbook of one sheet, written by hand: cells of text and numbers, None for an empty one."""

    def cell(place: str, value: str | float | None) -> str:
        if value is None:
            return ""
        if isinstance(value, str):
            return f'<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>'
        return f'<c r="{place}"><v>{value}</v></c>'

    sheet = "".join(
        f'<row r="{n}">' + "".join(cell(f"{chr(65 + i)}{n}", value) for i, value in enumerate(line)) + "</row>"
        for n, line in enumerate(table, 1)
    )
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kind}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="rId1" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
        '<sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="rId1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{sheet}</sheetData></worksheet>',
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, '<?xml version="1.0" encoding="UTF-8"?>' + text)
    return packed.getvalue()


def parquet() -> bytes:
    packed = io.BytesIO()
    pl.DataFrame(QA).write_parquet(packed)
    return packed.getvalue()


def table() -> bytes:
    return xlsx([["question", "answer"], *([r["question"], r["answer"]] for r in QA)])


def as_is(data: bytes, name: str) -> bytes:
    return data


def zipped(data: bytes, name: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, data)
    return packed.getvalue()


@pytest.mark.parametrize("make", [parquet, table], ids=["parquet", "xlsx"])
@pytest.mark.parametrize(
    ("suffix", "pack"), [("", as_is), (".gz", lambda data, _: gzip.compress(data)), (".zip", zipped)], ids=["", "gz", "zip"]
)
def test_tables_in_every_wrapping(
    tmp_path: Path, make: Callable[[], bytes], suffix: str, pack: Callable[[bytes, str], bytes]
) -> None:
    name = "qa." + make.__name__.replace("table", "xlsx")
    path = tmp_path / (name + suffix)
    path.write_bytes(pack(make(), name))
    assert [row.value for row in rows(path)] == QA


def test_a_zip_may_be_named_after_nothing(tmp_path: Path) -> None:
    (tmp_path / "download.zip").write_bytes(zipped(parquet(), "qa.parquet"))
    assert [row.value for row in rows(tmp_path / "download.zip")] == QA


def test_a_sheet_keeps_its_row_numbers_and_its_numbers_are_text(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(xlsx([["question", "answer"], ["一", "甲"], [None, None], ["二", 3.0]]))
    found = rows(tmp_path / "a.xlsx")
    assert [(row.line, row.value["question"]) for row in found] == [(2, "一"), (4, "二")]
    assert found[1].value["answer"] in {"3", "3.0"}


def test_parquet_in_batches_keeps_order_and_turns_dates_into_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medasst.data.tables.BATCH", 7)
    frame = pl.DataFrame({"n": range(20), "day": [date(2024, 1, 2)] * 20, "raw": [b"\xff"] * 20})
    frame.write_parquet(tmp_path / "a.parquet")
    found = rows(tmp_path / "a.parquet")
    assert [(row.line, row.value) for row in found] == [(n + 1, {"n": n, "day": "2024-01-02", "raw": None}) for n in range(20)]


# ---- encodings -------------------------------------------------------------------------------------------------------


def test_traditional_characters_in_gb18030_are_chinese(tmp_path: Path) -> None:
    words = "醫生您好，我最近總是頭痛，晚上睡不著覺，請問應該吃什麼藥？需要做檢查嗎？謝謝您的回答。"
    (tmp_path / "a.jsonl").write_bytes(jsonl([{"question": words}] * 20).encode("gb18030"))
    assert [row.value for row in rows(tmp_path / "a.jsonl")] == [{"question": words}] * 20


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl"])
def test_encodings_are_told_apart(tmp_path: Path, name: str, encoding: str) -> None:
    comma = "\t" if name.endswith(".tsv") else ","
    text = jsonl(QA) if name.endswith(".jsonl") else "\n".join(comma.join(r) for r in (QA[0], *(r.values() for r in QA)))
    (tmp_path / name).write_bytes(text.encode(encoding))
    assert [row.value for row in rows(tmp_path / name)] == QA


def test_the_first_letters_beyond_ascii_may_come_late(tmp_path: Path) -> None:
    head = jsonl([{"question": "x" * 90, "answer": "y"}] * 20_000)  # over a megabyte of ASCII
    (tmp_path / "a.jsonl").write_bytes((head + jsonl(QA)).encode("gb18030"))
    assert [row.value for row in rows(tmp_path / "a.jsonl")][-2:] == QA


def test_few_words_are_enough_to_tell_gb18030(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(jsonl([{"question": "头痛三天"}]).encode("gb18030"))
    (tmp_path / "b.jsonl").write_bytes(b'{"question": "pain \xff"}\n')
    assert rows(tmp_path / "a.jsonl")[0].value == {"question": "头痛三天"}
    assert rows(tmp_path / "b.jsonl")[0].value == {"question": "pain \ufffd"}


def test_a_stray_byte_does_not_turn_utf8_into_gb18030(tmp_path: Path) -> None:
    data = jsonl(QA * 50).encode()
    place = data.index("头".encode())
    (tmp_path / "a.jsonl").write_bytes(data[:place] + b"\xff" + data[place:])
    found = rows(tmp_path / "a.jsonl")
    assert "\ufffd" in found[0].value["question"]
    assert [row.value for row in found[1:]] == (QA * 50)[1:]


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("latin-1", "Überprüfung für süße Möhren und heiße Brühe im Frühjahr täglich größer"),
        ("big5", "醫生您好，我最近總是頭痛，晚上睡不著覺，請問應該吃什麼藥？需要做檢查嗎？謝謝您的回答。"),
        ("shift-jis", "最近、頭が痛くて眠れません。どの薬を飲めばいいですか。"),
    ],
)
def test_another_encoding_is_one_bad_row_with_the_remedy(tmp_path: Path, encoding: str, words: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(jsonl([{"question": words, "answer": words}] * 20).encode(encoding))
    (row,) = rows(tmp_path / "a.jsonl")
    assert row.line == 1 and row.error.startswith("wrong_encoding") and "save the file as UTF-8" in row.error


def test_half_of_a_surrogate_pair_costs_only_its_record(tmp_path: Path) -> None:
    text = '{"question": "头痛\\ud83d怎么办", "answer": "休息"}\n{"question": "好\\ud83d\\ude00", "answer": "休息"}\n'
    (tmp_path / "a.jsonl").write_text(text, "utf-8")
    (tmp_path / "a.json").write_text("[" + ",\n".join(text.splitlines()) + "]", "utf-8")
    for name in ("a.jsonl", "a.json"):
        first, second = rows(tmp_path / name)
        assert first.line == 1 and first.error.startswith("broken_encoding")
        assert second.value["question"] == "好😀"


# ---- damage ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.tsv", "a.txt", "a.jsonl.gz", "a.parquet", "a.xlsx"])
def test_a_file_without_records_says_so(tmp_path: Path, name: str) -> None:
    empty = {"a.jsonl.gz": gzip.compress(b""), "a.json": b"[]", "a.csv": b"question,answer\n"}
    (tmp_path / name).write_bytes(empty.get(name, b""))
    if name == "a.parquet":
        pl.DataFrame(schema={"question": pl.String}).write_parquet(tmp_path / name)
    if name == "a.xlsx":
        (tmp_path / name).write_bytes(xlsx([]))
    (row,) = rows(tmp_path / name)
    assert row.line == 1 and row.error.startswith("empty_file") and "fetch the file again" in row.error


@pytest.mark.parametrize("name", ["a.parquet", "a.xlsx", "a.parquet.gz", "a.jsonl.gz", "a.jsonl.zip", "a.zip"])
def test_a_damaged_file_is_one_bad_row(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"PK\x03\x04 nothing of the kind")
    (row,) = rows(tmp_path / name)
    assert row.line == 1 and row.error.startswith("unreadable") and "fetch the file again" in row.error


def test_an_encrypted_zip_is_told_of(tmp_path: Path) -> None:
    data = bytearray(zipped(jsonl(QA).encode(), "a.jsonl"))
    for mark in (b"PK\x03\x04", b"PK\x01\x02"):  # the flag that says encrypted, in both headers
        data[data.index(mark) + (6 if mark.endswith(b"\x04") else 8)] |= 1
    (tmp_path / "a.zip").write_bytes(bytes(data))
    (row,) = rows(tmp_path / "a.zip")
    assert row.error.startswith("unreadable") and "encrypted" in row.error


def test_a_full_disk_is_no_damage_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "a.parquet.gz").write_bytes(gzip.compress(parquet()))
    monkeypatch.setattr("shutil.copyfileobj", full)
    with pytest.raises(OSError, match="No space left"):
        rows(tmp_path / "a.parquet.gz")


def test_an_unknown_kind_of_file_stops_a_run_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/a.jsonl").write_text(jsonl(QA), "utf-8")
    (tmp_path / "raw/README.md").write_text("words")
    (tmp_path / "prepare.toml").write_text('[[sources]]\nname = "a"\npath = "raw/*"\n')
    with pytest.raises(DataError, match=r"README\.md: unknown kind of file '\.md'; use \.csv"):
        prepare(load(PrepareConfig, tmp_path / "prepare.toml"), tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["prepare.toml", "raw"]


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.txt"])
@pytest.mark.parametrize("place", ["first", "last"])
def test_an_overlong_record_costs_only_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, place: str) -> None:
    monkeypatch.setattr("medasst.data.rows.LONGEST", 1000)
    good = {"q": "一", "a": "二"}
    bad = {"q": "长" * 400_000, "a": "二"}
    records = [bad, good, good] if place == "first" else [good, good, bad]
    if name == "a.csv":
        (tmp_path / name).write_text("q,a\n" + "".join(f'"{r["q"]}",{r["a"]}\n' for r in records), "utf-8")
    elif name == "a.json":
        (tmp_path / name).write_text("[" + ",\n".join(json.dumps(r, ensure_ascii=False) for r in records) + "]", "utf-8")
    else:
        (tmp_path / name).write_text(jsonl(records), "utf-8")
    found = rows(tmp_path / name)
    first = 2 if name == "a.csv" else 1
    assert [(row.line - first, row.value, row.error.partition(":")[0]) for row in found] == [
        (i, None if r is bad else good, "too_long" if r is bad else "") for i, r in enumerate(records)
    ]


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv"])
def test_a_line_of_50_megabytes_is_not_loaded(tmp_path: Path, name: str) -> None:
    good = '{"question": "一", "answer": "二"}'
    with (tmp_path / name).open("w", encoding="utf-8") as file:
        file.write({"a.jsonl": '{"question": "', "a.json": '[{"question": "', "a.csv": 'question,answer\n"'}[name])
        for _ in range(50):
            file.write("x" * 1_000_000)
        file.write({"a.jsonl": f'"}}\n{good}\n', "a.json": f'"}},\n{good}]', "a.csv": '",二\n一,二\n'}[name])
    tracemalloc.start()
    found = rows(tmp_path / name)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [row.error.partition(":")[0] for row in found] == ["too_long", ""]
    assert found[1].value == {"question": "一", "answer": "二"}
    assert peak < 20_000_000


def test_text_after_an_array_and_elements_beyond_repair_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[\n{"a": 1}]]', "utf-8")
    found = rows(tmp_path / "a.json")
    assert found[0].value == {"a": 1} and "text after the end" in found[1].error and found[1].line == 2
    (tmp_path / "b.json").write_text('[{"a": 1},\n {"a": oops', "utf-8")
    found = rows(tmp_path / "b.json")
    assert found[0].value == {"a": 1} and "is lost" in found[1].error and found[1].line == 2
    (tmp_path / "c.json").write_text('[{"a": 1},\n', "utf-8")
    assert "not closed" in rows(tmp_path / "c.json")[1].error


def test_an_open_quotation_mark_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medasst.data.rows.LONGEST", 2000)
    lines = "".join(f"问{i},答\n" for i in range(500))
    (tmp_path / "a.csv").write_text(f'q,a\n甲,乙\n"丙,丁\n{lines}', "utf-8")
    found = rows(tmp_path / "a.csv")
    assert found[0].value == {"q": "甲", "a": "乙"}
    assert found[1].line == 3 and "quotation mark" in found[1].error
    assert found[-1].value == {"q": "问499", "a": "答"}  # the damage ends at the limit


def test_unicode_line_separators_end_no_line(tmp_path: Path) -> None:
    record = {"question": "一\u2028二\x85三\x0b四", "answer": "好"}
    (tmp_path / "a.jsonl").write_text(jsonl([record, record]), "utf-8")
    assert [(row.line, row.value) for row in rows(tmp_path / "a.jsonl")] == [(1, record), (2, record)]


# ---- what a run makes of it ------------------------------------------------------------------------------------------


def test_every_kind_of_bad_record_is_reported_with_file_line_and_remedy(tmp_path: Path) -> None:
    good = {"question": "咳嗽三天吃什么好", "answer": "多喝温水，注意休息。"}
    bad: list[tuple[Any, str, str]] = [
        ("{oops", "not_json", "one whole JSON value"),
        ({"ask": "一", "reply": "二"}, "missing_field", "state a mapping"),
        ({**good, "answer": None}, "no_answer", "answer is null"),
        ({**good, "answer": 37.5}, "not_text", "answer is float"),
        ({"question": "一"}, "missing_field", "question"),
    ]
    text = jsonl([good]) + "".join(r + "\n" if isinstance(r, str) else jsonl([r]) for r, _, _ in bad)
    (tmp_path / "a.jsonl").write_text(text, "utf-8")
    told: list[Bad] = []
    assert len(list(read_conversations(str(tmp_path / "*.jsonl"), on_bad=told.append))) == 1
    assert [(b.file, b.line, b.reason) for b in told] == [("a.jsonl", i, reason) for i, (_, reason, _) in enumerate(bad, 2)]
    for b, (_, _, remedy) in zip(told, bad, strict=True):
        assert remedy in b.text


def test_a_missing_column_is_named_with_those_there_are(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("title,ask\n一,二\n", "utf-8")
    told: list[Bad] = []
    assert not list(read_conversations(str(tmp_path / "a.csv"), layout="title-ask-answer", on_bad=told.append))
    assert (told[0].line, told[0].reason) == (2, "missing_field")
    assert "no field answer; the row has title, ask" in told[0].text


def test_a_run_goes_on_over_bad_data_and_stops_for_bad_settings(tmp_path: Path) -> None:
    words = "头痛发热咳嗽腹泻便秘失眠皮疹口干乏力恶心"
    qa = [
        {
            "id": 7,
            "question": f"{words[i % 18 :]}{i}号怎么办？",
            "answer": f"{words[(i * 7) % 18 :]}，先观察{i}天，多休息多喝水。",
        }
        for i in range(40)
    ]
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/good.jsonl").write_text(jsonl(qa), "utf-8")  # all with one id: it is passed over, the words count
    (tmp_path / "raw/cut.jsonl.gz").write_bytes(gzip.compress(jsonl(qa[:1]).encode())[:-9])
    (tmp_path / "raw/empty.jsonl").write_bytes(b"")
    (tmp_path / "raw/broken.parquet").write_bytes(b"PAR1")
    settings = '[[sources]]\nname = "a"\npath = "raw/*"\nlicence = "ours"\n'
    (tmp_path / "prepare.toml").write_text(settings, "utf-8")
    report = prepare(load(PrepareConfig, tmp_path / "prepare.toml"), tmp_path / "out")
    rejected = pl.concat([pl.read_parquet(file) for file in sorted(report.folder.glob("rejected-*.parquet"))])
    told = {(file, line): reason for file, line, reason in rejected.select("file", "line", "reason").iter_rows()}
    assert told["broken.parquet", 1] == "unreadable"
    assert told["empty.jsonl", 1] == "empty_file"
    assert any(file == "cut.jsonl.gz" and reason == "unreadable" for (file, _), reason in told.items())
    assert sum(split["records"] for split in report.manifest["splits"].values()) >= 30
    for wrong, message in (('layout = "alpacca"', "did you mean 'alpaca'"), ('recipe = "toyhome"', "did you mean 'toyhom'")):
        (tmp_path / "wrong.toml").write_text(settings + wrong, "utf-8")
        with pytest.raises(ConfigError, match=message):
            prepare(load(PrepareConfig, tmp_path / "wrong.toml"), tmp_path / "other")
    assert not (tmp_path / "other").exists() and not (tmp_path / "other.work").exists()
