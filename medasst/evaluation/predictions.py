"""One system's answers to one task on disk: appended as they arrive, taken up again after an interruption.

`<task>.jsonl` holds a record per line, `<task>.header.json` what the records depend on: the system, the decoding, the
protocol. A file with another header is never mixed with: it moves to `superseded/`.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Generic

from pydantic import TypeAdapter, ValidationError

from medasst.disk import file_sha256, write_text, written_whole
from medasst.evaluation.shelf import LazySequence, Picked
from medasst.evaluation.task import I, R, Record, Task

_NOWHERE = -1


class PredictionFile(Generic[I, R]):
    """Answers so far, by item id; `append` adds one, on disk at once. In memory is only where each one stands.

    Args:
        folder: `predictions/<system>`.
        task: what is asked.
        header: JSON of all that answers depend on but the items themselves.

    Attributes:
        superseded: where answers under another header went.
        unreadable: lines of the file that hold no record; their items are asked again.
    """

    def __init__(self, folder: Path, task: Task[I, R, Any], header: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{task.name}.jsonl"
        self._asking = task.asking
        self._kept = TypeAdapter(task.asking.record)
        self._header_path = folder / f"{task.name}.header.json"
        self._header = json.dumps(header, ensure_ascii=False, sort_keys=True, indent=1) + "\n"
        self.superseded = self._set_aside_others()
        self.unreadable = 0
        self._places: dict[str, int] = {}
        self._size = self._read()

    def missing(self, items: Sequence[I]) -> Sequence[I]:
        """The items that have no stored answer, or one that failed, or to something else under their id."""
        return Picked(items, (place for place, item in enumerate(items) if not self._usable(item)))

    def final(self, items: Sequence[I]) -> Sequence[R]:
        """One record an item, in the items' order; an item that nothing came for counts as failed."""
        return _Final(self, items)

    def append(self, record: R) -> None:
        """Store one answer; it is in the file when this returns. Raises OSError when the disk is full."""
        line = as_line(record).encode()
        with self.path.open("ab") as sink:
            sink.write(line)
        self._places[record.id] = self._size
        self._size += len(line)

    def place(self, item: I) -> int:
        """Where the answer to this very item begins; below 0 where there is none."""
        place = self._places.get(item.id, _NOWHERE)
        return place if place != _NOWHERE and self.at(place).answers(item) else _NOWHERE

    def at(self, place: int) -> R:
        """The record that begins there."""
        with self.path.open("rb") as file:
            file.seek(place)
            return self._kept.validate_json(file.readline())

    def _usable(self, item: I) -> bool:
        place = self._places.get(item.id, _NOWHERE)
        return place != _NOWHERE and (found := self.at(place)).answers(item) and found.finish_reason != "error"

    def failed(self, item: I) -> R:
        """The record of an item that nothing came for."""
        return self._asking.failed(item, "the engine gave no answer")

    def _set_aside_others(self) -> Path | None:
        known = self._header_path.read_text("utf-8") if self._header_path.exists() else ""
        moved = None
        if known != self._header and self.path.exists() and self.path.stat().st_size:
            tag = hashlib.sha256(f"{known}{file_sha256(self.path)}".encode()).hexdigest()[:8]
            moved = self.path.parent / "superseded" / f"{self.path.stem}-{tag}.jsonl"
            moved.parent.mkdir(exist_ok=True)
            self.path.replace(moved)
        write_text(self._header_path, self._header)
        return moved

    def _read(self) -> int:
        """Find the records, of one id the last; return the file's size."""
        if not self.path.exists():
            return 0
        end = 0
        with self.path.open("r+b") as file:
            for line in file:
                if not line.endswith(b"\n"):  # torn by an interruption
                    file.truncate(end)
                    break
                try:
                    self._places[self._kept.validate_json(line).id] = end
                except ValidationError:
                    self.unreadable += 1
                end += len(line)
        return end


class _Final(LazySequence[R], Generic[I, R]):
    def __init__(self, file: PredictionFile[I, R], items: Sequence[I]) -> None:
        self._file, self._items = file, items
        self._places = array("q", map(file.place, items))

    def at(self, place: int) -> R:
        found = self._places[place]
        return self._file.failed(self._items[place]) if found == _NOWHERE else self._file.at(found)

    def __len__(self) -> int:
        return len(self._places)


def as_line(record: Record) -> str:
    """The record as a line of JSON; what it has nothing to say about is left out."""
    fields = {name: value for name, value in asdict(record).items() if value is not None}
    return json.dumps(fields, ensure_ascii=False) + "\n"


def write_records(path: Path, records: Iterable[Record]) -> None:
    """A whole file of records at once."""
    with written_whole(path) as unfinished, unfinished.open("w", encoding="utf-8") as sink:
        sink.writelines(map(as_line, records))
