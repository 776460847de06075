"""The card: every number it shows is named and explained in two languages, labels are whole, and nothing secret is on it."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medasst.data import PrepareConfig, load_split, prepare
from medasst.data.card import bins, compared, facts, word
from medasst.data.filters import FILTERS
from medasst.data.manifest import load_manifest
from medasst.data.stages import CHANGED
from medasst.data.strict import STRICT

ROOT = Path(__file__).resolve().parents[2]
NAME = "a-source-with-a-name-that-no-drawing-has-room-for-" + "x" * 60


def record(n: int) -> dict[str, Any]:
    return {"question": f"我爸爸第{n}天头痛怎么办，电话13812345678", "answer": f"您好，建议先休息{n}天，多喝水，" * (1 + n % 3)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("card")
    rows = [record(n) for n in range(60)] + [
        {"question": "头痛", "answer": "加我微信，免费咨询，彻底根治"},
        {"question": "头痛"},
    ]
    (root / "rows.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    sources = [{"name": NAME, "path": str(root / "rows.jsonl"), "layout": "question-answer", "licence": "ours"}]
    config = {"sources": sources, "near_duplicates": {"enabled": False}, "split": {"validation": 0.1, "test": 0.2}}
    prepare(PrepareConfig.model_validate(config), root / "out")
    prepare(PrepareConfig.model_validate(config | {"texts": False}), root / "numbers")
    return root


class Spoken(HTMLParser):
    """Collects what is said in one language or in none."""

    def __init__(self, other: str) -> None:
        super().__init__()
        self.other, self.hidden, self.text = other, 0, ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self.hidden or dict(attrs).get("class") == self.other or tag in ("style", "script"):
            self.hidden += tag not in ("meta", "br")

    def handle_endtag(self, _: str) -> None:
        self.hidden -= self.hidden > 0

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.text += data


def spoken(page: str, other: str) -> str:
    parser = Spoken(other)
    parser.feed(page)
    return re.sub(r"\s+", " ", parser.text)


def test_each_language_says_every_number_and_whole_labels(folder: Path) -> None:
    page = (folder / "numbers/card.html").read_text("utf-8")
    english, chinese = spoken(page, "zh"), spoken(page, "en")
    assert not re.search(r"[\u4e00-\u9fff]", english.replace("数据卡", "").replace("中文", "").replace("[电话]", ""))
    assert "What went into this training set" not in chinese and "这份训练数据" in chinese
    manifest = load_manifest(folder / "numbers")
    for text in (english, chinese):
        assert NAME in text
        assert {f"{split['records']:,}" for split in manifest["splits"].values()} <= set(re.findall(r"[\d,]+", text))
    assert "Advertising 1" in english and "trade in medicines" in english and "广告 1" in chinese


def test_the_steps_add_up_to_what_was_read_and_to_the_splits(folder: Path) -> None:
    manifest = load_manifest(folder / "out")
    shown = facts(folder / "out", manifest, pl.DataFrame(schema=CHANGED), texts=False)
    left = manifest["read"]
    for step in shown["steps"]:
        assert step.dropped.records == sum(bar.records for bar in step.reasons)
        left -= step.dropped.records
        assert step.left == left
    assert left == sum(split["distinct"] for split in manifest["splits"].values())
    for source in shown["sources"]:
        assert sum(count for _, count in source["parts"]) == source["read"]
    for part in shown["lengths"]:
        assert sum(bar.records for bar in part["bars"]) == manifest["splits"]["train"]["records"]
        assert all(bar.records for bar in part["bars"])


def test_personal_data_is_masked_before_and_after_and_counted(folder: Path) -> None:
    page = (folder / "out/card.html").read_text("utf-8")
    before, after = page.split("Before and after cleaning")[1].split('<div class="pair">')[1].split('class="text"')[1:3]
    mask = '<span class="masked">[电话]</span>'
    assert mask in before and mask in after and "13812345678" not in page
    assert '<span class="gone">您好，</span>' in before and "您好，" not in after
    train = len(load_split(folder / "out", "train"))
    assert re.search(rf"\[电话\]</span><span>{train}\b", page)


def test_texts_stand_on_it_only_when_allowed_and_it_needs_no_network(folder: Path) -> None:
    text = load_split(folder / "out", "train")[0].first_user
    shown, hidden = ((folder / name / "card.html").read_text("utf-8") for name in ("out", "numbers"))
    assert "Examples" in shown and text.partition("[")[0] in shown
    assert "Examples" not in hidden and text.partition("[")[0] not in hidden and "texts = false" in hidden
    assert not re.search(r"https?://|url\(|@import|src=", shown)


def test_every_reason_that_a_record_can_be_dropped_for_has_a_name_and_a_meaning() -> None:
    documented = (ROOT / "docs/data.md").read_text("utf-8").partition("| reason | what to do |")[2].partition("\n\n")[0]
    read = set(re.findall(r"`(\w+)`", "".join(row.split("|")[1] for row in documented.splitlines() if row.startswith("| `"))))
    assert len(read) > 20
    for stage, names in (("read", read), ("clean", {*FILTERS, *STRICT})):
        for name in sorted(names):
            said = word(stage, name)
            assert said.en != name and re.search(r"[\u4e00-\u9fff]", said.zh), f"card.toml lacks {stage}.{name}"
            assert said.en_meaning and said.zh_meaning
    assert word("clean", "a_filter_of_tomorrow") == ("a_filter_of_tomorrow", "a_filter_of_tomorrow", "", "")


@given(st.lists(st.integers(0, 20_000), max_size=60))
def test_bars_of_lengths_are_never_empty_and_count_every_length(lengths: list[int]) -> None:
    found = bins(lengths)
    assert sum(count for _, count in found) == len(lengths) and all(count for _, count in found)
    for label, count in found:
        low, _, high = label.replace(",", "").partition("–")
        inside = [n for n in lengths if int(low.rstrip("+")) <= n <= (int(high) if high else 10**9)]
        assert len(inside) == count


@given(st.text("头痛，。[电话]姓名 a", max_size=40), st.text("头痛，。[电话]姓名 a", max_size=40))
def test_compared_texts_are_the_texts(before: str, after: str) -> None:
    old, new = compared(before, after)
    assert "".join(piece.text for piece in old) == before and "".join(piece.text for piece in new) == after
    assert {piece.kind for piece in old} <= {"", "gone", "masked"} and {piece.kind for piece in new} <= {"", "new", "masked"}
    if before == after:
        assert all(piece.kind in ("", "masked") for piece in old + new)


def test_it_is_readable_on_a_phone_and_changes_its_language(folder: Path) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
    if chromium is None:
        pytest.skip("no chromium installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 390, "height": 844}, locale="zh-CN")
        page.goto((folder / "out/card.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert page.locator("h1").inner_text() == "数据卡"
        page.click("text=English")
        assert page.locator("h1").inner_text() == "Data card"
        cut = "[...document.querySelectorAll('.head span')].filter(e => e.scrollWidth > e.clientWidth && e.clientWidth).length"
        assert page.evaluate(cut) == 0
        browser.close()
