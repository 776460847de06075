"""Settings of the service."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from medasst.config import Config
from medasst.models import SystemConfig

Port = Annotated[int, Field(ge=0, le=65535)]


class Limits(Config):
    """What one request may ask for.

    Attributes:
        body_bytes: size of a request's body.
        messages: turns of a conversation.
        message_chars: characters of one turn.
        new_tokens: tokens of one bare reply; a larger `max_tokens` is cut to it.
        waiting: requests that may wait for a free place; one more is told to come back later.
    """

    body_bytes: int = Field(default=256 * 1024, ge=1024)
    messages: int = Field(default=64, ge=1)
    message_chars: int = Field(default=4000, ge=1)
    new_tokens: int = Field(default=512, ge=1)
    waiting: int = Field(default=32, ge=0)


class ServeConfig(Config):
    """One served assistant.

    Attributes:
        host: address to listen on. The service has no login: leave it on this machine unless something guards it.
        port: port to listen on; 0 takes a free one; None tries 8000 and takes a free one where that is busy.
        model: the model that words answers, also reached alone as `medasst-bare`. None: vetted knowledge alone.
        max_concurrent: replies in the making at a time.
        ping_seconds: silence after which a stream sends a comment, so that proxies keep it open.
        limits: what one request may ask for.
    """

    host: str = "127.0.0.1"
    port: Port | None = None
    model: SystemConfig | None = None
    max_concurrent: int = Field(default=4, ge=1)
    ping_seconds: float = Field(default=10.0, gt=0)
    limits: Limits = Limits()
