"""One system's answers to one task on disk: appended as they arrive, taken up again after an interruption.

`<task>.jsonl` holds a record per line, `<task>.header.json` what the records depend on: the system, the decoding, the
protocol. A file with another header is never mixed with: it moves to `superseded/`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Generic

from pydantic import TypeAdapter, ValidationError

from medasst.disk import write_text
from medasst.evaluation.task import I, R, Record, Task


class PredictionFile(Generic[I, R]):
    """Answers so far, by item id; `append` adds one, on disk at once.

    Args:
        folder: `predictions/<system>`.
        task: what is asked.
        header: JSON of all that answers depend on but the items themselves.
    """

    def __init__(self, folder: Path, task: Task[I, R, Any], header: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{task.name}.jsonl"
        self._asking = task.asking
        self._kept = TypeAdapter(task.asking.record)
        self._header_path = folder / f"{task.name}.header.json"
        self._header = json.dumps(header, ensure_ascii=False, sort_keys=True, indent=1) + "\n"
        self.superseded = self._set_aside_others()
        self._records = self._read()

    def usable(self, items: Sequence[I]) -> dict[str, R]:
        """The stored answers to these very items; those that failed, or were asked otherwise, are to be asked again."""
        return {
            item.id: record
            for item in items
            if (record := self._records.get(item.id)) and record.finish_reason != "error" and record.answers(item)
        }

    def final(self, items: Sequence[I]) -> list[R]:
        """One record an item, in the items' order; an item that nothing came for counts as failed."""
        return [self._records.get(item.id) or self._asking.failed(item, "the engine gave no answer") for item in items]

    def append(self, record: R) -> None:
        """Store one answer; it is in the file when this returns. Raises OSError when the disk is full."""
        with self.path.open("a", encoding="utf-8") as sink:
            sink.write(as_line(record))
        self._records[record.id] = record

    def _set_aside_others(self) -> Path | None:
        known = self._header_path.read_text("utf-8") if self._header_path.exists() else ""
        moved = None
        if known != self._header and self.path.exists() and self.path.stat().st_size:
            tag = hashlib.sha256(known.encode() + self.path.read_bytes()).hexdigest()[:8]
            moved = self.path.parent / "superseded" / f"{self.path.stem}-{tag}.jsonl"
            moved.parent.mkdir(exist_ok=True)
            self.path.replace(moved)
        write_text(self._header_path, self._header)
        return moved

    def _read(self) -> dict[str, R]:
        if not self.path.exists():
            return {}
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):  # the last line was torn by an interruption
            with self.path.open("r+b") as file:
                file.truncate(whole)
        records = (self._parse(line) for line in data[:whole].split(b"\n"))
        return {record.id: record for record in records if record}

    def _parse(self, line: bytes) -> R | None:
        try:
            return self._kept.validate_json(line)
        except ValidationError:
            return None


def as_line(record: Record) -> str:
    """The record as a line of JSON; what it has nothing to say about is left out."""
    fields = {name: value for name, value in asdict(record).items() if value is not None}
    return json.dumps(fields, ensure_ascii=False) + "\n"


def write_records(path: Path, records: Iterable[Record]) -> None:
    """A whole file of records at once."""
    write_text(path, "".join(map(as_line, records)))
