"""A shop's own file: what comes in, what is refused and why, and that nothing is half-imported."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from sample_shop import LEXICON

from medasst import cli
from medasst.catalogue import Catalogue
from medasst.catalogue.versions import current, switch, versions
from medasst.config import load
from medasst.errors import ConfigError, DataError
from medasst.intake import CatalogueMapping, Intake, bring_in, cells, codes

HEADINGS = ["编码", "名称", "售价", "类别", "标识", "成份", "症状", "库存", "文号", "条码", "适应症", "禁忌"]
MAPPING = """
files = ["{file}"]
{more}
[columns]
sku = "编码"
name = "名称"
price = "售价"
status = "类别"
label = "标识"
ingredients = "成份"
symptoms = "症状"
stock = "库存"
approval = "文号"
gtin = "条码"
[leaflet]
indications = "适应症"
contraindications = "禁忌"
"""
GOOD = [
    "A1",
    "布洛芬缓释胶囊",
    "¥12.80",
    "OTC甲",
    "",
    "布洛芬",
    "头痛、发烧",
    "35",
    "国药准字H20051234",
    "6901234567892",
    "用于头痛。",
    "过敏者禁用。",
]


def write_workbook(path: Path, sheets: dict[str, list[list[str | None]]]) -> None:
    """The parts of an .xlsx file that a reader needs."""
    schemas = "http://schemas.openxmlformats.org"
    office, package = f"{schemas}/officeDocument/2006/relationships", f"{schemas}/package/2006"
    names = [f'<sheet name="{name}" sheetId="{n}" r:id="rId{n}"/>' for n, name in enumerate(sheets, 1)]
    targets = [
        f'<Relationship Id="rId{n}" Type="{office}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n, _ in enumerate(sheets, 1)
    ]
    with zipfile.ZipFile(path, "w") as book:
        kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
        rels = '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        types = f'<Types xmlns="{package}/content-types">{rels}<Default Extension="xml" ContentType="{kind}"/></Types>'
        book.writestr("[Content_Types].xml", types)
        root = f'<Relationship Id="rId1" Type="{office}/officeDocument" Target="xl/workbook.xml"/>'
        book.writestr("_rels/.rels", f'<Relationships xmlns="{package}/relationships">{root}</Relationships>')
        main = f"{schemas}/spreadsheetml/2006/main"
        told = f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>{"".join(names)}</sheets></workbook>'
        book.writestr("xl/workbook.xml", told)
        related = f'<Relationships xmlns="{package}/relationships">{"".join(targets)}</Relationships>'
        book.writestr("xl/_rels/workbook.xml.rels", related)
        for n, table in enumerate(sheets.values(), 1):
            rows = "".join(_sheet_row(line, cells) for line, cells in enumerate(table, 1))
            book.writestr(f"xl/worksheets/sheet{n}.xml", f'<worksheet xmlns="{main}"><sheetData>{rows}</sheetData></worksheet>')


def _sheet_row(line: int, values: list[str | None]) -> str:
    told = [
        f'<c r="{chr(65 + place)}{line}" t="inlineStr"><is><t>{value}</t></is></c>'
        for place, value in enumerate(values)
        if value is not None
    ]
    return f'<row r="{line}">{"".join(told)}</row>'


def row(
    sku: str, name: str, price: str = "9.9", status: str = "甲类", label: str = "", made_of: str = "", **more: str
) -> list[str]:
    """A row of the shop's file."""
    return [sku, name, price, status, label, made_of, *(more.get(key, "") for key in HEADINGS[6:])]


def csv(rows: list[list[str]]) -> str:
    return "".join(",".join(f'"{cell}"' if "," in cell else cell for cell in line) + "\n" for line in [HEADINGS, *rows])


def shop(folder: Path, rows: list[list[str]], more: str = "", file: str = "shop.csv") -> CatalogueMapping:
    """A mapping with its file beside it."""
    if file.endswith(".csv"):
        (folder / file).write_text(csv(rows), "utf-8")
    (folder / "catalogue.toml").write_text(MAPPING.format(file=file, more=more), "utf-8")
    return load(CatalogueMapping, folder / "catalogue.toml")


