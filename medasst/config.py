"""Job settings: one frozen pydantic model per job, one TOML file per job.

A misspelt key is an error that names the nearest real one; relative paths are relative to the file; `${VAR}` expands;
`--set a.b=value` overrides any key.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, ValidationInfo

from medasst.errors import ConfigError
from medasst.registry import did_you_mean

_VARIABLE = re.compile(r"\$\{(\w+)\}")


class Config(BaseModel):
    """Base of every job's settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())


def _resolve(value: object, info: ValidationInfo) -> object:
    root = (info.context or {}).get("root")
    if isinstance(value, str) and root is not None and not Path(value).is_absolute():
        return str(Path(os.path.normpath(root / value)))
    return value


# Paths in a file are relative to that file. A pattern may hold * and **; a place may also be a hub id.
FilePath = Annotated[Path, BeforeValidator(_resolve)]
Pattern = Annotated[str, BeforeValidator(_resolve)]

C = TypeVar("C", bound=Config)


def load(kind: type[C], path: Path | str, overrides: Sequence[str] = ()) -> C:
    """Read a job's settings.

    Args:
        kind: the job's settings class.
        path: its TOML file.
        overrides: `a.b=value` each; the value is read as TOML, or else as text.

    Raises:
        ConfigError: no such file, not TOML, an unknown or missing key, a value out of range, an unset variable.
    """
    path = Path(path)
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; give the path of a TOML job file (examples are in configs/)") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: can't be read: {error}") from error
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error
    for override in overrides:
        _apply(data, override)
    return parse(kind, data, root=path.resolve().parent, name=str(path), text=text)


def load_defaults(kind: type[C], overrides: Sequence[str] = ()) -> C:
    """The defaults of a job whose file may be left out, with `overrides`; relative paths are relative to the working folder."""
    data: dict[str, Any] = {}
    for override in overrides:
        _apply(data, override)
    return parse(kind, data, root=Path.cwd(), name="--set")


def parse(kind: type[C], data: Mapping[str, Any], *, root: Path | None = None, name: str = "settings", text: str = "") -> C:
    """Settings from a mapping: what `load` does after reading. `text` serves to name lines."""
    try:
        return kind.model_validate(_expand(data, name), context={"root": root})
    except ValidationError as error:
        problems = _without_echoes(kind, error.errors())
        raise ConfigError("\n".join(dict.fromkeys(_explain(kind, problem, name, text) for problem in problems))) from None


def _without_echoes(kind: type[BaseModel], problems: Sequence[Any]) -> list[Any]:
    """The problems without those that are another's echo: a misspelt key leaves the right one missing, its table invalid."""
    misspelt = {
        (*loc[:-1], meant)
        for problem in problems
        if problem["type"] == "extra_forbidden" and (loc := problem["loc"])
        for meant in get_close_matches(str(loc[-1]), _fields_at(kind, loc[:-1]), n=1)
    }
    places = [problem["loc"] for problem in problems]
    return [
        problem
        for problem in problems
        if not (problem["type"] == "missing" and problem["loc"] in misspelt)
        and not any(len(place) > len(problem["loc"]) and place[: len(problem["loc"])] == problem["loc"] for place in places)
    ]


def _expand(value: Any, name: str) -> Any:
    if isinstance(value, str):

        def lookup(match: re.Match[str]) -> str:
            if match[1] not in os.environ:
                raise ConfigError(f"{name}: the environment variable {match[1]} is not set; set it or replace ${{{match[1]}}}")
            return os.environ[match[1]]

        return _VARIABLE.sub(lookup, value)
    if isinstance(value, Mapping):
        return {k: _expand(v, name) for k, v in value.items()}
    if isinstance(value, list):
        return [_expand(v, name) for v in value]
    return value


def _apply(data: dict[str, Any], override: str) -> None:
    key, eq, raw = override.partition("=")
    if not eq or not key.strip():
        raise ConfigError(f"--set {override}: write it as key=value, e.g. --set lora.r=8")
    try:
        value = tomllib.loads(f"v = {raw}")["v"]
    except tomllib.TOMLDecodeError:
        value = raw
    place: Any = data
    *path, last = key.strip().split(".")
    for part in path:
        place = _step(place, part, override)
    if isinstance(place, list):
        place[_index(place, last, override)] = value
    else:
        place[last] = value


def _step(place: Any, part: str, override: str) -> Any:
    if isinstance(place, list):
        return place[_index(place, part, override)]
    inner = place.setdefault(part, {})
    if not isinstance(inner, dict | list):
        raise ConfigError(f"--set {override}: {part} is a value, it has no keys inside")
    return inner


def _index(place: list[Any], part: str, override: str) -> int:
    if not part.isdigit() or int(part) >= len(place):
        raise ConfigError(f"--set {override}: {part!r} must be a number below {len(place)}")
    return int(part)


def _explain(kind: type[BaseModel], problem: Any, name: str, text: str) -> str:
    loc = problem["loc"]
    key = ".".join(map(str, loc))
    place = f"{name}:{line}" if (line := _line_of(text, loc)) else name
    if problem["type"] == "extra_forbidden":
        return f"{place}: unknown key {key!r}{did_you_mean(str(loc[-1]), _fields_at(kind, loc[:-1]))}"
    if problem["type"] == "missing":
        return f"{place}: the key {key!r} is missing; add it"
    message = problem["msg"].removeprefix("Value error, ")
    got = "" if isinstance(problem["input"], Mapping) else f" (got {problem['input']!r})"
    return f"{place}: {f'{key}: ' if key else ''}{message}{got}"


def _line_of(text: str, loc: Sequence[str | int]) -> int | None:
    """The line of the last named key; tomllib keeps no places, so it is searched for: a hint, within the named table."""
    key = next((str(part) for part in reversed(loc) if isinstance(part, str)), None)
    if key is None or not text:
        return None
    index = next((part for part in loc if isinstance(part, int)), 0)
    found = [n for n, row in enumerate(text.splitlines(), 1) if re.match(rf"\s*{re.escape(key)}\s*=", row)]
    return found[min(index, len(found) - 1)] if found else None


def _fields_at(kind: Any, loc: Sequence[str | int]) -> list[str]:
    """The real keys of the table at `loc`."""
    for part in loc:
        if isinstance(part, str) and isinstance(kind, type) and issubclass(kind, BaseModel) and part in kind.model_fields:
            kind = kind.model_fields[part].annotation
        kind = _model_in(kind)
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return []
    return list(dict.fromkeys(name for each in (kind, *kind.__subclasses__()) for name in each.model_fields))


def _model_in(kind: Any) -> Any:
    """The settings class inside an annotation such as tuple[X, ...] or X | None."""
    if get_origin(kind) is None:
        return kind
    inner = [_model_in(arg) for arg in get_args(kind)]
    return next((k for k in inner if isinstance(k, type) and issubclass(k, BaseModel)), kind)
