"""The index: one of a kind, what is offered, near spelling, odd queries, threads, the cache."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_shop import CATALOGUE as SHOP
from sample_shop import LEXICON

from medasst.cache import cache_dir
from medasst.catalogue import Catalogue, Product
from medasst.catalogue.catalogue import SAMPLES
from medasst.catalogue.words import sounds, tokens
from medasst.errors import DataError
from medasst.lexicon import Lexicon
from medasst.rulebook import Rulebook

ROWS = [json.loads(line) for line in SAMPLES.read_text("utf-8").splitlines()]
IBUPROFEN = next(row for row in ROWS if row["name"] == "布洛芬缓释胶囊")


def made(row: dict, **changes: object) -> Product:
    return Product.model_validate({**row, "label": row["status"], **changes})


def test_of_many_makers_of_one_thing_one_is_shown_in_stock_with_a_leaflet_and_cheap() -> None:
    makers = [
        made(IBUPROFEN, sku="M1", price=5, stock=0),
        made(IBUPROFEN, sku="M2", price=6, stock=3, leaflet={}),
        made(IBUPROFEN, sku="M3", price=9, stock=3),
        made(IBUPROFEN, sku="M4", price=8, stock=3),
    ]
    shop = Catalogue.of(makers, LEXICON)
    assert [match.product.sku for match in shop.suited({"头痛": "头疼"})] == ["M4"]
    assert [match.product.sku for match in shop.named("布洛芬缓释胶囊多少钱")] == ["M3"]
    other = Catalogue.of([*makers, made(IBUPROFEN, sku="M5", strength="0.4g")], LEXICON)
    assert {match.product.sku for match in other.suited({"头痛": "头疼"})} == {"M4", "M5"}


def test_all_packs_of_a_name_and_all_kinds_of_a_medicine() -> None:
    packs = [
        made(IBUPROFEN, sku="P1", pack="10粒/盒", stock=0),
        made(IBUPROFEN, sku="P2", pack="20粒/盒", stock=4),
        made(IBUPROFEN, sku="P3", name="布洛芬缓释胶囊(大盒)", aliases=["布洛芬缓释胶囊"], stock=4),
        made(IBUPROFEN, sku="P4", name="布洛芬片", form="片剂", aliases=[], stock=4),
    ]
    shop = Catalogue.of(packs, LEXICON).over_the_counter
    assert [product.sku for product in shop.of_name("布洛芬缓释胶囊")] == ["P2", "P1"]
    assert shop.of_name("布洛芬缓释") == [] and shop.of_name("") == []
    assert {product.form for product in shop.of_medicine("布洛芬")} == {"缓释胶囊", "片剂"}
    assert len(shop.of_medicine("布洛芬", most=1)) == 1 and shop.of_medicine("没有这种药") == []


def test_what_is_sold_out_is_not_suggested_but_found_by_its_name() -> None:
    shop = Catalogue.of([made(IBUPROFEN, stock=0)], LEXICON)
    assert shop.suited({"头痛": "头疼"}) == [] and [m.product.sku for m in shop.named("布洛芬缓释胶囊")] == ["OTC-001"]


def test_whether_all_for_a_complaint_needs_a_prescription() -> None:
    free, bound = made(IBUPROFEN), made(IBUPROFEN, sku="M2", status="rx")
    unknown = made(IBUPROFEN, sku="M3", name="晨露止痛灵", aliases=(), ingredients=("晨露素",))
    for products, only in (([bound], True), ([free, bound], False), ([unknown], False), ([], False)):
        assert Catalogue.of(products, LEXICON).only_prescribed(["头痛"]) is only


def test_what_is_not_offered_is_never_found_on_the_shelf() -> None:
    shelf = SHOP.over_the_counter
    kept_back = [product for product in SHOP if not product.offered]
    assert kept_back and len(shelf) == len(SHOP) - len(kept_back)
    for product in kept_back:
        assert product.sku not in shelf and product.sku in SHOP
        for words in (*product.names, *product.symptoms):
            assert product not in [match.product for match in shelf.find(words, 20)]
        with pytest.raises(KeyError):
            shelf[product.sku]


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("tebinaifen", "盐酸特比萘芬乳膏"),
        ("藿香证气", "藿香正气口服液"),
        ("双期杆菌三联活菌", "双歧杆菌三联活菌胶囊"),
        ("布洛份缓释胶囊", "布洛芬缓释胶囊"),
        ("kaisailu", "开塞露"),
    ],
)
def test_names_by_near_spelling(said: str, name: str) -> None:
    assert name in [match.product.name for match in SHOP.over_the_counter.find(said, 3)]


@pytest.mark.parametrize(
    "query", ["", " ", '"', "'; DROP TABLE product; --", "NEAR(a b)", "AND OR NOT", "*", "{names}: x", "\u0000", "😀"]
)
def test_odd_queries_find_nothing_and_break_nothing(query: str) -> None:
    SHOP.find(query)
    assert SHOP.named(query) == []


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=60))
def test_any_text_may_be_asked(query: str) -> None:
    assert len(SHOP.find(query, 3)) <= 3


def test_long_texts_are_searched_in_time_that_grows_with_them() -> None:
    SHOP.find("头疼发烧，布洛芬怎么吃。" * 300)


def test_words_and_sounds() -> None:
    assert {"布洛芬", "布洛", "洛芬", "vc"} - set(tokens("布洛芬 VC")) <= {"布洛芬"}
    assert sounds("布洛芬") == sounds("buluofen") == sounds("布洛分")
    assert sounds("zhangshanshan") == sounds("脏三三")


def test_threads_search_at_the_same_time() -> None:
    texts = [row["name"] for row in ROWS]
    alone = [[match.product.sku for match in SHOP.find(text)] for text in texts]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            assert [[m.product.sku for m in found] for found in pool.map(SHOP.find, texts)] == alone


def test_two_products_with_one_sku_are_refused() -> None:
    with pytest.raises(DataError, match="share the SKU OTC-001"):
        Catalogue.of([made(IBUPROFEN), made(IBUPROFEN)], LEXICON)


# The cache


@pytest.fixture
def file(tmp_path: Path, own_cache: Path) -> Iterator[Path]:
    path = tmp_path / "products.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS[:3]), "utf-8")
    yield path


def indexes() -> list[Path]:
    return [path for path in (cache_dir() / "catalogue").glob("[!.]*") if path.is_dir()]


def test_an_index_is_made_once_for_the_same_products_and_tables(file: Path) -> None:
    assert len(Catalogue.open(file, LEXICON)) == 3
    (before,) = indexes()
    changed = (before / "catalogue.sqlite").stat().st_mtime_ns
    Catalogue.open(file, LEXICON)
    assert indexes() == [before] and (before / "catalogue.sqlite").stat().st_mtime_ns == changed
    file.write_text(file.read_text("utf-8").replace("18.5", "17.5"), "utf-8")
    assert Catalogue.open(file, LEXICON)["OTC-001"].price == 17.5 and len(indexes()) == 2


def test_other_tables_decide_anew(file: Path, tmp_path: Path) -> None:
    assert Catalogue.open(file, LEXICON)["OTC-001"].offered
    (tmp_path / "overlay").mkdir()
    (tmp_path / "overlay/drugs.toml").write_text('[[drug]]\nname = "布洛芬"\nstatus = "rx"\n', "utf-8")
    strict = Catalogue.open(file, Lexicon(Rulebook.load(overlay=tmp_path / "overlay")))
    assert strict["OTC-001"].prescription and not strict["OTC-001"].offered and len(indexes()) == 2


def test_indexes_that_nobody_opened_for_long_are_forgotten(file: Path) -> None:
    Catalogue.open(file, LEXICON)
    (old,) = indexes()
    long_ago = time.time() - 100 * 24 * 3600
    os.utime(old, (long_ago, long_ago))
    file.write_text(file.read_text("utf-8").replace("18.5", "17.5"), "utf-8")
    Catalogue.open(file, LEXICON)
    assert old not in indexes() and len(indexes()) == 1


def test_what_is_no_catalogue_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no catalogue in it; make one with"):
        Catalogue.open(tmp_path, LEXICON)


def test_what_holds_a_substance_or_one_of_a_group_single_ones_first_and_cheap_never_what_is_not_offered() -> None:
    compound = next(row for row in ROWS if row["name"] == "感冒灵颗粒")
    single = next(row for row in ROWS if row["name"] == "对乙酰氨基酚片")
    child = next(row for row in ROWS if row["name"] == "对乙酰氨基酚栓(儿童)")
    products = [
        made(compound, sku="A", price=1),
        made(single, sku="B", price=9),
        made(single, sku="C", price=5, strength="0.3g"),
        made(single, sku="D", status="rx", strength="1g"),
        made(single, sku="E", stock=0, strength="0.25g"),
        made(child, sku="F"),
    ]
    shop = Catalogue.of(products, LEXICON)
    assert [one.sku for one in shop.holding("对乙酰氨基酚", for_children=False)] == ["C", "B", "A"]
    assert [one.sku for one in shop.holding("解热镇痛药", for_children=False)] == ["C", "B", "A"]
    assert [one.sku for one in shop.holding("对乙酰氨基酚", for_children=True)] == ["F"]
    assert [one.sku for one in shop.holding("对乙酰氨基酚", for_children=False, sold_out=True)] == ["E"]
    assert shop.holding("布洛芬", for_children=False) == []


def test_a_complaint_is_served_by_its_own_row_else_by_that_of_the_broader_finding_that_tells_most() -> None:
    formulary = SHOP.formulary

    def row(finding: str) -> str:
        found = formulary.complaint(finding, LEXICON.broader(finding))
        return found.name if found else ""

    assert [row(one) for one in ("发热", "烧心", "雷击样头痛", "血尿", "便血", "没有这个词")] == [
        "发热",
        "反酸",
        "头痛",
        "",
        "",
        "",
    ]
