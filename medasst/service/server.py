"""From settings to a listening server."""

from __future__ import annotations

import logging
from collections.abc import Callable

from medasst.assistant.reply import Assistant
from medasst.models import open_model
from medasst.service.app import create_app
from medasst.service.config import ServeConfig
from medasst.service.listen import address, is_loopback, open_socket, run

log = logging.getLogger(__name__)

BARE = "medasst-bare"


def serve(
    config: ServeConfig, progress: Callable[[str], None] | None = None, ready: Callable[[str], None] | None = None
) -> None:
    """Open the model, build the assistant and serve both until Ctrl-C.

    Args:
        config: what to serve, and where.
        progress: told what loading is at.
        ready: told the address of the chat page once it answers.

    Raises:
        ConfigError: the port is taken, or the address is not one of this machine.
        ModelError: no such base, or an adapter for another one.
        KeyboardInterrupt: after Ctrl-C, once open replies were given three seconds to end.
    """
    # Before the model is loaded: a busy port should not cost a minute.
    with open_socket(config.host, config.port) as listener:
        if not is_loopback(listener):
            log.warning("listening beyond this machine (%s): the service has no login", config.host)
        assistant = open_assistant(config, progress)
        app = create_app(assistant, {BARE: assistant.model} if assistant.model else {}, config)
        run(app, listener, (lambda: ready(address(listener))) if ready else None)


def open_assistant(config: ServeConfig, progress: Callable[[str], None] | None = None) -> Assistant:
    """The guarded assistant over the settings' model. Raises ModelError: no such base, or an adapter for another one."""
    return Assistant.from_samples(open_model(config.model, progress) if config.model else None)
