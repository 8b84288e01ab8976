"""Images of OpenEnv's own make in containers: hardened, on this host alone, and gone at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from openenv_gym.errors import OptionError, SessionLostError, StartError
from openenv_gym_envs.atari import AtariAction, AtariEnv
from openenv_gym_transports.containers import owner
from openenv_gym_transports.images.provide import provide
from tests.openenv.image import openenv_image
from tests.openenv.ours import REMOTE, warned
from tests.openenv.peers import requires_peers

if TYPE_CHECKING:
    from docker import DockerClient

pytestmark = [requires_peers, pytest.mark.docker, pytest.mark.timeout(300)]

# There may be other work for this machine.
START_LIMIT = 120.0


@pytest.fixture(scope="module")
def image(engine: DockerClient) -> str:
    return openenv_image(engine)


@pytest.fixture(autouse=True)
def nothing_left(engine: DockerClient) -> Iterator[None]:
    """After each test: no container of this process."""
    yield
    label = f"{owner.OWNED}={os.getpid()}"
    assert not engine.containers.list(all=True, filters={"label": label}, ignore_removed=True)


def options(**variables: str) -> dict[str, Any]:
    return {"start_timeout": START_LIMIT, "variables": variables}


def act() -> dict[str, Any]:
    return {"seconds": np.zeros(1), "counts": np.int64(1), "fails": np.int64(0)}


def test_an_image_that_serves_by_itself(engine: DockerClient, image: str) -> None:
    env = warned(
        lambda: gymnasium.make(REMOTE, transport="docker", image=image, transport_options=options())
    )
    try:
        assert env.get_wrapper_attr("space_sources")["action.seconds"] == "schema"
        assert env.reset(seed=1)[0]["steps"] == 0
        assert [env.step(act())[1] for _ in range(3)] == [1.0, 2.0, 3.0]
        reported = env.get_wrapper_attr("isolation")
        assert (reported["transport"], reported["boundary"], reported["image"]) == (
            "docker",
            "container",
            image,
        )
        assert reported["cap_drop"] == ["ALL"]
        assert reported["cap_add"] == []
        assert reported["read_only"]
        assert reported["no_new_privileges"]
        assert reported["user"] == "65534:65534"
        assert not reported["privileged"]
        assert (reported["pids"], reported["memory"], reported["cpus"]) == (256, 1 << 30, 1.0)
        assert reported["mounts"] == []
        assert reported["network"] == "bridge"
        container = engine.containers.get(reported["container"])
        assert container.attrs["NetworkSettings"]["Ports"] == {
            "8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(reported["port"])}]
        }
        container.kill()
        with pytest.raises(SessionLostError, match="was killed by signal 9"):
            env.step(act())
    finally:
        env.close()


def test_files_of_the_users(engine: DockerClient, image: str, tmp_path: Path) -> None:
    (tmp_path / "levels").write_text("three")
    tmp_path.chmod(0o755)
    mounted = {**options(), "mounts": {"/app/levels": tmp_path}}
    env = warned(
        lambda: gymnasium.make(REMOTE, transport="docker", image=image, transport_options=mounted)
    )
    try:
        reported = env.get_wrapper_attr("isolation")
        container = engine.containers.get(reported["container"])
        read = container.exec_run(["cat", "/app/levels/levels"])
        written = container.exec_run(["touch", "/app/levels/levels"], user="0")
    finally:
        env.close()
    assert reported["relaxed"] == {"mounts": {"/app/levels": str(tmp_path)}}
    assert read.output == b"three"
    assert b"Read-only file system" in written.output


def test_a_known_environment_by_the_typed_client(image: str) -> None:
    """Its server is set up by a variable."""
    client = warned(
        lambda: AtariEnv.from_docker_image(image, transport_options=options(TRIAL="screen"))
    )
    with client as env:
        assert env.env.action_space == Discrete(6)
        assert env.env.observation_space == Box(0, 255, (4, 3, 2), np.uint8)
        assert env.reset().observation.screen.ravel().tolist() == [*range(24)]
        assert env.step(AtariAction(action_id=2)).observation.frame_number == 1


def test_lanes_share_a_container(image: str) -> None:
    envs = warned(
        lambda: gymnasium.make_vec(
            REMOTE, num_envs=2, transport="docker", image=image, transport_options=options()
        )
    )
    try:
        envs.reset()
        actions = {
            "seconds": np.zeros((2, 1)),
            "counts": np.ones(2, int),
            "fails": np.zeros(2, int),
        }
        seen, *_ = envs.step(actions)
        assert seen["steps"].tolist() == [1, 1]
        assert len(set(seen["born"].tolist())) == 2
    finally:
        envs.close()


def test_a_server_that_does_not_start(image: str) -> None:
    with pytest.raises(StartError, match="exited with 3") as caught:
        gymnasium.make(
            REMOTE, transport="docker", image=image, transport_options=options(TRIAL="broken")
        )
    assert "\nthe game is not installed" in str(caught.value)
    assert caught.value.fields["image"] == image


def test_a_server_that_says_nothing(image: str) -> None:
    reported = {"start_timeout": 3.0, "variables": {"TRIAL": "silent"}}
    with pytest.raises(StartError, match="port 8000, within 3 s") as caught:
        gymnasium.make(REMOTE, transport="docker", image=image, transport_options=reported)
    assert "still runs" in str(caught.value)


def test_an_image_of_ours_is_what_it_was(engine: DockerClient) -> None:
    own = provide(engine, "echo")
    for id in (REMOTE, "openenv/Echo-v0"):
        env = gymnasium.make(id, transport="docker", image=own)
        env.reset()
        assert env.step("Hi!")[0] == "Hi!"
        isolation = env.get_wrapper_attr("isolation")
        assert (isolation["network"], isolation["port"]) == ("none", None)
        assert env.get_wrapper_attr("space_sources") == {}
        env.close()
    wrong: dict[str, Any]
    for wrong in (
        {"transport_options": {"variables": {"A": "b"}}},
        {"action_space": {"type": "Discrete", "n": 2}},
    ):
        with pytest.raises(OptionError, match=r"leave (variables|action_space)= out"):
            gymnasium.make(REMOTE, transport="docker", image=own, **wrong)


def test_without_a_name() -> None:
    with pytest.raises(OptionError, match="or an image"):
        gymnasium.make(REMOTE, transport="docker")
