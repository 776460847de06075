"""The field's scores of a text against one reference.

BLEU-4 counts characters, the ROUGEs count jieba words; the figures equal LLaMA-Factory's, its rounding and its way of
cutting text included. Texts are scored raw: nothing is stripped or normalised.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import jieba
import numpy as np
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
from rapidfuzz.distance import LCSseq
from rouge_chinese import Rouge

jieba.setLogLevel(logging.WARNING)
_rouge = Rouge()
_smoothing = SmoothingFunction().method3


class TextScores(NamedTuple):
    """Each in percent, rounded to 4 places."""

    rouge_1: float
    rouge_2: float
    rouge_l: float
    bleu_4: float


def score_text(predict: str, label: str) -> TextScores:
    """All four scores of one prediction against its reference."""
    predicted, expected = " ".join(jieba.cut(predict)), " ".join(jieba.cut(label))
    one = two = longest = 0.0
    if predicted.split() and expected.split():
        one, two, longest = _rouges(_words(predicted), _words(expected))
    return TextScores(_percent(one), _percent(two), _percent(longest), _percent(bleu_4(predict, label)))


def mean_scores(scores: Sequence[TextScores]) -> TextScores:
    """The mean of each score over rounded values, as the field publishes it. `scores` must not be empty."""
    columns = (np.fromiter((score[field] for score in scores), float, len(scores)) for field in range(len(TextScores._fields)))
    return TextScores(*(float(column.mean()) for column in columns))


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
