"""No personal data comes out of `prepare`, whatever column, field or file name it came in by."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from medasst.config import load
from medasst.data import PrepareConfig, prepare
from medasst.data.privacy import mask_json, mask_name, mask_raw

SECRETS = ["13812345678", "张小明", "430103198209143036", "wxlin_66", "33887120", "翠苑小区", "lin@163.com", "欧阳静怡"]
LABELS = {
    "phone": "[电话]",
    "idcard": "[身份证]",
    "patient_name": "[姓名]",
    "wechat": "[微信]",
    "qq": "[QQ]",
    "address": "[地址]",
}
LABELS |= {
    "姓名": "[姓名]",
    "电话": "[电话]",
    "userPhone": "[电话]",
    "contact_phone2": "[电话]",
    "患者住址": "[地址]",
    "id_no": "[身份证]",
}


def answer(n: int) -> str:
    return f"这种情况先休息{n}天，体温高了再来医院复查血常规，平时多喝温水。"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    rows = [
        {
            "question": f"头痛第{n}天怎么办",
            "answer": answer(n),
            "department": "内科 电话13812345678",
            "id": n,
            "phone": 13812345678,
            "姓名": "张小明",
            "idcard": 430103198209143036,
            "address": "翠苑小区",
            "备注": {"wechat": "wxlin_66", "13812345678": "加QQ33887120"},
        }
        for n in range(40)
    ]
    raw = tmp_path / "raw"
    raw.mkdir()
    text = "".join(json.dumps(row, ensure_ascii=n % 2 == 0) + "\n" for n, row in enumerate(rows))
    broken = json.dumps({"question": "我叫欧阳静怡", "phone": "13812345678", "姓名": "张小明", "邮箱": "lin@163.com"})[:-9]
    (raw / "张小明_13812345678.jsonl").write_text(text + broken + "\n" + broken[:-3] + "\n", "utf-8")
    (tmp_path / "prepare.toml").write_text('[[sources]]\nname = "s"\npath = "raw/*"\n[split]\nvalidation = 0.1\ntest = 0.1\n')
    prepare(load(PrepareConfig, tmp_path / "prepare.toml", ()), tmp_path / "out")
    return tmp_path / "out"


def test_no_secret_shows_in_any_column_or_file_of_the_result(out: Path) -> None:
    texts = {path.name: path.read_text("utf-8") for path in out.iterdir() if path.suffix in {".json", ".html"}}
    for path in out.glob("*.parquet"):
        texts[path.name] = json.dumps(pl.read_parquet(path).to_dicts(), ensure_ascii=False, default=str)
    rejected = next(text for name, text in texts.items() if name.startswith("rejected"))
    assert "not_json" in rejected and "[姓名]" in rejected
    for name, text in texts.items():
        shown = [secret for secret in SECRETS if secret in text or json.dumps(secret)[1:-1] in text]
        assert not shown, name


@pytest.mark.parametrize("value", [13812345678, "王", 3.5, ["a", 7]])
@pytest.mark.parametrize("field", LABELS)
def test_a_field_is_masked_by_its_name(field: str, value: object) -> None:
    label = LABELS[field]
    assert mask_json({field: value}) == {field: [label, label] if isinstance(value, list) else label}  # type: ignore[dict-item]


@pytest.mark.parametrize(
    "field", ["question", "qqs", "named", "tellers", "department", "症状", "addressed_to_all", "score", "drug_name"]
)
def test_other_fields_are_not(field: str) -> None:
    assert mask_json({field: "头痛", "n": 7, "ok": True, "none": None}) == {field: "头痛", "n": 7, "ok": True, "none": None}


def test_numbers_and_keys_are_masked_and_two_keys_stay_two() -> None:
    assert mask_json({"13812345678": 1, "13912345678": 2, "n": 13812345678}) == {"[电话]": 1, "[电话] 2": 2, "n": "[电话]"}


@pytest.mark.parametrize(
    "text",
    [
        '{"phone": "13812345678", "姓名": "张小明", "q": "头痛',
        "{'patient_name': '张小明', 'tel': 13812345678",
        json.dumps({"姓名": "张小明", "q": "我叫欧阳静怡，电话13812345678"})[:-2],
        json.dumps(json.dumps({"姓名": "张小明", "phone": "13812345678"}))[:-2],
    ],
)
def test_broken_pieces_are_masked_escaped_or_not(text: str) -> None:
    masked = mask_raw(text)
    assert not any(secret in masked or json.dumps(secret)[1:-1] in masked for secret in SECRETS)


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("张小明_2024.csv", "[姓名]_2024.csv"),
        ("病历/13812345678.jsonl", "病历/[电话].jsonl"),
        ("huatuo26m-test/part-0001.jsonl.gz", "huatuo26m-test/part-0001.jsonl.gz"),
        ("儿科问答.xlsx", "儿科问答.xlsx"),
        ("data.zip/高血压.json", "data.zip/高血压.json"),
    ],
)
def test_names_of_files(name: str, masked: str) -> None:
    assert mask_name(name) == masked
