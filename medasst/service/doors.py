"""What stands before the app: nothing answers before it is loaded, nor under a name that isn't this machine's."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from medasst.service.wire import ApiError


class Entrance:
    """Answers 503 until it has an app."""

    def __init__(self) -> None:
        self.app: ASGIApp = _loading

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


async def _loading(scope: Scope, receive: Receive, send: Send) -> None:
    refused = ApiError(503, "the model is being loaded: try again shortly", "loading")
    # A browser that came too early looks again by itself.
    await JSONResponse(refused.to_json(), refused.status, {**refused.headers, "refresh": "3"})(scope, receive, send)


class OwnHost:
    """Refuses requests whose `Host` isn't this machine: a page elsewhere may give its own name our address (DNS rebinding).

    Args:
        app: what is guarded.
        names: names under which it may be called, besides localhost and loopback addresses.
    """

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self.app, self._names = app, {name.lower() for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = Headers(scope=scope).get("host") if scope["type"] == "http" else None
        if host is None or self._ours(_name(host)):
            await self.app(scope, receive, send)
            return
        refused = ApiError(421, "this address is not served under that name: add it to `hosts`", "misdirected_request")
        await JSONResponse(refused.to_json(), refused.status)(scope, receive, send)

    def _ours(self, name: str) -> bool:
        if name == "localhost" or name.endswith(".localhost") or name in self._names:
            return True
        try:
            return ipaddress.ip_address(name).is_loopback
        except ValueError:
            return False


def _name(host: str) -> str:
    """The name in a Host header, without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].rstrip(".").lower()
