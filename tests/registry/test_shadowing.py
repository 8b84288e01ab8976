"""Options of an environment that are called like keywords of make()."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import pytest

import openenv_gym
from openenv_gym import registry
from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import OptionError
from openenv_gym.options import list_options
from openenv_gym.registry import ENVIRONMENTS
from openenv_gym.registry.shadowing import KEYWORDS
from openenv_gym.sessions.make import RESERVED
from openenv_gym.vector import OpenEnvVectorEnv

ID = "openenv-test/Shadowed-v0"
SOURCE = """
import gymnasium

class Base(gymnasium.Env):
    observation_space = action_space = gymnasium.spaces.Discrete(2)
    def __init__(self, timeout: float = 3.0, workers: int = 0, image: str = "none", size: int = 1):
        self.info = {"timeout": timeout, "workers": workers, "image": image, "size": size}
    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return 0, self.info
    def step(self, action):
        return 0, 0.0, False, False, self.info

class Shadowed(Base):
    pass
"""


@pytest.fixture
def shadowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[str]:
    """The name of an environment whose module was not imported yet, registered under ID."""
    module = f"shadowed_{tmp_path.name}"
    (tmp_path / f"{module}.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    openenv_gym.register_environment(ID, f"{module}:Shadowed", size=5)
    yield f"{module}:Shadowed"
    del gymnasium.registry[ID]


def info_of(**keywords: Any) -> Any:
    env = gymnasium.make(ID, **keywords)
    try:
        return env.reset(seed=0)[1]
    finally:
        env.close()


@pytest.mark.parametrize("transport", ["inprocess", "process"])
def test_a_keyword_that_may_be_meant_for_the_environment(shadowed: str, transport: str) -> None:
    """Whether or not the module is imported here already."""
    for _ in range(2):
        with pytest.raises(OptionError, match=r"options=\{'timeout': 9\.0\}"):
            gymnasium.make(ID, timeout=9.0, transport=transport)
        made = info_of(timeout=70.0, options={"timeout": 9.0}, transport=transport)
        assert made == {"timeout": 9.0, "workers": 0, "image": "none", "size": 5}
    assert info_of(transport=transport, size=2)["size"] == 2


def test_of_a_vector_environment(shadowed: str) -> None:
    with pytest.raises(OptionError, match=r"options=\{'workers': 2\}"):
        gymnasium.make_vec(ID, num_envs=2, workers=2)
    envs = gymnasium.make_vec(ID, num_envs=2, workers=2, options={"workers": 7})
    assert list(envs.reset(seed=0)[1]["workers"]) == [7, 7]
    envs.close()


def test_where_it_is_registered(shadowed: str) -> None:
    other = "openenv-test/Other-v0"
    with pytest.raises(OptionError, match=r"options=\{'image': \.\.\.\}"):
        openenv_gym.register_environment(other, shadowed, image="png")
    openenv_gym.register_environment(other, shadowed, options={"image": "png", "size": 3})
    try:
        env = gymnasium.make(other, size=4, options={"timeout": 2})
        info = env.reset(seed=0)[1]
        # gymnasium puts the keyword options= of make in the place of that which is registered.
        assert info == {"timeout": 2.0, "workers": 0, "image": "none", "size": 4}
        env.close()
        assert env.spec is not None
        gymnasium.make(type(env.spec).from_json(env.spec.to_json())).close()
        assert registry.registered(other).options == {"image": "png", "size": 3}
    finally:
        del gymnasium.registry[other]


def test_the_list_of_keywords_is_whole() -> None:
    ours = {
        name
        for cls in (OpenEnvGym, OpenEnvVectorEnv)
        for name, parameter in inspect.signature(cls).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY or name == "environment"
    }
    theirs = {
        name
        for function in (gymnasium.make, gymnasium.make_vec)
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is not parameter.VAR_KEYWORD
    }
    assert (ours | theirs) - {"render_mode", "actions"} == KEYWORDS


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_no_bundled_environment_has_such_an_option(name: str) -> None:
    options = list_options(registry.load(ENVIRONMENTS[name]), reserved=RESERVED)
    assert not KEYWORDS & {option.name for option in options}
