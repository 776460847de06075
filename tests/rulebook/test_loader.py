"""A rulebook with a mistake is refused, with its file and line; an overlay adds, and loosens only with a name and a date."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import medasst.rulebook
from medasst.errors import ConfigError
from medasst.lexicon import Lexicon
from medasst.rulebook import Rulebook

TABLES = Path(medasst.rulebook.__file__).parent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the tables, to be spoilt."""
    copy = tmp_path / "tables"
    copy.mkdir()
    for table in TABLES.glob("*.toml"):
        shutil.copy(table, copy / table.name)
    return copy


@pytest.fixture
def overlay(tmp_path: Path) -> Path:
    path = tmp_path / "overlay"
    path.mkdir()
    return path


def spoil(folder: Path, table: str, old: str, new: str) -> int:
    """Replace the first `old`; the line of the row that it stands in."""
    path = folder / table
    text = path.read_text("utf-8")
    place = text.index(old)
    path.write_text(text[:place] + new + text[place + len(old) :], "utf-8")
    return text.count("\n", 0, text.rfind("[[", 0, place + 2)) + 1


@pytest.mark.parametrize(
    ("table", "old", "new", "says"),
    [
        ("drugs.toml", 'status = "rx"', 'status = "rxx"', "status"),
        ("findings.toml", 'kind = "symptom"', 'kindd = "symptom"', "kind"),
        ("context.toml", 'sets = "absent"', 'sets = "abscent"', "sets"),
        ("persons.toml", 'person = "self"', 'person = "selves"', "person"),
        ("values.toml", 'quantity = "systolic"', 'quantity = "systole"', "quantity"),
        ("values.toml", "(?P<second>", "(?P<second", "pattern"),
        ("verbs.toml", 'word = "吐"', 'word = "呕吐"', "word"),
        ("emergency.toml", 'level = "emergency"', 'level = "urgent"', "level"),
    ],
)
def test_a_typo_is_told_with_file_and_line(folder: Path, table: str, old: str, new: str, says: str) -> None:
    line = spoil(folder, table, old, new)
    with pytest.raises(ConfigError) as error:
        Rulebook.load(folder)
    assert f"{table}:{line}" in str(error.value)
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("table", "old", "new", "says"),
    [
        ("context.toml", "listing = '''", "listing = '''(", "listing"),
        ("context.toml", '"没<take>"', '"没<tkae>"', "tkae"),
        ("drugs.toml", "[[drug]]", "[[drug", "drugs.toml"),
        ("persons.toml", "kin = ", "kind_of = ", "kin"),
    ],
)
def test_other_mistakes_name_the_file_or_what_is_missing(folder: Path, table: str, old: str, new: str, says: str) -> None:
    spoil(folder, table, old, new)
    with pytest.raises(ConfigError, match=says):
        Rulebook.load(folder)


def test_a_name_stands_once_in_a_file(folder: Path) -> None:
    with (folder / "findings.toml").open("a", encoding="utf-8") as file:
        file.write('\n[[finding]]\nname = "胸痛"\nkind = "symptom"\n')
    with pytest.raises(ConfigError, match="胸痛"):
        Rulebook.load(folder)


def test_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such folder"):
        Rulebook.load(tmp_path / "nothing")


def test_an_overlay_adds_words_and_rows(overlay: Path) -> None:
    (overlay / "findings.toml").write_text(
        '[[finding]]\nname = "胸痛"\nkind = "symptom"\nwords = ["心口窝子拧巴"]\n\n'
        '[[finding]]\nname = "本店自定"\nkind = "symptom"\nwords = ["浑身不得劲儿得慌"]\n',
        "utf-8",
    )
    book = Rulebook.load(overlay=overlay)
    own = Rulebook.load()
    assert set(own.findings.rows["胸痛"].words) < set(book.findings.rows["胸痛"].words)
    assert book.loosened == ()
    read = Lexicon(book).read
    assert [mention.concept for mention in read("心口窝子拧巴").mentions] == ["胸痛"]
    assert [mention.concept for mention in read("浑身不得劲儿得慌").mentions] == ["本店自定"]
    assert book.fingerprint != own.fingerprint


def drug(book: Rulebook, status: str) -> str:
    return next(row.name for row in book.drugs if row.status == status)


def test_an_overlay_may_tighten(overlay: Path) -> None:
    name = drug(Rulebook.load(), "otc")
    (overlay / "drugs.toml").write_text(f'[[drug]]\nname = "{name}"\nstatus = "rx"\n', "utf-8")
    book = Rulebook.load(overlay=overlay)
    assert book.drugs.rows[name].status == "rx"
    assert book.loosened == ()


def test_what_loosens_needs_approval(overlay: Path) -> None:
    name = drug(Rulebook.load(), "rx")
    row = f'[[drug]]\nname = "{name}"\nstatus = "otc"\n'
    (overlay / "drugs.toml").write_text(row, "utf-8")
    with pytest.raises(ConfigError, match=r"drugs\.toml:1.*approved_by"):
        Rulebook.load(overlay=overlay)
    (overlay / "drugs.toml").write_text(f'{row}approved_by = "张药师"\napproved_on = 2026-11-30\n', "utf-8")
    book = Rulebook.load(overlay=overlay)
    assert book.drugs.rows[name].status == "otc"
    (told,) = book.loosened
    assert "张药师" in told and name in told


def test_two_rulebooks_live_side_by_side(overlay: Path) -> None:
    (overlay / "findings.toml").write_text('[[finding]]\nname = "本店自定"\nkind = "symptom"\nwords = ["稀奇古怪"]\n', "utf-8")
    theirs, ours = Lexicon(Rulebook.load(overlay=overlay)), Lexicon(Rulebook.load())
    assert theirs.read("稀奇古怪").mentions
    assert not ours.read("稀奇古怪").mentions
