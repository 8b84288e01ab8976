"""Fixtures and rules that all tests share."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from openenv_gym.errors import EngineMissingError, MissingDependencyError
from tests.openenv.peers import missing as missing_peers
from tests.troubles import children

if TYPE_CHECKING:
    from docker import DockerClient


# How long an example takes says how busy the machine is, no more.
settings.register_profile(
    "any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any-machine")


@cache
def no_engine() -> str | None:
    """Why there is no Docker engine; None if there is one."""
    from openenv_gym_transports.containers.engine import connect

    try:
        connect().close()
    except (EngineMissingError, MissingDependencyError) as exc:
        return str(exc)
    return None


@cache
def no_browser() -> str | None:
    """Why BrowserGym has no browser; None if it has one."""
    try:
        from openenv_gym_envs.browsergym.launching import find

        find(None, headless=True)
    except (ImportError, MissingDependencyError) as exc:
        return str(exc)
    return None


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test skips where what its mark names is missing, unless it is required."""
    if item.get_closest_marker("docker") and (reason := no_engine()):
        _skip_unless_required("OPENENV_GYM_REQUIRE_DOCKER", reason)
    if item.get_closest_marker("peers") and (reason := missing_peers()):
        _skip_unless_required("OPENENV_GYM_REQUIRE_PEERS", reason)
    if item.get_closest_marker("browser") and (reason := no_browser()):
        _skip_unless_required("OPENENV_GYM_REQUIRE_BROWSER", reason)


def pytest_make_parametrize_id(val: object) -> str | None:
    """xdist takes "::" in a name for the end of a scope, which has fixtures of its own."""
    return val.replace("::", ":") if isinstance(val, str) and "::" in val else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Captured text becomes UTF-8, without which xdist ends: some tests log half a character."""
    report = yield
    report.sections = [
        (name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections
    ]
    return report


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests over Ray share one; its actors take seconds to start, so few contracts are for it.

    Those that are marked ``long`` are for the night.
    """
    over_ray = [item for item in items if _transport(item) == "ray"]
    for item in over_ray:
        assert isinstance(item, pytest.Function)
        # A list of its own: the one that is there is that of the other transports, too.
        item.fixturenames = ["local_ray", *item.fixturenames]
    spared = {
        item
        for item in over_ray
        if item.path.parent.name == "contract" and item.parent and item.parent.name not in _ON_RAY
    }
    if os.environ.get("OPENENV_GYM_LONG_TESTS") != "1":
        spared |= {item for item in items if item.get_closest_marker("long")}
    if spared:
        config.hook.pytest_deselected(items=list(spared))
        items[:] = [item for item in items if item not in spared]


_ON_RAY = ("TestChess", "TestChatInText", "TestSumoRLOfAllJunctions")


def _transport(item: pytest.Item) -> str | None:
    call = getattr(item, "callspec", None)
    return None if call is None else call.params.get("transport")


@contextmanager
def started_ray() -> Iterator[None]:
    """A Ray on this machine, or the one that ``RAY_ADDRESS`` names; it ends with the block."""
    ray = pytest.importorskip("ray")
    address = os.environ.get("RAY_ADDRESS", "local")
    for attempt in range(3):  # it has 30 s to start, which a busy machine may not give it
        try:
            ray.init(address, include_dashboard=False, log_to_driver=False)
            break
        except Exception as error:
            if attempt == 2 or "timed out during startup" not in str(error):
                raise
    yield
    ray.shutdown()
    names = {name for pid in children() for name in Path(f"/proc/{pid}/comm").read_text().split()}
    assert not names & {"raylet", "gcs_server"}, "Ray is still running"


@pytest.fixture(scope="session")
def local_ray() -> Iterator[None]:
    """A Ray that ends with the tests."""
    with started_ray():
        yield


def _skip_unless_required(variable: str, reason: str) -> None:
    if os.environ.get(variable) == "1":
        pytest.fail(f"{variable}=1, but: {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def engine() -> Iterator[DockerClient]:
    """The Docker engine, for tests that are marked ``docker``."""
    from openenv_gym_transports.containers.engine import connect

    client = connect()
    yield client
    client.close()
