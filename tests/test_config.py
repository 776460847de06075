"""Settings: typed, overridable, and clear about what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field

from medasst.config import Config, FilePath, Pattern, load, load_defaults
from medasst.errors import ConfigError


class Inner(Config):
    rank: int = 8


class Item(Config):
    name: str
    weight: float = 1.0


class Job(Config):
    data: FilePath
    files: Pattern = "*.gz"
    steps: int = Field(10, ge=1)
    inner: Inner = Inner()
    items: tuple[Item, ...] = ()


TEXT = """\
data = "../set"
steps = 3
[inner]
rank = 4
[[items]]
name = "a"
[[items]]
name = "b"
weight = 2
"""


def write(folder: Path, text: str = TEXT) -> Path:
    (folder / "jobs").mkdir(exist_ok=True)
    file = folder / "jobs" / "job.toml"
    file.write_text(text, "utf-8")
    return file


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    job = load(Job, write(tmp_path))
    assert job.data == tmp_path / "set"
    assert job.inner.rank == 4 and [i.weight for i in job.items] == [1.0, 2.0]


def test_variables_expand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_DATA", "/elsewhere")
    job = load(Job, write(tmp_path, 'data = "${SOME_DATA}/x"\nfiles = "${SOME_DATA}/*.gz"'))
    assert (job.data, job.files) == (Path("/elsewhere/x"), "/elsewhere/*.gz")
    monkeypatch.delenv("SOME_DATA")
    with pytest.raises(ConfigError, match="SOME_DATA is not set"):
        load(Job, write(tmp_path, 'data = "${SOME_DATA}/x"'))


def test_overrides(tmp_path: Path) -> None:
    job = load(Job, write(tmp_path), ["steps=7", "inner.rank=2", "items.1.name=c", "data=/other"])
    assert (job.steps, job.inner.rank, job.items[1].name, job.data) == (7, 2, "c", Path("/other"))
    assert load_defaults(Job, ["data=/x"]).steps == 10


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('data = "x"\nstep = 3', r"job\.toml:2: unknown key 'step'; did you mean 'steps'\?"),
        ('data = "x"\n[inner]\nrang = 3', r"job\.toml:3: unknown key 'inner\.rang'; did you mean 'rank'\?"),
        ('data = "x"\n[[items]]\nname = "a"\nwieght = 3', r"unknown key 'items\.0\.wieght'; did you mean 'weight'\?"),
        ("steps = 3", r"the key 'data' is missing"),
        ('data = "x"\nsteps = 0', r"job\.toml:2: steps: .*greater than or equal to 1 \(got 0\)"),
        ('data = "x"\nsteps = "many"', r"job\.toml:2: steps: .*valid integer"),
        ("data = ", r"job\.toml: not valid TOML"),
    ],
)
def test_bad_settings_are_named_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(Job, write(tmp_path, text))


@pytest.mark.parametrize(
    ("override", "message"),
    [("steps", "key=value"), ("items.5.name=x", "below 2"), ("steps.x=1", "has no keys"), ("inner.rang=1", "did you mean")],
)
def test_bad_overrides_are_named(tmp_path: Path, override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(Job, write(tmp_path), [override])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no such file; .*configs/"):
        load(Job, tmp_path / "nowhere.toml")
