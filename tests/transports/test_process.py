"""The process transport, on real processes: what dies is noticed, and nothing outlives its use."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import Any

import numpy as np
import pytest

from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import (
    EnvironmentFailedError,
    EpisodeError,
    ExchangeTimeoutError,
    MissingDependencyError,
    OptionError,
    RegistryError,
    SessionLostError,
    StartError,
)
from openenv_gym.wire.messages import Open, Reset
from openenv_gym_transports.links import child_process as launch
from openenv_gym_transports.links import wire_link
from openenv_gym_transports.process import ProcessTransport
from tests.servers import eventually, is_running, kill
from tests.troubles import (
    AT_ONCE,
    CLOSE,
    COUNT,
    DETACH,
    DOTS,
    HANG,
    LEAVE,
    PRINT,
    RAISE,
    SPAWN,
    TROUBLE,
    in_process,
    pid_of,
)

pytestmark = pytest.mark.usefixtures("no_leftovers")


def took(call: Any, error: type[Exception]) -> tuple[float, Exception]:
    begin = time.monotonic()
    with pytest.raises(error) as caught:
        call()
    return time.monotonic() - begin, caught.value


def test_it_ends_with_close() -> None:
    env = in_process()
    env.reset()
    pid = pid_of(env)
    assert pid != os.getpid()
    assert env.step(COUNT)[0] == 1
    env.close()
    assert not is_running(pid)
    env.close()


def test_killed_in_a_step() -> None:
    env = in_process()
    env.reset()
    threading.Timer(2.0, kill, [pid_of(env)]).start()
    seconds, error = took(lambda: env.step(HANG), SessionLostError)
    assert seconds < AT_ONCE
    assert "killed by SIGKILL" in str(error)
    assert "now it hangs" in str(error)
    assert "gone" in str(error)
    # A step after it says so too, at once; a reset begins in a fresh process.
    assert took(lambda: env.step(COUNT), EpisodeError)[0] < AT_ONCE
    env.reset()
    assert env.step(COUNT)[0] == 1
    env.close()


def test_killed_between_steps() -> None:
    env = in_process()
    env.reset()
    kill(pid_of(env))
    eventually(lambda: not is_running(pid_of(env)))
    assert took(lambda: env.step(COUNT), SessionLostError)[0] < AT_ONCE
    env.close()


def test_leaving_in_a_step() -> None:
    env = in_process()
    env.reset()
    seconds, error = took(lambda: env.step(LEAVE), SessionLostError)
    assert seconds < AT_ONCE
    assert "exited with 7" in str(error)
    assert "these are my last words" in str(error)
    env.close()


def test_leaving_while_it_is_made() -> None:
    seconds, error = took(lambda: in_process(first="leave"), StartError)
    assert seconds < AT_ONCE
    assert "exited with 7" in str(error)
    assert "these are my last words" in str(error)


def test_raising_while_it_is_made() -> None:
    _, error = took(lambda: in_process(first="raise"), EnvironmentFailedError)
    assert "ValueError" in str(error)
    assert isinstance(error, EnvironmentFailedError)
    assert "tests/troubles.py" in error.fields["traceback"]


def test_raising_in_a_step_ends_the_episode_but_not_the_process() -> None:
    env = in_process()
    env.reset()
    for _ in range(2):
        took(lambda: env.step(RAISE), EnvironmentFailedError)
        _, error = took(lambda: env.step(COUNT), EpisodeError)
        assert "reset()" in str(error)
        env.reset()
        assert env.step(COUNT)[0] == 1
    env.close()


def test_raising_in_close_is_no_matter_of_the_caller() -> None:
    env = in_process()
    env.reset()
    pid = pid_of(env)
    env.step(CLOSE)
    env.close()
    assert not is_running(pid)


def test_not_ready_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_link, "CLOSE_LIMIT", 0.2)
    options = {"start_timeout": 10.0}
    _, error = took(lambda: in_process(first="hang", transport_options=options), StartError)
    assert "10.0 s" in str(error)
    assert "now it hangs" in str(error)


@pytest.mark.parametrize(
    ("environment", "options", "error"),
    [
        ("no.such.module:Class", {}, RegistryError),
        ("tests.troubles:NoSuchClass", {}, RegistryError),
        ("tests.troubles:TROUBLE", {}, RegistryError),
        (TROUBLE, {"no_such_option": 1}, OptionError),
        (TROUBLE, {"seconds": "long"}, OptionError),
        ("tests.needy:Needy", {}, MissingDependencyError),
    ],
)
def test_failing_to_start_is_told_as_in_process(
    environment: str, options: dict[str, Any], error: type[Exception]
) -> None:
    begin = time.monotonic()
    with pytest.raises(error) as there:
        in_process(environment, **options)
    assert time.monotonic() - begin < AT_ONCE
    with pytest.raises(error) as here:
        OpenEnvGym(environment, transport="inprocess", **options)
    # How many places were searched for a module differs.
    assert str(there.value).partition(" in any of")[0] == str(here.value).partition(" in any of")[0]


def test_no_python_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    took(in_process, StartError)


def test_a_reply_that_comes_late() -> None:
    env = in_process(seconds=4.0, timeout=1.0)
    env.reset()
    assert env.step(COUNT)[0] == 1
    took(lambda: env.step(HANG), ExchangeTimeoutError)
    _, error = took(lambda: env.step(COUNT), EpisodeError)
    assert "reset()" in str(error)
    env.link.timeout = 30.0  # type: ignore[attr-defined]
    assert env.reset()[0] == 0
    assert [env.step(COUNT)[0] for _ in range(3)] == [1, 2, 3]
    env.close()


def test_what_hangs_is_ended_at_once_and_reset_begins_in_a_fresh_process() -> None:
    env = in_process(timeout=5.0)
    env.reset()
    pid = pid_of(env)
    took(lambda: env.step(HANG), ExchangeTimeoutError)
    assert not is_running(pid)
    took(lambda: env.step(COUNT), EpisodeError)
    assert env.reset()[0] == 0
    assert pid_of(env) != pid
    assert env.step(COUNT)[0] == 1
    env.close()


def test_closing_while_a_step_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_link, "CLOSE_LIMIT", 0.2)
    env = in_process(timeout=1.0)
    env.reset()
    pid = pid_of(env)
    took(lambda: env.step(HANG), ExchangeTimeoutError)
    env.close()
    assert not is_running(pid)


def test_a_large_request_to_a_server_that_hangs() -> None:
    """What was sent by half cannot be taken back: the session is over, and says so."""
    link = ProcessTransport(timeout=1.0).open(Open(TROUBLE, {"seconds": 12.0}))
    with link:
        link.exchange(Reset(None))
        took(lambda: link.step(HANG), ExchangeTimeoutError)
        large = Reset(None, {"large": np.zeros(1_000_000)})
        took(lambda: link.exchange(large), SessionLostError)
        took(lambda: link.exchange(Reset(None)), SessionLostError)


@pytest.mark.parametrize("how", [PRINT, DOTS])
def test_printing_much_does_not_block(how: int) -> None:
    env = in_process(size=50_000_000, transport_options={"output": False})
    env.reset()
    assert env.step(how)[0] == 1
    assert env.step(COUNT)[0] == 2
    child = env.link._owned  # type: ignore[attr-defined]
    kept = sum(map(len, child._lines)) + sum(len(output.rest) for output in child._outputs)
    assert 0 < kept < 1_000_000
    env.close()


def test_children_of_the_environment_end_with_it() -> None:
    env = in_process()
    env.reset()
    child = env.step(SPAWN)[4]["child"]
    assert is_running(child)
    env.close()
    eventually(lambda: not is_running(child), AT_ONCE)


def test_children_end_also_where_the_environment_left() -> None:
    env = in_process()
    env.reset()
    child = env.step(SPAWN)[4]["child"]
    took(lambda: env.step(LEAVE), SessionLostError)
    env.close()
    eventually(lambda: not is_running(child), AT_ONCE)


def test_a_child_with_a_session_of_its_own_does_not_block() -> None:
    """It keeps the standard output open, and is out of our reach."""
    env = in_process()
    env.reset()
    child = env.step(DETACH)[4]["child"]
    begin = time.monotonic()
    env.close()
    took_to_close = time.monotonic() - begin
    kill(child)
    assert took_to_close < 2 * AT_ONCE


def test_interrupting_the_owner_does_not_reach_the_environment() -> None:
    """Ctrl-C goes to the whole group of the terminal, to which the environment does not belong."""
    env = in_process()
    env.reset()
    assert os.getpgid(pid_of(env)) != os.getpgid(0)
    env.close()


def test_many_at_once() -> None:
    envs = [in_process() for _ in range(3)]
    assert len({pid_of(env) for env in envs}) == 3
    for number, env in enumerate(envs):
        env.reset()
        for _ in range(number):
            env.step(COUNT)
    assert [env.step(COUNT)[0] for env in envs] == [1, 2, 3]
    for env in envs:
        env.close()


def test_the_log_keeps_the_last_lines_only() -> None:
    assert launch._LOG_SHOWN <= launch._LOG_LINES
    env = in_process()
    env.reset()
    env.step(PRINT)
    _, error = took(lambda: env.step(LEAVE), SessionLostError)
    assert "these are my last words" in str(error)
    assert len(str(error)) < 10_000
    env.close()


def test_a_group_is_killed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """When its process is collected, another process may get its number."""
    killed: list[int] = []
    kill_group = os.killpg

    def note(group: int, number: int) -> None:
        killed.append(group)
        kill_group(group, number)

    monkeypatch.setattr(os, "killpg", note)
    env = in_process()
    env.reset()
    pid = pid_of(env)
    took(lambda: env.step(LEAVE), SessionLostError)
    assert killed == [pid]
    env.close()
    assert killed == [pid]
