"""``openenv-gym push --repo-id``: a Space, at a local stand-in for the hub of Hugging Face."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from openenv_gym.cli import main
from openenv_gym.client import GenericClient
from openenv_gym_transports.images.space import VARIABLES
from tests.hub import TOKEN, Hub, Space, hub

if TYPE_CHECKING:
    from docker import DockerClient

NAME = "team/four"


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with hub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    assert main(["init", "thing_env", "--output-dir", str(tmp_path)]) == 0
    return tmp_path / "thing_env"


def push(environment: str, *words: str) -> int:
    return main(["push", environment, "--repo-id", NAME, *words])


def test_a_space_has_all_that_its_image_is_built_from(
    there: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert push("chess") == 0
    assert capsys.readouterr().out.strip() == f"{there.url}/spaces/{NAME}"
    space = there.spaces[NAME]
    assert not space.private
    assert space.variables == VARIABLES
    dockerfile = space.files["Dockerfile"].decode()
    assert "ARG BASE_IMAGE=python:3." in dockerfile
    assert 'ARG PACKAGES="stockfish"' in dockerfile
    assert 'CMD ["serve", "chess", "--host", "0.0.0.0"' in dockerfile
    readme = space.files["README.md"].decode()
    assert readme.startswith("---\ntitle: Chess\n")
    assert "\nsdk: docker\napp_port: 8000\nbase_path: /web\n" in readme
    assert "# Chess: `openenv/Chess-v0`" in readme
    assert any(path.startswith("wheelhouse/") for path in space.files), "no empty folder"
    assert b"fastapi==" in space.files["requirements.txt"]
    assert "packages/openenv_gym/cli/serve.py" in space.files


def test_a_space_is_brought_up_to_date(there: Hub, folder: Path) -> None:
    there.spaces[NAME] = Space(files={"old.py": b"", ".gitattributes": b"kept"})
    assert push(str(folder), "--private") == 0
    space = there.spaces[NAME]
    assert space.private, "it was public before"
    assert "old.py" not in space.files
    assert space.files[".gitattributes"] == b"kept"
    assert "packages/thing_env/environment.py" in space.files
    assert b"Guess the number" in space.files["README.md"]
    asked = [path for method, path, _ in there.asked if method != "GET"]
    hidden = asked.index(f"/api/spaces/{NAME}/settings")
    assert hidden < asked.index(f"/api/spaces/{NAME}/commit/main")
    assert push(str(folder)) == 0
    assert there.spaces[NAME].private, "it stays so"


@pytest.mark.docker
@pytest.mark.timeout(600)
def test_what_was_pushed_builds_and_serves(
    there: Hub, folder: Path, tmp_path: Path, engine: DockerClient
) -> None:
    """As the hub builds it: without arguments; here without a network, by wheels in their place."""
    base = os.environ.get("OPENENV_GYM_BASE_IMAGE", "python:3.11-slim")
    assert push(str(folder), "--base-image", base) == 0
    context = tmp_path / "space"
    for path, data in there.spaces[NAME].files.items():
        (context / path).parent.mkdir(parents=True, exist_ok=True)
        (context / path).write_bytes(data)
    for wheel in Path(os.environ["OPENENV_GYM_WHEELHOUSE"]).glob("*.whl"):
        if wheel.stat().st_size < 25_000_000:
            shutil.copy(wheel, context / "wheelhouse")
    tag = f"openenv-gym-test/space:{os.getpid()}"
    engine.images.build(path=str(context), tag=tag, rm=True, network_mode="none")
    try:
        with GenericClient.from_docker_image(tag) as env:
            env.reset(seed=1)
            assert env.step({"guess": 3}).observation["left"] == 3
    finally:
        engine.images.remove(tag, force=True)


def test_a_token_that_may_not(
    there: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_of-another")
    assert push("echo") == 1
    said = capsys.readouterr().err
    assert "does not let you push the Space team/four" in said
    assert "hf_of-another" not in said
    assert not there.spaces


def test_no_hub(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert push("echo") == 1
    assert "was not pushed to http://127.0.0.1:9" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["echo"], "Say where to push it, once"),
        (["echo", "127.0.0.1:9/x", "--repo-id", NAME], "Say where to push it, once"),
        (["echo", "--repo-id", "four"], "write user/name"),
        (["echo", "127.0.0.1:9/x", "--private"], "--private is for a Space"),
        (["echo", "--repo-id", NAME, "--image", "x"], "leave --image out"),
    ],
)
def test_what_is_wrong_is_said(
    words: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["push", *words]) == 1
    assert problem in capsys.readouterr().err


def test_the_name_at_a_registry(folder: Path) -> None:
    from openenv_gym_transports.images.push import name_at

    assert name_at("ghcr.io/me/", str(folder)) == "ghcr.io/me/thing-env"
    assert name_at("ghcr.io/me", "chess") == "ghcr.io/me/chess"
