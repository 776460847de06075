"""Score a file of predictions, whatever tool wrote it: any container and encoding that `prepare` reads."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from medasst.conversation import JSON
from medasst.data.files import read_rows
from medasst.data.recipes import as_fields
from medasst.data.records import RecordError
from medasst.data.rows import Row
from medasst.disk import write_json, written_whole
from medasst.errors import DataError
from medasst.evaluation.metrics import TextScores, mean_scores, score_text
from medasst.evaluation.shelf import figures
from medasst.progress import Progress, silent

_NEEDED = frozenset({"predict", "label"})
# LLaMA-Factory's figures, by the file that it writes beside its generated_predictions.jsonl.
_PUBLISHED = "predict_results.json"
_NAMES = {"rouge_1": "predict_rouge-1", "rouge_2": "predict_rouge-2", "rouge_l": "predict_rouge-l", "bleu_4": "predict_bleu-4"}
_SAME = 1e-4  # the last place of a rounded score
_REMEDY = "each record needs the texts 'predict' and 'label'"


@dataclass(frozen=True, slots=True)
class ScoreReport:
    """What `score` found; `mean` holds percentages by metric name.

    `skipped` records have no `predict` or `label` (or are no JSON object), and `reasons` says why they can't be scored and how
    many; `duplicates` are scored ones whose id came before. `published` are the means of LLaMA-Factory's predict_results.json
    beside the file, if there is one.
    """

    n: int
    skipped: int
    duplicates: int
    mean: dict[str, float]
    reasons: dict[str, int] = field(default_factory=dict)
    published: dict[str, float] | None = None

    def summary(self) -> str:
        """The means in one line, and in a second whether LLaMA-Factory found the same."""
        told = f"{_told(self.mean)} over {self.n:,} pairs ({self.skipped:,} lines skipped, {self.duplicates:,} repeated ids)"
        if self.published is None:
            return told
        same = all(abs(value - self.mean[name]) <= _SAME for name, value in self.published.items())
        return f"{told}\n{_PUBLISHED} " + ("says the same" if same else f"says otherwise: {_told(self.published)}")


class Pair(NamedTuple):
    """A prediction and its reference; the id has whatever JSON type the file gives it."""

    id: JSON
    predict: str
    label: str


class Skipped(NamedTuple):
    """A record that can't be scored, and why: in a word that counts can go by, and in full."""

    line: int
    reason: str
    why: str


def score(file: Path, out: Path, progress: Progress = silent) -> ScoreReport:
    """Score each record of a file that has `predict` and `label`; write `scores.jsonl` and `report.json` into `out`.

    Raises:
        DataError: the file can't be read, or nothing in it can be scored.
    """
    seen: set[bytes] = set()
    scores = figures(TextScores)
    first: Skipped | None = None
    reasons: Counter[str] = Counter()
    duplicates = 0
    with written_whole(out / "scores.jsonl") as unfinished, unfinished.open("w", encoding="utf-8") as sink:
        for found in pairs(file):
            if isinstance(found, Skipped):
                first = first or found
                reasons[found.reason] += 1
                continue
            key = hashlib.sha256(json.dumps(found.id, sort_keys=True).encode()).digest()[:16]
            duplicates += key in seen
            seen.add(key)
            scores.append(score_text(found.predict, found.label))
            # ASCII escapes, so that any id survives, a lone surrogate too.
            sink.write(json.dumps({"id": found.id, **scores[-1]._asdict()}) + "\n")
            progress("scoring", len(scores))
        if not scores:
            raise DataError(_nothing(first, reasons.total()), file)
    means = mean_scores(scores)._asdict()
    report = ScoreReport(len(scores), reasons.total(), duplicates, means, dict(reasons.most_common()), _published(file))
    write_json(out / "report.json", asdict(report))
    return report


def _published(file: Path) -> dict[str, float] | None:
    try:
        found = json.loads(file.with_name(_PUBLISHED).read_text("utf-8"))
        return {ours: float(found[theirs]) for ours, theirs in _NAMES.items()}
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _told(means: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in means.items())


def pairs(file: Path) -> Iterator[Pair | Skipped]:
    """Each record of a file. An absent id is the record's 1-based line, or the next number where records share one.

    Raises:
        DataError: the file can't be read.
    """
    number = 0
    for row in _rows(file):
        number = max(row.line, number + 1)
        if not row.error.startswith("empty_file"):
            yield _pair(row, number)


def _rows(file: Path) -> Iterator[Row]:
    """What is in the file; one whose name tells no kind is taken for lines of JSON."""
    with TemporaryDirectory(prefix="medasst-") as folder:
        named = file
        if file.exists() and not file.suffix:
            named = Path(folder) / f"{file.name}.jsonl"
            named.symlink_to(file.resolve())
        try:
            yield from read_rows(named, knows=_knows)
        except OSError as error:
            raise DataError(f"can't be read: {error.strerror or error}; {_REMEDY}", file) from error


def _knows(names: Iterable[str]) -> bool:
    return {str(name).strip().lower() for name in names} >= _NEEDED


def _pair(row: Row, number: int) -> Pair | Skipped:
    # Half of an escaped pair can't be written as UTF-8, but it can be scored: such a row has a value and an error.
    if row.error and row.value is None:
        return Skipped(row.line, row.error.partition(":")[0], row.error)
    try:
        fields = {str(name).strip().lower(): value for name, value in as_fields(row.value).items()}
    except RecordError as error:
        return Skipped(row.line, error.reason, error.detail)
    predict, label = fields.get("predict"), fields.get("label")
    if isinstance(predict, str) and isinstance(label, str):
        return Pair(fields.get("id", number), predict, label)
    return Skipped(row.line, *_lacking(fields))


def _lacking(fields: Mapping[str, JSON]) -> tuple[str, str]:
    missing = [name for name in ("predict", "label") if name not in fields]
    if missing:
        why = f"it has no {' and no '.join(map(repr, missing))}, but {', '.join(fields)[:200] or 'nothing'}"
        return f"no_{'_no_'.join(missing)}", why
    name = next(name for name in ("predict", "label") if not isinstance(fields[name], str))
    return f"{name}_no_text", f"its {name!r} is {type(fields[name]).__name__}, not text"


def _nothing(first: Skipped | None, skipped: int) -> str:
    """What was found where nothing can be scored."""
    if first is None:
        return f"no record in it; {_REMEDY}"
    return f"no record can be scored ({skipped} skipped; the first, on line {first.line}: {first.why}); {_REMEDY}"
