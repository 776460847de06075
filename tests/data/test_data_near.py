"""Shingles, MinHash and near duplicates against brute force."""

from __future__ import annotations

import random
from itertools import combinations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medasst.data import duplicates
from medasst.shingles import N, Shingles, jaccard, minhash, ngrams, shingles

HAN = "头痛发热咳嗽吃什么药好建议休息多喝水请到医院检查一下"
TEXTS = st.lists(st.text(alphabet=HAN, max_size=14), max_size=6)


def grams(text: str) -> set[str]:
    return {text[i : i + N] for i in range(max(1, len(text) - N + 1))} if text else set()


def brute(a: str, b: str) -> float:
    left, right = grams(a), grams(b)
    return len(left & right) / len(left | right) if left | right else 0.0


@given(TEXTS)
def test_shingles_and_jaccard_equal_sets_of_strings(texts: list[str]) -> None:
    sets = shingles(texts)
    assert sets.sizes.tolist() == [len(grams(text)) for text in texts]
    for i, j in combinations(range(len(texts)), 2):
        assert jaccard(sets.of(i), sets.of(j)) == pytest.approx(brute(texts[i], texts[j]))


def test_ngrams_are_the_shingles_with_repeats() -> None:
    texts = ["头痛头痛头痛头痛", "", "药", "头痛发热", "一二三四五", "头痛发热咳嗽腹泻便秘"]
    grams, sets = ngrams(texts), shingles(texts)
    assert grams.sizes.tolist() == [4, 0, 1, 1, 1, 6]
    assert [sorted(set(grams.of(i).tolist())) for i in range(6)] == [sets.of(i).tolist() for i in range(6)]
    assert (minhash(grams) == minhash(sets)).all()


@given(TEXTS)
def test_a_text_has_the_same_shingles_in_any_company(texts: list[str]) -> None:
    together = shingles(texts)
    for i, text in enumerate(texts):
        assert together.of(i).tolist() == shingles([text]).of(0).tolist()


def test_minhash_estimates_jaccard_and_ignores_the_block_size() -> None:
    rng = random.Random(1)
    base = "".join(rng.choices(HAN, k=400))
    texts = [base, base[:340] + "".join(rng.choices(HAN, k=60)), "", "".join(rng.choices(HAN, k=300))]
    sets = shingles(texts)
    signatures = minhash(sets, 256)
    assert (signatures == minhash(sets, 256, block=7)).all()
    assert (signatures[2] == 0xFFFFFFFF).all()
    for i, j in [(0, 1), (0, 3)]:
        estimate = float((signatures[i] == signatures[j]).mean())
        assert estimate == pytest.approx(jaccard(sets.of(i), sets.of(j)), abs=0.1)


def corpus(n: int, seed: int) -> list[str]:
    """Texts with edited copies, so that many pairs lie around a similarity of 0.8."""
    rng = random.Random(seed)
    texts = ["".join(rng.choices(HAN, k=rng.randint(30, 120))) for _ in range(n)]
    for i in range(0, n - 1, 3):
        copy = list(texts[i])
        for _ in range(rng.randint(0, 3)):
            copy[rng.randrange(len(copy))] = rng.choice(HAN)
        texts[i + 1] = "".join(copy)
    return texts


def frame(texts: list[str], seed: int) -> pl.DataFrame:
    rng = random.Random(seed)
    rows = [(i, rng.choice([1, 2]), f"{rng.getrandbits(64):016x}", "s", "", "f", i) for i in range(len(texts))]
    schema = {
        "row": pl.UInt32,
        "trust": pl.Int32,
        "id": pl.String,
        "source": pl.String,
        "tie": pl.String,
        "file": pl.String,
        "line": pl.UInt32,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def find_near(texts: list[str], records: pl.DataFrame) -> dict[str, str]:
    def sets(rows: np.ndarray) -> Shingles:
        return shingles([texts[row] for row in rows])

    minima = minhash(ngrams([texts[row] for row in records["row"]]))
    dropped = duplicates.near(records, minima, sets, 0.8)
    ids = dict(records.select("row", "id").iter_rows())
    return {ids[row]: kept for row, kept in dropped.iter_rows()}


def test_near_duplicates_equal_brute_force_components() -> None:
    texts = corpus(240, 3)
    records = frame(texts, 3)
    found = find_near(texts, records)
    parent = list(range(len(texts)))

    def root(i: int) -> int:
        while parent[i] != i:
            i = parent[i]
        return i

    for i, j in combinations(range(len(texts)), 2):
        if brute(texts[i], texts[j]) >= 0.8:
            parent[root(j)] = root(i)
    rank = {row: (-trust, id_) for row, trust, id_ in records.select("row", "trust", "id").iter_rows()}
    expected = {}
    for i in range(len(texts)):
        best = min((j for j in range(len(texts)) if root(j) == root(i)), key=rank.__getitem__)
        if best != i:
            expected[rank[i][1]] = rank[best][1]
    assert len(expected) > 30
    assert found == expected


def test_near_duplicates_do_not_depend_on_order() -> None:
    texts = corpus(120, 5)
    records = frame(texts, 5)
    order = random.Random(1).sample(range(120), 120)
    shuffled = records[order].drop("row").with_row_index("row")
    assert find_near(texts, records) == find_near([texts[i] for i in order], shuffled)


@pytest.mark.parametrize("threshold", [0.6, 0.8, 0.9])
def test_bands_bring_pairs_at_the_threshold_together(threshold: float) -> None:
    agreed = np.random.default_rng(1).random((50_000, 64)) < threshold  # the minima in which a pair agrees
    found = np.zeros(len(agreed), bool)
    for columns in duplicates.bands(64, threshold):
        found |= agreed[:, columns].all(axis=1)
    assert 1 - found.mean() < 2 * duplicates.MISSED


@pytest.mark.parametrize(("reach", "compared"), [(2, 7), (3, 100), (8, 100_000)])
def test_near_duplicates_of_a_large_cluster(monkeypatch: pytest.MonkeyPatch, reach: int, compared: int) -> None:
    """However small the rounds and blocks: a chain of edits is one cluster, and its ends need not be alike."""
    monkeypatch.setattr(duplicates, "REACH", reach)
    monkeypatch.setattr(duplicates, "COMPARED", compared)
    rng = random.Random(4)
    text = "".join(rng.choices(HAN, k=100))
    texts = corpus(60, 8)
    for _ in range(60):
        place = rng.randrange(100)
        text = text[:place] + rng.choice(HAN) + text[place + 1 :]
        texts.append(text)
    assert jaccard(*(shingles([texts[i]]).of(0) for i in (60, 119))) < 0.8
    found = find_near(texts, frame(texts, 4))
    assert len({kept for dropped, kept in found.items()} & set(frame(texts, 4)["id"][60:])) == 1
    assert len(set(frame(texts, 4)["id"][60:]) - set(found)) == 1


def test_texts_without_shingles_are_nobodys_duplicates() -> None:
    assert find_near(["", "", "头痛发热"], frame(["", "", "头痛发热"], 1)) == {}


def test_exact_keeps_the_most_trusted_then_the_lowest() -> None:
    records = pl.DataFrame(
        {
            "row": [0, 1, 2, 3],
            "trust": [1, 2, 2, 1],
            "id": ["a", "a", "a", "b"],
            "source": ["x", "z", "y", "x"],
            "tie": [""] * 4,
            "file": ["f"] * 4,
            "line": [1, 2, 3, 4],
        }
    )
    assert sorted(duplicates.exact(records).iter_rows()) == [(0, "a"), (1, "a")]
