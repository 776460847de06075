"""The field's scores of a text against one reference, and intervals.

BLEU-4 counts characters, the ROUGEs count jieba words; the figures equal LLaMA-Factory's, its rounding and its way of
cutting text included. Texts are scored raw: nothing is stripped or normalised.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import NormalDist
from typing import NamedTuple

import jieba
import numpy as np
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
from numpy.typing import ArrayLike, NDArray
from rapidfuzz.distance import LCSseq
from rouge_chinese import Rouge

jieba.setLogLevel(logging.WARNING)
_rouge = Rouge()
_smoothing = SmoothingFunction().method3
_Z = NormalDist().inv_cdf(0.975)
_BLOCK = 4_000_000  # drawn indices held at a time


class TextScores(NamedTuple):
    """Each in percent, rounded to 4 places."""

    rouge_1: float
    rouge_2: float
    rouge_l: float
    bleu_4: float


class Interval(NamedTuple):
    """A value with the 2.5th and 97.5th percentile of its bootstrap distribution."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether 0 lies outside the interval."""
        return self.low > 0 or self.high < 0


def score_text(predict: str, label: str) -> TextScores:
    """All four scores of one prediction against its reference."""
    predicted, expected = " ".join(jieba.cut(predict)), " ".join(jieba.cut(label))
    one = two = longest = 0.0
    if predicted.split() and expected.split():
        one, two, longest = _rouges(_words(predicted), _words(expected))
    return TextScores(_percent(one), _percent(two), _percent(longest), _percent(bleu_4(predict, label)))


def mean_scores(scores: Iterable[TextScores]) -> TextScores:
    """The mean of each score over rounded values, as the field publishes it. `scores` must not be empty."""
    return TextScores(*(float(np.mean(column)) for column in zip(*scores, strict=True)))


def bleu_4(predict: str, label: str) -> float:
    """Sentence BLEU over characters (blanks count), weights 1/4, NIST geometric smoothing (method 3). 0-1."""
    return float(sentence_bleu([list(label)], list(predict), smoothing_function=_smoothing))


def _rouges(predicted: Sequence[str], expected: Sequence[str]) -> tuple[float, float, float]:
    """ROUGE-1, -2 and -L as F1, 0-1: n-grams as sets, the longest common subsequence over all words.

    rouge_chinese gives the same floats, in quadratic time with Python's constants.
    """
    pairs_predicted, pairs_expected = (set(pairwise(words)) for words in (predicted, expected))
    common = LCSseq.similarity(predicted, expected)
    return (
        _f1(len(set(predicted) & set(expected)), len(set(predicted)), len(set(expected))),
        _f1(len(pairs_predicted & pairs_expected), len(pairs_predicted), len(pairs_expected)),
        _f1(common, len(predicted), len(expected)),
    )


def _words(spaced: str) -> list[str]:
    """rouge_chinese's words of a text already spaced by jieba; a blank line is one empty word, as there."""
    return [word for part in _rouge.cut_sent(spaced) if part for word in part.split() or [""]]


def _f1(common: int, predicted: int, expected: int) -> float:
    precision = common / predicted if predicted else 0.0
    recall = common / expected if expected else 0.0
    return 2.0 * ((precision * recall) / (precision + recall + 1e-8))


def _percent(share: float) -> float:
    return round(share * 100, 4)


def bootstrap_mean(values: ArrayLike, *, resamples: int = 10_000, seed: int = 0) -> Interval:
    """The mean with its 95 % percentile interval over items drawn with replacement. NaN throughout for no items."""
    return bootstrap_ratio(values, np.ones(np.size(values)), resamples=resamples, seed=seed)


def paired_bootstrap(a: ArrayLike, b: ArrayLike, *, resamples: int = 10_000, seed: int = 0) -> Interval:
    """The difference of means a - b over the same items, resampled together. `a` and `b` must be of one length."""
    left, right = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if left.shape != right.shape:
        raise ValueError(f"paired values must be of one length, not {left.size} and {right.size}")
    return bootstrap_mean(left - right, resamples=resamples, seed=seed)


def bootstrap_ratio(above: ArrayLike, below: ArrayLike, *, resamples: int = 10_000, seed: int = 0) -> Interval:
    """Sum of `above` over sum of `below`, with its interval; items are resampled as pairs."""
    top, bottom = np.asarray(above, dtype=float), np.asarray(below, dtype=float)
    if not top.size:
        return Interval(math.nan, math.nan, math.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.concatenate(
            [top[draw].sum(axis=1) / bottom[draw].sum(axis=1) for draw in _draws(top.size, resamples, seed)]
        )
        low, high = np.percentile(ratios, [2.5, 97.5])
        return Interval(float(top.sum() / bottom.sum()), float(low), float(high))


def wilson(hits: int, n: int) -> Interval:
    """A share with its 95 % score interval (Wilson 1927, doi:10.1080/01621459.1927.10502953). NaN throughout for no items.

    Unlike a bootstrap it says something where nothing, or everything, was hit: 0 of 100 is 0 to 0.037.
    """
    if not n:
        return Interval(math.nan, math.nan, math.nan)
    share, z2 = hits / n, _Z * _Z
    middle, half = share + z2 / (2 * n), _Z * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    low, high = ((middle + side * half) / (1 + z2 / n) for side in (-1, 1))
    return Interval(share, low if hits else 0.0, high if hits < n else 1.0)


def _draws(n: int, resamples: int, seed: int) -> Iterable[NDArray[np.int64]]:
    """Rows of `n` item indices drawn with replacement, a bounded block of rows at a time."""
    rng = np.random.default_rng(seed)
    rows = max(1, _BLOCK // n)
    for start in range(0, resamples, rows):
        yield rng.integers(0, n, (min(rows, resamples - start), n))
