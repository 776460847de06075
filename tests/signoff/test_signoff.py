"""What goes out as a sheet comes back as signatures: of rows that are still the same, whole or not at all, tightening only."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import fastexcel
import pytest
import xlsxwriter

from medasst.catalogue import Catalogue, Product
from medasst.catalogue.catalogue import SAMPLES
from medasst.cli import main
from medasst.errors import ConfigError, DataError
from medasst.lexicon import Lexicon
from medasst.rulebook import Rulebook
from medasst.rulebook.decisive import decisive
from medasst.rulebook.signatures import KINDS, Ledger
from medasst.signoff import bring_back, differences, export
from medasst.signoff.kept import signatures_in
from medasst.signoff.sentences import words

Row = dict[str, str]
COLUMNS: dict[str, str] = words()["columns"]
TABLES: dict[str, str] = words()["tables"]
SIGNED = {"agree": "是", "by": "王药师", "on": "2026-11-02"}


@pytest.fixture(scope="module")
def book() -> Rulebook:
    return Rulebook.load()


@pytest.fixture(scope="module")
def exported(book: Rulebook, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sheet") / "sheet.csv"
    export(book, Ledger(), None, path)
    return path


def rows_of(path: Path) -> list[Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def line(rows: list[Row], table: str, key: str) -> Row:
    return next(row for row in rows if (row[COLUMNS["table"]], row[COLUMNS["key"]]) == (TABLES[table], key))


def fill(row: Row, **cells: str) -> None:
    row.update({COLUMNS[name]: value for name, value in {**SIGNED, **cells}.items()})


def save(rows: list[Row], path: Path) -> Path:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(COLUMNS.values()))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def signed(book: Rulebook, exported: Path, tmp_path: Path) -> Callable[..., Rulebook]:
    """The rulebook with some lines signed: `signed(("dose", key, {"agree": "否"}), …)`."""

    def sign(*lines: tuple[str, str, dict[str, str]]) -> Rulebook:
        rows = rows_of(exported)
        for table, key, cells in lines:
            fill(line(rows, table, key), **cells)
        bring_back(save(rows, tmp_path / "back.csv"), book, None, tmp_path / "signed")
        return Rulebook.load(signed=tmp_path / "signed")

    return sign


def test_every_decisive_row_is_a_line_that_says_something(book: Rulebook, exported: Path) -> None:
    rows = rows_of(exported)
    assert {row[COLUMNS["table"]] for row in rows} == {TABLES[kind] for kind in KINDS}
    assert len({(row[COLUMNS["table"]], row[COLUMNS["key"]]) for row in rows}) == len(rows) == len(list(decisive(book)))
    assert all(len(row[COLUMNS["says"]]) > 5 and "{" not in row[COLUMNS["says"]] for row in rows)
    dose = line(rows, "dose", "对乙酰氨基酚_fever_72")
    assert "满6岁、不满12岁：一次最多320毫克" in dose[COLUMNS["says"]]
    assert dose[COLUMNS["again"]].startswith("一次最多350毫克") and dose[COLUMNS["differ"]] == "是"


def test_a_workbook_has_a_page_for_each_kind_and_comes_back_with_excels_dates(
    book: Rulebook, tmp_path: Path, exported: Path
) -> None:
    sheet = tmp_path / "sheet.xlsx"
    export(book, Ledger(), None, sheet)
    pages = fastexcel.read_excel(sheet)
    assert pages.sheet_names == [words()["guide"], *(TABLES[kind] for kind in KINDS)]
    rows = [row for name in pages.sheet_names[1:] for row in pages.load_sheet(name, dtypes="string").to_polars().to_dicts()]
    assert [row[COLUMNS["says"]] for row in rows] == [row[COLUMNS["says"]] for row in rows_of(exported)]

    filled = tmp_path / "filled.xlsx"
    with xlsxwriter.Workbook(str(filled)) as out:
        day = out.add_format({"num_format": "yyyy/m/d"})
        for kind in ("look", "warning"):
            page = out.add_worksheet(TABLES[kind])
            page.write_row(0, 0, COLUMNS.values())
            for number, row in enumerate((row for row in rows if row[COLUMNS["table"]] == TABLES[kind]), 1):
                fill(row)
                page.write_row(number, 0, [row[name] or "" for name in COLUMNS.values()])
                page.write_datetime(number, list(COLUMNS).index("on"), date(2026, 11, 2), day)
    result = bring_back(filled, book, None, tmp_path / "signed")
    assert (result.approved, result.refused, result.changed) == (7, 0, ())
    assert {one.approved_on for one in signatures_in(tmp_path / "signed").signatures.values()} == {date(2026, 11, 2)}


def test_approval_says_who_and_when_and_checks_only_what_was_opened(signed: Callable[..., Rulebook]) -> None:
    loaded = signed(("population", "nsaid_ulcer", {}), ("population", "nsaid_elderly", {"opened": "是"}))
    plain, opened = (loaded.medicines.populations.rows[key] for key in ("nsaid_ulcer", "nsaid_elderly"))
    assert (plain.approved_by, plain.approved_on, plain.checked) == ("王药师", date(2026, 11, 2), False)
    assert opened.checked
    assert loaded.ledger.settled == {("population", "nsaid_ulcer"), ("population", "nsaid_elderly")}


def test_a_refusal_only_tightens(signed: Callable[..., Rulebook], book: Rulebook) -> None:
    no = {"agree": "否", "note": "剂量偏大"}
    allowed = next(row for row in book.medicines.populations if row.verdict == "allow")
    caution = next(row for row in book.medicines.interactions if row.severity == "caution" and row.agreed)
    never = next(row for row in book.medicines.interactions if row.severity == "forbid" and row.agreed)
    free = next(row for row in book.drugs if row.status == "otc")
    mixed = next(row for row in book.medicines.contents if row.status is None)
    keys = [
        ("population", allowed.id),
        ("interaction", caution.id),
        ("interaction", never.id),
        ("dose", "褪黑素_other_144"),
        ("complaint", "发热"),
        ("ingredient", "布洛芬"),
        ("content", mixed.name),
        ("drug", free.name),
        ("rule", "breast_lump"),
    ]
    loaded = signed(*((table, key, no) for table, key in keys))
    medicines = loaded.medicines
    assert not medicines.populations.rows[allowed.id].checked
    assert not medicines.interactions.rows[caution.id].agreed and medicines.interactions.rows[never.id].agreed
    assert medicines.doses.rows["褪黑素_other_144"].again is None
    assert "发热" not in medicines.complaints.rows
    assert medicines.ingredients.rows["布洛芬"].control == "剂量偏大"
    assert medicines.contents.rows[mixed.name].status == "rx" and loaded.drugs.rows[free.name].status == "rx"
    assert loaded.triage.rows["breast_lump"] == book.triage.rows["breast_lump"]
    # What only restricts stays in force, and unsettled until somebody words it otherwise.
    assert set(keys) - loaded.ledger.settled == {("interaction", never.id), ("rule", "breast_lump")}


def test_a_row_that_changed_isnt_signed_any_more(book: Rulebook, exported: Path, tmp_path: Path) -> None:
    overlay = tmp_path / "overlay"
    overlay.mkdir()
    (overlay / "populations.toml").write_text('[[population]]\nid = "nsaid_elderly"\nverdict = "forbid"\n', "utf-8")
    changed = Rulebook.load(overlay=overlay)
    rows = rows_of(exported)
    for key in ("nsaid_elderly", "nsaid_ulcer"):
        fill(line(rows, "population", key))
    sheet = save(rows, tmp_path / "back.csv")
    result = bring_back(sheet, changed, None, tmp_path / "signed")
    number = rows.index(line(rows, "population", "nsaid_elderly")) + 2
    assert result.approved == 1
    assert result.changed == (f"back.csv:{number}: population/nsaid_elderly has changed since; export it again",)
    # The other way about: signed first, changed afterwards.
    bring_back(sheet, book, None, tmp_path / "signed")
    loaded = Rulebook.load(overlay=overlay, signed=tmp_path / "signed")
    assert loaded.ledger.settled == {("population", "nsaid_ulcer")}
    assert not loaded.medicines.populations.rows["nsaid_elderly"].approved_by


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        ({"by": ""}, "审核人: nobody is named"),
        ({"on": ""}, "日期: '' is no date"),
        ({"on": "2026-13-40"}, "日期: '2026-13-40' is no date"),
        ({"on": "2999-01-01"}, "2999-01-01 is yet to come"),
        ({"agree": "大概"}, "同意(是/否): '大概' is no answer"),
        ({"opened": "看过"}, "已核对原件(是/否): '看过' is no answer"),
        ({"key": "nsaid_old"}, "'nsaid_old': no such row; give the --overlay and --catalogue"),
        ({"key": "nsaid_ulcer"}, "'nsaid_ulcer' stands in back.csv:"),
        ({"table": "适用人"}, "no such table; did you mean '适用人群'?"),
        ({"content": ""}, "内容指纹: empty"),
    ],
)
def test_what_cant_be_read_is_named_and_nothing_taken(
    book: Rulebook, exported: Path, tmp_path: Path, cells: Row, says: str
) -> None:
    rows = rows_of(exported)
    fill(line(rows, "population", "nsaid_pregnancy"))
    wrong = line(rows, "population", "nsaid_elderly")
    number = rows.index(wrong) + 2
    fill(wrong, **cells)
    with pytest.raises(DataError) as error:
        bring_back(save(rows, tmp_path / "back.csv"), book, None, tmp_path / "signed")
    assert says in str(error.value) and (f"back.csv:{number}: " in str(error.value) or "nsaid_ulcer" in says)
    assert not (tmp_path / "signed").exists()


@pytest.mark.parametrize("said", ["2026-11-02", "2026/11/2", "2026年11月2日", "2026-11-02 00:00:00", "46328", "46328.0"])
def test_dates_as_people_and_programs_write_them(signed: Callable[..., Rulebook], said: str) -> None:
    loaded = signed(("population", "nsaid_ulcer", {"on": said}))
    assert loaded.medicines.populations.rows["nsaid_ulcer"].approved_on == date(2026, 11, 2)


def test_versions_add_up_are_compared_and_rolled_back(
    book: Rulebook, exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "signed"
    rows = rows_of(exported)
    fill(line(rows, "rule", "breast_lump"))
    first = bring_back(save(rows, tmp_path / "1.csv"), book, None, out)
    again = bring_back(tmp_path / "1.csv", book, None, out)
    assert (again.version, again.unchanged, first.unchanged) == (first.version, True, False)
    rows = rows_of(exported)
    fill(line(rows, "dose", "褪黑素_other_144"), agree="否")
    second = bring_back(save(rows, tmp_path / "2.csv"), book, None, out)
    assert Rulebook.load(signed=out).ledger.settled == {("rule", "breast_lump"), ("dose", "褪黑素_other_144")}

    (told,) = differences(out, first.version, second.version)
    assert told.startswith("+ dose  褪黑素_other_144  refused by 王药师 on 2026-11-02")
    assert main(["rulebook", "list", str(out)]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert sorted(line[0] for line in listed) == [" ", "*"] and sum(second.version in line for line in listed) == 1
    assert main(["rulebook", "rollback", str(out), first.version[:6]]) == 0
    assert Rulebook.load(signed=out).ledger.settled == {("rule", "breast_lump")}
    assert main(["rulebook", "rollback", str(out), "zzz"]) == 2
    assert "no such version" in capsys.readouterr().err


def test_the_command_line_writes_a_sheet_and_brings_it_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheet, out = tmp_path / "sheet.xlsx", tmp_path / "signed"
    assert main(["rulebook", "export", "--out", str(sheet), "--catalogue", str(SAMPLES)]) == 0
    told = capsys.readouterr()
    assert told.out.strip() == str(sheet) and " product" in told.err
    assert main(["rulebook", "import", str(sheet), "--out", str(out)]) == 2  # its products need the catalogue
    assert "no such row; give the --overlay and --catalogue" in capsys.readouterr().err
    assert main(["rulebook", "import", str(sheet), "--out", str(out), "--catalogue", str(SAMPLES)]) == 0
    assert "0 approved, 0 refused" in capsys.readouterr().err
    assert main(["rulebook", "export", "--out", str(tmp_path / "next.csv"), "--signed", str(out)]) == 0
    assert main(["rulebook", "import", str(tmp_path / "nothing.xlsx"), "--out", str(out)]) == 2


def test_what_was_signed_is_filled_in_again(book: Rulebook, exported: Path, tmp_path: Path) -> None:
    rows = rows_of(exported)
    fill(line(rows, "complaint", "发热"), agree="否", note="先问体温")
    bring_back(save(rows, tmp_path / "back.csv"), book, None, tmp_path / "signed")
    export(book, signatures_in(tmp_path / "signed"), None, tmp_path / "next.csv")
    row = line(rows_of(tmp_path / "next.csv"), "complaint", "发热")
    assert [row[COLUMNS[name]] for name in ("agree", "by", "on", "note")] == ["否", "王药师", "2026-11-02", "先问体温"]


def test_a_folder_without_signatures_and_another_ending_are_refused(book: Rulebook, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no signatures in it; make some with"):
        Rulebook.load(signed=tmp_path)
    with pytest.raises(ConfigError, match="name a workbook or a CSV file"):
        export(book, Ledger(), None, tmp_path / "sheet.ods")


def test_products_are_signed_without_their_price(book: Rulebook, tmp_path: Path) -> None:
    lexicon = Lexicon(book)
    products = [product for product in Catalogue.from_samples(lexicon) if product.offered][:3]
    catalogue, out = Catalogue.of(products, lexicon), tmp_path / "signed"
    export(book, Ledger(), catalogue, tmp_path / "sheet.csv")
    rows = [row for row in rows_of(tmp_path / "sheet.csv") if row[COLUMNS["table"]] == TABLES["product"]]
    assert [row[COLUMNS["key"]] for row in rows] == [product.sku for product in products]
    assert all("【" in row[COLUMNS["says"]] for row in rows)
    for row in rows:
        fill(row)
    sheet = save(rows, tmp_path / "back.csv")

    def taken(*now: Product) -> int:
        shutil.rmtree(out, ignore_errors=True)
        return bring_back(sheet, book, Catalogue.of(now, lexicon), out).approved

    assert taken(*(product.model_copy(update={"price": 99.0, "stock": 0}) for product in products)) == 3
    assert taken(products[0], products[1], products[2].model_copy(update={"leaflet": {}})) == 2

    fill(rows[0], agree="否")
    bring_back(save(rows, sheet), book, catalogue, out)
    served = Catalogue.of(products, Lexicon(Rulebook.load(signed=out)))
    assert served[products[0].sku].sale.why == "refused"
    assert [product.sku for product in served.over_the_counter] == [product.sku for product in products[1:]]
