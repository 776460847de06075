"""The synthetic corpus of the benchmarks: the same bytes every time, and a truth that is true."""

from __future__ import annotations

import importlib.util
import random
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from medasst.data.privacy import is_id_card
from medasst.data.recipes import Bad, read_records, reader

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "corpus.py"
RECORDS, SHARDS = 1200, 5


@pytest.fixture(scope="module")
def corpus() -> ModuleType:
    spec = importlib.util.spec_from_file_location("corpus", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["corpus"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(corpus: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("corpus")
    corpus.write(out, RECORDS, SHARDS, workers=1)
    return out


def test_bytes_do_not_depend_on_the_workers(folder: Path, tmp_path: Path) -> None:
    asked = [str(tmp_path), "--records", str(RECORDS), "--shards", str(SHARDS), "--workers", "2"]
    subprocess.run([sys.executable, str(SCRIPT), *asked], check=True, timeout=120)
    names = sorted(path.name for path in folder.iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert all((folder / name).read_bytes() == (tmp_path / name).read_bytes() for name in names)


def test_another_seed_gives_other_records(corpus: ModuleType) -> None:
    assert corpus.record(7, 5) == corpus.record(7, 5) != corpus.record(8, 5)


def test_truth_names_the_line_of_every_record(corpus: ModuleType, folder: Path) -> None:
    truth = corpus.truth(folder)
    assert truth["record"].sort().to_list() == list(range(RECORDS))
    places = {(row["file"], row["line"]): row["record"] for row in truth.iter_rows(named=True)}
    seen = set()
    for path in sorted(folder.glob("part-*")):
        for row in read_records(path, path.name, reader("", "", None).parse):
            if isinstance(row, Bad):
                seen.add(places[row.file, row.line])
                continue
            number, found = places[path.name, row.line], row.record
            seen.add(number)
            assert found.turns[-1][1] == corpus.record(7, number).answer.strip()
    assert seen == set(range(RECORDS))


def test_copies_are_what_they_are_called(corpus: ModuleType) -> None:
    records = [corpus.record(7, number) for number in range(RECORDS)]
    for item in records:
        assert item.original < item.number
        assert all(told.told in item.question + item.answer and told.value in told.told for told in item.personal)
        if item.original >= 0:
            original = records[item.original]
            same = (item.question, item.answer) == (original.question, original.answer)
            assert original.kind == "original"
            assert same == (item.kind == "exact")
            assert item.personal == original.personal
    share = {kind: sum(item.kind == kind for item in records) / RECORDS for kind in corpus.COPIES}
    assert share == pytest.approx(corpus.COPIES, abs=0.02)


def test_identity_numbers_are_valid(corpus: ModuleType) -> None:
    r = random.Random(7)
    values = [corpus.secret(r, "id18", plain=1.0).value for _ in range(500)]
    assert all(is_id_card(value) for value in values)


def test_personal_data_comes_in_every_kind_plain_and_disguised(corpus: ModuleType) -> None:
    told = [secret for number in range(60_000) for secret in corpus.record(7, number).personal]
    assert {secret.kind for secret in told} == set(corpus.secret_kinds())
    assert 0.5 < sum(secret.form == "plain" for secret in told) / len(told) < 0.85
    assert not any(set("#%@&{}") & set(secret.value) for secret in told if secret.form == "plain" and secret.kind != "email")
