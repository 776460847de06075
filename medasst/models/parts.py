"""What both local engines do first: find the base, check the adapter, read the tokenizer."""

from __future__ import annotations

from typing import NamedTuple

from medasst.errors import ConfigError
from medasst.models.config import SystemConfig
from medasst.progress import Progress, silent
from medasst.render import Renderer
from medasst.weights import AdapterInfo, Base, check_adapter, check_rendering, find_base


class EngineParts(NamedTuple):
    """A base at hand, an adapter that fits it, and their renderer."""

    base: Base
    adapter: AdapterInfo | None
    renderer: Renderer


def engine_parts(config: SystemConfig, progress: Progress = silent) -> EngineParts:
    """Find what a system is made of. With template "auto" an adapter's conversations are rendered as in its training."""
    if not config.base:
        raise ConfigError(f"engine {config.engine!r} needs a base, e.g. base = 'embedded'")
    base = find_base(config.base, progress, weights=config.engine == "transformers")
    adapter = check_adapter(config.adapter, base) if config.adapter else None
    template = adapter.template if adapter and config.template == "auto" else config.template
    renderer = Renderer.from_folder(base.folder, template)
    if adapter:
        check_rendering(adapter, renderer)
    return EngineParts(base, adapter, renderer)
