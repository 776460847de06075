"""Score a file of predictions, whatever tool wrote it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from medasst.errors import DataError
from medasst.evaluation.metrics import TextScores, mean_scores, score_text
from medasst.progress import Progress, silent


@dataclass(frozen=True, slots=True)
class ScoreReport:
    """What `score` found; `mean` holds percentages by metric name.

    `skipped` lines have no `predict` or `label` (or are no JSON object); `duplicates` are scored lines whose id came before.
    """

    n: int
    skipped: int
    duplicates: int
    mean: dict[str, float]

    def summary(self) -> str:
        """The means in one line."""
        means = ", ".join(f"{name} {value:.2f}" for name, value in self.mean.items())
        return f"{means} over {self.n:,} pairs ({self.skipped:,} lines skipped, {self.duplicates:,} repeated ids)"


class _Record(NamedTuple):
    id: Any  # whatever JSON type the file gives
    predict: str
    label: str


def score(file: Path, out: Path, progress: Progress = silent) -> ScoreReport:
    """Score each line of a JSONL file with `predict` and `label`; write `scores.jsonl` and `report.json` into `out`.

    Raises:
        DataError: the file can't be read, or no line of it can be scored.
    """
    seen: set[str] = set()
    scores: list[TextScores] = []
    skipped = duplicates = done = 0
    total = _size(file)
    out.mkdir(parents=True, exist_ok=True)
    growing = out / "scores.jsonl.part"
    with growing.open("w", encoding="utf-8") as sink:
        for size, record in _records(file):
            done += size
            if record is None:
                skipped += 1
                continue
            key = json.dumps(record.id, sort_keys=True)
            duplicates += key in seen
            seen.add(key)
            scores.append(score_text(record.predict, record.label))
            # ASCII escapes, so that any id survives, a lone surrogate too.
            sink.write(json.dumps({"id": record.id, **scores[-1]._asdict()}) + "\n")
            progress("scoring", done, total)
    if not scores:
        growing.unlink()
        raise DataError(f"no line can be scored ({skipped} skipped): each needs the strings 'predict' and 'label'", file)
    growing.replace(out / "scores.jsonl")
    report = ScoreReport(len(scores), skipped, duplicates, mean_scores(scores)._asdict())
    (out / "report.json").write_text(json.dumps(asdict(report), indent=2) + "\n", "utf-8")
    return report


def _size(file: Path) -> int:
    try:
        with file.open("rb"):
            return file.stat().st_size
    except OSError as error:
        raise DataError(f"can't be read: {error.strerror}; give a JSONL file with 'predict' and 'label'", file) from error


def _records(file: Path) -> Iterator[tuple[int, _Record | None]]:
    """Each line's bytes and its record, None where it can't be scored; blank lines are no records."""
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield len(line), _record(line, number)


def _record(line: bytes, number: int) -> _Record | None:
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    if not (isinstance(row, dict) and isinstance(row.get("predict"), str) and isinstance(row.get("label"), str)):
        return None
    return _Record(row.get("id", number), row["predict"], row["label"])
