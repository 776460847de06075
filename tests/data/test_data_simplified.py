"""Traditional becomes simplified by phrase; simplified text, its names and its medical words stay as they are."""

from __future__ import annotations

import json
import os
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import medasst
from medasst.data import read_conversations
from medasst.data.simplified import simplified_series, simplify

TRADITIONAL = "頭痛發燒後應該馬上請醫生檢查乾燥綜合徵臟器鹼性噁心唑癥瘕著名薴於麽裡面藥劑療"
SIMPLIFIED = "头痛发烧后应该马上请医生检查干燥综合征脏器碱性恶心着名里面药剂疗乾隆皇藉瞭，。 aA1"


@pytest.mark.parametrize(
    ("traditional", "simple"),
    [
        ("頭髮乾燥，應該多喝溫水。", "头发干燥，应该多喝温水。"),
        ("乾隆皇后的頭髮", "乾隆皇后的头发"),  # a name keeps 乾, and 后 of an empress isn't 後
        ("皇后在後面", "皇后在后面"),
        ("著名的醫生看著病人", "著名的医生看着病人"),
        ("飯後兩小時量血壓", "饭后两小时量血压"),
        ("胃裡不舒服，想吐，噁心。", "胃里不舒服，想吐，恶心。"),
        ("磺胺甲噁唑，一日兩次", "磺胺甲噁唑，一日两次"),  # the official name of the drug in simplified Chinese
        ("是什麽病？由於受凉", "是什么病？由于受凉"),
    ],
)
def test_phrases_decide(traditional: str, simple: str) -> None:
    assert simplify(traditional) == simple


@pytest.mark.parametrize(
    "text",
    [
        "皇后、太后和后代，以后再说。",
        "著名医生的著作，慰藉，瞭望，乾坤。",
        "一只手发干，面条，复方磺胺甲噁唑片，活血消癥，癥瘕积聚。",
        "体征、综合征、征求意见，钟医生，余氏，于是，抑郁。",
        "WBC 6.5×10⁹/L，α-干扰素 300 万 U。",
        "",
    ],
)
def test_simplified_text_stays(text: str) -> None:
    assert simplify(text) == text


def test_our_samples_stay() -> None:
    samples = Path(medasst.__file__).parent / "samples"
    texts = [line for file in sorted(samples.glob("*.jsonl")) for line in file.read_text("utf-8").splitlines()]
    decoded = [json.dumps(json.loads(text), ensure_ascii=False) for text in texts]
    assert decoded
    assert simplified_series(pl.Series(decoded)).to_list() == decoded


@given(st.text(alphabet=TRADITIONAL + SIMPLIFIED, max_size=40))
def test_twice_changes_nothing_more_and_length_stays(text: str) -> None:
    once = simplify(text)
    assert simplify(once) == once
    assert len(once) == len(text)


def test_every_character_alone_settles_at_once() -> None:
    every = [chr(code) for code in (*range(0x3400, 0x4DC0), *range(0x4E00, 0xA000), *range(0x20000, 0x20100))]
    once = simplified_series(pl.Series(every))
    assert simplified_series(once).to_list() == once.to_list()
    assert all(new <= "\u9fff" for old, new in zip(every, once, strict=True) if old <= "\u9fff")


@given(st.lists(st.one_of(st.none(), st.text(alphabet=TRADITIONAL + SIMPLIFIED, max_size=12)), max_size=6))
def test_the_column_equals_the_function(texts: list[str | None]) -> None:
    frame = pl.DataFrame({"t": texts}, schema={"t": pl.String})
    assert simplified_series(frame["t"]).to_list() == [text if text is None else simplify(text) for text in texts]


@pytest.mark.skipif("MEDASST_DATA" not in os.environ, reason="needs the public sets")
def test_real_simplified_records_hardly_change() -> None:
    found = read_conversations(os.environ["MEDASST_DATA"] + "/huatuo26m-test/*.gz", "huatuo26m")
    texts = ["\n".join(message.content for message in talk.messages) for talk in found]
    frame = pl.DataFrame({"t": texts}).with_columns(simplified_series(pl.Series(texts)).alias("s"))
    changed = frame.filter(pl.col("t") != pl.col("s"))
    assert len(changed) < 0.01 * len(frame)
    assert not frame.filter(pl.col("t").str.contains("皇后|著名|乾隆")).filter(pl.col("t") != pl.col("s")).height
