"""Containers that are paused, out of memory, of a full disk, or of a killed trainer."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import SessionLostError, StepTimeoutError
from tests.faults.kills import STUBBORN, cases, kill_all
from tests.faults.soak import stubborn_image
from tests.transports.containers import containers_of

if TYPE_CHECKING:
    from docker import DockerClient

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def image(engine: DockerClient) -> Iterator[str]:
    with stubborn_image() as tag:
        yield tag


@pytest.fixture(autouse=True)
def _nothing_left(engine: DockerClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    yield
    assert not containers_of(engine)


def make(image: str, how: str, **keywords: object) -> OpenEnvGym:
    env = OpenEnvGym(
        STUBBORN,
        transport="docker",
        image=image,
        phase="step",
        how=how,
        first=1,
        **keywords,  # type: ignore[arg-type]
    )
    env.reset(seed=1)
    assert env.step(0)[0] == 1
    return env


def goes_on(env: OpenEnvGym) -> None:
    """Check that a reset begins a fresh container."""
    assert env.reset(seed=1)[0] == 0
    assert env.step(0)[0] == 1
    env.close()


def test_a_paused_container(engine: DockerClient, image: str) -> None:
    env = make(image, "quick", step_timeout=2.0)
    (container,) = containers_of(engine)
    container.pause()
    with pytest.raises(StepTimeoutError, match="goes on with a fresh one"):
        env.step(0)
    assert not containers_of(engine)
    goes_on(env)


def test_a_container_out_of_memory(image: str) -> None:
    env = make(image, "eat", transport_options={"memory": "256m"})
    with pytest.raises(SessionLostError, match="memory"):
        env.step(0)
    goes_on(env)


def test_a_container_whose_disk_is_full(image: str) -> None:
    env = make(image, "fill")
    assert env.step(0)[0] == 2
    assert env.step(0)[0] == 3
    env.close()


def test_a_killed_trainer_with_a_container(image: str) -> None:
    killed = kill_all(list(cases(3, ("docker",), random.Random(8), image)))
    assert not [each for each in killed if each.left]
