"""Archives as systems pack them: .gz, .bz2, .xz, .zip and .tar, also inside each other, as the files they hold."""

from __future__ import annotations

import bz2
import errno
import gzip
import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

DAMAGED = (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError)
_STREAMS: dict[str, Callable[[Path], Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_TARS = (".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz")
PACKED = (*_STREAMS, ".zip", *_TARS)
_DEPTH = 3  # archives inside archives


def told_by_disk(error: Exception) -> bool:
    """Whether the disk refuses (full, gone, no rights), and not the file is damaged, which may send one anywhere (EINVAL)."""
    return getattr(error, "errno", None) not in (None, errno.EINVAL)


class Part(NamedTuple):
    """A file as it is read: as it lies on disk, unpacked, or one of an archive.

    Args:
        name: its place inside the archive, "" for what is no archive.
        suffix: of what is in it, in lower case.
        open: its bytes from the beginning, as often as wanted.
        file: where the same bytes lie as a plain file, if they do.
        problem: why it can't be read: a reason that is counted, and what to do.
    """

    name: str
    suffix: str
    open: Callable[[], IO[bytes]]
    file: Path | None = None
    problem: str = ""

    def path(self, scratch: Path) -> Path:
        """The part as a plain file: tables are read from a place on disk, a packed one is unpacked there, not into memory."""
        return self.file or _unpacked(self.open, scratch)


def is_junk(name: str) -> bool:
    """Whether a file is what systems and office programs leave beside the real ones."""
    base = PurePosixPath(name).name
    return base.startswith((".", "~$")) or "__MACOSX" in name or base in {"Thumbs.db", "desktop.ini"}


def is_archive(name: str) -> bool:
    """Whether a file of that name may hold several."""
    return name.lower().endswith((".zip", *_TARS))


def inner_suffix(name: str) -> str:
    """The suffix of what is in a file of that name, which is no archive."""
    stem = PurePosixPath(name.lower())
    return PurePosixPath(stem.stem).suffix if stem.suffix in _STREAMS else stem.suffix


def parts(path: Path, scratch: Path) -> Iterator[Part]:
    """The file, or the files of an archive in its order. A part that can't be had has a `problem`.

    Raises:
        OSError and others of DAMAGED: the file itself is damaged or gone.
    """
    yield from _parts(path, path.name, "", scratch, 0)


def _parts(path: Path, name: str, inside: str, scratch: Path, depth: int) -> Iterator[Part]:
    if not is_archive(name):
        stream = _STREAMS.get(PurePosixPath(name.lower()).suffix)
        opened = (lambda: stream(path)) if stream else (lambda: path.open("rb"))
        yield Part(inside, inner_suffix(name), opened, None if stream else path)
    elif depth >= _DEPTH:
        yield _problem(inside, f"unreadable: archives inside each other more than {_DEPTH} deep; unpack them")
    else:
        # A zip file is read in place, everything else in the order in which it is packed.
        members = _zipped if name.lower().endswith(".zip") else _tarred
        for member, opened in members(path):
            if not is_junk(member):
                yield from _member(member, f"{inside}/{member}".lstrip("/"), opened, scratch, depth)


def _member(name: str, inside: str, opened: Callable[[], IO[bytes]], scratch: Path, depth: int) -> Iterator[Part]:
    """A member of an archive; what is wrong with it must not cost the others."""
    try:
        if PurePosixPath(name.lower()).suffix in _STREAMS or is_archive(name):
            place = scratch / str(depth)
            place.mkdir(exist_ok=True)
            file = _unpacked(opened, place)
            yield from _parts(file, name, inside, scratch, depth + 1)
        else:
            yield Part(inside, inner_suffix(name), opened)
    except DAMAGED as error:
        if told_by_disk(error):
            raise
        yield _problem(inside, f"unreadable: {error}; pack the file again")


def _problem(name: str, problem: str) -> Part:
    def nothing() -> IO[bytes]:
        raise OSError(problem)

    return Part(name, "", nothing, problem=problem)


def _unpacked(opened: Callable[[], IO[bytes]], folder: Path) -> Path:
    target = folder / "unpacked"
    try:
        with opened() as packed, target.open("wb") as plain:
            shutil.copyfileobj(packed, plain)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):  # the disk for temporary files, which is often another one
            raise OSError(error.errno, error.strerror, str(target)) from error
        raise
    return target


def _zipped(path: Path) -> Iterator[tuple[str, Callable[[], IO[bytes]]]]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                yield _name(info), _opener(archive, info)


def _opener(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], IO[bytes]]:
    def opened() -> IO[bytes]:
        if info.flag_bits & 1:
            raise OSError("encrypted: unpack it with its password and give the files themselves")
        try:
            return archive.open(info)
        except RuntimeError as error:  # packed in a way that isn't known
            raise OSError(str(error)) from error

    return opened


def _name(info: zipfile.ZipInfo) -> str:
    """A member's name; Chinese Windows writes GBK and doesn't say so."""
    if info.flag_bits & 0x800:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("gb18030")
    except UnicodeError:
        return info.filename


def _tarred(path: Path) -> Iterator[tuple[str, Callable[[], IO[bytes]]]]:
    with tarfile.open(path) as archive:
        for info in archive:
            if info.isfile():
                yield info.name, _tar_opener(archive, info)


def _tar_opener(archive: tarfile.TarFile, info: tarfile.TarInfo) -> Callable[[], IO[bytes]]:
    def opened() -> IO[bytes]:
        found = archive.extractfile(info)
        if found is None:
            raise OSError(f"{info.name} is no file")
        return found

    return opened
