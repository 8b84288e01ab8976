"""What tests of several transports share."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.environments import INLINE, THREADED
from tests.servers import Served, serving
from tests.troubles import nothing_left


@pytest.fixture(params=["websocket", "http"])
def transport(request: pytest.FixtureRequest) -> str:
    """Those over the network, one after the other."""
    return str(request.param)


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    """Serves an environment that is stepped on a thread of its own."""
    with serving(THREADED) as served:
        yield served


@pytest.fixture(scope="module")
def inline_server() -> Iterator[Served]:
    """Serves one that is stepped on the event loop."""
    with serving(INLINE) as served:
        yield served


@pytest.fixture
def no_leftovers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Nothing is left after the test: no process, descriptor, thread or temporary file."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with nothing_left(tmp_path):
        yield