def brought(folder: Path, rows: list[list[str]], more: str = "", file: str = "shop.csv") -> Intake:
    return bring_in(shop(folder, rows, more, file), folder / "out", lexicon=LEXICON)


def lines(result: Intake, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (result.folder / name).read_text("utf-8").splitlines()]


def test_a_good_row_comes_in_whole(tmp_path: Path) -> None:
    result = brought(tmp_path, [GOOD])
    product = Catalogue.open(tmp_path / "out", LEXICON)["A1"]
    assert (product.name, product.price, product.status, product.stock) == ("布洛芬缓释胶囊", 12.8, "otc-a", 35)
    assert (product.codes.approval, product.codes.gtin) == ("国药准字H20051234", "6901234567892")
    assert product.symptoms == ("头痛", "发烧") and [one.name for one in product.contents.substances] == ["布洛芬"]
    assert (section := product.section("indications")) and (section.text, section.section) == ("用于头痛。", "适应症")
    assert section.document == "布洛芬缓释胶囊说明书" and not section.checked and product.offered
    assert "dosage" in product.untold and result.summary().startswith("1 rows read: 1 in (1 offered), 0 refused")


@pytest.mark.parametrize(
    ("bad", "field", "code"),
    [
        (row("", "蒙脱石散"), "sku", "no_sku"),
        (row("B1", ""), "name", "no_name"),
        (row("B1", "药"), "name", "short_name"),
        (row("B1", "蒙脱石散", price="面议"), "price", "bad_price"),
        (row("B1", "蒙脱石散", price="12-15元"), "price", "bad_price"),
        (row("B1", "蒙脱石散", price="0"), "price", "bad_price"),
        (row("B1", "蒙脱石散", price=""), "price", "no_price"),
        (row("B1", "蒙脱石散", status="普药"), "status", "bad_status"),
        (row("B1", "蒙脱石散", status=""), "status", "no_status"),
        (row("B1", "石" * 201), "name", "too_long"),
    ],
)
def test_a_bad_row_is_refused_with_its_line_and_remedy(tmp_path: Path, bad: list[str], field: str, code: str) -> None:
    result = brought(tmp_path, [GOOD, bad, row("C1", "氯雷他定片", made_of="氯雷他定")])
    (told,) = lines(result, "rejected.jsonl")
    assert (told["file"], told["line"], told["field"], told["code"], told["refused"]) == ("shop.csv", 3, field, code, True)
    assert told["reason"] and told["remedy"] and "{" not in told["remedy"]
    assert (result.report.read, result.report.taken, result.report.refused) == (3, 2, 1)
    assert "B1" not in Catalogue.open(tmp_path / "out", LEXICON) and "C1" in Catalogue.open(tmp_path / "out", LEXICON)


def test_of_two_rows_with_one_sku_the_later_is_refused_and_both_are_named(tmp_path: Path) -> None:
    result = brought(tmp_path, [GOOD, row("C1", "氯雷他定片"), row("A1", "蒙脱石散")])
    (told,) = lines(result, "rejected.jsonl")
    assert told["line"] == 4 and "shop.csv:2" in told["remedy"] and told["code"] == "duplicate_sku"
    assert Catalogue.open(tmp_path / "out", LEXICON)["A1"].name == "布洛芬缓释胶囊"


def test_a_bad_code_or_count_is_left_out_and_the_row_comes_in(tmp_path: Path) -> None:
    bad = row("B1", "氯雷他定片", 库存="许多", 文号="H123", 条码="6901234567890", 标识="蓝底")
    bad[4] = "蓝底"
    result = brought(tmp_path, [bad])
    assert {told["code"] for told in lines(result, "rejected.jsonl")} == {"bad_stock", "bad_approval", "bad_gtin", "bad_label"}
    assert not any(told["refused"] for told in lines(result, "rejected.jsonl"))
    product = Catalogue.open(tmp_path / "out", LEXICON)["B1"]
    assert product.stock is None and product.codes.approval == product.codes.gtin == product.label == ""


