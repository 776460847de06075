"""The cache folder, and how something large comes to rest in it: whole or not at all, once."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from medasst.disk import written_whole
from medasst.errors import MedasstError


def cache_dir() -> Path:
    """`$MEDASST_CACHE`, by default `~/.cache/medasst`."""
    return Path(os.environ.get("MEDASST_CACHE") or Path.home() / ".cache" / "medasst")


@contextmanager
def building(target: Path, size: int = 0, *, resumable: bool = False) -> Iterator[Path | None]:
    """Yield an empty folder to fill; it becomes `target` when the block ends well. None where `target` already exists.

    An interrupted block leaves nothing, but for one that is resumable: it finds what it has left. A second process waits for
    the first.

    Args:
        size: bytes that the block will write; checked against the free space first.
        resumable: the folder isn't empty after an interruption, and the block goes on.

    Raises:
        MedasstError: not enough disk space, or the place can't be written.
    """
    if target.exists():
        yield None
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(target.with_name(f".{target.name}.lock"))
        lock.acquire()
    except OSError as error:
        raise MedasstError(f"{target.parent}: can't be written ({error}); set MEDASST_CACHE to a folder of yours") from error
    try:
        if target.exists():
            yield None
            return
        check_space(target.parent, size)
        with written_whole(target, resumable=resumable) as unfinished:
            unfinished.mkdir(exist_ok=resumable)
            yield unfinished
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise no_space(target.parent, size) from error
        raise
    finally:
        lock.release()


def check_space(folder: Path, size: int) -> None:
    """Raises MedasstError when `folder` has no room for `size` bytes."""
    if shutil.disk_usage(folder).free < size:
        raise no_space(folder, size)


def no_space(folder: Path, size: int) -> MedasstError:
    """The error that says so."""
    free = shutil.disk_usage(folder).free
    return MedasstError(
        f"{folder}: not enough disk space: {size / 1e9:.1f} GB are needed, {free / 1e9:.1f} GB are free; "
        "make room, or set MEDASST_CACHE to a folder on a larger disk"
    )
