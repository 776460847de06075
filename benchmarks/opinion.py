"""The weights of the second opinion on what is said of a mention: fitted on the labelled suites, and measured.

    python benchmarks/opinion.py fit      writes medasst/rulebook/opinion_weights.toml
    python benchmarks/opinion.py folds    each suite judged by weights that were fitted without it

Softmax regression (scikit-learn, L2, C = 30) over the pieces that `Lexicon.seen` gives for each mention that was found, each
mention of unit length; pieces that stand beside fewer than four mentions, or that weigh little, are left out. Beside the
suites, short.jsonl holds one thing said in each row, so that few words weigh right. The cues were mended for every suite but
the newest: what they reach in the folds is too good, what the pieces reach alone is as on a new suite.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix
from sentences import labels
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

from medasst.lexicon import Lexicon
from medasst.lexicon.opinion import ASSERTIONS, Spoken, scored, trust
from medasst.rulebook import Assertion, Rulebook, Voices

SUITES = Path(__file__).parent / "suites"
TABLE = Path(__file__).parents[1] / "medasst" / "rulebook" / "opinion_weights.toml"
_FEWEST = 4  # mentions that a piece stands beside
_LEAST = 30  # hundredths between what a piece says most for and most against, below which it says little
_HEADER = "# What each piece of a message says for each assertion; written by benchmarks/opinion.py, not by hand.\n"


class Example(NamedTuple):
    """A mention that was found: its pieces, what it is labelled as, and what the cues say of it."""

    suite: str
    spoken: Spoken
    pieces: frozenset[str]
    label: Assertion
    said: Assertion
    cued: bool


def examples(lexicon: Lexicon, paths: Sequence[Path]) -> list[Example]:
    """The labelled mentions of suites that are found, as benchmarks/sentences.py finds them."""
    found: list[Example] = []
    for path in paths:
        for row in map(json.loads, path.read_text("utf-8").splitlines()):
            left = lexicon.seen(row["text"])
            for start, end, label in labels(row):
                near = [one for one in left if one[0].kind == label["kind"] and min(end, one[0].end) > max(start, one[0].start)]
                if near:
                    best = max(near, key=lambda one: min(end, one[0].end) - max(start, one[0].start))
                    left.remove(best)
                    mention, spoken, pieces = best
                    if pieces is not None:
                        cued = bool(mention.cue)
                        found.append(Example(path.stem, spoken, frozenset(pieces), label["assertion"], mention.assertion, cued))
    return found


def fitted(learnt: Sequence[Example]) -> Voices:
    """The weights that fit some examples best."""
    counts = Counter(piece for one in learnt for piece in one.pieces)
    places = {piece: place for place, piece in enumerate(sorted(p for p, count in counts.items() if count >= _FEWEST))}
    columns = [[places[piece] for piece in one.pieces if piece in places] for one in learnt]
    ends = np.cumsum([0, *map(len, columns)])
    flat = np.concatenate([np.array(each, dtype=int) for each in columns])
    rows = normalize(csr_matrix((np.ones(len(flat)), flat, ends), shape=(len(learnt), len(places))))
    model = LogisticRegression(C=30.0, max_iter=500, tol=1e-3).fit(rows, [ASSERTIONS.index(one.label) for one in learnt])
    weights = np.rint(100 * model.coef_.T).astype(int).tolist()
    kept = {
        piece: tuple(weights[place]) for piece, place in places.items() if max(weights[place]) - min(weights[place]) >= _LEAST
    }
    return Voices(bias=tuple(round(float(each), 3) for each in model.intercept_), pieces=kept)


def folds(found: Sequence[Example], voted: Voices) -> None:
    """Each suite judged by weights that were fitted without it."""
    for suite in dict.fromkeys(one.suite for one in found):
        voices = fitted([one for one in found if one.suite != suite])
        judged: list[tuple[Example, np.ndarray]] = [
            (one, np.array(scored(one.pieces, voices), dtype=float)) for one in found if one.suite == suite
        ]
        alone = np.mean([ASSERTIONS[score.argmax()] == one.label for one, score in judged])
        cues = np.mean([one.said == one.label for one, _ in judged])
        votes = [(one, score + trust(voted, one.spoken, one.said, cued=one.cued) * _vote(one.said)) for one, score in judged]
        both = np.mean([ASSERTIONS[score.argmax()] == one.label for one, score in votes])
        print(f"{suite}: {len(judged)} mentions; cues {cues:.3f}, pieces alone {alone:.3f}, both {both:.3f}")


def _vote(said: Assertion) -> np.ndarray:
    return np.array([float(said == each) for each in ASSERTIONS])


def written(voices: Voices) -> str:
    """As a table."""
    pieces = "".join(
        f"{json.dumps(piece, ensure_ascii=False)} = {list(found)}\n" for piece, found in sorted(voices.pieces.items())
    )
    return f"{_HEADER}bias = {list(voices.bias)}\n\n[pieces]\n{pieces}"


def main() -> None:
    """Fit or cross-validate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("fit", "folds"))
    parser.add_argument("--without", action="append", default=[], help="a suite that is left out: sentences-9")
    arguments = parser.parse_args()
    book = Rulebook.load()
    paths = [
        path
        for path in (*sorted(SUITES.glob("sentences*.jsonl")), SUITES / "short.jsonl")
        if path.stem not in arguments.without
    ]
    found = examples(Lexicon(book), paths)
    if arguments.what == "folds":
        folds(found, book.opinion)
        return
    voices = fitted(found)
    TABLE.write_text(written(voices), "utf-8")
    print(f"{TABLE}: {len(voices.pieces)} pieces from {len(found)} mentions of {len(paths)} suites")


if __name__ == "__main__":
    main()
