"""The owner of a process: however it ends, the environment ends with it."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
import warnings

import pytest

from tests.servers import eventually, is_running, kill
from tests.troubles import (
    AT_ONCE,
    COUNT,
    HANG,
    SPAWN,
    TROUBLE,
    in_process,
    pid_of,
)

pytestmark = pytest.mark.usefixtures("no_leftovers")


_OWNER = """
import sys
from openenv_gym.env import OpenEnvGym
env = OpenEnvGym({environment!r}, transport="process", seconds=1000.0)
env.reset()
child = env.step({spawn})[4]["child"]
print(env.isolation["pid"], child, flush=True)
{then}
"""


def owner(then: str) -> tuple[subprocess.Popen[str], int, int]:
    """A process that owns an environment, which has a child; and the pids of these two."""
    script = _OWNER.format(environment=TROUBLE, spawn=SPAWN, then=then)
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        text=True,
    )
    assert process.stdout is not None
    server, child = map(int, process.stdout.readline().split())
    process.stdout.close()
    return process, server, child


@pytest.mark.parametrize(
    ("then", "how"),
    [
        (f"env.step({HANG})", signal.SIGKILL),
        ("import time; time.sleep(1000)", signal.SIGKILL),
        ("import time; time.sleep(1000)", signal.SIGTERM),
    ],
)
def test_the_owner_is_killed(then: str, how: signal.Signals) -> None:
    process, server, child = owner(then)
    try:
        time.sleep(0.3)  # until it is in its step
        process.send_signal(how)
        process.wait()
        # A step that hangs is given the time to end that close() has.
        eventually(lambda: not is_running(server))
        eventually(lambda: not is_running(child), AT_ONCE)
    finally:
        for pid in (server, child):
            if is_running(pid):
                kill(pid)


@pytest.mark.parametrize("then", ["", "del env", "1 / 0"])
def test_the_owner_ends(then: str) -> None:
    process, server, child = owner("sys.stderr = None\n" + then)
    process.wait()
    eventually(lambda: not is_running(server), AT_ONCE)
    eventually(lambda: not is_running(child), AT_ONCE)


def test_a_fork_of_the_owner_ends_without_it() -> None:
    env = in_process()
    env.reset()
    fork = os.fork()
    if fork == 0:
        try:
            sys.exit(0)  # with all finalizers
        finally:
            os._exit(0)
    os.waitpid(fork, 0)
    assert env.step(COUNT)[0] == 1
    env.close()


def test_an_environment_that_is_dropped_is_closed() -> None:
    env = in_process()
    pid = pid_of(env)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # which is right to complain
        del env
        gc.collect()
    eventually(lambda: not is_running(pid), 2 * AT_ONCE)
