"""``openenv-gym init``: what it writes works as it is."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx
import pytest

from openenv_gym.cli import main
from tests.openenv.peers import OPENENV, peer_environment, requires_peers
from tests.servers import process

if TYPE_CHECKING:
    from docker import DockerClient


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("init")
    assert main(["init", "night_maze_env", "--output-dir", str(home)]) == 0
    return home / "night_maze_env"


def test_the_folder_has_all_that_an_environment_needs(folder: Path) -> None:
    written = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert written == {
        "README.md",
        "__init__.py",
        "client.py",
        "environment.py",
        "models.py",
        "openenv.yaml",
        "pyproject.toml",
        "server/Dockerfile",
        "server/__init__.py",
        "server/app.py",
        "tests/test_contract.py",
    }
    for name in written:
        text = (folder / name).read_text()
        assert "{{" not in text
        assert text.endswith("\n")
    project = tomllib.loads((folder / "pyproject.toml").read_text())
    assert project["project"]["name"] == "openenv-night-maze"
    assert project["project"]["entry-points"]["openenv_gym.environments"] == {
        "night_maze/NightMaze-v0": "night_maze_env.environment:NightMazeEnvironment"
    }


def test_its_code_is_as_ours(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "E,F,W,I,B,UP", "."]
        + ["--line-length", "100", "--no-cache"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_its_own_tests_pass(folder: Path) -> None:
    done = subprocess.run(
        # All of its tests, but over two transports only, which are quick.
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "process or guess"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    assert "deselected" in done.stdout  # the container's


def test_it_is_valid(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(folder)]) == 0
    assert "0 failed" in capsys.readouterr().out


def test_it_plays(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("5\n"))
    assert main(["play", str(folder), "--option", "guesses=1"]) == 0
    assert "The episode is over after 1 steps" in capsys.readouterr().out


@requires_peers
def test_openenvs_own_command_finds_it_valid(folder: Path) -> None:
    done = subprocess.run(
        [str(OPENENV.bin / "openenv"), "validate", "--level", "static", str(folder)],
        env=peer_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_client_plays(folder: Path) -> None:
    script = (
        "from night_maze_env import NightMazeAction, NightMazeEnv\n"
        "with NightMazeEnv() as env:\n"
        "    env.reset(seed=1)\n"
        "    print(env.step(NightMazeAction(guess=3)).observation.left)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder.parent), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert done.stdout.strip() == "3", done.stderr


def test_its_server_is_an_application(folder: Path) -> None:
    """As uvicorn server.app:app imports it, in the folder."""
    script = "import server.app; print(server.app.app.title, server.app.main.__name__)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(["", *sys.path])},
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "main"


def test_it_serves(folder: Path) -> None:
    patient = httpx.HTTPTransport(retries=50)
    with process(str(folder)) as (_, port), httpx.Client(transport=patient, timeout=60.0) as client:
        url = f"http://127.0.0.1:{port}"
        assert client.post(f"{url}/reset").json()["observation"]["left"] == 4
        stepped = client.post(f"{url}/step", json={"action": {"guess": 3}})
        assert stepped.json()["observation"]["hint"] in ("higher", "lower", "right")


@pytest.mark.docker
def test_its_contract_holds_in_a_container(folder: Path, engine: DockerClient) -> None:
    """Without a word of how to build the image, nor a YAML parser in it."""
    # An image is found by the content that it was built from: no other test has this one.
    with (folder / "environment.py").open("a") as file:
        file.write(f"\n# {uuid4()}\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "docker"]
        + ["-k", "trajectory or snapshot or state"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    built = [image for image in engine.images.list() if _is_of(image.tags, folder)]
    for image in built:
        engine.images.remove(image.id, force=True)
    assert done.returncode == 0, done.stdout[-5000:]
    assert "3 passed" in done.stdout
    assert len(built) == 1


def _is_of(tags: list[str], folder: Path) -> bool:
    slug = str(folder).lower().replace("/", "-").replace("_", "-").strip("-")
    return any(f"openenv-gym/{slug}:" in tag for tag in tags)


@pytest.mark.parametrize("name", ["Maze", "1maze", "_env", "maze-env", "a b", "../maze", ""])
def test_what_can_name_no_package(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", name, "--output-dir", str(tmp_path)]) == 1
    assert "cannot name a package" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["numpy", "class", "json"])
def test_a_name_that_is_taken(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", name, "--output-dir", str(tmp_path)]) == 1
    assert f"choose another, such as {name}_env" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_nothing_is_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "maze").mkdir()
    (tmp_path / "maze" / "models.py").write_text("mine")
    assert main(["init", "maze", "--output-dir", str(tmp_path)]) == 1
    assert "exists already" in capsys.readouterr().err
    assert (tmp_path / "maze" / "models.py").read_text() == "mine"
