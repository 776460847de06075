"""Intervals cover what they say, tests reject as often as they may, and figures equal published ones and other libraries'."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from nltk.metrics.agreement import AnnotationTask
from scipy import stats

from medasst.evaluation.statistics import (
    Bootstrap,
    Difference,
    bootstrap_mean,
    bootstrap_ratio,
    clustered_wilson,
    holm,
    judge,
    krippendorff_alpha,
    mcnemar,
    paired_mean,
    paired_ratio,
    paired_share,
    verdict,
    wilson,
)

NAN = math.nan
QUICK = Bootstrap(600, 1)
# Krippendorff 2011, example C: four observers, twelve units, values missing.
OBSERVED = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
    [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
]


def alone(n: int) -> list[str]:
    return [str(place) for place in range(n)]


def in_clusters(groups: int, size: int) -> list[str]:
    return [str(group) for group in range(groups) for _ in range(size)]


def talks(rng: np.random.Generator, groups: int, size: int, shared: float) -> np.ndarray:
    """Skewed values with mean sqrt(shared) + sqrt(1 - shared), of which `shared` of the variance is a conversation's."""
    own = rng.exponential(size=groups * size) * math.sqrt(1 - shared)
    return np.asarray(np.repeat(rng.exponential(size=groups), size) * math.sqrt(shared) + own)


# Each p-value is statsmodels 0.15's mcnemar(exact=True).
@pytest.mark.parametrize(
    ("more", "less", "p"), [(5, 0, 0.0625), (6, 0, 0.03125), (12, 3, 0.03515625), (30, 14, 0.0226288412), (0, 0, 1.0)]
)
def test_mcnemar_equals_statsmodels(more: int, less: int, p: float) -> None:
    assert mcnemar(more, less) == mcnemar(less, more) == pytest.approx(p)


def test_holm_equals_statsmodels_and_leaves_out_what_was_not_tested() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005, 0.2, 0.011]) == pytest.approx([0.05, 0.09, 0.09, 0.03, 0.2, 0.05])
    with_gap = holm([0.01, NAN, 0.04])
    assert with_gap[0] == pytest.approx(0.02) and math.isnan(with_gap[1]) and with_gap[2] == pytest.approx(0.04)
    assert holm([]) == []


@pytest.mark.parametrize(("hits", "n"), [(0, 100), (5, 10), (100, 100), (37, 260)])
def test_wilson_equals_scipy(hits: int, n: int) -> None:
    interval = stats.binomtest(hits, n).proportion_ci(method="wilson")
    assert wilson(hits, n) == pytest.approx((hits / n, interval.low, interval.high))
    assert clustered_wilson([place < hits for place in range(n)], alone(n)) == wilson(hits, n)


def test_shares_of_clusters_that_agree_are_worth_as_many_items_as_clusters() -> None:
    hits = [group % 2 == 0 for group in range(40) for _ in range(5)]
    found = clustered_wilson(hits, in_clusters(40, 5))
    assert found.high - found.low == pytest.approx(wilson(20, 40).high - wilson(20, 40).low, rel=0.03)
    assert clustered_wilson([False] * 20, in_clusters(4, 5)) == wilson(0, 4)
    assert clustered_wilson([True, True], ["a", "a"]).low == pytest.approx(wilson(1, 1).low)


def test_an_interval_is_that_of_the_mean_and_repeats_with_its_seed_whatever_the_order() -> None:
    values = np.random.default_rng(1).normal(50, 10, 400)
    found = bootstrap_mean(values, alone(400), Bootstrap(10_000, 3))
    assert found == bootstrap_mean(values, alone(400), Bootstrap(10_000, 3))
    assert bootstrap_mean(values[::-1], alone(400)[::-1], Bootstrap(10_000, 3)) == pytest.approx(found)
    half = 1.96 * values.std() / math.sqrt(400)
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=half / 10)


def test_ten_items_get_nearly_the_t_interval() -> None:
    values = np.random.default_rng(4).normal(0, 1, 10)
    expected = stats.t.interval(0.95, 9, values.mean(), stats.sem(values))
    found = bootstrap_mean(values, alone(10), Bootstrap(10_000, 3))
    assert (found.low, found.high) == pytest.approx(expected, abs=0.15)
    assert found.low < np.percentile(stats.bootstrap((values,), np.mean, method="percentile").bootstrap_distribution, 2.5)


def test_intervals_cover_the_truth_as_often_as_they_say_and_only_if_conversations_are_drawn_whole() -> None:
    rng, truth = np.random.default_rng(5), 2 * math.sqrt(0.5)
    sets = [talks(rng, 40, 4, 0.5) for _ in range(300)]

    def covered(clusters: Sequence[str]) -> float:
        found = [bootstrap_mean(values, clusters, QUICK) for values in sets]
        return sum(interval.low <= truth <= interval.high for interval in found) / len(found)

    assert 0.91 < covered(in_clusters(40, 4)) < 0.98
    assert covered(alone(160)) < 0.85


def test_tests_reject_equal_systems_as_often_as_they_may() -> None:
    rng, clusters = np.random.default_rng(6), in_clusters(30, 3)
    rejected = shares = 0
    for _ in range(300):
        ours, theirs = (np.repeat(rng.normal(size=30), 3) + rng.normal(size=90) for _ in range(2))
        rejected += paired_mean(ours, theirs, clusters, QUICK).p < 0.05
        shares += paired_share(rng.random(60) < 0.7, rng.random(60) < 0.7, alone(60), QUICK).p < 0.05  # type: ignore[arg-type]
    assert 0.02 < rejected / 300 < 0.085
    assert shares / 300 < 0.06  # the exact test is on the safe side


