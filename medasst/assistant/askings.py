"""How alike a question and the ways of asking known answers are: one sparse product over characters and concepts."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix

from medasst.lexicon import Lexicon, Named
from medasst.text import comparison_key

# A medicine by any of its names, and the kind it is of, tell more of what is asked than a run of characters does.
_MEDICINE, _KIND, _FINDING = 2.5, 0.8, 1.2
_NAME = 0.5  # of a run of characters in a medicine's name: another name of it has none of them
# Of a long question mostly a part is asked: this share of its length beyond that of a usual way of asking counts.
_LENGTH = 0.5
# Colloquial forms and what they are compared as; both stand in one answer's ways of asking.
_PLAIN = {
    "咋": "怎么",
    "啥": "什么",
    "娃": "孩子",
    "宝宝": "孩子",
    "小孩": "孩子",
    "儿童": "孩子",
    "婴儿": "孩子",
    "疼": "痛",
    "能不能": "能",
    "可不可以": "能",
    "可以": "能",
    "么": "吗",
    "嘛": "吗",
    "怎吗": "怎么",
    "什吗": "什么",
}
_COLLOQUIAL = re.compile("什么|怎么|" + "|".join(_PLAIN))
_COMPARED = 400  # characters of a question that are compared, its last ones


def plainly(text: str) -> str:
    """A text's letters with its colloquial words (咋, 啥, 娃) as they are mostly written."""
    return _COLLOQUIAL.sub(lambda found: _PLAIN.get(found[0], found[0]), comparison_key(text))


class Askings:
    """Known ways of asking, of several answers each.

    Args:
        askings: of each answer its ways of asking, at least one, each as `Lexicon.names` reads it.
    """

    def __init__(self, lexicon: Lexicon, askings: Sequence[Sequence[Named]]) -> None:
        self._lexicon = lexicon
        told = [self._features(asking) for ways in askings for asking in ways]
        counts = Counter(feature for features in told for feature in features)
        self._places = {feature: place for place, feature in enumerate(counts)}
        self._weights = 1 + np.log((1 + len(told)) / (1 + np.array(list(counts.values()), dtype=float)))
        self._rare = 1 + math.log(1 + len(told))  # of what stands in none of them
        columns = np.array([self._places[feature] for features in told for feature in features])
        rows = np.repeat(np.arange(len(told)), [len(features) for features in told])
        values = np.array([value for features in told for value in features.values()]) * self._weights[columns]
        matrix = csc_matrix((values, (rows, columns)), shape=(len(told), len(counts)))
        lengths = np.sqrt(np.bincount(rows, values**2, minlength=len(told)))
        self._usual = float(lengths.mean())
        matrix.data /= lengths[matrix.indices]
        self._starts, self._rows, self._values = matrix.indptr, matrix.indices, matrix.data
        self._answers = np.cumsum([0, *(len(ways) for ways in askings)])[:-1]
        self._size = len(told)

    def likeness(self, texts: Iterable[str]) -> NDArray[np.float64]:
        """Of each answer, how near (0-1) its nearest way of asking is to one of these texts."""
        best = np.zeros(self._size)
        for text in texts:
            np.maximum(best, self._likeness(self._features(self._lexicon.names(text[-_COMPARED:]))), out=best)
        return np.maximum.reduceat(best, self._answers)

    def _likeness(self, features: Mapping[str, float]) -> NDArray[np.float64]:
        """The cosine of a text, of which length counts less, and each way of asking."""
        known = [(place, value) for feature, value in features.items() if (place := self._places.get(feature)) is not None]
        if not known:
            return np.zeros(self._size)
        places = np.array([place for place, _ in known])
        values = np.array([value for _, value in known]) * self._weights[places]
        unknown = sum((value * self._rare) ** 2 for feature, value in features.items() if feature not in self._places)
        length = math.sqrt(float(values @ values) + unknown)
        length = _LENGTH * length + (1 - _LENGTH) * min(length, self._usual)
        starts, ends = self._starts[places], self._starts[places + 1]
        columns = [slice(start, end) for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
        rows = np.concatenate([self._rows[column] for column in columns])
        weights = np.concatenate([self._values[column] for column in columns]) * np.repeat(values, ends - starts)
        return np.bincount(rows, weights, minlength=self._size) / length

    def _features(self, named: Named) -> dict[str, float]:
        """What is compared of a text: concepts, and runs of one to three characters, of a medicine's name at less weight."""
        features: dict[str, float] = {}
        script, found = named
        pieces, last = [], 0
        for one in found:
            concept = one.name.concept
            if one.name.kind == "finding":
                features[f"finding {concept}"] = _FINDING
            elif one.name.kind == "drug":
                pieces.append((script[last : max(last, one.start)], 1.0))
                pieces.append((script[max(last, one.start) : one.end], _NAME))
                last = max(last, one.end)
                for name in self._lexicon.broader(concept):
                    weight = _MEDICINE if name == concept else _KIND
                    features[f"drug {name}"] = max(features.get(f"drug {name}", 0.0), weight)
        for piece, weight in [*pieces, (script[last:], 1.0)]:
            key = plainly(piece)
            for run in (key[at : at + size] for size in (1, 2, 3) for at in range(len(key) - size + 1)):
                features[run] = max(features.get(run, 0.0), weight)
        return features
