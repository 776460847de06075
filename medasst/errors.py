"""What can go wrong, as one small tree. The command line and the service each turn it into words in one place.

    MedasstError            one message for a person, no traceback; exit code 1
    ├── InputError          what the user gave can't be used; exit code 2
    │   ├── ConfigError     a setting: missing, misspelt, out of range
    │   ├── DataError       a data file: names file and line
    │   └── ModelError      a base, adapter or engine that doesn't exist or doesn't fit
    │       ├── UnsupportedError   an engine can't do what is asked of it, for no item
    │       └── Refused     one conversation can't be rendered; others may
    ├── DependencyError     an optional package is not installed; names the extra
    └── Stopped             Ctrl-C: work so far is kept, the message says how to go on; exit code 130

Every message says what is wrong and what to do about it.
"""

from __future__ import annotations

from pathlib import Path


class MedasstError(Exception):
    """A failure whose message is meant for a person."""

    exit_code = 1


class InputError(MedasstError, ValueError):
    """What the user gave can't be used."""

    exit_code = 2


class ConfigError(InputError):
    """A setting is missing, misspelt or out of range."""


class DataError(InputError):
    """A data file can't be used.

    Args:
        message: what is wrong and what to do.
        file: the file it was found in.
        line: its 1-based line, where there is one.
    """

    def __init__(self, message: str, file: Path | str | None = None, line: int | None = None) -> None:
        place = f"{file}:{line}: " if line is not None else f"{file}: " if file is not None else ""
        super().__init__(place + message)
        self.file, self.line = file, line


class ModelError(InputError):
    """A base, adapter or engine doesn't exist or doesn't fit."""


class UnsupportedError(ModelError):
    """An engine can't do what is asked of it, whatever the item."""


class Refused(ModelError):
    """One conversation can't be rendered; others may. The message doesn't name it, so that equal ones can be counted.

    Args:
        reason: why, and what to do.
        by_template: whether the chat template is what refuses it.
    """

    def __init__(self, reason: str, *, by_template: bool = False) -> None:
        super().__init__(reason)
        self.by_template = by_template


class DependencyError(MedasstError, ImportError):
    """An optional package is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed. Install it with: pip install 'medasst[{extra}]'")


class Stopped(MedasstError):
    """Ctrl-C reached long work; what is finished is kept."""

    exit_code = 130
