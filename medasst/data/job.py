"""A run that has been checked before any work: every recipe known, every file found and hashed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from medasst.data.files import matching
from medasst.data.recipes import Reader, reader, recipe
from medasst.data.settings import Decontaminate, PrepareConfig, Source
from medasst.disk import file_sha256, write_json
from medasst.errors import DataError
from medasst.progress import Progress, silent

FORMAT = 9  # counts up whenever the same input would give another result


class Input(NamedTuple):
    """A file to read. `name` is its path below the fixed part of the pattern: absolute paths stay out of the result."""

    name: str
    path: Path
    sha256: str
    size: int  # bytes

    @classmethod
    def of(cls, name: str, path: Path) -> Input:
        """The file as it is now. Raises DataError: it can't be read."""
        try:
            return cls(name, path, file_sha256(path), path.stat().st_size)
        except OSError as error:
            raise DataError(f"can't be read: {error.strerror}", path) from error

    def check_unchanged(self) -> None:
        """Raises DataError: the file isn't any more what it was when the run began, so what was read of it is uncertain."""
        if not self.path.exists():
            raise DataError("is gone since the run began; put it back or take it out, and run again", self.path)
        if Input.of(self.name, self.path).sha256 != self.sha256:
            raise DataError("changed while it was read; run again when nothing writes to it", self.path)


@dataclass(frozen=True)
class Job:
    """A run that has been checked: every file found and hashed, every recipe known."""

    config: PrepareConfig
    sources: list[tuple[Source, Reader, list[Input]]]
    named: list[tuple[str, Decontaminate, list[Input]]]
    warnings: list[str] = field(default_factory=list)

    @property
    def fingerprint(self) -> str:
        """What the result depends on: settings without paths, recipes, and the files' bytes."""
        seen = {
            "format": FORMAT,
            "settings": settings(self.config),
            "recipes": {source.name: how.recipe.model_dump(mode="json") for source, how, _ in self.sources},
            "files": [[source.name, [(i.name, i.sha256) for i in inputs]] for source, _, inputs in self.sources],
            "named": [[name, [(i.name, i.sha256) for i in inputs]] for name, _, inputs in self.named],
        }
        return hashlib.sha256(json.dumps(seen, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def settings(config: PrepareConfig) -> dict[str, Any]:
    """The resolved settings without absolute paths, sources in order of name."""
    data = config.model_dump(mode="json", exclude={"workers"})
    for table in (*data["sources"], *data["decontaminate"]):
        table["path"] = Path(table["path"]).name
    data["sources"].sort(key=lambda source: source["name"])
    data["decontaminate"].sort(key=lambda named: json.dumps(named, sort_keys=True))
    return data


def check(config: PrepareConfig, progress: Progress = silent) -> Job:
    """Everything that can be wrong with the settings, found before any work. Raises ConfigError, DataError."""
    chosen = sorted((source for source in config.sources if source.enabled), key=lambda source: source.name)
    readers = [reader(source.recipe, source.layout, source.mapping) for source in chosen]
    for named in config.decontaminate:
        if named.recipe:
            recipe(named.recipe)
    found = [matching(source.path) for source in chosen]
    found += [
        matching(named.path, "check the path, or take this [[decontaminate]] table out") for named in config.decontaminate
    ]
    inputs: list[list[Input]] = []
    for n, files in enumerate(found):
        inputs.append([Input.of(name, path) for name, path in files])
        progress("hash files", n + 1, len(found))
    warnings = [
        f"licence of {source.name}: {how.recipe.licence}; not for commercial use"
        for source, how in zip(chosen, readers, strict=True)
        if not how.recipe.commercial and not source.licence
    ]
    named_inputs = [
        (named.name or named.recipe or Path(named.path).parent.name, named, files)
        for named, files in zip(config.decontaminate, inputs[len(chosen) :], strict=True)
    ]
    named_inputs.sort(key=lambda item: (item[0], item[1].split, [i.name for i in item[2]]))
    return Job(config, list(zip(chosen, readers, inputs, strict=False)), named_inputs, warnings)


def changed_inputs(job: Job, work: Path) -> list[str]:
    """What to tell of files that changed since an interrupted run left `work`; this run's files are noted there."""
    now = {f"{source.name}/{item.name}": item.sha256 for source, _, inputs in job.sources for item in inputs}
    now |= {f"{name}/{item.name}": item.sha256 for name, _, inputs in job.named for item in inputs}
    note = work / "inputs.json"
    before: dict[str, str] = json.loads(note.read_text("utf-8")) if note.exists() else {}
    write_json(note, now)
    return [
        f"{name} changed since the interrupted run; it is read again"
        for name in sorted(now.keys() & before.keys())
        if now[name] != before[name]
    ]


def chance(seed: int, id_: str) -> float:
    """A number in [0, 1) that belongs to a record and a seed."""
    return int(hashlib.sha256(f"{seed}:{id_}".encode()).hexdigest()[:13], 16) / 16**13
