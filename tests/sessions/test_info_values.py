"""``info="drop"`` and ``"text"``: infos whose values cannot travel, over every transport alike."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Discrete

from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import CodecError, OptionError
from openenv_gym.vector import OpenEnvVectorEnv
from tests.servers import serving

TARGET = "tests.sessions.test_info_values:Talkative"


class Thing:
    """What no codec knows."""


class Talkative(gymnasium.Env[int, int]):
    action_space = Discrete(2)
    observation_space = Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        return 0, self._info()

    def step(self, action: int) -> Any:
        return 1, 1.0, False, False, self._info()

    def _info(self) -> dict[str, Any]:
        return {"lives": 3, "thing": Thing(), "inner": {"array": np.zeros(2), "kind": int}}


class Own(Talkative):
    def __init__(self, info: str = "mine") -> None:
        self.info = info


@pytest.mark.parametrize("transport", ["inprocess", "process"])
def test_left_out_or_as_text(transport: str) -> None:
    env = OpenEnvGym(TARGET, transport=transport, info="drop")
    for info in (env.reset(seed=1)[1], env.step(1)[4]):
        assert info["lives"] == 3
        assert [*info] == ["lives", "inner"]
        assert [*info["inner"]] == ["array"]
    env.close()
    env = OpenEnvGym(TARGET, transport=transport, info="text")
    info = env.reset(seed=1)[1]
    assert info["thing"] == "<tests.sessions.test_info_values.Thing object>"
    assert info["inner"]["kind"] == "<class 'int'>"
    env.close()


def test_an_error_by_default_where_they_travel() -> None:
    env = OpenEnvGym(TARGET, transport="process")
    with pytest.raises(CodecError, match=r"thing.*info=\'drop\'"):
        env.reset(seed=1)
    env.close()


def test_lanes_and_strangers() -> None:
    envs = OpenEnvVectorEnv(TARGET, num_envs=2, transport="process", info="drop")
    assert "thing" not in envs.reset(seed=1)[1]
    envs.close()
    with serving(TARGET) as served:
        env = OpenEnvGym(None, url=served.url("websocket"), info="text")
        assert "Thing" in env.reset(seed=1)[1]["thing"]
        env.close()


def test_an_option_of_that_name_is_the_environments() -> None:
    env = OpenEnvGym(Own, info="other")
    assert env.get_wrapper_attr("info") == "other"
    with pytest.raises(OptionError, match="'strict', 'drop', 'text'"):
        OpenEnvGym(TARGET, info="other")
