"""Short questions that differ by a few letters: which pairs can be, and whether the difference is a slip or another question.

Two texts at most k edits apart differ in at most 2k of their letter pairs, so they share LEAST of the 2k + LEAST pairs that are
rarest among the test questions (the extended prefix filter: Wang, Li, Feng 2012). Every LEAST of these make a key, and texts of
an equal key are looked at; a key of many test questions is a phrase and tells nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import combinations
from typing import NamedTuple

import jieba
import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cpdist

from medasst.data.questions import asks_only
from medasst.shingles import BITS, I64, U64, ngrams

LEAST = 3  # letter pairs that make a key
LONGEST = 9  # letter pairs of a text that keys are made from: 2 · 3 edits + LEAST
SHARED = 32  # test questions of one key; of more it is a phrase
_GRAM_BITS = 22  # of a letter pair's number
_DF_BITS = 20
_WORD = 6  # letters of the longest word that is looked up
_HARDLY_SEEN = 3  # times that the dictionary counts a word of which it knows no more
_NEGATIONS = "不无未非没"
Bool = NDArray[np.bool_]


def allowed(letters: I64, most: int) -> I64:
    """Edits allowed in questions of so many letters: one from five on, two from nine, three from twelve; at most `most`."""
    return np.minimum((letters >= 5).astype(np.int64) + (letters >= 9) + (letters >= 12), most)


def distinct(values: U64) -> U64:
    """`np.unique`, by sorting: many times as fast on numbers such as these."""
    values = np.sort(values)
    first = np.ones(len(values), bool)
    first[1:] = values[1:] != values[:-1]
    return values[first]


class _Pairs:
    """The distinct letter pairs of each text as numbers `ids`, their text in `owners`; the ends of a text count as letters."""

    def __init__(self, cores: Sequence[str]) -> None:
        grams = ngrams([f"\x02{core}\x03" for core in cores], 2)
        packed = (grams.owners.astype(np.uint64) << np.uint64(_GRAM_BITS)) | (grams.values >> np.uint64(BITS - _GRAM_BITS))
        packed = distinct(packed)
        self.ids = (packed & np.uint64(2**_GRAM_BITS - 1)).astype(np.int64)
        self.owners = (packed >> np.uint64(_GRAM_BITS)).astype(np.int64)
        self.sizes = np.bincount(self.owners, minlength=len(cores))

    def rarest(self, often: I64) -> I64:
        """LONGEST numbers of each text from the rarest on, -1 where there are no more and where `often` knows none."""
        df = np.minimum(often[self.ids], 2**_DF_BITS - 1).astype(np.uint64)
        order = np.sort(
            (self.owners.astype(np.uint64) << np.uint64(_DF_BITS + _GRAM_BITS))
            | (df << np.uint64(_GRAM_BITS))
            | self.ids.astype(np.uint64)
        )
        starts = np.concatenate([[0], np.cumsum(self.sizes)[:-1]])
        rank = np.arange(len(order)) - starts[self.owners]
        first = rank < LONGEST
        ids = (order & np.uint64(2**_GRAM_BITS - 1)).astype(np.int64)
        ids[(order >> np.uint64(_GRAM_BITS)) & np.uint64(2**_DF_BITS - 1) == 0] = -1
        found = np.full((len(self.sizes), LONGEST), -1)
        found[self.owners[first], rank[first]] = ids[first]
        return found


class SlipIndex:
    """Test questions, to be looked for in train questions with a few letters changed.

    Args:
        cores: their cores, distinct.
        most: edits allowed in the longest.
    """

    def __init__(self, cores: Sequence[str], most: int) -> None:
        self.cores, self.most = list(cores), most
        self.letters = np.fromiter((len(core) for core in cores), np.int64, len(self.cores))
        pairs = _Pairs(self.cores)
        self._often = np.bincount(pairs.ids, minlength=2**_GRAM_BITS)
        owners, keys = self._keys(pairs, self.letters)
        order = np.argsort(keys, kind="stable")
        owners, keys = owners[order], keys[order]
        distinct, count = np.unique(keys, return_counts=True)
        telling = np.repeat(count <= SHARED, count)
        self._holders, self._starts = owners[telling], np.concatenate([[0], np.cumsum(count[count <= SHARED])])
        self._distinct = distinct[count <= SHARED]
        self._known = np.zeros(1 << 25, np.uint8)  # a bit for each key, so that few others are searched for
        np.bitwise_or.at(self._known, _byte(self._distinct), _bit(self._distinct))

    def find(self, cores: Sequence[str]) -> list[tuple[int, int, int]]:
        """`(place, test question, edits)` of the pairs whose difference is a slip."""
        if not self.most or not len(self._distinct):
            return []
        letters = np.fromiter((len(core) for core in cores), np.int64, len(cores))
        places, keys = self._keys(_Pairs(cores), letters)
        there = (self._known[_byte(keys)] & _bit(keys)) != 0
        places, keys = places[there], keys[there]
        order = np.argsort(keys)  # neighbours are searched for one after the other, which is many times as fast
        places, keys = places[order], keys[order]
        at = np.minimum(np.searchsorted(self._distinct, keys), len(self._distinct) - 1)
        same = self._distinct[at] == keys
        places, at = places[same], at[same]
        counts = self._starts[at + 1] - self._starts[at]
        left = np.repeat(places, counts)
        ends = np.cumsum(counts)
        right = self._holders[np.arange(len(left)) - np.repeat(ends - counts, counts) + np.repeat(self._starts[at], counts)]
        limit = allowed(np.minimum(letters[left], self.letters[right]), self.most)
        possible = (np.abs(letters[left] - self.letters[right]) <= limit) & (limit > 0)
        pairs = distinct((left[possible].astype(np.uint64) << np.uint64(32)) | right[possible].astype(np.uint64))
        left, right = (pairs >> np.uint64(32)).astype(np.int64), (pairs & np.uint64(2**32 - 1)).astype(np.int64)
        return self._verified(cores, letters, left, right)

    def _verified(self, cores: Sequence[str], letters: I64, left: I64, right: I64) -> list[tuple[int, int, int]]:
        if not len(left):
            return []
        ours, theirs = [cores[i] for i in left], [self.cores[j] for j in right]
        edits = cpdist(ours, theirs, scorer=Levenshtein.distance, score_cutoff=self.most, dtype=np.int64)
        near = edits <= allowed(np.minimum(letters[left], self.letters[right]), self.most)
        return [(int(left[n]), int(right[n]), int(edits[n])) for n in np.flatnonzero(near) if slipped(ours[n], theirs[n])]

    def _keys(self, pairs: _Pairs, letters: I64) -> tuple[I64, U64]:
        """For each text, every LEAST of the pairs that count; texts and keys."""
        rare = pairs.rarest(self._often)
        counted = 2 * allowed(letters, self.most) + LEAST
        owners, keys = [np.zeros(0, np.int64)], [np.zeros(0, np.uint64)]
        for columns in combinations(range(LONGEST), LEAST):
            chosen = rare[:, columns]
            there = np.flatnonzero((chosen >= 0).all(axis=1) & (counted > columns[-1]) & (counted > LEAST))
            key = np.zeros(len(there), np.uint64)
            for column in range(LEAST):
                key = (key + chosen[there, column].astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
                key ^= key >> np.uint64(29)
            owners.append(there)
            keys.append(key)
        return np.concatenate(owners), np.concatenate(keys)


def _byte(keys: U64) -> U64:
    return (keys >> np.uint64(3)) & np.uint64((1 << 25) - 1)


def _bit(keys: U64) -> NDArray[np.uint8]:
    return np.left_shift(np.uint8(1), (keys & np.uint64(7)).astype(np.uint8))


# ---- slip or another question ----------------------------------------------------------------------------------------


class _Block(NamedTuple):
    """Where two texts differ: from, to in the one and in the other."""

    low: int
    high: int
    begin: int
    end: int


@cache
def _dictionary() -> dict[str, int]:
    tokenizer = jieba.Tokenizer()
    words: dict[str, int] = tokenizer.gen_pfdict(tokenizer.get_dict_file())[0]  # beginnings of words are there too, with 0
    return words


def _known(*texts: str) -> bool:
    return any(_dictionary().get(text, 0) > _HARDLY_SEEN for text in texts)


def is_slip(left: str, right: str, most: int) -> bool:
    """Whether two questions differ by no more edits than are allowed, and only in writing."""
    limit = int(allowed(np.array([min(len(left), len(right))]), most)[0])
    return Levenshtein.distance(left, right, score_cutoff=limit) <= limit and slipped(left, right)


def slipped(left: str, right: str) -> bool:
    """Whether the difference between two near questions is one of writing: it changes no word into another (头痛, 头晕),
    no number and no Latin letter, it negates nothing, and it puts no three letters in place of others."""
    return not any(_changes(left, right, block) for block in _blocks(left, right))


def _blocks(left: str, right: str) -> list[_Block]:
    """Where they differ; neighbouring edits are one block."""
    blocks: list[_Block] = []
    for edit in Levenshtein.opcodes(left, right):
        if edit.tag == "equal":
            continue
        if blocks and blocks[-1].high == edit.src_start and blocks[-1].end == edit.dest_start:
            blocks[-1] = blocks[-1]._replace(high=edit.src_end, end=edit.dest_end)
        else:
            blocks.append(_Block(edit.src_start, edit.src_end, edit.dest_start, edit.dest_end))
    return blocks


def _changes(left: str, right: str, block: _Block) -> bool:
    """Whether what differs in a block makes another question."""
    old, new = left[block.low : block.high], right[block.begin : block.end]
    if not old or not new:
        return _adds(old + new, left[block.low - 1 : block.low] if block.low else "", left[block.high : block.high + 1])
    if (old.isascii() and new.isascii()) or (old.isnumeric() and new.isnumeric()):
        return True
    long = max(len(old), len(new)) > 2 or (len(old) == len(new) == 2 and _known(old, new))
    return (long and not asks_only(old) and not asks_only(new)) or _swaps(left, right, block)


def _adds(text: str, before: str, after: str) -> bool:
    """Whether what only one has, between two letters, makes it another question: 3岁 and 33岁, 宜用 and 不宜用; not 能不能."""
    if any(char in _NEGATIONS for char in text) and before != after:
        return True
    if any(char.isdigit() for char in text) and (before.isdigit() or after.isdigit()):
        return True
    return len(text) > 1 and not asks_only(text) and _known(text)


def _swaps(left: str, right: str, block: _Block) -> bool:
    """Whether a word of the dictionary became another, of which at least one says what is asked about."""
    for before in range(min(block.low, block.begin, _WORD) + 1):
        for after in range(min(len(left) - block.high, len(right) - block.end, _WORD) + 1):
            old = left[block.low - before : block.high + after]
            new = right[block.begin - before : block.end + after]
            plausible = 1 < max(len(old), len(new)) <= _WORD and _known(old) and _known(new)
            if plausible and not (asks_only(old) and asks_only(new)):
                return True
    return False
