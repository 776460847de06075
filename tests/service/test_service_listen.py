"""Ports, and the server from its settings."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from medasst.config import load, parse
from medasst.errors import ConfigError
from medasst.service import listen
from medasst.service.config import ServeConfig


def test_a_busy_port_is_named() -> None:
    with listen.open_socket("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"port {port} of 127.0.0.1 is in use.*--port 0"):
            listen.open_socket("127.0.0.1", port)


def test_the_usual_port_gives_way_where_none_was_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with listen.open_socket("127.0.0.1", 0) as first:
        monkeypatch.setattr(listen, "USUAL_PORT", first.getsockname()[1])
        with listen.open_socket("127.0.0.1", None) as second:
            assert second.getsockname()[1] != first.getsockname()[1]


def test_a_foreign_address_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"can't listen on 192\.0\.2\.1.*--host"):
        listen.open_socket("192.0.2.1", 0)


@pytest.mark.parametrize(("host", "loopback"), [("127.0.0.1", True), ("localhost", True), ("0.0.0.0", False)])
def test_addresses_lead_to_this_machine(host: str, loopback: bool) -> None:
    with listen.open_socket(host, 0) as listener:
        assert listen.is_loopback(listener) is loopback
        where = httpx.URL(listen.address(listener))
        with socket.create_connection((where.host, where.port or 0), timeout=5):
            pass


def test_settings_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "serve.toml"
    file.write_text('port = 8123\n[model]\nengine = "llama.cpp"\nbase = "embedded"\nadapter = "adapter"\n')
    config = load(ServeConfig, file, ["limits.new_tokens=64"])
    assert (config.host, config.port, config.limits.new_tokens) == ("127.0.0.1", 8123, 64)
    assert config.model is not None
    assert config.model.adapter == tmp_path / "adapter"
    with pytest.raises(ConfigError, match=r"prot.*did you mean 'port'"):
        parse(ServeConfig, {"prot": 1})
    with pytest.raises(ConfigError, match="port"):
        parse(ServeConfig, {"port": 70_000})


SERVE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests were started in the background
from medasst.models import SystemConfig
from medasst.service.config import ServeConfig
from medasst.service.server import serve

model = SystemConfig(engine="scripted", replies=("多喝水。",))
try:
    serve(ServeConfig(port=0, model=model), ready=lambda url: print(url, flush=True))
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_the_samples_are_served_until_ctrl_c() -> None:
    with subprocess.Popen([sys.executable, "-c", SERVE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            ids = [m["id"] for m in httpx.get(f"{url}/v1/models", timeout=60).json()["data"]]
            assert ids == ["medasst", "medasst-bare"]
            body = {"model": "medasst", "messages": [{"role": "user", "content": "胸口剧痛，出冷汗，喘不上气"}]}
            events = httpx.post(f"{url}/v1/chat/completions", json=body, timeout=60).json()["medasst"]["events"]
            assert events[0]["type"] == "finding"
            assert events[0]["severity"] == "emergency"
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert errors == ""
