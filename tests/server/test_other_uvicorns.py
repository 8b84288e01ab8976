"""Servers whose uvicorn is not one that the fast path knows, or that others start."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gymnasium
import pytest
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from openenv_gym.errors import OptionError
from openenv_gym.server import run, uvicorn_protocols
from openenv_gym.testing.contract import Env, EnvironmentContract
from tests.servers import Served, serving


@pytest.fixture(autouse=True)
def _nothing_logged_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_fell_back", [])


def test_this_uvicorn_is_known() -> None:
    assert uvicorn_protocols.unexpected() is None
    assert run._protocols() == (
        uvicorn_protocols.RequestProtocol,
        uvicorn_protocols.FrameProtocol,
    )


@pytest.mark.parametrize(
    ("base", "name", "changed"),
    [
        (WebSocketsSansIOProtocol, "handle_connect", lambda self, event, more: None),
        (HttpToolsProtocol, "data_received", lambda self, event: None),
        (HttpToolsProtocol, "__init__", lambda self, config, server_state, app_state, _loop: None),
    ],
)
def test_another_uvicorn_serves_by_its_own_protocols(
    base: type,
    name: str,
    changed: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(base, name, changed)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert run._protocols() == (H11Protocol, "websockets-sansio")
    assert len(caplog.records) == 1
    assert "slower" in caplog.text


def test_uvicorn_without_these_modules(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delitem(sys.modules, "openenv_gym.server.uvicorn_protocols")
    monkeypatch.delattr("openenv_gym.server.uvicorn_protocols")
    monkeypatch.setitem(sys.modules, "uvicorn.protocols.http.httptools_impl", None)
    with caplog.at_level(logging.WARNING):
        assert run._protocols() == (H11Protocol, "websockets-sansio")
    assert "httptools_impl" in caplog.text


class TestConnect4BehindAnotherUvicorn(EnvironmentContract):
    """The whole contract, where nothing but uvicorn's public interface is used."""

    id = "openenv/Connect4-v0"
    server: Served

    @pytest.fixture(scope="class", params=["websocket", "http"])
    @classmethod
    def transport(cls, request: pytest.FixtureRequest) -> str:
        name: str = request.param
        return name

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _served(cls) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(uvicorn_protocols, "unexpected", lambda: "a test")
            with serving("connect4") as cls.server:
                yield

    @pytest.fixture(scope="class")
    @classmethod
    def env(cls, transport: str, _served: None) -> Iterator[Env]:
        env: Env = gymnasium.make(cls.id, transport=transport, url=cls.server.url(transport))
        yield env
        env.close()

    @pytest.fixture
    def make(self, transport: str) -> Iterator[Callable[..., Env]]:
        made: list[Env] = []

        def make(**changes: Any) -> Env:
            keywords = {"transport": transport, "url": self.server.url(transport), **changes}
            if keywords["transport"] == "inprocess":
                del keywords["url"]
            made.append(gymnasium.make(self.id, **keywords))
            return made[-1]

        yield make
        for env in made:
            env.close()

    def test_unknown_option(self, make: Any) -> None:
        with pytest.raises(OptionError, match="no_such_option"):
            make(no_such_option=1)

    def test_isolation_tells_the_transport(self, env: Env, transport: str) -> None:
        assert env.get_wrapper_attr("isolation")["boundary"] == "remote"


APPLICATION = """
from openenv_gym.server.app import create_app
application = create_app("echo")
"""


def test_several_workers(tmp_path: Path) -> None:
    """Sessions are in the memory of one process: it says so, and does not start."""
    (tmp_path / "shared.py").write_text(APPLICATION)
    done = subprocess.run(
        [sys.executable, "-m", "uvicorn", "shared:application", "--workers", "2", "--port", "0"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100.0,
        check=False,
    )
    assert "served by several worker processes" in done.stderr
    assert "--workers 1" in done.stderr
