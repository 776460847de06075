"""The shapes in which people save one and the same table or dialogue: all are read alike, and what can't be is counted."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from medasst.data import read_conversations
from medasst.data.files import matching
from medasst.data.layouts import Mapped
from medasst.data.recipes import Bad, Good, read_records, reader
from medasst.data.records import RecordError

PAIRS = [(f"咳嗽第{i}天要不要吃药", f"先多喝温水，第{i}天还咳就去医院。") for i in range(6)]
ROWS = [{"question": q, "answer": a} for q, a in PAIRS]
DIALOGUES: list[dict[str, Any]] = [
    {"messages": [{"role": "user", "content": q}, {"role": "assistant", "content": a}]} for q, a in PAIRS
]
COLUMNS: dict[str, Any] = {"question": [q for q, _ in PAIRS], "answer": [a for _, a in PAIRS]}


def dumped(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def each(values: Sequence[Any], end: str = "\n", indent: int | None = None) -> str:
    return end.join(dumped(value, indent) for value in values)


def table(rows: Sequence[Sequence[Any]], head: Sequence[str] = ("question", "answer"), separator: str = ",", **how: Any) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=separator, **how).writerows([head, *rows])
    return text.getvalue()


def read(path: Path, mapping: Mapped | None = None) -> tuple[list[Good], list[Bad]]:
    matching(str(path))
    rows = list(read_records(path, path.name, reader(mapping=mapping).parse))
    return [row for row in rows if isinstance(row, Good)], [row for row in rows if isinstance(row, Bad)]


def said(good: list[Good]) -> list[tuple[str, ...]]:
    return [tuple(text for _, text in item.record.turns) for item in good]


SHAPES = {
    "one key.json": dumped({"version": "1.0", "data": ROWS}, 1),
    "one key in one line.jsonl": dumped({"examples": ROWS}),
    "deep.json": dumped({"code": 0, "result": {"total": 6, "list": ROWS}}),
    "two lists.json": dumped({"train": ROWS[:2], "test": ROWS[2:]}),
    "lmflow.json": dumped({"type": "text2text", "instances": [{"input": q, "output": a} for q, a in PAIRS]}),
    "dialogues.json": dumped({"dialogues": [[f"病人：{q}", f"医生：{a}"] for q, a in PAIRS]}, 2),
    "conversations.json": dumped({"conversations": DIALOGUES}),
    "turns by columns.json": dumped([{"conversations": {"from": ["human", "gpt"], "value": list(pair)}} for pair in PAIRS]),
    "by id.json": dumped({f"id{i}": row for i, row in enumerate(ROWS)}),
    "turns by id.json": dumped({f"d{i}": row["messages"] for i, row in enumerate(DIALOGUES)}, 1),
    "lists.json": dumped(COLUMNS),
    "columns.json": dumped({name: dict(enumerate(cells)) for name, cells in COLUMNS.items()}),
    "split.json": dumped({"columns": list(COLUMNS), "index": list(range(6)), "data": [list(pair) for pair in PAIRS]}),
    "messages lists.json": dumped({"messages": [row["messages"] for row in DIALOGUES]}),
    "pretty one after the other.json": each(ROWS, indent=2),
    "pretty with commas.jsonl": each(ROWS, ",\n", indent=2),
    "side by side.json": each(ROWS, ""),
    "two arrays.json": dumped(ROWS[:2], 1) + "\n\ufeff" + dumped(ROWS[2:], 1),
    "two arrays in lines.json": dumped(ROWS[:2]) + "\n" + dumped(ROWS[2:]),
    "an array.jsonl": dumped(ROWS),
    "bare lists.jsonl": each([row["messages"] for row in DIALOGUES]),
    "commas.jsonl": each(ROWS, ",\n"),
    "as Python prints.jsonl": "\n".join(map(str, ROWS)),
    "json in json.jsonl": each([dumped(row) for row in ROWS]),
    "byte order marks.jsonl": "\ufeff" + each(ROWS, "\r\n\ufeff"),
    "in a field.jsonl": each([{"id": 1, "text": dumped(row)} for row in DIALOGUES]),
    "in a column.csv": table([(i, dumped(row)) for i, row in enumerate(DIALOGUES)], ("id", "json")),
    "messages in a cell.csv": table([(dumped(row["messages"]),) for row in DIALOGUES], ("messages",)),
    "messages as Python prints.csv": table([(str(row["messages"]),) for row in DIALOGUES], ("messages",)),
    "messages as numpy prints.csv": table(
        [(str(row["messages"]).replace("}, {", "}\n {"),) for row in DIALOGUES], ("messages",)
    ),
    "semicolons.csv": table(PAIRS, separator=";"),
    "quoted semicolons.csv": table(PAIRS, separator=";", quoting=csv.QUOTE_ALL),
    "bars.csv": table(PAIRS, separator="|"),
    "tabs.csv": table(PAIRS, separator="\t"),
    "commas.tsv": table(PAIRS),
    "tabs.txt": table(PAIRS, separator="\t"),
    "commas.txt": table(PAIRS),
    "blanks after commas.csv": "question, answer\n" + "".join(f'{q}, "{a}"\n' for q, a in PAIRS),
    "in an object.jsonl": each([{"data": row} for row in ROWS]),
    "nulls.jsonl": each([{"instruction": q, "input": None, "output": a, "history": None} for q, a in PAIRS]),
    "sep.csv": "sep=;\r\n" + table(PAIRS, separator=";"),
    "title.csv": "药店问答导出表,\r\n\r\n导出时间：2024-01-01,\r\n" + table(PAIRS),
    "blank headings.csv": table(PAIRS, (" question ", "\ufeff\u3000Answer\u00a0")),
    "row numbers.csv": table([(i, *pair) for i, pair in enumerate(PAIRS)], ("", "question", "answer")),
    "empty columns.csv": table([(*pair, "", "") for pair in PAIRS], ("question", "answer", "", "")),
    "empty cells.csv": table([(*pair, "", "") for pair in PAIRS]),
    "backslashes.csv": table(PAIRS, quoting=csv.QUOTE_ALL, escapechar="\\", doublequote=False),
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16"])
def test_the_same_records_in_every_shape(tmp_path: Path, name: str, encoding: str) -> None:
    if encoding == "gb18030" and "\ufeff" in SHAPES[name]:
        pytest.skip("a byte-order mark is none of this encoding")
    (tmp_path / name).write_bytes(SHAPES[name].encode(encoding))
    good, bad = read(tmp_path / name)
    assert (said(good), bad) == (PAIRS, [])


DAMAGED = {
    "open mark.csv": table(PAIRS).replace("咳嗽第2天", '"咳嗽第2天').encode(),
    "broken lines.jsonl": each(ROWS).replace("{", "{{", 1).encode() + b"\n\n[1]\n",
    "cut.jsonl.gz": gzip.compress("\n".join(dumped({"n": i, "x": f"{i * 7919 % 10007:x}" * 9}) for i in range(999)).encode())[
        :-900
    ],
    "cut.json": dumped(ROWS).encode()[:-70],
    "lists.jsonl": (dumped(ROWS[:3]) + "\n" + each(ROWS)).encode(),
}


@pytest.mark.parametrize("name", [*SHAPES, *DAMAGED])
def test_going_on_at_a_row_gives_the_rows_from_there(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(DAMAGED[name] if name in DAMAGED else SHAPES[name].encode())
    parse = reader().parse
    rows = list(read_records(path, name, parse))
    for skip in range(len(rows) + 1):
        assert list(read_records(path, name, parse, skip)) == rows[skip:], skip
        if skip > 20:
            break
    assert list(read_records(path, name, parse, len(rows) - 1)) == rows[-1:]


@pytest.mark.parametrize("shape", ["wrapped", "line", "lists", "columns", "split", "by id", "concatenated"])
def test_a_form_is_read_alike_at_every_size(tmp_path: Path, shape: str) -> None:
    many = [{"question": f"{q}，第{n}次", "answer": a * 8} for n in range(2000) for q, a in PAIRS]
    cells = {name: [row[name] for row in many] for name in many[0]}
    value: Any = {
        "wrapped": {"version": 1, "data": many},
        "line": {"data": many},
        "lists": cells,
        "columns": {name: dict(enumerate(column)) for name, column in cells.items()},
        "split": {"columns": list(cells), "data": [list(row.values()) for row in many]},
        "by id": dict(enumerate(many)),
    }.get(shape)
    data = (each(many, indent=1) if value is None else dumped(value)).encode()
    name = "a.jsonl" if shape == "line" else "a.json"
    (tmp_path / name).write_bytes(data)
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(data))
    for path in (tmp_path / name, tmp_path / f"{name}.gz"):
        good, bad = read(path)
        assert (said(good), bad) == ([tuple(row.values()) for row in many], [])


def test_columns_of_unknown_names_are_rows_that_tell_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(dumped({"ask": COLUMNS["question"], "reply": COLUMNS["answer"]}), "utf-8")
    good, bad = read(tmp_path / "a.json")
    assert not good and [b.reason for b in bad] == ["missing_field"] * 6 and 'question = "ask", answer = "reply"' in bad[0].text
    assert said(read(tmp_path / "a.json", Mapped(question="ask", answer="reply"))[0]) == PAIRS


def test_lists_that_are_no_records_are_told_of(tmp_path: Path) -> None:
    hub = {"features": [{"feature_idx": 0}], "rows": [{"row_idx": i, "row": row} for i, row in enumerate(ROWS)]}
    (tmp_path / "a.json").write_text(dumped(hub), "utf-8")
    good, bad = read(tmp_path / "a.json")
    assert (said(good), [b.reason for b in bad]) == (PAIRS, ["other_list"]) and "'features'" in bad[0].text
    short = {"question": COLUMNS["question"], "answer": COLUMNS["answer"][:4], "id": [1, 2, 3, 4]}
    (tmp_path / "b.json").write_text(dumped(short), "utf-8")
    assert sum(map(len, read(tmp_path / "b.json"))) > 0  # nothing of it is taken for one record
    assert not read(tmp_path / "b.json")[0]
    (tmp_path / "c.json").write_text(dumped({"data": ROWS})[:-60], "utf-8")
    good, bad = read(tmp_path / "c.json")
    assert said(good) == PAIRS[:5] and [b.reason for b in bad] == ["not_json"]


# ---- damaged tables --------------------------------------------------------------------------------------------------


def line_of(place: int, change: Callable[[str], str]) -> str:
    rows = [f"{q},{a}" for q, a in PAIRS]
    rows[place] = change(rows[place])
    return "question,answer\n" + "\n".join(rows) + "\n"


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        (line_of(1, lambda row: row.replace(",", ',"')), {1}),
        (line_of(1, lambda row: '"' + row), {1}),
        (line_of(5, lambda row: row.replace(",", ',"')), {5}),
        (line_of(1, lambda row: row.replace(",", ',"')).replace(PAIRS[4][1], f'"{PAIRS[4][1]}"'), {1}),
        (line_of(1, lambda row: row.replace(",", ',"')).replace(PAIRS[4][1], f'{PAIRS[4][1]}"'), {1, 2, 3, 4}),
        (table(PAIRS, quoting=csv.QUOTE_ALL).replace(f'{PAIRS[1][1]}"', PAIRS[1][1]), {1}),
        (table(PAIRS, quoting=csv.QUOTE_ALL).replace(f'{PAIRS[1][0]}"', PAIRS[1][0]), {1}),
        (table(PAIRS, quoting=csv.QUOTE_ALL).replace("第1天还咳", '"第1天"还咳'), {1}),
    ],
)
def test_a_broken_quotation_mark_costs_its_own_row_and_every_row_is_counted(tmp_path: Path, text: str, lost: set[int]) -> None:
    (tmp_path / "a.csv").write_text(text, "utf-8")
    good, bad = read(tmp_path / "a.csv")
    assert said(good) == [pair for i, pair in enumerate(PAIRS) if i not in lost]
    assert [(b.reason, b.line) for b in bad] == [("bad_csv", i + 2) for i in sorted(lost)]


@pytest.mark.parametrize(
    "damage",
    [('第三行"\r\n咳嗽第2', "第三行\r\n咳嗽第2"), ('第二行, 注意\n第三行"\r\n咳嗽第2', '第二行, "注"意\n第三行"\r\n咳嗽第2')],
)
def test_of_a_table_with_lines_in_its_cells_no_line_becomes_a_row(tmp_path: Path, damage: tuple[str, str]) -> None:
    rows = [(q, f"第一行，{a}\n第二行, 注意\n第三行") for q, a in PAIRS]
    (tmp_path / "a.csv").write_text(table(rows).replace(*damage), "utf-8", newline="")
    good, bad = read(tmp_path / "a.csv")
    assert said(good) == [row for i, row in enumerate(rows) if i != 1]
    assert {b.reason for b in bad} == {"bad_csv"} and min(b.line for b in bad) == 5


def test_a_cell_of_several_lines_without_its_first_mark_is_no_shorter_answer(tmp_path: Path) -> None:
    rows = [(q, f"第一行，{a}\n第二行\n第三行") for q, a in PAIRS]
    (tmp_path / "a.csv").write_text(table(rows).replace('咳嗽第2天要不要吃药,"', "咳嗽第2天要不要吃药,"), "utf-8", newline="")
    good, bad = read(tmp_path / "a.csv")
    assert said(good) == [row for i, row in enumerate(rows) if i != 2]
    assert [b.line for b in bad] == [8, 9, 10]


def test_a_lone_quotation_mark_between_tabs_is_text(tmp_path: Path) -> None:
    rows = [(q, f'"{a}' if i in (1, 3) else a) for i, (q, a) in enumerate(PAIRS)]
    (tmp_path / "a.tsv").write_text("question\tanswer\n" + "\n".join("\t".join(row) for row in rows), "utf-8")
    good, bad = read(tmp_path / "a.tsv")
    assert (said(good), bad) == (rows, [])


def test_backslashes_that_escape_are_taken_off_and_others_stay(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        'question,answer\n"头\\"痛\\"吗","他说 \\"好\\", 走 C:\\\\d 与 \\n"\n无引号\\, 的,好\n', "utf-8"
    )
    good, bad = read(tmp_path / "a.csv")
    assert (said(good), bad) == ([('头"痛"吗', '他说 "好", 走 C:\\d 与 \\n'), ("无引号, 的", "好")], [])


# ---- archives --------------------------------------------------------------------------------------------------------


def zipped(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()


def tarred(files: dict[str, bytes], mode: Any) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return packed.getvalue()


LINES = each(ROWS).encode()
FILES = {
    "~~~~~~~~~.jsonl": LINES,
    "__MACOSX/._a.jsonl": b"junk",
    ".DS_Store": b"junk",
    "b.csv": table(PAIRS).encode(),
    "c.json.gz": gzip.compress(dumped(ROWS).encode()),
}


def test_archives_in_archives(tmp_path: Path) -> None:
    # Chinese Windows writes names in its own encoding, without saying so.
    files = zipped(FILES).replace(b"~~~~~~~~~", "数据/问答".encode("gb18030"))
    (tmp_path / "a.zip").write_bytes(zipped({"in.zip": files, "README.md": b"words", "broken.zip": b"PK\x03\x04"}))
    good, bad = read(tmp_path / "a.zip")
    assert said(good) == PAIRS * 3
    assert [g.file for g in good[::6]] == ["a.zip/in.zip/数据/问答.jsonl", "a.zip/in.zip/b.csv", "a.zip/in.zip/c.json.gz"]
    assert [(b.file, b.reason) for b in bad] == [("a.zip/README.md", "unknown_kind"), ("a.zip/broken.zip", "unreadable")]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.tar", tarred({"a.jsonl": LINES}, "w")),
        ("a.tar.gz", tarred({"in/a.jsonl": LINES}, "w:gz")),
        ("a.tgz", tarred({"in.zip": zipped({"a.jsonl": LINES})}, "w:gz")),
        ("a.tar.xz", tarred({"._a.jsonl": b"junk", "a.csv": table(PAIRS).encode()}, "w:xz")),
        ("a.jsonl.bz2", bz2.compress(LINES)),
        ("a.csv.xz", lzma.compress(table(PAIRS).encode())),
    ],
)
def test_packed_in_every_way(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    good, bad = read(tmp_path / name)
    assert (said(good), bad) == (PAIRS, [])


def test_a_file_of_another_kind_than_its_name_says_is_told_what_it_is(tmp_path: Path) -> None:
    for name, data, told in (("b.csv", zipped(FILES), ".zip or .xlsx"), ("c.json", gzip.compress(b"x"), ".gz")):
        (tmp_path / name).write_bytes(data)
        good, bad = read(tmp_path / name)
        assert not good and told in bad[0].text


# ---- workbooks -------------------------------------------------------------------------------------------------------

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def workbook(sheets: dict[str, list[list[str | None]]], merged: Sequence[str] = ()) -> bytes:
    """Written by hand: cells of text, None for an empty one; `merged` are ranges of the first sheet."""
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" '
        'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>'
        + "".join(f'<sheet name="{name}" sheetId="{i}" r:id="rId{i}"/>' for i, name in enumerate(sheets, 1))
        + "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
        + "".join(
            f'<Relationship Id="rId{i}" Type="{OFFICE}/worksheet" Target="worksheets/sheet{i}.xml"/>'
            for i in range(1, len(sheets) + 1)
        )
        + "</Relationships>",
    }
    for i, rows in enumerate(sheets.values(), 1):
        cells = "".join(
            f'<row r="{n}">'
            + "".join(
                f'<c r="{chr(65 + c)}{n}" t="inlineStr"><is><t xml:space="preserve">{value}</t></is></c>'
                for c, value in enumerate(row)
                if value is not None
            )
            + "</row>"
            for n, row in enumerate(rows, 1)
        )
        joined = "".join(f'<mergeCell ref="{place}"/>' for place in merged) if i == 1 and merged else ""
        ranges = f"<mergeCells>{joined}</mergeCells>" if joined else ""
        parts[f"xl/worksheets/sheet{i}.xml"] = f'<worksheet xmlns="{MAIN}"><sheetData>{cells}</sheetData>{ranges}</worksheet>'
    return zipped({name: text.encode() for name, text in parts.items()})


def test_a_sheet_with_a_title_blank_headings_and_merged_cells(tmp_path: Path) -> None:
    rows: list[list[str | None]] = [
        [None, "门店问答", None, None],
        [None, None, None, None],
        [None, "department ", " question", "answer\n"],
        [None, "内科", *PAIRS[0]],
        [None, None, PAIRS[1][0], PAIRS[1][1]],
        [None, "外科", PAIRS[2][0], PAIRS[2][1]],
        [None, None, None, "也可以先冷敷，再看。"],
    ]
    (tmp_path / "a.xlsx").write_bytes(workbook({"一": rows}, ["B1:D1", "B4:B5", "B6:B7", "C6:C7"]))
    good, bad = read(tmp_path / "a.xlsx")
    assert said(good) == [*PAIRS[:3], (PAIRS[2][0], "也可以先冷敷，再看。")] and not bad
    assert [(g.line, g.record.department) for g in good] == [(4, "内科"), (5, "内科"), (6, "外科"), (7, "外科")]


def test_every_sheet_is_read(tmp_path: Path) -> None:
    sheets: dict[str, list[list[str | None]]] = {
        "说明": [["作者", "日期"], ["某某", "2024"]],
        "问答": [["question", "answer"], *map(list, PAIRS)],
        "空": [],
    }
    (tmp_path / "a.xlsx").write_bytes(workbook(sheets))
    good, bad = read(tmp_path / "a.xlsx")
    assert said(good) == PAIRS and {g.file for g in good} == {"a.xlsx/问答"}
    assert [(b.file, b.line, b.reason) for b in bad] == [("a.xlsx/说明", 2, "missing_field")]


# ---- dialogues -------------------------------------------------------------------------------------------------------

Q, A = PAIRS[0]
TURNS = [{"role": "user", "content": Q}, {"role": "assistant", "content": A}]


def record(tmp_path: Path, row: Any) -> Good | Bad:
    (tmp_path / "a.jsonl").write_text(dumped(row), "utf-8")
    (found,) = read_records(tmp_path / "a.jsonl", "a.jsonl", reader().parse)
    return found


@pytest.mark.parametrize(
    "row",
    [
        {"messages": TURNS},
        {"conversations": [{"from": "human", "value": Q}, {"from": "gpt", "value": A}]},
        {"conversation": [{"human": Q, "assistant": A}]},
        {"conversation": [{"input": Q, "output": A}]},
        {"turns": [f"问：{Q}", f"答：{A}"]},
        {"transcript": f"用户：{Q}\n助手：{A}"},
        {"turns": [{"speaker": "用户", "text": Q}, {"speaker": "客服", "text": A}]},
        {"messages": [{"author": "user", "text": Q}, {"author": "assistant", "text": A}]},
        {"dialogue_turns": [{"speaker": "病人", "utterance": Q}, {"speaker": "医生", "utterance": A}]},
        {"query": Q, "response": A},
        {"question": Q, "answer": A},
        {"title": Q, "ask": Q, "answer": A},
        {"instruction": Q, "output": A},
        {"instruction": Q, "response": A},
        {"input": Q, "output": A},
        {"prompt": Q, "completion": A},
        {"prompt": TURNS[:1], "completion": TURNS[1:]},
        {"contents": [{"role": "user", "parts": [{"text": Q}]}, {"role": "model", "parts": [{"text": A}]}]},
    ],
)
def test_a_system_text_beside_the_turns_comes_first_in_every_layout(tmp_path: Path, row: dict[str, Any]) -> None:
    found = record(tmp_path, {**row, "system": "你是药师。"})
    assert isinstance(found, Good) and found.record.turns == [("system", "你是药师。"), ("user", Q), ("assistant", A)]


def test_a_system_text_around_all_records_is_that_of_each(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(dumped({"system": "你是药师。", "data": ROWS}), "utf-8")
    good, bad = read(tmp_path / "a.json")
    assert [g.record.turns[0] for g in good] == [("system", "你是药师。")] * 6 and not bad


def test_a_system_text_of_the_turns_and_one_beside_them_are_both_there(tmp_path: Path) -> None:
    found = record(tmp_path, {"system": "甲", "messages": [{"role": "system", "content": "乙"}, *TURNS]})
    assert isinstance(found, Good) and found.record.turns[0] == ("system", "甲\n乙")


@pytest.mark.parametrize(
    ("history", "turns"),
    [
        ([["一", "二"]], ["一", "二"]),
        ('[["一", "二"]]', ["一", "二"]),
        ("[('一', '二')]", ["一", "二"]),
        ([{"user": "一", "assistant": "二"}], ["一", "二"]),
        ([{"question": "一", "answer": "二"}], ["一", "二"]),
        ([{"role": "user", "content": "一"}, {"role": "assistant", "content": "二"}], ["一", "二"]),
        (["一", "二", "三", "四"], ["一", "二", "三", "四"]),
        *((blank, []) for blank in ([], "[]", "", None, "None", "nan", [[]])),
    ],
)
def test_history_in_every_form(tmp_path: Path, history: Any, turns: list[str]) -> None:
    found = record(tmp_path, {"instruction": Q, "output": A, "history": history})
    assert isinstance(found, Good) and [text for _, text in found.record.turns] == [*turns, Q, A]


@pytest.mark.parametrize(
    ("row", "reason", "told"),
    [
        ({"instruction": Q, "output": A, "history": [["一", "二", "三"]]}, "bad_history", "history holds a list of 3"),
        ({"question": Q, "answer": {"0": A}}, "not_text", "answer is an object with 0"),
        ({"question": ["一", "二"], "answer": ["三", "四"], "x": 1}, "not_text", "lists of 2"),
        ({"问": Q, "医生回复": A}, "missing_field", 'mapping = { question = "问", answer = "医生回复" }'),
        ({"messages": "头痛"}, "missing_field", "messages is str 头痛, not a list"),
        ({"messages": [{"content": Q}]}, "missing_field", "names no speaker; it is an object with content"),
        ({"paragraphs": [{"qas": [{"question": Q}]}]}, "missing_field", "no known layout has the fields paragraphs"),
        ({"messages": [{"role": "wizard", "content": Q}]}, "unknown_role", "'wizard'"),
        ([Q, A], "unknown_role", "mapping = { columns ="),
        (
            {Q + "这是第一行吗？": A, "科室": "内科"},
            "missing_field",
            "no headings: name them, for example mapping = { columns =",
        ),
    ],
)
def test_what_is_set_aside_is_told_with_field_content_and_remedy(tmp_path: Path, row: Any, reason: str, told: str) -> None:
    found = record(tmp_path, [row] if isinstance(row, dict) else row)
    assert isinstance(found, Bad) and found.reason == reason and told in found.text


USER, ANSWER = TURNS
CALL = {"role": "assistant", "content": None, "tool_calls": [1]}
PICTURE = {"type": "image_url", "image_url": {}}
SHAREGPT = [("human", Q), ("function_call", "{}"), ("observation", "3"), ("gpt", A)]


@pytest.mark.parametrize(
    ("row", "left_out"),
    [
        ({"messages": [USER, CALL, {"role": "tool", "content": "3"}, ANSWER]}, ["tool_turn"] * 2),
        ({"conversations": [{"from": who, "value": text} for who, text in SHAREGPT]}, ["tool_turn"] * 2),
        ({"messages": TURNS, "tools": [{"name": "stock"}]}, ["tools"]),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": Q}, PICTURE]}, ANSWER]}, ["part image_url"]),
        ({"messages": [USER, {**ANSWER, "reasoning_content": "想"}]}, ["reasoning_content"]),
        ({"messages": [*TURNS, {"role": "user", "content": "谢谢"}]}, ["turn without an answer"]),
        ({"messages": [{"role": "assistant", "content": "您好"}, *TURNS]}, ["greeting before the question"]),
        ({"question": Q, "answer": A, "context": "别的"}, ["field context"]),
        ({"questions": [[Q, "另一种问法", Q]], "answers": [A]}, ["other wording"]),
    ],
)
def test_what_of_a_conversation_is_not_used_is_counted(tmp_path: Path, row: dict[str, Any], left_out: list[str]) -> None:
    found = record(tmp_path, row)
    assert isinstance(found, Good) and said([found]) == [PAIRS[0]]
    assert list(found.record.left_out) == left_out


def test_a_list_where_text_belongs_is_joined(tmp_path: Path) -> None:
    for answer in (
        ["先休息。", "再复查。"],
        '["先休息。", "再复查。"]',
        [{"type": "text", "text": "先休息。"}, {"text": "再复查。"}],
    ):
        found = record(tmp_path, {"question": Q, "answer": answer})
        assert isinstance(found, Good) and found.record.turns[-1] == ("assistant", "先休息。\n再复查。")


MARKS: list[dict[str, Any]] = [
    {"loss": False}, {"loss": 0.0}, {"weight": 0}, {"train": False}, {"trainable": "false"}, {"masked": True}, {"loss_mask": 0},
]  # fmt: skip


@pytest.mark.parametrize("mark", MARKS)
def test_a_turn_not_to_be_learnt_is_context_and_marked(tmp_path: Path, mark: dict[str, Any]) -> None:
    old = [{"role": "user", "content": "退货吗"}, {"role": "assistant", "content": "旧的回答", **mark}]
    found = record(tmp_path, {"system": "你是药师。", "messages": [*old, *TURNS]})
    assert isinstance(found, Good) and found.record.meta["not_learnt"] == [2]
    assert [role for role, _ in found.record.turns] == ["system", "user", "assistant", "user", "assistant"]
    tail = record(tmp_path, {"messages": [*TURNS, *old]})
    assert isinstance(tail, Good) and said([tail]) == [PAIRS[0]] and "not_learnt" not in tail.record.meta
    assert sorted(tail.record.left_out) == ["turn not to be learnt", "turn without an answer"]
    alone = record(tmp_path, {"messages": old})
    assert isinstance(alone, Bad) and alone.reason == "not_learnt"
    learnt = record(tmp_path, {"messages": [{**turn, "loss": True, "weight": 1, "masked": False} for turn in TURNS]})
    assert isinstance(learnt, Good) and not learnt.record.unlearnt


def test_marks_beside_the_turns(tmp_path: Path) -> None:
    old = [{"role": "user", "content": "退货吗"}, {"role": "assistant", "content": "旧的回答"}]
    for marks in ({"loss_mask": [0, 0, 0, 1]}, {"loss": [False, True]}, {"train": [0, 1]}):
        found = record(tmp_path, {"messages": [*old, *TURNS], **marks})
        assert isinstance(found, Good) and found.record.meta["not_learnt"] == [1]
    for mark in ({"train": False}, {"weight": 0}, {"masked": True}):
        aside = record(tmp_path, [{"question": Q, "answer": A, **mark}])
        assert isinstance(aside, Bad) and aside.reason == "not_learnt"
    assert isinstance(record(tmp_path, [{"question": Q, "answer": A, "weight": 0.5, "mask": "[MASK]"}]), Good)


def test_a_conversation_knows_which_of_its_turns_are_context_only(tmp_path: Path) -> None:
    old = [{"role": "user", "content": "退货吗"}, {"role": "assistant", "content": "旧的回答", "loss": False}]
    (tmp_path / "a.jsonl").write_text(dumped({"messages": [*old, *TURNS]}), "utf-8")
    (conversation,) = read_conversations(str(tmp_path / "a.jsonl"))
    assert conversation.unlearnt == {1}


def test_a_mapping_leaves_no_system_text_or_history_out_in_silence(tmp_path: Path) -> None:
    row = {"q": Q, "a": A, "note": "别的", "system": "你是药师。", "history": [["一", "二"]], "tools": "[]"}
    (tmp_path / "a.jsonl").write_text(dumped(row), "utf-8")
    ((found,), _) = read(tmp_path / "a.jsonl", Mapped(question="q", answer="a"))
    assert found.record.left_out == ("field system", "field history")
    ((found,), _) = read(tmp_path / "a.jsonl", Mapped(question="q", answer="a", system="system", history="history"))
    assert found.record.left_out == () and [role for role, _ in found.record.turns][:2] == ["system", "user"]


def test_a_mapping_reads_lists_of_cells(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(dumped([list(pair) for pair in PAIRS]), "utf-8")
    good, bad = read(tmp_path / "a.json", Mapped(columns=("q", "a"), question="q", answer="a"))
    assert (said(good), bad) == (PAIRS, [])
    with pytest.raises(RecordError, match="lists of 2"):
        Mapped(question="q", answer="a").read({"q": ["一", "二"], "a": ["三", "四"]})
