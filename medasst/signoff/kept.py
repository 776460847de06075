"""Signatures as they are kept: `signed.toml` in the versions of a folder, which `signed = FOLDER` in a serve job names."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from medasst.disk import write_json, write_text, written_whole
from medasst.errors import DataError
from medasst.rulebook.book import NO_SIGNATURES
from medasst.rulebook.signatures import KINDS, PRODUCT, Key, Ledger, Signature
from medasst.rulebook.tables import SIGNED, Folder, read_ledger
from medasst.versions import REPORT, current, named, place, use

_HEADER = (
    "# What pharmacists signed, by kind and key of the row. Written by `medasst rulebook import`; docs/medicines.md#sign-off\n"
)


class Kept(NamedTuple):
    """A version of the signatures; `unchanged`: it was there and in use already."""

    name: str
    folder: Path
    unchanged: bool


def signatures_in(folder: Path) -> Ledger:
    """Those of the version in use; none where the folder holds no version yet."""
    try:
        return read_ledger(Folder(current(folder, NO_SIGNATURES)))
    except DataError:
        return Ledger()


def keep(signatures: Iterable[Signature], folder: Path) -> Kept:
    """Put signatures into a version, named by a hash of them, and that into use. The same again changes nothing."""
    ordered = sorted(signatures, key=_order)
    text = _HEADER + "".join(map(_written, ordered))
    name = hashlib.sha256(text.encode()).hexdigest()[:12]
    version = place(folder, name)
    was_used = signed_version(folder) == name
    if not version.is_dir():
        counts = Counter("refused" if one.refused else "approved" for one in ordered)
        opened = sum(one.checked for one in ordered)
        with written_whole(version) as unfinished:
            unfinished.mkdir()
            write_text(unfinished / SIGNED, text)
            write_json(unfinished / REPORT, {"approved": counts["approved"], "refused": counts["refused"], "checked": opened})
    use(folder, name)
    return Kept(name, version, was_used)


def signed_version(folder: Path) -> str:
    """The name of the version in use, or nothing."""
    try:
        return current(folder, NO_SIGNATURES).name
    except DataError:
        return ""


def differences(folder: Path, before: str, after: str) -> Iterator[str]:
    """What one version has that another hasn't, a line a row: + signed, - no longer, ~ otherwise. Raises DataError."""
    old, new = (read_ledger(Folder(named(folder, name, NO_SIGNATURES).folder)).signatures for name in (before, after))
    for key in sorted(old.keys() | new.keys(), key=_place_order):
        was, now = old.get(key), new.get(key)
        if was == now:
            continue
        mark = "+" if was is None else "-" if now is None else "~"
        told = " → ".join(_told(one) for one in (was, now) if one is not None)
        yield f"{mark} {key[0]}  {key[1]}  {told}"


def _told(one: Signature) -> str:
    decision = "refused" if one.refused else "approved"
    extra = [*(["checked"] if one.checked else []), *([one.note] if one.note else [])]
    return f"{decision} by {one.approved_by} on {one.approved_on}, content {one.content}" + "".join(
        f", {more}" for more in extra
    )


def _order(one: Signature) -> tuple[int, str]:
    return _place_order((one.table, one.key))


def _place_order(key: Key) -> tuple[int, str]:
    return (*KINDS, PRODUCT).index(key[0]), key[1]


def _written(one: Signature) -> str:
    lines = []
    for name, value in one.model_dump(exclude_defaults=True).items():
        # A JSON string is a TOML string, but for the one control character that JSON writes as it is.
        said = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f") if isinstance(value, str | bool) else str(value)
        lines.append(f"{name} = {said}\n")
    return "".join(["\n[[signed]]\n", *lines])
