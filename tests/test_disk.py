"""Files come to rest whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medasst.disk import file_sha256, package_file, write_json, written_whole


def test_a_file_is_replaced_when_the_block_ends_well(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "result.json"
    write_json(target, {"答": 1})
    write_json(target, {"答": 2})
    assert json.loads(target.read_text("utf-8")) == {"答": 2}
    assert [p.name for p in target.parent.iterdir()] == ["result.json"]


def test_a_block_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "result.json"
    write_json(target, [1])
    with pytest.raises(ValueError, match="JSON"):
        write_json(target, float("nan"))
    with pytest.raises(OSError, match="disk"), written_whole(target) as unfinished:
        unfinished.write_text("half")
        raise OSError("disk full")
    assert json.loads(target.read_text()) == [1]
    assert [p.name for p in tmp_path.iterdir()] == ["result.json"]


def test_a_folder_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    target = tmp_path / "adapter"
    for name in ("old", "new"):
        with written_whole(target) as unfinished:
            unfinished.mkdir()
            (unfinished / name).touch()
    assert [p.name for p in target.iterdir()] == ["new"]


def test_package_files_and_hashes(tmp_path: Path) -> None:
    assert package_file("samples/products.jsonl").is_file()
    (tmp_path / "abc").write_bytes(b"abc")
    assert file_sha256(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
