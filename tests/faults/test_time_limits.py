"""Time limits of each phase: what is over its limit is ended, and reset() goes on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import gymnasium
import pytest

import openenv_gym
from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import (
    EpisodeError,
    ExchangeTimeoutError,
    OptionError,
    StartError,
    StepTimeoutError,
)
from openenv_gym.server.backend import BackendSettings
from tests.environments import THREADED, WAIT
from tests.servers import eventually, is_running, serving

openenv_gym.register_environment("faults/Stubborn-v0", "stubborn:Stubborn")

STARTING = ["process", "websocket", "http"]
LONG = 50.0  # what is ended by its limit takes less, however busy the machine is
ALL_LONG = dict.fromkeys(
    [f"{phase}_timeout" for phase in ("reset", "step", "render", "close")], 600.0
)


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


def make(transport: str, phase: str, **keywords: Any) -> OpenEnvGym:
    return OpenEnvGym(
        "stubborn:Stubborn", transport=transport, phase=phase, how="lock", timeout=600.0, **keywords
    )


@pytest.mark.parametrize("transport", STARTING)
def test_a_step_over_its_limit(transport: str) -> None:
    env = make(transport, "step", first=1, **{**ALL_LONG, "step_timeout": 1.0})
    env.reset(seed=1)
    assert env.step(0)[0] == 1
    before = env.isolation["pid"]
    with pytest.raises(StepTimeoutError, match=r"within 1\.0 s.*step_timeout= sets") as caught:
        env.step(0)
    assert caught.value.fields["timeout"] == 1.0
    assert not is_running(before)
    with pytest.raises(EpisodeError):
        env.step(0)
    assert env.reset(seed=1)[0] == 0
    assert env.step(0)[0] == 1
    assert env.isolation["pid"] != before
    env.close()


@pytest.mark.parametrize("phase", ["reset", "render"])
def test_another_phase_over_its_limit(phase: str) -> None:
    limits = {**ALL_LONG, f"{phase}_timeout": 1.0}
    env = make("process", phase, first=1, render_mode="ansi", **limits)
    env.reset()
    call = {"reset": env.reset, "render": env.render}[phase]
    if phase == "render":
        assert env.render() == "0"
    before = env.isolation["pid"]
    with pytest.raises(ExchangeTimeoutError, match=f"{phase}_timeout= sets") as caught:
        call()
    assert not isinstance(caught.value, StepTimeoutError)
    assert not is_running(before)
    env.reset()
    env.close()


def test_an_environment_that_does_not_close_in_time() -> None:
    env = make("process", "close", **{**ALL_LONG, "close_timeout": 0.5})
    env.reset()
    pid = env.isolation["pid"]
    began = time.monotonic()
    env.close()
    assert time.monotonic() - began < LONG
    eventually(lambda: not is_running(pid))


def test_an_environment_that_does_not_start_in_time() -> None:
    with pytest.raises(StartError, match="start_timeout="):
        make("process", "make", start_timeout=3.0)


@pytest.mark.parametrize("on_failure", ["raise", "restart"])
def test_a_step_of_a_vector_over_its_limit(on_failure: str) -> None:
    envs = gymnasium.make_vec(
        "faults/Stubborn-v0",
        num_envs=3,
        transport="process",
        workers=3,
        lane_options=[{}, {"phase": "step", "how": "lock", "first": 1}, {}],
        on_failure=on_failure,
        timeout=600.0,
        step_timeout=2.0,
    )
    envs.reset(seed=1)
    assert envs.step([0] * 3)[0].tolist() == [1, 1, 1]
    before = [each["pid"] for each in envs.isolation]
    if on_failure == "raise":
        with pytest.raises(StepTimeoutError, match=r"lanes \[1\] are lost"):
            envs.step([0] * 3)
        with pytest.raises(EpisodeError):
            envs.step([0] * 3)
        assert envs.reset(seed=1)[0].tolist() == [0, 0, 0]
    else:
        truncated = envs.step([0] * 3)[3]
        assert truncated.tolist() == [False, True, False]
    after = [each["pid"] for each in envs.isolation]
    assert not is_running(before[1])
    assert [before[lane] == after[lane] for lane in range(3)] == [True, False, True]
    envs.close()


@pytest.mark.parametrize("transport", ["websocket", "http"])
def test_a_step_at_a_server_over_its_limit(transport: str) -> None:
    """It belongs to somebody else, so it goes on; the next reset waits for it."""
    with serving(THREADED) as served:
        env = OpenEnvGym(
            THREADED, transport=transport, url=served.url(transport), delay=2.0, step_timeout=0.5
        )
        env.reset()
        with pytest.raises(StepTimeoutError, match="may still be at it"):
            env.step(1)
        assert env.reset()[0]["count"] == 0
        env.close()


@pytest.mark.parametrize("transport", ["websocket", "http"])
def test_the_place_of_a_step_that_hangs_is_free_once_its_client_has_closed(transport: str) -> None:
    backend = BackendSettings(workers=1)
    with serving(THREADED, backend=backend, max_sessions=1, resume_timeout=600.0) as served:
        url = served.url(transport)
        env = OpenEnvGym(THREADED, transport=transport, url=url, delay=600.0, step_timeout=0.5)
        env.reset()
        with pytest.raises(StepTimeoutError):
            env.step(WAIT)
        env.close()
        eventually(lambda: len(served.sessions) == 0)
        OpenEnvGym(THREADED, transport=transport, url=url).close()


@pytest.mark.parametrize("name", ["start", "reset", "step", "render", "close"])
@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf"), "soon", True, [1.0]])
def test_a_limit_that_is_none(name: str, value: Any) -> None:
    with pytest.raises(OptionError, match=f"{name}_timeout"):
        OpenEnvGym("echo", transport="process", **{f"{name}_timeout": value})


def test_limits_beside_a_transport_object() -> None:
    from openenv_gym_transports.process import ProcessTransport

    env = OpenEnvGym(
        "stubborn:Stubborn", transport=ProcessTransport(), phase="step", how="sleep", step_timeout=1
    )
    env.reset()
    with pytest.raises(StepTimeoutError):
        env.step(0)
    env.close()


def test_limits_in_process_are_taken() -> None:
    env = OpenEnvGym("echo", transport="inprocess", start_timeout=5.0, step_timeout=5.0)
    env.reset()
    env.close()
