"""Classes and modules behind names: of scripts too, and what is said where importing one fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import gymnasium
import pytest

import openenv_gym
from openenv_gym import registry
from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import (
    EnvironmentFailedError,
    MissingDependencyError,
    OpenEnvGymError,
    RegistryError,
)
from openenv_gym.server.app import create_app
from tests.environments import Counting

SCRIPT = """
import sys, gymnasium, openenv_gym
from helper import START

class Outer:
    class Maze(gymnasium.Env):
        observation_space = action_space = gymnasium.spaces.Discrete(5)
        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            return START, {}
        def step(self, action):
            return int(action), 0.5, False, False, {}

if __name__ == "__main__":
    openenv_gym.register_environment("acme/Maze-v0", NAME)
    for transport in sys.argv[1:]:
        env = gymnasium.make("acme/Maze-v0", transport=transport)
        print(transport, env.reset(seed=0)[0], env.step(3)[:2])
        env.close()
"""


def run(*words: str, folder: Path) -> str:
    """What a Python that sees our packages prints, run in a folder."""
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=110.0,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "helper.py").write_text("START = 2\n")
    return folder


@pytest.mark.parametrize("name", ["Outer.Maze", "'__main__:Outer.Maze'"])
def test_a_class_of_the_script_that_runs(name: str, project: Path, tmp_path: Path) -> None:
    """Over every transport, from whatever folder; the script is not run a second time."""
    (project / "train.py").write_text(SCRIPT.replace("NAME", name))
    printed = run(str(project / "train.py"), "inprocess", "process", "websocket", folder=tmp_path)
    assert printed.splitlines() == [
        f"{transport} 2 (3, 0.5)" for transport in ("inprocess", "process", "websocket")
    ]


def test_a_class_of_the_module_that_runs(project: Path) -> None:
    (project / "train.py").write_text(SCRIPT.replace("NAME", "Outer.Maze"))
    printed = run("-m", "train", "inprocess", "process", folder=project)
    assert printed.splitlines() == ["inprocess 2 (3, 0.5)", "process 2 (3, 0.5)"]


def test_a_class_that_no_other_process_can_import(project: Path) -> None:
    code = SCRIPT.replace("NAME", "Outer.Maze")
    assert run("-c", code, "inprocess", folder=project) == "inprocess 2 (3, 0.5)\n"
    wrapped = code.replace(
        "    for transport",
        "    try:\n        gymnasium.make('acme/Maze-v0', transport='process')\n"
        "    except openenv_gym.OpenEnvGymError as error: print(error)\n    for transport",
    )
    assert "put the class into a module" in run("-c", wrapped, folder=project)


def test_a_script_by_its_path(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "maze.py").write_text(SCRIPT)
    monkeypatch.chdir(project)
    monkeypatch.setattr(sys, "path", [*sys.path])
    entry = registry.environment("./maze.py:Outer.Maze")
    assert entry.name == f"{project}/maze.py:Outer.Maze"
    env = OpenEnvGym("maze.py:Outer.Maze", transport="process")
    assert env.reset(seed=0)[0] == 2
    env.close()
    assert registry.load(entry) is registry.load(entry)
    with pytest.raises(RegistryError, match="There is no script"):
        registry.load(registry.environment("./no_such.py:Maze"))


def test_a_class_itself() -> None:
    openenv_gym.register_environment("openenv-test/Class-v0", Counting)
    try:
        assert gymnasium.spec("openenv-test/Class-v0").kwargs == {
            "environment": "tests.environments:Counting"
        }
        gymnasium.make("openenv-test/Class-v0").close()
    finally:
        del gymnasium.registry["openenv-test/Class-v0"]
    env = OpenEnvGym(Counting)
    env.reset(seed=0)
    env.close()
    assert create_app(Counting).state.sessions.environment == "tests.environments:Counting"


def test_what_has_no_name_that_others_can_import() -> None:
    class Local(gymnasium.Env[int, int]):
        pass

    for wrong in (Local, lambda: None, 7, Counting()):
        with pytest.raises(RegistryError, match="module"):
            openenv_gym.register_environment("openenv-test/Wrong-v0", wrong)  # type: ignore[arg-type]
    assert "openenv-test/Wrong-v0" not in gymnasium.registry


@pytest.mark.parametrize(
    ("name", "said"),
    [("acme.maze.Maze", "'module:Class'"), ("conect4", "connect4"), ("./nowhere", "openenv.yaml")],
)
def test_a_wrong_name_is_known_when_it_is_registered(name: str, said: str) -> None:
    with pytest.raises(RegistryError, match=said):
        openenv_gym.register_environment("openenv-test/Wrong-v0", name)
    assert "openenv-test/Wrong-v0" not in gymnasium.registry


IMPORTS = {
    "a name that is not there": ("from numpy import nope\n", "ImportError: cannot import name"),
    "relative, without a package": ("from .other import X\n", "ImportError: attempted relative"),
    "in a circle": ("import {name}_b\nclass E: pass\n", "partially initialized module"),
    "a part of its own package": ("import {name}.missing\n", "No module named '{name}.missing'"),
    "a message of its own": ("raise ImportError('sell your car')\n", "ImportError: sell your car"),
}


@pytest.mark.parametrize("transport", ["inprocess", "process"])
@pytest.mark.parametrize("number", range(len(IMPORTS)), ids=list(IMPORTS))
def test_an_import_error_of_its_own_is_shown_as_it_is(
    number: int, transport: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not as a package that is missing, nor as a module that is not there."""
    name = f"own_import_error_{number}"
    source, problem = [*IMPORTS.values()][number]
    (tmp_path / f"{name}.py").write_text(source.replace("{name}", name))
    (tmp_path / f"{name}_b.py").write_text(f"from {name} import E\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(EnvironmentFailedError) as caught:
        OpenEnvGym(f"{name}:E", transport=transport)
    assert problem.replace("{name}", name) in str(caught.value)
    assert "install" not in str(caught.value)


def test_a_package_that_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "needs_more.py").write_text("import no_such_package.part\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingDependencyError, match="needs the package no_such_package,"):
        OpenEnvGym("needs_more:E")


def test_a_folder_that_is_named_like_an_environment_is_mentioned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "maze_env").mkdir()
    (tmp_path / "maze_env" / "openenv.yaml").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OpenEnvGymError, match=r"write '\./maze_env'"):
        registry.environment("maze_env")
