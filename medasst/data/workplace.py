"""The folder in which a run of `prepare` works: one run at a time, gone with the run, and what a disk refuses told in words."""

from __future__ import annotations

import errno
import os
import platform
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from medasst.errors import DataError, InputError, MedasstError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_NOTES = {"lock", "holder", "inputs.json"}


class Busy(MedasstError):
    """Another run writes to the same folder."""


@contextmanager
def alone(out: Path) -> Iterator[Path]:
    """`<out>.work`, which no other run uses meanwhile. It goes when the block ends well or the input is at fault; what an
    interrupted run has finished stays, for the next to go on from.

    Raises:
        Busy: another run has it; the message says which.
    """
    work = _work(out)
    lock = _locked(work)
    try:
        (work / "holder").write_text(f"process {os.getpid()} on {platform.node()}, since {time.strftime('%Y-%m-%d %H:%M:%S')}")
        yield work
        shutil.rmtree(work)
    except InputError:
        shutil.rmtree(work, ignore_errors=True)
        raise
    finally:
        if work.exists() and not any(path.is_dir() for path in work.iterdir()):
            shutil.rmtree(work, ignore_errors=True)  # interrupted before anything was done
        lock.release()


def discard(out: Path) -> None:
    """Take away what an interrupted run left beside a finished result, unless a run is at work there."""
    if (work := _work(out)).exists():
        try:
            lock = _locked(work)
        except (Busy, OSError):
            return
        shutil.rmtree(work, ignore_errors=True)
        lock.release()


def keep_only(work: Path, folders: set[str]) -> None:
    """Take away what runs with other settings or other files left: nothing would use it."""
    for path in work.iterdir():
        if path.name.removesuffix(".part") not in folders | _NOTES:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _work(out: Path) -> Path:
    return out.with_name(out.name + ".work")


def _locked(work: Path) -> FileLock:
    while True:
        work.mkdir(parents=True, exist_ok=True)
        lock = FileLock(work / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise Busy(f"{work}: another run is at work here ({_holder(work)}); wait for it, or give another --out") from None
        if (work / "lock").exists():
            return lock
        lock.release()  # its last holder took the folder away in the same moment


def _holder(work: Path) -> str:
    try:
        return (work / "holder").read_text("utf-8")
    except OSError:
        return "just begun"


@contextmanager
def in_words(out: Path) -> Iterator[None]:
    """A full disk stays an OSError, which ends a run with work kept; whatever else a disk refuses is the input's fault.

    Raises:
        DataError: a file is gone or may not be read, or the result's folder may not be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL or isinstance(error, MedasstError):
            raise
        place = Path(error.filename) if error.filename else out
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise DataError("no permission to read or write here; give another --out or mend the rights", place) from error
        if error.errno == errno.ENOENT:
            raise DataError("is gone since the run began; put it back or take it out, and run again", place) from error
        if error.errno in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
            raise DataError("a file stands where a folder should; give another --out", place) from error
        raise DataError(f"can't be read or written: {error.strerror or error}", place) from error
