"""Imports point one way, as docs/architecture.md draws them; heavy packages stay in their files; each package is declared."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import TopologicalSorter
from importlib.metadata import packages_distributions
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "medasst"
FILES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))
ROOMS = {path.split("/")[0].removesuffix(".py") for path in FILES} - {"__init__"}
EVERYTHING = {
    "demo": ROOMS - {"commands", "cli", "__main__"},
    "commands": ROOMS - {"cli", "__main__"},
    "cli": ROOMS - {"__main__"},
    "__main__": {"cli", "__main__"},
}

HEAVY = {"torch", "transformers", "peft", "safetensors"}
HEAVY_FILES = {
    "train/checkpoints.py": {"torch"},
    "train/launch.py": {"torch", "transformers", "peft"},
    "train/loop.py": {"torch", "peft"},
    "train/lora.py": {"torch", "peft"},
    "train/loss.py": {"torch"},
    "train/planning.py": {"torch"},
    "train/simulation.py": {"torch", "transformers"},
    "train/step.py": {"torch", "peft"},
    "models/local.py": {"torch", "transformers", "peft"},
    "weights/adapter.py": {"torch", "peft", "safetensors"},
}
# Which extras of pyproject.toml are there where a file of this place runs; elsewhere none.
EXTRAS = {
    "train/": ("train",),
    "models/local.py": ("train",),
    "weights/adapter.py": ("train",),
    "weights/": ("train", "serve"),  # either is enough
    "models/llama_cpp.py": ("serve",),
    "models/asking.py": ("serve",),
    "models/endpoint.py": ("serve",),
    "models/prompt_logprobs.py": ("serve",),
    "service/": ("serve",),
}


def room_of(file: str) -> str:
    return file.split("/", maxsplit=1)[0].removesuffix(".py")


@cache
def imported(file: Path) -> frozenset[str]:
    """The full name of every module, or of what is taken from one, that a file imports, wherever in it."""

    def names() -> Iterator[str]:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{file}:{node.lineno}: import by full name"
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "import_module":
                yield from (str(arg.value) for arg in node.args if isinstance(arg, ast.Constant))

    return frozenset(names())


def own(file: str) -> set[str]:
    """The files of this package that one of them imports."""
    found = set()
    for name in imported(PACKAGE / file):
        parts = name.split(".")
        if parts[0] != "medasst":
            continue
        places = ["/".join(parts[1:end]) for end in range(len(parts), 0, -1)]
        files = [file for place in places for file in (f"{place}.py", f"{place}/__init__.py".lstrip("/"))]
        found.add(next(file for file in files if file in FILES))
    return found


def third_party(file: Path) -> set[str]:
    tops = {name.split(".")[0] for name in imported(file)}
    return tops - sys.stdlib_module_names - {"medasst", "__future__"}


def drawn() -> dict[str, set[str]]:
    """What each room may import, by the page: `a, b ← c ← d ; e ← f`, arrows transitive. The first names are small tools."""
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    (block,) = re.findall(r"^Imports point one way:\n\n```\n(.+?)```$", page, re.DOTALL | re.MULTILINE)
    allowed: dict[str, set[str]] = {}
    tools: set[str] = set()
    for chain in re.split(r"[;\n]", block.strip()):
        groups = [set(group.replace(" ", "").split(",")) for group in chain.split("←")]
        tools = tools or groups[0]
        for below, above in pairwise(groups):
            for room in above:
                allowed.setdefault(room, set()).update(below)
            for room in below:
                allowed.setdefault(room, set())
    for room in TopologicalSorter(allowed).static_order():
        allowed[room] |= {below for near in allowed[room] for below in allowed[near]}
    return {room: rooms | {room} for room, rooms in allowed.items()} | dict.fromkeys(tools, tools) | EVERYTHING


ALLOWED = drawn()


def test_the_page_draws_every_room_and_no_other() -> None:
    assert set(ALLOWED) == ROOMS - {"samples"}
    assert own("train/loop.py") >= {
        "render/__init__.py",
        "train/batches.py",
        "weights/__init__.py",
    }  # the walk sees what is there
    assert {"conversation", "control"} <= ALLOWED["service"] and not {"data", "train"} & ALLOWED["service"]


@pytest.mark.parametrize("file", FILES)
def test_imports_point_one_way(file: str) -> None:
    if room_of(file) != "__init__":
        rooms = {room_of(target) for target in own(file)} - {"__init__"}
        assert rooms <= ALLOWED[room_of(file)]


def test_no_file_imports_itself_in_a_circle() -> None:
    tuple(TopologicalSorter({file: own(file) for file in FILES}).static_order())


def test_heavy_packages_stay_in_their_files() -> None:
    assert {file: found for file in FILES if (found := third_party(PACKAGE / file) & HEAVY)} == HEAVY_FILES


def distribution(name: str) -> str:
    """As registries compare names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared() -> Mapping[str, set[str]]:
    """What each extra installs by itself; "" is what is always there."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    given = {"": project["dependencies"], **project["optional-dependencies"]}
    return {extra: {distribution(re.split(r"[\s<>=!~;\[]", line)[0]) for line in lines} for extra, lines in given.items()}


def needed(files: list[Path]) -> set[str]:
    found: dict[str, list[str]] = {**packages_distributions()}
    return {distribution(found.get(package, [package])[0]) for file in files for package in third_party(file)}


@pytest.mark.parametrize("file", FILES)
def test_what_a_file_imports_is_declared_where_it_runs(file: str) -> None:
    given = declared()
    extras = next((extras for place, extras in EXTRAS.items() if file.startswith(place)), ("",))
    for extra in extras:
        assert needed([PACKAGE / file]) <= given[""] | given[extra]


def test_what_is_declared_is_imported() -> None:
    given = declared()
    everywhere = needed([PACKAGE / file for file in FILES])
    assert given[""] <= everywhere
    for extra in ("train", "serve"):
        places = tuple(place for place, extras in EXTRAS.items() if extra in extras)
        assert given[extra] <= needed([PACKAGE / file for file in FILES if file.startswith(places)])


def test_what_tests_import_is_declared() -> None:
    files = sorted((ROOT / "tests").rglob("*.py"))
    here = {file.stem for file in (*files, *(ROOT / "benchmarks").glob("*.py"))} | {"tests", "benchmarks"}
    given = declared()
    assert needed(files) - set(map(distribution, here)) <= given[""] | given["train"] | given["serve"] | given["dev"]


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
