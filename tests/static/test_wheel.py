"""The wheel: three packages of unmistakable names, their types, and the files that they need."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import openenv_gym

ROOT = Path(openenv_gym.__file__).parent.parent
PACKAGES = {"openenv_gym", "openenv_gym_transports", "openenv_gym_envs"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [built] = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def files(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_three_packages_and_no_more(files: set[str]) -> None:
    info = f"openenv_gym-{openenv_gym.__version__}.dist-info"
    assert {name.partition("/")[0] for name in files} == {*PACKAGES, info}


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_each_package_has_its_types(files: set[str], package: str) -> None:
    assert f"{package}/py.typed" in files


def test_every_file_of_the_packages_is_in_it(files: set[str]) -> None:
    for folder in ("openenv_gym", "transports/openenv_gym_transports", "envs/openenv_gym_envs"):
        source = ROOT / folder
        reported = subprocess.run(
            ["git", "ls-files", folder], cwd=ROOT, capture_output=True, text=True, check=False
        )
        if reported.returncode:
            pytest.skip("not a checkout")
        for line in reported.stdout.splitlines():
            if (ROOT / line).exists():
                assert str(Path(line).relative_to(source.parent.relative_to(ROOT))) in files


def test_what_is_no_code_is_in_it(files: set[str]) -> None:
    assert "openenv_gym_transports/images/Dockerfile" in files
    for name in openenv_gym._registry.ENVIRONMENTS:
        assert f"openenv_gym_envs/{name}/openenv.yaml" in files
        assert f"openenv_gym_envs/{name}/README.md" in files


def test_nothing_that_was_left_lying_about(files: set[str]) -> None:
    assert not [name for name in files if "__pycache__" in name or name.endswith((".pyc", ".orig"))]


def test_the_metadata_names_version_license_and_extras(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [n for n in archive.namelist() if n.endswith("/METADATA")]
        reported = Parser().parsestr(archive.read(name).decode())
        [entry_points] = [n for n in archive.namelist() if n.endswith("/entry_points.txt")]
        assert "openenv-gym = openenv_gym.cli:main" in archive.read(entry_points).decode()
    assert reported["Version"] == openenv_gym.__version__
    assert reported["License-Expression"] == "BSD-3-Clause"
    extras = set(reported.get_all("Provides-Extra") or [])
    for entry in (
        *openenv_gym._registry.ENVIRONMENTS.values(),
        *openenv_gym._registry.TRANSPORTS.values(),
    ):
        assert entry.extra is None or entry.extra in extras
    assert {"all", "dev", "server", "docker"} <= extras
