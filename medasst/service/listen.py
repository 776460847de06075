"""A port to listen on, and a server with bounds that says when it listens. Knows nothing of what is served."""

from __future__ import annotations

import asyncio
import errno
import functools
import ipaddress
import logging
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from medasst.errors import ConfigError

log = logging.getLogger(__name__)

USUAL_PORT = 8000
_BURST = 16  # connections taken in one step of the loop; as many more may be open for a moment before the bound is kept
_OTHER_FILES = 128  # open files besides connections: the engine's requests, pages, and bursts


@dataclass
class Bounds:
    """What connections may take.

    Attributes:
        connections: open at a time; for one more the longest idle one is closed.
        header_seconds: within which a connection must send the head of a request.
        stop_seconds: what open replies get to end in once the server is told to stop.
    """

    connections: int = 1000
    header_seconds: float = 10.0
    stop_seconds: float = 5.0
    idle: dict[Connection, None] = field(default_factory=dict, repr=False)  # those without a request, longest first
    _said: dict[str, float] = field(default_factory=dict, repr=False)

    def say(self, message: str) -> None:
        """One log line a minute for each message, however often it is called for."""
        now = time.monotonic()
        if now - self._said.get(message, now - 60) >= 60:
            self._said[message] = now
            log.warning("%s", message)


def run(app: ASGIApp, listener: socket.socket, bounds: Bounds, server: Callable[[uvicorn.Config], Server]) -> None:
    """Serve until Ctrl-C or SIGTERM; open replies then have `stop_seconds` to end. Raises KeyboardInterrupt after Ctrl-C.

    Args:
        server: makes the server of its settings.
    """
    if (files := _file_limit()) is not None:
        bounds.connections = max(1, min(bounds.connections, files - _OTHER_FILES))
    config = uvicorn.Config(
        app,
        http=functools.partial(Connection, bounds),  # type: ignore[arg-type]
        ws="none",
        # No access log, and no log settings of uvicorn's own: what is logged is the application's affair.
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        backlog=_BURST,
        timeout_graceful_shutdown=bounds.stop_seconds,  # type: ignore[arg-type]
    )
    server(config).run(sockets=[listener])


def _file_limit() -> int | None:
    """How many files the process may have open; None where the system sets no limit."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if files == resource.RLIM_INFINITY else files


class Server(uvicorn.Server):
    """uvicorn that says when it is listening, and when it stops.

    Args:
        config: uvicorn's.
        ready: called once it listens.
        closing: called when it is told to stop, before open replies are waited for.
        bounds: say what went wrong in the loop in one line.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        ready: Callable[[], None] | None = None,
        closing: Callable[[], None] | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        super().__init__(config)
        self._ready, self._closing, self._bounds = ready, closing, bounds or Bounds()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then tell."""
        asyncio.get_running_loop().set_exception_handler(self._say)
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(256)  # asyncio shortens the queue of the system to what it takes in one step
        if self._ready and not self.should_exit:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Tell, then wait for open replies."""
        if self._closing:
            self._closing()
        await super().shutdown(sockets)

    def _say(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        # The loop's own handler prints a traceback each time, which fills a disk where the system runs out of files.
        self._bounds.say(f"the server met a problem: {context['message']} ({type(context.get('exception')).__name__})")


class Connection(H11Protocol):
    """uvicorn's connection that is closed if it dawdles, or if another one needs its place while it is idle."""

    def __init__(self, bounds: Bounds, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._bounds = bounds
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self._bounds.connections:
            self._bounds.say(f"{self._bounds.connections} connections are open: for each new one an idle one is closed")
            next(iter(self._bounds.idle), self).transport.abort()
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._go_on()
        elif self._timer is None:
            self._wait()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete:
            self._bounds.idle[self] = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._go_on()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._bounds.idle[self] = None
        self._timer = self.loop.call_later(self._bounds.header_seconds, self._close_slow)

    def _go_on(self) -> None:
        self._bounds.idle.pop(self, None)
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _close_slow(self) -> None:
        self._bounds.say(f"connections that send no request within {self._bounds.header_seconds:g} s are closed")
        self.transport.abort()


def open_socket(host: str, port: int | None) -> socket.socket:
    """A bound socket. `port` 0 takes a free port; None the usual one, or a free one where that is busy.

    Raises:
        ConfigError: the port is taken or not allowed, or the host is no address of this machine.
    """
    try:
        return _bind(host, USUAL_PORT if port is None else port)
    except OSError as error:
        if port is None and error.errno == errno.EADDRINUSE:
            return open_socket(host, 0)
        raise ConfigError(_explain(error, host, port)) from error


def _bind(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        # Two sockets may be bound to one port; only listening finds the other one.
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def _explain(error: OSError, host: str, port: int | None) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is in use; give another with --port, or --port 0 for a free one"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"port {port} of {host} needs more rights; give one above 1023 with --port"
    return f"can't listen on {host}: {error.strerror or error}; give an address of this machine with --host"


def address(listener: socket.socket) -> str:
    """The URL under which this machine reaches the service."""
    host, port = listener.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = "127.0.0.1" if listener.family == socket.AF_INET else "::1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(listener: socket.socket) -> bool:
    """Whether only this machine reaches the socket."""
    return ipaddress.ip_address(listener.getsockname()[0]).is_loopback
