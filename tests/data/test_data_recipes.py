"""Recipes: that each can be built, what the real files give where they are at hand, and the mix of 1.47 million."""

from __future__ import annotations

import os
import pickle
from collections import Counter
from pathlib import Path

import pytest

from medasst.config import load
from medasst.data import PrepareConfig, read_exam, recipes
from medasst.data.files import matching, read_rows
from medasst.data.recipes import Bad, read_records, reader, recipe

ROOT = Path(__file__).parents[2]
DATA = os.environ.get("MEDASST_DATA", "")
real = pytest.mark.skipif(not DATA, reason="MEDASST_DATA names no folder of real sets")


def test_the_sets_people_ask_for_are_there() -> None:
    wanted = {
        "toyhom", "cmedqa2", "webmedqa", "huatuo26m", "huatuo-encyclopedia", "huatuo-knowledge-graph", "huatuo26m-lite",
        "chatmed-consult", "shennong-tcm", "bentsao", "disc-med-sft", "cmtmedqa", "meddialog-cn", "medicalgpt-sft", "dialmed",
        "cmexam-explanations", "dolly-zh",
    }  # fmt: skip
    assert wanted <= recipes().keys()


def test_every_recipe_says_where_its_set_comes_from_and_what_its_licence_is() -> None:
    assert len(recipes()) > 10
    for name, found in recipes().items():
        assert found.origin, name
        if name != "exam-explanations":
            assert found.licence and found.records, name
        if any(words in found.licence for words in ("research only", "non-commercial", "NC", "none", "unknown", "forbidden")):
            assert not found.commercial, name
        if found.kind != "exam":
            assert pickle.loads(pickle.dumps(reader(name))).recipe == found  # it may be sent to another process


