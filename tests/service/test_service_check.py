"""POST /v1/check: the person checks over HTTP, the same JSON as the command line's."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from service_fakes import ScriptedAssistant, running

from medasst.formulary import Formulary
from medasst.lexicon import Lexicon
from medasst.rulebook import Rulebook
from medasst.safety import PersonChecks
from medasst.safety.check import Checker
from medasst.service.app import create_app
from medasst.service.config import Limits, ServeConfig


@pytest.fixture(scope="module")
def checked() -> Iterator[str]:
    book = Rulebook.load()
    checker = Checker(PersonChecks(Lexicon(book), Formulary(book)))
    app = create_app(ScriptedAssistant(), {}, ServeConfig(limits=Limits(body_bytes=4096)), checker)
    with running(app) as where:
        yield where


def test_a_check_over_http(checked: str) -> None:
    request = {"patient": {"drugs": ["神药"]}, "drugs": ["布洛芬"]}
    answer = httpx.post(f"{checked}/v1/check", json=request)
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
    told = answer.json()
    assert set(told) == {"findings", "covered", "not_told", "unknown_drugs", "drugs", "note"}
    assert "神药" in told["unknown_drugs"] and told["covered"] == ["drugs"]
    cards = httpx.post(f"{checked}/v1/check", params={"format": "cds-hooks"}, json=request).json()["cards"]
    assert cards[-1]["source"]["topic"]["code"] == "coverage"


@pytest.mark.parametrize(
    ("body", "params", "status", "param"),
    [
        (b"{", {}, 400, None),
        (b'{"drugs": []}', {}, 422, "drugs"),
        (b'{"drugs": ["a"], "patient": {"age": 3}}', {}, 422, "patient.age"),
        (b'{"drugs": ["a"]}', {"format": "xml"}, 400, "format"),
        (b'{"drugs": ["' + b"a" * 5000 + b'"]}', {}, 413, None),
        (b"[" * 4000, {}, 400, None),
    ],
)
def test_bad_requests(checked: str, body: bytes, params: dict[str, str], status: int, param: str | None) -> None:
    answer = httpx.post(f"{checked}/v1/check", params=params, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status and answer.json()["error"]["param"] == param


def test_only_json_and_only_where_it_is_offered(checked: str, url: str) -> None:
    assert httpx.post(f"{checked}/v1/check", content=b"{}").status_code == 415
    assert httpx.get(f"{checked}/v1/check").status_code == 405
    assert httpx.post(f"{url}/v1/check", json={"drugs": ["布洛芬"]}).status_code == 404
