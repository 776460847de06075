"""One system's answers to one task on disk: appended as they arrive, taken up again after an interruption.

`<task>.jsonl` holds a record per line, `<task>.header.json` what the records depend on: the system, the decoding, the
protocol. A file with another header is never mixed with: it moves to `superseded/`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medasst.evaluation.tasks import Item

Record = dict[str, Any]


class PredictionFile:
    """Answers so far, by item id; `append` adds one, on disk at once.

    Args:
        folder: `predictions/<system>`.
        task: the task's name.
        header: JSON of all that answers depend on but the items themselves.
    """

    def __init__(self, folder: Path, task: str, header: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{task}.jsonl"
        self._header_path = folder / f"{task}.header.json"
        self._header = json.dumps(header, ensure_ascii=False, sort_keys=True, indent=1) + "\n"
        self.superseded = self._set_aside_others()
        self._records = self._read()

    def usable(self, items: Sequence[Item]) -> dict[str, Record]:
        """The stored answers to these very items; those that failed, or were asked otherwise, are to be asked again."""
        return {
            item.id: record
            for item in items
            if (record := self._records.get(item.id))
            and record.get("finish_reason") != "error"
            and all(record.get(key) == value for key, value in asked(item).items())
        }

    def final(self, items: Sequence[Item]) -> list[Record]:
        """One record an item, in the items' order; an item that nothing came for counts as failed."""
        return [self._records.get(item.id) or failed(item, "the engine gave no answer") for item in items]

    def append(self, record: Record) -> None:
        """Store one answer; it is in the file when this returns. Raises OSError when the disk is full."""
        with self.path.open("a", encoding="utf-8") as sink:
            sink.write(json.dumps(record, ensure_ascii=False) + "\n")
        self._records[record["id"]] = record

    def _set_aside_others(self) -> Path | None:
        known = self._header_path.read_text("utf-8") if self._header_path.exists() else ""
        moved = None
        if known != self._header and self.path.exists() and self.path.stat().st_size:
            tag = hashlib.sha256(known.encode() + self.path.read_bytes()).hexdigest()[:8]
            moved = self.path.parent / "superseded" / f"{self.path.stem}-{tag}.jsonl"
            moved.parent.mkdir(exist_ok=True)
            self.path.replace(moved)
        self._header_path.write_text(self._header, "utf-8")
        return moved

    def _read(self) -> dict[str, Record]:
        if not self.path.exists():
            return {}
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):  # the last line was torn by an interruption
            with self.path.open("r+b") as file:
                file.truncate(whole)
        records = (_parse(line) for line in data[:whole].split(b"\n"))
        return {record["id"]: record for record in records if record}


def asked(item: Item) -> Record:
    """The fields of a record that come from its item."""
    record: Record = {"id": item.id, "source": item.source, "prompt": item.prompt, "label": item.label}
    return record | ({"options": list(item.options)} if item.options else {})


def failed(item: Item, why: str) -> Record:
    """The record of an item without an answer."""
    return asked(item) | {"predict": "", "finish_reason": "error", "error": why}


def _parse(line: bytes) -> Record | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and isinstance(record.get("id"), str) else None
