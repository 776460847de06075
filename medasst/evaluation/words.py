"""The words of the report's page, in both languages at once: the page shows the one that its reader chose."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from typing import Any

from markupsafe import Markup, escape

from medasst.disk import package_file
from medasst.evaluation.report import TaskSummary


@cache
def _table() -> Mapping[str, Mapping[str, Any]]:
    return tomllib.loads(package_file("evaluation/report.toml").read_text("utf-8"))


def both(chinese: str, english: str, tag: str = "span") -> Markup:
    """Two texts of which a stylesheet hides one; one text where they are the same."""
    if chinese == english:
        return escape(english)
    return Markup('<{0} lang="zh">{1}</{0}><{0} lang="en">{2}</{0}>').format(Markup(tag), chinese, english)


def say(key: str, tag: str = "span", **values: Any) -> Markup:
    """A text of the table with values put in, which may be in both languages themselves."""
    chinese, english = _table()["words"][key]
    put = [Markup(escape(text)).format(**values) for text in (chinese, english)]
    return both(put[0], put[1], tag)


def metric_word(task: TaskSummary, name: str, tag: str = "span") -> Markup:
    """What a metric is called."""
    return both(_table()["metrics"].get(name, task.metrics[name]), task.metrics[name], tag)


def unit_word(task: TaskSummary) -> Markup:
    """What a task's items are called."""
    return both(_table()["units"].get(task.unit, task.unit), task.unit)


def note_word(task: TaskSummary) -> Markup:
    """What to know about a task's figures."""
    return both(_table()["notes"].get(task.kind) or task.note, task.note)
