"""Long rows of things that needn't stand in memory: on disk, read back one at a time, or as bare numbers."""

from __future__ import annotations

import os
import pickle
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar, get_type_hints, overload

T = TypeVar("T")
_PLACES = "q"


class LazySequence(Sequence[T]):
    """A sequence whose things are made when they are asked for; a slice is a list."""

    def at(self, place: int) -> T:
        """The thing at a place from 0 on."""
        raise NotImplementedError

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        places = range(len(self))[index]
        return self.at(places) if isinstance(places, int) else [self.at(place) for place in places]

    def __iter__(self) -> Iterator[T]:
        return map(self.at, range(len(self)))


class Shelf(LazySequence[T]):
    """Things in a temporary file, which goes with the shelf. Equal things are read back, not the same ones."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - open as long as the shelf is
        self._ends = array(_PLACES, [0])

    def append(self, thing: T) -> None:
        """Put it at the end. Raises OSError when the disk is full."""
        left = memoryview(pickle.dumps(thing, pickle.HIGHEST_PROTOCOL))
        self._ends.append(self._ends[-1] + len(left))
        while left:
            left = left[self._file.write(left) :]

    def at(self, place: int) -> T:
        start, end = self._ends[place], self._ends[place + 1]
        thing: T = pickle.loads(os.pread(self._file.fileno(), end - start, start))
        return thing

    def __len__(self) -> int:
        return len(self._ends) - 1


class Picked(LazySequence[T]):
    """Some things of a row, in an order of their own."""

    def __init__(self, row: Sequence[T], places: Iterable[int]) -> None:
        self._row, self._places = row, array(_PLACES, places)

    def at(self, place: int) -> T:
        return self._row[self._places[place]]

    def __len__(self) -> int:
        return len(self._places)


class Figures(LazySequence[T], Generic[T]):
    """Named tuples of numbers, a column a field: a twentieth of what they take by themselves."""

    def __init__(self, kind: Any) -> None:
        self._kind = kind
        self._columns = [array("d") for _ in kind._fields]

    def append(self, row: T) -> None:
        """Put it at the end."""
        for column, figure in zip(self._columns, row, strict=True):  # type: ignore[call-overload]
            column.append(figure)

    def at(self, place: int) -> T:
        found: T = self._kind._make(column[place] for column in self._columns)
        return found

    def __len__(self) -> int:
        return len(self._columns[0])


def figures(kind: type[T]) -> Figures[T] | list[T]:
    """An empty row for named tuples of this kind: as columns where all fields are floats, else a plain list."""
    return Figures(kind) if set(get_type_hints(kind).values()) == {float} else []
