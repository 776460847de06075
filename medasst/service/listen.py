"""A port to listen on, and a server that says when it does. Knows nothing of what is served."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from medasst.errors import ConfigError

USUAL_PORT = 8000


def run(app: ASGIApp, listener: socket.socket, ready: Callable[[], None] | None = None) -> None:
    """Serve until Ctrl-C; open replies then have three seconds to end. Raises KeyboardInterrupt after Ctrl-C."""
    # No access log, and no log settings of uvicorn's own: what is logged is the application's affair.
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, lifespan="off", timeout_graceful_shutdown=3
    )
    Server(config, ready).run(sockets=[listener])


class Server(uvicorn.Server):
    """uvicorn that says when it is listening."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None] | None = None) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then tell."""
        await super().startup(sockets)
        if self._ready and not self.should_exit:
            self._ready()


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
