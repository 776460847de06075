"""From settings to a listening server."""

from __future__ import annotations

import gc
import logging
import sys
import threading
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from medasst.assistant.reply import Assistant
from medasst.errors import ConfigError
from medasst.models import ChatModel, open_model
from medasst.models.places import Placed, Places
from medasst.progress import Progress, silent
from medasst.rulebook import Rulebook
from medasst.safety.check import Checker
from medasst.service.app import create_app
from medasst.service.config import ServeConfig
from medasst.service.doors import Entrance, OwnHost
from medasst.service.listen import Bounds, Server, address, is_loopback, open_socket, run
from medasst.service.production import check_production

log = logging.getLogger(__name__)

Licensed = Callable[[ServeConfig], None]
BARE = "medasst-bare"
_SWITCH_SECONDS = 0.001  # the event loop waits at most so long for a thread that reads a conversation


def unlicensed(config: ServeConfig) -> None:
    """Raises ConfigError where the model is to answer in its own words: nobody here looks at licences."""
    if config.speech == "answers":
        raise ConfigError('speech = "answers" needs a licence: start it by medasst serve or medasst chat, which look at it')


def serve(
    config: ServeConfig,
    progress: Progress = silent,
    ready: Callable[[str], None] | None = None,
    licensed: Licensed = unlicensed,
) -> None:
    """Open the model, build the assistant and serve both until Ctrl-C. Until the model is there, answers are 503.

    Args:
        config: what to serve, and where.
        progress: told what loading is at.
        ready: told the address of the chat page once it answers.
        licensed: raises ConfigError where the model is to answer in its own words and may not.

    Raises:
        ConfigError: the port is taken, or the address is not one of this machine.
        ModelError: no such base, or an adapter for another one.
        KeyboardInterrupt: after Ctrl-C, once open replies were given time to end.
    """
    # Before the model is loaded: a busy port should not cost a minute.
    with open_socket(config.host, config.port) as listener:
        service = _Service(config, progress, (lambda: ready(address(listener))) if ready else None, licensed)
        app: ASGIApp = service.entrance
        if is_loopback(listener):
            app = OwnHost(app, {config.host, *config.hosts})
        else:
            log.warning("listening beyond this machine (%s): the service has no login", config.host)
        limits = config.limits
        bounds = Bounds(limits.connections, limits.header_seconds, config.stop_seconds)
        run(app, listener, bounds, lambda settings: service.server(settings, bounds))
    if service.failure:
        raise service.failure


class _Service:
    """Loads beside the listening server, then lets requests in."""

    def __init__(self, config: ServeConfig, progress: Progress, ready: Callable[[], None] | None, licensed: Licensed) -> None:
        self.entrance = Entrance()
        self._config, self._progress, self._ready, self._licensed = config, progress, ready, licensed
        self._places = Places(config.places.guarded)
        self._closing: list[Callable[[], None]] = [self._places.close]
        self.failure: BaseException | None = None

    def server(self, settings: uvicorn.Config, bounds: Bounds) -> Server:
        """A server that begins to load once it listens."""

        def load() -> None:
            try:
                self._load()
            except BaseException as error:
                self.failure, server.should_exit = error, True

        # A daemon: Ctrl-C need not wait until a download is through.
        loading = threading.Thread(target=load, name="loading", daemon=True)
        server = Server(settings, loading.start, self._close, bounds)
        return server

    def _load(self) -> None:
        self._licensed(self._config)
        book = open_rulebook(self._config)  # before the model: a slip in a table should not cost a minute
        model = _open_model(self._config, self._config.slots, self._progress)
        placed = Placed(model, self._places) if model else None
        assistant = _assistant(self._config, placed, book)
        checker = Checker(assistant.rules.person_checks)
        app = create_app(assistant, {BARE: model} if model else {}, self._config, checker)
        self._closing.append(app.state.desk.close)
        sys.setswitchinterval(_SWITCH_SECONDS)
        gc.collect()
        gc.freeze()  # what is loaded stays: later collections need not walk through it
        self.entrance.app = app
        if self._ready:
            self._ready()

    def _close(self) -> None:
        for close in self._closing:
            close()


def open_assistant(config: ServeConfig, progress: Progress = silent, licensed: Licensed = unlicensed) -> Assistant:
    """The guarded assistant for one shopper.

    Raises:
        ConfigError: see `open_rulebook`, or what `licensed` raises.
        ModelError: no such base, or an adapter for another one.
    """
    licensed(config)
    book = open_rulebook(config)
    return _assistant(config, _open_model(config, 1, progress), book)


def _assistant(config: ServeConfig, model: ChatModel | None, book: Rulebook) -> Assistant:
    assistant = Assistant.from_samples(
        model, book=book, products=config.catalogue, shop=config.shop, speech=config.speech, reads=config.reads
    )
    assistant.patience = config.patience
    return assistant


def open_rulebook(config: ServeConfig) -> Rulebook:
    """The rules to serve by; what an overlay loosens is said.

    Raises:
        ConfigError: a table isn't as it should be, or production is asked for and something isn't fit for it.
    """
    book = Rulebook.load(config.rulebook, config.overlay, config.signed)
    for loosened in book.loosened:
        log.warning("the overlay loosens a rule: %s", loosened)
    if config.production:
        check_production(config, book)
    return book


def _open_model(config: ServeConfig, slots: int, progress: Progress) -> ChatModel | None:
    """The settings' model with as many slots as are used at a time: more of them cost memory and speed."""
    if config.model is None:
        return None
    return open_model(config.model.model_copy(update={"parallel": config.model.parallel or slots}), progress)
