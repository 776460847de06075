"""The catalogue: loading, and finding by name, alias and lay symptom."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_shop import CATALOGUE as SHOP
from sample_shop import LEXICON

from medasst.catalogue import Catalogue
from medasst.catalogue.catalogue import SAMPLES
from medasst.errors import DataError
from medasst.lexicon import Finder

ROWS = SAMPLES.read_text("utf-8").splitlines()


def test_samples_hold_their_free_and_prescription_products() -> None:
    assert sum(not p.prescription for p in SHOP.products) == 176
    assert sum(p.prescription for p in SHOP.products) == 10
    assert SHOP["OTC-001"].section("dosage") is not None and "OTC-001" in SHOP


def test_what_is_free_is_offered_and_what_needs_a_prescription_is_not() -> None:
    why = {product.sku: product.sale.why for product in SHOP.products}
    assert {sku for sku, reason in why.items() if not reason} == {sku for sku in why if sku.startswith("OTC")}
    assert all(product.prescription for product in SHOP if product.sku.startswith("RX"))


@pytest.mark.parametrize("product", SHOP.products, ids=lambda p: p.sku)
def test_each_product_is_found_by_name_and_every_alias(product) -> None:
    for name in product.names:
        found = SHOP.find(f"请问{name}怎么吃？", 3)
        assert product in [m.product for m in found] and found[0].how == "name", name


@pytest.mark.parametrize("product", [p for p in SHOP.over_the_counter.products if p.symptoms], ids=lambda p: p.sku)
def test_each_free_product_is_found_by_a_symptom(product) -> None:
    found = [SHOP.over_the_counter.find(f"{symptom}，用什么药", 3) for symptom in product.symptoms]
    assert any(match.product == product and match.how == "symptom" for matches in found for match in matches)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("大姨妈肚子疼", "布洛芬缓释胶囊"),
        ("脚气特别痒", "盐酸特比萘芬乳膏"),
        ("一天拉稀好几次", "蒙脱石散"),
        ("胃里老是反酸水，烧心", "铝碳酸镁咀嚼片"),
        ("好几天没大便了", "乳果糖口服溶液"),
        ("嗓子有点疼", "西地碘含片"),
        ("眼睛好干", "玻璃酸钠滴眼液"),
        ("避孕套破了", "左炔诺孕酮片(紧急避孕,1.5mg)"),
        ("嘴角烂了", "复合维生素B片"),
    ],
)
def test_lay_wordings(said: str, name: str) -> None:
    assert name in [match.product.name for match in SHOP.over_the_counter.find(said, 3)]


def test_the_longest_name_counts() -> None:
    assert [m.product.sku for m in SHOP.named("儿童布洛芬怎么喝")] == ["OTC-003"]
    assert [m.product.sku for m in SHOP.named("布洛芬怎么吃")] == ["OTC-001"]


def test_names_are_blind_to_blanks_and_case() -> None:
    assert SHOP.named("布 洛 芬")[0].product.sku == "OTC-001"
    assert SHOP.named("vc")[0].product.sku == "OTC-035"


def test_denied_symptoms_and_allergies_are_no_symptoms() -> None:
    assert SHOP.complaints(LEXICON.read("没有发烧，就是头疼")) == {"头痛": "头疼"}
    assert list(SHOP.complaints(LEXICON.read("对青霉素过敏，嗓子疼")).values()) == ["嗓子疼"]


def test_bad_rows_are_named_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "products.jsonl"
    lost = json.loads(ROWS[1])
    lost["leaflet"]["pregnant"] = lost["leaflet"].pop("pregnancy")
    misspelt = json.loads(ROWS[2]) | {"prize": 3}
    path.write_text("\n".join([ROWS[0], "{", json.dumps(lost), json.dumps(misspelt), ROWS[0]]), "utf-8")
    with pytest.raises(DataError) as caught:
        Catalogue.open(path, LEXICON)
    said = str(caught.value)
    assert caught.value.line == 2 and "not JSON" in said
    assert f"{path}:3: OTC-002: no such leaflet section: pregnant" in said
    assert f"{path}:4: prize" in said
    assert f"{path}:5: the SKU OTC-001 is already that of line 1" in said


def test_no_file_and_no_products(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="can't be read"):
        Catalogue.open(tmp_path / "none.jsonl", LEXICON)
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(DataError, match="no product"):
        Catalogue.open(tmp_path / "empty.jsonl", LEXICON)


def test_catalogue_and_safety_load_no_model() -> None:
    code = (
        "import sys, medasst.catalogue, medasst.safety\n"
        "heavy = {'torch', 'transformers', 'xllamacpp'}\n"
        "bad = [m for m in sys.modules if m.split('.')[0] in heavy or m.startswith('medasst.models')]\n"
        "assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@given(st.text("甲乙丙丁", max_size=30), st.sets(st.text("甲乙丙丁", min_size=1, max_size=4), max_size=8))
def test_of_overlapping_names_the_first_and_longest_counts(text: str, names: set[str]) -> None:
    pattern = re.compile("|".join(sorted(names, key=len, reverse=True)) or r"(?!)")
    assert [hit.name for hit in Finder((name, name) for name in names).find(text)] == pattern.findall(text)
