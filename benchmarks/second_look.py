"""The weights of triage's second look: fitted on the project's own labelled messages, and measured on messages they don't know.

    python benchmarks/second_look.py fit                  writes medasst/rulebook/second_look_*.toml
    python benchmarks/second_look.py folds                in five folds: what each threshold catches and raises
    python benchmarks/second_look.py try MESSAGES.jsonl   the shipped weights on other messages: with the rules, and alone

Logistic regression (scikit-learn, L2, C = 4, classes weighed alike) over binary runs of one to three characters, each text of
unit length; runs that stand in fewer than three messages are left out. Emergencies are told from all others, and what needs a
doctor from what doesn't among those others. Messages: the suites beside this script, and the examples of the triage rules.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

from medasst.dialogue import of_turns
from medasst.lexicon import Lexicon
from medasst.rulebook import URGENCY, Level, LookRow, Rulebook, Weights
from medasst.safety import Triage
from medasst.safety.second_look import LONGEST, heard, score

SUITES = Path(__file__).parent / "suites"
TABLES = Path(__file__).parents[1] / "medasst" / "rulebook"
_FEWEST = 3  # messages that a piece stands in
_LEAST = 0.02  # weight below which a piece says nothing
_FOLDS = 5
_HEADER = "# How much each piece of a message says for the level; written by benchmarks/second_look.py, not by hand.\n"


class Labelled(NamedTuple):
    """A message and how urgent it is."""

    text: str
    level: str


def messages(paths: Iterable[Path]) -> Iterator[Labelled]:
    """Single messages, and vignettes that are judged at their first turn and have one level there."""
    for path in paths:
        for row in map(json.loads, path.read_text("utf-8").splitlines()):
            if "want" in row:
                want = row["want"][0]
                if want["turn"] == 1 and isinstance(want["level"], str):
                    yield Labelled(row["turns"][0], want["level"])
            elif "level" in row:
                yield Labelled(row["text"], row["level"])


def known(book: Rulebook, triage: Triage, lexicon: Lexicon) -> list[Labelled]:
    """Everything to learn from. What bears no label of its own (sentences, counter-examples) has the level of the rules."""

    def judged(text: str) -> str:
        alarms = triage.by_rules(of_turns([text], lexicon))
        return alarms[0].level if alarms else "self"

    singles = [SUITES / "messages.jsonl", SUITES / "ordinary-questions.jsonl"]
    found = list(messages([*singles, *sorted(SUITES.glob("vignettes*.jsonl"))]))
    for rule in book.triage:
        found += [Labelled(text, rule.level) for text in rule.must]
        found += [Labelled(text, judged(text)) for text in rule.must_not]
    for path in sorted(SUITES.glob("sentences*.jsonl")):
        texts = [json.loads(line)["text"] for line in path.read_text("utf-8").splitlines()]
        found += [Labelled(text, judged(text)) for text in texts]
    return list({one.text: one for one in found}.values())


def fitted(texts: Sequence[str], positive: Sequence[bool]) -> Weights:
    """The weights of `heard` texts."""
    counts = CountVectorizer(analyzer="char", ngram_range=(1, LONGEST), min_df=_FEWEST, binary=True, lowercase=False)
    rows = normalize(counts.fit_transform(texts).astype(float))
    model = LogisticRegression(C=4.0, max_iter=5000, class_weight="balanced").fit(rows, np.array(positive))
    pieces = zip(counts.get_feature_names_out(), model.coef_[0], strict=True)
    return Weights(
        bias=round(float(model.intercept_[0]), 3), pieces={p: round(float(w), 3) for p, w in pieces if abs(w) >= 0.02}
    )


def of_level(level: Level, found: Sequence[Labelled], texts: Sequence[str]) -> tuple[list[str], list[bool]]:
    """What the weights of a level are fitted on: of the milder ones emergencies are no part."""
    kept = [(t, one.level) for t, one in zip(texts, found, strict=True) if level == "emergency" or one.level != "emergency"]
    return [text for text, _ in kept], [URGENCY.index(each) >= URGENCY.index(level) for _, each in kept]


def written(weights: Weights) -> str:
    """As a table."""
    pieces = "".join(f'"{piece}" = {weight}\n' for piece, weight in sorted(weights.pieces.items()))
    return f"{_HEADER}bias = {weights.bias}\n\n[pieces]\n{pieces}"


def folds(row: LookRow, found: Sequence[Labelled], texts: Sequence[str]) -> None:
    """A table of thresholds, each message judged by weights that were fitted without it."""
    texts, positive = of_level(row.level, found, texts)
    place = np.array([int(hashlib.sha256(text.encode()).hexdigest(), 16) % _FOLDS for text in texts])
    values = np.zeros(len(texts))
    for fold in range(_FOLDS):
        learnt = [number for number in range(len(texts)) if place[number] != fold]
        weights = fitted([texts[n] for n in learnt], [positive[n] for n in learnt])
        for number in np.flatnonzero(place == fold):
            values[number] = score(texts[number], weights).value
    right = np.array(positive)
    print(f"{row.id}: {right.sum()} of {len(right)}")
    for threshold in np.arange(-0.5, 2.01, 0.25):
        caught, raised = (values[right] >= threshold).mean(), (values[~right] >= threshold).mean()
        print(f"  threshold {threshold:5.2f}: caught {caught:6.1%}, raised of others {raised:6.1%}")


def tried(book: Rulebook, lexicon: Lexicon, found: Sequence[Labelled]) -> None:
    """What rules, second look, and both make of messages."""
    triage = Triage(book, lexicon)
    states = [of_turns([one.text], lexicon) for one in found]
    rules = [max((URGENCY.index(a.level) for a in triage.by_rules(state)), default=0) for state in states]
    both = [max((URGENCY.index(a.level) for a in triage.alarms(state)), default=0) for state in states]
    for name, told in (("rules", rules), ("rules and second look", both)):
        print(name)
        print("  wanted".ljust(14), *(level.rjust(10) for level in URGENCY))
        for wanted in URGENCY:
            counts = [
                sum(one.level == wanted and t == n for one, t in zip(found, told, strict=True)) for n in range(len(URGENCY))
            ]
            print(f"  {wanted}".ljust(14), *(str(count).rjust(10) for count in counts))
    for row in book.looks:
        weights = book.weights[row.weights]
        texts, positive = of_level(row.level, found, [heard(state.readings[0]) for state in states])
        values = np.array([score(text, weights).value for text in texts])
        right = np.array(positive)
        for share in (0.02, 0.05):
            threshold = np.quantile(values[~right], 1 - share) if (~right).any() else math.inf
            caught = np.mean(values[right] >= threshold)
            print(f"{row.id}: threshold {threshold:.2f} raises {share:.0%} of others and catches {caught:.1%}")


def main() -> None:
    """Fit, cross-validate or try."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("fit", "folds", "try"))
    parser.add_argument("files", nargs="*", type=Path, help="messages or vignettes, for `try`")
    arguments = parser.parse_args()
    book = Rulebook.load()
    lexicon = Lexicon(book)
    if arguments.what == "try":
        tried(book, lexicon, list(messages(arguments.files)))
        return
    found = known(book, Triage(book, lexicon), lexicon)
    texts = [heard(of_turns([one.text], lexicon).readings[0]) for one in found]
    for row in book.looks:
        if arguments.what == "folds":
            folds(row, found, texts)
        else:
            weights = fitted(*of_level(row.level, found, texts))
            (TABLES / row.weights).write_text(written(weights), "utf-8")
            print(f"{TABLES / row.weights}: {len(weights.pieces)} pieces from {len(texts)} messages")


if __name__ == "__main__":
    main()
