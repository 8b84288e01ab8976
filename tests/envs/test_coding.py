"""Coding: namespace, outputs, rewards and options; hostile programs are in test_coding_hostile."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from openenv_gym.errors import MissingDependencyError
from openenv_gym_envs.coding.environment import CodingEnvironment
from openenv_gym_envs.coding.models import CodeAction, CodeObservation
from openenv_gym_envs.sandbox import boundary
from tests.troubles import children

EXECUTORS = ("sandbox", "smolagents")


@pytest.fixture(params=EXECUTORS)
def either(request: pytest.FixtureRequest) -> Iterator[CodingEnvironment]:
    env = CodingEnvironment(executor=request.param)
    env.seed(0)
    env.reset()
    yield env
    env.close()


@pytest.fixture
def env() -> Iterator[CodingEnvironment]:
    env = CodingEnvironment()
    env.seed(0)
    env.reset()
    yield env
    env.close()


def step(env: CodingEnvironment, code: str) -> CodeObservation:
    return env.step(CodeAction(code=code))


def test_namespace_lasts_for_the_episode_and_no_longer(either: CodingEnvironment) -> None:
    step(either, "x = 40\ndef f(y):\n    return x + y")
    assert step(either, "f(2)").stdout == "42"
    either.reset()
    after = step(either, "f(2)")
    assert after.exit_code == 1
    assert "f" in after.stderr


@pytest.mark.parametrize(
    ("code", "stdout"),
    [
        ("print('a'); {'b': [1, None]}", 'a\n\n{"b": [1, null]}'),
        ("'text'", '"text"'),
        ("print(2 + 2)", "4\n"),
        ("None", ""),
    ],
)
def test_stdout_is_what_was_printed_and_the_last_value(
    either: CodingEnvironment, code: str, stdout: str
) -> None:
    observation = step(either, code)
    assert (observation.stdout, observation.exit_code) == (stdout, 0)


def test_a_value_that_json_has_not_is_told_by_its_repr(env: CodingEnvironment) -> None:
    assert step(env, "{1, 2}").stdout == "{1, 2}"
    assert step(env, "complex(1, 2)").stdout == "(1+2j)"


def test_an_assignment_has_no_value(env: CodingEnvironment) -> None:
    assert step(env, "x = 1").stdout == ""


@pytest.mark.parametrize(
    ("code", "reward", "violation"),
    [
        ("print(1)", 0.1, None),
        ("x = 1  # " + "x" * 100, 0.0, None),
        (" " * 200 + "\nx = 1", 0.1, None),
        ("def (", -0.1, None),
        ("1 / 0", 0.1, None),
        ("import os", -0.9, r"import\s+os"),
        ("import  subprocess", -0.9, r"import\s+subprocess"),
        ("eval('1')", -0.9, r"eval\("),
        ("exec('1')", -0.9, r"exec\("),
        ("__import__('math')", -0.9, "__import__"),
        ("open('x')  # " + "x" * 100, -1.0, r"open\("),
        ("import os\ndef (", -1.1, r"import\s+os"),
    ],
)
def test_rewards_are_those_of_openenv(
    either: CodingEnvironment, code: str, reward: float, violation: str | None
) -> None:
    observation = step(either, code)
    assert observation.reward == pytest.approx(reward)
    assert observation.metadata.get("safety_violation") == violation
    assert observation.metadata["last_code"] == code
    assert observation.done is False


def test_reset_tells_nothing(env: CodingEnvironment) -> None:
    step(env, "1 / 0")
    assert env.state.last_exit_code == 1
    observation = env.reset(episode_id="two")
    assert (observation.stdout, observation.stderr, observation.exit_code) == ("", "", 0)
    assert observation.reward == 0.0
    assert env.state.model_dump() == {"episode_id": "two", "step_count": 0, "last_exit_code": 0}


def test_the_seed_is_that_of_random(either: CodingEnvironment) -> None:
    drawn = []
    for seed in (1, 1, 2):
        either.seed(seed)
        either.reset()
        drawn.append(step(either, "import random\nrandom.random()").stdout)
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_namespace_that_was_killed_is_empty_and_the_episode_goes_on() -> None:
    env = CodingEnvironment(timeout_s=0.3)
    env.reset()
    step(env, "x = 1")
    observation = step(env, "while True: pass")
    assert observation.exit_code == 124
    assert "killed after 0.3 s" in observation.stderr
    assert "empty namespace" in observation.stderr
    assert "NameError" in step(env, "x").stderr
    assert env.state.step_count == 3
    env.close()


def test_cpu_time_has_a_limit_of_its_own() -> None:
    env = CodingEnvironment(cpu_s=1)
    env.reset()
    observation = step(env, "while True: pass")
    assert "killed by SIG" in observation.stderr
    assert observation.exit_code > 128
    env.close()


def test_outputs_are_cut_at_the_option() -> None:
    env = CodingEnvironment(max_output=300)
    env.reset()
    observation = step(env, "import sys; print('a' * 999, file=sys.stderr); 'b' * 999")
    for output in (observation.stdout, observation.stderr):
        assert len(output) == 300
        assert output.endswith("[cut at 300 characters]\n")
    assert env.spaces()["stdout"].contains(observation.stdout)
    env.close()


@pytest.mark.parametrize("packages", [False, True])
def test_packages_are_seen_where_asked_for(packages: bool) -> None:
    env = CodingEnvironment(packages=packages, memory_mb=1024)
    env.reset()
    observation = step(env, "import numpy; int(numpy.arange(5).sum())")
    assert observation.stdout == ("10" if packages else "")
    env.close()


def test_the_picture_is_code_output_and_exit_code(env: CodingEnvironment) -> None:
    env.render_mode = "ansi"
    step(env, "print(1)")
    assert env.render() == "print(1)\n---\n1\n\n[0]\n"


def test_a_missing_bubblewrap_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    boundary.boundary.cache_clear()
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MissingDependencyError, match="apt-get install bubblewrap") as caught:
        CodingEnvironment()
    assert caught.value.fields["package"] == "bubblewrap"
    for way_out in ("executor='smolagents'", "transport='docker'"):
        assert way_out in str(caught.value)
    env = CodingEnvironment(executor="smolagents")
    env.reset()
    assert step(env, "1 + 1").stdout == "2"
    env.close()


def test_a_missing_smolagents_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "smolagents.local_python_executor", None)
    monkeypatch.delitem(sys.modules, "openenv_gym_envs.coding.smolagents", raising=False)
    with pytest.raises(MissingDependencyError, match="smolagents") as caught:
        CodingEnvironment(executor="smolagents")
    assert caught.value.fields["extra"] == "smolagents"


def alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text()


def test_close_leaves_no_process() -> None:
    before = children()
    env = CodingEnvironment()
    env.reset()
    (started,) = children() - before
    env.close()
    env.close()
    assert not alive(started)


_OWNER = """
import sys, time
from openenv_gym_envs.coding.environment import CodingEnvironment
from openenv_gym_envs.coding.models import CodeAction
env = CodingEnvironment(timeout_s=600)
env.reset()
print("ready", flush=True)
env.step(CodeAction(code="while True: pass"))
"""


def test_a_killed_owner_leaves_no_process() -> None:
    """In the middle of a step that would go on for ten minutes."""
    owner = subprocess.Popen([sys.executable, "-c", _OWNER], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    assert owner.stdout.readline() == b"ready\n"
    time.sleep(0.3)
    (started,) = children(owner.pid)
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    deadline = time.monotonic() + 30
    while alive(started):
        assert time.monotonic() < deadline
        time.sleep(0.05)