def test_the_interval_of_shares_covers_the_true_difference() -> None:
    rng, covered = np.random.default_rng(7), 0
    for _ in range(500):
        ours, theirs = rng.random(40) < 0.9, rng.random(40) < 0.7
        found = paired_share(ours, theirs, alone(40), QUICK)  # type: ignore[arg-type]
        covered += found.low <= 0.2 <= found.high
    assert 0.93 < covered / 500 < 0.985


def test_the_interval_of_shares_is_bonett_and_price_and_has_a_width_without_discordant_pairs() -> None:
    ours, theirs = [True] * 14 + [False] * 6 + [True] * 20, [False] * 14 + [True] * 6 + [True] * 20
    error = math.sqrt((15 / 42 + 7 / 42 - (8 / 42) ** 2) / 42)
    found = paired_share(ours, theirs, alone(40), QUICK)
    assert found[:3] == pytest.approx((0.2, 8 / 42 - 1.959964 * error, 8 / 42 + 1.959964 * error))
    same = paired_share([True] * 20, [True] * 20, alone(20), QUICK)
    assert (same.value, same.p) == (0, 1) and same.low == -same.high < -0.1
    assert verdict(same, 1.0) == "tied"


def test_a_test_and_its_interval_agree() -> None:
    rng = np.random.default_rng(8)
    for n in (8, 30, 100):
        for _ in range(40):
            found = paired_mean(rng.normal(0.4, 1, n), np.zeros(n), alone(n), Bootstrap(2_000, 1))
            if abs(found.p - 0.05) > 0.005:
                assert (found.p < 0.05) == (not found.low <= 0 <= found.high)


def test_pairing_sees_a_small_steady_gain_that_unpaired_intervals_hide() -> None:
    rng = np.random.default_rng(2)
    base = rng.normal(40, 20, 100)
    tuned = base + rng.normal(1.0, 0.5, 100)
    (gain, none) = judge([paired_mean(tuned, base, alone(100), QUICK), paired_mean(base, base, alone(100), QUICK)], [False] * 2)
    assert (gain.verdict, none.verdict) == ("better", "tied")
    assert none.difference[:4] == (0, 0, 0, 1) and math.isnan(none.difference.detectable)
    assert none.figures()["detectable"] is None
    with pytest.raises(ValueError, match="one length"):
        paired_mean(tuned, base[:-1], alone(100), QUICK)


def test_the_detectable_difference_is_found_eight_times_in_ten() -> None:
    rng = np.random.default_rng(9)
    first = paired_mean(rng.normal(0, 3, 80), np.zeros(80), alone(80), Bootstrap(2_000, 1))
    assert first.detectable == pytest.approx(2.8016 * 3 / math.sqrt(80), rel=0.25)
    truth = 2.8016 * 3 / math.sqrt(80)
    found = sum(paired_mean(rng.normal(truth, 3, 80), np.zeros(80), alone(80), QUICK).p < 0.05 for _ in range(300))
    assert 0.73 < found / 300 < 0.87


def test_words() -> None:
    found = Difference(2.0, 0.5, 3.5, 0.01, 2.0)
    assert verdict(found, 0.03) == "better"
    assert verdict(found, 0.03, less_is_better=True) == "worse"
    assert verdict(found, 0.2) == "unclear"
    assert verdict(found._replace(low=-0.5), 0.03) == "tied"
    assert verdict(Difference(2.0, NAN, NAN, NAN, NAN), NAN) == "unclear"


def test_ratio_is_of_totals_and_nothing_has_no_interval() -> None:
    ratio = bootstrap_ratio([10, 30], [20, 20], alone(2), QUICK)
    assert ratio == (1.0, 0.5, 1.5)
    assert all(map(math.isnan, bootstrap_mean([], [], QUICK)))
    one = bootstrap_mean([3.0, 5.0], ["a", "a"], QUICK)
    assert one.value == 4 and math.isnan(one.low)
    assert paired_ratio(([2, 4], [1, 1]), ([1, 2], [1, 1]), ["a", "a"], QUICK).value == 1.5
    assert all(map(math.isnan, paired_share([], [], [], QUICK)))


def test_alpha_equals_the_published_example_and_nltk() -> None:
    assert krippendorff_alpha(OBSERVED) == pytest.approx(0.743, abs=5e-4)
    assert krippendorff_alpha(OBSERVED, ordinal=True) == pytest.approx(0.815, abs=5e-4)
    told = [(r, str(u), v) for r, row in enumerate(OBSERVED) for u, v in enumerate(row) if not math.isnan(v) and u != 11]
    assert krippendorff_alpha(OBSERVED) == pytest.approx(AnnotationTask(told).alpha())


def test_alpha_of_what_shows_no_agreement_or_none_to_tell() -> None:
    assert krippendorff_alpha([[1, 2, 1, 2], [1, 2, 1, 2]]) == 1
    assert krippendorff_alpha([[1, 2, 1, 2], [2, 1, 2, 1]]) < 0
    for nothing in ([[1, 2, 3]], [[1, 1], [1, 1]], [[1, NAN], [NAN, 2]], [[NAN, NAN]]):
        assert math.isnan(krippendorff_alpha(nothing))
    rng = np.random.default_rng(3)
    assert abs(krippendorff_alpha(rng.integers(0, 3, (3, 2_000)))) < 0.03
