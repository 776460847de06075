"""Contamination: which items of a task a system was trained on, and its figures with and without them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from medasst.data import load_manifest
from medasst.data.fingerprints import trained_items
from medasst.data.settings import Contamination
from medasst.errors import DataError
from medasst.evaluation.measure import AllAnswered, Result, results
from medasst.evaluation.statistics import Bootstrap
from medasst.evaluation.task import AnyTask

Part = Literal["seen", "unseen"]
_NOT_TOLD = "nothing tells what it was trained on"


@dataclass(frozen=True, slots=True)
class Seen:
    """How many of a task's `n` items stood in what a system was trained on; None: unknown, and `why`.

    It speaks of the adapter's training set, or the one retrieved from; what a base read before nobody can tell.
    """

    system: str
    task: str
    n: int
    seen: int | None
    why: str


@dataclass(frozen=True, slots=True)
class SeenResult(Result):
    """A row of results over the items that the system `training` has seen in training, or those it hasn't."""

    training: str = ""
    part: Part = "seen"


def find_seen(
    training: Mapping[str, Path | None], baseline: str, tasks: Sequence[AnyTask], answered: AllAnswered, how: Bootstrap
) -> tuple[list[Seen], list[SeenResult]]:
    """What each system has seen, by the fingerprints of its training set.

    Returns:
        A line a system and task that was answered; and for what was partly seen the figures apart, the baseline's over the
        same items too.
    """
    known: dict[Path, dict[str, set[str]] | str] = {}
    lines: list[Seen] = []
    rows: list[SeenResult] = []
    for task in tasks:
        for system, path in training.items():
            if (system, task.name) not in answered:
                continue
            if path is not None and path not in known:
                known[path] = _look(path, tasks)
            found = known[path] if path is not None else _NOT_TOLD
            if isinstance(found, str):
                lines.append(Seen(system, task.name, len(task.items), None, found))
                continue
            places: dict[Part, list[int]] = {"seen": [], "unseen": []}
            for place, item in enumerate(task.items):
                places["seen" if item.id in found[task.name] else "unseen"].append(place)
            lines.append(Seen(system, task.name, len(task.items), len(places["seen"]), ""))
            if not places["seen"]:
                continue
            for other in dict.fromkeys((baseline, system)):
                for part, own in places.items():
                    if own and (other, task.name) in answered:
                        one = results(other, task, answered[other, task.name].part(own), how)
                        rows += [SeenResult(**asdict(row), training=system, part=part) for row in one]
    return lines, rows


def _look(path: Path, tasks: Sequence[AnyTask]) -> dict[str, set[str]] | str:
    """The ids of each task's items that a training set holds, or why that isn't known."""
    asked = {f"{place}:{item.id}": item.asked for place, task in enumerate(tasks) for item in task.items}
    try:
        settings, simplify = _as_prepared(path.parent)
        found = trained_items(path, asked, settings, simplify=simplify)
    except DataError as error:
        return str(error)
    return {task.name: {item.id for item in task.items if f"{place}:{item.id}" in found} for place, task in enumerate(tasks)}


def _as_prepared(folder: Path) -> tuple[Contamination, bool]:
    """When two questions match, and whether texts were made simplified, as the set was prepared; else the defaults."""
    if not (folder / "manifest.json").is_file():
        return Contamination(), True
    settings = load_manifest(folder)["settings"]
    return Contamination.model_validate(settings.get("contamination", {})), settings.get("clean", {}).get("simplify", True)
