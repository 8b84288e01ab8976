"""``openenv-gym serve``: options by variables, and what it refuses to start."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from typing import Any

import gymnasium
import httpx
import pytest
from gymnasium.spaces import Discrete

import openenv_gym  # noqa: F401  registers the ids
from openenv_gym import Environment, State
from openenv_gym.errors import OptionError
from tests.environments import CountingAction, CountingObservation
from tests.servers import process


class Unmakeable(Environment[CountingAction, CountingObservation, State]):
    """Needs what is not there."""

    def __init__(self) -> None:
        raise FileNotFoundError("the engine is not there")

    def reset(self) -> Any:
        """Implements Environment.reset."""

    def step(self, action: CountingAction) -> Any:
        """Implements Environment.step."""

    @property
    def state(self) -> State:
        """Implements Environment.state."""
        return State()


def test_options_come_from_variables() -> None:
    variables = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "OPENENV_GYM_OPTION_ENV_ID": "CartPole-v1",
    }
    patient = httpx.HTTPTransport(retries=50)
    with (
        process("gymnasium", variables=variables) as (_, port),
        httpx.Client(transport=patient, timeout=60.0) as client,
    ):
        reply = client.post(f"http://127.0.0.1:{port}/reset", json={"seed": 1})
    assert len(reply.json()["observation"]["observation"]) == 4


def test_an_option_that_is_left_to_clients() -> None:
    with process("gymnasium") as (_, port):
        made = functools.partial(
            gymnasium.make,
            "openenv/Gymnasium-v0",
            transport="websocket",
            url=f"ws://127.0.0.1:{port}",
        )
        with made(env_id="Taxi-v4") as env:
            assert env.observation_space == Discrete(500)
        with pytest.raises(OptionError, match="not one of gymnasium's own"):
            made(env_id="openenv/Echo-v0")
        with pytest.raises(OptionError, match="'env_id' must be given"):
            made()
        with pytest.raises(OptionError, match="'env_kwargs' is for the owner"):
            made(env_id="Taxi-v4", env_kwargs={"is_rainy": True})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["connect4", "--option", "opponent=nobody"], "opponent"),
        (["gymnasium", "--option", "env_id=Nothing-v0"], "Nothing"),
        (["tests.cli.test_cli_serve:Unmakeable"], "FileNotFoundError: the engine is not there"),
    ],
)
def test_what_cannot_be_made_is_not_served(arguments: list[str], said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "openenv_gym.cli", "serve", *arguments, "--port", "0"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60.0,
    )
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
