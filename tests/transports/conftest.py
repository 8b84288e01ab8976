"""What tests of several transports share."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from openenv_gym.transport import Link
from openenv_gym.wire.messages import Reset
from openenv_gym_transports.images.build import build_image
from openenv_gym_transports.images.provide import provide
from tests.environments import INLINE, THREADED
from tests.servers import Served, serving
from tests.transports.containers import HERE, PROBE, containers_of, lost_volumes, open_link
from tests.troubles import nothing_left

if TYPE_CHECKING:
    from docker import DockerClient


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


@pytest.fixture(scope="session")
def probe_image(engine: DockerClient) -> Iterator[str]:
    """An image with the probe."""
    tag = f"openenv-gym-test/probe:{os.getpid()}"  # tests run in several processes
    build_image(PROBE, tag=tag, include=[HERE / "probe"])
    yield tag
    engine.images.remove(tag, force=True)


@pytest.fixture(scope="session")
def echo_image(engine: DockerClient) -> str:
    """An image of ours."""
    return provide(engine, "echo")


@pytest.fixture
def no_containers_left(
    engine: DockerClient,
    echo_image: str,
    tmp_path: Path,  # pytest makes its folder before the place of such folders is another
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[None]:
    """Nothing is left after the test: no container of this process, no folder, no lost volume."""
    # A short path: that of a socket has at most 107 bytes.
    folder = Path(f"/tmp/oeg-{os.getpid()}")
    folder.mkdir(exist_ok=True)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.syspath_prepend(str(HERE))
    volumes = lost_volumes(engine)
    yield
    assert not list(folder.iterdir())
    folder.rmdir()
    assert not containers_of(engine)
    assert lost_volumes(engine) <= volumes


@pytest.fixture
def probe(no_containers_left: None, probe_image: str) -> Iterator[Link]:
    """The probe in a container, after a reset."""
    with open_link(PROBE, image=probe_image) as link:
        link.exchange(Reset(1))
        yield link
