"""Vetted answers as rows: what they may say, what they need, and bad files."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from sample_shop import BOOK

from medasst.errors import ConfigError
from medasst.rulebook.signatures import tightened
from medasst.rulebook.vetted import Circumstances, read_vetted
from medasst.text import comparison_key

ROWS = BOOK.vetted.values()
_SINGLE_AMOUNT = re.compile(
    r"(一次|每次|吃|(?<!口)服|补(?!液))[^。，；]{0,4}([\d.]+|[一二两三半几])(片|粒|袋|枚|支|滴|毫升|毫克|克)(?!以|内|左右的)"
)


def test_no_answer_tells_how_much_of_a_product_to_take() -> None:
    assert [(row.id, found[0]) for row in ROWS if row.offers and (found := _SINGLE_AMOUNT.search(row.answer))] == []


def test_what_circumstances_name_stands_in_the_tables() -> None:
    findings = {
        *BOOK.findings.rows,
        *(f"{part}{sense}" for part in BOOK.composition.parts for sense in BOOK.composition.senses),
    }
    medicines = {*BOOK.drugs.rows, *BOOK.classes.rows, *BOOK.medicines.contents.rows}
    for row in ROWS:
        for needed in (row.requires, row.forbids):
            named = {one for entry in (*needed.conditions, *needed.findings) for one in entry.split("|")}
            assert named <= findings, (row.id, named - findings)
            named = {one for entry in needed.medicines for one in entry.split("|")}
            assert named <= medicines, (row.id, named - medicines)
            assert [one for entry in needed.words for one in entry.split("|") if comparison_key(one) != one] == [], row.id


def test_what_speaks_is_no_question_back_and_no_emergency() -> None:
    path = Path(__file__).parents[2] / "medasst/samples/qa.jsonl"
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    first = [row["messages"][1] for row in rows if row["kind"] == "ask"]
    emergencies = [message for row in rows if row["kind"] == "refer" for message in row["messages"]]
    assert [message["content"] for message in [*first, *emergencies] if "counter" in message] == []


@pytest.mark.parametrize(
    ("needed", "told", "met"),
    [
        ({"words": ("冰箱", "药|胶囊")}, {"words": "胶囊能放冰箱吗"}, True),
        ({"words": ("冰箱", "药|胶囊")}, {"words": "面膜能放冰箱吗"}, False),
        ({"person": ("infant|child",)}, {"person": ("child",)}, True),
        ({"person": ("infant|child",)}, {"person": ()}, False),
        ({"medicines": ("布洛芬", "蒙脱石")}, {"medicines": {"布洛芬", "止痛药"}}, False),
    ],
)
def test_each_entry_must_be_told_and_either_of_its_names_will_do(needed: dict, told: dict, met: bool) -> None:
    assert all(Circumstances.model_validate(needed).met(told)) is met


def written(folder: Path, **counter: object) -> Path:
    path = folder / "answers.jsonl"
    answer = {"role": "assistant", "content": "多喝水。", "counter": counter}
    row = {"messages": [{"role": "user", "content": "要不要喝水"}, answer], "facts": [_FACT]}
    path.write_text("\n" + json.dumps(row, ensure_ascii=False) + "\n", "utf-8")
    return path


_FACT = {"document": "甲", "section": "乙", "checked": False}
_GOOD = {"id": "water", "answers": ["general"], "requires": {"words": ["水"]}}


def test_a_good_file_is_read_and_its_documents_are_its_source(tmp_path: Path) -> None:
    rows, digest = read_vetted([written(tmp_path, **_GOOD)])
    (row,) = rows.values()
    assert (row.turns, row.answer, row.source, row.checked) == (("要不要喝水",), "多喝水。", "甲·乙", False)
    assert len(digest) == 64


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"answers": ["dose"]}, "answers"),
        ({"requires": {}}, "anything would do"),
        ({"requires": {"words": ["水"], "person": ["adul"]}}, "none of infant, child, adult, elderly"),
        ({"requires": {"words": ["水"], "age": ["3"]}}, "requires.age"),
        ({"asks": ["喝多少水"]}, "asks"),
    ],
)
def test_a_bad_row_is_named_with_file_line_and_column(tmp_path: Path, change: dict, told: str) -> None:
    with pytest.raises(ConfigError, match=rf"answers\.jsonl:2: .*{told}"):
        read_vetted([written(tmp_path, **{**_GOOD, **change})])


def test_a_bad_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "qa.jsonl"
    with pytest.raises(ConfigError, match=r"qa\.jsonl: can't be read"):
        read_vetted([path])
    path.write_text('\n{"messages": 3}\n')
    with pytest.raises(ConfigError, match=r"qa\.jsonl:2: not a vetted conversation"):
        read_vetted([path])
    twice = written(tmp_path, **_GOOD)
    with pytest.raises(ConfigError, match="'water' stands twice"):
        read_vetted([twice, twice])


def test_a_refused_answer_is_left_out() -> None:
    row = next(iter(ROWS))
    assert tightened(row, "不妥") is None
