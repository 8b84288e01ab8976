"""Images of ``openenv-gym build --serve``: OpenEnv's clients play them, and strangers do not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import gymnasium
import pytest

from openenv_gym.cli import main
from openenv_gym.client import GenericClient
from openenv_gym.errors import AuthenticationError
from openenv_gym.server import variables
from tests.openenv.peers import PeerPython, requires_peers
from tests.servers import eventually

if TYPE_CHECKING:
    from docker import DockerClient

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

CLIENTS = "tests.openenv.clients"
SPACE = f"openenv-gym-test/four-{os.getpid()}"
RANDOM = {"OPENENV_GYM_OPTION_OPPONENT": "random"}


@pytest.fixture(scope="module")
def image(engine: DockerClient) -> Iterator[str]:
    """The image, also by the name that the registry of Hugging Face gives that of a Space."""
    name = f"registry.hf.space/{SPACE.replace('/', '-')}:latest"
    assert main(["build", "connect4", "--serve", "--tag", name]) == 0
    yield name
    engine.images.remove(name, force=True)


@requires_peers
@pytest.mark.parametrize("space", [False, True], ids=["from_docker_image", "from_env"])
def test_openenvs_client_plays_it(space: bool, image: str, peer: PeerPython) -> None:
    played = peer.call(
        f"{CLIENTS}:play_image",
        image=SPACE if space else image,
        space=space,
        actions=[{"column": 3}, {"column": 3}],
        variables={variables.OPEN: "1", **RANDOM},
    )
    board = played[-1]["observation"]["board"]
    assert sum(abs(cell) for row in board for cell in row) == 4, "the opponent answers"


def test_it_serves_nobody_until_somebody_decides(image: str, engine: DockerClient) -> None:
    container = engine.containers.run(image, detach=True)
    try:
        assert container.wait(timeout=120)["StatusCode"] == 1
        log = container.logs().decode()
    finally:
        container.remove(force=True)
    assert variables.TOKEN in log
    assert f"{variables.OPEN}=1" in log


def test_a_client_of_ours_has_the_token_of_the_container_that_it_starts(image: str) -> None:
    with GenericClient.from_docker_image(image, variables=RANDOM) as env:
        env.reset(seed=1)
        result = env.step({"column": 3})
        assert sum(abs(cell) for row in result.observation["board"] for cell in row) == 2
    with pytest.raises(AuthenticationError):
        GenericClient.from_docker_image(image, token="another")


def test_it_is_still_an_image_of_the_docker_transport(image: str) -> None:
    env = gymnasium.make("openenv/Connect4-v0", transport="docker", image=image, opponent="random")
    env.reset(seed=1)
    assert env.step(3)[0].any()
    assert env.get_wrapper_attr("isolation")["network"] == "none"
    env.close()


def test_its_health_needs_no_curl(image: str, engine: DockerClient) -> None:
    config = engine.images.get(image).attrs["Config"]
    assert config["User"] == "65534:65534"
    assert config["ExposedPorts"] == {"8000/tcp": {}}
    check = config["Healthcheck"]["Test"]
    assert check[:2] == ["CMD", "python3"]
    container = engine.containers.run(
        image,
        detach=True,
        network_disabled=True,
        environment={variables.TOKEN: "let-me-in"},
        healthcheck={"test": check, "interval": 1_000_000_000, "start_period": 120_000_000_000},
    )
    try:

        def healthy() -> bool:
            container.reload()
            assert container.status == "running", container.logs().decode()
            state: str = container.attrs["State"]["Health"]["Status"]
            return state == "healthy"

        eventually(healthy, 120.0)
        assert container.exec_run(["sh", "-c", "command -v curl"]).exit_code
    finally:
        container.remove(force=True)