# Records read, and rows set aside by reason, of the files as they were handed to us (parts of the published ones).
@real
@pytest.mark.parametrize(
    ("name", "pattern", "read", "aside"),
    [
        ("huatuo26m", "huatuo26m-test/*.gz", 5496, {}),
        ("cmedqa2", "cmedqa2-test/*.gz", 3481, {}),
        ("cmtmedqa", "cmtmedqa-test/CMtMedQA_test*.gz", 696, {}),
        ("toyhom", "toyhom-im/*.gz", 7094, {}),
        ("bentsao", "bentsao-instruct/*.gz", 8224, {}),
        ("liver-cancer", "liver-cancer-lit/*.gz", 1000, {}),
        ("medicalgpt-sft", "medicalgpt-sft-1k/*.gz", 1000, {}),
        ("dialmed", "dialmed/*.txt.gz", 1305, {"masked_answer": 685}),
        ("cmdd", "cmdd/*.gz", 1761, {}),
        (
            "cmexam-explanations",
            "cmexam-val/*.gz",
            2767,
            {"no_answer": 530, "broken_stem": 27, "contradicts": 15, "missing_case": 5, "several_keys": 4, "bad_options": 2},
        ),
        (
            "pharmacist-explanations",
            "pharmacist-2022-2024/*.gz",
            444,
            {"several_keys": 44, "no_answer": 24, "missing_case": 22, "broken_stem": 9},
        ),
    ],
)
def test_recipes_on_real_files(name: str, pattern: str, read: int, aside: dict[str, int]) -> None:
    assert recipe(name).tried
    found: Counter[str] = Counter()
    for file, path in matching(f"{DATA}/{pattern}"):
        for item in read_records(path, file, reader(name).parse):
            if isinstance(item, Bad):
                found[item.reason] += 1
                continue
            found["read"] += 1
            roles = [role for role, _ in item.record.turns if role != "system"]
            assert roles == ["user", "assistant"] * (len(roles) // 2), (file, item.line)
            assert not any("[MASK]" in text for _, text in item.record.turns), (file, item.line)
    assert found == {"read": read, **aside}


@real
@pytest.mark.parametrize(
    ("name", "pattern", "read", "aside"),
    [
        ("cmexam", "cmexam-test/*.gz", 3246, 0),
        ("medqa", "medqa-zh-test/*.gz", 1670, 0),
        ("cmmlu", "cmmlu-medical/*.gz", 899, 0),
        ("ceval", "ceval-medical/*.gz", 45, 0),
        ("nmle", "nmle-2020-2024/*.gz", 1433, 15),
        ("pharmacist", "pharmacist-2022-2024/*.gz", 543, 0),
    ],
)
def test_exam_recipes_on_real_files(name: str, pattern: str, read: int, aside: int) -> None:
    assert recipe(name).tried
    bad: list[Bad] = []
    assert len(list(read_exam(f"{DATA}/{pattern}", name, on_bad=bad.append))) == read
    assert len(bad) == aside


@real
def test_a_real_sheet_and_a_real_gb18030_table() -> None:
    ((_, sheet),) = matching(f"{DATA}/icd10-clinical-2.0/*.xlsx")
    rows = list(read_rows(sheet))
    assert (len(rows), rows[-1].line, [row for row in rows if row.error]) == (35_862, 35_863, [])
    ((_, table),) = matching(f"{DATA}/disease-table/*.csv.gz")
    rows = list(read_rows(table))
    assert len(rows) == 14_336 and not any(row.error or "\ufffd" in row.value["name"] for row in rows)


@pytest.fixture
def corpus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> PrepareConfig:
    monkeypatch.setenv("MEDASST_CORPUS", str(tmp_path))
    return load(PrepareConfig, ROOT / "configs/corpus-1.47m/prepare.toml")


def test_the_mix_adds_up_to_about_1_47_million_records(corpus: PrepareConfig) -> None:
    on = [recipe(source.recipe) for source in corpus.sources if source.enabled]
    total = sum(found.records for found in on)
    assert total == pytest.approx(1_470_000, rel=0.03)
    text = (ROOT / "configs/corpus-1.47m/prepare.toml").read_text("utf-8")
    assert f"{total:,} records of nine sets" in text and len(on) == 9


def test_the_mix_leaves_off_what_may_not_be_used_and_says_of_each_set_what_it_is(corpus: PrepareConfig) -> None:
    text = (ROOT / "configs/corpus-1.47m/prepare.toml").read_text("utf-8")
    on, off = text.split("# ---- off: the licence forbids commercial use")
    for source in corpus.sources:
        found = recipe(source.recipe)
        assert found.commercial or not source.enabled, source.name
        assert f'name = "{source.name}"' in (on if found.commercial else off)
        comment = text.split(f'name = "{source.name}"')[0].rsplit("\n\n", 1)[1]
        assert comment.startswith(f"# {found.records:,} · "), source.name


def test_the_mix_holds_back_the_sets_that_evaluations_ask(corpus: PrepareConfig) -> None:
    held = {named.recipe for named in corpus.decontaminate}
    assert held <= recipes().keys()
    assert held >= {name for name, found in recipes().items() if found.kind == "exam"}
    sources = {source.path for source in corpus.sources}
    assert not sources & {named.path for named in corpus.decontaminate}


def test_the_documentation_tells_of_every_recipe_what_it_says_itself() -> None:
    lines = (ROOT / "docs/data.md").read_text("utf-8").splitlines()
    told = {line.split("`")[1]: line for line in lines if line.startswith("| `") and line.count("|") == 7}
    assert told.keys() == recipes().keys() - {"exam-explanations"}
    for name, line in told.items():
        found = recipe(name)
        cells = [cell.strip() for cell in line.split("|")[2:6]]
        allowed, tried = "yes" if found.commercial else "no", "yes" if found.tried else "as published"
        assert cells == [f"{found.records:,}", found.licence, allowed, tried], name
        assert found.hub in line, name


def test_the_documentation_adds_the_mix_up_as_the_settings_do(corpus: PrepareConfig) -> None:
    text = (ROOT / "docs/data.md").read_text("utf-8")
    total = sum(recipe(source.recipe).records for source in corpus.sources if source.enabled)
    assert f"{total:,} raw records" in text
