"""Names to classes, and what is said where there is none."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import gymnasium
import pytest

import openenv_gym
from openenv_gym import registry
from openenv_gym.errors import (
    EnvironmentFailedError,
    MissingDependencyError,
    OpenEnvGymError,
    RegistryError,
)
from openenv_gym.registry import ENVIRONMENTS, TRANSPORTS, Entry, load
from openenv_gym.transport import Transport


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_environments_have_three_names(name: str) -> None:
    entry = ENVIRONMENTS[name]
    assert entry.id is not None
    assert registry.environment(name) is entry
    assert registry.environment(entry.id) is entry
    assert registry.environment(entry.target).target == entry.target
    assert callable(load(entry))
    assert entry.id in gymnasium.registry


@pytest.mark.parametrize("name", TRANSPORTS)
def test_transports_are_what_they_are_called(name: str) -> None:
    loaded = load(registry.transport(name))
    assert issubclass(loaded, Transport)  # type: ignore[arg-type]
    assert loaded.name == name  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("ches", "chess"), ("connect-4", "connect4"), ("openenv/Ches-v0", "openenv/Chess-v0")],
)
def test_an_unknown_environment_is_told_the_nearest_and_all(wrong: str, meant: str) -> None:
    with pytest.raises(RegistryError, match=f"Did you mean '{meant}'") as caught:
        registry.environment(wrong)
    assert all(name in str(caught.value) for name in ENVIRONMENTS)
    assert "module:Class" in str(caught.value)


def test_an_unknown_transport_is_told_the_nearest_and_all() -> None:
    with pytest.raises(RegistryError, match="Did you mean 'docker'") as caught:
        registry.transport("dokcer")
    assert "module:Class" not in str(caught.value)
    with pytest.raises(RegistryError, match="Known are"):
        registry.transport("zzz")


@pytest.mark.parametrize(
    ("module", "target", "extra"),
    [
        ("chess", "chess", "chess"),
        ("websockets", "websocket", "server"),
    ],
)
def test_a_missing_package_names_the_extra(
    module: str, target: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = ENVIRONMENTS.get(target) or TRANSPORTS[target]
    for name in list(sys.modules):
        ours = name.startswith(("openenv_gym_envs.chess.", "openenv_gym_transports."))
        if ours or name.partition(".")[0] == module:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDependencyError, match=rf"openenv-gym\[{extra}\]") as caught:
        load(entry)
    assert caught.value.fields["package"] == module


def test_missing_docker_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "docker", None)
    with pytest.raises(MissingDependencyError, match=r"openenv-gym\[docker\]"):
        openenv_gym.OpenEnvGym("echo", transport="docker")


@pytest.mark.parametrize(
    ("module", "package", "install"),
    [
        (
            "openenv_gym.server.app",
            "starlette.applications",
            r'pip install "openenv-gym\[server\]"',
        ),
        ("openenv_gym.testing.contract", "pytest", "pip install pytest"),
        ("openenv_gym_envs.chess.drawing", "PIL", r'pip install "openenv-gym\[chess\]"'),
        ("openenv_gym_envs.connect4.drawing", "PIL", r'pip install "openenv-gym\[connect4\]"'),
        ("openenv_gym_envs.openspiel.drawing", "PIL", r'pip install "openenv-gym\[openspiel\]"'),
    ],
)
def test_a_module_that_needs_a_package_names_it(
    module: str, package: str, install: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependencyError, match=install):
        importlib.import_module(module)


def test_an_application_of_fastapi_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fastapi", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "openenv-gym\[server\]"'):
        openenv_gym.create_app("echo")


def test_a_missing_package_of_ones_own() -> None:
    with pytest.raises(MissingDependencyError, match="no_such_package") as caught:
        load(registry.environment("tests.needy:Needy"))
    assert "openenv-gym[" not in str(caught.value)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("no.such.module:Class", "no module 'no'"),
        ("tests.no_such:Class", "no module 'tests.no_such'"),
        ("tests.troubles:NoSuch", "has no NoSuch"),
        ("tests.troubles:Troublesome.inner", "has no Troublesome.inner"),
        ("tests.troubles:TROUBLE", "not a class"),
        ("tests.troubles:", "module:Class"),
        (":Class", "module:Class"),
        (".relative:Class", "module:Class"),
        ("..:", "module:Class"),
        ("a b:c d", "no module"),
    ],
)
def test_targets_that_are_none(target: str, said: str) -> None:
    with pytest.raises(RegistryError, match=said):
        load(Entry(target, target))


@pytest.mark.parametrize("transport", ["inprocess", "process"])
def test_a_module_that_fails(
    transport: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the environment's own code that failed, over every transport."""
    (tmp_path / "failing_module.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(EnvironmentFailedError, match="ZeroDivisionError"):
        openenv_gym.OpenEnvGym("failing_module:Class", transport=transport)


def test_an_environment_of_ones_own_is_made_by_its_id() -> None:
    openenv_gym.register_environment(
        "acme/Trouble-v3", "tests.troubles:Troublesome", max_episode_steps=2, size=7
    )
    try:
        env = gymnasium.make("acme/Trouble-v3", seconds=0.0)
        env.reset()
        assert [env.step(0)[3] for _ in range(2)] == [False, True]
        assert env.spec is not None
        assert env.spec.kwargs["size"] == 7
        env.close()
        with pytest.raises(OpenEnvGymError, match="'nothing' is unknown"):
            gymnasium.make("acme/Trouble-v3", nothing=0)
    finally:
        del gymnasium.registry["acme/Trouble-v3"]
