"""How files are hashed, found in the package, and written: whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parent


def package_file(name: str) -> Path:
    """A file that comes with MedAsst, by its place in the package: `package_file("rulebook/gate.toml")`."""
    return PACKAGE / name


def file_sha256(path: Path) -> str:
    """Of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def written_whole(target: Path, *, resumable: bool = False) -> Iterator[Path]:
    """Yield a place beside `target` for a file or a folder; it takes the name, and the place of what was there, when the block
    ends well. A block that fails leaves what was there before; a resumable one also what it has done, for the next."""
    unfinished = target.with_name(f".{target.name}.unfinished")
    target.parent.mkdir(parents=True, exist_ok=True)
    if not resumable:
        _remove(unfinished)
    try:
        yield unfinished
        if unfinished.is_dir() and target.exists():
            _remove(target)  # a file is replaced in one step, a folder can't be
        unfinished.replace(target)
    finally:
        if not resumable:
            _remove(unfinished)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file whole or not at all."""
    with written_whole(path) as unfinished:
        unfinished.write_text(text, "utf-8")


def write_durably(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, and onto the disk itself: it is there after a power failure, too."""
    with written_whole(path) as unfinished, unfinished.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    folder = os.open(path.parent, os.O_RDONLY)  # its entry, the new name, comes to rest apart from the file
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_json(path: Path, value: Any, *, indent: int = 2) -> None:
    """Write a JSON file whole or not at all. Raises ValueError for NaN and infinities, which JSON doesn't have."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False) + "\n")
