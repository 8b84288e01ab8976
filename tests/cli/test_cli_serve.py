"""``openenv-gym serve``: options by variables, and what it refuses to start."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import httpx
import pytest

from openenv_gym import Environment, State
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
