"""How sure a figure is: intervals, paired differences and their tests, agreement of raters. Knows numbers, no task.

Answers to turns of one conversation hang together, so whole conversations are drawn, not answers (a cluster each: Miller
2024, arXiv:2411.00640). Test sets are small, so nothing leans on the central limit alone (Bowyer et al. 2025,
arXiv:2503.01747): shares get score intervals and an exact test, means a bootstrap whose tails allow for few clusters.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Floats = NDArray[np.float64]
Verdict = Literal["better", "worse", "tied", "unclear"]

LEVEL = 0.05  # of every test; intervals hold 1 - LEVEL
POWER = 0.8  # with which the smallest detectable difference would be found
_Z = float(stats.norm.isf(LEVEL / 2))
_Z_POWER = float(stats.norm.ppf(POWER))
_BLOCK = 2_000_000  # drawn clusters held at a time


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """How often clusters are drawn anew, and by which seed: equal settings give equal figures."""

    resamples: int = 10_000
    seed: int = 0


class Interval(NamedTuple):
    """A value with its 95 % interval; NaN where there is none."""

    value: float
    low: float
    high: float


class Difference(NamedTuple):
    """A paired difference with its 95 % interval.

    Attributes:
        p: of the two-sided test that there is none, by itself: `holm` corrects for the others.
        detectable: the smallest true difference that as many items, spread as these are, show 8 times in 10 at the 5 % level
            (Miller 2024, section 5: (z 0.975 + z 0.8) standard errors); NaN where the values don't differ at all.
    """

    value: float
    low: float
    high: float
    p: float
    detectable: float

    def scaled(self, factor: float) -> Difference:
        """In another unit, such as percent."""
        value, low, high, p, detectable = self
        return Difference(factor * value, factor * low, factor * high, p, factor * detectable)


NO_DIFFERENCE = Difference(math.nan, math.nan, math.nan, math.nan, math.nan)  # of no items


def wilson(hits: float, n: float) -> Interval:
    """A share with its 95 % score interval (Wilson 1927, doi:10.1080/01621459.1927.10502953). NaN throughout for no items.

    Unlike a bootstrap it says something where nothing, or everything, was hit: 0 of 100 is 0 to 0.037.
    """
    if not n:
        return Interval(math.nan, math.nan, math.nan)
    share, z2 = hits / n, _Z * _Z
    middle, half = share + z2 / (2 * n), _Z * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    low, high = ((middle + side * half) / (1 + z2 / n) for side in (-1, 1))
    return Interval(share, low if hits else 0.0, high if hits < n else 1.0)


def clustered_wilson(hits: Sequence[bool], clusters: Sequence[str]) -> Interval:
    """Wilson's interval over as many independent items as these are worth."""
    values = np.asarray(hits, dtype=float)
    if not values.size:
        return wilson(0, 0)
    worth = _worth(values, clusters)
    return wilson(float(values.mean()) * worth, worth)


def bootstrap_ratio(above: ArrayLike, below: ArrayLike, clusters: Sequence[str], how: Bootstrap) -> Interval:
    """Sum of `above` over sum of `below`, both by item, with a percentile interval over clusters drawn with replacement.

    The percentiles are moved out for few clusters (Hesterberg 2015, doi:10.1080/00031305.2015.1089789, section 4.3), as a t
    interval is wider than a normal one. No items: NaN throughout; one cluster: no interval.
    """
    sums = _by_cluster([above, below], clusters)
    if not len(sums):
        return Interval(math.nan, math.nan, math.nan)
    value = _ratio(sums.sum(axis=0))
    return Interval(float(value), *_tails(_ratio(_drawn(sums, how)), len(sums)))


def bootstrap_mean(values: ArrayLike, clusters: Sequence[str], how: Bootstrap) -> Interval:
    """The mean over items, as `bootstrap_ratio`."""
    return bootstrap_ratio(values, np.ones(np.size(values)), clusters, how)


