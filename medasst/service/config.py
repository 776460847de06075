"""Settings of the service."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from medasst.config import Config, FilePath
from medasst.models import Speech, SystemConfig

Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0)]
Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]


class Limits(Config):
    """What one request, and all of them together, may ask for.

    Attributes:
        body_bytes: size of a request's body.
        turns: the newest turns of the shopper, which the rules read; what is older is left out.
        chars: characters of those turns in all.
        message_chars: characters of one turn. A longer last turn is refused, an earlier one is left out.
        prompt_chars: characters of the newest turns that a bare model is given.
        new_tokens: tokens of one bare reply; a larger `max_tokens` is cut to it.
        waiting: requests to a bare model that may wait for a place; one more is told to come back later.
        connections: open at a time, less where the system allows fewer files; for one more the longest idle one is closed.
        header_seconds: within which a connection must send the head of a request.
        body_seconds: within which the body must follow.
    """

    body_bytes: int = Field(default=7 * 1024 * 1024, ge=1024)
    turns: int = Field(default=1000, ge=1)
    chars: int = Field(default=400_000, ge=1)
    message_chars: int = Field(default=4000, ge=1)
    prompt_chars: int = Field(default=8000, ge=1)
    new_tokens: int = Field(default=512, ge=1)
    waiting: int = Field(default=32, ge=0)
    connections: int = Field(default=1000, ge=1)
    header_seconds: Seconds = 10.0
    body_seconds: Seconds = 30.0


class PlaceCounts(Config):
    """Answers that the model works on at a time. What needs no model needs no place.

    Attributes:
        guarded: of the guarded assistant; where all are taken, a reply leaves without the model's words.
        bare: of the bare model; where all are taken, requests wait in line.
    """

    guarded: int = Field(default=2, ge=1)
    bare: int = Field(default=2, ge=1)


class LicenceConfig(Config):
    """What shows that a model may answer in its own words (docs/assistant.md#the-models-part).

    Attributes:
        report: the folder that `medasst evaluate` wrote: this model alone, played on the suite.
        suite: the sealed suite, vignettes that neither the model's data nor its maker has seen.
        suite_sha256: of that file, as whoever sealed it gave it.
        data: the prepared set that the adapter was trained on; None: where its run says.
    """

    report: FilePath
    suite: FilePath
    suite_sha256: Sha256
    data: FilePath | None = None


class ServeConfig(Config):
    """One served assistant.

    Attributes:
        host: address to listen on. The service has no login: leave it on this machine unless something guards it.
        port: port to listen on; 0 takes a free one; None tries 8000 and takes a free one where that is busy.
        hosts: further names under which it may be called on a loopback address, e.g. that of a proxy in front of it.
        cors_origins: pages of other sites that may call it from a browser, e.g. "https://shop.example"; none by default.
        rulebook: a folder of tables in place of this package's own (docs/assistant.md).
        overlay: a folder of tables laid over them: the shop's own additions.
        signed: a folder of signatures that `medasst rulebook import` made (docs/medicines.md#sign-off).
        catalogue: what the shop sells: a folder that `medasst catalogue import` made, or a JSON-lines file of products
            (medasst/samples/README.md). None: the imaginary pharmacy of the samples.
        shop: what the shop says of itself, its `shop.toml` (docs/assistant.md). None: with the samples' catalogue the words of
            that imaginary pharmacy; with another one none, and shoppers are told so.
        model: the model, reached alone as `medasst-bare`; what it may do in the assistant is told by `speech` and `reads`.
        speech: what it may say there: `none`: nothing; `wording`: it words free sentences otherwise; `answers`: it also
            answers in its own words what nobody wrote an answer to, which needs a licence (docs/assistant.md).
        reads: whether it also reads what shoppers write: what it read may only be asked about.
        patience: seconds that a reply waits for it.
        licence: what `speech = "answers"` stands on.
        production: whether shoppers are served in earnest: nothing starts then while anything that decides isn't approved, or
            the catalogue or the model are those of the demonstration (docs/deployment.md).
        places: answers that the model works on at a time.
        ping_seconds: silence after which a stream sends a comment, so that proxies keep it open.
        stop_seconds: what open replies get to end in when the service is stopped.
        limits: what may be asked for.
    """

    host: str = "127.0.0.1"
    port: Port | None = None
    hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    rulebook: FilePath | None = None
    overlay: FilePath | None = None
    signed: FilePath | None = None
    catalogue: FilePath | None = None
    shop: FilePath | None = None
    model: SystemConfig | None = None
    speech: Speech = "none"
    reads: bool = False
    patience: Seconds = 20.0
    licence: LicenceConfig | None = None
    production: bool = False
    places: PlaceCounts = PlaceCounts()
    ping_seconds: Seconds = 10.0
    stop_seconds: Seconds = 5.0
    limits: Limits = Limits()

    @property
    def slots(self) -> int:
        """Answers in the making at a time, guarded and bare together: what the engine must be able to do."""
        return self.places.guarded + self.places.bare

    @model_validator(mode="after")
    def _slots_for_all(self) -> Self:
        if self.model and self.model.parallel is not None and self.model.parallel < self.slots:
            raise ValueError(f"model.parallel is {self.model.parallel}, places are {self.slots}: leave it out or raise it")
        return self

    @model_validator(mode="after")
    def _speaks_with_a_model(self) -> Self:
        if self.model is None and (self.speech != "none" or self.reads):
            raise ValueError(f"{'reads' if self.speech == 'none' else 'speech'} needs a model: add a [model] table")
        return self
