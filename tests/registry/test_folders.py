"""One environment, one folder: what follows from it is up to date, and nothing is missing."""

from __future__ import annotations

import inspect
import shutil
import tomllib
from pathlib import Path

import pytest

from openenv_gym import registry
from openenv_gym.errors import RegistryError
from openenv_gym.registry import ENVIRONMENTS, generate
from tests.bundled import whole_contract

ROOT = generate.ROOT
FILES = ("README.md", "__init__.py", "client.py", "environment.py", "contract.py")
NOT_ENVIRONMENTS = {"sandbox"}
"""Folders of what environments share."""


def missing(name: str, folder: Path, extras: dict[str, list[str]], changelog: str) -> list[str]:
    """What an environment lacks of the list in CONTRIBUTING."""
    found = [f"{folder}/{file}" for file in FILES if not (folder / file).is_file()]
    manifest = next(
        manifest for path, manifest in generate.manifests(folder.parent) if path == folder
    )
    extra = manifest["extra"]
    if extra not in extras:
        found.append(f"the extra {extra!r} in pyproject.toml")
    if not any(extra in _names(line) for line in extras["all"]):
        found.append(f"the extra {extra!r} in the extra 'all' of pyproject.toml")
    if manifest["id"] not in changelog:
        found.append(f"a line on {manifest['id']} in CHANGELOG.md")
    return found


def _names(requirement: str) -> list[str]:
    """The extras that a requirement such as ``openenv-gym[chess,echo]`` names."""
    return requirement.partition("[")[2].rstrip("]").split(",")


@pytest.fixture(scope="module")
def extras() -> dict[str, list[str]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    found: dict[str, list[str]] = project["optional-dependencies"]
    return found


@pytest.fixture(scope="module")
def changelog() -> str:
    return (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_the_table_of_the_registry_is_up_to_date() -> None:
    assert generate.TABLE.read_text("utf-8") == generate.table(), "run make generate"


def test_the_table_of_the_readme_is_up_to_date() -> None:
    text = generate.README.read_text("utf-8")
    assert text == generate.readme(text), "run make generate"


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_what_openenvs_tools_look_for_is_up_to_date(name: str) -> None:
    folder = generate.ENVIRONMENTS / name
    manifest = dict(generate.manifests())[folder]
    for path, text in generate.folder_files(manifest).items():
        assert (folder / path).read_text("utf-8") == text, f"{path}: run make generate"


def test_each_folder_is_an_environment_that_is_known() -> None:
    folders = {path.parent.name for path in generate.ENVIRONMENTS.glob("*/__init__.py")}
    assert folders - NOT_ENVIRONMENTS == set(ENVIRONMENTS), "an openenv.yaml is missing"


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_nothing_is_missing(name: str, extras: dict[str, list[str]], changelog: str) -> None:
    assert missing(name, generate.ENVIRONMENTS / name, extras, changelog) == []


def test_what_is_missing_is_named(
    tmp_path: Path, extras: dict[str, list[str]], changelog: str
) -> None:
    folder = tmp_path / "maze"
    shutil.copytree(generate.ENVIRONMENTS / "echo", folder)
    (folder / "contract.py").unlink()
    path = folder / "openenv.yaml"
    path.write_text(path.read_text().replace("echo", "maze").replace("Echo", "Maze"))
    assert missing("maze", folder, extras, changelog) == [
        f"{folder}/contract.py",
        "the extra 'maze' in pyproject.toml",
        "the extra 'maze' in the extra 'all' of pyproject.toml",
        "a line on openenv/Maze-v0 in CHANGELOG.md",
    ]
    assert "'openenv/Maze-v0'" in generate.table(tmp_path)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_manifest_says_what_the_code_does(name: str) -> None:
    entry = ENVIRONMENTS[name]
    manifest = dict(generate.manifests())[generate.ENVIRONMENTS / name]
    assert entry.target.startswith(f"openenv_gym_envs.{name}.")
    assert whole_contract(name).id in entry.ids()
    cls = registry.load(entry)
    if inspect.isclass(cls):
        for side in ("action", "observation"):
            assert manifest[side] == getattr(cls, f"{side}_type").__name__


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("id: openenv/Echo-v0\n", "", "id is missing"),
        ("port: 8000", "port: x", "port is not of type int"),
        ("port: 8000", "port: 8000\nprot: 1", "prot is unknown"),
        ("name: echo", "name: ecko", "name is not echo, as the folder"),
        ("name: echo", "name: [", "not valid YAML"),
    ],
)
def test_a_wrong_manifest_is_refused(old: str, new: str, problem: str, tmp_path: Path) -> None:
    text = (generate.ENVIRONMENTS / "echo" / "openenv.yaml").read_text()
    (tmp_path / "echo").mkdir()
    (tmp_path / "echo" / "openenv.yaml").write_text(text.replace(old, new))
    with pytest.raises(RegistryError, match=problem):
        generate.table(tmp_path)


def test_a_readme_without_its_marks_is_refused() -> None:
    with pytest.raises(RegistryError, match="has no lines"):
        generate.readme("# openenv-gym\n")