def paired_ratio(
    ours: tuple[ArrayLike, ArrayLike], theirs: tuple[ArrayLike, ArrayLike], clusters: Sequence[str], how: Bootstrap
) -> Difference:
    """Ours less theirs, each a sum over a sum over the same items, whose clusters are drawn together.

    The p-value is that of the interval: the level at which it would just touch 0 (Efron & Tibshirani 1993, section 15.4). It
    is never less than the resamples can tell. Raises ValueError where the items aren't the same number.
    """
    sums = _by_cluster([*ours, *theirs], clusters)
    groups = len(sums)
    if not groups:
        return NO_DIFFERENCE
    total = sums.sum(axis=0)
    value = float(_ratio(total[:2]) - _ratio(total[2:]))
    drawn = _drawn(sums, how)
    draws = _ratio(drawn[:, :2]) - _ratio(drawn[:, 2:])
    if groups < 2:
        return NO_DIFFERENCE._replace(value=value)
    beyond = min(int((draws <= 0).sum()), int((draws >= 0).sum()))
    z = max(0.0, float(stats.norm.isf((beyond + 1) / (draws.size + 1))))
    p = 2 * float(stats.t.sf(z / math.sqrt(groups / (groups - 1)), groups - 1))
    error = float(draws.std(ddof=1)) * math.sqrt(groups / (groups - 1))
    spread = error > 1e-9 * max(1.0, abs(value))  # less is the rounding of equal differences
    return Difference(value, *_tails(draws, groups), p, (_Z + _Z_POWER) * error if spread else math.nan)


def paired_mean(ours: ArrayLike, theirs: ArrayLike, clusters: Sequence[str], how: Bootstrap) -> Difference:
    """The difference of means over the same items, as `paired_ratio`."""
    ones = np.ones(np.size(ours))
    return paired_ratio((ours, ones), (theirs, ones), clusters, how)


def paired_share(ours: Sequence[bool], theirs: Sequence[bool], clusters: Sequence[str], how: Bootstrap) -> Difference:
    """The difference of two shares over the same items.

    The interval is that of Bonett & Price (2012, doi:10.3102/1076998611411915), which adds one discordant pair to each side and
    so has a width where no pair is discordant; over as many independent items as these are worth. The test is McNemar's exact
    one where each item is a cluster of its own, else the bootstrap's.
    """
    hits, others = np.asarray(ours, dtype=bool), np.asarray(theirs, dtype=bool)
    n = hits.size
    if not n:
        return NO_DIFFERENCE
    more, less = int((hits & ~others).sum()), int((others & ~hits).sum())
    worth = _worth(hits.astype(float) - others, clusters)
    gain, loss = ((count * worth / n + 1) / (worth + 2) for count in (more, less))
    error = math.sqrt((gain + loss - (gain - loss) ** 2) / (worth + 2))
    low, high = (max(-1.0, min(1.0, gain - loss + side * _Z * error)) for side in (-1, 1))
    p = mcnemar(more, less) if len(set(clusters)) == n else paired_mean(hits, others, clusters, how).p
    return Difference((more - less) / n, low, high, p, (_Z + _Z_POWER) * error)


def mcnemar(more: int, less: int) -> float:
    """The exact two-sided p-value of so many discordant pairs on either side (McNemar 1947, doi:10.1007/BF02295996)."""
    return float(stats.binomtest(more, more + less, 0.5).pvalue) if more + less else 1.0


def holm(values: Sequence[float]) -> list[float]:
    """p-values corrected for there being several (Holm 1979, Scand. J. Stat. 6:65-70), in their order.

    The chance that any of those below 5 % is there without a difference stays below 5 %, whatever hangs together. NaN, where
    there was nothing to test, stays NaN and doesn't count.
    """
    order = sorted((place for place, value in enumerate(values) if not math.isnan(value)), key=lambda place: values[place])
    corrected, worst = list(values), 0.0
    for rank, place in enumerate(order):
        worst = max(worst, min(1.0, (len(order) - rank) * values[place]))
        corrected[place] = worst
    return corrected


class Judgement(NamedTuple):
    """A difference with its p-value corrected for the others it was judged with, and what may be said of it."""

    difference: Difference
    p_holm: float
    verdict: Verdict

    def figures(self) -> dict[str, Any]:
        """As they rest on disk: JSON has no NaN."""
        value, low, high, p, detectable = map(finite, self.difference)
        told = {"difference": value, "low": low, "high": high, "p": p, "p_holm": finite(self.p_holm)}
        return {**told, "detectable": detectable, "verdict": self.verdict}


def judge(found: Sequence[Difference], less_is_better: Sequence[bool]) -> list[Judgement]:
    """All differences of a report together: the p-values of `holm`, the words of `verdict`."""
    corrected = holm([one.p for one in found])
    triples = zip(found, corrected, less_is_better, strict=True)
    return [Judgement(one, p, verdict(one, p, less_is_better=less)) for one, p, less in triples]


