"""A hardened container, whose kernel makes no namespaces for us, and perhaps has no Landlock."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from openenv_gym.errors import EnvironmentFailedError
from openenv_gym_envs.sandbox import boundary
from openenv_gym_transports.containers.hardening import Limits, hardened
from openenv_gym_transports.containers.needs import Needs
from openenv_gym_transports.images.provide import provide

if TYPE_CHECKING:
    from docker import DockerClient


@pytest.mark.docker
@pytest.mark.parametrize(("landlock", "boundary"), [("with", "landlock"), ("without", "container")])
def test_hostile_programs_change_nothing_and_end_in_time(
    engine: DockerClient, landlock: str, boundary: str
) -> None:
    here = Path(__file__).parent
    reported = engine.containers.run(
        provide(engine, "git"),
        ["/tests/in_container.py", landlock],
        entrypoint="python3",
        remove=True,
        stderr=True,
        **hardened(Limits(memory="1g", cpus=1.0, pids=256), Needs(), {"/tests": str(here)}),
    )
    report = json.loads(reported)
    assert report["boundary"] == boundary
    for kind, least in (("coding", 50), ("git", 25)):
        count, failed = report[kind]
        assert failed == {}
        assert count > least
    assert report["cloned"]


def test_no_boundary_at_all_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boundary, "_probe", lambda bubblewrap: "no namespaces")
    monkeypatch.setattr(boundary.landlock, "abi", lambda: 0)
    boundary.boundary.cache_clear()
    with pytest.raises(EnvironmentFailedError, match="transport='docker'") as caught:
        boundary.boundary()
    assert caught.value.fields == {"bubblewrap": "no namespaces", "landlock": 0}