@pytest.mark.parametrize(
    ("line", "status", "why"),
    [
        (row("S1", "布洛芬片", status="处方药", made_of="布洛芬"), "rx", "prescription"),  # the shop is stricter
        (row("S1", "阿奇霉素片", status="OTC甲", label="红底", made_of="阿奇霉素"), "rx", "prescription"),  # the formulary is
        (row("S1", "奥美拉唑肠溶胶囊", made_of="奥美拉唑"), "rx", "dual"),  # both ways, and nothing shows which
        (row("S1", "奥美拉唑肠溶胶囊", label="红底OTC", made_of="奥美拉唑"), "otc-a", ""),
        (row("S1", "奥美拉唑肠溶胶囊", status="双跨", label="甲类", made_of="奥美拉唑"), "otc-a", ""),
        (row("S1", "奥美拉唑肠溶胶囊", status="双跨", made_of="奥美拉唑"), "rx", "prescription"),
        (row("S1", "奥美拉唑肠溶胶囊", label="处方药", made_of="奥美拉唑"), "rx", "prescription"),
        (row("S1", "晨露感康宁片", made_of="对乙酰氨基酚、盐酸伪麻黄碱"), "rx", "banned_online"),
        (row("S1", "晨露宁片", made_of="神秘成份甲"), "otc-a", "unresolved"),
        (row("S1", "晨露宁片"), "otc-a", "unresolved"),
        (row("S1", "布洛芬片", made_of="对乙酰氨基酚"), "otc-a", "two_ways"),
        (row("S1", "蒙脱石散", status="绿标"), "otc-b", ""),  # by its name alone
        (row("S1", "蒙脱石散 3g*10袋", status="绿标"), "otc-b", ""),
        (row("S1", "晨露 蒙脱石散", status="绿标"), "otc-b", "unresolved"),  # a brand that no column names may be a medicine
    ],
)
def test_the_stricter_word_decides(tmp_path: Path, line: list[str], status: str, why: str) -> None:
    result = brought(tmp_path, [line])
    (told,) = lines(result, "resolved.jsonl")
    assert (told["status"], told["why"], told["offered"]) == (status, why, not why), told
    catalogue = Catalogue.open(tmp_path / "out", LEXICON)
    assert ("S1" in catalogue.over_the_counter) is (not why) and "S1" in catalogue


def test_what_shows_that_a_medicine_sold_both_ways_is_free_is_told(tmp_path: Path) -> None:
    result = brought(tmp_path, [row("S1", "奥美拉唑肠溶胶囊", label="绿底", made_of="奥美拉唑")])
    (told,) = lines(result, "resolved.jsonl")
    assert (told["formulary"], told["shown_by"], told["stricter"]) == ("dual", "label", "")
    assert "包装标识" in (result.folder / "report.html").read_text("utf-8")


def test_controlled_medicines_are_never_offered(tmp_path: Path) -> None:
    rows = [row("K1", "氨酚伪麻美芬片", made_of="对乙酰氨基酚、盐酸伪麻黄碱、氢溴酸右美沙芬"), row("K2", "复方地芬诺酯片")]
    result = brought(tmp_path, rows)
    assert {told["sku"]: told["offered"] for told in lines(result, "resolved.jsonl")} == {"K1": False, "K2": False}
    assert Catalogue.open(tmp_path / "out", LEXICON).over_the_counter.find("氨酚伪麻美芬片") == []


def test_one_substance_under_two_names_counts_once_and_is_told(tmp_path: Path) -> None:
    result = brought(tmp_path, [row("V1", "维生素C片", status="乙类", made_of="维生素C、抗坏血酸")])
    (told,) = lines(result, "rejected.jsonl")
    assert told["code"] == "named_twice" and not told["refused"] and "抗坏血酸" in told["remedy"]
    assert lines(result, "resolved.jsonl")[0]["substances"] == ["维生素C"]


