"""Signatures over tables: each of a content, read with file and line; what a refusal does to a row of each kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from medasst.disk import write_text
from medasst.errors import ConfigError
from medasst.rulebook import Row, Rulebook
from medasst.rulebook.decisive import decisive
from medasst.rulebook.signatures import KINDS, fingerprint, row_content, tightened

GOOD = """
[[signed]]
table = "rule"
key = "breast_lump"
content = "0123456789abcdef"
approved_by = "王药师"
approved_on = 2026-11-02
"""


@pytest.fixture(scope="module")
def book() -> Rulebook:
    return Rulebook.load()


def folder_of(tmp_path: Path, text: str) -> Path:
    write_text(tmp_path / "versions/a/signed.toml", text)
    write_text(tmp_path / "current.txt", "a\n")
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"rule"', '"rules"', "table"),
        ('"王药师"', '""', "approved_by"),
        ("2026-11-02", '"gestern"', "approved_on"),
        ("content", "contents", "content"),
    ],
)
def test_a_bad_signature_is_told_with_file_and_line(tmp_path: Path, old: str, new: str, says: str) -> None:
    folder = folder_of(tmp_path, GOOD + GOOD.replace(old, new, 1))
    with pytest.raises(ConfigError, match=rf"signed.toml:{GOOD.count(chr(10)) + 2}: {says}"):
        Rulebook.load(signed=folder)


def test_a_signature_of_another_content_does_nothing(tmp_path: Path, book: Rulebook) -> None:
    loaded = Rulebook.load(signed=folder_of(tmp_path, GOOD))
    assert loaded == book and not loaded.ledger.settled and loaded.fingerprint != book.fingerprint


def test_who_signed_what_was_opened_and_examples_are_no_content(book: Rulebook) -> None:
    rule = book.triage.rows["breast_lump"]
    same = rule.model_copy(update={"checked": True, "approved_by": "王药师", "must": (*rule.must, "又一句")})
    assert fingerprint(row_content(same)) == fingerprint(row_content(rule))
    for column, value in (("message", "没事"), ("unless", ()), ("source", ""), ("level", "self")):
        other = rule.model_copy(update={column: value})
        assert fingerprint(row_content(other)) != fingerprint(row_content(rule))


def test_kinds_are_found_in_the_book_and_a_refusal_never_loosens(book: Rulebook) -> None:
    found: dict[str, list[Row]] = {}
    for one in decisive(book):
        found.setdefault(one.table, []).append(one.row)
    assert tuple(found) == KINDS
    for kind, rows in found.items():
        for row in rows:
            now = tightened(row, "不同意")
            assert now is None or not now.checked or row.checked
            assert (now is None) == (kind in ("complaint", "mind", "vetted", "follow"))
            if kind in ("rule", "look", "warning", "allergy", "group"):
                assert now is row
