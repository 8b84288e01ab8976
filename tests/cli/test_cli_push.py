"""``openenv-gym push``: to a registry, by a real engine; and what it says where there is none."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from openenv_gym.cli import main
from openenv_gym.errors import ImageMissingError
from openenv_gym_transports.images.provide import labels, pull_layers
from tests.registry_server import SAID, registry, small_image

if TYPE_CHECKING:
    from docker import DockerClient


@pytest.fixture
def image(engine: DockerClient) -> Iterator[str]:
    with small_image(engine) as name:
        yield name


@pytest.fixture
def forget(engine: DockerClient) -> Iterator[list[str]]:
    """Names of images that are removed after the test."""
    names: list[str] = []
    yield names
    for name in names:
        with suppress(Exception):
            engine.images.remove(name)


@pytest.mark.docker
@pytest.mark.parametrize("tag", [":1.0", ""])
def test_an_image_is_pushed(
    tag: str, image: str, forget: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with registry() as there:
        name = f"{there.name}/team/thing{tag}"
        forget.append(name)
        assert main(["push", "echo", name, "--image", image]) == 0
        said = capsys.readouterr().out.strip()
        repository, _, digest = said.partition("@")
        assert repository == f"{there.name}/team/thing"
        assert digest.startswith("sha256:")
        (layer,) = there.image(f"team/thing{tag or ':latest'}")
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(layer))) as tar:
        file = tar.extractfile("said")
        assert file is not None
        assert file.read() == SAID


@pytest.mark.docker
def test_a_pull_reports_each_layer(image: str, engine: DockerClient, forget: list[str]) -> None:
    """What the bar of a terminal shows, by a real engine."""
    reported: list[tuple[int, int, str]] = []
    with registry() as there:
        name = f"{there.name}/team/thing:1.0"
        assert main(["push", "echo", name, "--image", image]) == 0
        engine.images.remove(name)
        engine.images.remove(image)
        forget.append(name)
        pull_layers(engine, name, lambda *report: reported.append(report))
        engine.api.tag(name, image)  # which its fixture removes
        with pytest.raises(ImageMissingError, match="cannot be pulled"):
            labels(engine, f"{there.name}/team/other:1.0")
    assert reported[-1][:2] == (1, 1)
    assert "Pull complete" in reported[-1][2]


@pytest.mark.docker
def test_a_registry_that_wants_a_login(
    image: str, forget: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with registry(closed=True) as there:
        name = f"{there.name}/team/thing:1.0"
        forget.append(name)
        assert main(["push", "echo", name, "--image", image]) == 1
        assert not there.manifests
    said = capsys.readouterr().err
    assert f"cannot be pushed as {name}" in said
    assert "docker login" in said
    assert "Traceback" not in said


@pytest.mark.docker
def test_no_registry(image: str, forget: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    name = "127.0.0.1:9/team/thing:1.0"
    forget.append(name)
    assert main(["push", "echo", name, "--image", image]) == 1
    said = capsys.readouterr().err
    assert "cannot be pushed as 127.0.0.1:9/team/thing:1.0" in said
    assert "refused" in said


@pytest.mark.docker
@pytest.mark.parametrize("name", ["Team/Thing", "a b", ":1"])
def test_names_that_no_image_can_have(
    name: str, image: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["push", "echo", name, "--image", image]) == 1
    assert f"cannot be pushed as {name}" in capsys.readouterr().err


@pytest.mark.docker
def test_an_image_that_is_not_here(
    engine: DockerClient, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["push", "echo", "127.0.0.1:9/x", "--image", "no-such/image"]) == 1
    assert "There is no image 'no-such/image' here to push" in capsys.readouterr().err


def test_no_environment_of_that_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["push", "ches", "127.0.0.1:9/x"]) == 1
    assert "Did you mean 'chess'?" in capsys.readouterr().err


def test_no_engine(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    assert main(["push", "echo", "127.0.0.1:9/x", "--image", "x"]) == 1
    assert "No Docker engine answers" in capsys.readouterr().err