def test_the_report_is_a_page_for_the_shops_owner(tmp_path: Path) -> None:
    rows = [GOOD, row("B1", "<b>蒙脱石散</b>", price="面议"), row("B2", "晨露宁片"), row("B3", "麻黄碱苯海拉明片")]
    result = brought(tmp_path, rows)
    page = (result.folder / "report.html").read_text("utf-8")
    for said in (
        "读取 <b>4</b>",
        "导入 <b>3</b>",
        "拒绝 <b>1</b>",
        "价格不是一个数",
        "认不出是什么药",
        "shop.csv 第 3 行",
        "面议",
    ):
        assert said in page, said
    assert "{" not in page.split("</style>")[1] and "None" not in page
    told = json.loads((result.folder / "report.json").read_text("utf-8"))
    assert (told["read"], told["taken"], told["offered"], told["refused"]) == (4, 3, 1, 1)


def test_the_example_of_the_docs_is_as_they_say(tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "configs/shop/catalogue.toml"
    result = bring_in(load(CatalogueMapping, example), tmp_path / "out", lexicon=LEXICON)
    page = (example.parents[2] / "docs/medicines.md").read_text("utf-8")
    assert result.summary().partition("; version")[0] in page
    told = {one["sku"]: one["why"] for one in lines(result, "resolved.jsonl")}
    assert told == {"A001": "", "A002": "", "A003": "", "A004": "dual", "A006": "banned_online", "A007": "unresolved"}
    assert [(one["line"], one["code"]) for one in lines(result, "rejected.jsonl")] == [
        (4, "bad_approval"),
        (5, "duplicate_sku"),
        (7, "bad_price"),
    ]


# The same again, versions, the way back


def test_the_same_again_changes_nothing(tmp_path: Path) -> None:
    first = brought(tmp_path, [GOOD])
    bytes_before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    again = brought(tmp_path, [GOOD])
    assert again.unchanged and not first.unchanged and again.version == first.version
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == bytes_before
    assert "which was there already" in again.summary()


def test_versions_are_kept_and_the_way_back_is_open(tmp_path: Path) -> None:
    first = brought(tmp_path, [GOOD])
    second = brought(tmp_path, [GOOD, row("C1", "氯雷他定片")])
    out = tmp_path / "out"
    assert {one.name: one.current for one in versions(out)} == {first.version: False, second.version: True}
    assert len(Catalogue.open(out, LEXICON)) == 2
    switch(out, first.version[:6])
    assert len(Catalogue.open(out, LEXICON)) == 1 and current(out) == first.folder
    assert brought(tmp_path, [GOOD, row("C1", "氯雷他定片")]).unchanged and len(Catalogue.open(out, LEXICON)) == 2
    with pytest.raises(DataError, match="no such version"):
        switch(out, "zzzz")
    with pytest.raises(DataError, match=r"several versions begin so|no such version"):
        switch(out, "")
    with pytest.raises(DataError, match="medasst catalogue import"):
        versions(tmp_path / "nowhere")


def test_a_mapping_that_reads_otherwise_makes_another_version(tmp_path: Path) -> None:
    one = brought(tmp_path, [row("A1", "氯雷他定片", status="放心药")], more='refuse_above = 0.9\nwords = {"放心药" = "rx"}')
    other = brought(
        tmp_path, [row("A1", "氯雷他定片", status="放心药")], more='refuse_above = 0.9\nwords = {"放心药" = "otc-b"}'
    )
    assert one.version != other.version
    assert [lines(each, "resolved.jsonl")[0]["shop"] for each in (one, other)] == ["rx", "otc-b"]


def test_nothing_is_half_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = brought(tmp_path, [GOOD])

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("medasst.intake.importer.write_report", stop)
    with pytest.raises(KeyboardInterrupt):
        brought(tmp_path, [GOOD, row("C1", "氯雷他定片")])
    assert [path.name for path in (tmp_path / "out/versions").glob("[!.]*")] == [first.version]
    assert current(tmp_path / "out") == first.folder


def test_a_file_that_is_mostly_bad_is_not_served(tmp_path: Path) -> None:
    first = brought(tmp_path, [GOOD])
    bad = [row(f"B{n}", "蒙脱石散", price="面议") for n in range(3)]
    for _ in range(2):  # also where the version is there already
        with pytest.raises(DataError, match=r"3 of 4 rows are refused, more than refuse_above = 0.5") as caught:
            brought(tmp_path, [GOOD, *bad])
        assert "report.html" in str(caught.value)
    assert current(tmp_path / "out") == first.folder
    refused = next(one for one in versions(tmp_path / "out") if not one.current)
    assert "没有启用" in (refused.folder / "report.html").read_text("utf-8")
    with pytest.raises(DataError, match="was refused as a whole"):
        switch(tmp_path / "out", refused.name)


def test_a_file_that_changes_meanwhile_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = iter(range(100))
    monkeypatch.setattr("medasst.intake.importer.file_sha256", lambda _: str(next(hashes)))
    with pytest.raises(DataError, match="changed while it was read"):
        brought(tmp_path, [GOOD])
    assert not (tmp_path / "out/current.txt").exists()


# What is wrong with the mapping or the file


def test_a_column_that_is_not_there_is_named_with_those_that_are_the_nearest_first(tmp_path: Path) -> None:
    mapping = shop(tmp_path, [GOOD])
    asked = mapping.model_copy(update={"columns": mapping.columns.model_copy(update={"price": "售价元"})})
    with pytest.raises(ConfigError) as caught:
        bring_in(asked, tmp_path / "out", lexicon=LEXICON)
    said = str(caught.value)
    assert "columns.price names the column '售价元', which shop.csv doesn't have; its columns are 售价, " in said
    assert not (tmp_path / "out/versions").exists() or not list((tmp_path / "out/versions").glob("[!.]*"))


@pytest.mark.parametrize("text", ["", ",".join(HEADINGS) + "\n"])
def test_an_empty_file(tmp_path: Path, text: str) -> None:
    mapping = shop(tmp_path, [GOOD])
    (tmp_path / "shop.csv").write_text(text, "utf-8")
    with pytest.raises(DataError, match="no product in it"):
        bring_in(mapping, tmp_path / "out", lexicon=LEXICON)


def test_no_file(tmp_path: Path) -> None:
    mapping = shop(tmp_path, [GOOD])
    (tmp_path / "shop.csv").unlink()
    with pytest.raises(DataError, match="no file matches; check `files` in the mapping"):
        bring_in(mapping, tmp_path / "out", lexicon=LEXICON)


def test_a_workbook_and_its_sheets(tmp_path: Path) -> None:
    sheets = {"说明": [["请填写"]], "商品": [HEADINGS, [cell or None for cell in GOOD]]}
    write_workbook(tmp_path / "shop.xlsx", sheets)
    with pytest.raises(ConfigError, match=r"several sheets; name the one to read: sheet = one of 说明, 商品"):
        brought(tmp_path, [], file="shop.xlsx")
    with pytest.raises(ConfigError, match=r"shop.xlsx has no such sheet; it has 商品, 说明"):
        brought(tmp_path, [], 'sheet = "商品表"', file="shop.xlsx")
    assert brought(tmp_path, [], 'sheet = "商品"', file="shop.xlsx").report.taken == 1
    assert Catalogue.open(tmp_path / "out", LEXICON)["A1"].price == 12.8


def test_a_workbook_that_was_saved_again_is_the_same_version(tmp_path: Path) -> None:
    rows = [HEADINGS, [cell or None for cell in GOOD]]
    write_workbook(tmp_path / "shop.xlsx", {"商品": rows})
    first = brought(tmp_path, [], file="shop.xlsx")
    before = (tmp_path / "shop.xlsx").read_bytes()
    with zipfile.ZipFile(tmp_path / "shop.xlsx", "a") as book:
        book.writestr("docProps/saved.xml", "<saved/>")
    assert (tmp_path / "shop.xlsx").read_bytes() != before
    again = brought(tmp_path, [], file="shop.xlsx")
    assert again.unchanged and again.version == first.version
    write_workbook(tmp_path / "shop.xlsx", {"商品": [*rows, ["A2", *[cell or None for cell in GOOD[1:]]]]})
    assert brought(tmp_path, [], file="shop.xlsx").version != first.version


def test_what_is_no_medicine_stays_out_and_says_so(tmp_path: Path) -> None:
    others = [
        row("D1", "体温计", status="医疗器械"),
        row("D2", "鱼油软胶囊", status="保健食品"),
        row("D3", "面霜", status="化妆品"),
    ]
    device = row("D4", "退热贴", status="甲类", 文号="国械备20180001")
    found = brought(tmp_path, [GOOD, *others, device])
    assert found.report.served and found.report.taken == 1 and found.report.problems["no_medicine"] == 4
    told = found.report.rejected[0]
    assert (told["line"], told["code"], told["value"]) == (3, "no_medicine", "医疗器械") and "商城" in told["remedy"]


def test_a_price_by_another_unit_than_the_package_is_told(tmp_path: Path) -> None:
    found = brought(tmp_path, [row("A1", "蒙脱石散", price="120元/箱"), row("A2", "布洛芬片", price="12元/盒")])
    assert found.report.taken == 2
    assert [(one["sku"], one["code"]) for one in found.report.noted if one["field"] == "price"] == [("A1", "price_unit")]


def test_json_and_json_lines_and_another_encoding(tmp_path: Path) -> None:
    row_of = dict(zip(HEADINGS, GOOD, strict=True))
    more = row_of | {"编码": 1002, "售价": 9.5, "症状": ["头痛", "牙痛"], "成份": None}
    (tmp_path / "shop.json").write_text(json.dumps({"total": 2, "items": [row_of, more]}, ensure_ascii=False), "utf-8")
    (tmp_path / "shop.jsonl").write_text(f"{json.dumps(row_of)}\nnot json\n{json.dumps(more)}\n", "utf-8")
    (tmp_path / "shop.csv").write_text(csv([GOOD]), "gb18030")
    (tmp_path / "out").mkdir()
    for file, taken in (("shop.json", 2), ("shop.jsonl", 2)):
        result = brought(tmp_path, [], file=file)
        assert result.report.taken == taken
        product = Catalogue.open(tmp_path / "out", LEXICON)["1002"]
        assert product.price == 9.5 and product.symptoms == ("头痛", "牙痛")
    assert [told["code"] for told in lines(result, "rejected.jsonl")] == ["row_unreadable"]
    mapping = load(CatalogueMapping, tmp_path / "catalogue.toml", ['files=["shop.csv"]'])
    mapping = mapping.model_copy(update={"files": (str(tmp_path / "shop.csv"),)})
    assert bring_in(mapping, tmp_path / "out", lexicon=LEXICON).report.taken == 1


def test_the_mapping_must_say_how_products_are_sold(tmp_path: Path) -> None:
    text = 'files = ["a.csv"]\n[columns]\nsku = "a"\nname = "b"\nprice = "c"\n'
    (tmp_path / "m.toml").write_text(text, "utf-8")
    with pytest.raises(ConfigError, match="status_of_all"):
        load(CatalogueMapping, tmp_path / "m.toml")
    (tmp_path / "m.toml").write_text(text.replace("price", "prise"), "utf-8")
    with pytest.raises(ConfigError, match="did you mean 'price'"):
        load(CatalogueMapping, tmp_path / "m.toml")


# Cells and codes


@pytest.mark.parametrize(
    ("said", "yuan"),
    [
        *[("12.8", 12.8), ("¥12.80", 12.8), ("￥1,280.00", 1280), ("12.8元", 12.8), ("12.8 元/盒", 12.8), ("RMB 5", 5)],
        *[(said, None) for said in ("面议", "12-15", "-3", "0", "1.2.3", "12,80", "免费", "９块９")],
        ("１２．５", 12.5),
    ],
)
def test_prices(said: str, yuan: float | None) -> None:
    assert cells.price(cells.text(said)) == yuan


def test_lists_and_empty_cells() -> None:
    both = ("、", "，", ",")
    assert cells.items("麦芽（炒，研）、山楂, 山楂，陈皮", both) == ("麦芽（炒，研）", "山楂", "陈皮")
    assert [cells.text(value) for value in (None, " — ", "N/A", "nan", 1001.0, True, {"a": 1})] == [
        "",
        "",
        "",
        "",
        "1001",
        "True",
        "",
    ]
    assert [cells.status(word, {}) for word in ("OTC（甲）", "otc", "绿 底", "RX", "双跨", "放心")] == [
        "otc-a",
        "otc-a",
        "otc-b",
        "rx",
        "dual",
        None,
    ]
    assert [cells.count(word) for word in ("35", "35.0", "3盒", "-1", "", "多")] == [35, 35, 3, None, None, None]


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (
            "approval",
            ["国药准字H20051234", "国药准字 Z11020001", "国药准字HJ20160001", "H20140123", "BH20140123"],
            ["国药准字H2005123", "国食健字G2010"],
        ),
        ("national", ["86901234567898"], ["86901234567890", "8690123456789", "12345678901231"]),
        ("insurance", ["XA01ABD075A002010100483", "ZA01AAS0001010100001"], ["XA01", "YA01ABD075A002010100483"]),
        ("trace", ["8312345", "06901234567892"], ["831234", "06901234567890"]),
        ("gtin", ["6901234567892", "690-1234-567892", "96385074"], ["6901234567890", "690123456789", "6.90123E+12"]),
        ("atc", ["M01AE01", "m01a", "A02"], ["X01AE01", "M01AE1", "M1"]),
    ],
)
def test_codes_have_their_form_and_check_digit(kind: str, good: list[str], bad: list[str]) -> None:
    assert all(codes.checked(kind, code) for code in good), [code for code in good if not codes.checked(kind, code)]
    assert not any(codes.checked(kind, code) for code in bad), [code for code in bad if codes.checked(kind, code)]