def finite(figure: float) -> float | None:
    """None for what JSON has no number for."""
    return float(figure) if math.isfinite(figure) else None


def verdict(found: Difference, corrected_p: float, *, less_is_better: bool = False) -> Verdict:
    """What may be said of a difference, in a word.

    "tied": the interval holds 0. "unclear": it doesn't, but the test, corrected for the others of the report, isn't
    significant; or there is no interval.
    """
    if found.low <= 0 <= found.high:
        return "tied"
    if not corrected_p < LEVEL:
        return "unclear"
    return "better" if (found.value > 0) != less_is_better else "worse"


def krippendorff_alpha(ratings: ArrayLike, *, ordinal: bool = False) -> float:
    """Agreement of raters beyond chance: 1 is perfect, 0 is chance's (Krippendorff 2011, "Computing Krippendorff's
    Alpha-Reliability").

    Args:
        ratings: a row a rater, a column a thing rated; numbers, NaN where a rater said nothing.
        ordinal: whether values have an order, so that near ones disagree less; else they only differ.

    Returns:
        NaN where fewer than two raters met, or where all of them always said the same one value.
    """
    matrix = np.asarray(ratings, dtype=float)
    values = np.unique(matrix[~np.isnan(matrix)])
    counts = (matrix[:, :, None] == values).sum(axis=0)
    counts = counts[counts.sum(axis=1) > 1]
    weighted = counts / np.maximum(counts.sum(axis=1, keepdims=True) - 1, 1)
    met = counts.T @ weighted - np.diag(weighted.sum(axis=0))
    said = met.sum(axis=0)
    places = said.cumsum() - said / 2 if ordinal else values
    apart = (places[:, None] - places) ** 2 if ordinal else (values[:, None] != values).astype(float)
    expected = float((np.outer(said, said) * apart).sum())
    return 1.0 - (float(said.sum()) - 1.0) * float((met * apart).sum()) / expected if expected else math.nan


def _worth(values: Floats, clusters: Sequence[str]) -> float:
    """How many independent items these are worth: their number over the design effect (Kish 1965, chapter 8).

    That is the variance between clusters over the one of independent items, at least 1. Where all values are equal it can't be
    estimated, and each cluster counts once.
    """
    (sums, sizes), n = _by_cluster([values, np.ones(values.size)], clusters).T, values.size
    groups, within = sums.size, float(values.var()) / n
    if groups == n or not within:
        return float(groups)
    between = groups / max(groups - 1, 1) * float(((sums - values.mean() * sizes) ** 2).sum()) / n**2
    return float(n / max(1.0, between / within))


def _by_cluster(columns: Sequence[ArrayLike], clusters: Sequence[str]) -> Floats:
    """The sums of each column, a row a cluster."""
    names, places = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
    arrays = [np.asarray(column, dtype=float) for column in columns]
    if any(array.size != places.size for array in arrays):
        raise ValueError(f"values and clusters must be of one length, not {[array.size for array in arrays]}, {places.size}")
    return np.stack([np.bincount(places, array, minlength=names.size) for array in arrays], axis=1)


def _drawn(sums: Floats, how: Bootstrap) -> Floats:
    """The sums of `how.resamples` draws of as many clusters with replacement, a row a draw."""
    return np.concatenate([counts @ sums for counts in _counts(len(sums), how)])


def _counts(groups: int, how: Bootstrap) -> Iterator[Floats]:
    """How often each cluster was drawn, a row a draw, a bounded block of rows at a time."""
    rng = np.random.default_rng(how.seed)
    most = max(1, _BLOCK // groups)
    for start in range(0, how.resamples, most):
        rows = min(most, how.resamples - start)
        draws = rng.integers(0, groups, (rows, groups)) + groups * np.arange(rows)[:, None]
        yield np.bincount(draws.ravel(), minlength=rows * groups).reshape(rows, groups).astype(float)


def _ratio(sums: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(sums[..., 0] / sums[..., 1])


def _tails(draws: Floats, groups: int) -> tuple[float, float]:
    if groups < 2:
        return math.nan, math.nan
    tail = float(stats.norm.sf(math.sqrt(groups / (groups - 1)) * stats.t.isf(LEVEL / 2, groups - 1)))
    with np.errstate(invalid="ignore"):
        low, high = np.percentile(draws, [100 * tail, 100 * (1 - tail)])
    return float(low), float(high)
