"""The scripted service as fixtures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("fastapi")
from service_fakes import BARE, ScriptedAssistant, running

from medasst.models import ScriptedModel
from medasst.service.app import create_app
from medasst.service.config import ServeConfig


@pytest.fixture
def assistant() -> ScriptedAssistant:
    return ScriptedAssistant()


@pytest.fixture
def bare() -> ScriptedModel:
    return ScriptedModel(["多喝水，注意休息。"], step=3)


@pytest.fixture
def app(assistant: ScriptedAssistant, bare: ScriptedModel) -> Any:
    return create_app(assistant, {BARE: bare}, ServeConfig())


@pytest.fixture
def url(app: Any) -> Iterator[str]:
    with running(app) as where:
        yield where