# The command line


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shop(tmp_path, [GOOD, row("B1", "蒙脱石散", price="面议")])
    out = str(tmp_path / "out")
    assert cli.main(["catalogue", "import", str(tmp_path / "catalogue.toml"), "--out", out]) == 0
    told = capsys.readouterr()
    assert told.out.strip().endswith("report.html") and "2 rows read: 1 in (1 offered), 1 refused" in told.err
    assert cli.main(["catalogue", "list", out]) == 0
    listed = capsys.readouterr().out
    assert listed.startswith("* ") and "1 products, 1 offered, 1 rows refused" in listed
    assert cli.main(["catalogue", "show", out, "A1"]) == 0
    assert "contents\t布洛芬" in capsys.readouterr().out
    assert cli.main(["catalogue", "search", out, "我头疼"]) == 0
    assert capsys.readouterr().out == "symptom\tA1\t布洛芬缓释胶囊\t头疼\n"
    assert cli.main(["catalogue", "search", out, "qqqq"]) == 0
    assert "nothing of that name" in capsys.readouterr().err
    assert cli.main(["catalogue", "rollback", out, listed.split()[1][:5]]) == 0
    for wrong in (["show", out, "Z9"], ["rollback", out, "zz"], ["list", str(tmp_path / "none")]):
        assert cli.main(["catalogue", *wrong]) == 2
        assert "Traceback" not in capsys.readouterr().err
