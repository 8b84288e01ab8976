"""Folders of ours are OpenEnv's: its own commands validate and build them, and its clients play."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from openenv_gym import registry
from openenv_gym.cli import main
from openenv_gym.registry import ENVIRONMENTS, generate
from openenv_gym.server import variables
from tests.openenv.peers import OPENENV, PeerPython, peer_environment, requires_peers
from tests.openenv.wheels import image_with_wheels
from tests.servers import ended, free_port

if TYPE_CHECKING:
    from docker import DockerClient

COMMANDS, CLIENTS = "tests.openenv.commands", "tests.openenv.clients"


@pytest.mark.parametrize("name", ENVIRONMENTS)
@requires_peers
def test_openenv_finds_our_folders_valid(name: str, peer: PeerPython) -> None:
    folder = str(generate.ENVIRONMENTS / name)
    done = peer.call(f"{COMMANDS}:run", words=["validate", "--level", "static", folder])
    assert done["code"] == 0, done["output"]
    warnings = peer.call(f"{COMMANDS}:missing", folder=folder)
    assert warnings == ["Recommended directory missing: outputs/"]


@requires_peers
def test_openenv_serve_is_not_there_yet(peer: PeerPython) -> None:
    """The command of 0.10.0 serves nobody's folder: the day it does, ours are to be tried."""
    folder = str(generate.ENVIRONMENTS / "echo")
    done = peer.call(f"{COMMANDS}:run", words=["serve", folder])
    assert done["code"] == 1
    assert "not yet implemented" in done["output"]


def test_a_copy_of_a_folder_is_the_environment(tmp_path: Path) -> None:
    """As a build copies it; a package called chess would hide python-chess."""
    copied = shutil.copytree(generate.ENVIRONMENTS / "chess", tmp_path / "chess")
    assert registry.environment(str(copied)) == ENVIRONMENTS["chess"]


@pytest.mark.parametrize("command", [["server/app.py"], ["-m", "uvicorn", "server.app:app"]])
def test_the_server_of_a_folder(command: list[str]) -> None:
    port = free_port()
    settings = {"OPENENV_GYM_OPTION_OPPONENT": "random", variables.TOKEN: "let-me-in"}
    child = subprocess.Popen(
        [sys.executable, *command, "--port", str(port)],
        cwd=generate.ENVIRONMENTS / "connect4",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **settings},
        stdin=subprocess.DEVNULL,
    )
    patient = httpx.HTTPTransport(retries=8)
    url = f"http://127.0.0.1:{port}"
    with ended(child), httpx.Client(transport=patient, base_url=url, timeout=60.0) as client:
        assert client.get("/health").json() == {"status": "healthy"}
        assert client.post("/reset").status_code == 401
        client.headers["Authorization"] = "Bearer let-me-in"
        client.post("/reset", json={"seed": 1})
        board = client.post("/step", json={"action": {"column": 3}}).json()["observation"]["board"]
    assert sum(abs(cell) for row in board for cell in row) == 2, "the opponent answers"


@pytest.fixture(scope="module", params=["echo", "thing_env"])
def built(
    request: pytest.FixtureRequest, engine: DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """The name of an environment, and the image that ``openenv build`` made of its folder."""
    home = tmp_path_factory.mktemp("built")
    folder = generate.ENVIRONMENTS / "echo"
    if request.param == "thing_env":
        assert main(["init", "thing_env", "--output-dir", str(home)]) == 0
        folder = home / "thing_env"
    tag = f"openenv-gym-test/built-{request.param}:{os.getpid()}"
    base = image_with_wheels(engine)
    with tempfile.TemporaryDirectory() as elsewhere:
        done = subprocess.run(
            [str(OPENENV.bin / "openenv"), "build", str(folder), "--tag", tag]
            + ["--build-arg", f"BASE_IMAGE={base}", "--build-arg", "PACKAGES="],
            cwd=elsewhere,
            env=peer_environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=280,
        )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    yield request.param, tag
    engine.images.remove(tag, force=True)


ACTION = {"echo": {"message": "Hi!"}, "thing_env": {"guess": 3}}
FIELD = {"echo": ("echoed_message", "Hi!"), "thing_env": ("left", 3)}


@requires_peers
@pytest.mark.docker
@pytest.mark.timeout(600)
def test_openenv_builds_our_folders_and_its_client_plays_them(
    built: tuple[str, str], peer: PeerPython, engine: DockerClient
) -> None:
    name, image = built
    played = peer.call(
        f"{CLIENTS}:play_image",
        image=image,
        actions=[ACTION[name]],
        variables={variables.OPEN: "1"},
    )
    field, value = FIELD[name]
    assert played[-1]["observation"][field] == value
    # Nobody said who may play.
    closed = engine.containers.run(image, detach=True, network_disabled=True)
    try:
        assert closed.wait(timeout=120)["StatusCode"] == 1
        assert variables.TOKEN in closed.logs().decode()
    finally:
        closed.remove(force=True)
    attributes = engine.images.get(image).attrs["Config"]
    assert attributes["User"] == "player"
    assert "curl" not in str(attributes["Healthcheck"])
