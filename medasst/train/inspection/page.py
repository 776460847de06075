"""An inspection as one page that needs no network."""

from __future__ import annotations

from pathlib import Path

import jinja2

from medasst.disk import package_file, write_text
from medasst.text import visible
from medasst.train.inspection.result import Inspection

_CLIPPED = 500  # characters of a turn that is not learnt


def write_page(found: Inspection, target: Path) -> None:
    """Write it to `target`."""
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["visible"] = visible
    template = environment.from_string(package_file("train/inspection/inspect.html").read_text("utf-8"))
    write_text(target, template.render(found=found, clipped=_CLIPPED))
