"""Imports point one way (docs/architecture.md), and the heavy packages stay in their rooms."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "medasst"
TOOLS = {"disk", "errors", "config", "registry", "progress", "text", "shingles", "search", "conversation", "__init__"}
# What a room may import from, itself and the tools apart.
ALLOWED: dict[str, set[str]] = {
    "control": set(),
    "render": {"control"},
    "weights": {"render"},
    "data": set(),
    "train": {"data", "render", "weights"},
    "models": {"render", "weights"},
    "evaluation": {"data", "models", "render", "weights"},
    "catalogue": {"data"},
    "safety": {"catalogue", "data"},
    "assistant": {"catalogue", "data", "models", "safety"},
    "service": {"assistant", "catalogue", "data", "models", "safety"},
    "demo": {"data", "evaluation", "models", "render", "service", "train", "weights"},
    "cli": {"assistant", "data", "demo", "evaluation", "models", "service", "train", "weights"},
    "__main__": {"cli"},
}
HEAVY = {"torch", "transformers", "peft", "safetensors"}
HEAVY_PLACES = {"train", "models/local.py", "weights"}


def modules() -> list[Path]:
    return sorted(p for p in PACKAGE.rglob("*.py") if "samples" not in p.parts)


def room_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """Every absolute module name that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: import by full name"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_walk_sees_every_room() -> None:
    assert {room_of(p) for p in modules()} - TOOLS == set(ALLOWED)


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    room = room_of(path)
    allowed = TOOLS | {room} | ALLOWED.get(room, set())
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "medasst" and len(parts) > 1:
            target = parts[1] if (PACKAGE / parts[1]).is_dir() or (PACKAGE / f"{parts[1]}.py").exists() else "__init__"
            assert target in allowed, f"{room} imports {name}"


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_heavy_packages_stay_in_their_rooms(path: Path) -> None:
    place = str(path.relative_to(PACKAGE))
    if room_of(path) in HEAVY_PLACES or place in HEAVY_PLACES:
        return
    assert not HEAVY & {name.split(".")[0] for name in imported(path)}


BLOCKED = """
import importlib, importlib.abc, sys

class Block(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {heavy!r}:
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Block())
for room in {rooms!r}:
    importlib.import_module("medasst." + room)
"""


def test_every_room_loads_without_torch() -> None:
    """In a process of its own, where the heavy packages can't be imported."""
    code = BLOCKED.format(heavy=sorted(HEAVY), rooms=sorted(ALLOWED.keys() - {"__main__"}))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
