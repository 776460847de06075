"""A finished evaluation, read back from its folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from medasst.errors import DataError
from medasst.evaluation.report import SCHEMA_VERSION
from medasst.evaluation.task import KINDS, Scores

_AGAIN = "run its medasst evaluate again with the same --out: answers are kept, only what is missing is asked"


class Answer(NamedTuple):
    """What one item was asked, what came back, and what that scores."""

    id: str
    cluster: str
    prompt: str
    label: str
    predict: str
    outcome: str
    scores: Scores


@dataclass(frozen=True, slots=True)
class Finished:
    """A folder that `evaluate` wrote.

    Attributes:
        report: report.json. facts: run.json.
    """

    folder: Path
    report: Mapping[str, Any]
    facts: Mapping[str, Any]

    @classmethod
    def read(cls, folder: Path) -> Finished:
        """Raises DataError where the folder holds no finished evaluation, or one of another version."""
        report = _object(folder / "report.json")
        if report.get("schema_version") != SCHEMA_VERSION:
            told = f"its schema_version is {report.get('schema_version')}, this MedAsst reads {SCHEMA_VERSION}; {_AGAIN}"
            raise DataError(told, folder / "report.json")
        return cls(folder, report, _object(folder / "run.json"))

    @property
    def tasks(self) -> dict[str, Mapping[str, Any]]:
        """The summary of each task by its name."""
        return {task["name"]: task for task in self.report["tasks"]}

    @property
    def systems(self) -> tuple[str, ...]:
        """Names, in the order of the job."""
        return tuple(dict.fromkeys(row["system"] for row in self.report["results"]))

    def answered(self, system: str, task: str) -> bool:
        """Whether the system could do the task."""
        rows = [row for row in self.report["results"] if (row["system"], row["task"]) == (system, task)]
        return any(row["status"] == "ok" for row in rows)

    def depends_on(self, system: str, task: str) -> Mapping[str, Any]:
        """What the answers depended on, as it was noted beside them; empty where it wasn't."""
        path = self._place("predictions", system, task).with_suffix(".header.json")
        return _object(path)["system"] if path.exists() else {}

    def answers(self, system: str, task: str) -> dict[str, Answer]:
        """The answers by item, in the order of the draw.

        Raises:
            DataError: a file is missing, torn or of another version.
        """
        kept = KINDS[self.tasks[task]["kind"]].scoring.kept
        records = {record["id"]: record for record in _lines(self._place("predictions", system, task))}
        scored = self._place("scores", system, task)
        found = {}
        for row in _lines(scored):
            record = records.get(row["id"])
            try:
                scores = kept(**{name: row[name] for name in kept._fields})
                cluster = row["cluster"]
            except KeyError as error:
                raise DataError(f"has no {error}; {_AGAIN}", scored) from None
            if record is None:
                raise DataError(f"scores {row['id']!r}, whose answer isn't in predictions/; {_AGAIN}", scored)
            told = (record["prompt"], record["label"], record["predict"], record["finish_reason"])
            found[row["id"]] = Answer(row["id"], cluster, *told, scores)
        return found

    def _place(self, kind: str, system: str, task: str) -> Path:
        return self.folder / kind / system / f"{task}.jsonl"


def _object(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except OSError:
        raise DataError("isn't there; give a folder that medasst evaluate wrote", path) from None
    except ValueError as error:
        raise DataError(f"is no JSON ({error}); {_AGAIN}", path) from None
    if not isinstance(found, dict):
        raise DataError(f"holds no object; {_AGAIN}", path)
    return found


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                try:
                    yield json.loads(line)
                except ValueError:
                    raise DataError(f"is no JSON; {_AGAIN}", path, number) from None
    except OSError:
        raise DataError(f"isn't there; {_AGAIN}", path) from None
