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


_WITHOUT_STREAMS = """
import os, sys
try:
    from openenv_gym.env import OpenEnvGym
    env = OpenEnvGym("echo", transport=sys.argv[1])
    env.reset(seed=0)
    env.close()
    reported = "ok"
except BaseException as error:
    reported = repr(error)
os.write(int(sys.argv[2]), reported.encode())
"""


@pytest.mark.parametrize(
    ("transport", "closed"), [("process", (0, 1)), ("process", (0, 1, 2)), ("http", (1,))]
)
def test_a_program_without_standard_streams(transport: str, closed: tuple[int, ...]) -> None:
    """Then the socket that a process inherits has the number of one of its pipes."""
    read, write = os.pipe()
    with open(read, "rb") as reports:
        process = subprocess.Popen(
            ["bash", "-c", f'"$@" {" ".join(f"{fd}>&-" for fd in closed)}', "bash"]
            + [sys.executable, "-c", _WITHOUT_STREAMS, transport, str(write)],
            pass_fds=(write,),
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        os.close(write)
        assert reports.read() == b"ok"
    assert process.wait(30.0) == 0


_BUSY_WORKERS = """
import gymnasium, openenv_gym
from tests.troubles import HANG, TROUBLE
openenv_gym.register_environment("busy/Trouble-v0", TROUBLE)
options = {"seconds": 1000.0}
envs = gymnasium.make_vec(
    "busy/Trouble-v0", num_envs=4, workers=4, transport="process", options=options
)
envs.reset()
print(*(each["pid"] for each in envs.isolation), flush=True)
envs.step([HANG] * 4)
"""


def test_busy_workers_end_together() -> None:
    """Each is given seconds to end by itself: one after the other they would take four times."""
    process = subprocess.Popen(
        [sys.executable, "-c", _BUSY_WORKERS],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        text=True,
    )
    assert process.stdout is not None
    pids = [int(pid) for pid in process.stdout.readline().split()]
    process.stdout.close()
    assert len(pids) == 4
    time.sleep(0.3)  # until they are in their steps
    process.send_signal(signal.SIGINT)
    assert process.wait(19.0) != 0
    assert not any(map(is_running, pids))
